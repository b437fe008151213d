#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// A lock that its process, and the children that inherit it, hold until all of them have ended, however they end.
class FileLock {
 public:
  /// The lock of a path, whose file is made; nothing if another has it.
  static Result<std::optional<FileLock>> Try(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();
  int descriptor() const { return descriptor_; }

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

/// Another program, started and watched. It is asked to end (SIGTERM) when this process dies, even by SIGKILL, and when
/// the object goes.
class ChildProcess {
 public:
  struct Options {
    std::filesystem::path program;
    std::vector<std::string> arguments = {};
    std::filesystem::path log;          // standard output and error are appended to it
    std::optional<int> inherited = {};  // a descriptor that it keeps open
    int niceness = 0;                   // added to this process's
  };
  static Result<ChildProcess> Start(const Options& options);
  ChildProcess(ChildProcess&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  /// How it ended: its exit status, or 128 + the signal. Nothing while it runs.
  std::optional<int> Poll();
  /// Asks it to end.
  void Terminate();
  int Wait();

 private:
  explicit ChildProcess(int pid) : pid_(pid) {}
  int pid_;  // -1: it has ended
};

}  // namespace continuo
