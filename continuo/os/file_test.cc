#include "continuo/os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::vector<std::string> NamesIn(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(File, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "a.txt";
  ASSERT_TRUE(WriteFileAtomically(path, "one").ok());
  ASSERT_TRUE(WriteFileAtomically(path, "two").ok());
  EXPECT_EQ(*ReadTextFile(path), "two");
  EXPECT_THAT(NamesIn(folder.path()), ::testing::ElementsAre("a.txt"));
}

TEST(File, AFailedWriteLeavesTheOldFileAndNoOther) {
  const TemporaryFolder folder;
  ASSERT_TRUE(fs::create_directory(folder.path() / "taken"));
  const Status status = WriteFileAtomically(folder.path() / "taken", "text");
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("taken: cannot rename into place"));
  EXPECT_THAT(NamesIn(folder.path()), ::testing::ElementsAre("taken"));
}

TEST(File, ReadErrorsNameTheFileAndTheReason) {
  const TemporaryFolder folder;
  EXPECT_THAT(ReadFile(folder.path() / "none").error().message, HasSubstr("none: cannot open: No such file"));
  EXPECT_THAT(ReadFile(folder.path()).error().message, HasSubstr("is a directory"));
  ASSERT_TRUE(WriteFileAtomically(folder.path() / "big", "12345").ok());
  EXPECT_THAT(ReadFile(folder.path() / "big", 4).error().message, HasSubstr("has 5 bytes, more than the 4 allowed"));
  EXPECT_THAT(ReadFile("/dev/null").error().message, HasSubstr("not a regular file"));
}

TEST(AtomicDirectory, AppearsOnlyOnCommitAndReplacesWhatWasThere) {
  const TemporaryFolder folder;
  const fs::path target = folder.path() / "run";
  for (const std::string text : {"first", "second"}) {
    auto directory = AtomicDirectory::Create(target);
    ASSERT_TRUE(directory.ok());
    ASSERT_TRUE(WriteFileAtomically(directory->path() / (text + ".txt"), text).ok());
    EXPECT_FALSE(fs::exists(target / (text + ".txt")));
    ASSERT_TRUE(directory->Commit().ok());
    EXPECT_THAT(NamesIn(target), ::testing::ElementsAre(text + ".txt"));
  }
  EXPECT_THAT(NamesIn(folder.path()), ::testing::ElementsAre("run"));
}

TEST(AtomicDirectory, LeavesNothingWithoutCommit) {
  const TemporaryFolder folder;
  {
    auto directory = AtomicDirectory::Create(folder.path() / "run");
    ASSERT_TRUE(directory.ok());
    ASSERT_TRUE(WriteFileAtomically(directory->path() / "half.txt", "x").ok());
  }
  EXPECT_THAT(NamesIn(folder.path()), ::testing::IsEmpty());
}

TEST(MappedFile, ShowsTheFilesBytes) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileAtomically(folder.path() / "x", "abc").ok());
  ASSERT_TRUE(WriteFileAtomically(folder.path() / "empty", "").ok());
  auto mapped = MappedFile::Open(folder.path() / "x");
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(mapped->bytes().size(), 3U);
  EXPECT_EQ(mapped->bytes()[2], 'c');
  auto empty = MappedFile::Open(folder.path() / "empty");
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->bytes().empty());
}

}  // namespace
}  // namespace continuo
