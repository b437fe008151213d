#include "continuo/metrics/structure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>

#include "continuo/core/shared_data_testing.h"
#include "continuo/metrics/golden_files_testing.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

// The fitness of one segment as the definition has it: the whole table, the path traced back.
double PlainFitness(const SimilarityMatrix& matrix, int64_t start, int64_t length) {
  const auto frames = static_cast<size_t>(matrix.frames);
  const auto last = static_cast<size_t>(length);
  const auto similarity = [&](size_t n, size_t m) {
    return matrix.values[n * frames + static_cast<size_t>(start) + m - 1];
  };
  constexpr double kNever = -std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> d(frames, std::vector<double>(last + 1, kNever));
  d[0][0] = 0;
  d[0][1] = similarity(0, 1);
  for (size_t n = 1; n < frames; ++n) {
    d[n][0] = std::max(d[n - 1][0], d[n - 1][last]);
    d[n][1] = d[n][0] + similarity(n, 1);
    for (size_t m = 2; m <= last; ++m) {
      const double two_rows = n >= 2 ? d[n - 2][m - 1] : kNever;
      d[n][m] = similarity(n, m) + std::max({d[n - 1][m - 1], d[n - 1][m - 2], two_rows});
    }
  }
  size_t n = frames - 1;
  const double score = std::max(d[n][0], d[n][last]);
  size_t m = d[n][last] < d[n][0] ? 0 : last;
  double cells = 0;
  double covered = 0;
  size_t path_end = n;
  if (m > 0) {
    cells = 1;
  }
  while (n > 0 || m > 0) {
    if (m == 0) {
      --n;
      if (d[n][last] > d[n][0]) {
        m = last;
        ++cells;
        path_end = n;
      }
    } else if (m == 1 || n == 0) {
      covered += static_cast<double>(path_end - n + 1);
      m = 0;
    } else {
      size_t rows = 1;
      size_t columns = 1;
      double best = d[n - 1][m - 1];
      if (n > 2 && d[n - 2][m - 1] > best) {
        best = d[n - 2][m - 1];
        rows = 2;
      }
      if (m > 2 && d[n - 1][m - 2] > best) {
        rows = 1;
        columns = 2;
      }
      n -= rows;
      m -= columns;
      ++cells;
    }
  }
  const auto width = static_cast<double>(length);
  const double score_share = (score - width) / (cells + 1e-16);
  const double cover_share = (covered - width) / (static_cast<double>(frames) + 1e-16);
  return 2 * score_share * cover_share / (score_share + cover_share + 1e-16);
}

// One in four cells is similar, as far as `steps` to 1 tells apart; the rest are not. Ties are many
// where steps are few.
SimilarityMatrix RandomMatrix(int64_t frames, int steps, uint32_t seed) {
  std::mt19937 random(seed);
  SimilarityMatrix matrix;
  matrix.frames = frames;
  for (int64_t i = 0; i < frames * frames; ++i) {
    const bool similar = i % (frames + 1) == 0 || random() % 4 == 0;
    const double value = static_cast<double>(random() % static_cast<uint32_t>(steps + 1)) / steps;
    matrix.values.push_back(i % (frames + 1) == 0 ? 1 : similar ? value : -2);
  }
  return matrix;
}

void ExpectSameBits(double value, double expected) {
  EXPECT_EQ(std::memcmp(&value, &expected, sizeof(double)), 0) << value << " is not " << expected;
}

TEST(ScapePlot, EqualsTheTracedBackDefinitionToTheBit) {
  for (const int64_t frames : {1, 2, 3, 4, 5, 7, 8, 9, 10, 23, 37}) {
    for (const int steps : {1, 4, 1 << 20, 1000003}) {  // the last are no steps of 2^-20, so doubles
      const SimilarityMatrix matrix = RandomMatrix(frames, steps, static_cast<uint32_t>(frames));
      const Result<ScapePlot> plot = ComputeScapePlot(matrix, 1, frames);
      ASSERT_TRUE(plot.ok());
      for (int64_t length = 1; length <= frames; ++length) {
        for (int64_t start = 0; start < frames; ++start) {
          SCOPED_TRACE(testing::Message()
                       << frames << " frames, " << steps << " steps, " << length << " from " << start);
          const bool inside = start + length <= frames;
          ExpectSameBits(plot->At(length, start), inside ? PlainFitness(matrix, start, length) : 0);
        }
      }
    }
  }
}

