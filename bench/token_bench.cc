// Reading MIDI files, tokens from and to scores, chords and grammar: one thread, each song once an
// iteration.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "continuo/os/file.h"
#include "continuo/score/chord_recogniser.h"
#include "continuo/score/score_file.h"
#include "continuo/token/tokenizer.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct Song {
  fs::path path;
  std::vector<uint8_t> bytes;
  Score score;
};

fs::path Source() {
  return CONTINUO_SOURCE_DIR;
}

/// The files that CONTINUO_BENCH_FILES lists (a relative path is from the source folder), else
/// every fourth song of Pop1K7 in CONTINUO_SHARED, else the songs that ship.
std::vector<fs::path> Paths() {
  std::vector<fs::path> paths;
  if (const char* list = std::getenv("CONTINUO_BENCH_FILES")) {
    std::ifstream file(list);
    for (std::string line; std::getline(file, line);) {
      paths.push_back(Source() / line);
    }
    return paths;
  }
  const char* shared = std::getenv("CONTINUO_SHARED");
  fs::path folder = (shared != nullptr ? fs::path(shared) : Source() / ".." / "shared") / "data" / "pop1k7";
  const size_t every = fs::is_directory(folder) ? 4 : 1;
  folder = every == 4 ? folder : Source() / "examples" / "corpus";
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".mid") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<fs::path> some;
  for (size_t i = 0; i < paths.size(); i += every) {
    some.push_back(paths[i]);
  }
  return some;
}

const std::vector<Song>& Songs() {
  static const std::vector<Song> songs = [] {
    std::vector<Song> read;
    for (const fs::path& path : Paths()) {
      Song song{path, ReadFile(path).value(), {}};
      song.score = ParseScore(song.bytes, path.string()).value().score;
      read.push_back(std::move(song));
    }
    return read;
  }();
  return songs;
}

size_t TotalBytes() {
  return std::accumulate(Songs().begin(), Songs().end(), size_t{0},
                         [](size_t sum, const Song& song) { return sum + song.bytes.size(); });
}

template <typename Value>
size_t TotalSize(const std::vector<std::vector<Value>>& lists) {
  return std::accumulate(lists.begin(), lists.end(), size_t{0},
                         [](size_t sum, const std::vector<Value>& list) { return sum + list.size(); });
}

int64_t AllOf(const benchmark::State& state, size_t count) {
  return static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(count);
}

/// What a plain pass over the files' bytes costs, as a measure of what parsing could reach.
void SumBytes(benchmark::State& state) {
  for (auto _ : state) {
    uint64_t sum = 0;
    for (const Song& song : Songs()) {
      for (const uint8_t byte : song.bytes) {
        sum += byte & 0x7F;
        benchmark::DoNotOptimize(sum);
      }
    }
  }
  state.SetBytesProcessed(AllOf(state, TotalBytes()));
}

void ParseMemory(benchmark::State& state) {
  for (auto _ : state) {
    for (const Song& song : Songs()) {
      benchmark::DoNotOptimize(ParseScore(song.bytes, "song").value());
    }
  }
  state.SetBytesProcessed(AllOf(state, TotalBytes()));
}

void ParsePath(benchmark::State& state) {
  for (auto _ : state) {
    for (const Song& song : Songs()) {
      benchmark::DoNotOptimize(ReadScore(song.path).value());
    }
  }
  state.SetBytesProcessed(AllOf(state, TotalBytes()));
}

void Write(benchmark::State& state) {
  size_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    for (const Song& song : Songs()) {
      bytes += SerializeScore(song.score).size();
    }
  }
  state.SetBytesProcessed(AllOf(state, bytes));
}

void Encode(benchmark::State& state, const Tokenizer& tokenizer) {
  size_t tokens = 0;
  for (auto _ : state) {
    tokens = 0;
    for (const Song& song : Songs()) {
      tokens += TotalSize(tokenizer.Encode(song.score));
    }
  }
  state.SetItemsProcessed(AllOf(state, tokens));
  state.counters["tokens"] = static_cast<double>(tokens);
}

