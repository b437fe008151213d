#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "continuo/corpus/blocks.h"
#include "continuo/corpus/corpus.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {
namespace {

/// The ids of a type that a model can read, with the value that each stands for.
std::vector<std::pair<TokenId, double>> Values(const Tokenizer& tokenizer, TokenType type, auto value) {
  std::vector<std::pair<TokenId, double>> values;
  const IdRange ids = tokenizer.vocabulary().range(type);
  for (TokenId id = ids.first; id < ids.end(); ++id) {
    if (tokenizer.ModelIdOf(id)) {
      values.emplace_back(id, value(id));
    }
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

/// What tokens become when music is moved.
struct TokenMaps {
  decltype(BlockVocabulary::transpose) transpose;
  decltype(BlockVocabulary::velocity) velocity;
  decltype(BlockVocabulary::tempo) tempo;

  explicit TokenMaps(const Tokenizer& tokenizer) {
    using B = BlockVocabulary;
    const Vocabulary& vocabulary = tokenizer.vocabulary();
    for (int i = 0; i < B::kTranspositions; ++i) {
      transpose[static_cast<size_t>(i)] = tokenizer.TransposeMap(B::kLowestTransposition + i);
    }
    const auto velocities =
        Values(tokenizer, TokenType::kVelocity, [&](TokenId id) { return vocabulary.info(id).value; });
    const auto tempos = Values(tokenizer, TokenType::kTempo, [&](TokenId id) { return vocabulary.tempo(id); });
    for (int i = 0; i < B::kSteps; ++i) {
      const double steps = i - B::kMostSteps;
      velocity[static_cast<size_t>(i)] =
          MovedIds(vocabulary.size(), velocities, [&](double value) { return value + steps * B::kVelocityStep; });
      tempo[static_cast<size_t>(i)] =
          MovedIds(vocabulary.size(), tempos, [&](double value) { return value * (1 + steps * B::kTempoStep); });
    }
  }

  TokenId Move(TokenId token, const SongMove& move) const {
    const auto of = [&token](const auto& maps, int index) {
      token = maps[static_cast<size_t>(index)][static_cast<size_t>(token)];
    };
    of(transpose, move.semitones - BlockVocabulary::kLowestTransposition);
    of(velocity, move.velocity_steps + BlockVocabulary::kMostSteps);
    of(tempo, move.tempo_steps + BlockVocabulary::kMostSteps);
    return token;
  }
};

/// The maps of a trained vocabulary.
void MoveTokenByToken(const Tokenizer& tokenizer, BlockVocabulary& result) {
  const TrainedVocabulary& trained = *tokenizer.trained();
  const auto maps = std::make_shared<const TokenMaps>(tokenizer);
  std::vector<TokenId> same(trained.size());
  std::iota(same.begin(), same.end(), 0);
  result.velocity.fill(same);
  result.tempo.fill(same);
  for (size_t s = 0; s < maps->transpose.size(); ++s) {
    const std::vector<TokenId>& map = maps->transpose[s];
    result.transpose[s] = same;
    for (const TokenId id : same) {
      const auto tokens = trained.Tokens(id);
      const bool fits = std::all_of(tokens.begin(), tokens.end(), [&](TokenId token) {
        const TokenId moved = map[static_cast<size_t>(token)];
        return moved >= 0 && trained.IdOf(moved) != kNoToken;
      });
      result.transpose[s][static_cast<size_t>(id)] = fits ? id : kNoToken;
    }
  }
  result.move_song = [maps, &tokenizer](std::span<const uint16_t> ids, const SongMove& move) {
    std::vector<TokenId> tokens = tokenizer.FromModelIds(std::vector<TokenId>(ids.begin(), ids.end()));
    for (TokenId& token : tokens) {
      token = maps->Move(token, move);
    }
    MovedSong song;
    song.ids = tokenizer.ToModelIds(tokens);
    for (const size_t offset : tokenizer.ModelBarOffsets(song.ids)) {
      song.bar_offsets.push_back(static_cast<uint32_t>(offset));
    }
    return song;
  };
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
  if (tokenizer.trained() != nullptr) {
    MoveTokenByToken(tokenizer, result);
    return result;
  }
  TokenMaps maps(tokenizer);
  result.transpose = std::move(maps.transpose);
  result.velocity = std::move(maps.velocity);
  result.tempo = std::move(maps.tempo);
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
