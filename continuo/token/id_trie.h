#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "continuo/token/vocabulary.h"

namespace continuo {

class SubwordModel;
struct TokenTables;

/// The ids of a trained vocabulary by the tokens that they stand for, as a tree: the ids of a node
/// stand for the tokens on the way to it. Several ids may stand for the same tokens. Immutable; any
/// number of threads may use one object.
class IdTrie {
 public:
  /// A node but the root. Nodes are in depth-first order, children in the order of their tokens.
  struct Node {
    TokenId token = kNoToken;
    uint32_t end = 0;       // index of the node after all that are below this one
    uint32_t first_id = 0;  // of ids()
    uint32_t id_count = 0;
  };

  IdTrie(const SubwordModel& subwords, const TokenTables& tables);

  std::span<const Node> nodes() const { return nodes_; }
  std::span<const TokenId> ids(const Node& node) const { return std::span(ids_).subspan(node.first_id, node.id_count); }
  /// The child with a token among the nodes from `first` to `end`, or `end` if there is none.
  uint32_t FindChild(uint32_t first, uint32_t end, TokenId token) const;

  /// The most tokens that an id stands for.
  size_t depth() const { return depth_; }
  /// No id moves time by more, in ticks of decoded scores, the end of its last note included.
  int32_t horizon() const { return horizon_; }

  /// The ids that have a token, in any place.
  std::span<const TokenId> Having(TokenId token) const { return Of(having_, token); }
  /// The ids that begin a note with this token before they move time.
  std::span<const TokenId> StrikingFirst(TokenId token) const { return Of(striking_, token); }

  /// Where tokens end notes, what an id needs of those that sound before it: how many a token that
  /// ends notes must be able to end at once, and how many once the id has moved time.
  struct Need {
    TokenId token;
    uint16_t now;
    uint16_t later;
  };
  std::span<const Need> Needs(TokenId id) const {
    const auto first = need_starts_[static_cast<size_t>(id)];
    return std::span(needs_).subspan(first, need_starts_[static_cast<size_t>(id) + 1] - first);
  }
  /// The ids that need notes, and of these those whose first need is of a token.
  std::span<const TokenId> Needing() const { return needing_; }
  std::span<const TokenId> NeedingFirst(TokenId token) const { return Of(needing_first_, token); }

  /// The ids that begin two notes of one pitch at one time.
  std::span<const TokenId> StrikingTwice() const { return striking_twice_; }

 private:
  struct Lists {
    std::vector<uint32_t> starts;  // by token, and one more
    std::vector<TokenId> ids;
  };
  static std::span<const TokenId> Of(const Lists& lists, TokenId token) {
    const size_t first = lists.starts[static_cast<size_t>(token)];
    return std::span(lists.ids).subspan(first, lists.starts[static_cast<size_t>(token) + 1] - first);
  }
  static Lists ListsOf(std::vector<uint64_t> pairs, size_t tokens);
  void FindNeeds(const SubwordModel& subwords, const TokenTables& tables);

  std::vector<Node> nodes_;
  std::vector<TokenId> ids_;
  size_t depth_ = 0;
  int32_t horizon_ = 0;
  Lists having_;
  Lists striking_;
  std::vector<TokenId> striking_twice_;
  std::vector<Need> needs_;            // id by id
  std::vector<uint32_t> need_starts_;  // by id, and one more
  std::vector<TokenId> needing_;
  Lists needing_first_;
};

}  // namespace continuo
