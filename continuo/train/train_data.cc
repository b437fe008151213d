#include "continuo/train/train_data.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

#include "continuo/compose/sampling_options.h"
#include "continuo/core/hash.h"

namespace continuo {
namespace {

/// The sampling that a model directory proposes to `generate`, and what else compose reads there.
std::string GenerationJson(bool both_sides) {
  return fmt::format("{{\n  \"top_k\": {},\n  \"temperature\": {},\n  \"repetition_penalty\": {}{}\n}}\n",
                     kStudySampling.top_k, kStudySampling.temperature, kStudySampling.repetition_penalty,
                     both_sides ? ",\n  \"both_sides\": true" : "");
}

}  // namespace

Result<TrainData> MusicData(const Corpus& corpus, const TrainSettings& settings) {
  const Tokenizer& tokenizer = corpus.tokenizer();
  TrainData data;
  CONTINUO_ASSIGN(data.vocabulary, BlockVocabulary::Of(tokenizer));
  if (settings.gap_share > 0 && data.vocabulary.mask == kNoToken) {
    return MakeError("gap-share is {}, but the vocabulary has no MASK_None, which stands for a missing bar",
                     settings.gap_share);
  }
  data.train = SongsOf(corpus, false);
  data.valid = SongsOf(corpus, true);
  data.vocab_size = tokenizer.model_size();
  data.vocab_sha256 = tokenizer.model_sha256();
  data.texts = {{"tokenizer.json", tokenizer.ToJson()}, {"generation.json", GenerationJson(settings.gap_share > 0)}};
  Sha256 hash;
  hash.Update(data.vocab_sha256);
  for (const auto* songs : {&data.train, &data.valid}) {
    for (const BlockSong& song : *songs) {
      const uint64_t length = song.ids.size();
      hash.Update(std::span(reinterpret_cast<const uint8_t*>(&length), sizeof(length)));
      hash.Update(std::span(reinterpret_cast<const uint8_t*>(song.ids.data()), song.ids.size_bytes()));
      if (song.share != 1) {
        hash.Update(std::span(reinterpret_cast<const uint8_t*>(&song.share), sizeof(song.share)));
      }
    }
  }
  data.sha256 = hash.FinishHex();
  for (size_t id = 0; id < data.vocab_size; ++id) {
    const auto model_id = static_cast<TokenId>(id);
    const std::vector<TokenId> tokens = tokenizer.FromModelIds(std::span(&model_id, 1));
    const auto notes = std::count_if(tokens.begin(), tokens.end(),
                                     [&](TokenId token) { return tokenizer.vocabulary().begins_note(token); });
    data.begins_note.push_back(static_cast<uint8_t>(std::min<std::ptrdiff_t>(notes, UINT8_MAX)));
  }
  return data;
}

}  // namespace continuo
