#include "continuo/experiment/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace continuo {
namespace {

constexpr int kCannotStart = 127;

std::string Reason() {
  return std::generic_category().message(errno);
}

int ExitStatus(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<std::optional<FileLock>> FileLock::Try(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    return MakeError("{}: cannot be opened: {}", path.string(), Reason());
  }
  FileLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return std::optional<FileLock>();
    }
    return MakeError("{}: cannot be locked: {}", path.string(), Reason());
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

Result<ChildProcess> ChildProcess::Start(const Options& options) {
  if (::access(options.program.c_str(), X_OK) != 0) {
    return MakeError("{}: is not there, or is no program", options.program.string());
  }
  const int log = ::open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (log < 0) {
    return MakeError("{}: cannot be opened: {}", options.log.string(), Reason());
  }
  // All memory is taken before the fork: between it and the new program only system calls are safe.
  const std::string program = options.program.string();
  std::vector<char*> arguments = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : options.arguments) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const int parent = ::getpid();
  const int pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);  // Ctrl-C is for the parent, who asks its children to end
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) {
      ::_exit(kCannotStart);
    }
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    if (options.inherited) {
      ::fcntl(*options.inherited, F_SETFD, 0);
    }
    if (options.niceness != 0 && ::nice(options.niceness) == -1) {
      // It runs all the same.
    }
    ::execv(program.c_str(), arguments.data());
    ::_exit(kCannotStart);
  }
  ::close(log);
  if (pid < 0) {
    return MakeError("{}: cannot be started: {}", program, Reason());
  }
  return ChildProcess(pid);
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    Terminate();
    Wait();
  }
}

std::optional<int> ChildProcess::Poll() {
  CONTINUO_CHECK(pid_ > 0);
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == 0) {
    return std::nullopt;
  }
  pid_ = -1;
  return ExitStatus(status);
}

void ChildProcess::Terminate() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
  }
}

int ChildProcess::Wait() {
  CONTINUO_CHECK(pid_ > 0);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return ExitStatus(status);
}

}  // namespace continuo
