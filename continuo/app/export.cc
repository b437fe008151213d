#include <memory>

#include "continuo/app/command.h"
#include "continuo/notation/musicxml_writer.h"
#include "continuo/os/file.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct ExportFlags {
  std::string file;
  std::string output;
  std::string title;
  bool has_title = false;
  int32_t smallest_note = 32;
  bool dynamics = false;
  bool no_chords = false;
  bool no_triplets = false;
};

Status RunExport(const ExportFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const ScoreAndWarnings read, ReadScoreAndWarnings(flags.file));
  PrintRepairs(context, read.warnings);
  NotationOptions options;
  options.title = flags.has_title ? flags.title : fs::path(flags.file).stem().string();
  options.smallest_note = flags.smallest_note;
  options.dynamics = flags.dynamics;
  options.chords = !flags.no_chords;
  options.triplets = !flags.no_triplets;
  CONTINUO_ASSIGN(const Sheet sheet, Engrave(read.score, options, flags.file));
  CONTINUO_TRY(WriteFileAtomically(flags.output, WriteMusicXml(sheet)));
  if (context.json) {
    return PrintJson({{"output", flags.output},
                      {"bars", sheet.bars.size()},
                      {"parts", sheet.parts.size()},
                      {"repairs", read.warnings}});
  }
  return PrintLine(fmt::format("{}: {} bars, {} {}", flags.output, sheet.bars.size(), sheet.parts.size(),
                               sheet.parts.size() == 1 ? "part" : "parts"));
}

}  // namespace

void AddExportCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("export", "Write a MIDI file as sheet music (MusicXML)");
  command->footer(
      "A piano has two staves of at most two voices each. MuseScore and other notation programs\n"
      "open the file.\n\n"
      "Example:\n"
      "  continuo export song.mid -o song.musicxml --title \"My song\"");
  auto flags = std::make_shared<ExportFlags>();
  command->add_option("file", flags->file, "the MIDI file")->required();
  command->add_option("-o,--output", flags->output, "the MusicXML file to write")->required();
  CLI::Option* title = command->add_option("--title", flags->title, "default: the name of the file");
  command
      ->add_option("--smallest-note", flags->smallest_note,
                   "notes begin and end on sixteenths (16), 32nds or 64ths; triplets are found besides")
      ->check(CLI::IsMember({16, 32, 64}))
      ->capture_default_str();
  command->add_flag("--dynamics", flags->dynamics, "write dynamic marks, from velocities");
  command->add_flag("--no-chords", flags->no_chords, "no chord names above the staff");
  command->add_flag("--no-triplets", flags->no_triplets, "do not look for triplets");
  command->callback([flags, title, &context] {
    flags->has_title = title->count() > 0;
    context.run = [flags, &context] { return RunExport(*flags, context); };
  });
}

}  // namespace continuo
