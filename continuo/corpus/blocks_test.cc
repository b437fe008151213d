#include "continuo/corpus/blocks.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "continuo/core/rng.h"
#include "continuo/score/score_file.h"
#include "continuo/token/gap.h"
#include "continuo/token/tokenizer.h"
#include "continuo/token/train_tokenizer.h"

namespace continuo {
namespace {

using testing::ElementsAre;

constexpr TokenId kPad = 0, kBos = 1, kEos = 2, kBar = 3, kMask = 4, kLowestPitch = 10, kHighestPitch = 49;

/// A vocabulary of a bar and 40 pitches.
BlockVocabulary SmallVocabulary() {
  BlockVocabulary vocabulary;
  vocabulary.pad = kPad;
  vocabulary.bos = kBos;
  vocabulary.eos = kEos;
  vocabulary.mask = kMask;
  for (int i = 0; i < BlockVocabulary::kTranspositions; ++i) {
    for (TokenId id = 0; id <= kHighestPitch; ++id) {
      const TokenId moved = id + i + BlockVocabulary::kLowestTransposition;
      const bool fits = moved >= kLowestPitch && moved <= kHighestPitch;
      vocabulary.transpose[static_cast<size_t>(i)].push_back(id < kLowestPitch ? id : fits ? moved : -1);
    }
  }
  return vocabulary;
}

/// Songs made of bars of random length.
struct Songs {
  std::vector<std::vector<uint16_t>> ids;
  std::vector<std::vector<uint32_t>> bars;

  void Add(const std::vector<size_t>& bar_lengths, Rng& rng) {
    std::vector<uint16_t> song;
    std::vector<uint32_t> offsets;
    for (const size_t length : bar_lengths) {
      offsets.push_back(static_cast<uint32_t>(song.size()));
      song.push_back(kBar);
      for (size_t i = 1; i < length; ++i) {
        song.push_back(static_cast<uint16_t>(kLowestPitch + 10 + static_cast<TokenId>(rng.NextBelow(20))));
      }
    }
    ids.push_back(std::move(song));
    bars.push_back(std::move(offsets));
  }

  std::vector<BlockSong> spans() const {
    std::vector<BlockSong> result;
    for (size_t i = 0; i < ids.size(); ++i) {
      result.push_back({ids[i], bars[i]});
    }
    return result;
  }
};

Songs RandomSongs(size_t count, size_t max_bars, size_t max_bar_length) {
  Rng rng(7, count);
  Songs songs;
  for (size_t i = 0; i < count; ++i) {
    std::vector<size_t> lengths(1 + rng.NextBelow(max_bars));
    for (size_t& length : lengths) {
      length = 1 + rng.NextBelow(max_bar_length);
    }
    songs.Add(lengths, rng);
  }
  return songs;
}

std::vector<int64_t> Row(const std::vector<int64_t>& values, const Batch& batch, size_t row) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * batch.context);
  return {begin, begin + static_cast<std::ptrdiff_t>(batch.context)};
}

TEST(BlocksTest, AShortSongIsFramedAndPadded) {
  Rng rng(1, 1);
  Songs songs;
  songs.Add({3}, rng);
  songs.ids[0] = {kBar, 20, 21};
  const BlockSource source(songs.spans(), SmallVocabulary(), {.context = 6});
  const auto blocks = source.Epoch(0);
  ASSERT_EQ(blocks.size(), 1u);
  const Batch batch = source.Lay(blocks);
  EXPECT_THAT(batch.ids, ElementsAre(kBos, kBar, 20, 21, kPad, kPad));
  EXPECT_THAT(batch.targets, ElementsAre(kBar, 20, 21, kEos, -1, -1));
  EXPECT_EQ(batch.target_count, 4u);
}

