#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string_view>
#include <system_error>
#include <utility>

#include "continuo/corpus/blocks.h"
#include "continuo/corpus/corpus.h"

namespace continuo {
namespace {

/// The ids whose tokens are `kind` and a number, with that number.
std::vector<std::pair<TokenId, double>> Values(const Vocabulary& vocabulary, std::string_view kind) {
  std::vector<std::pair<TokenId, double>> values;
  for (TokenId id = 0; id < static_cast<TokenId>(vocabulary.size()); ++id) {
    const std::string_view token = vocabulary.token(id);
    if (!token.starts_with(kind)) {
      continue;
    }
    const std::string_view text = token.substr(kind.size());
    double value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code == std::errc() && end == text.data() + text.size()) {
      values.emplace_back(id, value);
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

}  // namespace

Result<BlockVocabulary> BlockVocabulary::Of(const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  if (!vocabulary.bos() || !vocabulary.eos() || !vocabulary.pad()) {
    return MakeError("the vocabulary lacks PAD_None, BOS_None or EOS_None, which frame a song for training");
  }
  BlockVocabulary result;
  result.bos = *vocabulary.bos();
  result.eos = *vocabulary.eos();
  result.pad = *vocabulary.pad();
  for (int i = 0; i < kTranspositions; ++i) {
    result.transpose[static_cast<size_t>(i)] = tokenizer.TransposeMap(kLowestTransposition + i);
  }
  const auto velocities = Values(vocabulary, "Velocity_");
  const auto tempos = Values(vocabulary, "Tempo_");
  for (int i = 0; i < kSteps; ++i) {
    const double steps = i - kMostSteps;
    result.velocity[static_cast<size_t>(i)] =
        MovedIds(vocabulary.size(), velocities, [&](double value) { return value + steps * kVelocityStep; });
    result.tempo[static_cast<size_t>(i)] =
        MovedIds(vocabulary.size(), tempos, [&](double value) { return value * (1 + steps * kTempoStep); });
  }
  return result;
}

std::vector<BlockSong> SongsOf(const Corpus& corpus, bool valid) {
  std::vector<BlockSong> songs;
  for (size_t i = 0; i < corpus.song_count(); ++i) {
    const Corpus::Song song = corpus.song(i);
    if ((song.split == Split::kValid) == valid) {
      songs.push_back({song.ids, song.bar_offsets});
    }
  }
  return songs;
}

}  // namespace continuo
