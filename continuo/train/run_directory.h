#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// A training run's directory, held by one process at a time: checkpoints/step-N, of which the newest few are kept, and
/// `latest`, a link to the newest whole one. docs/formats/checkpoint.md describes the rest.
///
/// Laws: a checkpoint's directory is there whole or not at all; `latest` is a whole checkpoint or is not there; a
/// process that is killed at any moment leaves a directory that the next one opens.
class RunDirectory {
 public:
  /// Makes the directory where there is none, takes its lock, and removes what a killed process left half written.
  /// Fails, naming the process, where another one holds the lock.
  static Result<RunDirectory> Open(const std::filesystem::path& path);
  RunDirectory(RunDirectory&& other) noexcept;
  RunDirectory& operator=(RunDirectory&&) = delete;
  /// Lets go of the lock.
  ~RunDirectory();

  /// Where the checkpoint of a step is written.
  std::filesystem::path CheckpointPath(uint64_t step) const;
  /// `latest` becomes the checkpoint of that step, which is there; of the others the newest are kept, `keep` in all.
  Status Publish(uint64_t step, size_t keep);
  /// Goes on from a checkpoint: newer ones, which could not be read, are moved out of the way, to names that end in
  /// .damaged.
  Status Adopt(const std::filesystem::path& checkpoint);

 private:
  RunDirectory(std::filesystem::path path, int lock);
  std::filesystem::path path_;
  int lock_ = -1;
};

/// The whole checkpoints of a run, the newest first. A `latest` that is a directory of its own, as runs had before they
/// kept several, is the last.
std::vector<std::filesystem::path> Checkpoints(const std::filesystem::path& run);

/// Whether a training has begun in a directory, be it that it never came to a checkpoint.
bool RunHasBegun(const std::filesystem::path& run);

}  // namespace continuo
