#include "continuo/metrics/discriminator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "continuo/core/rng.h"

namespace continuo {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

/// A piece of `bars` bars of quarters, whose pitches are drawn from the white keys or from all
/// keys.
Score Piece(uint64_t seed, int bars, bool white_keys, Tick start = 0) {
  constexpr std::array<uint8_t, 12> kWhite = {60, 60, 62, 62, 64, 64, 65, 67, 67, 69, 69, 71};
  Rng rng(seed, 0);
  Score score;
  score.ticks_per_quarter = 480;
  score.tracks.resize(1);
  for (int quarter = 0; quarter < 4 * bars; ++quarter) {
    const uint64_t key = rng.NextBelow(12);
    score.tracks[0].notes.push_back({.time = start + 480 * quarter,
                                     .duration = 480,
                                     .pitch = white_keys ? kWhite[key] : static_cast<uint8_t>(60 + key),
                                     .velocity = 80});
  }
  return score;
}

std::vector<Score> Pieces(uint64_t first, int count, bool white_keys) {
  std::vector<Score> pieces;
  for (int i = 0; i < count; ++i) {
    pieces.push_back(Piece(first + static_cast<uint64_t>(i), 12, white_keys));
  }
  return pieces;
}

class DiscriminatorTest : public ::testing::Test {
 protected:
  const Discriminator fitted_ = FitDiscriminator(Pieces(0, 40, false), Pieces(100, 60, true), 8).value();
};

TEST_F(DiscriminatorTest, SongsThatItHasNotSeenHaveTheHigherOdds) {
  for (const size_t end : {4U, 8U, 11U, 12U}) {
    for (uint64_t seed = 1000; seed < 1020; ++seed) {
      EXPECT_GT(*fitted_.LogOdds(Piece(seed, 12, true), end), 0) << end;
      EXPECT_LT(*fitted_.LogOdds(Piece(seed, 12, false), end), 0) << end;
    }
  }
}

TEST_F(DiscriminatorTest, OnlyTheBarsBeforeTheEndCount) {
  const Score song = Piece(1, 12, true);
  Score longer = song;
  const Score more = Piece(2, 4, false);
  for (Note note : more.tracks[0].notes) {
    note.time += 12 * 1920;
    longer.tracks[0].notes.push_back(note);
  }
  EXPECT_EQ(fitted_.LogOdds(longer, 12), fitted_.LogOdds(song, 12));
  EXPECT_NE(fitted_.LogOdds(longer, 13), fitted_.LogOdds(song, 12));
  // It has regressions of 2 to 8 bars: the same bars later in a piece have the same odds.
  EXPECT_EQ(fitted_.LogOdds(Piece(3, 8, true, 5 * 1920), 13), fitted_.LogOdds(Piece(3, 8, true), 8));
  Score from_second = song;
  std::erase_if(from_second.tracks[0].notes, [](const Note& note) { return note.time < 1920; });
  for (Note& note : from_second.tracks[0].notes) {
    note.time -= 1920;
  }
  EXPECT_EQ(fitted_.LogOdds(song, 7), fitted_.LogOdds(from_second, 6));
}

TEST_F(DiscriminatorTest, OtherMetersAndShortPiecesCannotBeCompared) {
  EXPECT_EQ(fitted_.LogOdds(Piece(1, 12, true), 1), std::nullopt);
  Score waltz = Piece(1, 12, true);
  waltz.time_signatures.push_back({.time = 0, .numerator = 3, .denominator = 4});
  EXPECT_EQ(fitted_.LogOdds(waltz, 8), std::nullopt);
  // From bar 4 on it is in 4/4 again.
  waltz.time_signatures.push_back({.time = 4 * 1440, .numerator = 4, .denominator = 4});
  EXPECT_EQ(fitted_.LogOdds(waltz, 8), std::nullopt);
  EXPECT_EQ(fitted_.LogOdds(waltz, 11), std::nullopt);
  EXPECT_NE(fitted_.LogOdds(waltz, 12), std::nullopt);
  waltz = Piece(1, 0, true);
  EXPECT_EQ(fitted_.LogOdds(waltz, 8), -std::numeric_limits<double>::infinity());
}

TEST_F(DiscriminatorTest, ComesBackFromItsFile) {
  const Discriminator read = Discriminator::Parse(fitted_.ToJson(), "x.json").value();
  EXPECT_EQ(read.ToJson(), fitted_.ToJson());
  EXPECT_EQ(read.LogOdds(Piece(1, 12, true), 8), fitted_.LogOdds(Piece(1, 12, true), 8));
}

TEST_F(DiscriminatorTest, DamagedFilesAreRefusedByWhatIsWrong) {
  const auto error = [this](const std::function<void(Json&)>& damage) {
    Json file = Json::parse(fitted_.ToJson());
    damage(file);
    const Result<Discriminator> read = Discriminator::Parse(file.dump(), "x.json");
    return read.ok() ? "" : read.error().message;
  };
  EXPECT_THAT(Discriminator::Parse("{", "x.json").error().message, HasSubstr("x.json: is not a JSON object"));
  EXPECT_THAT(error([](Json& file) { file.erase("regressions"); }), HasSubstr("with features and regressions"));
  EXPECT_THAT(error([](Json& file) { file["features"].erase(3); }), HasSubstr("its features are not those"));
  EXPECT_THAT(error([](Json& file) { file["regressions"] = Json::array(); }), HasSubstr("not a list of 1 to 32"));
  EXPECT_THAT(error([](Json& file) { file["regressions"] = Json(33, file["regressions"][0]); }),
              HasSubstr("not a list of 1 to 32"));
  EXPECT_THAT(error([](Json& file) { file["regressions"][1]["bars"] = 12; }), HasSubstr("expected a regression of 4"));
  EXPECT_THAT(error([](Json& file) { file["regressions"][0] = 3; }), HasSubstr("expected a regression of 2"));
  EXPECT_THAT(error([](Json& file) { file["regressions"][0]["intercept"] = "a"; }),
              HasSubstr("regression of 2 bars: intercept has \"a\", expected a number"));
  EXPECT_THAT(error([](Json& file) { file["regressions"][1]["linear"].erase(0); }),
              HasSubstr("regression of 4 bars: linear is not a list of 177 numbers"));
  EXPECT_THAT(error([](Json& file) { file["regressions"][1]["squared"][5] = nullptr; }),
              HasSubstr("squared has null, expected a number"));
  EXPECT_THAT(error([](Json& file) { file["regressions"][1]["deviations"][5] = 0; }),
              HasSubstr("deviations has 0, expected 1e-06 or more"));
  EXPECT_THAT(error([](Json& file) { file["regressions"][1].erase("means"); }),
              HasSubstr("means is not a list of 177 numbers"));
  EXPECT_EQ(error([](Json&) {}), "");
}

TEST(FitDiscriminator, NeedsPiecesOfBothKinds) {
  EXPECT_THAT(FitDiscriminator(Pieces(0, 9, false), Pieces(0, 20, true), 8).error().message,
              HasSubstr("9 written pieces and 20 songs with notes in their first 2 bars of 4/4 are too few"));
  // Pieces of silence and of other meters do not count.
  std::vector<Score> songs = Pieces(0, 10, true);
  songs[3].tracks[0].notes.clear();
  EXPECT_THAT(FitDiscriminator(Pieces(0, 20, false), songs, 8).error().message,
              HasSubstr("20 written pieces and 9 songs"));
  songs = Pieces(0, 10, true);
  songs[3].time_signatures.push_back({.time = 0, .numerator = 6, .denominator = 8});
  EXPECT_THAT(FitDiscriminator(Pieces(0, 20, false), songs, 8).error().message,
              HasSubstr("20 written pieces and 9 songs"));
}

TEST(FitDiscriminator, WhatStillTellsPiecesIsAdded) {
  const std::vector<Score> songs = Pieces(100, 40, true);
  const Discriminator first = FitDiscriminator(Pieces(0, 40, false), songs, 8).value();
  // Of pieces that are the songs nothing more is learnt.
  const Discriminator same = FitDiscriminator(songs, songs, 8, &first).value();
  EXPECT_NEAR(*same.LogOdds(Piece(1000, 8, false), 8), *first.LogOdds(Piece(1000, 8, false), 8), 0.01);
  // These have the keys of the songs, but are too loud.
  std::vector<Score> loud = Pieces(200, 40, true);
  for (Score& piece : loud) {
    for (Note& note : piece.tracks[0].notes) {
      note.velocity = 120;
    }
  }
  const Discriminator both = FitDiscriminator(loud, songs, 8, &first).value();
  for (uint64_t seed = 1000; seed < 1010; ++seed) {
    Score piece = Piece(seed, 8, true);
    const double soft = *both.LogOdds(piece, 8);
    EXPECT_GT(soft, *both.LogOdds(Piece(seed, 8, false), 8));
    for (Note& note : piece.tracks[0].notes) {
      note.velocity = 120;
    }
    EXPECT_GT(soft, *both.LogOdds(piece, 8));
    EXPECT_EQ(*first.LogOdds(piece, 8), *first.LogOdds(Piece(seed, 8, true), 8));
  }
}

TEST(FitDiscriminator, TheOddsDoNotDependOnHowManySongsThereAre) {
  // Nothing tells the songs from the pieces, which are the same, three times.
  const std::vector<Score> pieces = Pieces(0, 20, false);
  std::vector<Score> songs;
  for (int i = 0; i < 3; ++i) {
    songs.insert(songs.end(), pieces.begin(), pieces.end());
  }
  const Discriminator fitted = FitDiscriminator(pieces, songs, 4).value();
  EXPECT_NEAR(*fitted.LogOdds(Piece(1000, 4, true), 4), 0, 1e-6);  // ln 3 if it counted songs
}

}  // namespace
}  // namespace continuo
