// Measures what it takes to find the ids of a trained vocabulary that may come next, as Generate
// does before each id: with the grammar, the guard against crowded bars and that against doubled
// pitches.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "continuo/compose/crowded_bar.h"
#include "continuo/compose/id_mask.h"
#include "continuo/compose/pitch_constraint.h"
#include "continuo/score/score_file.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

using Clock = std::chrono::steady_clock;

int Run(const std::string& spec, const std::vector<std::string>& files) {
  const auto tokenizer = Tokenizer::LoadPlainOrTrained(spec);
  if (!tokenizer.ok() || (*tokenizer)->trained() == nullptr) {
    std::fprintf(stderr, "%s: %s\n", spec.c_str(),
                 tokenizer.ok() ? "is not trained" : tokenizer.error().ToString().c_str());
    return 1;
  }
  IdMask mask(**tokenizer);
  std::vector<uint8_t> allowed((*tokenizer)->model_size());
  std::vector<double> first;  // microseconds of the first song's masks, in which nothing is known yet
  std::vector<double> later;
  size_t forbidden = 0;
  for (const std::string& file : files) {
    const auto score = ReadScore(file);
    if (!score.ok()) {
      continue;
    }
    for (const std::vector<TokenId>& ids : (*tokenizer)->EncodeForModel(*score)) {
      ConstraintList list((*tokenizer)->NewGrammar());
      list.Add(CrowdedBarConstraint((*tokenizer)->vocabulary()));
      list.Add(PitchConstraint(**tokenizer));
      std::vector<double>& times = first.empty() ? first : later;
      bool follows = true;
      for (size_t i = 0; i < ids.size() && follows; ++i) {
        const auto begin = Clock::now();
        mask.Restrict(list, {}, false, allowed);
        times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
        forbidden += allowed[static_cast<size_t>(ids[i])] == 0 ? 1 : 0;
        for (const TokenId token : (*tokenizer)->FromModelIds(std::span(&ids[i], 1))) {
          const size_t bars = std::max<size_t>(list.bars(), 1);
          follows = follows && list.Advance(token);
          if (list.bars() > bars) {
            list.BeginBar(list.bars() - 1);
          }
        }
      }
    }
  }
  const auto print = [](const char* name, std::vector<double>& times) {
    if (times.empty()) {
      return;
    }
    double sum = 0;
    for (const double time : times) {
      sum += time;
    }
    std::sort(times.begin(), times.end());
    std::printf("%-28s %8zu masks, mean %8.1f us, median %8.1f us, 99 %% below %8.1f us\n", name, times.size(),
                sum / static_cast<double>(times.size()), times[times.size() / 2], times[times.size() * 99 / 100]);
  };
  std::printf("%s: %zu ids; %zu ids of the songs were forbidden\n", spec.c_str(), allowed.size(), forbidden);
  print("the first song", first);
  print("later songs", later);
  return 0;
}

}  // namespace
}  // namespace continuo

int main(int argc, char** argv) {
  CLI::App app("Measures the masks of a trained vocabulary on the ids of songs.");
  std::string tokenizer;
  std::vector<std::string> files;
  app.add_option("tokenizer", tokenizer, "a trained tokenizer.json")->required();
  app.add_option("files", files, "MIDI files")->required();
  CLI11_PARSE(app, argc, argv);
  return continuo::Run(tokenizer, files);
}
