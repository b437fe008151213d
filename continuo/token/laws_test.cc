// What holds of every tokenizer, whatever the music: encode(decode(ids)) is ids again, also through
// a file, and music that lies on the grid is decoded as it was. Any number of threads may share one
// tokenizer.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "continuo/core/rng.h"
#include "continuo/core/shared_data_testing.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/machine.h"
#include "continuo/score/score_file.h"
#include "continuo/token/score_json_testing.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

const std::array<const char*, 6> kPresets{"remi", "remiplus", "midilike", "tsd_default", "remichord", "remiplan"};

/// One track of 4/4 on the grid of eighths of a beat, each note's velocity and length one that has
/// a token.
Score OnTheGrid(const Tokenizer& tokenizer, uint64_t seed) {
  const TokenizerConfig& config = tokenizer.config();
  Rng rng(seed, 1);
  const auto below = [&rng](uint64_t bound) { return static_cast<Tick>(rng.NextBelow(bound)); };
  Score score;
  score.ticks_per_quarter = tokenizer.Decode(Streams(1)).ticks_per_quarter;
  const Tick step = score.ticks_per_quarter / 8;
  score.time_signatures = {{0, 4, 4}};
  // A decoded score says a tempo; that of the token nearest to 120 is 121.29.
  score.tempos = {{0, config.use_tempos ? 494682 : 500000}};
  Track& track = score.tracks.emplace_back();
  track.name = "Acoustic Grand Piano";
  Tick time = 0;
  std::array<Tick, 128> silent_from{};
  for (int i = 0; i < 120; ++i) {
    const auto pitch = static_cast<uint8_t>(21 + below(88));
    const Tick duration = 1 + below(32);
    if (time >= silent_from[pitch]) {  // notes of one pitch that overlap cannot be told apart in a file
      const auto velocity = static_cast<uint8_t>(127 * (1 + below(32)) / 32);
      track.notes.push_back({time * step, duration * step, pitch, velocity});
      silent_from[pitch] = time + duration;
    }
    time += below(3) == 0 ? below(20) : 0;
  }
  return score;
}

TEST(TokenLaws, MusicOnTheGridIsDecodedAsItWas) {
  for (const char* preset : kPresets) {
    const std::unique_ptr<Tokenizer> tokenizer = Tokenizer::Load(preset).value();
    for (uint64_t seed = 0; seed < 200; ++seed) {
      const Score score = OnTheGrid(*tokenizer, seed);
      ASSERT_GT(score.tracks[0].notes.size(), 60U);
      ASSERT_EQ(ScoreJson(tokenizer->Decode(tokenizer->Encode(score))), ScoreJson(score)) << preset << ' ' << seed;
    }
  }
}

/// True if a note ends before an earlier one of its pitch does: files can't say so, as a note-off
/// ends the oldest.
bool HasNestedNotes(const Score& score) {
  std::array<Tick, 128> ends{};
  for (const Note& note : score.tracks.at(0).notes) {
    if (note.time + note.duration < ends[note.pitch]) {
      return true;
    }
    ends[note.pitch] = note.time + note.duration;
  }
  return false;
}

TEST(TokenLaws, DecodedSongsAreTheSameThroughAFile) {
  CONTINUO_NEEDS_SHARED();
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SharedDir() / "data" / "pop1k7")) {
    if (entry.path().extension() == ".mid") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  for (const char* preset : kPresets) {
    const std::unique_ptr<Tokenizer> tokenizer = Tokenizer::Load(preset).value();
    std::atomic<size_t> nested{0};
    std::vector<uint8_t> differs(paths.size());
    ThreadPool pool(AvailableCores());
    pool.ForEach(paths.size(), [&](size_t i, size_t) {
      const Streams ids = tokenizer->Encode(ReadScore(paths[i]).value());
      const Score decoded = tokenizer->Decode(ids);
      if (HasNestedNotes(decoded)) {
        ++nested;
        return;
      }
      differs[i] = tokenizer->Encode(ParseScore(SerializeScore(decoded), "again").value().score) != ids ? 1 : 0;
    });
    for (size_t i = 0; i < paths.size(); ++i) {
      EXPECT_EQ(differs[i], 0) << preset << ' ' << paths[i];
    }
    EXPECT_LT(nested, paths.size() / 10);
  }
}

// Under ThreadSanitizer (preset tsan) this finds what threads share and change.
TEST(TokenLaws, ThreadsShareATokenizer) {
  for (const char* preset : kPresets) {
    const std::unique_ptr<Tokenizer> tokenizer = Tokenizer::Load(preset).value();
    const std::vector<uint8_t> file = SerializeScore(OnTheGrid(*tokenizer, 5));
    const auto work = [&tokenizer, &file] {
      const Score score = ParseScore(file, "song").value().score;
      const Streams ids = tokenizer->Encode(score);
      const std::unique_ptr<Grammar> grammar = tokenizer->NewGrammar({4});
      std::vector<uint8_t> allowed(tokenizer->vocabulary().size());
      for (const TokenId id : ids[0]) {
        grammar->Allowed(allowed);
        grammar->Advance(id);
      }
      return std::tuple(ids, SerializeScore(tokenizer->Decode(ids)), tokenizer->WindowFromBar(ids[0], 1), allowed);
    };
    const auto expected = work();
    std::atomic<int> different{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) {
          different += work() != expected ? 1 : 0;
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(different, 0) << preset;
  }
}

}  // namespace
}  // namespace continuo
