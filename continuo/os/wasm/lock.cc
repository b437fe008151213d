#include "continuo/os/lock.h"

namespace continuo {

Result<std::optional<FileLock>> FileLock::Try(const std::filesystem::path& path) {
  return MakeError("{}: cannot be locked in WebAssembly", path.string());
}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  descriptor_ = other.descriptor_;
  return *this;
}

FileLock::~FileLock() = default;

std::string LockHolder(const std::filesystem::path& /*path*/) {
  return {};
}

}  // namespace continuo
