#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>
#include <utility>

#include "continuo/core/hash.h"
#include "continuo/core/thread_pool.h"
#include "continuo/corpus/corpus.h"
#include "continuo/corpus/corpus_format.h"
#include "continuo/os/machine.h"
#include "continuo/score/bars.h"
#include "continuo/score/excerpt.h"
#include "continuo/score/midi_files.h"
#include "continuo/score/score_file.h"
#include "continuo/token/merge_tracks.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Digest = std::array<uint8_t, 32>;

constexpr uint64_t kMaxMidiBytes = uint64_t{1} << 30;
constexpr uint64_t kShardTokens = uint64_t{1} << 27;  // 256 MiB
constexpr size_t kMaxVocabulary = 65536;              // ids are stored in 16 bits
constexpr size_t kSongsAtOnce = 512;                  // bounds the memory that finished songs take

/// The content alone decides: its digest as a number in [0, 1).
Split SplitOf(const Digest& digest, double valid_fraction) {
  uint64_t high = 0;
  for (size_t i = 0; i < sizeof(high); ++i) {
    high = high << 8 | digest[i];
  }
  return static_cast<double>(high >> 11) * 0x1.0p-53 < valid_fraction ? Split::kValid : Split::kTrain;
}

/// A song that is ready to be written: the ids of each of its streams.
struct EncodedSong {
  struct Stream {
    std::vector<uint16_t> ids;
    std::vector<uint32_t> bar_offsets;
  };
  std::vector<Stream> streams;
  std::string failure;  // empty when it went well
  std::vector<std::string> repairs;
  // Of merged tracks:
  size_t tracks = 0;
  size_t dropped = 0;
  size_t shortened = 0;
};

/// A file whose bars are silent but for fewer than one in twenty, such as one with an absurd delta
/// time, would fill a corpus with empty bars.
constexpr size_t kLongSilence = 128;  // bars
constexpr size_t kBarsPerSoundingBar = 20;

/// How many bars of a score have the beginning of a note.
size_t BarsWithNotes(const Score& score) {
  const BarGrid grid(score);
  std::unordered_set<size_t> bars;
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      bars.insert(grid.BarAt(note.time));
    }
  }
  return bars.size();
}

/// A score from the bar in which its first note begins, on the grid of the tokens: a note less than
/// half a 32nd before that bar is moved to its line.
Score WithoutOpeningSilence(Score score) {
  Tick first = std::numeric_limits<Tick>::max();
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      first = std::min(first, note.time);
    }
  }
  const Tick tolerance = score.ticks_per_quarter / 16;
  const BarGrid grid(score);
  const Tick line = grid.Line(grid.BarAt(std::min(first, std::numeric_limits<Tick>::max() - tolerance) + tolerance));
  for (Track& track : score.tracks) {
    for (Note& note : track.notes) {
      note.time = std::max(note.time, line);
    }
  }
  return Excerpt(score, line, std::numeric_limits<Tick>::max(), /*cut=*/false);
}

