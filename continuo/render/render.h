#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"

namespace continuo {

enum class AudioFormat { kWav, kFlac };

/// ".wav" or ".flac".
std::string_view Extension(AudioFormat format);

struct RenderOptions {
  std::filesystem::path soundfont;  // empty: FindSoundfont
  AudioFormat format = AudioFormat::kWav;
  int sample_rate = 44100;  // FluidSynth takes 8,000 to 96,000
  double peak = 0.891;      // the loudest sample, 1 being full scale: -1 dB
};

struct RenderedAudio {
  double seconds = 0.0;
  double gain = 1.0;                 // that the peak took
  std::vector<std::string> repairs;  // of the file, one line each
};

/// A soundfont of the places where systems keep them. Fails, saying which Debian package has one,
/// where there is none.
Result<std::filesystem::path> FindSoundfont();

/// Fails unless a file is a RIFF file of the form "sfbk", as .sf2 and .sf3 are.
Status CheckSoundfont(const std::filesystem::path& path);

/// Plays a Standard MIDI File through FluidSynth into an audio file, stereo, 16 bits. FluidSynth
/// gets the file's own events, with a note-off for each note that has none. `name` stands for the
/// file in messages. The sound ends when all voices have died away, but at most ten seconds after
/// the last event. The file appears whole or not at all. The music is played twice: to find its
/// peak, then to write it; so memory does not grow with its length. Takes some hundredths of the
/// time that the music lasts. Progress is in seconds of music. Fails on bytes that are no MIDI
/// file, on a soundfont that can't be loaded, a file that can't be written, and when `progress`
/// asks to stop. Any number of threads may render.
Result<RenderedAudio> RenderMidi(std::span<const uint8_t> midi, std::string_view name,
                                 const std::filesystem::path& path, const RenderOptions& options, Progress& progress,
                                 const StopToken& stop = {});

}  // namespace continuo
