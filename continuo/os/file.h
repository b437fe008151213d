#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// All bytes of a regular file. Fails on a missing file, a directory, or more than `max_bytes`.
Result<std::vector<uint8_t>> ReadFile(const std::filesystem::path& path, uint64_t max_bytes = uint64_t{1} << 32);

/// The same as text.
Result<std::string> ReadTextFile(const std::filesystem::path& path, uint64_t max_bytes = uint64_t{1} << 30);

/// Writes a file whole or not at all: to a temporary file beside it, synced to disk, then renamed
/// over `path`. On failure the temporary file is removed and what stood at `path` stays as it was.
Status WriteFileAtomically(const std::filesystem::path& path, std::span<const uint8_t> bytes);
Status WriteFileAtomically(const std::filesystem::path& path, std::string_view text);

/// Creates a directory and its parents; one that is there already is fine. Checks that it can be
/// written.
Status MakeWritableDirectory(const std::filesystem::path& path);

/// A directory that appears whole or not at all. Files are written into `path()`, a temporary
/// directory beside the target; `Commit` syncs them and renames it to the target, replacing what
/// stood there. An object that is destroyed without Commit removes the temporary directory.
class AtomicDirectory {
 public:
  static Result<AtomicDirectory> Create(const std::filesystem::path& target);
  AtomicDirectory(AtomicDirectory&& other) noexcept;
  AtomicDirectory& operator=(AtomicDirectory&& other) = delete;
  ~AtomicDirectory();

  const std::filesystem::path& path() const { return temporary_; }
  Status Commit();

 private:
  AtomicDirectory(std::filesystem::path target, std::filesystem::path temporary);
  std::filesystem::path target_;
  std::filesystem::path temporary_;
};

/// A new, empty directory below the system's directory for temporary files, removed with all that
/// is in it when the object is destroyed.
class TemporaryDirectory {
 public:
  /// The name starts with `prefix`. Fails, naming TMPDIR, where the system's directory cannot be
  /// used.
  static Result<TemporaryDirectory> Create(std::string_view prefix);
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&& other) = delete;
  ~TemporaryDirectory();

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// A file mapped read-only into memory. An empty file gives an empty span. The bytes live as long
/// as the object; a file that another process shortens meanwhile raises SIGBUS on access.
class MappedFile {
 public:
  static Result<MappedFile> Open(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data_, size_}; }

 private:
  MappedFile() = default;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace continuo