/// `merger` may be null.
EncodedSong EncodeFile(const fs::path& path, const Tokenizer& tokenizer, const TrackMerger* merger, bool skip_silence) {
  EncodedSong song;
  Result<ScoreAndWarnings> read = ReadScoreAndWarnings(path);
  if (!read.ok()) {
    song.failure = read.error().ToString();
    return song;
  }
  Score& score = read->score;
  song.repairs = std::move(read->warnings);
  const size_t bars = CountBars(score);
  const size_t sounding = BarsWithNotes(score);
  if (sounding == 0) {
    song.failure = fmt::format("{}: holds no notes", path.string());
    return song;
  }
  if (bars >= kLongSilence && bars / sounding >= kBarsPerSoundingBar) {
    song.failure = fmt::format("{}: {} of its {} bars are silent", path.string(), bars - sounding, bars);
    return song;
  }
  if (merger != nullptr) {
    MergedTracks merged = merger->Merge(score);
    score = std::move(merged.score);
    song.tracks = merged.tracks;
    song.dropped = merged.dropped;
    song.shortened = merged.shortened;
  }
  if (skip_silence) {
    score = WithoutOpeningSilence(std::move(score));
  }
  for (const std::vector<TokenId>& ids : tokenizer.EncodeForModel(score)) {
    EncodedSong::Stream stream;
    if (ids.empty()) {
      continue;
    }
    if (ids.size() > UINT32_MAX - 2) {
      song.failure =
          fmt::format("{}: gives {} tokens, more than a corpus can hold of one song", path.string(), ids.size());
      song.streams.clear();
      return song;
    }
    stream.ids.reserve(ids.size());
    for (const TokenId id : ids) {
      stream.ids.push_back(static_cast<uint16_t>(id));
    }
    for (const size_t offset : tokenizer.ModelBarOffsets(ids)) {
      stream.bar_offsets.push_back(static_cast<uint32_t>(offset));
    }
    song.streams.push_back(std::move(stream));
  }
  if (song.streams.empty()) {
    song.failure = fmt::format("{}: gives no tokens: its notes are outside what the tokenizer takes", path.string());
  }
  return song;
}

/// Appends bytes to a file that it creates; Close reports the first failure.
class FileWriter {
 public:
  explicit FileWriter(fs::path path) : path_(std::move(path)), file_(path_, std::ios::binary | std::ios::trunc) {}
  template <typename T>
  void Append(std::span<const T> values) {
    file_.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  }
  Status Close() {
    file_.close();
    if (!file_) {
      return MakeError("{}: cannot write (is the disk full?)", path_.string());
    }
    return {};
  }

 private:
  fs::path path_;
  std::ofstream file_;
};

struct SourceFile {
  fs::path path;
  std::string name;   // within its folder
  size_t source = 0;  // its folder
  Digest digest{};
  std::string failure = {};
};

/// Writes songs in the order given into shards of each split, and the index at the end.
class CorpusWriter {
 public:
  explicit CorpusWriter(const fs::path& folder) : folder_(folder) {}

  Status Add(const SourceFile& file, Split split, const EncodedSong& song) {
    const uint64_t name_offset = names_.size();
    names_ += file.name;
    for (const EncodedSong::Stream& stream : song.streams) {
      CONTINUO_ASSIGN(const size_t shard, ShardFor(split, stream.ids.size()));
      IndexRecord record{};
      record.shard = static_cast<uint32_t>(shard);
      record.split = static_cast<uint16_t>(split);
      record.source = static_cast<uint16_t>(file.source);
      record.offset = shards_[shard].tokens;
      record.length = stream.ids.size();
      record.first_bar = bars_.size();
      record.bar_count = static_cast<uint32_t>(stream.bar_offsets.size());
      record.name_offset = name_offset;
      record.name_length = static_cast<uint32_t>(file.name.size());
      record.content_sha256 = file.digest;
      records_.push_back(record);
      bars_.insert(bars_.end(), stream.bar_offsets.begin(), stream.bar_offsets.end());
      open_[static_cast<size_t>(split)]->writer.Append(std::span<const uint16_t>(stream.ids));
      shards_[shard].tokens += stream.ids.size();
    }
    return {};
  }

  Status Finish() {
    for (auto& open : open_) {
      if (open) {
        CONTINUO_TRY(open->writer.Close());
      }
    }
    const IndexHeader header{
        .magic = kIndexMagic, .songs = records_.size(), .bars = bars_.size(), .name_bytes = names_.size()};
    FileWriter index(folder_ / kIndexFile);
    index.Append(std::span<const IndexHeader>(&header, 1));
    index.Append(std::span<const IndexRecord>(records_));
    index.Append(std::span<const uint32_t>(bars_));
    index.Append(std::span<const char>(names_));
    return index.Close();
  }

