#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "continuo/score/score_file.h"
#include "fuzz/fuzz_tokenizers.h"

namespace {

size_t CountNotes(const continuo::Score& score) {
  size_t notes = 0;
  for (const continuo::Track& track : score.tracks) {
    notes += track.notes.size();
  }
  return notes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  if (size < 1 || size > 4096) {
    return 0;
  }
  const Tokenizer& tokenizer = FuzzTokenizer(data[0]);
  const auto vocabulary_size = static_cast<TokenId>(tokenizer.vocabulary().size());
  std::vector<TokenId> ids;
  for (size_t i = 1; i + 1 < size; i += 2) {
    const TokenId id = data[i] | data[i + 1] << 8;
    ids.push_back(id == 0xFFFF ? -1 : id % (vocabulary_size + 2));  // the last two name no token
  }
  const std::vector<std::vector<TokenId>> streams(1, ids);
  const Score score = tokenizer.Decode(streams);
  CONTINUO_CHECK(ParseScore(SerializeScore(score), "written").ok());
  const std::vector<size_t> bars = tokenizer.BarOffsets(ids);
  CONTINUO_CHECK(std::is_sorted(bars.begin(), bars.end()) && (bars.empty() || bars.back() < ids.size()));
  if (!bars.empty()) {
    tokenizer.WindowFromBar(ids, data[size - 1] % bars.size());
  }

  // As many of the ids as the grammar takes, those that it refuses left out: each note of them is
  // decoded, but those of MIDI-Like that have not ended.
  const std::unique_ptr<Grammar> grammar = tokenizer.NewGrammar({bars.size() % 3});
  std::vector<std::vector<TokenId>> taken(1);
  size_t notes = 0;
  std::vector<uint8_t> allowed(tokenizer.vocabulary().size());
  for (const TokenId id : ids) {
    if (!grammar->complete() && id >= 0 && id < vocabulary_size && grammar->Advance(id)) {
      taken[0].push_back(id);
      notes += tokenizer.vocabulary().info(id).type == TokenType::kVelocity ? 1 : 0;
      grammar->Allowed(allowed);
      CONTINUO_CHECK(std::find(allowed.begin(), allowed.end(), 1) != allowed.end());
    }
  }
  const size_t decoded = CountNotes(tokenizer.Decode(taken));
  if (tokenizer.config().kind == TokenizationKind::kBeat) {
    CONTINUO_CHECK(decoded <= 4 * notes);  // a velocity is of one beat of a key: four onsets at most
  } else {
    CONTINUO_CHECK(decoded <= notes);
    if (tokenizer.config().kind != TokenizationKind::kMidiLike &&
        tokenizer.config().kind != TokenizationKind::kMmmMidiLike) {
      CONTINUO_CHECK(decoded + 1 >= notes);  // the last may lack its duration
    }
  }
  return 0;
}
