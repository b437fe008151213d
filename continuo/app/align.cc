#include "continuo/score/align.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <system_error>
#include <variant>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/midi/midi_document.h"
#include "continuo/os/file.h"
#include "continuo/os/signals.h"
#include "continuo/score/midi_files.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct AlignFlags {
  std::vector<std::string> songs;
  std::string beats;
  std::string output;
};

struct AlignJob {
  fs::path song;
  fs::path beats;
  fs::path output;
};

/// Why a song was left out of several.
enum class LeftOut { kNoBeatsFile, kBeats, kSong, kOutput };
constexpr std::array<const char*, 4> kLeftOutCauses = {"no beats file", "beats refused", "song refused", "not written"};

struct AlignFailure {
  LeftOut cause;
  Error error;
};

struct AlignedSong {
  AlignReport report;
  std::vector<std::string> repairs;
};

/// Reads and aligns one song and writes it whole or not at all.
std::variant<AlignedSong, AlignFailure> AlignSong(const AlignJob& job, const AppContext& context) {
  std::error_code code;
  if (!fs::exists(job.beats, code)) {
    return AlignFailure{LeftOut::kNoBeatsFile,
                        MakeError(ErrorCode::kNotFound, "{}: no such file of beats", job.beats.string())};
  }
  Result<BeatList> beats = ReadBeats(job.beats);
  if (!beats.ok()) {
    return AlignFailure{LeftOut::kBeats, beats.error()};
  }
  const Result<std::vector<uint8_t>> bytes = ReadFile(job.song, kLargestDocument);
  if (!bytes.ok()) {
    return AlignFailure{LeftOut::kSong, bytes.error()};
  }
  Defects defects(job.song.string());
  Result<MidiDocument> document = ReadMidiDocument(*bytes, defects);
  if (!document.ok()) {
    return AlignFailure{LeftOut::kSong, document.error()};
  }
  AlignedSong aligned;
  aligned.repairs = defects.TakeMessages();
  PrintRepairs(context, aligned.repairs);
  Result<AlignReport> report = AlignToBeats(*document, *beats, job.song.string());
  if (!report.ok()) {
    return AlignFailure{LeftOut::kSong, report.error()};
  }
  if (const Status status = WriteFileAtomically(job.output, SerializeMidiDocument(*document)); !status.ok()) {
    return AlignFailure{LeftOut::kOutput, status.error()};
  }
  aligned.report = std::move(*report);
  return aligned;
}

/// Refuses to write over what is read.
Status CheckOutputs(const std::vector<AlignJob>& jobs) {
  const auto place = [](const fs::path& path) {
    std::error_code code;
    const fs::path found = fs::weakly_canonical(path, code);
    return code ? fs::absolute(path, code).lexically_normal() : found;
  };
  std::set<fs::path> inputs;
  for (const AlignJob& job : jobs) {
    inputs.insert(place(job.song));
    inputs.insert(place(job.beats));
  }
  std::map<fs::path, const AlignJob*> outputs;
  for (const AlignJob& job : jobs) {
    const fs::path output = place(job.output);
    if (inputs.contains(output)) {
      return Error{fmt::format("{}: is an input and would be overwritten", job.output.string()),
                   "choose another output with -o"};
    }
    if (const auto [other, is_new] = outputs.emplace(output, &job); !is_new) {
      return Error{fmt::format("{} and {} would both be written to {}", other->second->song.string(), job.song.string(),
                               job.output.string()),
                   "align them in two calls"};
    }
  }
  return {};
}

double Share(size_t part, size_t whole) {
  return whole == 0 ? 1.0 : static_cast<double>(part) / static_cast<double>(whole);
}

constexpr double kPercent = 100;
constexpr double kMilliseconds = 1000;

Json ToJson(const AlignJob& job, const AlignedSong& aligned) {
  const AlignReport& report = aligned.report;
  Json signatures = Json::array();
  for (const AlignReport::TimeSignature& signature : report.time_signatures) {
    signatures.push_back({{"bar", signature.bar + 1}, {"numerator", signature.numerator}, {"denominator", 4}});
  }
  return {{"song", job.song.string()},
          {"output", job.output.string()},
          {"beats", report.beats},
          {"bars", report.bars},
          {"time_signatures", std::move(signatures)},
          {"downbeats", report.downbeats},
          {"downbeats_on_bar_lines", report.downbeats_on_lines},
          {"onsets", report.onsets},
          {"onsets_near_sixteenths", report.onsets_near_sixteenths},
          {"slowest_bpm", report.slowest_bpm},
          {"fastest_bpm", report.fastest_bpm},
          {"ticks_per_quarter", report.ticks_per_quarter},
          {"worst_timing_error_ms", report.worst_error * kMilliseconds},
          {"repairs", aligned.repairs}};
}

