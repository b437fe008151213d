#include "continuo/corpus/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "continuo/core/check.h"
#include "continuo/core/hash.h"
#include "continuo/core/rng.h"
#include "continuo/core/shared_data_testing.h"
#include "continuo/corpus/corpus_format.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Some bars of random quarter notes.
Score RandomScore(uint64_t seed) {
  Rng rng(seed, 0);
  Score score;
  score.tracks.emplace_back();
  const size_t notes = 20 + rng.NextBelow(60);
  for (size_t i = 0; i < notes; ++i) {
    Note note;
    note.time = static_cast<Tick>(480 * i);
    note.duration = 480;
    note.pitch = static_cast<uint8_t>(48 + rng.NextBelow(24));
    score.tracks[0].notes.push_back(note);
  }
  return score;
}

void WriteBytes(const fs::path& path, std::string_view bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

void WriteSong(const fs::path& path, uint64_t seed) {
  const std::vector<uint8_t> bytes = SerializeScore(RandomScore(seed));
  WriteBytes(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string ReadBytes(const fs::path& path) {
  return ReadTextFile(path).value();
}

/// Every file of a directory with its bytes.
std::map<std::string, std::string> Contents(const fs::path& directory) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::directory_iterator(directory)) {
    contents[entry.path().filename().string()] = ReadBytes(entry.path());
  }
  return contents;
}

class CorpusTest : public testing::Test {
 protected:
  CorpusTest() : tokenizer_(Tokenizer::Load("remi").value()) {}

  fs::path midi() const { return folder_.path() / "midi"; }
  fs::path corpus() const { return folder_.path() / "corpus"; }

  Result<CorpusBuildReport> Build(const CorpusBuildOptions& options = {.valid_fraction = 0.3}) {
    return BuildCorpus(midi(), *tokenizer_, corpus(), options, NoProgress());
  }
  /// The message with which Open fails.
  std::string OpenError() const {
    const Result<Corpus> opened = Corpus::Open(corpus());
    return opened.ok() ? "it opened" : opened.error().ToString();
  }

  TemporaryFolder folder_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(CorpusTest, HoldsWhatTheTokenizerGives) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    WriteSong(midi() / (std::to_string(seed) + (seed % 2 == 0 ? ".mid" : ".MIDI")), seed);
  }
  WriteBytes(midi() / "notes.txt", "not music");
  const auto report = Build();
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_EQ(report->files, 12u);
  EXPECT_EQ(report->songs, 12u);

  const Result<Corpus> opened = Corpus::Open(corpus());
  ASSERT_TRUE(opened.ok()) << opened.error().ToString();
  ASSERT_EQ(opened->song_count(), 12u);
  uint64_t tokens[2] = {0, 0};
  for (size_t i = 0; i < opened->song_count(); ++i) {
    const Corpus::Song song = opened->song(i);
    const auto ids = tokenizer_->Encode(ReadScore(midi() / song.name).value()).at(0);
    EXPECT_EQ(std::vector<TokenId>(song.ids.begin(), song.ids.end()), ids);
    const auto bars = tokenizer_->BarOffsets(ids);
    EXPECT_EQ(std::vector<size_t>(song.bar_offsets.begin(), song.bar_offsets.end()), bars);
    tokens[static_cast<size_t>(song.split)] += song.ids.size();
  }
  EXPECT_EQ(tokens[0], report->tokens[0]);
  EXPECT_EQ(tokens[1], report->tokens[1]);
  EXPECT_GT(tokens[0], 0u);
  EXPECT_GT(tokens[1], 0u);
}

TEST_F(CorpusTest, IsTheSameForAnyNumberOfThreads) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    WriteSong(midi() / (std::to_string(seed) + ".mid"), seed);
  }
  ASSERT_TRUE(Build({.valid_fraction = 0.3, .threads = 1}).ok());
  const auto one = Contents(corpus());
  ASSERT_TRUE(Build({.valid_fraction = 0.3, .threads = 3}).ok());
  EXPECT_EQ(Contents(corpus()), one);
}

TEST_F(CorpusTest, ARenamedSongKeepsItsIdsAndItsSide) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    WriteSong(midi() / (std::to_string(seed) + ".mid"), seed);
  }
  ASSERT_TRUE(Build().ok());
  const auto before = Contents(corpus());
  fs::create_directories(midi() / "deep" / "er");
  for (uint64_t seed = 0; seed < 30; ++seed) {
    fs::rename(midi() / (std::to_string(seed) + ".mid"),
               midi() / "deep" / "er" / (std::to_string(100 - seed) + ".mid"));
  }
  ASSERT_TRUE(Build().ok());
  const auto after = Contents(corpus());
  EXPECT_EQ(after.at("train-00000.bin"), before.at("train-00000.bin"));
  EXPECT_EQ(after.at("valid-00000.bin"), before.at("valid-00000.bin"));
}

