#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "continuo/core/result.h"

namespace continuo {

/// An exclusive lock on a file. The process that took it, and the children that inherit
/// `descriptor()`, hold it until all of them have released it or ended, however they end.
class FileLock {
 public:
  /// Locks the file at `path`, which is created if necessary and never removed, and writes the
  /// number of this process into it for LockHolder. Nothing if another holder has it, in this
  /// process or another.
  static Result<std::optional<FileLock>> Try(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();
  int descriptor() const { return descriptor_; }

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

/// The number of the process that last took the lock at `path`, for a message; empty if unknown.
std::string LockHolder(const std::filesystem::path& path);

}  // namespace continuo
