#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/token/vocabulary.h"

namespace continuo {

class Corpus;
class Tokenizer;

/// A song to cut blocks from. The spans belong to whoever made it.
struct BlockSong {
  std::span<const uint16_t> ids;
  std::span<const uint32_t> bar_offsets;
  double share = 1;  // of the epochs, in which it is; more than 0 and at most 1
};

/// The tokens of plans.
struct PlanTokens {
  static constexpr size_t kKinds = 3;  // Repeat, Density, Loudness
  std::vector<int8_t> kind;            // by id: which of the kinds, or -1
  std::vector<uint8_t> velocity;       // by id: of Velocity tokens their value, else 0
  TokenId bar = 0;
  std::vector<TokenId> loudness;  // by level
  std::array<double, 7> loudness_levels{};
};

/// By how much a song is changed as a whole.
struct SongMove {
  int32_t semitones = 0;
  int32_t velocity_steps = 0;
  int32_t tempo_steps = 0;
  bool any() const { return semitones != 0 || velocity_steps != 0 || tempo_steps != 0; }
};

/// A song that was moved, where that makes another number of ids.
struct MovedSong {
  std::vector<TokenId> ids;
  std::vector<uint32_t> bar_offsets;
};

/// Which ids frame a song and fill a block, and what ids become when music is moved.
struct BlockVocabulary {
  static constexpr int kLowestTransposition = -5;
  static constexpr int kTranspositions = 12;  // -5 ... +6
  /// Velocities move by up to 3 steps of 4, tempos by up to 3 steps of 4 %, either way.
  static constexpr int kMostSteps = 3;
  static constexpr int kSteps = 2 * kMostSteps + 1;
  static constexpr int kVelocityStep = 4;
  static constexpr double kTempoStep = 0.04;

  TokenId bos = 0;
  TokenId eos = 0;
  TokenId pad = 0;
  TokenId mask = -1;  // stands for a bar that is missing; -1 where the vocabulary has none
  /// transpose[s - kLowestTransposition][id]; -1 where the pitch has no id.
  std::array<std::vector<TokenId>, kTranspositions> transpose;
  /// velocity[step + kMostSteps][id], tempo[step + kMostSteps][id]: the id of the nearest value
  /// that the vocabulary has, or `id` where it is another kind's.
  std::array<std::vector<TokenId>, kSteps> velocity;
  std::array<std::vector<TokenId>, kSteps> tempo;
  std::optional<PlanTokens> plan;  // if the vocabulary has any (REMIPlan)
  /// Of a trained vocabulary, whose ids stand for several tokens each: moves the tokens of a song
  /// and makes ids of them. `transpose` then says no more than which ids may be moved (others than
  /// -1), and `velocity` and `tempo` change nothing. Thread-safe.
  std::function<MovedSong(std::span<const uint16_t> ids, const SongMove& move)> move_song;