TEST_F(CorpusTest, OneContentIsKeptOnce) {
  WriteSong(midi() / "a.mid", 1);
  WriteSong(midi() / "b" / "copy.mid", 1);
  WriteSong(midi() / "c.mid", 2);
  const auto report = Build();
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_EQ(report->songs, 2u);
  EXPECT_EQ(report->duplicates, 1u);
  const Result<Corpus> opened = Corpus::Open(corpus());
  ASSERT_TRUE(opened.ok());
  std::set<std::string_view> names;
  for (size_t i = 0; i < opened->song_count(); ++i) {
    names.insert(opened->song(i).name);
  }
  EXPECT_EQ(names, (std::set<std::string_view>{"a.mid", "c.mid"}));
}

TEST_F(CorpusTest, FilesThatFailAreListedAndSkipped) {
  WriteSong(midi() / "good.mid", 1);
  WriteBytes(midi() / "broken.mid", "MThd nonsense");
  WriteBytes(midi() / "empty.mid", "");
  const std::vector<uint8_t> silent = SerializeScore(Score());
  WriteBytes(midi() / "silent.mid", {reinterpret_cast<const char*>(silent.data()), silent.size()});
  const auto report = Build();
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_EQ(report->songs, 1u);
  ASSERT_EQ(report->failures.size(), 3u);
  EXPECT_EQ(report->failures[0].file, "broken.mid");
  EXPECT_EQ(report->failures[1].file, "empty.mid");
  EXPECT_EQ(report->failures[2].file, "silent.mid");
  for (const auto& failure : report->failures) {
    EXPECT_THAT(failure.reason, HasSubstr(failure.file));
  }
  const auto manifest = nlohmann::json::parse(ReadBytes(corpus() / "manifest.json"));
  EXPECT_EQ(manifest["failures"].size(), 3u);
}

TEST_F(CorpusTest, AFolderWithoutMusicFailsAndLeavesNothing) {
  fs::create_directories(midi());
  EXPECT_FALSE(Build().ok());
  WriteBytes(midi() / "broken.mid", "MThd nonsense");
  const auto report = Build();
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().message, HasSubstr("broken.mid"));
  EXPECT_FALSE(fs::exists(corpus()));
  EXPECT_FALSE(BuildCorpus(folder_.path() / "nowhere", *tokenizer_, corpus(), {}, NoProgress()).ok());
}

TEST_F(CorpusTest, AnInterruptedBuildLeavesNothing) {
  WriteSong(midi() / "a.mid", 1);
  const StopToken stop([] { return true; });
  EXPECT_EQ(BuildCorpus(midi(), *tokenizer_, corpus(), {}, NoProgress(), stop).error().code, ErrorCode::kCancelled);
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    EXPECT_EQ(entry.path(), midi());
  }
}

class DamagedCorpusTest : public CorpusTest {
 protected:
  DamagedCorpusTest() {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      WriteSong(midi() / (std::to_string(seed) + ".mid"), seed);
    }
    CONTINUO_CHECK(Build().ok());
    CONTINUO_CHECK(Corpus::Open(corpus()).ok());
  }

  /// Changes a record of the index in place.
  template <typename Change>
  void ChangeRecord(size_t record, const Change& change) {
    std::string bytes = ReadBytes(corpus() / "index.bin");
    IndexRecord value;
    char* at = bytes.data() + sizeof(IndexHeader) + record * sizeof(IndexRecord);
    std::memcpy(&value, at, sizeof(value));
    change(value);
    std::memcpy(at, &value, sizeof(value));
    WriteBytes(corpus() / "index.bin", bytes);
  }
};

TEST_F(DamagedCorpusTest, AShortenedFileIsRefused) {
  for (const char* file : {"train-00000.bin", "index.bin"}) {
    const std::string bytes = ReadBytes(corpus() / file);
    for (const size_t length : {size_t{0}, size_t{5}, bytes.size() / 2, bytes.size() - 1}) {
      WriteBytes(corpus() / file, bytes.substr(0, length));
      EXPECT_THAT(OpenError(), HasSubstr(file)) << length;
    }
    WriteBytes(corpus() / file, bytes + "xx");
    EXPECT_THAT(OpenError(), HasSubstr(file));
    fs::remove(corpus() / file);
    EXPECT_THAT(OpenError(), HasSubstr(file));
    WriteBytes(corpus() / file, bytes);
  }
}

