#include "continuo/token/id_trie.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <utility>

#include "continuo/token/clocks.h"
#include "continuo/token/subword_model.h"
#include "continuo/token/token_tables.h"

namespace continuo {

namespace {

bool MovesTime(TokenType type) {
  return type == TokenType::kBar || type == TokenType::kPosition || type == TokenType::kTimeShift ||
         type == TokenType::kRest;
}

// By token: the most ticks that it moves time by, or that a note lasts.
std::vector<int32_t> MostTicks(const TokenTables& tables) {
  std::vector<MeterClock> meters(1, MeterClock(tables, {}));
  for (const Meter& meter : tables.time_signatures) {
    meters.emplace_back(tables, meter);
  }
  std::vector<int32_t> most(tables.infos.size(), 0);
  for (size_t id = 0; id < most.size(); ++id) {
    const TokenInfo& info = tables.infos[id];
    for (const MeterClock& meter : meters) {
      int32_t ticks = 0;
      switch (info.type) {
        case TokenType::kBar:
          ticks = meter.ticks_per_bar();
          break;
        case TokenType::kDuration:
        case TokenType::kTimeShift:
          ticks = meter.TimeTicks(info.value);
          break;
        case TokenType::kRest:
          ticks = meter.RestTicks(info.value);
          break;
        default:
          break;
      }
      most[id] = std::max(most[id], ticks);
    }
  }
  return most;
}

}  // namespace

IdTrie::Lists IdTrie::ListsOf(std::vector<uint64_t> pairs, size_t tokens) {
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  Lists lists;
  for (const uint64_t pair : pairs) {
    lists.starts.resize((pair >> 32) + 1, static_cast<uint32_t>(lists.ids.size()));
    lists.ids.push_back(static_cast<TokenId>(pair & UINT32_MAX));
  }
  lists.starts.resize(tokens + 1, static_cast<uint32_t>(lists.ids.size()));
  return lists;
}

IdTrie::IdTrie(const SubwordModel& subwords, const TokenTables& tables) {
  ids_.reserve(subwords.size());
  for (size_t id = 0; id < subwords.size(); ++id) {
    if (!subwords.Base(static_cast<TokenId>(id)).empty()) {
      ids_.push_back(static_cast<TokenId>(id));
    }
  }
  std::sort(ids_.begin(), ids_.end(), [&](TokenId a, TokenId b) {
    const auto left = subwords.Base(a);
    const auto right = subwords.Base(b);
    const int order = std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end())   ? -1
                      : std::lexicographical_compare(right.begin(), right.end(), left.begin(), left.end()) ? 1
                                                                                                           : 0;
    return order != 0 ? order < 0 : a < b;
  });
  std::vector<uint32_t> open;  // the nodes on the way to the last id
  const auto close = [&](size_t depth) {
    while (open.size() > depth) {
      nodes_[open.back()].end = static_cast<uint32_t>(nodes_.size());
      open.pop_back();
    }
  };
  const std::vector<int32_t> most = MostTicks(tables);
  std::vector<uint64_t> having;
  std::vector<uint64_t> striking;
  for (size_t place = 0; place < ids_.size(); ++place) {
    const TokenId id = ids_[place];
    const std::span<const TokenId> tokens = subwords.Base(id);
    size_t common = 0;
    while (common < open.size() && common < tokens.size() && nodes_[open[common]].token == tokens[common]) {
      ++common;
    }
    close(common);
    for (size_t i = common; i < tokens.size(); ++i) {
      open.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({tokens[i], 0, static_cast<uint32_t>(place), 0});
    }
    ++nodes_[open.back()].id_count;

    depth_ = std::max(depth_, tokens.size());
    int64_t ticks = 0;
    bool moved = false;
    std::bitset<128> struck;
    bool twice = false;
    for (const TokenId token : tokens) {
      const TokenInfo& info = tables.infos[static_cast<size_t>(token)];
      const uint64_t pair = static_cast<uint64_t>(token) << 32 | static_cast<uint32_t>(id);
      having.push_back(pair);
      ticks += most[static_cast<size_t>(token)];
      if (MovesTime(info.type)) {
        moved = true;
        struck.reset();
      } else if (info.type == TokenType::kPitch || info.type == TokenType::kPitchDrum) {
        twice = twice || struck[static_cast<size_t>(info.value)];
        struck.set(static_cast<size_t>(info.value));
        if (!moved) {
          striking.push_back(pair);
        }
      }
    }
    horizon_ = std::max(horizon_, AddTicks(0, ticks));
    if (twice) {
      striking_twice_.push_back(id);
    }
  }
  close(0);
  if (tables.note_on_off()) {
    FindNeeds(subwords, tables);
  }
  having_ = ListsOf(std::move(having), tables.infos.size());
  striking_ = ListsOf(std::move(striking), tables.infos.size());
}

void IdTrie::FindNeeds(const SubwordModel& subwords, const TokenTables& tables) {
  struct OfToken {
    int begun = 0;  // by the id at this tick
    int own = 0;    // begun by the id at earlier ticks
    int ended = 0;
    int now = 0;
    int later = 0;
  };
  std::vector<uint64_t> first;
  need_starts_.assign(1, 0);
  for (size_t id = 0; id < subwords.size(); ++id) {
    std::map<TokenId, OfToken> tokens;  // that end notes
    bool moved = false;
    for (const TokenId token : subwords.Base(static_cast<TokenId>(id))) {
      const TokenInfo& info = tables.infos[static_cast<size_t>(token)];
      const bool is_drum = info.type == TokenType::kPitchDrum;
      if (MovesTime(info.type)) {
        moved = true;
        for (auto& [end, of] : tokens) {
          of.own += std::exchange(of.begun, 0);
        }
      } else if (is_drum || info.type == TokenType::kPitch) {
        ++tokens[(is_drum ? tables.drum_off : tables.note_off)[static_cast<size_t>(info.value)]].begun;
      } else if (info.type == TokenType::kNoteOff || info.type == TokenType::kDrumOff) {
        OfToken& of = tokens[token];
        int& need = moved ? of.later : of.now;
        need = std::max(need, ++of.ended - of.own);
      }
    }
    const size_t before = needs_.size();
    for (const auto& [token, of] : tokens) {
      if (of.now > 0 || of.later > 0) {
        needs_.push_back({token, static_cast<uint16_t>(of.now), static_cast<uint16_t>(of.later)});
      }
    }
    if (needs_.size() > before) {
      needing_.push_back(static_cast<TokenId>(id));
      first.push_back(static_cast<uint64_t>(needs_[before].token) << 32 | static_cast<uint32_t>(id));
    }
    need_starts_.push_back(static_cast<uint32_t>(needs_.size()));
  }
  needing_first_ = ListsOf(std::move(first), tables.infos.size());
}

uint32_t IdTrie::FindChild(uint32_t first, uint32_t end, TokenId token) const {
  for (uint32_t node = first; node < end; node = nodes_[node].end) {
    if (nodes_[node].token == token) {
      return node;
    }
  }
  return end;
}

}  // namespace continuo
