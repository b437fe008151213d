#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/score/score.h"
#include "continuo/token/table_tokenizer.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {

/// Score <-> ids of a tokenizer that MidiTok trained (BPE): each id stands for several tokens of
/// the base tokenizer, within a bar, a beat, or the stream, as encode_ids_split says. Ids are
/// MidiTok's. Immutable after creation; any number of threads may use one object.
class TrainedTokenizer {
 public:
  /// Null if the file is no trained tokenizer's; then Tokenizer::Load reads it.
  static Result<std::unique_ptr<TrainedTokenizer>> Load(const std::filesystem::path& path, MidiTokRelease release);
  /// The same of the text of a file. `name` stands for it in messages.
  static Result<std::unique_ptr<TrainedTokenizer>> FromJson(std::string_view text, const std::string& name,
                                                            MidiTokRelease release);

  const Tokenizer& base() const { return base_; }
  const TrainedVocabulary& vocabulary() const { return *base_.trained(); }
  size_t size() const { return vocabulary().size(); }
  std::string Name(TokenId id) const { return vocabulary().Name(id); }

  /// Of a score read by ReadScoreForTokens.
  std::vector<std::vector<TokenId>> Encode(const Score& score) const;

  /// Never fails; ids that are not below size() are passed over. MidiTok takes a plain list without
  /// an id beyond the base vocabulary for base ids, which in 3.0.4 are not those of the model: this
  /// does not.
  Score Decode(std::span<const std::vector<TokenId>> tracks) const;

 private:
  TrainedTokenizer(TokenTables tables, std::shared_ptr<const TrainedVocabulary> vocabulary);

  TableTokenizer base_;
};

}  // namespace continuo
