#include "continuo/run/setting.h"
#include "continuo/train/program/train_flags.h"

namespace continuo {

int TrainCommand(int argc, char** argv) {
  CLI::App app("Trains a model on a corpus.", "continuo train");
  app.footer("Example:\n  continuo train --corpus out/corpus -o out/run --layers 6 --heads 4 --width 256 --minutes 60");
  TrainSettings settings;
  RunOptions options;
  std::string corpus_directory;
  app.add_option("--corpus", corpus_directory, "a corpus directory (continuo corpus build)")->required();
  AddRunFlags(app, options);
  AddSettingFlags(app, settings, TrainSetting::kEverywhere);
  if (const auto code = ParseArguments(app, argc, argv)) {
    return *code;
  }
  return RunTraining(settings, options,
                     [&](const TrainSettings& on_device, const std::filesystem::path& run, TrainObserver& observer,
                         Communicator& ranks, TrainNotes& /*notes*/) -> Result<TrainReport> {
                       CONTINUO_ASSIGN(const Corpus corpus, Corpus::Open(corpus_directory));
                       CONTINUO_ASSIGN(const TrainData data, MusicData(corpus, on_device));
                       return Train(data, on_device, run, options.resume, observer, ranks);
                     });
}

}  // namespace continuo
