#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// The bytes of a file, mapped or in memory, and what keeps them.
struct FileBytes {
  std::span<const uint8_t> bytes;
  std::shared_ptr<const void> owner;
};

/// The files of a directory, on disk or in memory, so that what reads them need not know which.
/// Immutable; copies share the files in memory. Thread-safe.
class DirectoryFiles {
 public:
  /// On disk. Nothing is read yet. `elsewhere` has the paths of files, by name, that are read in
  /// place of the directory's.
  explicit DirectoryFiles(std::filesystem::path path, std::map<std::string, std::filesystem::path> elsewhere = {})
      : path_(std::move(path)), elsewhere_(std::move(elsewhere)) {}
  /// In memory, by name. `path` stands for the directory in messages.
  DirectoryFiles(std::filesystem::path path, std::map<std::string, std::vector<uint8_t>> files);

  const std::filesystem::path& path() const { return path_; }
  /// For messages.
  std::string NameOf(const std::string& file) const { return PathOf(file).string(); }

  bool Has(const std::string& file) const;
  /// Fails, naming the file, if it is missing or has more than `max_bytes`.
  Result<std::string> ReadText(const std::string& file, uint64_t max_bytes) const;
  /// Maps a file on disk. Fails, naming the file, if it is missing.
  Result<FileBytes> Open(const std::string& file) const;

 private:
  using Files = std::map<std::string, std::vector<uint8_t>>;
  std::filesystem::path PathOf(const std::string& file) const;
  /// The bytes of a file in memory.
  Result<std::span<const uint8_t>> Find(const std::string& file) const;

  std::filesystem::path path_;
  std::map<std::string, std::filesystem::path> elsewhere_;  // on disk only
  std::shared_ptr<const Files> memory_;                     // null: on disk
};

}  // namespace continuo
