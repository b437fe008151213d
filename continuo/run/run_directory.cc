#include "continuo/run/run_directory.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "continuo/os/file.h"
#include "continuo/os/process.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLockFile = "lock";
constexpr std::string_view kFolder = "checkpoints";
constexpr std::string_view kLatest = "latest";
constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kDamaged = ".damaged";

std::optional<uint64_t> StepOf(const fs::path& checkpoint) {
  const std::string name = checkpoint.filename().string();
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  uint64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, code] = std::from_chars(name.data() + kPrefix.size(), end, step);
  return code == std::errc() && stop == end ? std::optional(step) : std::nullopt;
}

/// The entries of a directory; none if it cannot be read.
std::vector<fs::path> Entries(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code code;
  for (fs::directory_iterator entry(directory, code), end; !code && entry != end; entry.increment(code)) {
    entries.push_back(entry->path());
  }
  return entries;
}

/// Removes what AtomicDirectory and WriteFileAtomically leave when they are killed:
/// .NAME.PROCESS.NUMBER.tmp.
void RemoveTemporaries(const fs::path& directory) {
  for (const fs::path& entry : Entries(directory)) {
    const std::string name = entry.filename().string();
    if (name.starts_with('.') && name.ends_with(".tmp")) {
      std::error_code ignored;
      fs::remove_all(entry, ignored);
    }
  }
}

/// The step and path of each checkpoint, newest first.
std::vector<std::pair<uint64_t, fs::path>> Numbered(const fs::path& run) {
  std::vector<std::pair<uint64_t, fs::path>> found;
  for (const fs::path& entry : Entries(run / kFolder)) {
    if (const auto step = StepOf(entry)) {
      found.emplace_back(*step, entry);
    }
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

Status Rename(const fs::path& from, const fs::path& to) {
  std::error_code code;
  fs::rename(from, to, code);
  if (code) {
    return MakeError("{}: cannot rename to {}: {}", from.string(), to.string(), code.message());
  }
  return {};
}

/// Points `latest` at a checkpoint, atomically.
Status Link(const fs::path& run, const fs::path& checkpoint) {
  const fs::path temporary = run / fmt::format(".{}.{}.0.tmp", kLatest, ProcessId());
  std::error_code code;
  fs::remove_all(temporary, code);
  fs::create_directory_symlink(fs::path(kFolder) / checkpoint.filename(), temporary, code);
  if (code) {
    return MakeError("{}: cannot create a link: {}", temporary.string(), code.message());
  }
  return Rename(temporary, run / kLatest);
}

bool IsOwnDirectory(const fs::path& path) {
  std::error_code code;
  return fs::is_directory(fs::symlink_status(path, code));
}

}  // namespace

RunDirectory::RunDirectory(fs::path path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}

Result<RunDirectory> RunDirectory::Open(const fs::path& path) {
  CONTINUO_TRY(MakeWritableDirectory(path));
  CONTINUO_ASSIGN(std::optional<FileLock> lock, FileLock::Try(path / kLockFile));
  if (!lock) {
    return Error{
        fmt::format("{}: another training (process {}) writes to it", path.string(), LockHolder(path / kLockFile)),
        "wait until it ends, or name another directory"};
  }
  RemoveTemporaries(path);
  RemoveTemporaries(path / kFolder);
  return RunDirectory(path, std::move(*lock));
}

fs::path RunDirectory::CheckpointPath(uint64_t step) const {
  return path_ / kFolder / fmt::format("{}{:09}", kPrefix, step);
}

Status RunDirectory::Publish(uint64_t step, size_t keep) {
  if (IsOwnDirectory(path_ / kLatest)) {
    CONTINUO_TRY(Rename(path_ / kLatest, CheckpointPath(0)));
  }
  CONTINUO_TRY(Link(path_, CheckpointPath(step)));
  size_t kept = 1;
  for (const auto& [other, path] : Numbered(path_)) {
    if (other == step || ++kept <= keep) {
      continue;
    }
    // Renamed first, so that a half removed checkpoint is never taken for a complete one.
    const fs::path doomed = path.parent_path() / fmt::format(".{}.{}.0.tmp", path.filename().string(), ProcessId());
    CONTINUO_TRY(Rename(path, doomed));
    std::error_code ignored;
    fs::remove_all(doomed, ignored);
  }
  return {};
}

Status RunDirectory::Adopt(const fs::path& checkpoint) {
  const auto step = StepOf(checkpoint);
  for (const auto& [other, path] : Numbered(path_)) {
    if (!step || other > *step) {
      const fs::path aside = path.string() + std::string(kDamaged);
      std::error_code ignored;
      fs::remove_all(aside, ignored);
      CONTINUO_TRY(Rename(path, aside));
    }
  }
  return step ? Link(path_, checkpoint) : Status();
}

std::vector<fs::path> Checkpoints(const fs::path& run) {
  std::vector<fs::path> found;
  for (auto& [step, path] : Numbered(run)) {
    found.push_back(std::move(path));
  }
  if (IsOwnDirectory(run / kLatest)) {
    found.push_back(run / kLatest);
  }
  return found;
}

bool RunHasBegun(const fs::path& run) {
  std::error_code code;
  return fs::exists(run / kLockFile, code) || !Checkpoints(run).empty();
}

}  // namespace continuo
