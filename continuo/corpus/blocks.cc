#include "continuo/corpus/blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"
#include "continuo/token/gap.h"
#include "continuo/token/plan.h"

namespace continuo {
namespace {

// Streams of random numbers, so that no draw depends on another.
enum class Draw : uint64_t {
  kOrder = 1,
  kTransposition = 2,
  kJitter = 3,
  kVelocity = 6,
  kTempo = 7,
  kShare = 8,
  kPlan = 9,
  kGap = 10
};

/// A stream for (epoch, song). Epochs below 2^24, songs below 2^32.
Rng DrawStream(uint64_t seed, Draw draw, uint64_t epoch, uint64_t song) {
  return Rng(seed, static_cast<uint64_t>(draw) << 56 | epoch << 32 | song);
}

/// Sets the Loudness of each bar that has one to the level of its notes.
void SetLoudness(const PlanTokens& plan, std::vector<TokenId>& ids) {
  constexpr int8_t kLoudnessKind = 2;
  size_t place = ids.size();  // of the bar's Loudness; ids.size() without one
  double sum = 0;
  double count = 0;
  const auto end_bar = [&] {
    if (place < ids.size() && count > 0) {
      ids[place] = plan.loudness[static_cast<size_t>(LevelOf(sum / count, plan.loudness_levels))];
    }
    place = ids.size();
    sum = count = 0;
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto id = static_cast<size_t>(ids[i]);
    if (ids[i] == plan.bar) {
      end_bar();
    } else if (plan.kind[id] == kLoudnessKind) {
      place = i;
    } else if (plan.velocity[id] > 0) {
      sum += plan.velocity[id];
      ++count;
    }
  }
  end_bar();
}

}  // namespace

BlockSource::BlockSource(std::vector<BlockSong> songs, BlockVocabulary vocabulary, const BlockOptions& options)
    : songs_(std::move(songs)), vocabulary_(std::move(vocabulary)), options_(options) {
  CONTINUO_CHECK(options_.context >= 1);
  for (const BlockSong& song : songs_) {
    CONTINUO_CHECK(song.share > 0 && song.share <= 1);
  }
  if (vocabulary_.plan && options_.plan_dropout > 0) {
    for (const BlockSong& song : songs_) {
      std::vector<uint32_t>& places = plans_.emplace_back();
      for (size_t place = 0; place < song.ids.size(); ++place) {
        if (vocabulary_.plan->kind[song.ids[place]] >= 0) {
          places.push_back(static_cast<uint32_t>(place));
        }
      }
    }
  }
  allowed_.assign(songs_.size(), 0);
  if (!options_.transpose) {
    return;
  }
  for (size_t song = 0; song < songs_.size(); ++song) {
    std::vector<uint8_t> used(vocabulary_.transpose[0].size());
    for (const uint16_t id : songs_[song].ids) {
      used[id] = 1;
    }
    for (size_t s = 0; s < vocabulary_.transpose.size(); ++s) {
      const std::vector<TokenId>& map = vocabulary_.transpose[s];
      bool fits = true;
      for (size_t id = 0; id < used.size(); ++id) {
        fits = fits && (used[id] == 0 || map[id] >= 0);
      }
      allowed_[song] |= static_cast<uint16_t>(fits ? 1u << s : 0u);
    }
  }
}

int32_t BlockSource::Semitones(size_t song, uint64_t epoch) const {
  const uint32_t allowed = allowed_[song];
  if (allowed == 0) {
    return 0;
  }
  uint64_t pick = DrawStream(options_.seed, Draw::kTransposition, epoch, song)
                      .NextBelow(static_cast<uint64_t>(std::popcount(allowed)));
  for (int32_t s = 0;; ++s) {
    if ((allowed >> s & 1u) != 0 && pick-- == 0) {
      return s + BlockVocabulary::kLowestTransposition;
    }
  }
}

std::vector<uint32_t> BlockSource::DroppedPlaces(size_t song, uint64_t epoch) const {
  std::vector<uint32_t> dropped;
  if (plans_.empty()) {
    return dropped;
  }
  Rng rng = DrawStream(options_.seed, Draw::kPlan, epoch, song);
  std::array<bool, PlanTokens::kKinds> everywhere{};
  for (bool& kind : everywhere) {
    kind = rng.NextDouble() < options_.plan_dropout;
  }
  for (const uint32_t place : plans_[song]) {
    const bool here = rng.NextDouble() < options_.plan_dropout;
    if (here || everywhere[static_cast<size_t>(vocabulary_.plan->kind[songs_[song].ids[place]])]) {
      dropped.push_back(place);
    }
  }
  return dropped;
}

std::vector<uint32_t> BlockSource::BarsWithout(size_t song, std::span<const uint32_t> dropped) const {
  std::vector<uint32_t> bars;
  size_t before = 0;
  for (const uint32_t offset : songs_[song].bar_offsets) {
    while (before < dropped.size() && dropped[before] < offset) {
      ++before;
    }
    bars.push_back(offset - static_cast<uint32_t>(before));
  }
  return bars;
}

/// For each song whether it is in an epoch. Its place among the epochs is drawn once.
std::vector<uint8_t> BlockSource::Present(uint64_t epoch) const {
  std::vector<uint8_t> present(songs_.size(), 1);
  for (size_t song = 0; song < songs_.size(); ++song) {
    if (const double share = songs_[song].share; share < 1) {
      const double place = DrawStream(options_.seed, Draw::kShare, 0, song).NextDouble();
      const double before = std::floor(static_cast<double>(epoch) * share + place);
      const double after = std::floor(static_cast<double>(epoch + 1) * share + place);
      present[song] = after > before ? 1 : 0;
    }
  }
  if (std::find(present.begin(), present.end(), 1) == present.end()) {
    std::fill(present.begin(), present.end(), uint8_t{1});
  }
  return present;
}

void BlockSource::CutSong(size_t song, uint64_t epoch, std::vector<Block>& blocks) const {
  const auto steps = [&](bool wanted, Draw draw) -> int32_t {
    return wanted
               ? static_cast<int32_t>(DrawStream(options_.seed, draw, epoch, song).NextBelow(BlockVocabulary::kSteps)) -
                     BlockVocabulary::kMostSteps
               : 0;
  };
  const SongMove move = {.semitones = Semitones(song, epoch),
                         .velocity_steps = steps(options_.velocity, Draw::kVelocity),
                         .tempo_steps = steps(options_.tempo, Draw::kTempo)};
  const std::vector<uint32_t> dropped = DroppedPlaces(song, epoch);
  std::span<const uint32_t> bars = songs_[song].bar_offsets;
  size_t length = songs_[song].ids.size() - dropped.size() + 2;  // with BOS and EOS
  MovedSong moved;
  if (vocabulary_.move_song && move.any()) {
    moved = vocabulary_.move_song(songs_[song].ids, move);
    bars = moved.bar_offsets;
    length = moved.ids.size() + 2;
  } else if (!dropped.empty()) {
    moved.bar_offsets = BarsWithout(song, dropped);
    bars = moved.bar_offsets;
  }
  const size_t context = options_.context;
  const auto add = [&](size_t begin, size_t covered) {
    blocks.push_back(
        {.song = static_cast<uint32_t>(song),
         .begin = static_cast<uint32_t>(begin),
         .first_target = static_cast<uint32_t>(options_.each_target_once ? std::max(begin, covered) + 1 : begin + 1),
         .move = move,
         .epoch = epoch});
  };
  // The first bar that begins at or after `place` of BOS + song, where a bar's place is its offset
  // plus one.
  const auto bar_from = [&](size_t place) {
    return std::lower_bound(bars.begin(), bars.end(), place,
                            [](uint32_t offset, size_t p) { return offset + size_t{1} < p; });
  };
  const size_t first_block = blocks.size();
  size_t begin = 0;
  size_t covered = 0;  // the last place that is a target of an earlier window
  for (;;) {
    add(begin, covered);
    const bool first = begin == 0;
    covered = std::min(begin + context, length - 1);
    if (options_.mode == BlockMode::kFirst || covered == length - 1) {
      break;
    }
    // Bars where the next window may begin: after this one's first tokens, and no later than
    // `covered`, whose token it then has as its first id.
    const auto low = bar_from(begin + 2);
    const auto high = bar_from(covered + 1);
    if (low >= high) {
      begin = covered;  // within a long bar
      continue;
    }
    auto chosen = high - 1;
    if (const auto full = bar_from(length - 1 - context); full < high) {
      chosen = std::max(low, full);  // the last window: as early as leaves it full
    } else if (first && options_.jitter) {
      Rng rng = DrawStream(options_.seed, Draw::kJitter, epoch, song);
      chosen = low + static_cast<std::ptrdiff_t>(rng.NextBelow(static_cast<uint64_t>(high - low)));
    }
    begin = size_t{*chosen} + 1;
  }
  if (options_.gap_share > 0) {
    AddGaps(bars, length, std::span(blocks).subspan(first_block));
  }
}

void BlockSource::AddGaps(std::span<const uint32_t> bars, size_t length, std::span<Block> blocks) const {
  Rng rng = DrawStream(options_.seed, Draw::kGap, blocks[0].epoch, blocks[0].song);
  for (Block& block : blocks) {
    const bool wanted = rng.NextDouble() < options_.gap_share;
    const size_t gap = 1 + rng.NextBelow(kMostGapBars);
    const double place = rng.NextDouble();
    // Of the song's ids the window keeps those before `end`: the gap's own ids need room too.
    const size_t own = gap + 2;
    if (!wanted || options_.context < own) {
      continue;
    }
    const size_t end = std::min(block.begin + options_.context + 1 - own, length - 1);
    // The gap's first bar and the bar after its last begin in the window. Their places are their
    // offsets plus one.
    const auto from = std::lower_bound(bars.begin(), bars.end(), std::max(block.begin, 1U) - 1);
    const auto to = std::lower_bound(from, bars.end(), end - 1);
    const auto count = static_cast<size_t>(to - from);
    if (count <= gap) {
      continue;
    }
    const auto first = from + static_cast<std::ptrdiff_t>(place * static_cast<double>(count - gap));
    block.gap_bars = static_cast<uint32_t>(gap);
    block.gap_begin = *first + 1;
    block.gap_end = *(first + static_cast<std::ptrdiff_t>(gap)) + 1;
  }
}

std::vector<Block> BlockSource::Epoch(uint64_t epoch) const {
  std::vector<Block> blocks;
  const std::vector<uint8_t> present = Present(epoch);
  for (size_t song = 0; song < songs_.size(); ++song) {
    if (present[song] != 0) {
      CutSong(song, epoch, blocks);
    }
  }
  if (options_.shuffle) {
    Rng rng = DrawStream(options_.seed, Draw::kOrder, epoch, 0);
    for (size_t i = blocks.size(); i > 1; --i) {
      std::swap(blocks[i - 1], blocks[rng.NextBelow(i)]);
    }
  }
  return blocks;
}

size_t BlockSource::EpochSize(uint64_t epoch) const {
  std::vector<Block> blocks;
  size_t count = 0;
  const std::vector<uint8_t> present = Present(epoch);
  for (size_t song = 0; song < songs_.size(); ++song) {
    if (present[song] == 0) {
      continue;
    }
    blocks.clear();
    CutSong(song, epoch, blocks);
    count += blocks.size();
  }
  return count;
}

// Each map leaves other kinds of ids as they are.
TokenId BlockSource::Moved(TokenId id, const Block& block) const {
  const auto move = [&id](const auto& maps, int32_t steps, int32_t least) {
    if (steps != 0) {
      id = maps[static_cast<size_t>(steps - least)][static_cast<size_t>(id)];
    }
  };
  move(vocabulary_.transpose, block.move.semitones, BlockVocabulary::kLowestTransposition);
  move(vocabulary_.velocity, block.move.velocity_steps, -BlockVocabulary::kMostSteps);
  move(vocabulary_.tempo, block.move.tempo_steps, -BlockVocabulary::kMostSteps);
  return id;
}

std::vector<TokenId> BlockSource::PlannedSong(const Block& block) const {
  const auto ids = songs_[block.song].ids;
  const std::vector<uint32_t> dropped = DroppedPlaces(block.song, block.epoch);
  std::vector<TokenId> song;
  song.reserve(ids.size() - dropped.size());
  size_t next = 0;  // in `dropped`
  for (size_t place = 0; place < ids.size(); ++place) {
    if (next < dropped.size() && dropped[next] == place) {
      ++next;
    } else {
      song.push_back(Moved(ids[place], block));
    }
  }
  if (block.move.velocity_steps != 0) {
    SetLoudness(*vocabulary_.plan, song);
  }
  return song;
}

Batch BlockSource::Lay(std::span<const Block> blocks) const {
  Batch batch;
  batch.rows = blocks.size();
  batch.context = options_.context;
  batch.ids.assign(batch.rows * batch.context, vocabulary_.pad);
  batch.targets.assign(batch.rows * batch.context, -1);
  for (size_t row = 0; row < blocks.size(); ++row) {
    const Block& block = blocks[row];
    const auto ids = songs_[block.song].ids;
    const bool moved = vocabulary_.move_song && block.move.any();
    const bool planned = vocabulary_.plan && (!plans_.empty() || block.move.velocity_steps != 0);
    const std::vector<TokenId> song = moved     ? vocabulary_.move_song(ids, block.move).ids
                                      : planned ? PlannedSong(block)
                                                : std::vector<TokenId>();
    const bool is_whole = moved || planned;  // `song` is what is laid
    const size_t length = (is_whole ? song.size() : ids.size()) + 2;
    const auto token = [&](size_t place) -> int64_t {
      if (place == 0) {
        return vocabulary_.bos;
      }
      if (place == length - 1) {
        return vocabulary_.eos;
      }
      return is_whole ? song[place - 1] : Moved(ids[place - 1], block);
    };
    std::vector<int64_t> window;  // the last is a target alone
    const auto add = [&](size_t from, size_t to) {
      for (size_t place = from; place < to; ++place) {
        window.push_back(token(place));
      }
    };
    if (block.gap_bars == 0) {
      add(block.begin, std::min(block.begin + batch.context + 1, length));
    } else {
      const size_t own = block.gap_bars + 2;
      add(block.begin, block.gap_begin);
      window.insert(window.end(), block.gap_bars, vocabulary_.mask);
      add(block.gap_end, std::min(block.begin + batch.context + 1 - own, length - 1));
      window.push_back(vocabulary_.bos);
      add(block.gap_begin, block.gap_end);
      window.push_back(vocabulary_.eos);
    }
    for (size_t t = 0; t + 1 < window.size(); ++t) {
      batch.ids[row * batch.context + t] = window[t];
      if (block.begin + t + 1 >= block.first_target) {
        batch.targets[row * batch.context + t] = window[t + 1];
        ++batch.target_count;
      }
    }
  }
  return batch;
}

}  // namespace continuo
