#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/score/score.h"
#include "continuo/token/token_tables.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {

/// Learns ids that stand for several tokens from songs, by byte-pair encoding, as MidiTok does with
/// the library `tokenizers`: the same merges from the same songs. Words are what
/// TokenizerConfig::encode_ids_split says.
class TokenizerTrainer {
 public:
  /// The words of a song.
  struct Words {
    std::vector<uint16_t> tokens;  // one word after the other
    std::vector<uint32_t> ends;    // of each word in `tokens`
  };

  /// Of a plain configuration of MidiTok's; `most_tokens` bounds the memory. Fails on REMIChord,
  /// which MidiTok does not know.
  static Result<TokenizerTrainer> Create(const TokenizerConfig& config, size_t most_tokens);

  /// The words of a score that was read by ParseScoreForTokens. Any number of threads may call.
  Words WordsOf(const Score& score) const;
  /// Adds a song. Where there are more tokens than the most, every second song is dropped, so that
  /// of the songs, in the order in which they are added, every 2nd, 4th, ... is left.
  void Add(Words words);
  size_t songs() const { return songs_.size(); }
  uint64_t tokens() const { return tokens_; }

  /// The tokenizer.json of a vocabulary of `size` ids, or fewer if there is nothing left to merge.
  /// Fails if `size` is not more than the tokens and the mark that begins words, and if a stop is
  /// requested. Uses the songs up.
  Result<std::string> Train(size_t size, const StopToken& stop = {});

 private:
  TokenizerTrainer(TokenTables tables, TrainedVocabulary::Split split, size_t most_tokens)
      : tables_(std::move(tables)), split_(split), most_tokens_(most_tokens) {}

  TokenTables tables_;
  TrainedVocabulary::Split split_;
  size_t most_tokens_;
  std::vector<Words> songs_;
  uint64_t tokens_ = 0;  // of songs_
  size_t added_ = 0;
  size_t stride_ = 1;  // of the songs added, one in `stride_` is in songs_
};

}  // namespace continuo
