#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "continuo/score/bars.h"
#include "continuo/score/score_file.h"
#include "continuo/token/miditok_reader.h"
#include "fuzz/fuzz_tokenizers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  if (size < 1) {
    return 0;
  }
  for (MidiTokRelease release : {MidiTokRelease::k3_0_4, MidiTokRelease::k3_1_0}) {
    TokenizerConfig config;
    config.release = release;
    (void)ParseScoreForTokens({data + 1, size - 1}, "input", config);
  }
  const auto read = ParseScore({data + 1, size - 1}, "input");
  // A single late note needs many tokens, which is slow and shows nothing new.
  if (!read.ok() || CountBars(read->score) > 1000) {
    return 0;
  }
  const Tokenizer& tokenizer = FuzzTokenizer(data[0]);
  const TokenizerConfig& config = tokenizer.config();
  const auto streams = tokenizer.Encode(read->score);
  // BEAT has tokens for each beat, also of bars of 255.
  if (std::any_of(streams.begin(), streams.end(), [](const auto& ids) { return ids.size() > 5000; })) {
    return 0;
  }
  const Score decoded = tokenizer.Decode(streams);
  const auto again = tokenizer.Encode(decoded);
  // What the laws hold for: 3.0.4 puts events on wrong grids, rests cross bar lines, and without
  // programs there are no drums in a decoded score.
  const bool has_drums = std::any_of(read->score.tracks.begin(), read->score.tracks.end(),
                                     [](const Track& track) { return track.is_drum; });
  if (config.release != MidiTokRelease::k3_1_0 || config.max_duration || config.use_rests ||
      decoded.tracks.size() != 1 || (has_drums && !config.use_programs)) {
    return 0;
  }
  if (config.kind == TokenizationKind::kBeat) {
    // It counts the beats up to the last event of any kind. A key has one velocity for each beat:
    // one that is held and struck again there gets another each time.
    const auto without_velocities = [&](std::vector<std::vector<TokenId>> all) {
      for (std::vector<TokenId>& ids : all) {
        std::erase_if(ids, [&](TokenId id) { return tokenizer.vocabulary().info(id).type == TokenType::kVelocity; });
      }
      return all;
    };
    CONTINUO_CHECK(without_velocities(tokenizer.Encode(tokenizer.Decode(again))) == without_velocities(again));
  } else if (config.kind != TokenizationKind::kPerTok) {  // which rounds times
    CONTINUO_CHECK(again == streams);
  }
  for (const std::vector<TokenId>& ids : streams) {
    const std::unique_ptr<Grammar> grammar = tokenizer.NewGrammar();
    CONTINUO_CHECK(std::all_of(ids.begin(), ids.end(), [&](TokenId id) { return grammar->Advance(id); }));
  }
  return 0;
}
