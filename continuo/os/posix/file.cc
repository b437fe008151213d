#include "continuo/os/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace continuo {
namespace {

namespace fs = std::filesystem;

ErrorCode CodeOf(int system_code) {
  switch (system_code) {
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::kFull;
    default:
      return ErrorCode::kIo;
  }
}

Error SystemError(const fs::path& path, std::string_view what, int code) {
  return MakeError(CodeOf(code), "{}: {}: {}", path.string(), what, std::generic_category().message(code));
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  int get() const { return fd_; }
  int Close() {
    const int result = ::close(fd_);
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

/// Opens a regular file for reading and reports its size.
Result<uint64_t> OpenedSize(const FileDescriptor& file, const fs::path& path) {
  if (file.get() < 0) {
    return SystemError(path, "cannot open", errno);
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) {
    return SystemError(path, "cannot read its size", errno);
  }
  if (S_ISDIR(info.st_mode)) {
    return MakeError("{}: is a directory, expected a file", path.string());
  }
  if (!S_ISREG(info.st_mode)) {
    return MakeError("{}: is not a regular file", path.string());
  }
  return static_cast<uint64_t>(info.st_size);
}

template <typename Container>
Result<Container> ReadAll(const fs::path& path, uint64_t max_bytes) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  CONTINUO_ASSIGN(const uint64_t size, OpenedSize(file, path));
  if (size > max_bytes) {
    return MakeError(ErrorCode::kTooLarge, "{}: has {} bytes, more than the {} allowed here", path.string(), size,
                     max_bytes);
  }
  Container bytes;
  bytes.resize(size);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return SystemError(path, "cannot read", errno);
    }
    if (got == 0) {
      break;
    }
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

Status SyncPath(const fs::path& path, int flags) {
  const FileDescriptor file(::open(path.c_str(), flags | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0) {
    return SystemError(path, "cannot sync to disk", errno);
  }
  return {};
}

fs::path ParentOf(const fs::path& path) {
  const fs::path parent = path.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

fs::path TemporaryBeside(const fs::path& path) {
  static std::atomic<uint64_t> counter{0};
  return ParentOf(path) / fmt::format(".{}.{}.{}.tmp", path.filename().string(), ::getpid(), counter.fetch_add(1));
}

}  // namespace

Result<std::vector<uint8_t>> ReadFile(const fs::path& path, uint64_t max_bytes) {
  return ReadAll<std::vector<uint8_t>>(path, max_bytes);
}

Result<std::string> ReadTextFile(const fs::path& path, uint64_t max_bytes) {
  return ReadAll<std::string>(path, max_bytes);
}

Status WriteFileAtomically(const fs::path& path, std::span<const uint8_t> bytes) {
  const fs::path temporary = TemporaryBeside(path);
  FileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (file.get() < 0) {
    return SystemError(path, "cannot write", errno);
  }
  const auto fail = [&](std::string_view what) {
    Error error = SystemError(path, what, errno);
    ::unlink(temporary.c_str());
    return error;
  };
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put < 0) {
      return fail("cannot write");
    }
    done += static_cast<size_t>(put);
  }
  if (::fsync(file.get()) != 0) {
    return fail("cannot sync to disk");
  }
  if (file.Close() != 0) {
    return fail("cannot close");
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return fail("cannot rename into place");
  }
  return SyncPath(ParentOf(path), O_RDONLY | O_DIRECTORY);
}

Status WriteFileAtomically(const fs::path& path, std::string_view text) {
  return WriteFileAtomically(path, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

Status MakeWritableDirectory(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) {
    return SystemError(path, "cannot create directory", code.value());
  }
  if (!fs::is_directory(path, code)) {
    return MakeError("{}: is not a directory", path.string());
  }
  if (::access(path.c_str(), W_OK | X_OK) != 0) {
    return SystemError(path, "cannot write into directory", errno);
  }
  return {};
}

AtomicDirectory::AtomicDirectory(fs::path target, fs::path temporary)
    : target_(std::move(target)), temporary_(std::move(temporary)) {}

AtomicDirectory::AtomicDirectory(AtomicDirectory&& other) noexcept
    : target_(std::move(other.target_)), temporary_(std::move(other.temporary_)) {
  other.temporary_.clear();
}

AtomicDirectory::~AtomicDirectory() {
  if (!temporary_.empty()) {
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);
  }
}

Result<AtomicDirectory> AtomicDirectory::Create(const fs::path& target) {
  fs::path clean = target.lexically_normal();
  if (clean.filename().empty()) {
    clean = clean.parent_path();  // "dir/" names "dir"
  }
  CONTINUO_TRY(MakeWritableDirectory(ParentOf(clean)));
  fs::path temporary = TemporaryBeside(clean);
  std::error_code code;
  if (!fs::create_directory(temporary, code)) {
    return SystemError(temporary, "cannot create directory", code.value());
  }
  return AtomicDirectory(std::move(clean), std::move(temporary));
}

Status AtomicDirectory::Commit() {
  CONTINUO_CHECK(!temporary_.empty());
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(temporary_)) {
    if (entry.is_regular_file()) {
      CONTINUO_TRY(SyncPath(entry.path(), O_RDONLY));
    }
  }
  CONTINUO_TRY(SyncPath(temporary_, O_RDONLY | O_DIRECTORY));
  std::error_code code;
#ifdef RENAME_EXCHANGE
  // In one move where the system can, so that at no moment there is neither.
  if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
    fs::remove_all(temporary_, code);
    temporary_.clear();
    return SyncPath(ParentOf(target_), O_RDONLY | O_DIRECTORY);
  }