TEST(BlocksTest, FirstTakesOnlyTheBeginningOfEachSong) {
  const Songs songs = RandomSongs(20, 30, 12);
  const BlockSource source(songs.spans(), SmallVocabulary(), {.context = 16, .mode = BlockMode::kFirst});
  const auto blocks = source.Epoch(3);
  ASSERT_EQ(blocks.size(), 20u);
  std::set<uint32_t> seen;
  for (const Block& block : blocks) {
    EXPECT_EQ(block.begin, 0u);
    seen.insert(block.song);
  }
  EXPECT_EQ(seen.size(), 20u);
}

TEST(BlocksTest, WindowsBeginOnBarsAndCoverEveryToken) {
  const Songs songs = RandomSongs(50, 60, 12);
  const BlockSource source(songs.spans(), SmallVocabulary(), {.context = 32});
  for (uint64_t epoch = 0; epoch < 5; ++epoch) {
    std::map<uint32_t, std::set<size_t>> targets;
    for (const Block& block : source.Epoch(epoch)) {
      const auto& bars = songs.bars[block.song];
      EXPECT_TRUE(block.begin == 0 || std::binary_search(bars.begin(), bars.end(), block.begin - 1));
      for (size_t place = block.begin + 1; place <= block.begin + 32 && place < songs.ids[block.song].size() + 2;
           ++place) {
        targets[block.song].insert(place);
      }
    }
    for (uint32_t song = 0; song < 50; ++song) {
      EXPECT_EQ(targets[song].size(), songs.ids[song].size() + 1) << "song " << song;
    }
  }
}

TEST(BlocksTest, ABarLongerThanAWindowIsCutWithin) {
  Rng rng(1, 1);
  Songs songs;
  songs.Add({200, 5}, rng);
  const BlockSource source(songs.spans(), SmallVocabulary(), {.context = 32, .each_target_once = true});
  const auto blocks = source.Epoch(0);
  EXPECT_EQ(source.Lay(blocks).target_count, 206u);
}

TEST(BlocksTest, EachTargetOnceCountsEachTokenOnce) {
  const Songs songs = RandomSongs(50, 60, 50);
  size_t tokens = 0;
  for (const auto& ids : songs.ids) {
    tokens += ids.size() + 1;
  }
  for (const bool jitter : {false, true}) {
    const BlockSource source(songs.spans(), SmallVocabulary(),
                             {.context = 32, .jitter = jitter, .each_target_once = true});
    EXPECT_EQ(source.Lay(source.Epoch(0)).target_count, tokens);
  }
}

TEST(BlocksTest, TargetsAreTheNextIds) {
  const Songs songs = RandomSongs(10, 60, 12);
  const BlockSource source(songs.spans(), SmallVocabulary(), {.context = 24, .transpose = true});
  const auto blocks = source.Epoch(1);
  const Batch batch = source.Lay(blocks);
  for (size_t row = 0; row < batch.rows; ++row) {
    const auto ids = Row(batch.ids, batch, row);
    const auto targets = Row(batch.targets, batch, row);
    for (size_t t = 0; t + 1 < batch.context; ++t) {
      if (targets[t] >= 0 && targets[t] != kEos) {
        EXPECT_EQ(targets[t], ids[t + 1]);
      }
    }
  }
}

TEST(BlocksTest, AnEpochIsAFunctionOfSeedAndNumber) {
  const Songs songs = RandomSongs(30, 60, 12);
  const auto places = [&](uint64_t seed, uint64_t epoch) {
    const BlockSource source(songs.spans(), SmallVocabulary(), {.context = 32, .seed = seed, .transpose = true});
    std::vector<std::array<int64_t, 3>> result;
    for (const Block& block : source.Epoch(epoch)) {
      result.push_back({block.song, block.begin, block.move.semitones});
    }
    EXPECT_EQ(result.size(), source.EpochSize(epoch));
    return result;
  };
  EXPECT_EQ(places(1, 4), places(1, 4));
  EXPECT_NE(places(1, 4), places(1, 5));
  EXPECT_NE(places(1, 4), places(2, 4));
}