TEST(ScapePlot, IsTheSameOnEveryKindOfCpu) {
  const SimilarityMatrix matrix = RandomMatrix(60, 7, 1);
  const SimilarityMatrix fixed_point = RandomMatrix(60, 1 << 20, 2);
  std::vector<std::vector<double>> results;
  for (int64_t targets = hwy::SupportedTargets() & HWY_TARGETS; targets != 0; targets &= targets - 1) {
    hwy::SetSupportedTargetsForTest(targets & -targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    results.push_back(ComputeScapePlot(matrix, 1, 60)->fitness);
    const ScapePlot other = *ComputeScapePlot(fixed_point, 1, 60);
    results.back().insert(results.back().end(), other.fitness.begin(), other.fitness.end());
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  ASSERT_FALSE(results.empty());
  for (const std::vector<double>& result : results) {
    EXPECT_EQ(std::memcmp(result.data(), results[0].data(), result.size() * sizeof(double)), 0);
  }
}

TEST(ScapePlot, HoldsThePathsOfLongPieces) {
  // The most frames that are computed in int32_t, and one more. Nothing is similar, or everything
  // is.
  for (const int64_t frames : {2047, 2048}) {
    for (const double value : {-2.0, 1.0}) {
      SimilarityMatrix matrix;
      matrix.frames = frames;
      matrix.values.assign(static_cast<size_t>(frames * frames), value);
      const Result<ScapePlot> plot = ComputeScapePlot(matrix, 256, 256);
      ASSERT_TRUE(plot.ok());
      for (const int64_t start : {int64_t{0}, int64_t{1}, frames - 256}) {
        ExpectSameBits(plot->At(256, start), PlainFitness(matrix, start, 256));
      }
    }
  }
}

TEST(ScapePlot, LargestIsOverAllSegmentsOfTheLengthsAsked) {
  ScapePlot plot;
  plot.frames = 4;
  plot.min_length = 2;
  plot.max_length = 3;
  plot.fitness = {0.1, 0.5, 0.2, 0, -1, -2, 0, 0};
  EXPECT_EQ(plot.Largest(1, 9), 0.5);
  EXPECT_EQ(plot.Largest(3, 3), 0);
  EXPECT_EQ(plot.Largest(4, 9), 0);
}

// A square matrix of doubles as NumPy saves it (format 1.0, '<f8', C order).
SimilarityMatrix ReadNpy(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  CONTINUO_CHECK(bytes.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
  const size_t header = 10 + static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
  const std::string description = bytes.substr(10, header - 10);
  CONTINUO_CHECK(description.find("'<f8'") != std::string::npos);
  CONTINUO_CHECK(description.find("False") != std::string::npos);
  SimilarityMatrix matrix;
  matrix.values.resize((bytes.size() - header) / sizeof(double));
  std::memcpy(matrix.values.data(), bytes.data() + header, matrix.values.size() * sizeof(double));
  matrix.frames = std::lround(std::sqrt(static_cast<double>(matrix.values.size())));
  CONTINUO_CHECK(static_cast<size_t>(matrix.frames * matrix.frames) == matrix.values.size());
  return matrix;
}

TEST(ScapePlot, EqualsMusDrOnItsOwnMatricesToTheBit) {
  CONTINUO_NEEDS_SHARED();
  const std::filesystem::path folder = SharedDir() / "data" / "musdr";
  for (const auto& row : ReadTable(SharedDir() / "golden" / "metrics" / "musdr.tsv", '\t')) {
    std::string name = row.at("file");
    SCOPED_TRACE(name);
    name = name.substr(0, name.find("_remi.csv"));
    std::replace(name.begin(), name.end(), '\'', '_');
    const SimilarityMatrix matrix = ReadNpy(folder / "ssm" / (name + "_ssm.npy"));
    const SimilarityMatrix expected = ReadNpy(folder / "scplot" / (name + "_fitness.npy"));
    EXPECT_EQ(std::to_string(matrix.frames), row.at("frames"));
    const Result<ScapePlot> plot = ComputeScapePlot(matrix, 1, matrix.frames);
    ASSERT_TRUE(plot.ok());
    ASSERT_EQ(plot->fitness.size(), expected.values.size());
    EXPECT_EQ(std::memcmp(plot->fitness.data(), expected.values.data(), expected.values.size() * sizeof(double)), 0);
    EXPECT_EQ(plot->Largest(6, 16), ToNumber(row.at("SI_short")));
    EXPECT_EQ(plot->Largest(16, 30), ToNumber(row.at("SI_mid")));
    EXPECT_EQ(plot->Largest(30, 256), ToNumber(row.at("SI_long")));
  }
}

Score ScoreOf(std::initializer_list<Note> notes) {
  Score score;
  score.tracks.resize(1);
  score.tracks[0].notes = notes;
  return score;
}

TEST(MeasureStructure, IsZeroWithoutNotesAndInPiecesShorterThanThreeSeconds) {
  for (const Score& score : {Score{}, ScoreOf({{0, 480, 60, 64}})}) {
    const Result<Structure> structure = MeasureStructure(score);
    ASSERT_TRUE(structure.ok());
    EXPECT_EQ(structure->si_short, 0);
    EXPECT_EQ(structure->si_long, 0);
  }
}

TEST(MeasureStructure, RefusesAPieceThatWouldTakeHours) {
  Score score = ScoreOf({{0, 480, 60, 64}, {36000 * 960, 480, 60, 64}});
  const Result<Structure> structure = MeasureStructure(score);
  ASSERT_FALSE(structure.ok());
  EXPECT_EQ(structure.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(structure.error().ToString(),
            "the piece lasts 10:00:00, and its structure is measured only in pieces of up to 0:30:00");
  // At the slowest tempo and the coarsest grid that a file can hold, at the last tick.
  score.ticks_per_quarter = 1;
  score.tempos = {{0, (1 << 24) - 1}};
  score.tracks[0].notes[1].time = std::numeric_limits<Tick>::max();
  EXPECT_FALSE(MeasureStructure(score).ok());
}

TEST(MeasureStructure, StopsWhenAsked) {
  const StopToken stop([] { return true; });
  EXPECT_EQ(MeasureStructure(ScoreOf({{0, 48000, 60, 64}}), {}, stop).error().code, ErrorCode::kCancelled);
}

TEST(ComputeChroma, ALongNoteIsEnteredOnce) {
  // Half a million notes as long as the piece, which would take minutes frame by frame.
  Score score = ScoreOf({});
  for (int i = 0; i < 500000; ++i) {
    score.tracks[0].notes.push_back({0, 960 * 1700, static_cast<uint8_t>(i % 2 == 0 ? 60 : 67), 64});
  }
  const Result<ChromaFeatures> chroma = ComputeChroma(score, 3600);
  ASSERT_TRUE(chroma.ok());
  EXPECT_EQ(chroma->frames, 3400);
  EXPECT_EQ(chroma->values[12 * 1000], std::floor(std::sqrt(0.5) * 32768 + 0.5));
  EXPECT_EQ(chroma->values[12 * 1000 + 7], chroma->values[12 * 1000]);
  EXPECT_EQ(chroma->values[12 * 1000 + 1], 0);
}

TEST(MeasureStructure, EqualsTheReferenceOnRealSongs) {
  CONTINUO_NEEDS_SHARED();
  const auto rows = ReadTable(SharedDir() / "golden" / "metrics" / "midi.tsv", '\t');
  size_t measured = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& row = rows[i];
    const double frames = ToNumber(row.at("frames"));
    // The prompts, and of the others every tenth that is not long; all of them where asked.
    if (std::getenv("CONTINUO_SLOW_TESTS") == nullptr && i >= 3 && (i % 10 != 0 || frames > 450)) {
      continue;
    }
    SCOPED_TRACE(row.at("file"));
    const Result<Score> score = ReadScore(SharedDir() / row.at("file"));
    ASSERT_TRUE(score.ok()) << score.error().ToString();
    const Result<Structure> structure = MeasureStructure(*score);
    ASSERT_TRUE(structure.ok()) << structure.error().ToString();
    EXPECT_EQ(structure->frames, frames);
    EXPECT_NEAR(structure->si_short, ToNumber(row.at("SI_short")), 1e-9);
    EXPECT_NEAR(structure->si_mid, ToNumber(row.at("SI_mid")), 1e-9);
    EXPECT_NEAR(structure->si_long, ToNumber(row.at("SI_long")), 1e-9);
    ++measured;
  }
  EXPECT_GE(measured, 9U);
}

}  // namespace
}  // namespace continuo
