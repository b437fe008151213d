// Holds the tokenizers to what MidiTok 3.0.4 and 3.1.0 wrote for all of Pop1K7.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>

#include "continuo/core/hash.h"
#include "continuo/core/shared_data_testing.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/file.h"
#include "continuo/os/machine.h"
#include "continuo/score/score_file.h"
#include "continuo/token/miditok_reader.h"
#include "continuo/token/score_json_testing.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

struct Song {
  std::string name;
  Score score;
};

// All songs, in the order of their paths; read once.
const std::vector<Song>& Songs() {
  static const std::vector<Song> songs = [] {
    const std::filesystem::path root = SharedDir() / "data" / "pop1k7";
    std::vector<Song> result;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (entry.path().extension() == ".mid") {
        result.push_back({entry.path().lexically_relative(root).generic_string(), {}});
      }
    }
    ThreadPool pool(AvailableCores());
    pool.ForEach(result.size(), [&](size_t i, size_t) {
      Result<Score> score = ReadScore(root / result[i].name);
      result[i].score = score.ok() ? std::move(score).value() : Score{};
    });
    return result;
  }();
  return songs;
}

std::string HashOf(const std::vector<std::vector<TokenId>>& tracks) {
  const auto bytes = [](const TokenId* ids, size_t count) {
    return std::span(reinterpret_cast<const uint8_t*>(ids), count * sizeof(TokenId));
  };
  const TokenId end = -1;
  Sha256 hash;
  for (const std::vector<TokenId>& ids : tracks) {
    hash.Update(bytes(ids.data(), ids.size()));
    if (tracks.size() > 1) {
      hash.Update(bytes(&end, 1));
    }
  }
  return hash.FinishHex();
}

// What a thread found wrong, the first few of it.
class Complaints {
 public:
  void Add(const std::string& text) {
    ++count_;
    const std::lock_guard lock(mutex_);
    if (texts_.size() < 3) {
      texts_.push_back(text);
    }
  }
  int count() const { return count_; }
  std::string text() const {
    std::string all;
    for (const std::string& text : texts_) {
      all += text + "\n";
    }
    return all;
  }

 private:
  std::atomic<int> count_{0};
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

struct GoldenCase {
  std::string preset;
  MidiTokRelease release;
};

std::vector<GoldenCase> Cases() {
  std::vector<GoldenCase> cases;
  for (const std::string& preset : PresetNames()) {
    if (preset == "remichord" || preset == "remiplan") {
      continue;  // not MidiTok's
    }
    if (!PresetConfig(preset, MidiTokRelease::k3_0_4)) {
      continue;  // see cases_test.cc
    }
    for (MidiTokRelease release : {MidiTokRelease::k3_1_0, MidiTokRelease::k3_0_4}) {
      cases.push_back({preset, release});
    }
  }
  return cases;
}

class GoldenTest : public testing::TestWithParam<GoldenCase> {
 protected:
  void SetUp() override {
    CONTINUO_NEEDS_SHARED();
    folder_ = SharedDir() / "golden" / ("tokens-" + std::string(ToString(GetParam().release))) / GetParam().preset;
    tokenizer_ = Tokenizer::Load(GetParam().preset, GetParam().release).value();
  }

