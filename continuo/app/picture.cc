#include <charconv>
#include <memory>

#include "continuo/app/command.h"
#include "continuo/os/file.h"
#include "continuo/picture/piano_roll_svg.h"
#include "continuo/score/bars.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct PictureFlags {
  std::string file;
  std::string output;
  std::string form = "auto";
  std::string bars;
  PianoRollOptions options;
};

/// "9-16": the bars 9 to 16, as indices [8, 16).
Status ParseBars(const std::string& text, PianoRollOptions& options) {
  size_t first = 0;
  size_t last = 0;
  const char* end = text.data() + text.size();
  const auto [dash, first_error] = std::from_chars(text.data(), end, first);
  if (first_error == std::errc() && dash != end && *dash == '-') {
    const auto [rest, last_error] = std::from_chars(dash + 1, end, last);
    if (last_error == std::errc() && rest == end && first >= 1 && first <= last) {
      options.first_bar = first - 1;
      options.last_bar = last;
      return {};
    }
  }
  return MakeError("--bars is '{}', expected the first and the last bar to draw, like 9-16", text);
}

Status RunPicture(const PictureFlags& flags, const AppContext& context) {
  PianoRollOptions options = flags.options;
  if (!flags.bars.empty()) {
    CONTINUO_TRY(ParseBars(flags.bars, options));
  }
  CONTINUO_ASSIGN(const ScoreAndWarnings read, ReadScoreAndWarnings(flags.file));
  PrintRepairs(context, read.warnings);
  const Score& score = read.score;
  const size_t bars = CountBars(score);
  if (flags.form == "auto") {
    options.sections = FindSections(score);
  } else if (flags.form != "none") {
    CONTINUO_ASSIGN(options.sections, ParseSections(flags.form, bars));
  }
  size_t notes = 0;
  for (const Track& track : score.tracks) {
    notes += track.notes.size();
  }
  options.label =
      fmt::format("piano roll of {}: {} bars, {} notes", fs::path(flags.file).filename().string(), bars, notes);
  CONTINUO_ASSIGN(const std::string svg, DrawPianoRoll(score, options));
  CONTINUO_TRY(WriteFileAtomically(flags.output, svg + "\n"));
  if (context.json) {
    auto sections = nlohmann::ordered_json::array();
    for (const Section& section : options.sections) {
      sections.push_back({{"name", section.name}, {"first_bar", section.first + 1}, {"last_bar", section.last}});
    }
    return PrintJson({{"output", flags.output},
                      {"bars", bars},
                      {"notes", notes},
                      {"sections", std::move(sections)},
                      {"repairs", read.warnings}});
  }
  return PrintLine(fmt::format("{}: {} bars, {} notes", flags.output, bars, notes));
}

}  // namespace

void AddPictureCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("picture", "Draw a MIDI file as a piano roll (SVG)");
  command->footer(
      "Colours are tracks, shades velocities. Browsers open the file, on light and on dark pages.\n\n"
      "Examples:\n"
      "  continuo picture song.mid -o song.svg\n"
      "  continuo picture song.mid --form \"A8 B8 A8 C8\" --bars 9-24 --pedals -o song.svg");
  auto flags = std::make_shared<PictureFlags>();
  command->add_option("file", flags->file, "the MIDI file")->required();
  command->add_option("-o,--output", flags->output, "the SVG file to write")->required();
  command
      ->add_option(
          "--form", flags->form,
          "names above the bars: \"A8 B8 A8\" (letters with bar counts); auto finds what returns, four bars at "
          "a time; none")
      ->capture_default_str();
  command->add_option("--bars", flags->bars, "the first and the last bar to draw: 9-16; default: all");
  command->add_option("--width", flags->options.width, "of the picture, in pixels")
      ->check(CLI::Range(PianoRollOptions::kLeastWidth, PianoRollOptions::kLargestWidth))
      ->capture_default_str();
  command->add_option("--height", flags->options.height, "of the picture, in pixels")
      ->check(CLI::Range(PianoRollOptions::kLeastHeight, PianoRollOptions::kLargestHeight))
      ->capture_default_str();
  command->add_flag("--pedals", flags->options.pedals, "show below where the sustain pedal is down");
  command->callback([flags, &context] { context.run = [flags, &context] { return RunPicture(*flags, context); }; });
}

}  // namespace continuo
