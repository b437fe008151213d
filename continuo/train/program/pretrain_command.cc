#include <cmath>
#include <filesystem>
#include <vector>

#include "continuo/os/file.h"
#include "continuo/text/ngram.h"
#include "continuo/train/checkpoint.h"
#include "continuo/train/program/text_data.h"
#include "continuo/train/program/text_sample.h"
#include "continuo/train/program/train_flags.h"
#include "continuo/run/run_directory.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

/// The run's own pieces where it goes on, else new ones from the text to train on, which are the same for the same
/// text.
Result<PieceTokenizer> PiecesOf(const std::vector<TextDocument>& documents, size_t pieces, bool resume,
                                const fs::path& run) {
  if (resume) {
    for (const fs::path& checkpoint : Checkpoints(run)) {
      const fs::path saved = checkpoint / "sentencepiece.model";
      const auto model = ReadTextFile(saved);
      auto tokenizer = model.ok() ? PieceTokenizer::Load(*model, saved.string()) : model.error();
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
  return PieceTokenizer::Train(lines, pieces);
}

/// The validation documents' perplexity a piece under n-gram models of the training documents, for the model's to be
/// held against.
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
  notes.lines.push_back(fmt::format("validation perplexity a piece: {:.1f}; unigram {:.1f}, 5-gram (Kneser-Ney) {:.1f}",
                                    model, unigram, fivegram));
}

Status AddSamples(const TrainOptions& options, size_t count, const PieceTokenizer& tokenizer, const fs::path& directory,
                  TrainNotes& notes) {
  Gpt2Config config = options.model;
  config.vocab_size = static_cast<int64_t>(tokenizer.size());
  Gpt2 model(config, options.precision, options.seed, LayersFor(options.device));
  CONTINUO_ASSIGN(const std::string taken, LoadWeights(directory, "", options.seed, model));
  notes.values["samples"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < count; ++i) {
    const std::string text = SampleText(model, tokenizer, options.seed, i, {});
    notes.values["samples"].push_back(text);
    notes.lines.push_back("--\n" + text);
  }
  return {};
}

}  // namespace

int PretrainCommand(int argc, char** argv) {
  CLI::App app(
      "Trains a GPT-2 on text, and the pieces that it reads the text in: a Hugging Face directory that\n"
      "continuo train --init-from DIR begins with.",
      "continuo pretrain");
  app.footer("Example:\n  continuo pretrain --text books -o out/text --layers 6 --heads 4 --width 256 --minutes 60");
  TrainFlags flags;
  flags.options.epochs = 10;
  std::vector<fs::path> paths;
  size_t pieces = 16384;
  size_t samples = 3;
  TextCorpusOptions text;
  app.add_option("--text", paths, "files of text, plain or .gz, or folders of .txt and .gz")->required();
  app.add_option("--pieces", pieces, "pieces to learn")
      ->capture_default_str()
      ->check(CLI::Range(PieceTokenizer::kFewestPieces, PieceTokenizer::kMostPieces));
  app.add_option("--valid", text.valid_fraction, "share of the documents held out for validation")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 0.9));
  app.add_option("--samples", samples, "passages to write at the end")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  AddTrainFlags(app, flags);
  if (const auto code = ParseArguments(app, argc, argv)) {
    return *code;
  }
  return RunTraining(flags,
                     [&](const TrainOptions& options, const fs::path& run, TrainObserver& observer, Communicator& ranks,
                         TrainNotes& notes) -> Result<TrainReport> {
                       CONTINUO_ASSIGN(const std::vector<TextDocument> documents, ReadTextCorpus(paths, text));
                       CONTINUO_ASSIGN(const PieceTokenizer tokenizer, PiecesOf(documents, pieces, flags.resume, run));
                       CONTINUO_ASSIGN(const TextData data, TextData::Make(documents, tokenizer));
                       CONTINUO_ASSIGN(const TrainReport report,
                                       Train(data.ForTraining(), options, run, flags.resume, observer, ranks));
                       if (!report.interrupted && ranks.rank() == 0) {
                         if (report.valid_nll > 0) {
                           AddBaselines(data, tokenizer.size(), report.valid_nll, notes);
                         }
                         CONTINUO_TRY(AddSamples(options, samples, tokenizer, run / "final", notes));
                       }
                       return report;
                     });
}

}  // namespace continuo
