#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/os/lock.h"

namespace continuo {

/// The directory of a training run, held by one process at a time: checkpoints/step-N, of which the
/// newest few are kept, and `latest`, a link to the newest complete one. docs/formats/checkpoint.md
/// describes the other files.
///
/// Invariants: a checkpoint's directory is complete or absent; `latest` is a complete checkpoint or
/// absent; a process that is killed at any moment leaves a directory that the next one can open.
/// Not thread-safe.
class RunDirectory {
 public:
  /// Creates the directory if it is missing, takes its lock, and removes what a killed process left
  /// half written. Fails if another process holds the lock, and names that process.
  static Result<RunDirectory> Open(const std::filesystem::path& path);

  /// The path of the checkpoint of a step.
  std::filesystem::path CheckpointPath(uint64_t step) const;
  /// Points `latest` at the checkpoint of that step, which must exist, and removes the oldest
  /// checkpoints so that `keep` remain, this one included.
  Status Publish(uint64_t step, size_t keep);
  /// Makes `checkpoint` the newest one: renames newer ones, which could not be read, to names that
  /// end in .damaged.
  Status Adopt(const std::filesystem::path& checkpoint);

 private:
  RunDirectory(std::filesystem::path path, FileLock lock);
  std::filesystem::path path_;
  FileLock lock_;
};

/// The complete checkpoints of a run, newest first. The last one may be a `latest` that is a
/// directory instead of a link, as in runs that keep one checkpoint only.
std::vector<std::filesystem::path> Checkpoints(const std::filesystem::path& run);

/// Whether a training has begun in a directory, with or without a checkpoint so far.
bool RunHasBegun(const std::filesystem::path& run);

}  // namespace continuo