/// "4/4", or "4/4, then 6/4 at bar 12, 4/4 at bar 13, ...".
std::string SignaturesToText(const std::vector<AlignReport::TimeSignature>& signatures) {
  constexpr size_t kShown = 5;
  std::string text = fmt::format("{}/4", signatures.front().numerator);
  for (size_t i = 1; i < std::min(kShown, signatures.size()); ++i) {
    text += fmt::format("{} {}/4 at bar {}", i == 1 ? ", then" : ",", signatures[i].numerator, signatures[i].bar + 1);
  }
  return signatures.size() > kShown ? text + fmt::format(", {} more", signatures.size() - kShown) : text;
}

Status AlignOne(const AlignJob& job, const AppContext& context) {
  const auto result = AlignSong(job, context);
  if (const auto* failure = std::get_if<AlignFailure>(&result)) {
    return failure->error;
  }
  const auto& aligned = std::get<AlignedSong>(result);
  if (context.json) {
    return PrintJson(ToJson(job, aligned));
  }
  const AlignReport& report = aligned.report;
  return PrintLine(fmt::format(
      "{}: {} on {}; {}; {:.0f} to {:.0f} beats per minute; {:.1f} % of the downbeats on bar lines, {:.1f} % of the "
      "onsets within 1/16 beat of a sixteenth; times kept within {:.2f} ms",
      job.output.string(), FormatCount(report.beats, "beat"), FormatCount(report.bars, "bar"),
      SignaturesToText(report.time_signatures), report.slowest_bpm, report.fastest_bpm,
      kPercent * Share(report.downbeats_on_lines, report.downbeats),
      kPercent * Share(report.onsets_near_sixteenths, report.onsets), report.worst_error * kMilliseconds));
}

/// What was measured over several songs.
struct AlignTotals {
  std::vector<double> near_sixteenths;  // the share of each song
  size_t downbeats = 0;
  size_t downbeats_on_lines = 0;
  double worst_error = 0;
  std::array<size_t, kLeftOutCauses.size()> left_out{};

  double mean() const {
    double sum = 0;
    for (const double share : near_sixteenths) {
      sum += share;
    }
    return sum / static_cast<double>(near_sixteenths.size());
  }
  /// The share that 5 % of the songs do not reach.
  double low() {
    std::sort(near_sixteenths.begin(), near_sixteenths.end());
    return near_sixteenths[near_sixteenths.size() / 20];
  }
  /// "2 no beats file, 1 song refused".
  std::string Causes() const {
    std::string text;
    for (size_t i = 0; i < left_out.size(); ++i) {
      if (left_out[i] > 0) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", left_out[i], kLeftOutCauses[i]);
      }
    }
    return text;
  }
};

Status AlignSeveral(const std::vector<AlignJob>& jobs, const fs::path& folder, const AppContext& context) {
  TerminalProgress progress("songs", context.quiet);
  const StopToken stop = SignalStop();
  AlignTotals totals;
  Json songs = Json::array();
  Json left_out = Json::array();
  size_t done = 0;
  for (; done < jobs.size() && !stop.stop_requested(); ++done) {
    const AlignJob& job = jobs[done];
    progress.Update(done, jobs.size(), "");
    CONTINUO_TRY(MakeWritableDirectory(job.output.parent_path()));
    const auto result = AlignSong(job, context);
    if (const auto* failure = std::get_if<AlignFailure>(&result)) {
      const char* cause = kLeftOutCauses[static_cast<size_t>(failure->cause)];
      ++totals.left_out[static_cast<size_t>(failure->cause)];
      left_out.push_back({{"song", job.song.string()}, {"cause", cause}, {"reason", failure->error.ToString()}});
      PrintError(failure->error);
      continue;
    }
    const auto& song = std::get<AlignedSong>(result);
    const AlignReport& report = song.report;
    totals.near_sixteenths.push_back(Share(report.onsets_near_sixteenths, report.onsets));
    totals.downbeats += report.downbeats;
    totals.downbeats_on_lines += report.downbeats_on_lines;
    totals.worst_error = std::max(totals.worst_error, report.worst_error);
    songs.push_back(ToJson(job, song));
  }
  const size_t aligned = totals.near_sixteenths.size();
  const double on_lines = Share(totals.downbeats_on_lines, totals.downbeats);
  if (context.json) {
    Json json = {{"output", folder.string()}, {"songs", jobs.size()}, {"aligned", aligned}};
    if (aligned > 0) {
      json["onsets_near_sixteenths"] = {{"mean", totals.mean()}, {"lowest_5_percent", totals.low()}};
      json["downbeats_on_bar_lines"] = on_lines;
      json["worst_timing_error_ms"] = totals.worst_error * kMilliseconds;
    }
    json["left_out"] = std::move(left_out);
    json["reports"] = std::move(songs);
    CONTINUO_TRY(PrintJson(json));
  } else if (aligned > 0) {
    CONTINUO_TRY(PrintLine(fmt::format(
        "{}: {} of {} aligned; onsets within 1/16 beat of a sixteenth: {:.1f} % on average, {:.1f} % where the lowest "
        "5 % of the songs end; {:.1f} % of the downbeats on bar lines; times kept within {:.2f} ms",
        folder.string(), aligned, FormatCount(jobs.size(), "song"), kPercent * totals.mean(), kPercent * totals.low(),
        kPercent * on_lines, totals.worst_error * kMilliseconds)));
  }
  if (const size_t count = done - aligned; count > 0) {
    return MakeError("{} of {} left out: {}", count, FormatCount(jobs.size(), "song"), totals.Causes());
  }
  return {};
}

