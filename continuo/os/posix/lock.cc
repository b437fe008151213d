#include "continuo/os/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

namespace continuo {

namespace fs = std::filesystem;

Result<std::optional<FileLock>> FileLock::Try(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    return MakeError(ErrorCode::kIo, "{}: cannot open: {}", path.string(), std::generic_category().message(errno));
  }
  FileLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return std::optional<FileLock>();
    }
    return MakeError(ErrorCode::kIo, "{}: cannot lock: {}", path.string(), std::generic_category().message(errno));
  }
  // The number only serves messages, so a full disk is not an error here.
  const std::string process = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor, 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(descriptor, process.data(), process.size(), 0);
  }
  return std::optional<FileLock>(std::move(lock));
}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

std::string LockHolder(const fs::path& path) {
  std::ifstream file(path);
  std::string process;
  std::getline(file, process);
  return process;
}

}  // namespace continuo
