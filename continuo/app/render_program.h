#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/os/file.h"

namespace continuo {

/// The program that renders audio, and what to do where it was not built.
inline constexpr const char* kRenderProgram = "continuo-render";
inline constexpr const char* kNoAudio =
    "install libfluidsynth-dev and libsndfile1-dev with tools/bootstrap.sh and build again";

/// Renders a MIDI file's bytes as `continuo render` does, in a process of continuo-render: stereo,
/// 44.1 kHz, 16 bits, WAV. The result is in a file without a name, which is gone with it, below the
/// system's directory for temporary files. `soundfont` is that of --soundfont, or empty. Fails with
/// kNotFound, and says what to install, where continuo-render or a soundfont is missing.
Result<MappedFile> RenderWithProgram(std::span<const uint8_t> midi, const std::string& soundfont,
                                     const StopToken& stop);

}  // namespace continuo