TEST(BlocksTest, ASongIsInItsShareOfTheEpochs) {
  const Songs songs = RandomSongs(20, 30, 12);
  std::vector<BlockSong> spans = songs.spans();
  for (size_t i = 0; i < 15; ++i) {
    spans[i].share = i < 10 ? 0.3 : 0.5;
  }
  const BlockSource source(spans, SmallVocabulary(), {.context = 16, .seed = 3});
  std::vector<size_t> epochs(20);
  std::set<size_t> sizes;
  for (uint64_t epoch = 0; epoch < 100; ++epoch) {
    const auto blocks = source.Epoch(epoch);
    EXPECT_EQ(blocks.size(), source.EpochSize(epoch));
    std::set<uint32_t> present;
    for (const Block& block : blocks) {
      present.insert(block.song);
    }
    for (const uint32_t song : present) {
      ++epochs[song];
    }
    sizes.insert(present.size());
  }
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_NEAR(static_cast<double>(epochs[i]), i < 10 ? 30 : i < 15 ? 50 : 100, 1) << i;
  }
  EXPECT_GT(sizes.size(), 1u);  // not all in the same epochs
}

TEST(BlocksTest, SharesLeaveOtherSongsAsTheyAre) {
  const Songs songs = RandomSongs(20, 30, 12);
  const auto blocks_of_last = [&](double share) {
    std::vector<BlockSong> spans = songs.spans();
    spans[0].share = share;
    const BlockSource source(spans, SmallVocabulary(), {.context = 16, .transpose = true, .shuffle = false});
    std::vector<std::array<int64_t, 3>> result;
    for (const Block& block : source.Epoch(5)) {
      if (block.song > 0) {
        result.push_back({block.song, block.begin, block.move.semitones});
      }
    }
    return result;
  };
  EXPECT_EQ(blocks_of_last(0.5), blocks_of_last(1));
}

TEST(BlocksTest, AnEpochIsNeverEmpty) {
  const Songs songs = RandomSongs(3, 30, 12);
  std::vector<BlockSong> spans = songs.spans();
  for (BlockSong& song : spans) {
    song.share = 0.1;
  }
  const BlockSource source(spans, SmallVocabulary(), {.context = 16});
  for (uint64_t epoch = 0; epoch < 20; ++epoch) {
    EXPECT_GT(source.EpochSize(epoch), 0u);
    EXPECT_EQ(source.Epoch(epoch).size(), source.EpochSize(epoch));
  }
}

TEST(BlocksTest, ASongIsMovedAsAWholeAndStaysInRange) {
  Rng rng(5, 5);
  Songs songs = RandomSongs(40, 60, 12);
  songs.ids[0].back() = kLowestPitch;   // no room below
  songs.ids[1].back() = kHighestPitch;  // no room above
  const BlockSource source(songs.spans(), SmallVocabulary(), {.context = 32, .transpose = true});
  std::set<int32_t> semitones;
  for (uint64_t epoch = 0; epoch < 30; ++epoch) {
    std::map<uint32_t, int32_t> of_song;
    const auto blocks = source.Epoch(epoch);
    for (const Block& block : blocks) {
      EXPECT_EQ(of_song.emplace(block.song, block.move.semitones).first->second, block.move.semitones);
      semitones.insert(block.move.semitones);
    }
    EXPECT_GE(of_song[0], 0);
    EXPECT_LE(of_song[1], 0);
    for (const int64_t id : source.Lay(blocks).ids) {
      EXPECT_GE(id, 0);
    }
  }
  EXPECT_EQ(*semitones.begin(), -5);
  EXPECT_EQ(*semitones.rbegin(), 6);
  EXPECT_EQ(semitones.size(), 12u);
}

