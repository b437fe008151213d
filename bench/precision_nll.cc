// What fewer bits cost: the negative log-likelihood of a corpus's validation songs, in nats a
// token, under a model in each precision. Each song counts from its beginning (BOS first) up to the
// model's context.
//
//   precision_nll --model models/pop-piano --corpus CORPUS [--songs 92]

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/corpus/blocks.h"
#include "continuo/corpus/corpus.h"
#include "continuo/engine/cpu/cpu_model.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

/// Nats of all tokens after the first of each sequence, and how many those are.
std::pair<double, size_t> Nll(const LanguageModel& model, const std::vector<std::vector<int32_t>>& songs) {
  const auto vocab_size = model.vocab_size();
  const auto session = model.NewSession(songs.size());
  std::vector<float> logits(songs.size() * vocab_size);
  double nats = 0.0;
  size_t count = 0;
  for (size_t at = 0;; ++at) {
    std::vector<DecodingSession::Input> inputs;
    for (size_t song = 0; song < songs.size(); ++song) {
      if (at + 1 < songs[song].size()) {
        inputs.push_back({song, std::span(songs[song]).subspan(at, 1)});
      }
    }
    if (inputs.empty()) {
      return {nats, count};
    }
    session->Append(inputs, std::span(logits).first(inputs.size() * vocab_size));
    for (size_t row = 0; row < inputs.size(); ++row) {
      const float* scores = logits.data() + row * vocab_size;
      const float highest = *std::max_element(scores, scores + vocab_size);
      double sum = 0.0;
      for (size_t id = 0; id < vocab_size; ++id) {
        sum += std::exp(static_cast<double>(scores[id]) - highest);
      }
      nats += highest + std::log(sum) - scores[static_cast<size_t>(songs[inputs[row].slot][at + 1])];
      ++count;
    }
  }
}

int Run(const std::string& model_path, const std::string& corpus_path, size_t limit, size_t threads) {
  const auto directory = ModelDirectory::Open(model_path);
  const auto corpus = Corpus::Open(corpus_path);
  if (!directory.ok() || !corpus.ok()) {
    fmt::print(stderr, "precision_nll: {}\n", directory.ok() ? corpus.error().message : directory.error().message);
    return 1;
  }
  const auto vocabulary = BlockVocabulary::Of(corpus->tokenizer());
  CONTINUO_CHECK(vocabulary.ok());
  std::vector<std::vector<int32_t>> songs;
  for (const BlockSong& song : SongsOf(*corpus, /*valid=*/true)) {
    if (songs.size() < limit) {
      std::vector<int32_t>& ids = songs.emplace_back(1, vocabulary->bos);
      const size_t count = std::min(song.ids.size(), static_cast<size_t>(directory->config().context_length));
      ids.insert(ids.end(), song.ids.begin(), song.ids.begin() + static_cast<std::ptrdiff_t>(count));
    }
  }
  double exact = 0.0;
  for (const NumberFormat precision : {NumberFormat::kF32, NumberFormat::kBf16, NumberFormat::kInt8}) {
    const auto model = LoadCpuModel(*directory, {threads, precision});
    CONTINUO_CHECK(model.ok());
    const auto [nats, count] = Nll(**model, songs);
    const double mean = nats / static_cast<double>(count);
    if (precision == NumberFormat::kF32) {
      exact = mean;
    }
    fmt::print("{:4}  {:.6f} nats a token, {:+.4f} %  ({} tokens of {} songs)\n", ToString(precision), mean,
               100.0 * (mean / exact - 1.0), count, songs.size());
  }
  return 0;
}

}  // namespace
}  // namespace continuo

int main(int argc, char** argv) {
  std::string model;
  std::string corpus;
  size_t songs = 1000000;
  size_t threads = 0;
  CLI::App app("What fewer bits cost in nats a token");
  app.add_option("--model", model)->required();
  app.add_option("--corpus", corpus)->required();
  app.add_option("--songs", songs, "at most N validation songs");
  app.add_option("--threads", threads);
  CLI11_PARSE(app, argc, argv);
  return continuo::Run(model, corpus, songs, threads);
}
