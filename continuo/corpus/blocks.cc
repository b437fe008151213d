#include "continuo/corpus/blocks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"

namespace continuo {
namespace {

// Streams of random numbers, so that no draw depends on another.
enum class Draw : uint64_t { kOrder = 1, kTransposition = 2, kJitter = 3, kVelocity = 6, kTempo = 7, kShare = 8 };

/// A stream for (epoch, song). Epochs below 2^24, songs below 2^32.
Rng DrawStream(uint64_t seed, Draw draw, uint64_t epoch, uint64_t song) {
  return Rng(seed, static_cast<uint64_t>(draw) << 56 | epoch << 32 | song);
}

}  // namespace

BlockSource::BlockSource(std::vector<BlockSong> songs, BlockVocabulary vocabulary, const BlockOptions& options)
    : songs_(std::move(songs)), vocabulary_(std::move(vocabulary)), options_(options) {
  CONTINUO_CHECK(options_.context >= 1);
  for (const BlockSong& song : songs_) {
    CONTINUO_CHECK(song.share > 0 && song.share <= 1);
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
  const auto bars = songs_[song].bar_offsets;
  const size_t length = songs_[song].ids.size() + 2;  // with BOS and EOS
  const size_t context = options_.context;
  const int32_t semitones = Semitones(song, epoch);
  const auto steps = [&](bool wanted, Draw draw) -> int32_t {
    return wanted
               ? static_cast<int32_t>(DrawStream(options_.seed, draw, epoch, song).NextBelow(BlockVocabulary::kSteps)) -
                     BlockVocabulary::kMostSteps
               : 0;
  };
  const int32_t velocity_steps = steps(options_.velocity, Draw::kVelocity);
  const int32_t tempo_steps = steps(options_.tempo, Draw::kTempo);
  const auto add = [&](size_t begin, size_t covered) {
    blocks.push_back(
        {.song = static_cast<uint32_t>(song),
         .begin = static_cast<uint32_t>(begin),
         .first_target = static_cast<uint32_t>(options_.each_target_once ? std::max(begin, covered) + 1 : begin + 1),
         .semitones = semitones,
         .velocity_steps = velocity_steps,
         .tempo_steps = tempo_steps});
  };
  // The first bar that begins at or after `place` of BOS + song, where a bar's place is its offset
  // plus one.
  const auto bar_from = [&](size_t place) {
    return std::lower_bound(bars.begin(), bars.end(), place,
                            [](uint32_t offset, size_t p) { return offset + size_t{1} < p; });
  };
  size_t begin = 0;
  size_t covered = 0;  // the last place that is a target of an earlier window
  for (;;) {
    add(begin, covered);
    const bool first = begin == 0;
    covered = std::min(begin + context, length - 1);
    if (options_.mode == BlockMode::kFirst || covered == length - 1) {
      return;
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

Batch BlockSource::Lay(std::span<const Block> blocks) const {
  Batch batch;
  batch.rows = blocks.size();
  batch.context = options_.context;
  batch.ids.assign(batch.rows * batch.context, vocabulary_.pad);
  batch.targets.assign(batch.rows * batch.context, -1);
  for (size_t row = 0; row < blocks.size(); ++row) {
    const Block& block = blocks[row];
    const auto ids = songs_[block.song].ids;
    const size_t length = ids.size() + 2;
    // What is moved, each by its map; a map leaves other kinds of ids as they are.
    std::array<const std::vector<TokenId>*, 3> maps{};
    size_t map_count = 0;
    if (block.semitones != 0) {
      maps[map_count++] =
          &vocabulary_.transpose[static_cast<size_t>(block.semitones - BlockVocabulary::kLowestTransposition)];
    }
    if (block.velocity_steps != 0) {
      maps[map_count++] =
          &vocabulary_.velocity[static_cast<size_t>(block.velocity_steps + BlockVocabulary::kMostSteps)];
    }
    if (block.tempo_steps != 0) {
      maps[map_count++] = &vocabulary_.tempo[static_cast<size_t>(block.tempo_steps + BlockVocabulary::kMostSteps)];
    }
    const auto token = [&](size_t place) -> int64_t {
      if (place == 0) {
        return vocabulary_.bos;
      }
      if (place == length - 1) {
        return vocabulary_.eos;
      }
      TokenId id = ids[place - 1];
      for (size_t i = 0; i < map_count; ++i) {
        id = (*maps[i])[static_cast<size_t>(id)];
      }
      return id;
    };
    const size_t count = std::min(batch.context, length - 1 - block.begin);
    for (size_t t = 0; t < count; ++t) {
      const size_t place = block.begin + t;
      batch.ids[row * batch.context + t] = token(place);
      if (place + 1 >= block.first_target) {
        batch.targets[row * batch.context + t] = token(place + 1);
        ++batch.target_count;
      }
    }
  }
  return batch;
}

}  // namespace continuo