TEST(BlocksTest, VelocitiesAndTemposMoveAsFarAsTheVocabularyGoes) {
  const auto tokenizer = Tokenizer::Load("remi").value();
  const Vocabulary& vocabulary = tokenizer->vocabulary();
  const BlockVocabulary maps = BlockVocabulary::Of(*tokenizer).value();
  const auto id = [&](std::string_view token) { return vocabulary.Find(token).value(); };
  const auto at = [](const auto& steps, int step, TokenId of) {
    return steps[static_cast<size_t>(step + BlockVocabulary::kMostSteps)][static_cast<size_t>(of)];
  };
  EXPECT_EQ(at(maps.velocity, 2, id("Velocity_63")), id("Velocity_71"));
  EXPECT_EQ(at(maps.velocity, -3, id("Velocity_63")), id("Velocity_51"));
  EXPECT_EQ(at(maps.velocity, 3, id("Velocity_127")), id("Velocity_127"));
  EXPECT_EQ(at(maps.velocity, 0, id("Velocity_63")), id("Velocity_63"));
  EXPECT_EQ(at(maps.velocity, 2, id("Pitch_60")), id("Pitch_60"));
  EXPECT_EQ(at(maps.tempo, 2, id("Pitch_60")), id("Pitch_60"));
}

TEST(BlocksTest, ASongIsLouderAndFasterAsAWholeAnewEachEpoch) {
  BlockVocabulary vocabulary = SmallVocabulary();
  for (int step = -BlockVocabulary::kMostSteps; step <= BlockVocabulary::kMostSteps; ++step) {
    // Velocities are the ids from 30 on, tempos the others; both in the middle of their range here.
    for (TokenId id = 0; id <= kHighestPitch; ++id) {
      const auto i = static_cast<size_t>(step + BlockVocabulary::kMostSteps);
      vocabulary.velocity[i].push_back(id >= 30 ? id + step : id);
      vocabulary.tempo[i].push_back(id >= kLowestPitch && id < 30 ? id + step : id);
    }
  }
  const std::vector<uint16_t> ids = {kBar, 20, 40};
  const std::vector<uint32_t> bars = {0};
  const BlockSource source({BlockSong{ids, bars}}, vocabulary, {.context = 4, .velocity = true, .tempo = true});
  std::set<int64_t> tempos, velocities;
  for (uint64_t epoch = 0; epoch < 60; ++epoch) {
    const Batch batch = source.Lay(source.Epoch(epoch));
    tempos.insert(batch.ids[2]);
    velocities.insert(batch.ids[3]);
    EXPECT_EQ(batch.targets[2], batch.ids[3]);
    EXPECT_EQ(batch.ids[1], kBar);
    EXPECT_EQ(source.Lay(source.Epoch(epoch)).ids, batch.ids);
  }
  EXPECT_THAT(tempos, ElementsAre(17, 18, 19, 20, 21, 22, 23));
  EXPECT_THAT(velocities, ElementsAre(37, 38, 39, 40, 41, 42, 43));
}

