#include "continuo/app/render_program.h"

#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "continuo/midi/midi_document.h"
#include "continuo/os/process.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

/// Runs continuo-render in `folder`. Its error message is the result's.
Result<MappedFile> RunIn(const fs::path& folder, std::span<const uint8_t> midi, const std::string& soundfont,
                         const StopToken& stop) {
  const fs::path input = folder / "midi";
  const fs::path log = folder / "log";
  CONTINUO_TRY(WriteFileAtomically(input, midi));
  std::vector<std::string> arguments = {input.string(), "-o", folder.string(), "--quiet", "--threads", "1"};
  if (!soundfont.empty()) {
    arguments.insert(arguments.end(), {"--soundfont", soundfont});
  }
  CONTINUO_ASSIGN(ChildProcess child,
                  ChildProcess::Start(
                      {.program = ProgramFolder() / kRenderProgram, .arguments = std::move(arguments), .log = log}));
  std::optional<int> status;
  while (!(status = child.Poll())) {
    if (stop.stop_requested()) {
      return CancelledError();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (*status != 0) {
    CONTINUO_ASSIGN(std::string text, ReadTextFile(log));
    constexpr std::string_view kPrefix = "continuo: ";
    if (text.starts_with(kPrefix)) {
      text.erase(0, kPrefix.size());
    }
    text = text.substr(0, text.find('\n'));
    return MakeError(ErrorCode::kIo, "{}",
                     text.empty() ? fmt::format("{} ended with status {}", kRenderProgram, *status) : text);
  }
  return MappedFile::Open(folder / "midi.wav");
}

}  // namespace

Result<MappedFile> RenderWithProgram(std::span<const uint8_t> midi, const std::string& soundfont,
                                     const StopToken& stop) {
  if (!IsExecutable(ProgramFolder() / kRenderProgram)) {
    return Error{"audio cannot be rendered: continuo-render was not built", kNoAudio, ErrorCode::kNotFound};
  }
  CONTINUO_ASSIGN(const TemporaryDirectory folder, TemporaryDirectory::Create("continuo-render-"));
  Result<MappedFile> audio = RunIn(folder.path(), midi, soundfont, stop);
  if (audio.ok() || audio.error().code != ErrorCode::kIo) {
    return audio;
  }
  // What cannot render silence either lacks a soundfont.
  MidiDocument silence;
  silence.tracks.emplace_back();
  Result<MappedFile> probe = RunIn(folder.path(), SerializeMidiDocument(silence), soundfont, stop);
  if (!probe.ok() && probe.error().code == ErrorCode::kIo) {
    return MakeError(ErrorCode::kNotFound, "audio cannot be rendered: {}", probe.error().message);
  }
  return audio;
}

}  // namespace continuo
