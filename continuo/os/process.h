#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// The number of this process.
int ProcessId();

/// The folder of this program's executable; the current folder where the system does not report it.
std::filesystem::path ProgramFolder();

/// Whether this process may execute the file at `path`.
bool IsExecutable(const std::filesystem::path& path);

/// Sets an environment variable for this process and its children, unless it is set already. Not
/// thread-safe: for the start of a program.
void SetEnvironmentDefault(const char* name, const char* value);

/// The value of an environment variable, empty if it is not set.
std::string EnvironmentVariable(const char* name);

/// Removes an environment variable, so that children do not get it. Not thread-safe: for the start
/// of a program.
void RemoveEnvironmentVariable(const char* name);

/// Starts another program, which is looked for on PATH if its name has no slash. It has no input,
/// its output is dropped, and it outlives this process. Fails where it cannot be started.
Status StartDetached(const std::string& program, const std::vector<std::string>& arguments);

/// Replaces this program by another, which keeps the process, its streams and its environment.
/// Returns only on failure.
Error ReplaceProgram(const std::filesystem::path& program, const std::vector<std::string>& arguments);

/// Another program, started and watched. It is asked to end (SIGTERM) when this process dies, even
/// by SIGKILL, and when the object is destroyed, which waits for it.
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

  /// Its exit status, or 128 + the number of the signal that ended it. Nothing while it runs. Not
  /// to be called again after it returned a status.
  std::optional<int> Poll();
  /// Asks it to end.
  void Terminate();
  /// Waits for it to end. Returns what Poll does.
  int Wait();

 private:
  explicit ChildProcess(int pid) : pid_(pid) {}
  int pid_;  // -1: it has ended
};

}  // namespace continuo
