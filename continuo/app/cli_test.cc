#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "continuo/app/piece_file.h"
#include "continuo/core/shared_data_testing.h"
#include "continuo/model/random_model_testing.h"
#include "continuo/os/file.h"
#include "continuo/os/temporary_folder_testing.h"
#include "continuo/score/bars.h"
#include "continuo/score/score_file.h"
#include "continuo/token/tokenizer.h"

extern char** environ;

namespace continuo {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::json;

const fs::path kSource = CONTINUO_SOURCE_DIR;
const fs::path kPrompt = kSource / "examples" / "prompt.mid";
const fs::path kModel = kSource / "models" / "pop-piano";

/// A run of the program: what it printed and how it ended.
struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

class CliTest : public ::testing::Test {
 protected:
  /// Starts a program of build/bin with its output going to files in the test's folder.
  pid_t Start(std::vector<std::string> arguments, const std::string& program = "continuo") {
    arguments.insert(arguments.begin(), CONTINUO_BIN_DIR "/" + program);
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, (logs_.path() / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_addopen(&actions, 2, (logs_.path() / "err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    pid_t pid = -1;
    CONTINUO_CHECK(posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
  }

  Outcome Wait(pid_t pid) {
    int status = 0;
    CONTINUO_CHECK(waitpid(pid, &status, 0) == pid);
    Outcome run;
    run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    run.out = *ReadTextFile(logs_.path() / "out");
    run.err = *ReadTextFile(logs_.path() / "err");
    return run;
  }

  Outcome Continuo(const std::vector<std::string>& arguments) { return Wait(Start(arguments)); }

  /// Expects exit code 1, nothing on stdout, and one line "continuo: ..." that holds `message`.
  void ExpectError(const std::vector<std::string>& arguments, const std::string& message) {
    const Outcome run = Continuo(arguments);
    EXPECT_EQ(run.exit_code, 1) << run.err;
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_THAT(run.err, AllOf(StartsWith("continuo: "), HasSubstr(message)));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  }

  std::string Path(const std::string& name) const { return (folder_.path() / name).string(); }

  /// Every path below the test's folder, relative to it.
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      if (entry.is_regular_file()) {
        names.push_back(entry.path().lexically_relative(folder_.path()).string());
      }
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  void WriteBytes(const std::string& name, const std::string& bytes) {
    std::ofstream(Path(name), std::ios::binary) << bytes;
  }

  /// A copy of the model that ships, to damage.
  std::string CopyModel() {
    fs::copy(kModel, Path("model"));
    return Path("model");
  }

  TemporaryFolder folder_;
  TemporaryFolder logs_;
};

TEST_F(CliTest, ExportsSheetMusic) {
  const Outcome run =
      Continuo({"export", kPrompt.string(), "-o", Path("a.musicxml"), "--title", "Tom & <Ann>", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(Json::parse(run.out)["bars"], 8);
  const std::string xml = *ReadTextFile(Path("a.musicxml"));
  EXPECT_THAT(xml, HasSubstr("<work-title>Tom &amp; &lt;Ann&gt;</work-title>"));
  EXPECT_THAT(xml, HasSubstr("</score-partwise>"));
  ASSERT_EQ(Continuo({"export", kPrompt.string(), "-o", Path("b.musicxml"), "--title", "Tom & <Ann>"}).exit_code, 0);
  EXPECT_EQ(*ReadTextFile(Path("b.musicxml")), xml);
  ExpectError({"export", Path("none.mid"), "-o", Path("c.musicxml")}, "none.mid");
  EXPECT_EQ(Continuo({"export", kPrompt.string(), "-o", Path("c.musicxml"), "--smallest-note", "5"}).exit_code, 2);
}

TEST_F(CliTest, ContinuesSheetMusic) {
  ASSERT_EQ(Continuo({"export", kPrompt.string(), "-o", Path("song.musicxml")}).exit_code, 0);
  const Outcome run = Continuo({"continue", "--prompt", Path("song.musicxml"), "--prompt-bars", "2", "--bars", "1",
                                "--seed", "3", "-o", Path("out")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Outcome of_midi = Continuo({"continue", "--prompt", kPrompt.string(), "--prompt-bars", "2", "--bars", "1",
                                    "--seed", "3", "-o", Path("midi")});
  ASSERT_EQ(of_midi.exit_code, 0) << of_midi.err;
  // The tokens of the prompt are those of the MIDI file, but for the order of the notes in a chord.
  const auto prompt_of = [&](const std::string& folder) {
    const Json tokens = Json::parse(*ReadTextFile(Path(folder + "/piece-001.tokens.json")))["tracks"][0];
    std::vector<int> ids = tokens.get<std::vector<int>>();
    size_t end = 0;
    for (int bars = 0; end < ids.size() && (bars += ids[end] == ids[0] ? 1 : 0) <= 2; ++end) {
    }
    ids.resize(end);
    std::sort(ids.begin(), ids.end());
    return ids;
  };
  EXPECT_GT(prompt_of("out").size(), 50u);
  EXPECT_EQ(prompt_of("out"), prompt_of("midi"));
  WriteBytes("broken.musicxml", "<score-partwise><part-list>");
  ExpectError({"continue", "--prompt", Path("broken.musicxml"), "-o", Path("x")}, "broken.musicxml: is not XML");
}

TEST_F(CliTest, RewritesBarsOfSheetMusic) {
  ASSERT_EQ(Continuo({"export", kPrompt.string(), "-o", Path("song.musicxml")}).exit_code, 0);
  const Outcome run =
      Continuo({"fill", Path("song.musicxml"), "--bars", "5:6", "--candidates", "1", "-o", Path("out")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Score before = ReadPiece(Path("song.musicxml"))->piece.score();
  const Score after = *ReadScore(Path("out/piece-001.mid"));
  const auto outside = [&](const Score& score) {
    std::vector<Note> notes;
    for (const Note& note : score.tracks.at(0).notes) {
      if (note.time < BarGrid(before).Line(4) || note.time >= BarGrid(before).Line(6)) {
        notes.push_back(note);
      }
    }
    return notes;
  };
  EXPECT_GT(outside(before).size(), 50U);
  EXPECT_EQ(outside(after), outside(before));
  EXPECT_NE(after.tracks[0].notes, before.tracks[0].notes);

  // What is left out of it is reported.
  std::string graced = *ReadTextFile(Path("song.musicxml"));
  graced.insert(graced.find("<note"), "<note><grace/><pitch><step>C</step><octave>4</octave></pitch></note>");
  WriteBytes("graced.musicxml", graced);
  const Outcome reported =
      Continuo({"fill", Path("graced.musicxml"), "--bars", "5:6", "--candidates", "1", "-o", Path("more"), "--json"});
  EXPECT_EQ(reported.exit_code, 0) << reported.err;
  EXPECT_THAT(reported.err, HasSubstr("grace notes are left out"));
  EXPECT_EQ(Json::parse(reported.out)["repairs"].size(), 1U);
}

class ServeTest : public CliTest {
 protected:
  void SetUp() override {
    if (!fs::exists(CONTINUO_BIN_DIR "/continuo-serve")) {
      ExpectError({"serve"}, "was not built");
      GTEST_SKIP() << "continuo-serve was not built";
    }
  }
  void TearDown() override {
    ::unsetenv("CONTINUO_TOKEN");
    ::unsetenv("DISPLAY");
    ::unsetenv("WAYLAND_DISPLAY");
  }

  /// What the program prints first, and its process.
  std::pair<std::string, pid_t> Serve(const std::vector<std::string>& arguments) {
    const pid_t pid = Start(arguments);
    std::string printed;
    for (int i = 0; i < 400 && printed.find('\n') == std::string::npos && ::kill(pid, 0) == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      printed = *ReadTextFile(logs_.path() / "out");
    }
    return {printed, pid};
  }
  void ExpectEnds(pid_t pid) {
    kill(pid, SIGTERM);
    const Outcome run = Wait(pid);
    EXPECT_EQ(run.exit_code, 143) << run.err;
  }
};

TEST_F(ServeTest, ServesUntilItIsInterrupted) {
  const auto [printed, pid] = Serve({"serve", "--port", "0", "--json"});
  EXPECT_THAT(printed, HasSubstr("http://127.0.0.1:"));
  ExpectEnds(pid);
  EXPECT_EQ(Continuo({"serve", "--port", "70000"}).exit_code, 2);
  EXPECT_EQ(Continuo({"serve", "--token", "0123456789abcdef"}).exit_code, 2);  // not where others see it
  EXPECT_THAT(Continuo({"studio", "--help"}).out, HasSubstr("Examples:"));
}

TEST_F(ServeTest, ATokenComesFromAFileOfItsOwnerOrTheEnvironment) {
  WriteBytes("token", "0123456789abcdef\n");
  fs::permissions(Path("token"), fs::perms::owner_read | fs::perms::others_read);
  ExpectError({"serve", "--port", "0", "--token-file", Path("token")}, "chmod 600");
  ExpectError({"serve", "--port", "0", "--token-file", Path("none")}, "none");
  fs::permissions(Path("token"), fs::perms::owner_read | fs::perms::owner_write);
  ExpectError({"serve", "--port", "0", "--listen", "0.0.0.0"}, "--token-file");
  WriteBytes("page.html", "<p>");
  const std::vector<std::string> studio = {"studio", "--port", "0", "--page", Path("page.html"), "--json"};
  std::vector<std::string> with_file = studio;
  with_file.insert(with_file.end(), {"--token-file", Path("token"), "--listen", "127.0.0.2"});
  const auto [of_file, first] = Serve(with_file);
  EXPECT_THAT(of_file, AllOf(HasSubstr("http://127.0.0.2:"), HasSubstr("/#token=0123456789abcdef\"")));
  ExpectEnds(first);
  ::setenv("CONTINUO_TOKEN", "fedcba9876543210", 1);
  const auto [of_environment, second] = Serve(studio);
  EXPECT_THAT(of_environment, HasSubstr("/#token=fedcba9876543210\""));
  ExpectEnds(second);
  ::setenv("CONTINUO_TOKEN", "short", 1);
  ExpectError({"serve", "--port", "0"}, "expected 16 to 1,024");
}

TEST_F(ServeTest, TheStudioOpensTheBrowserWhereThereIsADisplay) {
  WriteBytes("page.html", "<p>");
  WriteBytes("xdg-open",
             "#!/bin/sh\necho \"$1\" >\"" + Path("tmp") + "\"; mv \"" + Path("tmp") + "\" \"" + Path("url") + "\"\n");
  fs::permissions(Path("xdg-open"), fs::perms::owner_all);
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", (folder_.path().string() + ":" + path).c_str(), 1);
  const auto opened = [&](std::vector<std::string> more) {
    fs::remove(Path("url"));
    more.insert(more.begin(), {"studio", "--port", "0", "--page", Path("page.html")});
    const auto [printed, pid] = Serve(more);
    EXPECT_THAT(printed, HasSubstr("http://127.0.0.1:"));
    for (int i = 0; i < 20 && !fs::exists(Path("url")); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ExpectEnds(pid);
    const std::string url = fs::exists(Path("url")) ? *ReadTextFile(Path("url")) : "";
    EXPECT_TRUE(url.empty() || printed.starts_with(url.substr(0, url.size() - 1))) << printed << url;
    return !url.empty();
  };
  ::unsetenv("DISPLAY");
  ::unsetenv("WAYLAND_DISPLAY");
  EXPECT_FALSE(opened({}));
  ::setenv("DISPLAY", ":7", 1);
  EXPECT_TRUE(opened({kPrompt.string()}));
  EXPECT_FALSE(opened({"--no-open"}));
  WriteBytes("token", "0123456789abcdef");
  fs::permissions(Path("token"), fs::perms::owner_read);
  EXPECT_FALSE(opened({"--token-file", Path("token")}));  // other users would see it in the arguments
  ::setenv("PATH", path.c_str(), 1);

  ExpectError({"studio", Path("none.mid"), "--page", Path("page.html")}, "none.mid");
  WriteBytes("broken.mid", "MThd");
  ExpectError({"studio", Path("broken.mid"), "--page", Path("page.html")}, "broken.mid");
  ExpectError({"studio", "--page", Path("none.html")}, "none.html");
}

TEST_F(ServeTest, ServesSeveralModelsByTheirNames) {
  CopyModel();
  const auto [printed, pid] =
      Serve({"serve", "--port", "0", "--json", "--model", kModel.string(), "--model", Path("model") + "/"});
  EXPECT_THAT(printed, HasSubstr("http://127.0.0.1:"));
  ExpectEnds(pid);
  fs::create_directory(Path("other"));
  fs::copy(kModel, Path("other/pop-piano"));
  ExpectError({"serve", "--port", "0", "--model", kModel.string(), "--model", Path("other/pop-piano")}, "same name");
}

TEST_F(CliTest, SaysItsVersionAndHelpsWithExamples) {
  EXPECT_THAT(Continuo({"--version"}).out, StartsWith("continuo "));
  EXPECT_THAT(Continuo({"--help"}).out, HasSubstr("Examples:"));
  for (const std::string command :
       {"vocab", "tokenize", "detokenize", "inspect", "align", "generate", "continue", "eval"}) {
    const Outcome run = Continuo({command, "--help"});
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_THAT(run.out, HasSubstr("Example")) << command;
  }
}

TEST_F(CliTest, AWrongFlagExitsWithTwo) {
  EXPECT_EQ(Continuo({}).exit_code, 2);
  EXPECT_EQ(Continuo({"generate", "--no-such-flag"}).exit_code, 2);
  EXPECT_EQ(Continuo({"generate", "--bars", "many", "-o", Path("x")}).exit_code, 2);
  EXPECT_EQ(Continuo({"vocab"}).exit_code, 2);
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(CliTest, WhatIsTokenizedIsDetokenized) {
  for (const std::string tokenizer : {"remi", "midilike"}) {
    const Outcome ids = Continuo({"tokenize", "--tokenizer", tokenizer, kPrompt.string()});
    ASSERT_EQ(ids.exit_code, 0) << ids.err;
    WriteBytes("ids.json", ids.out);
    ASSERT_EQ(Continuo({"detokenize", "--tokenizer", tokenizer, Path("ids.json"), "-o", Path("a.mid")}).exit_code, 0);
    const Outcome again = Continuo({"tokenize", "--tokenizer", tokenizer, Path("a.mid")});
    EXPECT_EQ(Json::parse(again.out)["tracks"], Json::parse(ids.out)["tracks"]);
  }
}

TEST_F(CliTest, DetokenizeTakesTheLinesOfSeveralFiles) {
  const Outcome ids = Continuo({"tokenize", "--tokenizer", "remi", kPrompt.string(), kPrompt.string()});
  WriteBytes("ids.json", ids.out);
  const Outcome both = Continuo({"--json", "detokenize", "--tokenizer", "remi", Path("ids.json")});
  ASSERT_EQ(both.exit_code, 0) << both.err;
  ASSERT_EQ(std::count(both.out.begin(), both.out.end(), '\n'), 2);
  WriteBytes("ids.json", ids.out.substr(0, ids.out.find('\n')));
  const Outcome one = Continuo({"--json", "detokenize", "--tokenizer", "remi", Path("ids.json")});
  EXPECT_EQ(both.out, one.out + one.out);

  WriteBytes("ids.json", ids.out);
  ExpectError({"detokenize", "--tokenizer", "remi", Path("ids.json"), "-o", Path("a.mid")}, "several files");
  WriteBytes("ids.json", "{\"tracks\": [[4]]}\n{\"tracks\": [[-1]]}\n");
  const Outcome bad = Continuo({"--json", "detokenize", "--tokenizer", "remi", Path("ids.json")});
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.err, HasSubstr("line 2: tracks[0][0] is -1"));
}

TEST_F(CliTest, ATrainedTokenizerMergesTokens) {
  const fs::path data = fs::path(CONTINUO_SOURCE_DIR) / "testdata" / "tokens";
  const std::string tokenizer = (data / "trained" / "tsd_beat-3.1.0.json").string();
  const std::string song = (data / "files" / "random_1.mid").string();
  const Outcome ids = Continuo({"tokenize", "--tokenizer", tokenizer, song});
  ASSERT_EQ(ids.exit_code, 0) << ids.err;
  const Json golden = Json::parse(*ReadTextFile(data / "trained" / "ids-3.1.0.json"));
  EXPECT_EQ(Json::parse(ids.out)["tracks"], golden["tsd_beat"]["random_1"]);
  EXPECT_THAT(Continuo({"tokenize", "--text", "--tokenizer", tokenizer, song}).out,
              HasSubstr("Velocity_63+Duration_1.0.4"));
  WriteBytes("ids.json", ids.out);
  EXPECT_EQ(Continuo({"detokenize", "--tokenizer", tokenizer, Path("ids.json"), "-o", Path("a.mid")}).exit_code, 0);
  fs::create_directory(Path("songs"));
  fs::copy(kPrompt, fs::path(Path("songs")) / "song.mid");
  EXPECT_EQ(Continuo({"corpus", "build", Path("songs"), "--tokenizer", tokenizer, "-o", Path("corpus")}).exit_code, 0);
}

TEST_F(CliTest, ATokenizerIsTrained) {
  const std::string songs = (kSource / "examples" / "corpus").string();
  const Outcome run = Continuo(
      {"-q", "--json", "tokenizer", "train", songs, "--tokenizer", "remi", "--size", "400", "-o", Path("bpe.json")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json report = Json::parse(run.out);
  EXPECT_EQ(report["size"], 400);
  EXPECT_EQ(report["skipped"], 0);
  EXPECT_EQ(report["songs"], report["files"]);
  const auto tracks = [&](const std::string& tokenizer) {
    return Json::parse(Continuo({"tokenize", "--tokenizer", tokenizer, kPrompt.string()}).out)["tracks"];
  };
  const auto score = [&](const std::string& tokenizer) {
    WriteBytes("ids.json", Json({{"tracks", tracks(tokenizer)}}).dump());
    return Json::parse(Continuo({"--json", "detokenize", "--tokenizer", tokenizer, Path("ids.json")}).out);
  };
  EXPECT_LT(tracks(Path("bpe.json"))[0].size(), tracks("remi")[0].size());
  EXPECT_EQ(score(Path("bpe.json")), score("remi"));

  // Any number of threads gives the same file.
  ASSERT_EQ(Continuo({"tokenizer", "train", songs, "--tokenizer", "remi", "--size", "400", "--threads", "3", "-o",
                      Path("again.json")})
                .exit_code,
            0);
  EXPECT_EQ(*ReadTextFile(Path("again.json")), *ReadTextFile(Path("bpe.json")));
  // A file that is not a song is skipped.
  WriteBytes("bad.mid", "MThd");
  const Outcome skipped = Continuo({"--json", "tokenizer", "train", songs, Path("bad.mid"), "--tokenizer", "remi",
                                    "--size", "400", "--split", "beat", "-o", Path("b.json")});
  ASSERT_EQ(skipped.exit_code, 0) << skipped.err;
  EXPECT_EQ(Json::parse(skipped.out)["skipped"], 1);
  EXPECT_NE(*ReadTextFile(Path("b.json")), *ReadTextFile(Path("bpe.json")));

  ExpectError({"tokenizer", "train", songs, "--tokenizer", "remi", "--size", "10", "-o", Path("x.json")}, "size is 10");
  ExpectError({"tokenizer", "train", songs, "--tokenizer", "remichord", "-o", Path("x.json")}, "REMIChord");
  ExpectError({"tokenizer", "train", songs, "--tokenizer", Path("bpe.json"), "-o", Path("x.json")}, "trained");
  const Outcome none = Continuo({"tokenizer", "train", Path("bad.mid"), "--tokenizer", "remi", "-o", Path("x.json")});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, AllOf(HasSubstr("bad.mid: byte 4"), HasSubstr("none of 1 files could be read")));
  EXPECT_EQ(Continuo({"tokenizer", "train", songs, "--tokenizer", "remi", "--model", "unigram", "-o", Path("x.json")})
                .exit_code,
            2);
  EXPECT_FALSE(fs::exists(Path("x.json")));
}

TEST_F(CliTest, VocabListsTheTokens) {
  const Outcome run = Continuo({"vocab", "--tokenizer", "remi"});
  EXPECT_THAT(run.out, StartsWith("PAD_None\nBOS_None\nEOS_None\nMASK_None\nBar_None\nPitch_21\n"));
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 316);
  ExpectError({"vocab", "--tokenizer", "no-such"}, "no-such");
  ExpectError({"vocab", "--tokenizer", "remi", "--miditok", "2.0"}, "2.0");
}

TEST_F(CliTest, DetokenizeNamesTheWrongId) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "is not JSON"},
      {"[]", "has no list \"tracks\""},
      {R"({"tracks": [5]})", "tracks[0] is number, expected a list"},
      {R"({"tracks": [[4, 316]]})", "tracks[0][1] is 316, expected an id from 0 to 315"},
      {R"({"tracks": [[4], [-1]]})", "tracks[1][0] is -1"},
      {R"({"tracks": [[4.5]]})", "tracks[0][0] is 4.5"},
  };
  for (const auto& [text, message] : cases) {
    WriteBytes("ids.json", text);
    ExpectError({"detokenize", "--tokenizer", "remi", Path("ids.json"), "-o", Path("a.mid")}, message);
    EXPECT_FALSE(fs::exists(Path("a.mid")));
  }
}

TEST_F(CliTest, BadMidiIsAnErrorThatNamesTheFile) {
  const std::string good = *ReadTextFile(kPrompt);
  WriteBytes("empty.mid", "");
  WriteBytes("text.mid", "this is no music");
  WriteBytes("cut.mid", good.substr(0, 10));
  for (const std::string name : {"empty.mid", "text.mid", "cut.mid", "missing.mid"}) {
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"tokenize", "--tokenizer", "remi"}, {"eval"}, {"inspect"}}) {
      std::vector<std::string> arguments = command;
      arguments.push_back(Path(name));
      const Outcome run = Continuo(arguments);
      EXPECT_EQ(run.exit_code, 1) << command[0] << ' ' << name;
      EXPECT_THAT(run.err, AllOf(StartsWith("continuo: "), HasSubstr(name)));
    }
  }
}

TEST_F(CliTest, InspectSaysWhatOneWantsToKnow) {
  const Outcome page = Continuo({"inspect", kPrompt.string()});
  ASSERT_EQ(page.exit_code, 0) << page.err;
  EXPECT_THAT(page.out, AllOf(HasSubstr("0:20, 8 bars"), HasSubstr("tempo            96.0 qpm\n"), HasSubstr("4/4"),
                              HasSubstr("C major"), HasSubstr("recognised"), HasSubstr("C_M | G_M | A_m | F_M | C_M"),
                              HasSubstr("105 in 1 track"), Not(HasSubstr("⠀"))));
  EXPECT_THAT(Continuo({"inspect", "--roll", kPrompt.string()}).out, HasSubstr("⠀"));
  const Json json = Json::parse(Continuo({"inspect", kPrompt.string(), "--json"}).out);
  EXPECT_EQ(json["bars"], 8);
  EXPECT_EQ(json["notes"], 105);
  EXPECT_EQ(json["key"]["name"], "C major");
  EXPECT_EQ(json["chords"]["source"], "recognised");
  EXPECT_EQ(json["chords"]["changes"][1], Json::parse(R"([1920, "G_M"])"));
  EXPECT_EQ(json["score"]["tracks"][0]["notes"].size(), 105U);
  EXPECT_TRUE(json["warnings"].empty());
}

TEST_F(CliTest, ARunIsSummedUp) {
  fs::create_directories(Path("run") + "/latest");
  WriteBytes("run/latest/training.json", R"({"format": "continuo-training", "version": 2,
      "settings": {"layers": 6, "heads": 4, "width": 256, "context": 512, "vocab_size": 316, "precision": "bf16"},
      "state": {"step": 2, "epoch": 0, "block": 0, "short_windows": false, "tokens": 200, "seconds": 2.0,
                "best_nll": 5.5, "best_step": 1, "stale": 1, "first_loss": 6.0}})");
  WriteBytes("run/train.jsonl",
             R"({"step":1,"epoch":0,"tokens":100,"seconds":1.0,"progress":0.25,"loss":6.0,"tokens_per_second":90.0}
{"step":1,"epoch":0,"valid_nll":5.5,"valid_nll_note":11.0,"valid_nll_bar":55.0}
{"step":2,"epoch":0,"tokens":200,"seconds":2.0,"progress":0.5,"loss":4.0,"tokens_per_second":110.0}
{"step":2,"epoch":0,"valid_nll":5.75,"valid_nll_note":12.0,"valid_nll_bar":57.0}
{"step":3,"ep)");
  const Outcome page = Continuo({"inspect", Path("run")});
  EXPECT_EQ(page.exit_code, 0) << page.err;
  for (const char* text :
       {"50 % done", "6 layers, 4 heads, 256 wide", "2 updates, epoch 1, 200 tokens", "5.0000 over the last 2",
        "100 tokens/s", "5.7500 nats per token, 12.000 per note, 57.00 per bar at step 2",
        "5.5000 nats per token, 11.000 per note, 55.00 per bar at step 1"}) {
    EXPECT_THAT(page.out, HasSubstr(text));
  }
  const Json json = Json::parse(Continuo({"inspect", Path("run"), "--json"}).out);
  EXPECT_EQ(json["step"], 2);
  EXPECT_EQ(json["done"], false);
  EXPECT_EQ(json["best"]["valid_nll"], 5.5);
}

TEST_F(CliTest, OfMusicWithoutNotesWhatCannotBeMeasuredIsADash) {
  WriteBytes("rest.mid", std::string("MThd\0\0\0\6\0\0\0\1\1\340MTrk\0\0\0\4\0\377\57\0", 26));
  for (const std::string command : {"inspect", "eval", "likelihood"}) {
    const Outcome run = Continuo({command, Path("rest.mid")});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.out, AllOf(HasSubstr(" -"), Not(HasSubstr("nan")))) << command;
  }
}

TEST_F(CliTest, InspectWarnsOfFaultsOrRefusesThemWhenStrict) {
  const std::string good = *ReadTextFile(kPrompt);
  WriteBytes("cut.mid", good.substr(0, good.size() - 6));
  const Outcome run = Continuo({"inspect", Path("cut.mid")});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, HasSubstr("warning"));
  EXPECT_THAT(Json::parse(Continuo({"inspect", Path("cut.mid"), "--json"}).out)["warnings"][0].get<std::string>(),
              HasSubstr("byte"));
  ExpectError({"inspect", "--strict", Path("cut.mid")}, "cut.mid");
  EXPECT_EQ(Continuo({"inspect", "--strict", kPrompt.string()}).exit_code, 0);
}

TEST_F(CliTest, GenerateWritesPiecesOfExactlyTheBarsAskedFor) {
  const Outcome run = Continuo({"generate", "--bars", "5", "--count", "3", "--seed", "7", "-o", Path("out")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json manifest = Json::parse(*ReadTextFile(Path("out/manifest.json")));
  ASSERT_EQ(manifest["pieces"].size(), 3U);
  const Outcome eval = Continuo({"eval", Path("out"), "--json"});
  const Json files = Json::parse(eval.out)["files"];
  ASSERT_EQ(files.size(), 3U);
  for (const Json& file : files) {
    EXPECT_EQ(file["bars"], 5);
  }
}

TEST_F(CliTest, TheSameSeedGivesTheSameBytesHoweverManyThreadsAndPieces) {
  ASSERT_EQ(Continuo({"generate", "--bars", "4", "--count", "3", "--seed", "3", "-o", Path("a")}).exit_code, 0);
  ASSERT_EQ(
      Continuo({"generate", "--bars", "4", "--count", "1", "--seed", "3", "--threads", "1", "-o", Path("b")}).exit_code,
      0);
  ASSERT_EQ(Continuo({"generate", "--bars", "4", "--count", "3", "--seed", "4", "-o", Path("c")}).exit_code, 0);
  EXPECT_EQ(*ReadTextFile(Path("a/piece-001.mid")), *ReadTextFile(Path("b/piece-001.mid")));
  EXPECT_NE(*ReadTextFile(Path("a/piece-001.mid")), *ReadTextFile(Path("c/piece-001.mid")));
}

TEST_F(CliTest, ContinueKeepsThePromptsBarsAndWritesTheNewOnesAlone) {
  const Outcome run = Continuo({"continue", "--prompt", kPrompt.string(), "--prompt-bars", "8", "--bars", "6", "--seed",
                                "2", "-o", Path("out")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(Files(), ::testing::ElementsAre("out/manifest.json", "out/piece-001.mid", "out/piece-001.new-bars.mid",
                                              "out/piece-001.tokens.json"));
  const Json eval =
      Json::parse(Continuo({"eval", Path("out/piece-001.mid"), Path("out/piece-001.new-bars.mid"), "--json"}).out);
  EXPECT_EQ(eval["files"][0]["bars"], 14);
  EXPECT_EQ(eval["files"][1]["bars"], 6);
  const auto notes = [&](const std::string& file) {
    const Json score = Json::parse(Continuo({"inspect", file, "--json"}).out)["score"];
    std::vector<Json> all = score["tracks"][0]["notes"].get<std::vector<Json>>();
    return all;
  };
  const std::vector<Json> prompt = notes(kPrompt.string());
  std::vector<Json> whole = notes(Path("out/piece-001.mid"));
  std::erase_if(whole, [](const Json& note) { return note[0] >= 8 * 4 * 480; });
  EXPECT_EQ(whole, prompt);
}

TEST_F(CliTest, GenerateAndContinueRefuseWhatCannotBe) {
  const std::vector<std::string> generate = {"generate", "-o", Path("out")};
  const auto with = [](std::vector<std::string> arguments, const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  ExpectError(with(generate, {"--bars", "0"}), "bars is 0");
  ExpectError(with(generate, {"--count", "0"}), "count is 0");
  ExpectError(with(generate, {"--top-k", "0"}), "top-k is 0");
  ExpectError(with(generate, {"--temperature", "-1"}), "temperature is -1");
  ExpectError(with(generate, {"--top-p", "0"}), "top-p is 0");
  ExpectError(with(generate, {"--model", Path("none")}), Path("none"));
  ExpectError(with(generate, {"--form", "A8 ?8"}), "form: '?' at byte 4");
  ExpectError(with(generate, {"--form", "A8 B8"}), "its sections have 16 bars together, expected 32");
  ExpectError(with(generate, {"--density", "2:1 6:1"}), "rising bars");
  const auto tokenizer = Tokenizer::Load("remi").value();
  WriteRandomModel(SmallModel(Architecture::kGpt2, tokenizer->model_size(), 128), tokenizer->ToJson(), Path("plain"));
  for (const char* flag : {"--chords=C", "--form=A32", "--density=3", "--loudness=3"}) {
    ExpectError(with(generate, {"--model", Path("plain"), flag}), "remiplan");
  }
  ExpectError({"continue", "--prompt", kPrompt.string(), "--prompt-bars", "9", "-o", Path("out")}, "has 8 bars");
  ExpectError({"continue", "--prompt", kPrompt.string(), "--prompt-bars", "0", "-o", Path("out")}, "prompt-bars is 0");
  ExpectError({"continue", "--prompt", Path("none.mid"), "-o", Path("out")}, "none.mid");
  WriteBytes("file", "");
  ExpectError({"generate", "-o", Path("file/out")}, "file");
  EXPECT_FALSE(fs::exists(Path("out")));
}

TEST_F(CliTest, TemperatureZeroIsGreedyWhateverTheSeed) {
  ASSERT_EQ(Continuo({"generate", "--bars", "2", "--temperature", "0", "--seed", "1", "-o", Path("a")}).exit_code, 0);
  ASSERT_EQ(Continuo({"generate", "--bars", "2", "--temperature", "0", "--seed", "2", "-o", Path("b")}).exit_code, 0);
  EXPECT_EQ(*ReadTextFile(Path("a/piece-001.mid")), *ReadTextFile(Path("b/piece-001.mid")));
}

TEST_F(CliTest, WhatDoesNotFitIntoMemoryIsRefusedBeforehand) {
#ifdef CONTINUO_SANITIZE
  GTEST_SKIP() << "AddressSanitizer reserves terabytes of addresses, so that no program starts within the limit";
#endif
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  const rlimit less = {rlim_t{3} << 30, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_AS, &less), 0);  // of this process too, and of those it starts
  ExpectError({"generate", "--count", "1024", "--batch", "1024", "-o", Path("out")},
              "GB for each of 1024 pieces at a time");
  EXPECT_EQ(Continuo({"generate", "--count", "2", "--bars", "1", "-o", Path("out")}).exit_code, 0);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
}

TEST_F(CliTest, ADamagedModelIsRefusedByName) {
  const std::string model = CopyModel();
  const std::string weights = *ReadTextFile(fs::path(model) / "model.safetensors");
  const std::string config = *ReadTextFile(fs::path(model) / "config.json");
  const std::string tokenizer = *ReadTextFile(fs::path(model) / "tokenizer.json");
  const std::vector<std::string> generate = {"generate", "--bars", "1", "--model", model, "-o", Path("out")};

  fs::remove(model + "/tokenizer.json");
  ExpectError(generate, "tokenizer.json");
  ASSERT_EQ(Continuo({"vocab", "--tokenizer", "midilike"}).exit_code, 0);
  WriteBytes("model/tokenizer.json", "{}");
  ExpectError(generate, "tokenizer.json");
  WriteBytes("model/tokenizer.json", tokenizer);

  WriteBytes("model/model.safetensors", weights.substr(0, weights.size() / 2));
  ExpectError(generate, "model.safetensors");
  fs::remove(model + "/model.safetensors");
  ExpectError(generate, "model.safetensors");
  std::string nan = weights;
  for (size_t i = nan.size() - 64; i < nan.size(); ++i) {
    nan[i] = '\xff';  // all ones is a NaN in f32, bf16 and f16
  }
  WriteBytes("model/model.safetensors", nan);
  ExpectError(generate, "NaN");
  WriteBytes("model/model.safetensors", weights);

  Json wrong = Json::parse(config);
  wrong["intermediate_size"] = 100;
  WriteBytes("model/config.json", wrong.dump());
  ExpectError(generate, "expected");
  fs::remove(model + "/config.json");
  ExpectError(generate, "config.json");
  EXPECT_FALSE(fs::exists(Path("out")));
}

TEST_F(CliTest, AModelSaysHowItIsToBeSampledAndComputed) {
  const std::string model = CopyModel();
  const auto nll = [&](const std::string& settings, const std::vector<std::string>& flags) -> double {
    std::ofstream(fs::path(model) / "generation.json") << settings;
    std::vector<std::string> arguments = {"generate", "--model", model, "--bars", "2", "-o", Path("out")};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    EXPECT_EQ(Continuo(arguments).exit_code, 0);
    return Json::parse(*ReadTextFile(Path("out/manifest.json")))["pieces"][0]["nll_per_token"];
  };
  const double int8 = nll(R"({"temperature": 0, "precision": "int8"})", {});
  const double f32 = nll(R"({"temperature": 0, "precision": "f32"})", {});
  EXPECT_NE(int8, f32);
  EXPECT_EQ(nll("{}", {"--temperature", "0", "--precision", "int8"}), int8);
  EXPECT_EQ(nll(R"({"temperature": 1, "precision": "int8"})", {"--temperature", "0", "--precision", "f32"}), f32);
  std::ofstream(fs::path(model) / "generation.json") << R"({"precision": "int4"})";
  ExpectError({"generate", "--model", model, "-o", Path("out")}, R"(precision is "int4")");
}

#if defined(__x86_64__)
TEST_F(CliTest, LanesOfFourRoundInTheirOwnWay) {
  const auto nll = [&](const std::vector<std::string>& flags) -> double {
    std::vector<std::string> arguments = {"generate", "--precision", "f32", "--bars", "2", "-o", Path("out")};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    EXPECT_EQ(Continuo(arguments).exit_code, 0);
    return Json::parse(*ReadTextFile(Path("out/manifest.json")))["pieces"][0]["nll_per_token"];
  };
  const double four = nll({"--lanes", "4", "--temperature", "0"});
  EXPECT_EQ(nll({"--lanes", "4", "--temperature", "0", "--threads", "1"}), four);
  const double own = nll({"--temperature", "0"});
  EXPECT_NEAR(own, four, 1e-3);
  if (__builtin_cpu_supports("avx2")) {
    EXPECT_NE(own, four);
  }
  EXPECT_EQ(Continuo({"generate", "--lanes", "8", "-o", Path("x")}).exit_code, 2);
  ExpectError({"generate", "--lanes", "4", "--device", "cuda", "-o", Path("x")}, "--lanes 4 is for --device cpu");
}
#endif

TEST_F(CliTest, ATokenizerMayLieBesideTheModelDirectory) {
  const std::string model = CopyModel();
  const std::string tokenizer = Path("mine.json");
  fs::rename(Path("model/tokenizer.json"), tokenizer);
  ExpectError({"generate", "--model", model, "--bars", "1", "-o", Path("none")}, "tokenizer.json: no such file");
  ExpectError({"likelihood", kPrompt.string(), "--model", model}, "tokenizer.json: no such file");
  const std::vector<std::string> write = {"generate", "--bars", "2", "--seed", "3", "--model"};
  const auto piece = [&](const std::string& folder, std::vector<std::string> more) {
    more.insert(more.begin(), write.begin(), write.end());
    more.insert(more.end(), {"-o", Path(folder)});
    const Outcome run = Continuo(more);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return *ReadTextFile(Path(folder + "/piece-001.mid"));
  };
  const std::string own = piece("own", {kModel.string()});
  EXPECT_EQ(piece("beside", {model, "--tokenizer", tokenizer}), own);
  // quantize puts it beside the smaller weights.
  const Outcome quantized =
      Continuo({"quantize", model, "--tokenizer", tokenizer, "--precision", "int8", "-o", Path("int8")});
  ASSERT_EQ(quantized.exit_code, 0) << quantized.err;
  EXPECT_EQ(*ReadTextFile(Path("int8/tokenizer.json")), *ReadTextFile(tokenizer));
  WriteBytes("mine.json", "{}");
  ExpectError({"generate", "--model", model, "--tokenizer", tokenizer, "-o", Path("none")}, "mine.json");
}

TEST_F(CliTest, CtrlCKeepsTheWholePiecesAndTheirManifest) {
  const pid_t pid = Start({"generate", "--bars", "8", "--count", "2000", "-o", Path("out")});
  for (int i = 0; i < 600 && !fs::exists(Path("out/piece-001.mid")); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  kill(pid, SIGINT);
  const Outcome run = Wait(pid);
  EXPECT_EQ(run.exit_code, 130);
  const Json manifest = Json::parse(*ReadTextFile(Path("out/manifest.json")));
  std::vector<std::string> expected = {"out/manifest.json"};
  for (const Json& piece : manifest["pieces"]) {
    expected.push_back("out/" + piece["file"].get<std::string>());
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_GE(expected.size(), 2U);
  EXPECT_EQ(Files(), expected);
}

TEST_F(CliTest, AQuantizedModelIsSmallerAndWritesTheSameAsItsPrecisionAsked) {
  ASSERT_EQ(Continuo({"quantize", kModel.string(), "--precision", "int8", "-o", Path("int8")}).exit_code, 0);
  EXPECT_LT(fs::file_size(Path("int8/model.safetensors")), fs::file_size(kModel / "model.safetensors") * 0.6);
  const std::vector<std::string> asked = {"--bars", "2", "--count", "1", "--seed", "3"};
  const auto generate = [&](std::vector<std::string> more) {
    more.insert(more.begin(), "generate");
    more.insert(more.end(), asked.begin(), asked.end());
    return Continuo(more).exit_code;
  };
  ASSERT_EQ(generate({"--model", Path("int8"), "-o", Path("stored")}), 0);
  ASSERT_EQ(generate({"--precision", "int8", "-o", Path("asked")}), 0);
  EXPECT_EQ(*ReadTextFile(Path("stored/piece-001.mid")), *ReadTextFile(Path("asked/piece-001.mid")));
  EXPECT_EQ(Continuo({"quantize", kModel.string(), "--precision", "int3", "-o", Path("x")}).exit_code, 2);
  EXPECT_FALSE(fs::exists(Path("x")));
}

TEST_F(CliTest, FillLeavesAllElseAsItIs) {
  const Outcome outcome = Continuo(
      {"fill", kPrompt.string(), "--bars", "3:4", "--candidates", "3", "--keep", "2", "-o", Path("filled"), "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json report = Json::parse(outcome.out);
  ASSERT_EQ(report["candidates"].size(), 3U);
  EXPECT_LE(report["candidates"][0]["nll_of_what_follows"], report["candidates"][1]["nll_of_what_follows"]);
  EXPECT_TRUE(fs::exists(Path("filled/piece-002.mid")));
  EXPECT_FALSE(fs::exists(Path("filled/piece-003.mid")));
  const auto bars = [&](const std::string& file) {
    std::vector<std::string> lines;
    std::istringstream text(Continuo({"tokenize", "--tokenizer", "remi", "--text", file}).out);
    for (std::string line; std::getline(text, line);) {
      lines.push_back(line);
    }
    return lines;
  };
  const std::vector<std::string> before = bars(kPrompt.string());
  const std::vector<std::string> after = bars(Path("filled/piece-001.mid"));
  ASSERT_EQ(before.size(), after.size());
  size_t changed = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    changed += before[i] != after[i] ? 1 : 0;
  }
  EXPECT_GE(changed, 1U);
  EXPECT_LE(changed, 4U);  // the bars, and lines that name the file
  ExpectError({"fill", kPrompt.string(), "--bars", "12", "-o", Path("no")}, "--bars is '12', expected");
  ExpectError({"fill", kPrompt.string(), "--bars", "7:900", "-o", Path("no")}, "bars 7 to 900 are not among its");
  EXPECT_FALSE(fs::exists(Path("no")));
}

std::vector<Note> NotesOf(const std::string& file) {
  std::vector<Note> notes;
  const Score score = std::move(*ReadScore(file));
  for (const Track& track : score.tracks) {
    notes.insert(notes.end(), track.notes.begin(), track.notes.end());
  }
  return notes;
}

TEST_F(CliTest, NewNotesKeepToLimits) {
  ASSERT_EQ(Continuo({"generate", "--bars", "4", "--scale", "C D E G A", "--scale", "F# major@3-4", "--range", "C4:C6",
                      "--grid", "8", "--max-notes", "6", "--max-polyphony", "2", "-o", Path("new")})
                .exit_code,
            0);
  const std::vector<Note> notes = NotesOf(Path("new/piece-001.mid"));
  EXPECT_GE(notes.size(), 2U);
  EXPECT_LE(notes.size(), 24U);
  for (const Note& note : notes) {
    const std::set<int> first = {0, 2, 4, 7, 9};
    const std::set<int> then = {6, 8, 10, 11, 1, 3, 5};
    EXPECT_TRUE((note.time < 2 * 1920 ? first : then).contains(note.pitch % 12)) << int{note.pitch};
    EXPECT_GE(note.pitch, 60);
    EXPECT_LE(note.pitch, 84);
    EXPECT_EQ(note.time % 240, 0);
  }
  ASSERT_EQ(
      Continuo({"fill", kPrompt.string(), "--bars", "3:4", "--candidates", "2", "--keep-top", "-o", Path("filled")})
          .exit_code,
      0);
  ExpectError({"generate", "--scale", "A miner", "-o", Path("no")}, "scale is 'A miner', expected a root");
  ExpectError({"generate", "--grid", "12", "-o", Path("no")}, "grid is 12, but the model's tokens");
  ExpectError({"generate", "--range", "C6:C3", "-o", Path("no")}, "range is 'C6:C3', which is empty");
  ExpectError({"generate", "--bars", "4", "--max-notes", "3@5-8", "-o", Path("no")}, "max_notes is for bars 5 to 8");
  ExpectError({"continue", "--prompt", kPrompt.string(), "--scale", "A minor@1-2", "-o", Path("no")},
              "scale is for bars 1 to 2, but the bars that are written are 9 to 32");
  EXPECT_EQ(Continuo({"generate", "--keep-top", "-o", Path("no")}).exit_code, 2);
  EXPECT_FALSE(fs::exists(Path("no")));
}

TEST_F(CliTest, PictureDrawsTheNotesOfAPiece) {
  const Outcome run =
      Continuo({"picture", kPrompt.string(), "--form", "A4 B4", "--pedals", "-o", Path("song.svg"), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json report = Json::parse(run.out);
  EXPECT_EQ(report["bars"], 8);
  EXPECT_EQ(report["sections"][1], Json({{"name", "B"}, {"first_bar", 5}, {"last_bar", 8}}));
  const std::string svg = *ReadTextFile(Path("song.svg"));
  size_t notes = 0;
  for (size_t at = 0; (at = svg.find("class=\"note\"", at)) != std::string::npos; ++at) {
    ++notes;
  }
  EXPECT_EQ(notes, report["notes"]);
  EXPECT_THAT(svg, StartsWith("<svg "));
  ExpectError({"picture", kPrompt.string(), "--form", "A4", "-o", Path("no.svg")}, "have 4 bars together, expected 8");
  ExpectError({"picture", kPrompt.string(), "--bars", "9-12", "-o", Path("no.svg")},
              "bars 9 to 12 are not among the 8");
  ExpectError({"picture", kPrompt.string(), "--bars", "4:2", "-o", Path("no.svg")}, "--bars is '4:2'");
  EXPECT_EQ(Continuo({"picture", kPrompt.string(), "--width", "5", "-o", Path("no.svg")}).exit_code, 2);
  EXPECT_FALSE(fs::exists(Path("no.svg")));
}

const std::string kCases = CONTINUO_SOURCE_DIR "/testdata/cases/";

TEST_F(CliTest, EvalOfAFolderMeasuresThePiecesThatItsManifestLists) {
  Continuo({"generate", "--bars", "2", "--count", "3", "-o", Path("new")});
  const Outcome again = Continuo({"generate", "--bars", "2", "--count", "2", "--seed", "9", "-o", Path("new")});
  EXPECT_THAT(again.err, HasSubstr("has pieces of an earlier run"));
  const Outcome measured = Continuo({"eval", Path("new"), "--json"});
  EXPECT_EQ(Json::parse(measured.out)["files"].size(), 2U);
  EXPECT_THAT(measured.err, HasSubstr("2 of its 3 MIDI files are measured"));

  Continuo({"continue", "--prompt", kPrompt.string(), "--bars", "2", "--count", "2", "-o", Path("more")});
  EXPECT_EQ(Json::parse(Continuo({"eval", Path("more"), "--json"}).out)["files"].size(), 2U);
}

TEST_F(CliTest, WhatWasRepairedIsReported) {
  const std::string file = kCases + "lastoff.mid";
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"eval", file, "--json"},
        {"tokenize", "-t", "remi", file},
        {"likelihood", file, "--json"},
        {"fill", file, "--bars", "3:3", "--candidates", "1", "-o", Path("filled"), "--json"},
        {"continue", "--prompt", file, "--prompt-bars", "4", "--bars", "1", "-o", Path("more"), "--json"}}) {
    const Outcome run = Continuo(command);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.err, HasSubstr("lastoff.mid: ")) << command[0];
    EXPECT_THAT(run.out, HasSubstr("\"repairs\":[\"")) << command[0];
  }
}

TEST_F(CliTest, TokenizerTrainSaysWhatItSkipsAndRepairs) {
  fs::create_directory(Path("songs"));
  WriteBytes("songs/bad.mid", "no music");
  fs::copy(kCases + "lastoff.mid", Path("songs"));
  const Outcome run =
      Continuo({"tokenizer", "train", Path("songs"), "-t", "remi", "--size", "400", "-o", Path("t.json")});
  EXPECT_THAT(run.err, AllOf(HasSubstr("bad.mid: byte 0"), HasSubstr("leaves 4 notes without an end")));
}

TEST_F(CliTest, ControlCharactersOfAFileNeverReachTheTerminal) {
  const Outcome run = Continuo({"inspect", kCases + "esc.mid"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(std::count_if(run.out.begin(), run.out.end(), [](char c) { return c != '\n' && (c & 0xE0) == 0; }), 0);
  EXPECT_THAT(run.out, HasSubstr("\\x1b"));
}

TEST_F(CliTest, CorpusBuildMergesTheTracksOfAFolder) {
  fs::create_directory(Path("songs"));
  fs::copy(kPrompt, Path("songs"));
  const auto build = [this](const std::vector<std::string>& arguments) {
    std::vector<std::string> all = {"corpus", "build", "-t", "remi", "-o", Path("corpus"), "--json"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Outcome run = Continuo(all);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return Json::parse(run.out)["sources"][0];
  };
  EXPECT_FALSE(build({Path("songs")}).contains("dropped_notes"));
  EXPECT_EQ(build({Path("songs:merge")})["merged_tracks"], 1);
  const Json both = build({Path("songs:2:merge")});
  EXPECT_EQ(both["weight"], 2);
  EXPECT_EQ(both["merged_tracks"], 1);
  EXPECT_EQ(build({Path("songs"), "--merge-tracks"})["merged_tracks"], 1);
  ExpectError({"corpus", "build", Path("songs:two:merge"), "-t", "remi", "-o", Path("corpus")}, "'two'");
}

TEST_F(CliTest, CorpusBuildReportsRepairsAndSkipsSilence) {
  fs::create_directory(Path("songs"));
  for (const char* name : {"lastoff.mid", "ableton5.mid", "piano60.mid"}) {
    fs::copy(kCases + name, Path("songs"));
  }
  const Outcome run = Continuo({"corpus", "build", Path("songs"), "-t", "remi", "-o", Path("corpus"), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json report = Json::parse(run.out);
  EXPECT_EQ(report["songs"], 2);
  ASSERT_EQ(report["failures"].size(), 1U);
  EXPECT_THAT(report["failures"][0]["reason"].get<std::string>(), HasSubstr("bars are silent"));
  ASSERT_GE(report["repairs"].size(), 1U);
  EXPECT_EQ(report["repairs"].back()["file"], "lastoff.mid");
}

TEST_F(CliTest, APieceThatIsTooLongForSiIsMeasured) {
  const Outcome run = Continuo({"eval", kCases + "long.mid", "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("too long for SI"));
  const Json row = Json::parse(run.out)["files"][0];
  EXPECT_EQ(row["H1"], 2.0);
  EXPECT_TRUE(row["SI_short"].is_null());
}

TEST_F(CliTest, SiIsOfTheBarsThatAreMeasured) {
  Continuo({"generate", "--bars", "24", "--seed", "5", "-o", Path("new")});
  const std::string piece = Path("new/piece-001.mid");
  const auto si = [&](const char* bars) {
    return Json::parse(Continuo({"eval", piece, "--json", "--bars", bars}).out)["files"][0]["SI_short"];
  };
  EXPECT_EQ(si("24"), si("0"));
  EXPECT_NE(si("12"), si("0"));
}

TEST_F(CliTest, KeepWritesTheLikeliestOfAll) {
  ASSERT_EQ(Continuo({"generate", "--bars", "2", "--count", "5", "-o", Path("all")}).exit_code, 0);
  ASSERT_EQ(Continuo({"generate", "--bars", "2", "--count", "5", "--keep", "2", "-o", Path("best")}).exit_code, 0);
  std::vector<std::pair<double, std::string>> ranked;
  const Json all = Json::parse(*ReadTextFile(Path("all/manifest.json")));
  for (const Json& piece : all["pieces"]) {
    ranked.emplace_back(piece["nll_per_token"], piece["file"]);
  }
  std::sort(ranked.begin(), ranked.end());
  const Json kept = Json::parse(*ReadTextFile(Path("best/manifest.json")))["pieces"];
  ASSERT_EQ(kept.size(), 2U);
  for (const Json& piece : kept) {
    const std::string file = piece["file"];
    EXPECT_TRUE(file == ranked[0].second || file == ranked[1].second) << file;
    EXPECT_EQ(*ReadTextFile(Path("best/" + file)), *ReadTextFile(Path("all/" + file)));
  }
}

TEST_F(CliTest, StreamTellsEachBarAndAllItsNotes) {
  const Outcome outcome = Continuo({"generate", "--bars", "3", "--stream", "-o", Path("out")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  size_t bars = 0;
  size_t notes = 0;
  for (std::string line; std::getline(lines, line);) {
    const Json bar = Json::parse(line);
    EXPECT_EQ(bar["piece"], 1);
    EXPECT_EQ(bar["bars"], ++bars);
    notes += bar["notes"].size();
  }
  EXPECT_EQ(bars, 3U);
  EXPECT_EQ(Json::parse(Continuo({"eval", Path("out"), "--json"}).out)["files"][0]["notes"], notes);
  ExpectError({"generate", "--stream", "--retries", "1", "-o", Path("no")}, "cannot be taken back");
}

TEST_F(CliTest, LikelihoodsOfBarsAddUpToThatOfTheFile) {
  const Outcome outcome = Continuo({"likelihood", kPrompt.string(), "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json report = Json::parse(outcome.out);
  const Json& file = report["files"][0];
  double sum = 0.0;
  for (const double bar : file["bar_nll"]) {
    sum += bar;
  }
  EXPECT_EQ(file["bar_nll"].size(), file["bars"]);
  EXPECT_NEAR(sum, static_cast<double>(file["nll_per_token"]) * static_cast<double>(file["tokens"]), 1e-6);
  EXPECT_NEAR(sum, static_cast<double>(file["nll_per_note"]) * static_cast<double>(file["notes"]), 1e-6);
  EXPECT_THAT(Continuo({"likelihood", kPrompt.string()}).out, HasSubstr("per note"));
  ExpectError({"likelihood", kPrompt, "--gaps", "3"}, "both_sides in its generation.json is not true");
  EXPECT_EQ(Continuo({"score", kPrompt.string(), "--json"}).out, outcome.out);  // its former name
}

TEST_F(CliTest, FilesThatCannotBeReadAreReportedAfterTheOthersAreMeasured) {
  WriteBytes("bad.mid", "not a MIDI file");
  for (const std::string command : {"likelihood", "score", "eval"}) {
    const Outcome run = Continuo({command, Path("bad.mid"), kPrompt.string(), "--json"});
    EXPECT_EQ(run.exit_code, 1) << command;
    EXPECT_THAT(run.err, AllOf(HasSubstr("bad.mid"), HasSubstr("1 of 2 files could not be measured"))) << command;
    const Json files = Json::parse(run.out)["files"];
    ASSERT_EQ(files.size(), 1U) << command;
    EXPECT_EQ(files[0]["file"], kPrompt.string()) << command;
    const Outcome none = Continuo({command, Path("bad.mid")});
    EXPECT_EQ(none.exit_code, 1) << command;
    EXPECT_EQ(none.out, "") << command;
  }
}

TEST_F(CliTest, EvalMeasuresAllThatItsPageNames) {
  const Outcome outcome = Continuo({"eval", kPrompt.string(), kPrompt.string(), "--json", "--against",
                                    (kSource / "examples" / "corpus").string(), "--copied-from", kPrompt.string()});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json report = Json::parse(outcome.out);
  const Json& file = report["files"][0];
  for (const char* name : {"H1", "H4", "GS", "CPI", "SI_short", "SI_mid", "SI_long", "polyphony", "tempo_mean"}) {
    EXPECT_TRUE(file[name].is_number()) << name;
    EXPECT_TRUE(file.contains(name)) << name;
  }
  EXPECT_TRUE(file["key"].is_string());
  // A file is a copy of itself, from its first note to its last.
  EXPECT_EQ(file["copied"]["song"], kPrompt.string());
  EXPECT_EQ(file["copied"]["bar"], file["copied"]["song_bar"]);
  EXPECT_GT(file["copied"]["notes"], 20);
  EXPECT_EQ(report["distances"].size(), 10U);
  EXPECT_EQ(report["form"]["reference"]["exact"].size(), 24U);
  EXPECT_THAT(report["two_sample"]["left_out"], HasSubstr("2 and 24 pieces with notes are too few"));
  EXPECT_EQ(report["ci95"]["H1"][0], file["H1"]);  // of two equal files
  EXPECT_EQ(report["std"]["H1"], 0.0);
  // Without SI nothing else changes.
  const Json without = Json::parse(Continuo({"eval", kPrompt.string(), "--json", "--si", "no"}).out);
  EXPECT_EQ(without["files"][0]["SI_short"], nullptr);
  EXPECT_EQ(without["files"][0]["H4"], file["H4"]);
  EXPECT_THAT(Continuo({"eval", kPrompt.string(), kPrompt.string(), "--describe"}).out, HasSubstr("polyphony"));
  ExpectError({"eval", kPrompt.string(), "--si", "maybe"}, "--si is 'maybe'");
}

TEST_F(CliTest, ADiscriminatorComparesDrafts) {
  const std::string corpus = (kSource / "examples" / "corpus").string();
  const std::string model = Path("model");
  ASSERT_EQ(
      Continuo({"quantize", (kSource / "models" / "pop-piano").string(), "--precision", "int8", "-o", model}).exit_code,
      0);
  const fs::path file = fs::path(model) / "discriminator.json";
  EXPECT_TRUE(fs::exists(file));  // what tells the model's pieces holds for it in int8
  fs::remove(file);
  const std::vector<std::string> generate = {"generate", "--model", model, "--bars", "8", "--count", "12"};
  const auto with = [&generate](std::vector<std::string> more) {
    more.insert(more.begin(), generate.begin(), generate.end());
    return more;
  };
  ExpectError(with({"--drafts", "2", "-o", Path("none")}), "the model has no discriminator.json");
  ASSERT_EQ(Continuo(with({"--drafts", "1", "-o", Path("plain")})).exit_code, 0);

  const std::vector<std::string> fit = {"discriminator", Path("plain"), "--songs", corpus, "--tokens", "remi"};
  const auto fitted = [&](std::vector<std::string> more) {
    more.insert(more.begin(), fit.begin(), fit.end());
    return more;
  };
  const Outcome learned = Continuo(fitted({"--bars", "8", "-o", file.string(), "--json"}));
  ASSERT_EQ(learned.exit_code, 0) << learned.err;
  EXPECT_EQ(Json::parse(learned.out)["written"], 12);
  EXPECT_EQ(Json::parse(learned.out)["songs"], 24);
  ExpectError(fitted({"--bars", "7", "-o", Path("x.json")}), "bars is 7, expected a multiple of 2");
  ExpectError(fitted({"--bars", "8", "-o", Path("no/x.json")}), "no/x.json");
  ExpectError({"discriminator", kPrompt.string(), "--songs", corpus, "-o", Path("x.json")},
              "1 written pieces and 24 songs");
  EXPECT_FALSE(fs::exists(Path("x.json")));

  ASSERT_EQ(Continuo(with({"--drafts", "3", "-o", Path("drafts")})).exit_code, 0);
  EXPECT_EQ(Json::parse(*ReadTextFile(Path("drafts/manifest.json")))["sampling"]["drafts"], 3);
  EXPECT_NE(ReadTextFile(Path("drafts/piece-001.mid")).value(), ReadTextFile(Path("plain/piece-001.mid")).value());
  // A better one, of pieces that were made with it.
  ASSERT_EQ(Continuo({"discriminator", Path("drafts"), "--songs", corpus, "--bars", "8", "--add", file.string(), "-o",
                      Path("better.json")})
                .exit_code,
            0);
  EXPECT_NE(ReadTextFile(Path("better.json")).value(), ReadTextFile(file).value());
  ExpectError({"discriminator", Path("drafts"), "--songs", corpus, "--add", file.string(), "-o", Path("x.json")},
              "bars is 32, but " + file.string() + " compares up to 8");
  ExpectError(
      {"discriminator", Path("drafts"), "--songs", corpus, "--add", Path("drafts/manifest.json"), "-o", Path("x.json")},
      "manifest.json: is not a JSON object with features");
}

TEST_F(CliTest, EvalTellsASetFromARealOne) {
  const std::string corpus = (kSource / "examples" / "corpus").string();
  ASSERT_EQ(Continuo({"generate", "--bars", "8", "--count", "10", "-o", Path("out")}).exit_code, 0);
  const Outcome apart = Continuo({"eval", Path("out"), "--against", corpus, "--against-tokens", "remi", "--json"});
  ASSERT_EQ(apart.exit_code, 0) << apart.err;
  const Json report = Json::parse(apart.out);
  EXPECT_EQ(report["two_sample"]["pieces"], 10);
  // Eight bars written by the model are not like etudes of 32 bars.
  EXPECT_GT(report["two_sample"]["forest"]["auc"], 0.9);
  EXPECT_EQ(report["two_sample"]["features"].size(), 177U);
  EXPECT_THAT(Continuo({"eval", Path("out"), "--against", corpus, "--bars", "8"}).out,
              AllOf(HasSubstr("random forest without form"), HasSubstr("exact notes")));
  // A set is like itself; pieces that both sets have make a classifier guess worse than by chance.
  const Json same = Json::parse(Continuo({"eval", corpus, "--against", corpus, "--json", "--si", "no"}).out);
  EXPECT_LT(same["two_sample"]["forest"]["auc"], 0.5);
  ExpectError({"eval", Path("out"), "--against-tokens", "remi"}, "--against names");
  ExpectError({"eval", Path("out"), "--against", corpus, "--against-tokens", "romi"}, "romi");
}

TEST_F(CliTest, RenderWritesAudioThatLastsAsLongAsTheMusic) {
  if (!fs::exists(CONTINUO_BIN_DIR "/continuo-render")) {
    ExpectError({"render", kPrompt.string(), "-o", Path("audio")}, "was not built");
    return;
  }
  const Outcome outcome = Continuo({"render", kPrompt.string(), "-o", Path("audio"), "--format", "flac", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json file = Json::parse(outcome.out)["files"][0];
  EXPECT_TRUE(fs::exists(std::string(file["audio"])));
  EXPECT_GT(file["seconds"], 8.0);
  ExpectError({"render", kPrompt.string(), "-o", Path("audio"), "--soundfont", Path("none.sf2")},
              "none.sf2: is no file");
  ExpectError({"render", kPrompt.string(), kPrompt.string(), "-o", Path("audio")}, "would both be written to");

  const std::string name = Path("one/prompt.flac");
  ASSERT_EQ(Continuo({"render", kPrompt.string(), "-o", name, "--quiet"}).exit_code, 0);
  EXPECT_THAT(*ReadTextFile(name), StartsWith("fLaC"));
  ExpectError({"render", kPrompt.string(), kPrompt.string(), "-o", name}, "is the name of one file");
  ExpectError({"render", kPrompt.string(), "-o", name, "--format", "wav"}, "is a flac file by its name");
}

TEST_F(CliTest, TrainPassesItsFlagsOnInOrder) {
  if (!fs::exists(CONTINUO_BIN_DIR "/continuo-train")) {
    ExpectError({"train", "--help"}, "was not built");
    return;
  }
  EXPECT_THAT(Continuo({"train", "--help"}).out, HasSubstr("--layers"));
  const std::string examples = (kSource / "examples" / "corpus").string();
  ASSERT_EQ(Continuo({"corpus", "build", examples, "--tokenizer", "remi", "-o", Path("corpus")}).exit_code, 0);
  const Outcome run = Continuo({"--quiet", "train", "--corpus", Path("corpus"), "-o", Path("run"), "--layers", "1",
                                "--heads", "1", "--width", "16", "--context", "64", "--batch", "2", "--steps", "3"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, IsEmpty());
  // What was trained writes.
  const Outcome made = Continuo({"generate", "--model", Path("run/final"), "--bars", "2", "-o", Path("out")});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(Json::parse(Continuo({"eval", Path("out"), "--json"}).out)["files"][0]["bars"], 2);
}

TEST_F(CliTest, ALlamaIsTrainedQuantizedAndWrites) {
  if (!fs::exists(CONTINUO_BIN_DIR "/continuo-train")) {
    return;
  }
  const std::string examples = (kSource / "examples" / "corpus").string();
  ASSERT_EQ(Continuo({"corpus", "build", examples, "--tokenizer", "remi", "-o", Path("corpus")}).exit_code, 0);
  const Outcome run = Continuo({"--quiet",
                                "train",
                                "--corpus",
                                Path("corpus"),
                                "-o",
                                Path("run"),
                                "--layers",
                                "1",
                                "--heads",
                                "2",
                                "--kv-heads",
                                "1",
                                "--width",
                                "16",
                                "--context",
                                "64",
                                "--batch",
                                "2",
                                "--steps",
                                "3",
                                "--architecture",
                                "llama",
                                "--export-bf16"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(Json::parse(Continuo({"inspect", Path("run/final"), "--json"}).out)["architecture"], "llama");
  ASSERT_EQ(Continuo({"quantize", Path("run/final"), "--precision", "int8", "-o", Path("int8")}).exit_code, 0);
  for (const std::string model : {"run/final", "int8"}) {
    const Outcome made = Continuo({"generate", "--model", Path(model), "--bars", "2", "-o", Path(model + "-out")});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    EXPECT_EQ(Json::parse(Continuo({"eval", Path(model + "-out"), "--json"}).out)["files"][0]["bars"], 2);
  }
}

TEST_F(CliTest, ARunGoesOnInItsOwnPrecision) {
  if (!fs::exists(CONTINUO_BIN_DIR "/continuo-train")) {
    return;
  }
  const std::string examples = (kSource / "examples" / "corpus").string();
  ASSERT_EQ(Continuo({"corpus", "build", examples, "--tokenizer", "remi", "-o", Path("corpus")}).exit_code, 0);
  const auto train = [&](const std::string& run, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"-q", "train", "--corpus", Path("corpus"), "-o", run, "--layers", "1"};
    arguments.insert(arguments.end(),
                     {"--heads", "1", "--width", "16", "--context", "64", "--batch", "2", "--steps", "3"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Continuo(arguments);
  };
  // One of them is not what "auto" is here.
  for (const std::string precision : {"f32", "bf16"}) {
    const std::string run = Path(precision);
    ASSERT_EQ(train(run, {"--precision", precision}).exit_code, 0);
    EXPECT_EQ(train(run, {"--resume"}).exit_code, 0);
    const Outcome other = train(run, {"--resume", "--precision", precision == "f32" ? "bf16" : "f32"});
    EXPECT_EQ(other.exit_code, 1);
    EXPECT_THAT(other.err, HasSubstr("precision"));
  }
}

TEST_F(CliTest, TrainRefusesASettingByItsFlag) {
  if (!fs::exists(CONTINUO_BIN_DIR "/continuo-train")) {
    GTEST_SKIP() << "continuo-train was not built";
  }
  const auto refused = [&](const std::vector<std::string>& flags, const std::string& message) {
    std::vector<std::string> arguments = {"train", "--corpus", Path("none"), "-o", Path("run")};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Outcome outcome = Continuo(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << message;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_LT(outcome.err.size(), 120U) << outcome.err;
  };
  refused({"--epsilon", "0"}, "--epsilon must be above 0");
  refused({"--width", "33", "--heads", "2"}, "--width 33 is not a multiple of --heads 2");
  refused({"--kv-heads", "2"}, "--kv-heads 2 is for llama only, not for --architecture gpt2");
  refused({"--architecture", "llama", "--heads", "6", "--kv-heads", "4"},
          "--heads 6 is not a multiple of --kv-heads 4");
  refused({"--architecture", "llama", "--heads", "4", "--width", "12"}, "--width 12 / --heads 4 is 3, an odd number");
  refused({"--short-context", "60000", "--context", "256", "--short-share", "0.5"},
          "--short-context 60000 is larger than --context 256");
  for (const char* flag : {"--lr", "--clip", "--minutes", "--weight-decay", "--warmup"}) {
    refused({flag, "nan"}, std::string(flag) + " must be ");
    refused({flag, "inf"}, std::string(flag) + " must be ");
  }
  WriteBytes("wrong.toml", "grad-accum = 0\n");
  refused({"--config", Path("wrong.toml")}, "--grad-accum must be an integer from 1 to 1000000, not 0");
}

TEST_F(CliTest, ADryRunRefusesASpecThatTheTrainerRefuses) {
  const auto refused = [&](const std::string& settings, const std::string& message) {
    WriteBytes(
        "wrong.toml",
        "name = \"wrong\"\n[corpora.a]\nfolder = \"corpus\"\n[tokenizers.remi]\n[models.m]\n[train]\n" + settings);
    ExpectError({"experiment", "run", Path("wrong.toml"), "--data", CONTINUO_SOURCE_DIR "/examples", "-o", Path("none"),
                 "--dry-run"},
                message);
  };
  refused("epsilon = 0\n", ":7: train.epsilon: must be above 0");
  refused("lr = nan\n", ":7: train.lr: must be above 0");
  refused("width = 33\nheads = 2\n", ":7: train.width: width 33 is not a multiple of heads 2");
  refused("short_context = 60000\ncontext = 256\nshort_share = 0.5\n",
          ":7: train.short_context: short_context 60000 is larger than context 256");
}

TEST_F(CliTest, BenchPrintsRates) {
  const auto rates = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "bench");
    arguments.push_back("--json");
    const Outcome run = Continuo(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.err, IsEmpty());
    return run.exit_code == 0 ? Json::parse(run.out) : Json();
  };
  const std::string examples = (kSource / "examples").string();
  const Json parse = rates({"parse", examples});
  EXPECT_GT(parse["megabytes_per_second"], 0.0);
  EXPECT_GT(parse["megabytes_per_second_from_files"], 0.0);
  const Json tokenize = rates({"tokenize", kPrompt.string(), "--tokenizer", "midilike"});
  EXPECT_GT(tokenize["tokens_per_second"], 0.0);
  const Json ids = Json::parse(Continuo({"tokenize", kPrompt.string(), "--tokenizer", "midilike"}).out);
  EXPECT_EQ(tokenize["tokens"], ids["tracks"][0].size());

  const std::vector<std::string> small = {"--layers", "1",   "--heads", "2", "--width",   "64",
                                          "--vocab",  "100", "--batch", "2", "--threads", "1"};
  for (const std::string precision : {"f32", "bf16", "int8"}) {
    std::vector<std::string> arguments = {"generate", "--tokens", "4", "--precision", precision};
    arguments.insert(arguments.end(), small.begin(), small.end());
    const Json generate = rates(arguments);
    EXPECT_GT(generate["tokens_per_second"], 0.0);
    EXPECT_GT(generate["bandwidth_limit_tokens_per_second"], 0.0);
  }
  if (fs::exists(CONTINUO_BIN_DIR "/continuo-train")) {
    std::vector<std::string> arguments = {"train", "--tokens", "32", "--steps", "1", "--precision", "f32"};
    arguments.insert(arguments.end(), small.begin(), small.end());
    EXPECT_GT(rates(arguments)["tokens_per_second"], 0.0);
  }
}

TEST_F(CliTest, BenchKeepsItsRandomModelWhereItIsAskedTo) {
  const std::vector<std::string> arguments = {"bench",    "generate", "--layers", "1", "--heads", "1", "--width", "64",
                                              "--tokens", "1",        "--prompt", "1", "--json"};
  std::vector<std::string> kept = arguments;
  kept.insert(kept.end(), {"--folder", Path("models")});
  ASSERT_EQ(Continuo(kept).exit_code, 0);
  EXPECT_THAT(Files(), ElementsAre("models/1x64h1v512/f32/config.json", "models/1x64h1v512/f32/model.safetensors",
                                   "models/1x64h1v512/int8/config.json", "models/1x64h1v512/int8/model.safetensors"));
  ASSERT_EQ(Continuo(kept).exit_code, 0);
  ::setenv("TMPDIR", folder_.path().c_str(), 1);
  const size_t before = Files().size();
  EXPECT_EQ(Continuo(arguments).exit_code, 0);
  EXPECT_EQ(Files().size(), before);
  ::unsetenv("TMPDIR");
}

TEST_F(CliTest, BenchRefusesWhatItCannotMeasure) {
  ExpectError({"bench", "parse", Path("none")}, "none: no such file or folder");
  WriteBytes("bad.mid", "no music");
  ExpectError({"bench", "tokenize", Path("bad.mid")}, "bad.mid");
  ExpectError({"bench", "generate", "--tokens", "1024"}, "1025 ids, expected at most the context of 1024");
  ExpectError({"bench", "generate", "--heads", "5"}, "n_head, 5");
  ExpectError({"bench", "generate", "--width", "60000", "--layers", "900", "--heads", "1"}, "does not fit into memory");
  EXPECT_EQ(Continuo({"bench"}).exit_code, 2);
  EXPECT_EQ(Continuo({"bench", "generate", "--precision", "int4"}).exit_code, 2);
}

TEST_F(CliTest, LibTorchComputesWhatTheEngineComputes) {
  if (!fs::exists(CONTINUO_BIN_DIR "/continuo-torch")) {
    ExpectError({"likelihood", kPrompt, "--device", "cuda"}, "was not built");
    return;
  }
  const auto score = [](const Outcome& run) { return Json::parse(run.out)["files"][0]["nll_per_token"].get<double>(); };
  const std::vector<std::string> arguments = {"likelihood", kPrompt, "--precision", "f32", "--json"};
  const double wanted = score(Continuo(arguments));
  // Sums of f32 in another order.
  EXPECT_NEAR(score(Wait(Start(arguments, "continuo-torch"))), wanted, 1e-5 * wanted);
  std::vector<std::string> on_gpu = arguments;
  on_gpu.insert(on_gpu.end(), {"--device", "cuda"});
  if (const Outcome run = Continuo(on_gpu); run.exit_code == 0) {
    EXPECT_NEAR(score(run), wanted, 1e-4 * wanted);
  } else {
    EXPECT_THAT(run.err, HasSubstr("LibTorch sees 0 GPUs"));
  }
  const Outcome made = Wait(Start({"generate", "--count", "2", "--bars", "1", "-o", Path("out")}, "continuo-torch"));
  EXPECT_EQ(made.exit_code, 0) << made.err;
  const Json files = Json::parse(Continuo({"eval", Path("out"), "--json"}).out)["files"];
  ASSERT_EQ(files.size(), 2);
  EXPECT_EQ(files[0]["bars"], 1);
  EXPECT_EQ(files[1]["bars"], 1);
}

/// The "song.mid" of a folder with beats every half second, four in a bar, beside it.
void WriteSongWithBeats(const fs::path& folder) {
  fs::create_directories(folder);
  fs::copy(kPrompt, folder / "song.mid");
  std::ofstream beats(folder / "beats.txt");
  for (int i = 0; i < 24; ++i) {
    beats << 0.5 * i << "," << i % 4 + 1 << "\n";
  }
}

TEST_F(CliTest, ATimeSignatureOfNoUseIsReportedByEveryCommandThatReadsMidi) {
  // 0/4 in place of 4/4.
  std::string midi = *ReadTextFile(kCases + "piano60.mid");
  const size_t at = midi.find("\xff\x58\x04");
  ASSERT_NE(at, std::string::npos);
  midi[at + 3] = '\0';
  WriteBytes("zero.mid", midi);
  WriteSongWithBeats(Path("song"));
  fs::copy(Path("zero.mid"), Path("song/song.mid"), fs::copy_options::overwrite_existing);
  const std::string file = Path("zero.mid");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"eval", file, "--json"},
        {"tokenize", "-t", "remi", file},
        {"likelihood", file, "--json"},
        {"export", file, "-o", Path("a.musicxml"), "--json"},
        {"picture", file, "-o", Path("a.svg"), "--json"},
        {"align", Path("song/song.mid"), "--beats", Path("song/beats.txt"), "-o", Path("a.mid"), "--json"},
        {"fill", file, "--bars", "3:3", "--candidates", "1", "-o", Path("filled"), "--json"},
        {"continue", "--prompt", file, "--prompt-bars", "4", "--bars", "1", "-o", Path("more"), "--json"}}) {
    const Outcome run = Continuo(command);
    EXPECT_EQ(run.exit_code, 0) << command[0] << ": " << run.err;
    EXPECT_THAT(run.err, HasSubstr("a time signature of 0/2^2")) << command[0];
    EXPECT_THAT(run.out, HasSubstr("\"repairs\":[\"")) << command[0];
  }
  EXPECT_THAT(Continuo({"inspect", file}).out, HasSubstr("a time signature of 0/2^2"));
}

TEST_F(CliTest, AlignPutsBeatsOnQuarterNotesAndKeepsTheTimes) {
  WriteSongWithBeats(Path(""));
  const Outcome run =
      Continuo({"align", Path("song.mid"), "--beats", Path("beats.txt"), "-o", Path("a.mid"), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json report = Json::parse(run.out);
  EXPECT_EQ(report["beats"], 24);
  EXPECT_EQ(report["downbeats_on_bar_lines"], report["downbeats"]);
  EXPECT_EQ(report["time_signatures"], Json::parse(R"([{"bar": 1, "numerator": 4, "denominator": 4}])"));
  EXPECT_LT(report["worst_timing_error_ms"], 0.41);
  const auto notes = [&](const std::string& file) {
    return Json::parse(Continuo({"inspect", file, "--json"}).out)["notes"];
  };
  EXPECT_EQ(notes(Path("a.mid")), notes(Path("song.mid")));
  EXPECT_THAT(Continuo({"align", Path("song.mid"), "--beats", Path("beats.txt"), "-o", Path("a.mid")}).out,
              AllOf(HasSubstr("24 beats"), HasSubstr("4/4"), HasSubstr("100.0 % of the downbeats on bar lines")));
}

TEST_F(CliTest, AlignTakesManySongsAndSaysWhyOneIsLeftOut) {
  WriteSongWithBeats(Path("songs/a"));
  WriteSongWithBeats(Path("songs/b"));
  WriteSongWithBeats(Path("songs/c"));
  WriteSongWithBeats(Path("songs/d"));
  fs::remove(Path("songs/b/beats.txt"));
  WriteBytes("songs/c/beats.txt", "0 1\n1 2\n0.5 3\n");
  WriteBytes("songs/d/song.mid", "no music");
  const std::vector<std::string> arguments = {"align", Path("songs"), "--beats", "beats.txt", "-o", Path("out")};
  const Outcome run = Continuo(arguments);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.out, HasSubstr("1 of 4 songs aligned"));
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("b/beats.txt: no such file"), HasSubstr("c/beats.txt: line 3"), HasSubstr("d/song.mid"),
                    HasSubstr("3 of 4 songs left out: 1 no beats file, 1 beats refused, 1 song refused")));
  EXPECT_TRUE(fs::exists(Path("out/a/song.mid")));
  EXPECT_FALSE(fs::exists(Path("out/b/song.mid")));

  std::vector<std::string> as_json = arguments;
  as_json.push_back("--json");
  const Json report = Json::parse(Continuo(as_json).out);
  EXPECT_EQ(report["aligned"], 1);
  ASSERT_EQ(report["left_out"].size(), 3U);
  EXPECT_EQ(report["left_out"][1]["cause"], "beats refused");

  fs::rename(Path("songs/a/beats.txt"), Path("songs/a/song.beats"));
  const Outcome starred =
      Continuo({"align", Path("songs/a/song.mid"), Path("songs/a"), "--beats", "*.beats", "-o", Path("x")});
  EXPECT_THAT(starred.err, HasSubstr("would both be written to"));
  EXPECT_EQ(Continuo({"align", Path("songs/a"), "--beats", "*.beats", "-o", Path("x")}).exit_code, 0);
}

TEST_F(CliTest, AlignWritesOverNoInputAndNothingAfterAnError) {
  WriteSongWithBeats(Path(""));
  const std::string song = *ReadTextFile(Path("song.mid"));
  ExpectError({"align", Path("song.mid"), "--beats", Path("beats.txt"), "-o", Path("song.mid")},
              "would be overwritten");
  ExpectError({"align", Path("song.mid"), "--beats", Path("beats.txt"), "-o", Path("./x/../song.mid")}, "overwritten");
  ExpectError({"align", Path("song.mid"), "--beats", Path("beats.txt"), "-o", Path("beats.txt")},
              "would be overwritten");
  ExpectError({"align", Path("song.mid"), "--beats", Path("beats.txt"), "-o", Path("")}, "is a folder");
  ExpectError({"align", Path(""), "--beats", "beats.txt", "-o", Path("")}, "would be overwritten");
  ExpectError({"align", Path(""), "--beats", Path("beats.txt"), "-o", Path("out")}, "beside each song");
  ExpectError({"align", Path("song.mid"), "--beats", Path("none.txt"), "-o", Path("out.mid")}, "none.txt");
  ExpectError({"align", Path("none.mid"), "--beats", Path("beats.txt"), "-o", Path("out.mid")}, "none.mid");
  WriteBytes("late.txt", "0 1\n1 2\n2 3\n10 4\n20 1\n30 2\n40 3\n50 4\n60 1\n70 1\n80 1\n90 1\n100 1\n");
  ExpectError({"align", Path("song.mid"), "--beats", Path("late.txt"), "-o", Path("out.mid")}, "is beyond the song");
  EXPECT_EQ(*ReadTextFile(Path("song.mid")), song);
  EXPECT_THAT(Files(), ElementsAre("beats.txt", "late.txt", "song.mid"));
}

TEST_F(CliTest, CorpusBuildListsWhatItSkips) {
  fs::create_directory(Path("midi"));
  fs::copy(kPrompt, Path("midi/good.mid"));
  WriteBytes("midi/bad.mid", "no music");
  const Outcome run =
      Continuo({"corpus", "build", Path("midi"), "--tokenizer", "remi", "-o", Path("corpus"), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json report = Json::parse(run.out);
  EXPECT_EQ(report["files"], 2);
  EXPECT_EQ(report["songs"], 1);
  ASSERT_EQ(report["failures"].size(), 1U);
  EXPECT_THAT(report["failures"][0]["file"].get<std::string>(), HasSubstr("bad.mid"));
  ExpectError({"corpus", "build", Path("none"), "--tokenizer", "remi", "-o", Path("c2")}, "none");
}

TEST_F(CliTest, CorpusBuildTakesSeveralFoldersWithWeights) {
  fs::create_directory(Path("a"));
  fs::create_directory(Path("b:3"));  // a name that looks like a weight
  fs::copy(kPrompt, Path("a/song.mid"));
  fs::copy(kSource / "testdata" / "midi" / "random_0.mid", Path("b:3/song.mid"));
  const Outcome run = Continuo({"corpus", "build", Path("a") + ":2.5", Path("b:3"), "--tokenizer", "remi", "--valid",
                                "0", "-o", Path("corpus"), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json sources = Json::parse(run.out)["sources"];
  ASSERT_EQ(sources.size(), 2U);
  EXPECT_EQ(sources[0]["name"], "a");
  EXPECT_EQ(sources[0]["weight"], 2.5);
  EXPECT_EQ(sources[0]["songs"], 1);
  EXPECT_EQ(sources[1]["name"], "b:3");
  EXPECT_EQ(sources[1]["weight"], 1);
  EXPECT_THAT(Continuo({"inspect", Path("corpus")}).out, HasSubstr("of a  1 songs, weight 2.5"));
  const auto refused = [&](const std::string& folder, const std::string& message) {
    ExpectError({"corpus", "build", folder, "--tokenizer", "remi", "-o", Path("c2")}, message);
  };
  refused(Path("a") + ":0", "the weight is '0', expected a number from 0.01 to 100");
  refused(Path("a") + ":x", "the weight is 'x'");
  refused(Path("a") + ":", "the weight is ''");
  EXPECT_FALSE(fs::exists(Path("c2")));
}

}  // namespace
}  // namespace continuo
