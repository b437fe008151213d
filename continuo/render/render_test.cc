#include "continuo/render/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <vector>

#include "continuo/os/temporary_folder_testing.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// What a listener gets.
struct Audio {
  SF_INFO info{};
  std::vector<float> samples;  // interleaved

  /// The loudest sample between two seconds.
  float Peak(double from, double to) const {
    float peak = 0.0F;
    for (size_t i = static_cast<size_t>(from * info.samplerate) * 2;
         i < std::min(samples.size(), static_cast<size_t>(to * info.samplerate) * 2); ++i) {
      peak = std::max(peak, std::abs(samples[i]));
    }
    return peak;
  }
  double seconds() const { return static_cast<double>(info.frames) / info.samplerate; }
};

class RenderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!FindSoundfont().ok()) {
      GTEST_SKIP() << FindSoundfont().error().ToString();
    }
  }

  Audio Render(const Score& score, AudioFormat format = AudioFormat::kWav) {
    const fs::path path = files_.path() / ("out" + std::string(Extension(format)));
    const Result<RenderedAudio> rendered =
        RenderMidi(SerializeScore(score), "song.mid", path, {.soundfont = {}, .format = format}, NoProgress());
    EXPECT_TRUE(rendered.ok()) << rendered.error().ToString();
    Audio audio;
    SNDFILE* file = sf_open(path.c_str(), SFM_READ, &audio.info);
    EXPECT_NE(file, nullptr);
    audio.samples.resize(static_cast<size_t>(audio.info.frames) * 2);
    EXPECT_EQ(sf_read_float(file, audio.samples.data(), audio.info.frames * 2), audio.info.frames * 2);
    sf_close(file);
    EXPECT_NEAR(audio.seconds(), rendered->seconds, 1e-9);
    return audio;
  }

  TemporaryFolder files_;
};

/// Two notes, two quarters apart.
Score TwoNotes() {
  Score score;
  score.tracks.resize(1);
  score.tracks[0].notes = {{0, 240, 60, 80}, {960, 240, 67, 80}};
  return score;
}

TEST_F(RenderTest, IsStereoAt44100AndAsLoudAsAskedFor) {
  for (const AudioFormat format : {AudioFormat::kWav, AudioFormat::kFlac}) {
    const Audio audio = Render(TwoNotes(), format);
    EXPECT_EQ(audio.info.samplerate, 44100);
    EXPECT_EQ(audio.info.channels, 2);
    EXPECT_NEAR(audio.Peak(0, 100), 0.891F, 1.0F / 32768);  // a step of 16 bits
  }
}

TEST_F(RenderTest, NotesSoundWhenTheTempoSaysSo) {
  Score score = TwoNotes();
  score.tempos = {{0, 2000000}};  // 30 a minute: the second note comes at 4 s
  const Audio slow = Render(score);
  EXPECT_GT(slow.Peak(4.0, 4.3), 0.1F);
  EXPECT_LT(slow.Peak(3.6, 3.95), 0.05F * slow.Peak(4.0, 4.3));
  EXPECT_GT(slow.seconds(), 5.0);
  const Audio fast = Render(TwoNotes());
  EXPECT_GT(fast.Peak(1.0, 1.3), 0.1F);
  EXPECT_LT(fast.seconds(), slow.seconds() - 2.0);
}

TEST_F(RenderTest, ThePedalHoldsNotes) {
  Score score = TwoNotes();
  score.tracks[0].notes.pop_back();
  const Audio without = Render(score);
  score.tracks[0].controls = {{0, 64, 127}, {1920, 64, 0}};
  const Audio with = Render(score);
  EXPECT_LT(without.Peak(1.0, 1.5), 0.2F * with.Peak(1.0, 1.5));
}

TEST_F(RenderTest, TheLastSoundIsNotCut) {
  const Audio audio = Render(TwoNotes());
  EXPECT_GT(audio.seconds(), 1.25);  // the last note's end
  EXPECT_LT(audio.Peak(audio.seconds() - 0.02, audio.seconds()), 0.01F);
}

TEST_F(RenderTest, SilenceStaysSilent) {
  EXPECT_LT(Render(Score()).Peak(0, 100), 1e-4F);  // -80 dB: what the synthesiser hums
}

TEST_F(RenderTest, WhatCannotBeDoneIsSaidAndLeavesNothing) {
  const fs::path path = files_.path() / "out.wav";
  const auto error = [&](const fs::path& to, const fs::path& soundfont, const StopToken& stop = {}) {
    return RenderMidi(SerializeScore(TwoNotes()), "song.mid", to, {.soundfont = soundfont}, NoProgress(), stop)
        .error()
        .message;
  };
  EXPECT_THAT(error(path, files_.path() / "none.sf2"), HasSubstr("none.sf2: is no file"));
  std::ofstream(files_.path() / "text.sf2") << "not a soundfont";
  EXPECT_THAT(error(path, files_.path() / "text.sf2"), HasSubstr("text.sf2: can't be loaded"));
  EXPECT_THAT(error(files_.path() / "no" / "out.wav", {}), HasSubstr("out.wav: cannot be written"));
  EXPECT_THAT(error(path, {}, StopToken([] { return true; })), HasSubstr("interrupted"));
  fs::remove(files_.path() / "text.sf2");
  EXPECT_TRUE(fs::is_empty(files_.path()));
}

}  // namespace
}  // namespace continuo