  nlohmann::ordered_json ShardsJson() const {
    auto list = nlohmann::ordered_json::array();
    for (const Shard& shard : shards_) {
      list.push_back({{"file", shard.file}, {"tokens", shard.tokens}});
    }
    return list;
  }
  size_t streams() const { return records_.size(); }
  size_t bars() const { return bars_.size(); }

 private:
  struct Shard {
    std::string file;
    uint64_t tokens = 0;
  };
  struct OpenShard {
    size_t index = 0;
    FileWriter writer;
  };

  /// The shard that takes the next stream of a split; begins another when the last one is full.
  Result<size_t> ShardFor(Split split, uint64_t tokens) {
    const auto side = static_cast<size_t>(split);
    std::optional<OpenShard>& open = open_[side];
    if (open && shards_[open->index].tokens > 0 && shards_[open->index].tokens + tokens > kShardTokens) {
      CONTINUO_TRY(open->writer.Close());
      open.reset();
    }
    if (!open) {
      std::string file = fmt::format("{}-{:05}.bin", split == Split::kTrain ? "train" : "valid", count_[side]++);
      open.emplace(OpenShard{shards_.size(), FileWriter(folder_ / file)});
      shards_.push_back({std::move(file), 0});
    }
    return open->index;
  }

  const fs::path folder_;
  std::vector<Shard> shards_;
  std::optional<OpenShard> open_[2];
  size_t count_[2] = {0, 0};
  std::vector<IndexRecord> records_;
  std::vector<uint32_t> bars_;
  std::string names_;
};

/// The files' digests; a file that can't be read has a failure instead.
Status HashFiles(std::vector<SourceFile>& files, ThreadPool& pool, const StopToken& stop) {
  pool.ForEach(files.size(), [&](size_t i, size_t) {
    if (stop.stop_requested()) {
      return;
    }
    const Result<std::vector<uint8_t>> bytes = ReadFile(files[i].path, kMaxMidiBytes);
    if (!bytes.ok()) {
      files[i].failure = bytes.error().ToString();
      return;
    }
    Sha256 hash;
    hash.Update(*bytes);
    files[i].digest = hash.Finish();
  });
  return stop.stop_requested() ? Status(CancelledError()) : Status();
}

/// The last component of a path.
std::string NameOf(const fs::path& folder) {
  std::error_code code;
  const fs::path whole = fs::absolute(folder, code).lexically_normal();
  return (whole.has_filename() ? whole.filename() : whole.parent_path().filename()).string();
}

Status CheckSources(std::span<const CorpusSource> sources) {
  if (sources.empty() || sources.size() > kMostSources) {
    return MakeError("{} folders, expected 1 to {}", sources.size(), kMostSources);
  }
  for (size_t i = 0; i < sources.size(); ++i) {
    const CorpusSource& source = sources[i];
    if (!(source.weight >= kLeastWeight && source.weight <= kLargestWeight)) {
      return MakeError("{}: has the weight {}, expected {} to {}", source.folder.string(), source.weight, kLeastWeight,
                       kLargestWeight);
    }
    for (size_t j = 0; j < i; ++j) {
      std::error_code code;
      if (fs::equivalent(sources[j].folder, source.folder, code)) {
        return Error{fmt::format("{}: is named twice", source.folder.string()), "name it once, with one weight"};
      }
    }
  }
  return {};
}

/// "a, b": for messages.
std::string Folders(std::span<const CorpusSource> sources) {
  std::string text;
  for (const CorpusSource& source : sources) {
    text += (text.empty() ? "" : ", ") + source.folder.string();
  }
  return text;
}

/// A file's name in the report: with that of its folder where there are several.
std::string NameInReport(size_t source, const std::string& name, const CorpusBuildReport& report) {
  return report.sources.size() == 1 ? name : report.sources[source].name + "/" + name;
}

