#include "continuo/os/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "continuo/os/file.h"
#include "continuo/os/lock.h"
#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(FileLock, IsHeldByOneAtATimeAndNamesItsHolder) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "lock";
  EXPECT_EQ(LockHolder(path), "");
  auto lock = FileLock::Try(path).value();
  ASSERT_TRUE(lock.has_value());
  EXPECT_EQ(LockHolder(path), std::to_string(ProcessId()));
  EXPECT_FALSE(FileLock::Try(path).value().has_value());
  lock.reset();
  EXPECT_TRUE(FileLock::Try(path).value().has_value());
}

TEST(FileLock, AnUnusablePathIsAnErrorThatNamesIt) {
  const TemporaryFolder folder;
  EXPECT_THAT(FileLock::Try(folder.path() / "none" / "lock").error().message, HasSubstr("none/lock: cannot open: No"));
}

TEST(ChildProcess, AnInheritedLockIsHeldUntilTheChildEnds) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "lock";
  auto lock = FileLock::Try(path).value();
  ASSERT_TRUE(lock.has_value());
  auto child = ChildProcess::Start({.program = "/bin/sh",
                                    .arguments = {"-c", "echo started; exec sleep 30"},
                                    .log = folder.path() / "log",
                                    .inherited = lock->descriptor()})
                   .value();
  lock.reset();
  EXPECT_FALSE(FileLock::Try(path).value().has_value());
  EXPECT_FALSE(child.Poll().has_value());
  child.Terminate();
  EXPECT_EQ(child.Wait(), 128 + 15);
  EXPECT_TRUE(FileLock::Try(path).value().has_value());
}

TEST(ChildProcess, ReportsItsExitStatusAndKeepsItsOutput) {
  const TemporaryFolder folder;
  auto child = ChildProcess::Start(
                   {.program = "/bin/sh", .arguments = {"-c", "echo said >&2; exit 7"}, .log = folder.path() / "log"})
                   .value();
  EXPECT_EQ(child.Wait(), 7);
  EXPECT_EQ(ReadTextFile(folder.path() / "log").value(), "said\n");
}

TEST(ChildProcess, OfAMissingProgramIsAnError) {
  const TemporaryFolder folder;
  EXPECT_THAT(ChildProcess::Start({.program = "/nowhere/program", .log = folder.path() / "log"}).error().message,
              HasSubstr("/nowhere/program: does not exist"));
  EXPECT_THAT(ReplaceProgram("/nowhere/program", {}).message,
              HasSubstr("/nowhere/program: cannot start: No such file"));
}

TEST(Process, ItsFolderHoldsThisTest) {
  EXPECT_TRUE(IsExecutable(ProgramFolder() / "os_test"));
  EXPECT_FALSE(IsExecutable(ProgramFolder() / "no_such_program"));
}

TEST(StartDetached, RunsAProgramOfThePathWithItsArguments) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "said";
  ASSERT_TRUE(StartDetached("sh", {"-c", "echo one two >\"$0\".tmp; mv \"$0\".tmp \"$0\"", file.string()}).ok());
  for (int i = 0; i < 200 && !fs::exists(file); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(ReadTextFile(file).value(), "one two\n");
}

TEST(StartDetached, AMissingProgramIsAnError) {
  const Status status = StartDetached("continuo-no-such-program", {});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("continuo-no-such-program: cannot start: No such file"));
}

TEST(Environment, VariablesAreReadAndRemoved) {
  SetEnvironmentDefault("CONTINUO_TEST_VARIABLE", "x y");
  EXPECT_EQ(EnvironmentVariable("CONTINUO_TEST_VARIABLE"), "x y");
  RemoveEnvironmentVariable("CONTINUO_TEST_VARIABLE");
  EXPECT_EQ(EnvironmentVariable("CONTINUO_TEST_VARIABLE"), "");
}

}  // namespace
}  // namespace continuo