  /// Fails when the vocabulary has no PAD, BOS or EOS. `tokenizer` must outlive the result.
  static Result<BlockVocabulary> Of(const Tokenizer& tokenizer);
};

enum class BlockMode { kFirst, kAll };

struct BlockOptions {
  size_t context = 1024;  // ids that the model sees at once
  BlockMode mode = BlockMode::kAll;
  uint64_t seed = 0;
  // Each song is changed as a whole, again in each epoch.
  bool transpose = false;
  bool velocity = false;
  bool tempo = false;
  /// How likely the plan of a song loses a kind of token in all its bars, and else in each bar by
  /// itself: so that a model learns to follow a part of a plan, and to write the rest.
  double plan_dropout = 0;
  /// The share of windows that have a gap of 1 to kMostGapBars bars (token/gap.h), so that a model
  /// learns to write bars given those on both sides. A window has none if it has too few bars. The
  /// vocabulary must have MASK.
  double gap_share = 0;
  /// Windows begin on other bars in each epoch.
  bool jitter = true;
  bool shuffle = true;
  /// A target that an earlier window of the song has too is masked, so that each is counted once.
  bool each_target_once = false;
};

/// One training example before it is laid into a batch: a part of BOS + song + EOS, where the song
/// is moved, and without what its plan lost.
struct Block {
  uint32_t song = 0;
  uint32_t begin = 0;         // in BOS + song + EOS; 0 or, as a rule, a bar's first token
  uint32_t first_target = 0;  // the first place whose token counts as a target; begin + 1 or later
  SongMove move;
  uint64_t epoch = 0;
  // The gap: places in BOS + song + EOS, where bars begin. None if gap_bars is 0.
  uint32_t gap_bars = 0;
  uint32_t gap_begin = 0;
  uint32_t gap_end = 0;
};

/// `rows` blocks side by side. ids[r][t] is to be followed by targets[r][t]; -1 where nothing is
/// asked.
struct Batch {
  size_t rows = 0;
  size_t context = 0;
  std::vector<int64_t> ids;      // [rows, context]
  std::vector<int64_t> targets;  // [rows, context]
  size_t target_count = 0;
};

/// Cuts songs into blocks. Everything is a pure function of the options, the songs and the epoch,
/// so that a training run can resume in the middle of an epoch from two numbers. Immutable; any
/// thread may call.
///
/// `first`: each song's first `context` ids. `all`: windows of `context` ids that begin at the
/// start or on a bar and cover the song (a bar longer than a window is cut within). The last window
/// of a song begins as early as leaves it full.
///
/// A song of share s is in n epochs s n times, rounded up or down; an epoch in which no song would
/// be has all of them.
class BlockSource {
 public:
  /// The songs' spans must outlive the source.
  BlockSource(std::vector<BlockSong> songs, BlockVocabulary vocabulary, const BlockOptions& options);

  const BlockOptions& options() const { return options_; }
  size_t song_count() const { return songs_.size(); }

  /// The blocks of an epoch in their order.
  std::vector<Block> Epoch(uint64_t epoch) const;
  /// How many blocks an epoch has, without making them all.
  size_t EpochSize(uint64_t epoch) const;
  /// Lays blocks into a batch.
  Batch Lay(std::span<const Block> blocks) const;

 private:
  std::vector<uint8_t> Present(uint64_t epoch) const;
  void CutSong(size_t song, uint64_t epoch, std::vector<Block>& blocks) const;
  /// Gives some windows of a song of `length` ids, with BOS and EOS, a gap between its bars'
  /// offsets.
  void AddGaps(std::span<const uint32_t> bars, size_t length, std::span<Block> blocks) const;
  int32_t Semitones(size_t song, uint64_t epoch) const;
  /// The places of a song's ids that its plan loses in an epoch, rising.
  std::vector<uint32_t> DroppedPlaces(size_t song, uint64_t epoch) const;
  /// Where a song's bars begin without those.
  std::vector<uint32_t> BarsWithout(size_t song, std::span<const uint32_t> dropped) const;
  /// The song of a block with a plan, all of it: without what the plan lost, moved, and with the
  /// loudness of the moved notes.
  std::vector<TokenId> PlannedSong(const Block& block) const;
  /// What an id of the block's song becomes.
  TokenId Moved(TokenId id, const Block& block) const;

  std::vector<BlockSong> songs_;
  BlockVocabulary vocabulary_;
  BlockOptions options_;
  std::vector<uint16_t> allowed_;             // for each song, a bit for each transposition that stays in range
  std::vector<std::vector<uint32_t>> plans_;  // for each song, the places of its plan's tokens; empty without dropout
};

/// The songs of one split. A song to train on whose folder has weight w is there floor(w) times,
/// and once more with the share that is left of w: as songs of their own, which begin on other bars
/// and are transposed by other intervals.
std::vector<BlockSong> SongsOf(const Corpus& corpus, bool valid);

}  // namespace continuo