void ParseAndEncode(benchmark::State& state, const Tokenizer& tokenizer) {
  size_t tokens = 0;
  for (auto _ : state) {
    tokens = 0;
    for (const Song& song : Songs()) {
      tokens += TotalSize(tokenizer.Encode(ReadScore(song.path).value()));
    }
  }
  state.SetItemsProcessed(AllOf(state, tokens));
  state.counters["tokens"] = static_cast<double>(tokens);
}

void Decode(benchmark::State& state, const Tokenizer& tokenizer) {
  std::vector<std::vector<std::vector<TokenId>>> ids;
  size_t tokens = 0;
  for (const Song& song : Songs()) {
    ids.push_back(tokenizer.Encode(song.score));
    tokens += TotalSize(ids.back());
  }
  for (auto _ : state) {
    for (const auto& streams : ids) {
      benchmark::DoNotOptimize(tokenizer.Decode(streams));
    }
  }
  state.SetItemsProcessed(AllOf(state, tokens));
  state.counters["tokens"] = static_cast<double>(tokens);
}

/// A step of the grammar as the sampler takes it: the mask, then the token.
void Mask(benchmark::State& state, const Tokenizer& tokenizer) {
  const std::vector<TokenId> ids = tokenizer.Encode(Songs().front().score).at(0);
  std::vector<uint8_t> allowed(tokenizer.vocabulary().size());
  for (auto _ : state) {
    const std::unique_ptr<Grammar> grammar = tokenizer.NewGrammar();
    for (const TokenId id : ids) {
      grammar->Allowed(allowed);
      benchmark::DoNotOptimize(allowed.data());
      grammar->Advance(id);
    }
  }
  state.SetItemsProcessed(AllOf(state, ids.size()));
  state.counters["vocabulary"] = static_cast<double>(allowed.size());
}

void Recognise(benchmark::State& state) {
  size_t chords = 0;
  for (auto _ : state) {
    chords = 0;
    for (const Song& song : Songs()) {
      chords += RecogniseChords(song.score).size();
    }
  }
  state.SetItemsProcessed(AllOf(state, Songs().size()));
  state.counters["chords"] = static_cast<double>(chords);
}

/// The presets, and REMIChord with the recogniser, which it has no need of where songs have
/// markers.
std::vector<std::pair<std::string, std::unique_ptr<Tokenizer>>> Tokenizers() {
  std::vector<std::pair<std::string, std::unique_ptr<Tokenizer>>> tokenizers;
  for (const char* preset : {"remi", "remiplus", "midilike", "tsd_default", "remichord", "remiplan"}) {
    tokenizers.emplace_back(preset, Tokenizer::Load(preset).value());
  }
  TokenizerConfig recognised = PresetConfig("remichord", MidiTokRelease::k3_1_0).value();
  recognised.chords = ChordSource::kRecognised;
  tokenizers.emplace_back("remichord_recognised", Tokenizer::Create(recognised).value());
  return tokenizers;
}

}  // namespace
}  // namespace continuo

int main(int argc, char** argv) {
  using namespace continuo;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  const auto add = [](const std::string& name, auto function) {
    benchmark::RegisterBenchmark(name.c_str(), function)->Unit(benchmark::kMillisecond);
  };
  add("SumBytes", SumBytes);
  add("ParseMemory", ParseMemory);
  add("ParsePath", ParsePath);
  add("Write", Write);
  add("Recognise", Recognise);
  const auto tokenizers = Tokenizers();
  for (const auto& [name, owned] : tokenizers) {
    const Tokenizer& tokenizer = *owned;
    add("Encode/" + name, [&tokenizer](benchmark::State& state) { Encode(state, tokenizer); });
    add("ParseAndEncode/" + name, [&tokenizer](benchmark::State& state) { ParseAndEncode(state, tokenizer); });
    add("Decode/" + name, [&tokenizer](benchmark::State& state) { Decode(state, tokenizer); });
    add("Mask/" + name, [&tokenizer](benchmark::State& state) { Mask(state, tokenizer); });
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
