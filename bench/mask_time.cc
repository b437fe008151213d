// Measures what it takes to find the ids of a trained vocabulary that may come next, as Generate
// does before each id: with the grammar, the guard against crowded bars and that against doubled
// pitches. With --walks it also draws ids at random and checks that all of what they say is
// decoded.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "continuo/compose/crowded_bar.h"
#include "continuo/compose/id_mask.h"
#include "continuo/compose/pitch_constraint.h"
#include "continuo/core/rng.h"
#include "continuo/score/score_file.h"
#include "continuo/token/grammar.h"
#include "continuo/token/tokenizer.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {
namespace {

/// Microseconds of this thread's processor time, in which other work on the machine does not show.
double ProcessorMicroseconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

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
        const double begin = ProcessorMicroseconds();
        mask.Restrict(list, {}, false, allowed);
        times.push_back(ProcessorMicroseconds() - begin);
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

size_t NotesOf(const Score& score) {
  size_t notes = 0;
  for (const Track& track : score.tracks) {
    notes += track.notes.size();
  }
  return notes;
}

/// A piece of `bars` bars, drawn id by id from those that may come.
std::vector<TokenId> Walk(const Tokenizer& tokenizer, size_t bars, Rng& rng, IdMask& mask) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  ConstraintList list(tokenizer.NewGrammar({bars}));
  list.Add(CrowdedBarConstraint(vocabulary));
  list.Add(PitchConstraint(tokenizer));
  std::vector<uint8_t> allowed(tokenizer.model_size());
  std::vector<uint8_t> token_allowed(vocabulary.size());
  std::vector<size_t> choices;
  std::vector<TokenId> written;
  const auto take = [&](TokenId token) {
    list.Take(token);
    const bool closes = list.complete() && vocabulary.info(token).type == TokenType::kBar;
    if (token != vocabulary.eos() && !closes) {
      written.push_back(token);
    }
  };
  bool after_mark = false;
  while (!list.complete()) {
    if (!mask.Restrict(list, {}, after_mark, allowed)) {  // no id begins with what may come
      list.Restrict(token_allowed);
      take(static_cast<TokenId>(std::find(token_allowed.begin(), token_allowed.end(), 1) - token_allowed.begin()));
      continue;
    }
    choices.clear();
    for (size_t id = 0; id < allowed.size(); ++id) {
      if (allowed[id] != 0) {
        choices.push_back(id);
      }
    }
    const auto tokens = tokenizer.trained()->Tokens(static_cast<TokenId>(choices[rng.NextBelow(choices.size())]));
    after_mark = tokens.empty();
    for (const TokenId token : tokens) {
      take(token);
    }
  }
  return written;
}

int RunWalks(const std::string& spec, size_t walks) {
  const auto tokenizer = Tokenizer::LoadPlainOrTrained(spec).value();
  IdMask mask(*tokenizer);
  size_t whole = 0;
  size_t notes = 0;
  for (size_t i = 0; i < walks; ++i) {
    Rng rng(1, i);
    const size_t bars = 1 + i % 4;
    const std::vector<TokenId> tokens = Walk(*tokenizer, bars, rng, mask);
    const auto named = static_cast<size_t>(std::count_if(
        tokens.begin(), tokens.end(), [&](TokenId token) { return tokenizer->vocabulary().begins_note(token); }));
    const std::unique_ptr<Grammar> grammar = tokenizer->NewGrammar({bars});
    const bool follows =
        std::all_of(tokens.begin(), tokens.end(), [&](TokenId token) { return grammar->Advance(token); });
    const bool is_whole =
        follows && grammar->bars() == bars && named > 0 && NotesOf(tokenizer->Decode(std::vector(1, tokens))) == named;
    whole += is_whole ? 1 : 0;
    notes += named;
  }
  std::printf("%zu of %zu random walks are decoded whole, %zu notes\n", whole, walks, notes);
  return whole == walks ? 0 : 1;
}

}  // namespace
}  // namespace continuo

int main(int argc, char** argv) {
  CLI::App app("Measures the masks of a trained vocabulary on the ids of songs.");
  std::string tokenizer;
  std::vector<std::string> files;
  app.add_option("tokenizer", tokenizer, "a trained tokenizer.json")->required();
  app.add_option("files", files, "MIDI files")->required();
  size_t walks = 0;
  app.add_option("--walks", walks, "random walks to decode");
  CLI11_PARSE(app, argc, argv);
  const int status = continuo::Run(tokenizer, files);
  return status != 0 || walks == 0 ? status : continuo::RunWalks(tokenizer, walks);
}
