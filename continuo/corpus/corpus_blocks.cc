#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "continuo/corpus/blocks.h"
#include "continuo/corpus/corpus.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {
namespace {

/// The ids of a type, with the value that each stands for.
std::vector<std::pair<TokenId, double>> Values(const IdRange& ids, auto value) {
  std::vector<std::pair<TokenId, double>> values;
  for (TokenId id = ids.first; id < ids.end(); ++id) {
    values.emplace_back(id, value(id));
  }
  return values;
}

/// For each id, that of the value nearest to moved(its value).
std::vector<TokenId> MovedIds(size_t size, const std::vector<std::pair<TokenId, double>>& values, auto moved) {
  std::vector<TokenId> map(size);
  std::iota(map.begin(), map.end(), 0);
  for (const auto& [id, value] : values) {
    const double wanted = moved(value);
    map[static_cast<size_t>(id)] = std::min_element(values.begin(), values.end(), [&](const auto& a, const auto& b) {
                                     return std::abs(a.second - wanted) < std::abs(b.second - wanted);
                                   })->first;
  }
  return map;
}

}  // namespace

Result<BlockVocabulary> BlockVocabulary::Of(const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const std::optional<TokenId> bos = tokenizer.ModelIdOf(vocabulary.bos());
  const std::optional<TokenId> eos = tokenizer.ModelIdOf(vocabulary.eos());
  const std::optional<TokenId> pad = tokenizer.ModelIdOf(vocabulary.pad());
  if (!bos || !eos || !pad) {
    return MakeError("the vocabulary lacks PAD_None, BOS_None or EOS_None, which frame a song for training");
  }
  BlockVocabulary result;
  result.bos = *bos;
  result.eos = *eos;
  result.pad = *pad;
  result.mask = tokenizer.ModelIdOf(vocabulary.mask()).value_or(kNoToken);
  if (const TrainedVocabulary* trained = tokenizer.trained()) {
    // Ids that stand for several tokens cannot be moved one by one: all stay as they are, and no
    // song can be transposed.
    std::vector<TokenId> same(trained->size());
    std::iota(same.begin(), same.end(), 0);
    result.velocity.fill(same);
    result.tempo.fill(same);
    result.transpose.fill(std::vector<TokenId>(same.size(), kNoToken));
    result.transpose[static_cast<size_t>(-kLowestTransposition)] = same;
    return result;
  }
  for (int i = 0; i < kTranspositions; ++i) {
    result.transpose[static_cast<size_t>(i)] = tokenizer.TransposeMap(kLowestTransposition + i);
  }
  const auto velocities =
      Values(vocabulary.range(TokenType::kVelocity), [&](TokenId id) { return vocabulary.info(id).value; });
  const auto tempos = Values(vocabulary.range(TokenType::kTempo), [&](TokenId id) { return vocabulary.tempo(id); });
  for (int i = 0; i < kSteps; ++i) {
    const double steps = i - kMostSteps;
    result.velocity[static_cast<size_t>(i)] =
        MovedIds(vocabulary.size(), velocities, [&](double value) { return value + steps * kVelocityStep; });
    result.tempo[static_cast<size_t>(i)] =
        MovedIds(vocabulary.size(), tempos, [&](double value) { return value * (1 + steps * kTempoStep); });
  }
  if (const std::optional<PlanLevels>& levels = tokenizer.config().plan) {
    PlanTokens& plan = result.plan.emplace();
    plan.bar = vocabulary.range(TokenType::kBar).first;
    plan.loudness_levels = levels->loudness;
    for (size_t id = 0; id < vocabulary.size(); ++id) {
      const auto [type, value] = vocabulary.info(static_cast<TokenId>(id));
      plan.velocity.push_back(type == TokenType::kVelocity ? static_cast<uint8_t>(value) : 0);
      plan.kind.push_back(type == TokenType::kRepeat     ? 0
                          : type == TokenType::kDensity  ? 1
                          : type == TokenType::kLoudness ? 2
                                                         : -1);
      if (type == TokenType::kLoudness) {
        plan.loudness.push_back(static_cast<TokenId>(id));
      }
    }
  }
  return result;
}

std::vector<BlockSong> SongsOf(const Corpus& corpus, bool valid) {
  std::vector<BlockSong> songs;
  for (size_t i = 0; i < corpus.song_count(); ++i) {
    const Corpus::Song song = corpus.song(i);
    if ((song.split == Split::kValid) != valid) {
      continue;
    }
    const double weight = valid ? 1 : corpus.sources()[song.source].weight;
    const double whole = std::floor(weight);
    songs.insert(songs.end(), static_cast<size_t>(whole), {song.ids, song.bar_offsets});
    if (weight > whole) {
      songs.push_back({song.ids, song.bar_offsets, weight - whole});
    }
  }
  return songs;
}

}  // namespace continuo