nlohmann::ordered_json SourcesJson(const CorpusBuildReport& report) {
  auto list = nlohmann::ordered_json::array();
  for (const CorpusBuildReport::Source& source : report.sources) {
    list.push_back({{"name", source.name},
                    {"weight", source.weight},
                    {"songs", source.songs},
                    {"tokens", {{"train", source.tokens[0]}, {"valid", source.tokens[1]}}}});
    if (source.merge_tracks) {
      list.back()["merged"] = {{"tracks", source.merged_tracks},
                               {"dropped_notes", source.dropped_notes},
                               {"shortened_notes", source.shortened_notes}};
    }
  }
  return list;
}

/// Takes out failed files into the report, and all but the first name of each content; sorts by
/// content.
void KeepDistinct(std::vector<SourceFile>& files, CorpusBuildReport& report) {
  for (const SourceFile& file : files) {
    if (!file.failure.empty()) {
      report.failures.push_back({NameInReport(file.source, file.name, report), file.failure});
    }
  }
  std::erase_if(files, [](const SourceFile& file) { return !file.failure.empty(); });
  std::stable_sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.digest < b.digest; });
  const auto distinct =
      std::unique(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.digest == b.digest; });
  report.duplicates = static_cast<size_t>(files.end() - distinct);
  files.erase(distinct, files.end());
}

}  // namespace

Result<CorpusBuildReport> BuildCorpus(const fs::path& folder, const Tokenizer& tokenizer, const fs::path& output,
                                      const CorpusBuildOptions& options, Progress& progress, const StopToken& stop) {
  const CorpusSource source{folder};
  return BuildCorpus(std::span(&source, 1), tokenizer, output, options, progress, stop);
}

std::vector<std::string> CorpusBuildReport::Lines() const {
  std::vector<std::string> lines;
  for (size_t i = 0; i < repairs.size();) {
    std::vector<std::string> of_file;
    const std::string& file = repairs[i].file;
    for (; i < repairs.size() && repairs[i].file == file; ++i) {
      of_file.push_back(repairs[i].reason);
    }
    lines.push_back(RepairsInOneLine(of_file));
  }
  for (const Failure& failure : failures) {
    lines.push_back(fmt::format("skipped {}", failure.reason));
  }
  return lines;
}