TEST(BlocksTest, AGapsBarsStandAfterThoseOnBothSides) {
  const Songs songs = RandomSongs(60, 60, 12);
  for (const size_t context : {40, 200, 1000}) {
    const BlockSource plain(songs.spans(), SmallVocabulary(), {.context = context});
    const BlockSource source(songs.spans(), SmallVocabulary(), {.context = context, .gap_share = 0.5});
    std::map<uint32_t, int> sizes;
    std::set<double> places;
    size_t windows = 0;
    for (uint64_t epoch = 0; epoch < 5; ++epoch) {
      const std::vector<Block> blocks = source.Epoch(epoch);
      const std::vector<Block> same = plain.Epoch(epoch);
      ASSERT_EQ(blocks.size(), same.size());  // windows are the same
      const Batch batch = source.Lay(blocks);
      for (size_t row = 0; row < blocks.size(); ++row) {
        const Block& block = blocks[row];
        ++windows;
        EXPECT_EQ(block.begin, same[row].begin);
        std::vector<int64_t> song{kBos};
        song.insert(song.end(), songs.ids[block.song].begin(), songs.ids[block.song].end());
        const auto part = [&](size_t from, size_t to) {
          return std::vector<int64_t>(song.begin() + static_cast<std::ptrdiff_t>(from),
                                      song.begin() + static_cast<std::ptrdiff_t>(std::min(to, song.size())));
        };
        std::vector<int64_t> row_ids = Row(batch.ids, batch, row);
        const std::vector<int64_t> targets = Row(batch.targets, batch, row);
        if (block.gap_bars == 0) {
          EXPECT_EQ(row_ids, Row(plain.Lay({&same[row], 1}).ids, batch, 0));
          continue;
        }
        ++sizes[block.gap_bars];
        std::vector<int64_t> expected = part(block.begin, block.gap_begin);
        expected.insert(expected.end(), block.gap_bars, kMask);
        const std::vector<int64_t> after = part(block.gap_end, block.begin + context - 1 - block.gap_bars);
        expected.insert(expected.end(), after.begin(), after.end());
        expected.push_back(kBos);
        const std::vector<int64_t> middle = part(block.gap_begin, block.gap_end);
        expected.insert(expected.end(), middle.begin(), middle.end());
        EXPECT_EQ(std::count(middle.begin(), middle.end(), kBar), block.gap_bars);
        EXPECT_EQ(middle.front(), kBar);
        ASSERT_FALSE(after.empty());
        EXPECT_EQ(after.front(), kBar);
        ASSERT_LE(expected.size(), context);
        row_ids.resize(expected.size());
        EXPECT_EQ(row_ids, expected);
        EXPECT_EQ(targets[expected.size() - 1], kEos);
        if (expected.size() < context) {
          EXPECT_EQ(targets[expected.size()], -1);
        }
        EXPECT_EQ(
            std::vector<int64_t>(targets.begin(), targets.begin() + static_cast<std::ptrdiff_t>(expected.size()) - 1),
            std::vector<int64_t>(expected.begin() + 1, expected.end()));
        places.insert(static_cast<double>(block.gap_begin));
      }
    }
    const auto gaps =
        std::accumulate(sizes.begin(), sizes.end(), 0, [](int sum, const auto& s) { return sum + s.second; });
    EXPECT_GT(gaps, static_cast<int>(windows) / 8) << context;
    if (context == 1000) {
      EXPECT_EQ(sizes.size(), kMostGapBars);
      EXPECT_GT(places.size(), 50U);
    }
  }
}

/// Songs of three bars with a plan each, of the preset remiplan.
class PlannedSongsTest : public testing::Test {
 protected:
  PlannedSongsTest() {
    for (int i = 0; i < 40; ++i) {
      Add("Bar_None TimeSig_4/4 Repeat_0 Density_2 Loudness_2 Position_0 Pitch_60 Velocity_63 Duration_1.0.8 "
          "Bar_None TimeSig_4/4 Repeat_1 Density_2 Loudness_3 Position_0 Pitch_60 Velocity_67 Duration_1.0.8 Pitch_64 "
          "Velocity_63 Duration_1.0.8 "
          "Bar_None TimeSig_4/4 Repeat_0 Density_0");
    }
  }
  void Add(const std::string& text) {
    std::vector<uint16_t> ids;
    std::vector<uint32_t> bars;
    for (size_t first = 0; first < text.size();) {
      const size_t last = std::min(text.find(' ', first), text.size());
      const TokenId id = vocabulary_.Find(text.substr(first, last - first)).value();
      if (vocabulary_.info(id).type == TokenType::kBar) {
        bars.push_back(static_cast<uint32_t>(ids.size()));
      }
      ids.push_back(static_cast<uint16_t>(id));
      first = last + 1;
    }
    ids_.push_back(std::move(ids));
    bars_.push_back(std::move(bars));
  }
  BlockSource Source(const BlockOptions& options) const {
    std::vector<BlockSong> songs;
    for (size_t i = 0; i < ids_.size(); ++i) {
      songs.push_back({ids_[i], bars_[i]});
    }
    return BlockSource(songs, BlockVocabulary::Of(*tokenizer_).value(), options);
  }
  /// A row's tokens from BOS to the song's end, padding left out.
  std::vector<std::string> Tokens(const Batch& batch, size_t row) const {
    std::vector<std::string> tokens;
    for (const int64_t id : Row(batch.ids, batch, row)) {
      if (id != vocabulary_.pad()) {
        tokens.push_back(vocabulary_.token(static_cast<TokenId>(id)));
      }
    }
    return tokens;
  }