/// The songs of several paths, each with the file of beats beside it. A '*' in `beats` stands for
/// the song's name without its ending.
Result<std::vector<AlignJob>> FindJobs(const AlignFlags& flags, const AppContext& context) {
  if (fs::path(flags.beats).is_absolute()) {
    return Error{fmt::format("--beats is '{}', expected the name of a file that is beside each song", flags.beats),
                 "for example --beats beat_midi.txt, or --beats '*.beats'"};
  }
  std::vector<AlignJob> jobs;
  const auto add = [&](const fs::path& song, const fs::path& name) {
    std::string beats = flags.beats;
    if (const size_t star = beats.find('*'); star != std::string::npos) {
      beats.replace(star, 1, song.stem().string());
    }
    jobs.push_back({song, song.parent_path() / beats, fs::path(flags.output) / name});
  };
  for (const fs::path path : flags.songs) {
    std::error_code code;
    if (!fs::exists(path, code)) {
      return MakeError(ErrorCode::kNotFound, "{}: no such file or folder", path.string());
    }
    if (!fs::is_directory(path, code)) {
      add(path, path.filename());
      continue;
    }
    CONTINUO_ASSIGN(const MidiFileList list, ListMidiFiles(path));
    for (const MidiFileList::Skipped& skipped : list.skipped) {
      PrintNote(context, fmt::format("{}: skipped: {}", (path / skipped.name).string(), skipped.reason));
    }
    if (list.names.empty()) {
      return NoMidiFiles(path);
    }
    for (const std::string& name : list.names) {
      add(path / name, name);
    }
  }
  return jobs;
}

Status RunAlign(const AlignFlags& flags, const AppContext& context) {
  std::error_code code;
  if (flags.songs.size() == 1 && !fs::is_directory(flags.songs.front(), code)) {
    const AlignJob job = {flags.songs.front(), flags.beats, flags.output};
    if (fs::is_directory(job.output, code)) {
      return Error{fmt::format("{}: is a folder, expected the MIDI file to write", job.output.string()),
                   "name a file with -o"};
    }
    CONTINUO_TRY(CheckOutputs({job}));
    return AlignOne(job, context);
  }
  CONTINUO_ASSIGN(const std::vector<AlignJob> jobs, FindJobs(flags, context));
  CONTINUO_TRY(CheckOutputs(jobs));
  return AlignSeveral(jobs, flags.output, context);
}

}  // namespace

void AddAlignCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("align", "Put the beats of a performance on the beats of its notation");
  command->footer(
      "Moves all events so that annotated beats are on quarter notes and downbeats on bar lines, and writes tempos\n"
      "that keep the time of each event. The file of beats has a line per beat: the time in seconds and the number of\n"
      "the beat in its bar, or POP909's three columns. docs/align.md says more.\n\n"
      "Examples:\n"
      "  continuo align song.mid --beats song.beats -o aligned.mid\n"
      "  continuo align POP909 --beats beat_midi.txt -o out/pop909");
  auto flags = std::make_shared<AlignFlags>();
  command->add_option("songs", flags->songs, "a MIDI file; or several, or folders of them")->required();
  command
      ->add_option("--beats", flags->beats,
                   "the file of beats; with several songs its name beside each song, in which * stands for the song's "
                   "name")
      ->required();
  command->add_option("-o,--output", flags->output, "the MIDI file to write; with several songs the folder")
      ->required();
  command->callback([flags, &context] { context.run = [flags, &context] { return RunAlign(*flags, context); }; });
}

}  // namespace continuo
