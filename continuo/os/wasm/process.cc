#include "continuo/os/process.h"

#include <cerrno>
#include <cstdlib>

namespace continuo {
namespace {

Error NoProcesses() {
  return {"WebAssembly has no processes"};
}

}  // namespace

int ProcessId() {
  return 1;
}

std::filesystem::path ProgramFolder() {
  return ".";
}

bool IsExecutable(const std::filesystem::path& /*path*/) {
  return false;
}

void SetEnvironmentDefault(const char* name, const char* value) {
  ::setenv(name, value, 0);
}

std::string EnvironmentVariable(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

void RemoveEnvironmentVariable(const char* name) {
  ::unsetenv(name);
}

Status StartDetached(const std::string& /*program*/, const std::vector<std::string>& /*arguments*/) {
  return NoProcesses();
}

Error ReplaceProgram(const std::filesystem::path& /*program*/, const std::vector<std::string>& /*arguments*/) {
  return NoProcesses();
}

Result<ChildProcess> ChildProcess::Start(const Options& /*options*/) {
  return NoProcesses();
}

ChildProcess::~ChildProcess() = default;

std::optional<int> ChildProcess::Poll() {
  return 1;
}

void ChildProcess::Terminate() {}

int ChildProcess::Wait() {
  return 1;
}

}  // namespace continuo
