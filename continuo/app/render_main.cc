#include <atomic>
#include <optional>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/file.h"
#include "continuo/os/machine.h"
#include "continuo/os/signals.h"
#include "continuo/render/render.h"

namespace {

namespace fs = std::filesystem;
using continuo::AudioFormat;
using continuo::Result;
using continuo::Status;

struct RenderFlags {
  std::vector<std::string> paths;
  std::string output;
  std::string soundfont;
  std::string format;  // empty: by the name of the output, else wav
  size_t threads = 0;
};

/// Whether the output is one audio file, by its name, and not a folder.
bool IsAudioFile(const fs::path& output) {
  std::error_code code;
  return (output.extension() == ".wav" || output.extension() == ".flac") && !fs::is_directory(output, code);
}

/// The audio file of each MIDI file.
Result<std::vector<fs::path>> Outputs(const RenderFlags& flags, const std::vector<fs::path>& files,
                                      AudioFormat format) {
  const fs::path output = flags.output;
  if (IsAudioFile(output)) {
    if (files.size() != 1) {
      return continuo::MakeError("{}: is the name of one file, but {} files are to be rendered; give a folder",
                                 flags.output, files.size());
    }
    if (output.has_parent_path()) {
      CONTINUO_TRY(continuo::MakeWritableDirectory(output.parent_path()));
    }
    return std::vector<fs::path>{output};
  }
  CONTINUO_TRY(continuo::MakeWritableDirectory(output));
  // Files of one name from several folders would overwrite each other.
  std::vector<fs::path> outputs;
  for (const fs::path& file : files) {
    fs::path audio = output / file.stem();
    audio += continuo::Extension(format);
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == audio) {
        return continuo::MakeError("{} and {}: would both be written to {}", files[i].string(), file.string(),
                                   audio.string());
      }
    }
    outputs.push_back(std::move(audio));
  }
  return outputs;
}

Status Run(const RenderFlags& flags, const continuo::AppContext& context) {
  continuo::RenderOptions options;
  std::string format = flags.format.empty() ? "wav" : flags.format;
  if (IsAudioFile(flags.output)) {
    format = fs::path(flags.output).extension().string().substr(1);
    if (!flags.format.empty() && flags.format != format) {
      return continuo::MakeError("{}: is a {} file by its name, but --format is {}", flags.output, format,
                                 flags.format);
    }
  }
  options.format = format == "flac" ? AudioFormat::kFlac : AudioFormat::kWav;
  options.soundfont = flags.soundfont;
  if (options.soundfont.empty()) {
    CONTINUO_ASSIGN(options.soundfont, continuo::FindSoundfont());
  }
  CONTINUO_TRY(continuo::CheckSoundfont(options.soundfont));
  CONTINUO_ASSIGN(const std::vector<fs::path> files, continuo::MidiFilesIn(flags.paths, context));
  CONTINUO_ASSIGN(const std::vector<fs::path> outputs, Outputs(flags, files, options.format));

  std::vector<std::optional<Result<continuo::RenderedAudio>>> results(files.size());
  {
    continuo::TerminalProgress progress("files", context.quiet);
    const continuo::StopToken stop = continuo::SignalStop();
    continuo::ThreadPool pool(continuo::ThreadCount(flags.threads));
    std::atomic<uint64_t> done{0};
    pool.ForEach(files.size(), [&](size_t index, size_t) {
      if (stop.stop_requested()) {
        return;
      }
      const Result<std::vector<uint8_t>> midi = continuo::ReadFile(files[index]);
      results[index] = midi.ok() ? continuo::RenderMidi(*midi, files[index].string(), outputs[index], options,
                                                        continuo::NoProgress(), stop)
                                 : Result<continuo::RenderedAudio>(midi.error());
      progress.Update(++done, files.size(), "");
    });
  }
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  size_t failed = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!results[i]) {
      continue;  // interrupted before it began
    }
    if (!results[i]->ok()) {
      continuo::PrintError(results[i]->error());
      ++failed;
      continue;
    }
    const continuo::RenderedAudio& audio = **results[i];
    rows.push_back({{"file", files[i].string()},
                    {"audio", outputs[i].string()},
                    {"seconds", audio.seconds},
                    {"gain", audio.gain},
                    {"repairs", audio.repairs}});
    continuo::PrintRepairs(context, audio.repairs);
    if (!context.json) {
      CONTINUO_TRY(
          continuo::PrintLine(fmt::format("{}: {}", outputs[i].string(), continuo::FormatDuration(audio.seconds))));
    }
  }
  if (context.json) {
    CONTINUO_TRY(continuo::PrintJson({{"soundfont", options.soundfont.string()}, {"files", rows}}));
  }
  if (failed > 0) {
    return continuo::MakeError("{} of {} files could not be rendered", failed, files.size());
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  continuo::AppContext context;
  RenderFlags flags;
  CLI::App app("Turn MIDI files into audio, through FluidSynth and a soundfont.", "continuo render");
  app.add_option("files", flags.paths, "MIDI files, or folders of them")->required();
  app.add_option("-o,--output", flags.output,
                 "the folder to write the audio files to; of one file also its name, .wav or .flac")
      ->required();
  app.add_option("--soundfont", flags.soundfont, "an .sf2 or .sf3 file; one of the system's if left out");
  app.add_option("--format", flags.format, "wav or flac; default: by the output's name, else wav")
      ->check(CLI::IsMember({"wav", "flac"}));
  app.add_option("--threads", flags.threads, "files rendered at a time; 0: one for each core")->capture_default_str();
  app.add_flag("--json", context.json, "machine-readable output");
  app.add_flag("-q,--quiet", context.quiet, "no progress");
  app.footer(
      "Example:\n  continuo render out/new -o out/audio --format flac\n"
      "  continuo render song.mid -o song.flac");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  continuo::CatchInterrupts();
  const Status status = Run(flags, context);
  if (!status.ok()) {
    continuo::PrintError(status.error());
  }
  const int signal = continuo::InterruptSignal();
  return signal != 0 ? 128 + signal : status.ok() ? 0 : 1;
}
