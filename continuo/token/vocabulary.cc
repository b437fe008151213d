#include "continuo/token/vocabulary.h"

#include <utility>

namespace continuo {

Vocabulary::Vocabulary(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  ids_.reserve(tokens_.size());
  for (size_t id = 0; id < tokens_.size(); ++id) {
    ids_.emplace(tokens_[id], static_cast<TokenId>(id));
  }
}

std::optional<TokenId> Vocabulary::Find(std::string_view token) const {
  const auto found = ids_.find(std::string(token));
  return found == ids_.end() ? std::nullopt : std::optional<TokenId>(found->second);
}

}  // namespace continuo