#endif
  // A directory can't be renamed over a full one: move the old one aside first, and back on
  // failure.
  fs::path old;
  if (fs::exists(target_, code)) {
    old = TemporaryBeside(target_);
    fs::rename(target_, old, code);
    if (code) {
      return SystemError(target_, "cannot replace", code.value());
    }
  }
  fs::rename(temporary_, target_, code);
  if (code) {
    std::error_code ignored;
    if (!old.empty()) {
      fs::rename(old, target_, ignored);
    }
    return SystemError(target_, "cannot rename into place", code.value());
  }
  temporary_.clear();
  if (!old.empty()) {
    fs::remove_all(old, code);
  }
  return SyncPath(ParentOf(target_), O_RDONLY | O_DIRECTORY);
}

Result<TemporaryDirectory> TemporaryDirectory::Create(std::string_view prefix) {
  std::error_code code;
  const fs::path parent = fs::temp_directory_path(code);
  if (code) {
    const char* named = std::getenv("TMPDIR");
    Error error = SystemError(named != nullptr ? named : "/tmp", "cannot be used for temporary files", code.value());
    error.hint = "set TMPDIR to a directory that can be written";
    return error;
  }
  std::string name = (parent / fmt::format("{}-XXXXXX", prefix)).string();
  if (::mkdtemp(name.data()) == nullptr) {
    Error error = SystemError(parent, "cannot create a temporary directory", errno);
    error.hint = "set TMPDIR to a directory that can be written";
    return error;
  }
  return TemporaryDirectory(name);
}

TemporaryDirectory::~TemporaryDirectory() {
  if (!path_.empty()) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    ::munmap(const_cast<uint8_t*>(data_), size_);
  }
}

Result<MappedFile> MappedFile::Open(const fs::path& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  CONTINUO_ASSIGN(const uint64_t size, OpenedSize(file, path));
  MappedFile mapped;
  if (size > 0) {
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) {
      return SystemError(path, "cannot map into memory", errno);
    }
    mapped.data_ = static_cast<const uint8_t*>(data);
    mapped.size_ = size;
  }
  return mapped;
}

}  // namespace continuo