Result<CorpusBuildReport> BuildCorpus(std::span<const CorpusSource> sources, const Tokenizer& tokenizer,
                                      const fs::path& output, const CorpusBuildOptions& options, Progress& progress,
                                      const StopToken& stop) {
  if (!(options.valid_fraction >= 0 && options.valid_fraction <= 1)) {
    return MakeError("the share of validation songs is {}, expected 0 to 1", options.valid_fraction);
  }
  const size_t vocabulary = tokenizer.model_size();
  if (vocabulary > kMaxVocabulary) {
    return MakeError("the vocabulary has {} tokens, but a corpus holds ids below {}", vocabulary, kMaxVocabulary);
  }
  CONTINUO_TRY(CheckSources(sources));
  CorpusBuildReport report;
  for (const CorpusSource& source : sources) {
    report.sources.push_back(
        {.name = NameOf(source.folder), .weight = source.weight, .merge_tracks = source.merge_tracks});
  }
  CONTINUO_ASSIGN(const TrackMerger merger, TrackMerger::Create(tokenizer));
  std::vector<SourceFile> files;
  for (size_t i = 0; i < sources.size(); ++i) {
    const fs::path& folder = sources[i].folder;
    CONTINUO_ASSIGN(MidiFileList list, ListMidiFiles(folder));
    if (list.names.empty()) {
      return NoMidiFiles(folder);
    }
    report.files += list.names.size() + list.skipped.size();
    for (const MidiFileList::Skipped& skipped : list.skipped) {
      report.failures.push_back({NameInReport(i, skipped.name, report),
                                 fmt::format("{}: {}", (folder / skipped.name).string(), skipped.reason)});
    }
    for (std::string& name : list.names) {
      fs::path path = folder / name;
      files.push_back({.path = std::move(path), .name = std::move(name), .source = i});
    }
  }
  CONTINUO_ASSIGN(AtomicDirectory target, AtomicDirectory::Create(output));

  ThreadPool pool(ThreadCount(options.threads));
  CONTINUO_TRY(HashFiles(files, pool, stop));
  KeepDistinct(files, report);

  CorpusWriter writer(target.path());
  for (size_t begin = 0; begin < files.size(); begin += kSongsAtOnce) {
    const size_t count = std::min(kSongsAtOnce, files.size() - begin);
    std::vector<EncodedSong> songs(count);
    std::atomic<size_t> done{0};
    pool.ForEach(count, [&](size_t i, size_t) {
      if (!stop.stop_requested()) {
        const SourceFile& file = files[begin + i];
        songs[i] = EncodeFile(file.path, tokenizer, sources[file.source].merge_tracks ? &merger : nullptr,
                              options.skip_silence);
        progress.Update(begin + done.fetch_add(1) + 1, files.size(), "");
      }
    });
    if (stop.stop_requested()) {
      return CancelledError();
    }
    for (size_t i = 0; i < count; ++i) {
      const SourceFile& file = files[begin + i];
      for (const std::string& repair : songs[i].repairs) {
        report.repairs.push_back({NameInReport(file.source, file.name, report), repair});
      }
      if (!songs[i].failure.empty()) {
        report.failures.push_back({NameInReport(file.source, file.name, report), songs[i].failure});
        continue;
      }
      const Split split = SplitOf(file.digest, options.valid_fraction);
      CONTINUO_TRY(writer.Add(file, split, songs[i]));
      CorpusBuildReport::Source& source = report.sources[file.source];
      ++report.songs;
      ++source.songs;
      source.merged_tracks += songs[i].tracks;
      source.dropped_notes += songs[i].dropped;
      source.shortened_notes += songs[i].shortened;
      for (const EncodedSong::Stream& stream : songs[i].streams) {
        report.tokens[static_cast<size_t>(split)] += stream.ids.size();
        source.tokens[static_cast<size_t>(split)] += stream.ids.size();
      }
    }
  }
  if (report.songs == 0) {
    return MakeError("{}: none of its {} files gave tokens; the first: {}", Folders(sources), report.files,
                     report.failures.front().reason);
  }
  CONTINUO_TRY(writer.Finish());
  std::stable_sort(report.repairs.begin(), report.repairs.end(),
                   [](const auto& a, const auto& b) { return a.file < b.file; });
  std::sort(report.failures.begin(), report.failures.end(),
            [](const auto& a, const auto& b) { return a.file < b.file; });

  auto failures = nlohmann::ordered_json::array();
  for (const CorpusBuildReport::Failure& failure : report.failures) {
    failures.push_back({{"file", failure.file}, {"reason", failure.reason}});
  }
  const bool plain = sources.size() == 1 && sources.front().weight == 1 && !sources.front().merge_tracks;
  nlohmann::ordered_json manifest = {
      {"format", kCorpusFormat},
      {"version", plain ? kCorpusVersion : kCorpusVersionWithSources},
      {"vocab_sha256", tokenizer.model_sha256()},
      {"vocab_size", vocabulary},
      {"valid_fraction", options.valid_fraction},
      {"files", report.files},
      {"songs", report.songs},
      {"streams", writer.streams()},
      {"bars", writer.bars()},
      {"duplicates", report.duplicates},
      {"tokens", {{"train", report.tokens[0]}, {"valid", report.tokens[1]}}},
      {"shards", writer.ShardsJson()},
      {"failures", failures},
  };
  if (options.skip_silence) {
    manifest["skip_silence"] = true;
  }
  if (!plain) {
    manifest["sources"] = SourcesJson(report);
  }
  // Names come from the file system and need not be UTF-8.
  const std::string text = manifest.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  CONTINUO_TRY(WriteFileAtomically(target.path() / kManifestFile, text));
  CONTINUO_TRY(WriteFileAtomically(target.path() / kTokenizerFile, tokenizer.ToJson()));
  CONTINUO_TRY(target.Commit());
  return report;
}

}  // namespace continuo