  std::filesystem::path folder_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(GoldenTest, VocabularyIsMidiToks) {
  std::string lines;
  for (const std::string& token : tokenizer_->vocabulary().tokens()) {
    lines += token + "\n";
  }
  EXPECT_EQ(lines, ReadTextFile(folder_ / "vocab.txt").value());
  EXPECT_EQ(tokenizer_->vocabulary_sha256(), Sha256Hex(lines));
}

TEST_P(GoldenTest, TokenizerJsonOfMidiTokIsThePreset) {
  const auto loaded = Tokenizer::Load((folder_ / "tokenizer.json").string());
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  EXPECT_EQ((*loaded)->vocabulary().tokens(), tokenizer_->vocabulary().tokens());
  // What we write differs from MidiTok's file in our own keys only, and in that of a library we
  // don't use.
  nlohmann::json ours = nlohmann::json::parse(tokenizer_->ToJson());
  nlohmann::json theirs = nlohmann::json::parse(ReadTextFile(folder_ / "tokenizer.json").value());
  ours.erase("miditok");
  ours.erase("vocab_sha256");
  theirs.erase("hf_tokenizers_version");
  EXPECT_EQ(ours, theirs) << nlohmann::json::diff(theirs, ours).dump();
}

// The ids of every song, then that decoding and encoding them again gives the same, and that the
// grammar takes them.
TEST_P(GoldenTest, IdsOfAllSongsAreMidiToks) {
  std::map<std::string, std::string> wanted;
  std::istringstream lines(ReadTextFile(folder_ / "hashes.tsv").value());
  for (std::string line; std::getline(lines, line);) {
    wanted[line.substr(0, line.find('\t'))] = line.substr(line.rfind('\t') + 1);
  }
  ASSERT_EQ(wanted.size(), Songs().size());
  const TokenizerConfig& config = tokenizer_->config();
  // Decoding cuts notes at max_duration, so that ids that hold longer ones can't come back.
  const bool reversible = !config.max_duration;
  // Grammars of 129 programs take a part of the songs, for the time it takes.
  const size_t grammar_every = config.use_programs ? 8 : 1;
  Complaints complaints;
  ThreadPool pool(AvailableCores());
  pool.ForEach(Songs().size(), [&](size_t i, size_t) {
    const Song& song = Songs()[i];
    const std::vector<std::vector<TokenId>> tracks = tokenizer_->Encode(song.score);
    if (HashOf(tracks) != wanted[song.name]) {
      complaints.Add(song.name + ": other ids than MidiTok's");
      return;
    }
    if (reversible && tokenizer_->Encode(tokenizer_->Decode(tracks)) != tracks) {
      complaints.Add(song.name + ": not the same after decoding and encoding");
    }
    if (i % grammar_every != 0) {
      return;
    }
    const std::unique_ptr<Grammar> grammar = tokenizer_->NewGrammar();
    for (size_t k = 0; k < tracks[0].size(); ++k) {
      if (!grammar->Advance(tracks[0][k])) {
        complaints.Add(song.name + ": the grammar refuses the end of " +
                       TokenText(tokenizer_->vocabulary(), tracks[0], k < 12 ? 0 : k - 12, k + 1));
        break;
      }
    }
  });
  EXPECT_EQ(complaints.count(), 0) << complaints.text();
}

TEST_P(GoldenTest, DecodedScoresAreMidiToks) {
  const nlohmann::json cases = nlohmann::json::parse(ReadTextFile(folder_ / "decode.json").value());
  int compared = 0;
  for (const auto& item : cases) {
    const std::vector<std::vector<TokenId>> ids{item["ids"].get<std::vector<TokenId>>()};
    const nlohmann::json score = ScoreJson(tokenizer_->Decode(ids));
    if (item["score"].contains("error")) {
      continue;  // MidiTok fails on these; we must only not do so
    }
    ASSERT_EQ(score, WithoutNegatives(item["score"])) << TokenText(tokenizer_->vocabulary(), ids[0]);
    ++compared;
  }
  EXPECT_GE(compared, 40);
}

// 34 odd or illegal files that symusic reads, in testdata/tokens/odd-midi-*.tsv.
TEST_P(GoldenTest, IdsOfOddMidiFilesAreMidiToks) {
  const std::filesystem::path table = std::filesystem::path(CONTINUO_SOURCE_DIR) / "testdata" / "tokens" /
                                      ("odd-midi-" + std::string(ToString(GetParam().release)) + ".tsv");
  std::istringstream lines(ReadTextFile(table).value());
  int compared = 0;
  for (std::string preset, file, hash; lines >> preset >> file >> hash;) {
    if (preset == GetParam().preset) {
      const std::filesystem::path path = SharedDir() / "data" / "odd-midi" / file;
      const Result<Score> score = ReadScoreForTokens(path, tokenizer_->config());
      ASSERT_TRUE(score.ok()) << score.error().ToString();
      EXPECT_EQ(HashOf(tokenizer_->Encode(*score)), hash) << file;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 34);
}

// Windows hold the notes that begin in them, at their places, and the grammar takes them.
TEST_P(GoldenTest, WindowsStandAlone) {
  const TokenizerConfig& config = tokenizer_->config();
  Complaints complaints;
  ThreadPool pool(AvailableCores());
  constexpr size_t kEvery = 40;
  pool.ForEach(Songs().size() / kEvery, [&](size_t index, size_t) {
    const Song& song = Songs()[index * kEvery];
    const std::vector<TokenId> ids = tokenizer_->Encode(song.score)[0];
    const size_t bars = tokenizer_->BarOffsets(ids).size();
    const Score whole = tokenizer_->Decode(Streams{ids});
    for (size_t bar : {size_t{1}, size_t{7}, bars / 2, bars - 1}) {
      const std::vector<TokenId> window = tokenizer_->WindowFromBar(ids, bar);
      const std::unique_ptr<Grammar> grammar = tokenizer_->NewGrammar();
      for (TokenId id : window) {
        if (!grammar->Advance(id)) {
          complaints.Add(song.name + ": the grammar refuses the window of bar " + std::to_string(bar));
          return;
        }
      }
      const int32_t start = static_cast<int32_t>(bar) * 4 * whole.ticks_per_quarter;
      std::vector<std::array<int, 4>> expected;
      for (const Note& note : whole.tracks[0].notes) {
        const bool held = note.time < start && note.time + note.duration > start;
        if (note.time >= start) {
          expected.push_back({note.time - start, note.duration, note.pitch, note.velocity});
        } else if (held && config.kind == TokenizationKind::kMidiLike) {
          expected.push_back({0, note.time + note.duration - start, note.pitch, note.velocity});
        }
      }
      std::vector<std::array<int, 4>> found;
      const Score cut = tokenizer_->Decode(Streams{window});
      for (const Track& track : cut.tracks) {  // none where the last bar holds only a tempo
        for (const Note& note : track.notes) {
          found.push_back({note.time, note.duration, note.pitch, note.velocity});
        }
      }
      std::sort(expected.begin(), expected.end());
      std::sort(found.begin(), found.end());
      // Notes that max_duration cut in the whole begin again in the window.
      if (!config.max_duration && found != expected) {
        complaints.Add(song.name + ": the window of bar " + std::to_string(bar) + " has other notes");
      }
    }
  });
  EXPECT_EQ(complaints.count(), 0) << complaints.text();
}

INSTANTIATE_TEST_SUITE_P(AllPresets, GoldenTest, testing::ValuesIn(Cases()), [](const auto& test) {
  return test.param.preset + (test.param.release == MidiTokRelease::k3_0_4 ? "_304" : "_310");
});

}  // namespace
}  // namespace continuo
