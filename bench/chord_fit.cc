// How much of the music lies in its chords: the share of the notes' sounding time that belongs to
// the chord in force, in the mean over files.
//
//   chord_fit --chords "C | Am | F | G7" out/new      chords that were asked for, bars of four quarters
//   chord_fit --own songs                             each file's own: its markers, or what the recogniser hears

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <vector>

#include "continuo/compose/chord_constraint.h"
#include "continuo/score/chord.h"
#include "continuo/score/chord_recogniser.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

std::array<bool, 12> PitchClasses(const Chord& chord) {
  std::array<bool, 12> classes{};
  for (const int8_t interval : kChordQualities[chord.quality].intervals) {
    if (interval >= 0) {
      classes[static_cast<size_t>(chord.root + interval) % 12] = true;
    }
  }
  return classes;
}

/// NaN where no note sounds under a chord.
double ShareInChords(const Score& score, const std::vector<ChordChange>& chords) {
  double inside = 0.0;
  double all = 0.0;
  for (size_t i = 0; i < chords.size(); ++i) {
    if (chords[i].chord.none()) {
      continue;
    }
    const std::array<bool, 12> classes = PitchClasses(chords[i].chord);
    const double begin = static_cast<double>(chords[i].time);
    const double end = i + 1 < chords.size() ? static_cast<double>(chords[i + 1].time) : INFINITY;
    for (const Track& track : score.tracks) {
      for (const Note& note : track.notes) {
        const auto first = static_cast<double>(note.time);
        const double sounding = std::min(end, first + static_cast<double>(note.duration)) - std::max(begin, first);
        if (sounding > 0 && !track.is_drum) {
          all += sounding;
          inside += classes[note.pitch % 12] ? sounding : 0.0;
        }
      }
    }
  }
  return inside / all;
}

std::vector<ChordChange> AskedChords(const std::vector<std::vector<Chord>>& bars, const Score& score) {
  Tick end = 0;
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      end = std::max(end, note.time + note.duration);
    }
  }
  const Tick bar_ticks = Tick{4} * score.ticks_per_quarter;
  std::vector<ChordChange> chords;
  for (Tick bar = 0; bar * bar_ticks < end; ++bar) {
    const std::vector<Chord>& of_bar = bars[static_cast<size_t>(bar) % bars.size()];
    for (size_t i = 0; i < of_bar.size(); ++i) {
      chords.push_back(
          {bar * bar_ticks + bar_ticks * static_cast<Tick>(i) / static_cast<Tick>(of_bar.size()), of_bar[i]});
    }
  }
  return chords;
}

int Run(const std::vector<std::string>& paths, const std::string& plan_text) {
  std::vector<std::vector<Chord>> plan;
  if (!plan_text.empty()) {
    const auto parsed = ParseChordProgression(plan_text);
    if (!parsed.ok()) {
      fmt::print(stderr, "chord_fit: {}\n", parsed.error().message);
      return 1;
    }
    plan = *parsed;
  }
  std::vector<fs::path> files;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) {
      files.emplace_back(path);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.path().extension() == ".mid") {
        files.push_back(entry.path());
      }
    }
  }
  double sum = 0.0;
  double squares = 0.0;
  size_t count = 0;
  for (const fs::path& file : files) {
    const auto read = ReadScore(file);
    if (!read.ok()) {
      fmt::print(stderr, "chord_fit: {}\n", read.error().message);
      return 1;
    }
    std::vector<ChordChange> chords;
    if (!plan.empty()) {
      chords = AskedChords(plan, *read);
    } else if (chords = ChordsOfMarkers(*read); chords.empty()) {
      chords = RecogniseChords(*read);
    }
    const double share = ShareInChords(*read, chords);
    if (!std::isnan(share)) {
      sum += share;
      squares += share * share;
      ++count;
    }
  }
  const double mean = sum / static_cast<double>(count);
  fmt::print("{:.1f} % +- {:.1f} of the sounding time lies in the chords ({} files)\n", 100 * mean,
             100 * std::sqrt(squares / static_cast<double>(count) - mean * mean), count);
  return 0;
}

}  // namespace
}  // namespace continuo

int main(int argc, char** argv) {
  std::vector<std::string> paths;
  std::string chords;
  bool own = false;
  CLI::App app("The share of the notes' time that lies in the chords");
  app.add_option("files", paths, "MIDI files, or folders of them")->required();
  CLI::Option* asked = app.add_option("--chords", chords, "bars between strokes, from the start again to the end");
  app.add_flag("--own", own, "each file's own chords: of its markers, or as heard")->excludes(asked);
  CLI11_PARSE(app, argc, argv);
  if (own == !chords.empty()) {
    fmt::print(stderr, "chord_fit: say --chords or --own\n");
    return 2;
  }
  return continuo::Run(paths, chords);
}