  std::unique_ptr<Tokenizer> tokenizer_ = Tokenizer::Load("remiplan").value();
  const Vocabulary& vocabulary_ = tokenizer_->vocabulary();
  std::vector<std::vector<uint16_t>> ids_;
  std::vector<std::vector<uint32_t>> bars_;
};

TEST_F(PlannedSongsTest, KindsAreDroppedFromWholeSongsAndFromBars) {
  const BlockSource source = Source({.context = 64, .plan_dropout = 0.3, .shuffle = false});
  std::map<std::string, int> whole, some;  // by kind: songs that lost it everywhere, and in a part of their bars
  double songs = 0;
  for (uint64_t epoch = 0; epoch < 50; ++epoch) {
    const std::vector<Block> blocks = source.Epoch(epoch);
    const Batch batch = source.Lay(blocks);
    EXPECT_EQ(source.Lay(source.Epoch(epoch)).ids, batch.ids);
    ASSERT_EQ(blocks.size(), ids_.size());
    for (size_t row = 0; row < batch.rows; ++row) {
      const std::vector<std::string> tokens = Tokens(batch, row);
      std::vector<std::string> rest;
      std::map<std::string, int> left{{"Repeat", 0}, {"Density", 0}, {"Loudness", 0}};
      for (const std::string& token : tokens) {
        const auto kind = left.find(token.substr(0, token.find('_')));
        kind == left.end() ? rest.push_back(token) : static_cast<void>(++kind->second);
      }
      EXPECT_EQ(rest.size(), ids_[0].size() - 8 + 1);  // with BOS; all else is there
      for (const auto& [kind, count] : left) {
        const int all = kind == "Loudness" ? 2 : 3;
        whole[kind] += count == 0;
        some[kind] += count > 0 && count < all;
      }
      // The target of the last token is EOS.
      const std::vector<int64_t> targets = Row(batch.targets, batch, row);
      EXPECT_EQ(targets[tokens.size() - 1], vocabulary_.eos());
      ++songs;
    }
  }
  // 0.3, or each of three bars by itself: 0.3 + 0.7 * 0.3^3; and for Loudness of two.
  EXPECT_NEAR(whole["Repeat"] / songs, 0.319, 0.04);
  EXPECT_NEAR(whole["Density"] / songs, 0.319, 0.04);
  EXPECT_NEAR(whole["Loudness"] / songs, 0.363, 0.04);
  EXPECT_NEAR(some["Repeat"] / songs, 0.7 * (1 - 0.027 - 0.343), 0.04);
}

TEST_F(PlannedSongsTest, WindowsBeginOnBarsOfWhatIsLeft) {
  for (size_t i = 0; i < ids_.size(); ++i) {
    const std::vector<uint16_t> once = ids_[i];
    for (int times = 0; times < 4; ++times) {
      for (const uint32_t bar : std::vector<uint32_t>(bars_[i].begin(), bars_[i].begin() + 3)) {
        bars_[i].push_back(static_cast<uint32_t>(ids_[i].size()) + bar);
      }
      ids_[i].insert(ids_[i].end(), once.begin(), once.end());
    }
  }
  const BlockSource source = Source({.context = 32, .plan_dropout = 0.4});
  size_t windows = 0;
  for (uint64_t epoch = 0; epoch < 5; ++epoch) {
    const std::vector<Block> blocks = source.Epoch(epoch);
    EXPECT_EQ(blocks.size(), source.EpochSize(epoch));
    const Batch batch = source.Lay(blocks);
    for (size_t row = 0; row < batch.rows; ++row) {
      EXPECT_EQ(Tokens(batch, row)[0], blocks[row].begin == 0 ? "BOS_None" : "Bar_None");
      windows += blocks[row].begin > 0;
    }
  }
  EXPECT_GT(windows, 400U);
}

