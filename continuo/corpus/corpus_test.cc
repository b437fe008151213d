#include "continuo/corpus/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
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
#include "continuo/corpus/blocks.h"
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

TEST_F(CorpusTest, SilenceBeforeTheFirstNoteCanBeSkipped) {
  // Two bars of 4/4 and two of 3/4 before the bar of the first note, which is a little early.
  const auto song = [](Tick shift) {
    Score score = RandomScore(1);
    for (Note& note : score.tracks[0].notes) {
      note.time += shift;
    }
    return score;
  };
  Score late = song(2 * 1920 + 2 * 1440);
  late.tracks[0].notes[0].time -= 20;
  late.time_signatures = {{0, 4, 4}, {2 * 1920, 3, 4}, {2 * 1920 + 2 * 1440, 4, 4}};
  late.tempos = {{0, 500000}, {1920, 1000000}};
  const std::vector<uint8_t> bytes = SerializeScore(late);
  WriteBytes(midi() / "late.mid", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  ASSERT_TRUE(Build({.valid_fraction = 0, .skip_silence = true}).ok());
  const Corpus corpus = std::move(*Corpus::Open(this->corpus()));
  Score at_once = song(0);
  at_once.tempos = {{0, 1000000}};
  const std::vector<TokenId> ids = tokenizer_->Encode(at_once).at(0);
  EXPECT_EQ(std::vector<TokenId>(corpus.song(0).ids.begin(), corpus.song(0).ids.end()), ids);
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

TEST_F(CorpusTest, ADirectoryThatIsNotThereIsNotFound) {
  for (const fs::path& directory : {corpus(), corpus() / std::string(5000, 'x')}) {
    EXPECT_EQ(Corpus::Open(directory).error().code, ErrorCode::kNotFound);
  }
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

TEST_F(CorpusTest, OneFolderGivesTheSameBytesAloneAndInAList) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    WriteSong(midi() / (std::to_string(seed) + ".mid"), seed);
  }
  ASSERT_TRUE(Build().ok());
  const auto before = Contents(corpus());
  const std::vector<CorpusSource> sources = {{midi()}};
  ASSERT_TRUE(BuildCorpus(sources, *tokenizer_, corpus(), {.valid_fraction = 0.3}, NoProgress()).ok());
  EXPECT_EQ(Contents(corpus()), before);
  const auto manifest = nlohmann::json::parse(before.at("manifest.json"));
  EXPECT_EQ(manifest["version"], 1);
  EXPECT_FALSE(manifest.contains("sources"));
  const Corpus opened = Corpus::Open(corpus()).value();
  ASSERT_EQ(opened.sources().size(), 1u);
  EXPECT_EQ(opened.sources()[0].weight, 1);
}

/// Two folders: "one" with songs 0 to 19, "two" with songs 18 to 39.
class TwoFoldersTest : public CorpusTest {
 protected:
  TwoFoldersTest() {
    for (uint64_t seed = 0; seed < 40; ++seed) {
      const std::string name = std::to_string(seed) + ".mid";
      if (seed < 20) {
        WriteSong(one() / name, seed);
      }
      if (seed >= 18) {
        WriteSong(two() / name, seed);
      }
    }
  }
  fs::path one() const { return folder_.path() / "one"; }
  fs::path two() const { return folder_.path() / "two"; }
  Result<CorpusBuildReport> BuildFrom(const std::vector<CorpusSource>& sources, size_t threads = 0) {
    return BuildCorpus(sources, *tokenizer_, corpus(), {.valid_fraction = 0.3, .threads = threads}, NoProgress());
  }
  /// The side of each song.
  std::map<std::string, Split> Sides() const {
    std::map<std::string, Split> sides;
    const Corpus opened = Corpus::Open(corpus()).value();
    for (size_t i = 0; i < opened.song_count(); ++i) {
      sides[std::string(opened.song(i).name)] = opened.song(i).split;
    }
    return sides;
  }
};

/// A melody that the piano doubles, and a long note that is struck again while it sounds.
void WriteSongOfTwoTracks(const fs::path& path) {
  Score score;
  score.tracks.resize(2);
  score.tracks[0].program = 73;
  score.tracks[0].notes = {{0, 480, 72, 90}, {480, 480, 74, 90}};
  score.tracks[1].notes = {{0, 960, 72, 60}, {0, 1920, 48, 60}, {960, 480, 48, 60}};
  const std::vector<uint8_t> bytes = SerializeScore(score);
  WriteBytes(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

TEST_F(TwoFoldersTest, TracksAreMergedWhereAFolderAsksForIt) {
  WriteSongOfTwoTracks(one() / "band.mid");
  const auto streams = [&](size_t source) {
    std::vector<std::vector<TokenId>> found;
    const Corpus opened = Corpus::Open(corpus()).value();
    for (size_t i = 0; i < opened.song_count(); ++i) {
      const Corpus::Song song = opened.song(i);
      if (song.name == "band.mid") {
        EXPECT_EQ(song.source, source);
        found.emplace_back(song.ids.begin(), song.ids.end());
      }
    }
    return found;
  };
  ASSERT_TRUE(BuildFrom({{two()}, {one()}}).ok());
  EXPECT_EQ(streams(1).size(), 2u);

  // The other folder's songs stay as they are.
  const auto others = [&] {
    std::map<std::string, std::vector<TokenId>> ids;
    const Corpus opened = Corpus::Open(corpus()).value();
    for (size_t i = 0; i < opened.song_count(); ++i) {
      if (opened.song(i).name != "band.mid") {
        ids[std::string(opened.song(i).name)] = {opened.song(i).ids.begin(), opened.song(i).ids.end()};
      }
    }
    return ids;
  };
  const auto before = others();
  const auto report = BuildFrom({{two()}, {one(), 1, /*merge_tracks=*/true}});
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_EQ(others(), before);
  const auto merged = streams(1);
  ASSERT_EQ(merged.size(), 1u);
  const Score decoded = tokenizer_->Decode(merged);
  // In the file, the first note-off of pitch 48, at 1440, ends the first note.
  const std::vector<Note> expected = {{0, 16, 48, 60}, {0, 16, 72, 90}, {8, 8, 74, 90}, {16, 16, 48, 60}};
  ASSERT_EQ(decoded.tracks.size(), 1u);
  ASSERT_EQ(decoded.tracks[0].notes.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(decoded.tracks[0].notes[i].time, expected[i].time);
    EXPECT_EQ(decoded.tracks[0].notes[i].duration, expected[i].duration);
    EXPECT_EQ(decoded.tracks[0].notes[i].pitch, expected[i].pitch);
  }
  EXPECT_FALSE(report->sources[0].merge_tracks);
  EXPECT_EQ(report->sources[0].dropped_notes, 0u);
  EXPECT_EQ(report->sources[1].merged_tracks, 20u);  // 18 songs that only this folder has, and the band's two tracks
  EXPECT_EQ(report->sources[1].dropped_notes, 1u);
  EXPECT_EQ(report->sources[1].shortened_notes, 1u);
  const auto manifest = nlohmann::json::parse(ReadBytes(corpus() / "manifest.json"));
  EXPECT_EQ(manifest["version"], 2);
  EXPECT_FALSE(manifest["sources"][0].contains("merged"));
  EXPECT_EQ(manifest["sources"][1]["merged"]["dropped_notes"], 1);
}

TEST_F(TwoFoldersTest, SongsKeepTheirSides) {
  ASSERT_TRUE(BuildFrom({{one()}}).ok());
  std::map<std::string, Split> sides = Sides();
  ASSERT_TRUE(BuildFrom({{two(), 3}}).ok());
  sides.merge(Sides());
  const auto report = BuildFrom({{one()}, {two(), 3}});
  ASSERT_TRUE(report.ok()) << report.error().ToString();
  EXPECT_EQ(Sides(), sides);
  EXPECT_EQ(sides.size(), 40u);
  EXPECT_EQ(report->files, 42u);
  EXPECT_EQ(report->songs, 40u);
  EXPECT_EQ(report->duplicates, 2u);
  ASSERT_EQ(report->sources.size(), 2u);
  EXPECT_EQ(report->sources[0].name, "one");
  EXPECT_EQ(report->sources[0].songs, 20u);  // what both have counts for the first
  EXPECT_EQ(report->sources[1].songs, 20u);
  for (const size_t split : {0, 1}) {
    EXPECT_EQ(report->sources[0].tokens[split] + report->sources[1].tokens[split], report->tokens[split]);
  }
}

TEST_F(TwoFoldersTest, TheBytesAreTheSameForAnyNumberOfThreads) {
  ASSERT_TRUE(BuildFrom({{one(), 0.5}, {two(), 2}}, 1).ok());
  const auto bytes = Contents(corpus());
  ASSERT_TRUE(BuildFrom({{one(), 0.5}, {two(), 2}}, 3).ok());
  EXPECT_EQ(Contents(corpus()), bytes);
}

TEST_F(TwoFoldersTest, AWeightMultipliesTheSongsToTrainOn) {
  ASSERT_TRUE(BuildFrom({{one(), 0.5}, {two(), 2.5}}).ok());
  const Corpus opened = Corpus::Open(corpus()).value();
  ASSERT_EQ(opened.sources().size(), 2u);
  EXPECT_EQ(opened.sources()[0].name, "one");
  EXPECT_EQ(opened.sources()[0].weight, 0.5);
  EXPECT_EQ(opened.sources()[1].weight, 2.5);
  std::map<const uint16_t*, double> wanted;  // by the place of a song's ids
  size_t validation = 0;
  for (size_t i = 0; i < opened.song_count(); ++i) {
    const Corpus::Song song = opened.song(i);
    EXPECT_EQ(song.source, std::stoi(std::string(song.name)) < 20 ? 0u : 1u) << song.name;
    if (song.split == Split::kTrain) {
      wanted[song.ids.data()] = song.source == 0 ? 0.5 : 2.5;
    } else {
      ++validation;
    }
  }
  std::map<const uint16_t*, double> total;
  for (const BlockSong& song : SongsOf(opened, /*valid=*/false)) {
    EXPECT_GT(song.share, 0);
    EXPECT_LE(song.share, 1);
    total[song.ids.data()] += song.share;
  }
  ASSERT_EQ(total.size(), wanted.size());
  for (const auto& [ids, weight] : wanted) {
    EXPECT_NEAR(total.at(ids), weight, 1e-12);
  }
  const std::vector<BlockSong> valid = SongsOf(opened, /*valid=*/true);
  EXPECT_EQ(valid.size(), validation);
  for (const BlockSong& song : valid) {
    EXPECT_EQ(song.share, 1);
  }
}

TEST_F(TwoFoldersTest, FaultsNameTheFolder) {
  WriteBytes(one() / "broken.mid", "MThd nonsense");
  WriteBytes(two() / "broken.mid", "MThd nonsense");
  const auto report = BuildFrom({{one()}, {two()}});
  ASSERT_TRUE(report.ok());
  ASSERT_EQ(report->failures.size(), 1u);  // one content
  EXPECT_EQ(report->failures[0].file, "one/broken.mid");
  const auto refusal = [&](const std::vector<CorpusSource>& sources) {
    const auto result = BuildFrom(sources);
    return result.ok() ? "built" : result.error().ToString();
  };
  EXPECT_THAT(refusal({{one()}, {two()}, {folder_.path() / "two" / ".." / "one"}}), HasSubstr("is named twice"));
  EXPECT_THAT(refusal({{one()}, {two(), 0}}), HasSubstr("two: has the weight 0, expected 0.01 to 100"));
  EXPECT_THAT(refusal({{one(), std::nan("")}}), HasSubstr("one: has the weight nan"));
  EXPECT_THAT(refusal({{one()}, {folder_.path() / "none"}}), HasSubstr("none"));
  EXPECT_THAT(refusal({}), HasSubstr("0 folders"));
}

TEST_F(TwoFoldersTest, DamagedSourcesAreRefused) {
  ASSERT_TRUE(BuildFrom({{one()}, {two(), 2}}).ok());
  const auto manifest = nlohmann::json::parse(ReadBytes(corpus() / "manifest.json"));
  EXPECT_EQ(manifest["version"], 2);
  const auto refused = [&](const nlohmann::json& sources, const char* message) {
    auto changed = manifest;
    changed["sources"] = sources;
    WriteBytes(corpus() / "manifest.json", changed.dump());
    EXPECT_THAT(OpenError(), HasSubstr(message)) << sources;
  };
  refused(nullptr, "\"sources\" is not a list");
  refused(nlohmann::json::array(), "\"sources\" is not a list");
  refused({{{"name", "one"}, {"weight", 1}}}, "points outside the corpus");  // the second is missing
  refused({{{"name", "one"}, {"weight", 1}}, {{"name", "two"}, {"weight", 0}}}, "a weight from 0.01 to 100");
  refused({{{"name", "one"}, {"weight", 1}}, {{"name", "two"}, {"weight", "2"}}}, "a weight from 0.01 to 100");
  refused({{{"name", "one"}, {"weight", 1}}, {{"weight", 2}}}, "expected");
  refused({1, 2}, "expected");
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
  refused([](IndexRecord& r) { r.source = 1; });
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
  refused("version", 3, "build the corpus again");
  refused("version", 2, "\"sources\" is not a list");
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
