#include "continuo/train/program/train_flags.h"

namespace continuo {

int TrainCommand(int argc, char** argv) {
  CLI::App app("Trains a GPT-2 on a corpus.", "continuo train");
  app.footer("Example:\n  continuo train --corpus out/corpus -o out/run --layers 6 --heads 4 --width 256 --minutes 60");
  TrainFlags flags;
  std::string corpus_directory;
  app.add_option("--corpus", corpus_directory, "a corpus directory (continuo corpus build)")->required();
  AddTrainFlags(app, flags);
  app.add_option("--init-from", flags.options.init_from,
                 "a model directory of the same shape to begin with: of this vocabulary, or of text")
      ->group("Model");
  const auto augmentation = [&](const char* name, bool& value, const char* help) {
    app.add_flag(name, value, help)->group("Batches");
  };
  augmentation("--augment-transpose", flags.options.augment_transpose,
               "move each song by -5 to +6 semitones, anew each epoch");
  augmentation("--augment-velocity", flags.options.augment_velocity,
               "make each song louder or softer, by up to 12 of 127");
  augmentation("--augment-tempo", flags.options.augment_tempo, "make each song faster or slower, by up to 12 %");
  if (const auto code = ParseArguments(app, argc, argv)) {
    return *code;
  }
  return RunTraining(flags,
                     [&](const TrainOptions& options, const std::filesystem::path& run, TrainObserver& observer,
                         Communicator& ranks, TrainNotes& /*notes*/) -> Result<TrainReport> {
                       CONTINUO_ASSIGN(const Corpus corpus, Corpus::Open(corpus_directory));
                       CONTINUO_ASSIGN(const TrainData data, MusicData(corpus));
                       return Train(data, options, run, flags.resume, observer, ranks);
                     });
}

}  // namespace continuo
