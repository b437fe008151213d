#include <cmath>
#include <filesystem>
#include <vector>

#include "continuo/os/file.h"
#include "continuo/run/run_directory.h"
#include "continuo/run/setting.h"
#include "continuo/text/ngram.h"
#include "continuo/train/program/text_data.h"
#include "continuo/train/program/text_sample.h"
#include "continuo/train/program/train_flags.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

/// The pieces of a resumed run, else new ones from the text to train on, which are the same for the
/// same text.
Result<SubwordTokenizer> PiecesOf(const std::vector<TextDocument>& documents, size_t pieces, bool resume,
                                  const fs::path& run) {
  if (resume) {
    for (const fs::path& checkpoint : Checkpoints(run)) {
      const fs::path saved = checkpoint / "sentencepiece.model";
      const auto model = ReadTextFile(saved);
      auto tokenizer = model.ok() ? SubwordTokenizer::Load(*model, saved.string()) : model.error();
      if (tokenizer.ok() && tokenizer->size() == pieces) {
        return tokenizer;
      }
    }
  }
  std::vector<std::string> lines;
  for (const TextDocument& document : documents) {
    if (!document.valid) {
      lines.insert(lines.end(), document.lines.begin(), document.lines.end());
    }
  }
  return SubwordTokenizer::Train(lines, pieces);
}

/// Adds the perplexity per piece of the validation documents under n-gram models of the training
/// documents, to compare the model's with.
void AddBaselines(const TextData& data, size_t pieces, double model_nll, TrainNotes& notes) {
  const std::vector<std::vector<uint16_t>> train = data.Framed(false);
  const std::vector<std::vector<uint16_t>> valid = data.Framed(true);
  const auto perplexity = [&](size_t order) {
    const NgramModel baseline(train, order, pieces);
    double nll = 0;
    size_t count = 0;
    for (const std::vector<uint16_t>& document : valid) {
      nll += baseline.Nll(document);
      count += document.size() - 1;
    }
    return std::exp(nll / static_cast<double>(count));
  };
  const double model = std::exp(model_nll);
  const double unigram = perplexity(1);
  const double fivegram = perplexity(5);
  notes.values["perplexity"] = {{"model", model}, {"unigram", unigram}, {"5-gram", fivegram}};
  notes.lines.push_back(fmt::format(
      "validation perplexity per piece: {:.1f}; unigram {:.1f}, 5-gram (Kneser-Ney) {:.1f}", model, unigram, fivegram));
}

Status AddSamples(const TrainSettings& settings, size_t count, const SubwordTokenizer& tokenizer, const fs::path& run,
                  TrainNotes& notes) {
  CONTINUO_ASSIGN(const std::vector<std::string> samples, SampleTexts(settings, count, tokenizer, run));
  notes.values["samples"] = samples;
  for (const std::string& text : samples) {
    notes.lines.push_back("--\n" + text);
  }
  return {};
}

}  // namespace

int PretrainCommand(int argc, char** argv) {
  CLI::App app(
      "Trains a GPT-2 and its tokenizer on text. The result is a Hugging Face directory that\n"
      "continuo train --init-from DIR can begin with.",
      "continuo pretrain");
  app.footer("Example:\n  continuo pretrain --text books -o out/text --layers 6 --heads 4 --width 256 --minutes 60");
  TrainSettings settings;
  settings.epochs = 10;  // there is more text than music
  RunOptions options;
  std::vector<fs::path> paths;
  size_t pieces = 16384;
  size_t samples = 3;
  TextCorpusOptions text;
  app.add_option("--text", paths, "files of text, plain or .gz, or folders of .txt and .gz")->required();
  app.add_option("--pieces", pieces, "pieces to learn")
      ->capture_default_str()
      ->check(CLI::Range(SubwordTokenizer::kFewestPieces, SubwordTokenizer::kMostPieces));
  app.add_option("--valid", text.valid_fraction, "share of the documents held out for validation")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.9));
  app.add_option("--samples", samples, "passages to write at the end")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  AddRunFlags(app, options);
  AddSettingFlags(app, settings, TrainSetting::kNotInPretrain);
  if (const auto code = ParseArguments(app, argc, argv)) {
    return *code;
  }
  return RunTraining(settings, options,
                     [&](const TrainSettings& on_device, const fs::path& run, TrainObserver& observer,
                         Communicator& ranks, TrainNotes& notes) -> Result<TrainReport> {
                       CONTINUO_ASSIGN(const std::vector<TextDocument> documents, ReadTextCorpus(paths, text));
                       CONTINUO_ASSIGN(const SubwordTokenizer tokenizer,
                                       PiecesOf(documents, pieces, options.resume, run));
                       CONTINUO_ASSIGN(const TextData data, TextData::Make(documents, tokenizer));
                       CONTINUO_ASSIGN(const TrainReport report,
                                       Train(data.ForTraining(), on_device, run, options.resume, observer, ranks));
                       if (!report.interrupted && ranks.rank() == 0) {
                         if (report.valid_nll > 0) {
                           AddBaselines(data, tokenizer.size(), report.valid_nll, notes);
                         }
                         CONTINUO_TRY(AddSamples(on_device, samples, tokenizer, run, notes));
                       }
                       return report;
                     });
}

}  // namespace continuo
