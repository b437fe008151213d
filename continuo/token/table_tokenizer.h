#pragma once

#include <memory>
#include <vector>

#include "continuo/token/token_tables.h"
#include "continuo/token/tokenizer.h"
#include "continuo/token/trained_vocabulary.h"

namespace continuo {

/// The tokenizer of a configuration, all of whose work is done on TokenTables.
class TableTokenizer : public Tokenizer {
 public:
  explicit TableTokenizer(TokenTables tables, std::shared_ptr<const TrainedVocabulary> trained = nullptr);

  std::vector<std::vector<TokenId>> Encode(const Score& score) const override;
  Score Decode(std::span<const std::vector<TokenId>> tracks) const override;
  std::unique_ptr<Grammar> NewGrammar(const GrammarTarget& target = {}) const override;
  StreamState NewState() const override;
  std::vector<size_t> BarOffsets(std::span<const TokenId> ids) const override;
  std::vector<TokenId> WindowFromBar(std::span<const TokenId> ids, size_t bar) const override;
  std::vector<TokenId> TransposeMap(int semitones) const override;
  const IdTrie& trie() const override { return trained()->trie(tables_); }
  std::vector<TokenId> ToModelIds(std::span<const TokenId> ids) const override;
  std::vector<std::vector<TokenId>> EncodeForModel(const Score& score) const override;

  const TokenTables& tables() const { return tables_; }

 private:
  TokenTables tables_;
};

}  // namespace continuo