TEST_F(PlannedSongsTest, LoudnessIsThatOfTheMovedVelocities) {
  const BlockSource source = Source({.context = 64, .velocity = true, .shuffle = false});
  const std::array<double, 7> levels = tokenizer_->config().plan->loudness;
  std::set<std::string> seen;
  for (uint64_t epoch = 0; epoch < 5; ++epoch) {
    const Batch batch = source.Lay(source.Epoch(epoch));
    for (size_t row = 0; row < batch.rows; ++row) {
      std::vector<std::string> loudness;
      std::vector<double> velocities;
      for (const std::string& token : Tokens(batch, row)) {
        if (token.starts_with("Loudness_")) {
          loudness.push_back(token);
          seen.insert(token);
        } else if (token.starts_with("Velocity_")) {
          velocities.push_back(std::stod(token.substr(9)));
        }
      }
      const auto level = [&](double value) {
        return fmt::format("Loudness_{}",
                           std::count_if(levels.begin(), levels.end(), [&](double l) { return l <= value; }));
      };
      EXPECT_THAT(loudness, ElementsAre(level(velocities[0]), level((velocities[1] + velocities[2]) / 2)));
    }
  }
  EXPECT_GT(seen.size(), 4U);
}

TEST_F(PlannedSongsTest, WithoutDropoutPlansStay) {
  const BlockSource source = Source({.context = 64, .transpose = true, .shuffle = false});
  for (const char* token : {"Repeat_1", "Density_2", "Loudness_3"}) {
    EXPECT_THAT(Tokens(source.Lay(source.Epoch(1)), 3), testing::Contains(token));
  }
}

/// Songs in the ids of a vocabulary that MidiTok trained, or of remi's trained here.
class TrainedSongsTest : public testing::TestWithParam<std::string> {
 protected:
  static constexpr const char* kFolder = CONTINUO_SOURCE_DIR;

  static std::vector<Score> Scores() {
    std::vector<Score> scores;
    for (const char* name : {"etude-01", "etude-02", "etude-03", "etude-04"}) {
      scores.push_back(ReadScore(fmt::format("{}/examples/corpus/{}.mid", kFolder, name)).value());
    }
    return scores;
  }
  static std::unique_ptr<Tokenizer> TokenizerOf(const std::string& name) {
    if (name != "remi") {
      return Tokenizer::LoadPlainOrTrained(fmt::format("{}/testdata/tokens/trained/{}.json", kFolder, name)).value();
    }
    auto trainer = TokenizerTrainer::Create(*PresetConfig(name, MidiTokRelease::k3_1_0), 1'000'000).value();
    for (const Score& score : Scores()) {
      trainer.Add(trainer.WordsOf(score));
    }
    return Tokenizer::FromPlainOrTrainedJson(trainer.Train(500).value(), name).value();
  }

  TrainedSongsTest() : tokenizer_(TokenizerOf(GetParam())) {
    for (const Score& score : Scores()) {
      const std::vector<TokenId> song = tokenizer_->EncodeForModel(score).at(0);
      ids_.emplace_back(song.begin(), song.end());
      bars_.emplace_back();
      for (const size_t offset : tokenizer_->ModelBarOffsets(song)) {
        bars_.back().push_back(static_cast<uint32_t>(offset));
      }
    }
  }

  BlockSource Source(BlockOptions options) const {
    std::vector<BlockSong> songs;
    for (size_t i = 0; i < ids_.size(); ++i) {
      songs.push_back({ids_[i], bars_[i]});
    }
    options.shuffle = false;
    return BlockSource(songs, BlockVocabulary::Of(*tokenizer_).value(), options);
  }
  /// The tokens of a row that has all of a song. Its EOS is a target alone.
  std::vector<TokenId> TokensOf(const Batch& batch, size_t row) const {
    std::vector<TokenId> ids;
    for (size_t t = 1; t < batch.context && batch.ids[row * batch.context + t] != *pad(); ++t) {
      ids.push_back(static_cast<TokenId>(batch.ids[row * batch.context + t]));
    }
    return tokenizer_->FromModelIds(ids);
  }
  std::vector<TokenId> TokensOf(size_t song) const {
    return tokenizer_->FromModelIds(std::vector<TokenId>(ids_[song].begin(), ids_[song].end()));
  }
  std::optional<TokenId> pad() const { return tokenizer_->ModelIdOf(tokenizer_->vocabulary().pad()); }

