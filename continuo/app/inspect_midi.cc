#include "continuo/app/inspect_midi.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "continuo/app/piano_roll.h"
#include "continuo/app/score_json.h"
#include "continuo/app/terminal.h"
#include "continuo/metrics/description.h"
#include "continuo/metrics/metrics.h"
#include "continuo/os/console.h"
#include "continuo/os/file.h"
#include "continuo/score/bars.h"
#include "continuo/score/chord_recogniser.h"
#include "continuo/score/excerpt.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kBarsShown = 16;  // as chords and in the piano roll
constexpr size_t kSignatures = 8;
constexpr size_t kRollRows = 14;

/// Seconds from the start of a score to a tick, through its tempo map.
double SecondsAt(const Score& score, Tick end) {
  double seconds = 0.0;
  Tick at = 0;
  double us_per_quarter = Tempo().us_per_quarter;
  const auto pass = [&](Tick to) {
    seconds += static_cast<double>(to - at) * us_per_quarter / 1e6 / std::max(1, score.ticks_per_quarter);
    at = to;
  };
  for (const Tempo& tempo : score.tempos) {
    if (tempo.time >= end) {
      break;
    }
    pass(std::max(at, tempo.time));
    us_per_quarter = tempo.us_per_quarter;
  }
  pass(std::max(at, end));
  return seconds;
}

/// What is said of a score beside its events.
struct PieceSummary {
  Tick end = 0;
  size_t notes = 0;
  double seconds = 0;
  size_t bars = 0;
  double slowest = 120;  // quarters per minute
  double fastest = 120;
  Key key;
  bool chords_from_markers = false;
  std::vector<ChordChange> chords;
};

PieceSummary Summarize(const Score& score) {
  PieceSummary summary;
  for (const Track& track : score.tracks) {
    summary.notes += track.notes.size();
    for (const Note& note : track.notes) {
      const int64_t end = std::min<int64_t>(int64_t{note.time} + note.duration, INT32_MAX);
      summary.end = std::max(summary.end, static_cast<Tick>(end));
    }
  }
  summary.seconds = SecondsAt(score, summary.end);
  summary.bars = CountBars(score);
  if (!score.tempos.empty()) {
    const auto [fast, slow] =
        std::minmax_element(score.tempos.begin(), score.tempos.end(),
                            [](const Tempo& a, const Tempo& b) { return a.us_per_quarter < b.us_per_quarter; });
    summary.slowest = slow->qpm();
    summary.fastest = fast->qpm();
  }
  summary.key = Describe(score).key;
  summary.chords = ChordsOfMarkers(score);
  summary.chords_from_markers = !summary.chords.empty();
  if (!summary.chords_from_markers) {
    summary.chords = RecogniseChords(score);
  }
  return summary;
}

Json ToJson(const std::string& path, const ScoreAndWarnings& parsed, const PieceSummary& summary) {
  Json chords = Json::array();
  for (const ChordChange& change : summary.chords) {
    chords.push_back(Json::array({change.time, change.chord.Text()}));
  }
  Json key;
  if (!std::isnan(summary.key.correlation)) {
    key = {{"name", summary.key.Name()}, {"correlation", summary.key.correlation}};
  }
  return {
      {"file", path},
      {"seconds", summary.seconds},
      {"bars", summary.bars},
      {"notes", summary.notes},
      {"tempo_range", {summary.slowest, summary.fastest}},
      {"key", std::move(key)},
      {"chords", {{"source", summary.chords_from_markers ? "markers" : "recognised"}, {"changes", std::move(chords)}}},
      {"score", ScoreToJson(parsed.score)},
      {"warnings", parsed.warnings}};
}

std::string TimeSignatures(const Score& score) {
  std::string text;
  std::set<std::pair<int, int>> seen;
  for (const TimeSignature& signature : score.time_signatures) {
    if (seen.emplace(signature.numerator, signature.denominator).second && seen.size() <= kSignatures) {
      text += fmt::format("{}{}/{}", text.empty() ? "" : ", ", signature.numerator, signature.denominator);
    }
  }
  return text.empty() ? "none given (4/4)" : seen.size() > kSignatures ? text + ", ..." : text;
}

