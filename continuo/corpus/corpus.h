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

struct CorpusBuildOptions {
  double valid_fraction = 0.05;
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
};

/// Tokenizes every .mid and .midi file under `folder` into a corpus directory at `output`, which
/// appears whole or not at all. The result is the same for any number of threads and any file
/// names' order. A song's split depends on its content alone.
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
  };
  Song song(size_t index) const;

 private:
  struct Record;
  Corpus() = default;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<Song> songs_;
  std::vector<MappedFile> files_;
  std::vector<std::string> names_;
};

}  // namespace continuo