  const std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<std::vector<uint16_t>> ids_;
  std::vector<std::vector<uint32_t>> bars_;
};

TEST_P(TrainedSongsTest, AreTransposedTokenByToken) {
  const BlockSource source = Source({.context = 30000, .transpose = true});
  std::set<int> semitones;
  for (uint64_t epoch = 0; epoch < 6; ++epoch) {
    const std::vector<Block> blocks = source.Epoch(epoch);
    ASSERT_EQ(blocks.size(), ids_.size());
    const Batch batch = source.Lay(blocks);
    for (size_t row = 0; row < batch.rows; ++row) {
      const std::vector<TokenId> map = tokenizer_->TransposeMap(blocks[row].move.semitones);
      std::vector<TokenId> expected = TokensOf(blocks[row].song);
      for (TokenId& token : expected) {
        token = map[static_cast<size_t>(token)];
      }
      EXPECT_EQ(TokensOf(batch, row), expected) << "epoch " << epoch << " row " << row;
      semitones.insert(blocks[row].move.semitones);
    }
  }
  EXPECT_GT(semitones.size(), 3U);
}

TEST_P(TrainedSongsTest, ChangeInVelocityAndTempoAlone) {
  const BlockSource source = Source({.context = 30000, .velocity = true, .tempo = true});
  const Vocabulary& vocabulary = tokenizer_->vocabulary();
  const Batch batch = source.Lay(source.Epoch(2));
  size_t changed = 0;
  for (size_t row = 0; row < batch.rows; ++row) {
    const std::vector<TokenId> moved = TokensOf(batch, row);
    const std::vector<TokenId> before = TokensOf(row);
    ASSERT_EQ(moved.size(), before.size());
    for (size_t i = 0; i < moved.size(); ++i) {
      const TokenType type = vocabulary.info(before[i]).type;
      EXPECT_EQ(vocabulary.info(moved[i]).type, type);
      changed += moved[i] != before[i];
      EXPECT_TRUE(moved[i] == before[i] || type == TokenType::kVelocity || type == TokenType::kTempo);
    }
  }
  // The others have four velocities and eight tempos, further apart than songs are changed.
  EXPECT_EQ(changed > 0, GetParam() == "remi");
}

TEST_P(TrainedSongsTest, WindowsCoverTheMovedSong) {
  const BlockSource whole = Source({.context = 30000, .transpose = true});
  const BlockSource source = Source({.context = 64, .transpose = true, .each_target_once = true});
  for (uint64_t epoch = 0; epoch < 3; ++epoch) {
    const std::vector<Block> blocks = source.Epoch(epoch);
    EXPECT_EQ(blocks.size(), source.EpochSize(epoch));
    EXPECT_EQ(source.Lay(blocks).target_count, whole.Lay(whole.Epoch(epoch)).target_count);
    size_t on_bars = 0;
    for (const Block& block : blocks) {
      const Batch batch = source.Lay(std::span(&block, 1));
      const std::vector<TokenId> ids(batch.ids.begin(), batch.ids.end());
      if (block.begin > 0) {
        const std::vector<size_t> bars = tokenizer_->ModelBarOffsets(ids);
        on_bars += !bars.empty() && bars.front() == 0 ? 1 : 0;
      }
    }
    EXPECT_GT(on_bars, blocks.size() / 2);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, TrainedSongsTest, testing::Values("remi_bar-3.1.0", "remi_bar-3.0.4", "remi"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace continuo