TEST_F(DamagedCorpusTest, CountsThatOverflowAreRefused) {
  const std::string bytes = ReadBytes(corpus() / "index.bin");
  for (const size_t field : {8, 16, 24}) {
    for (const uint64_t value : {UINT64_MAX, UINT64_MAX / 80 + 1, uint64_t{1} << 62}) {
      std::string damaged = bytes;
      std::memcpy(damaged.data() + field, &value, sizeof(value));
      WriteBytes(corpus() / "index.bin", damaged);
      EXPECT_THAT(OpenError(), HasSubstr("do not fill")) << field;
    }
  }
}

TEST_F(DamagedCorpusTest, ARecordThatPointsOutsideIsRefused) {
  const std::string bytes = ReadBytes(corpus() / "index.bin");
  const auto refused = [&](auto change) {
    WriteBytes(corpus() / "index.bin", bytes);
    ChangeRecord(3, change);
    EXPECT_THAT(OpenError(), HasSubstr("record 3"));
  };
  refused([](IndexRecord& r) { r.shard = 2; });
  refused([](IndexRecord& r) { r.split = 7; });
  refused([](IndexRecord& r) { r.offset = UINT64_MAX; });
  refused([](IndexRecord& r) { r.offset += 1'000'000; });
  refused([](IndexRecord& r) { r.length = UINT64_MAX; });
  refused([](IndexRecord& r) { r.length += 1'000'000; });
  refused([](IndexRecord& r) { r.first_bar = UINT64_MAX; });
  refused([](IndexRecord& r) { r.bar_count = UINT32_MAX; });
  refused([](IndexRecord& r) { r.name_offset = UINT64_MAX - 3; });
  refused([](IndexRecord& r) { r.name_length = UINT32_MAX; });
}

TEST_F(DamagedCorpusTest, AnIdThatTheVocabularyLacksIsRefused) {
  std::string bytes = ReadBytes(corpus() / "train-00000.bin");
  bytes[10] = '\xff';
  bytes[11] = '\xff';
  WriteBytes(corpus() / "train-00000.bin", bytes);
  EXPECT_THAT(OpenError(), HasSubstr("holds id 65535"));
}

TEST_F(DamagedCorpusTest, AManifestThatSaysElseIsRefused) {
  const auto manifest = nlohmann::json::parse(ReadBytes(corpus() / "manifest.json"));
  const auto refused = [&](const char* key, const nlohmann::json& value, const char* message) {
    auto changed = manifest;
    changed[key] = value;
    WriteBytes(corpus() / "manifest.json", changed.dump());
    EXPECT_THAT(OpenError(), HasSubstr(message));
  };
  refused("format", "something", "format");
  refused("version", 2, "build the corpus again");
  refused("shards", 3, "shards");
  refused("shards", {{{"file", "../index.bin"}, {"tokens", 1}}}, "not a shard's file name");
  refused("shards", {{{"file", "train-00000.bin"}, {"tokens", -1}}}, "expected");
  refused("vocab_sha256", "0000", "was built with 0000");
  WriteBytes(corpus() / "manifest.json", "[[[[");
  EXPECT_THAT(OpenError(), HasSubstr("manifest.json"));
}

TEST(CorpusOfPop1k7Test, HoldsTheIdsOfMidiTok) {
  CONTINUO_NEEDS_SHARED();
  TemporaryFolder folder;
  const auto tokenizer = Tokenizer::Load("remi").value();
  const auto report =
      BuildCorpus(SharedDir() / "data" / "pop1k7", *tokenizer, folder.path() / "corpus", {}, NoProgress());
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_EQ(report->files, 1747u);
  EXPECT_TRUE(report->failures.empty());
  const Result<Corpus> corpus = Corpus::Open(folder.path() / "corpus");
  ASSERT_TRUE(corpus.ok()) << corpus.error().ToString();
  std::map<std::string, std::string> hashes;
  std::ifstream golden(SharedDir() / "golden" / "tokens-3.1.0" / "remi" / "hashes.tsv");
  for (std::string line; std::getline(golden, line);) {
    std::istringstream fields(line);
    std::string file, tracks, count, hash;
    fields >> file >> tracks >> count >> hash;
    hashes[file] = hash;
  }
  for (size_t i = 0; i < corpus->song_count(); ++i) {
    const Corpus::Song song = corpus->song(i);
    const std::vector<int32_t> ids(song.ids.begin(), song.ids.end());
    const auto* bytes = reinterpret_cast<const uint8_t*>(ids.data());
    EXPECT_EQ(Sha256Hex(std::span(bytes, ids.size() * sizeof(int32_t))), hashes.at(std::string(song.name)))
        << song.name;
  }
}

}  // namespace
}  // namespace continuo
