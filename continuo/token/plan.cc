#include "continuo/token/plan.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace continuo {

namespace {

constexpr size_t kPitches = 128;

/// The nearest sixteenth note; halfway between two, the even one.
int NearestSixteenth(int position, int positions_per_whole) {
  const int sixteenth = position * 16 / positions_per_whole;
  const int twice_rest = (position * 16 - sixteenth * positions_per_whole) * 2;
  const bool up = twice_rest > positions_per_whole || (twice_rest == positions_per_whole && sixteenth % 2 == 1);
  return sixteenth + (up ? 1 : 0);
}

struct Plan {
  size_t place = 0;  // in the ids, before which it is written
  int repeat = kNoRepeat;
  int density = 0;
  int loudness = -1;  // none
};

std::vector<Plan> FindPlans(const std::vector<TokenId>& ids, const TokenTables& tables) {
  const PlanLevels& levels = *tables.config.plan;
  std::vector<Plan> plans;
  RepeatFinder repeats;
  int denominator = 4;
  int sixteenth = 0;
  int64_t notes = 0;
  int64_t velocities = 0;
  int64_t velocity_sum = 0;
  const auto end_bar = [&] {
    if (!plans.empty()) {
      Plan& plan = plans.back();
      plan.repeat = repeats.EndBar();
      plan.density = LevelOf(static_cast<double>(notes), levels.density);
      if (velocities > 0) {
        plan.loudness = LevelOf(static_cast<double>(velocity_sum) / static_cast<double>(velocities), levels.loudness);
      }
    }
    notes = velocities = velocity_sum = sixteenth = 0;
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    const TokenInfo& info = tables.infos[static_cast<size_t>(ids[i])];
    switch (info.type) {
      case TokenType::kBar:
        end_bar();
        plans.push_back({i + 1});
        break;
      case TokenType::kTimeSig:
        denominator = tables.time_signatures[static_cast<size_t>(info.value)].denominator;
        if (!plans.empty() && plans.back().place == i) {
          ++plans.back().place;
        }
        break;
      case TokenType::kPosition:
        sixteenth = NearestSixteenth(info.value, tables.positions_per_beat * denominator);
        break;
      case TokenType::kPitch:
      case TokenType::kPitchDrum:
        ++notes;
        repeats.AddNote(sixteenth, info.value);
        break;
      case TokenType::kVelocity:
        ++velocities;
        velocity_sum += info.value;
        break;
      default:
        break;
    }
  }
  end_bar();
  return plans;
}

/// `list` with `planned(plan, i)` before plan.place, for the i-th of the plan's tokens.
template <typename T, typename Planned>
void InsertPlans(std::vector<T>& list, const std::vector<Plan>& plans, size_t added, const Planned& planned) {
  std::vector<T> result;
  result.reserve(list.size() + added);
  size_t place = 0;
  for (const Plan& plan : plans) {
    result.insert(result.end(), list.begin() + static_cast<std::ptrdiff_t>(place),
                  list.begin() + static_cast<std::ptrdiff_t>(plan.place));
    place = plan.place;
    planned(plan, result);
  }
  result.insert(result.end(), list.begin() + static_cast<std::ptrdiff_t>(place), list.end());
  list = std::move(result);
}

}  // namespace

void RepeatFinder::AddNote(int sixteenth, int pitch) {
  const size_t index = static_cast<size_t>(sixteenth) * kPitches + static_cast<size_t>(pitch);
  if (index >= pairs_.size()) {
    pairs_.resize((static_cast<size_t>(sixteenth) + 1) * kPitches);
  }
  Pair& pair = pairs_[index];
  if (pair.last == bar_) {
    return;
  }
  const int32_t ago = bar_ - pair.last;
  const uint64_t by_lag = ago > kLongestRepeat ? 0 : pair.bars << (ago - 1);  // bit i: the bar of lag i + 1
  for (uint64_t rest = by_lag; rest != 0; rest &= rest - 1) {
    ++common_[static_cast<size_t>(std::countr_zero(rest))];
  }
  pair = {by_lag << 1 | 1, bar_};
  ++size_;
}

int RepeatFinder::EndBar() {
  uint32_t best_common = 0;
  uint32_t best_sizes = 1;
  int best = kNoRepeat;
  for (int lag = 1; lag <= std::min<int32_t>(kLongestRepeat, bar_) && size_ > 0; ++lag) {
    const uint32_t common = common_[static_cast<size_t>(lag - 1)];
    if (common == 0) {
      continue;
    }
    // common / (sizes - common) >= 1 / 2; it grows with common / sizes.
    const uint32_t sizes = size_ + sizes_[static_cast<size_t>((bar_ - lag) % kLongestRepeat)];
    if (3 * common >= sizes && uint64_t{common} * best_sizes > uint64_t{best_common} * sizes) {
      best_common = common;
      best_sizes = sizes;
      best = lag;
    }
  }
  common_.fill(0);
  sizes_[static_cast<size_t>(bar_ % kLongestRepeat)] = std::exchange(size_, 0);
  ++bar_;
  return best;
}

int LevelOf(double value, const std::array<double, 7>& beginnings) {
  return static_cast<int>(std::upper_bound(beginnings.begin(), beginnings.end(), value) - beginnings.begin());
}

void WritePlans(std::vector<TokenId>& ids, std::vector<int32_t>* times, const TokenTables& tables) {
  const std::vector<Plan> plans = FindPlans(ids, tables);
  const size_t added = plans.size() * 3;
  if (times != nullptr) {
    InsertPlans(*times, plans, added, [](const Plan& plan, std::vector<int32_t>& result) {
      result.insert(result.end(), plan.loudness < 0 ? 2 : 3, result.back());
    });
  }
  InsertPlans(ids, plans, added, [&tables](const Plan& plan, std::vector<TokenId>& result) {
    result.push_back(tables.repeat[static_cast<size_t>(plan.repeat)]);
    result.push_back(tables.density[static_cast<size_t>(plan.density)]);
    if (plan.loudness >= 0) {
      result.push_back(tables.loudness[static_cast<size_t>(plan.loudness)]);
    }
  });
}

}  // namespace continuo
