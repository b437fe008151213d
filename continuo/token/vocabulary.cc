#include "continuo/token/vocabulary.h"

#include <utility>

#include "continuo/core/check.h"

namespace continuo {

Vocabulary::Vocabulary(std::vector<std::string> tokens, std::vector<TokenInfo> infos, TokenValues values)
    : tokens_(std::move(tokens)), infos_(std::move(infos)), values_(std::move(values)), ranges_(kTokenTypes) {
  CONTINUO_CHECK(infos_.size() == tokens_.size());
  ids_.reserve(tokens_.size());
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    ids_.emplace(tokens_[i], id);
    IdRange& range = ranges_[static_cast<size_t>(infos_[i].type)];
    range.first = range.empty() ? id : range.first;
    CONTINUO_CHECK(range.end() == id);
    ++range.count;
  }
  pad_ = Find("PAD_None");
  bos_ = Find("BOS_None");
  mask_ = Find("MASK_None");
  eos_ = Find("EOS_None");
}

std::optional<TokenId> Vocabulary::Find(std::string_view token) const {
  const auto found = ids_.find(std::string(token));
  return found == ids_.end() ? std::nullopt : std::optional<TokenId>(found->second);
}

std::optional<TokenId> Vocabulary::id(TokenType type, int32_t value) const {
  for (TokenId id = range(type).first; id < range(type).end(); ++id) {
    if (info(id).value == value) {
      return id;
    }
  }
  return std::nullopt;
}

}  // namespace continuo
