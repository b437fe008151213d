#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/os/file.h"
#include "continuo/token/tokenizer.h"

namespace continuo {

enum class Split : uint8_t { kTrain = 0, kValid = 1 };

/// A folder to build from, and how often its songs are trained on.
struct CorpusSource {
  std::filesystem::path folder;
  /// How often each song to train on is in an epoch, on average. Validation is not weighted.
  double weight = 1;
  /// Makes one piano track of a song's melodic tracks before it is tokenized (TrackMerger in
  /// continuo/token/merge_tracks.h says how).
  bool merge_tracks = false;
};
inline constexpr double kLeastWeight = 0.01;
inline constexpr double kLargestWeight = 100;
inline constexpr size_t kMostSources = 1000;

struct CorpusBuildOptions {
  double valid_fraction = 0.05;
  /// Leaves out the bars before a song's first note, so that models do not learn to begin with
  /// silence.
  bool skip_silence = false;
  size_t threads = 0;  // 0: one per core
};

struct CorpusBuildReport {
  size_t files = 0;
  size_t songs = 0;             // files that gave ids
  size_t duplicates = 0;        // songs whose content another file has too; kept once
  uint64_t tokens[2] = {0, 0};  // by Split
  struct Failure {
    std::string file;
    std::string reason;
  };
  std::vector<Failure> failures;
  std::vector<Failure> repairs;  // what was repaired in songs that were taken, a line per fault
  /// What each folder gave, in the order in which they were named. A song that two folders have
  /// counts for the first.
  struct Source {
    std::string name;  // the last component of its path
    double weight = 1;
    size_t songs = 0;
    uint64_t tokens[2] = {0, 0};
    bool merge_tracks = false;
    size_t merged_tracks = 0;    // how many melodic tracks its songs had, if they were merged
    size_t dropped_notes = 0;    // one key struck twice at once
    size_t shortened_notes = 0;  // sounded on into the next of their pitch
  };
  std::vector<Source> sources;

  /// A line for each file that was repaired, then one for each that was skipped.
  std::vector<std::string> Lines() const;
};

/// Tokenizes every MIDI file under the folders of `sources` into a corpus directory at `output`,
/// which appears whole or not at all. The result is the same for any number of threads and any file
/// names' order. A song's split depends on its content alone, so that it is the same in a corpus of
/// one folder and in one of several.
///
/// Fails on a folder that is named twice, cannot be read or has no MIDI files, on a weight outside
/// kLeastWeight to kLargestWeight, and if no file gives tokens.
Result<CorpusBuildReport> BuildCorpus(std::span<const CorpusSource> sources, const Tokenizer& tokenizer,
                                      const std::filesystem::path& output, const CorpusBuildOptions& options,
                                      Progress& progress, const StopToken& stop = {});
/// The same from one folder.
Result<CorpusBuildReport> BuildCorpus(const std::filesystem::path& folder, const Tokenizer& tokenizer,
                                      const std::filesystem::path& output, const CorpusBuildOptions& options,
                                      Progress& progress, const StopToken& stop = {});

/// A corpus on disk, memory-mapped. Immutable; any number of threads may read one object.
class Corpus {
 public:
  static Result<Corpus> Open(const std::filesystem::path& directory);

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  size_t song_count() const { return songs_.size(); }
  struct Song {
    Split split = Split::kTrain;
    std::span<const uint16_t> ids;          // without BOS and EOS
    std::span<const uint32_t> bar_offsets;  // index in ids of each bar's first token
    std::string_view name;                  // path within the folder it was built from
    size_t source = 0;                      // index in sources()
  };
  Song song(size_t index) const;
  /// The folders that it was built from: at least one. Of a corpus of one folder without a weight
  /// the name is empty.
  struct Source {
    std::string name;
    double weight = 1;
  };
  std::span<const Source> sources() const { return sources_; }

 private:
  struct Record;
  Corpus() = default;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<Song> songs_;
  std::vector<MappedFile> files_;
  std::vector<std::string> names_;
  std::vector<Source> sources_;
};

}  // namespace continuo
