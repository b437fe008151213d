#include "continuo/os/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr int kCannotStart = 127;

/// The null-terminated list that execv takes. It points into the strings given.
std::vector<char*> ArgumentsOf(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<char*> list = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) {
    list.push_back(const_cast<char*>(argument.c_str()));
  }
  list.push_back(nullptr);
  return list;
}

std::string Reason() {
  return std::generic_category().message(errno);
}

int ExitStatus(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

int ProcessId() {
  return ::getpid();
}

fs::path ProgramFolder() {
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code);
  return code ? fs::current_path(code) : program.parent_path();
}

bool IsExecutable(const fs::path& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

void SetEnvironmentDefault(const char* name, const char* value) {
  ::setenv(name, value, /*overwrite=*/0);
}

std::string EnvironmentVariable(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

void RemoveEnvironmentVariable(const char* name) {
  ::unsetenv(name);
}

Status StartDetached(const std::string& program, const std::vector<std::string>& arguments) {
  // Closed by a successful exec; else it brings the reason for its failure.
  int failure[2];
  if (::pipe2(failure, O_CLOEXEC) != 0) {
    return MakeError(ErrorCode::kIo, "{}: cannot start: {}", program, Reason());
  }
  const std::vector<char*> list = ArgumentsOf(program, arguments);
  const int pid = ::fork();
  if (pid == 0) {
    ::setsid();
    const int second = ::fork();  // not a child of this process, which so need not wait for it
    if (second == 0) {
      const int null = ::open("/dev/null", O_RDWR);
      ::dup2(null, STDIN_FILENO);
      ::dup2(null, STDOUT_FILENO);
      ::dup2(null, STDERR_FILENO);
      ::execvp(list[0], list.data());
    }
    if (second <= 0) {
      const int reason = errno;
      [[maybe_unused]] const ssize_t written = ::write(failure[1], &reason, sizeof(reason));
    }
    ::_exit(0);
  }
  int reason = pid < 0 ? errno : 0;
  ::close(failure[1]);
  if (pid > 0) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (::read(failure[0], &reason, sizeof(reason)) != sizeof(reason)) {
      reason = 0;
    }
  }
  ::close(failure[0]);
  if (reason != 0) {
    return MakeError(ErrorCode::kNotFound, "{}: cannot start: {}", program, std::generic_category().message(reason));
  }
  return {};
}

Error ReplaceProgram(const fs::path& program, const std::vector<std::string>& arguments) {
  const std::string name = program.string();
  ::execv(name.c_str(), ArgumentsOf(name, arguments).data());
  return MakeError(ErrorCode::kIo, "{}: cannot start: {}", name, Reason());
}

Result<ChildProcess> ChildProcess::Start(const Options& options) {
  if (!IsExecutable(options.program)) {
    return MakeError(ErrorCode::kNotFound, "{}: does not exist or is not a program", options.program.string());
  }
  const int log = ::open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (log < 0) {
    return MakeError(ErrorCode::kIo, "{}: cannot open: {}", options.log.string(), Reason());
  }
  // Between fork and exec only system calls are safe, so all memory is allocated before.
  const std::string program = options.program.string();
  const std::vector<char*> arguments = ArgumentsOf(program, options.arguments);
  const int parent = ::getpid();
  const int pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);  // Ctrl-C is for the parent, which asks its children to end
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
      // Not fatal: it runs at the usual priority.
    }
    ::execv(program.c_str(), arguments.data());
    ::_exit(kCannotStart);
  }
  ::close(log);
  if (pid < 0) {
    return MakeError(ErrorCode::kIo, "{}: cannot start: {}", program, Reason());
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
