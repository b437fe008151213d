#include "continuo/score/midi_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "continuo/os/temporary_folder_testing.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MidiFilesTest : public testing::Test {
 protected:
  void Make(const std::string& name) {
    fs::create_directories((folder_.path() / name).parent_path());
    std::ofstream(folder_.path() / name) << "x";
  }
  MidiFileList List() { return ListMidiFiles(folder_.path()).value(); }
  /// "name: reason" of each skipped entry.
  static std::vector<std::string> SkippedOf(const MidiFileList& list) {
    std::vector<std::string> lines;
    for (const MidiFileList::Skipped& skipped : list.skipped) {
      lines.push_back(skipped.name + ": " + skipped.reason);
    }
    return lines;
  }

  TemporaryFolder folder_;
};

TEST_F(MidiFilesTest, ListsEveryExtensionInAnyCaseAtAnyDepthByName) {
  for (const char* name : {"b.mid", "A.MID", "sub/deep/c.Midi", "sub-x.kar", "d.RMI", "notes.txt", "mid", "e.mid.gz"}) {
    Make(name);
  }
  const MidiFileList list = List();
  EXPECT_THAT(list.names, ElementsAre("A.MID", "b.mid", "d.RMI", "sub-x.kar", "sub/deep/c.Midi"));
  EXPECT_THAT(list.skipped, IsEmpty());
}

TEST_F(MidiFilesTest, FollowsLinksToFilesAndSkipsBrokenOnesAndLinksToFolders) {
  Make("songs/a.mid");
  fs::create_symlink(folder_.path() / "songs" / "a.mid", folder_.path() / "good.mid");
  fs::create_symlink(folder_.path() / "nowhere.mid", folder_.path() / "broken.mid");
  fs::create_symlink(folder_.path() / "nowhere.txt", folder_.path() / "broken.txt");
  fs::create_directory_symlink(folder_.path(), folder_.path() / "loop");
  const MidiFileList list = List();
  EXPECT_THAT(list.names, ElementsAre("good.mid", "songs/a.mid"));
  EXPECT_THAT(SkippedOf(list), ElementsAre("broken.mid: is a broken link", "loop: is a link to a folder"));
}

TEST_F(MidiFilesTest, SkipsAFifoInsteadOfWaitingForIt) {
  Make("a.mid");
  ASSERT_EQ(mkfifo((folder_.path() / "pipe.mid").c_str(), 0600), 0);
  const MidiFileList list = List();
  EXPECT_THAT(list.names, ElementsAre("a.mid"));
  EXPECT_THAT(SkippedOf(list), ElementsAre("pipe.mid: is not a regular file"));
}

TEST_F(MidiFilesTest, SkipsAFolderThatCannotBeReadAndGoesThroughTheOthers) {
  Make("closed/a.mid");
  Make("open/b.mid");
  fs::permissions(folder_.path(), fs::perms::all);
  fs::permissions(folder_.path() / "closed", fs::perms::none);
  const bool is_root = geteuid() == 0;
  constexpr uid_t kNobody = 65534;
  ASSERT_TRUE(!is_root || seteuid(kNobody) == 0);  // root may read anything
  const Result<MidiFileList> list = ListMidiFiles(folder_.path());
  const Result<MidiFileList> closed = ListMidiFiles(folder_.path() / "closed");
  ASSERT_TRUE(!is_root || seteuid(0) == 0);
  fs::permissions(folder_.path() / "closed", fs::perms::owner_all);
  ASSERT_TRUE(list.ok());
  EXPECT_THAT(list->names, ElementsAre("open/b.mid"));
  EXPECT_THAT(SkippedOf(*list), ElementsAre("closed: cannot be listed: Permission denied"));
  EXPECT_THAT(closed.error().message, HasSubstr("closed: cannot list the folder: Permission denied"));
}

TEST_F(MidiFilesTest, FailsOnWhatIsNotAFolder) {
  Make("a.mid");
  EXPECT_EQ(ListMidiFiles(folder_.path() / "a.mid").error().code, ErrorCode::kIo);
  EXPECT_EQ(ListMidiFiles(folder_.path() / "none").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(NoMidiFiles("songs").message, HasSubstr("songs: has no MIDI files"));
}

}  // namespace
}  // namespace continuo