/// The chords of the first bars: "C_M | A_m F_M | % | ...". A bar in which none changes is "%".
std::string ChordsByBar(const Score& score, const PieceSummary& summary) {
  const BarGrid grid(score);
  const size_t bars = std::min(summary.bars, kBarsShown);
  std::string text;
  size_t next = 0;
  for (size_t bar = 0; bar < bars; ++bar) {
    std::string here;
    for (; next < summary.chords.size() && grid.BarAt(std::max(0, summary.chords[next].time)) <= bar; ++next) {
      here += here.empty() ? "" : " ";
      here += summary.chords[next].chord.Text();
    }
    text += bar == 0 ? "" : " | ";
    text += here.empty() ? "%" : here;
  }
  return bars < summary.bars ? text + " | ..." : text;
}

Status PrintTracks(const Score& score) {
  for (size_t i = 0; i < score.tracks.size(); ++i) {
    const Track& track = score.tracks[i];
    std::string range = "none";
    if (!track.notes.empty()) {
      const auto [low, high] = std::minmax_element(track.notes.begin(), track.notes.end(),
                                                   [](const Note& a, const Note& b) { return a.pitch < b.pitch; });
      range = fmt::format("{} to {}", PitchName(low->pitch), PitchName(high->pitch));
    }
    CONTINUO_TRY(PrintLine(fmt::format("  track {:<10} {}, {}{} notes, {}, {} controllers", i + 1,
                                       track.is_drum ? "drums" : fmt::format("program {}", track.program),
                                       track.name.empty() ? "" : "'" + track.name + "', ", track.notes.size(), range,
                                       track.controls.size())));
  }
  return {};
}

size_t RollColumns() {
  const size_t columns = OutputColumns();
  return std::clamp<size_t>(columns > 0 ? columns : 80, 40, 160);
}

std::string Tempos(const Score& score, const PieceSummary& summary) {
  if (score.tempos.empty()) {
    return "none given (120 qpm)";
  }
  if (score.tempos.size() == 1) {
    return fmt::format("{:.1f} qpm", summary.slowest);
  }
  return fmt::format("{:.1f} to {:.1f} qpm, {} tempos", summary.slowest, summary.fastest, score.tempos.size());
}

}  // namespace

Status InspectMidi(const std::string& path, const InspectMidiFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const std::vector<uint8_t> bytes, ReadFile(path));
  CONTINUO_ASSIGN(const ScoreAndWarnings parsed, ParseScore(bytes, path, {.strict = flags.strict}));
  const Score& score = parsed.score;
  const PieceSummary summary = Summarize(score);
  if (context.json) {
    return PrintJson(ToJson(path, parsed, summary));
  }
  CONTINUO_TRY(PrintLine(path));
  CONTINUO_TRY(PrintLine(
      fmt::format("  length           {}, {}", FormatDuration(summary.seconds), FormatCount(summary.bars, "bar"))));
  CONTINUO_TRY(PrintLine(fmt::format("  resolution       {} ticks a quarter note", score.ticks_per_quarter)));
  CONTINUO_TRY(PrintLine("  tempo            " + Tempos(score, summary)));
  CONTINUO_TRY(PrintLine("  time signatures  " + TimeSignatures(score)));
  if (!std::isnan(summary.key.correlation)) {
    CONTINUO_TRY(PrintLine(fmt::format("  key              {}, likely (correlation {:.2f})", summary.key.Name(),
                                       summary.key.correlation)));
  }
  if (!summary.chords.empty()) {
    CONTINUO_TRY(PrintLine(fmt::format("  chords           {}, {}",
                                       summary.chords_from_markers ? "named by markers" : "recognised",
                                       FormatCount(summary.chords.size(), "change"))));
    CONTINUO_TRY(PrintLine("                   " + ChordsByBar(score, summary)));
  }
  const Metrics metrics = MeasureBars(score);
  CONTINUO_TRY(
      PrintLine(fmt::format("  metrics          H1 {}  H4 {}  GS {}  CPI {}", FormatNumber(metrics.h1, 3),
                            FormatNumber(metrics.h4, 3), FormatNumber(metrics.gs, 3), FormatNumber(metrics.cpi, 3))));
  CONTINUO_TRY(
      PrintLine(fmt::format("  notes            {} in {}", summary.notes, FormatCount(score.tracks.size(), "track"))));
  CONTINUO_TRY(PrintTracks(score));
  for (const std::string& warning : parsed.warnings) {
    CONTINUO_TRY(PrintLine("  warning          " + warning));
  }
  if (flags.roll || OutputIsTerminal()) {
    for (const std::string& line : DrawPianoRoll(ExcerptBars(score, 0, kBarsShown), RollColumns(), kRollRows)) {
      CONTINUO_TRY(PrintLine(line));
    }
  }
  return {};
}

}  // namespace continuo
