#include "continuo/train/train_data.h"

#include <span>
#include <string_view>

#include "continuo/core/hash.h"

namespace continuo {
namespace {

/// The study's sampling, which `generate` takes unless told otherwise.
constexpr std::string_view kGenerationJson =
    "{\n  \"top_k\": 5,\n  \"temperature\": 1.2,\n  \"repetition_penalty\": 1.2\n}\n";

}  // namespace

Result<TrainData> MusicData(const Corpus& corpus) {
  const Tokenizer& tokenizer = corpus.tokenizer();
  TrainData data;
  CONTINUO_ASSIGN(data.vocabulary, BlockVocabulary::Of(tokenizer));
  data.train = SongsOf(corpus, false);
  data.valid = SongsOf(corpus, true);
  data.vocab_size = tokenizer.vocabulary().size();
  data.vocab_sha256 = tokenizer.vocabulary_sha256();
  data.texts = {{"tokenizer.json", tokenizer.ToJson()}, {"generation.json", std::string(kGenerationJson)}};
  Sha256 hash;
  hash.Update(data.vocab_sha256);
  for (const auto* songs : {&data.train, &data.valid}) {
    for (const BlockSong& song : *songs) {
      const uint64_t length = song.ids.size();
      hash.Update(std::span(reinterpret_cast<const uint8_t*>(&length), sizeof(length)));
      hash.Update(std::span(reinterpret_cast<const uint8_t*>(song.ids.data()), song.ids.size_bytes()));
    }
  }
  data.sha256 = hash.FinishHex();
  for (size_t id = 0; id < data.vocab_size; ++id) {
    data.begins_note.push_back(tokenizer.vocabulary().begins_note(static_cast<TokenId>(id)) ? 1 : 0);
  }
  return data;
}

}  // namespace continuo
