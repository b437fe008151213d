#include "continuo/render/render.h"

#include <fluidsynth.h>
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
  double gain = 1.0;
  std::vector<float> samples;  // interleaved

  /// The loudest sample between two seconds.
  float Peak(double from, double to) const { return std::max(Peak(from, to, 0), Peak(from, to, 1)); }

  /// The same of one side, 0 being the left one.
  float Peak(double from, double to, size_t side) const {
    float peak = 0.0F;
    for (size_t i = static_cast<size_t>(from * info.samplerate) * 2 + side;
         i < std::min(samples.size(), static_cast<size_t>(to * info.samplerate) * 2); i += 2) {
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
    return Render(SerializeScore(score), format);
  }

  Audio Render(const std::vector<uint8_t>& midi, AudioFormat format = AudioFormat::kWav) {
    const fs::path path = files_.path() / ("out" + std::string(Extension(format)));
    const Result<RenderedAudio> rendered =
        RenderMidi(midi, "song.mid", path, {.soundfont = {}, .format = format}, NoProgress());
    EXPECT_TRUE(rendered.ok()) << rendered.error().ToString();
    Audio audio;
    audio.gain = rendered->gain;
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

const fs::path kCases = CONTINUO_SOURCE_DIR "/testdata/cases";

std::vector<uint8_t> Bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::vector<uint8_t>(std::istreambuf_iterator<char>(file), {});
}

/// The first frames that FluidSynth plays of a file, which it reads itself, before any gain.
std::vector<float> PlayedByFluidSynth(const fs::path& path, size_t frames) {
  fluid_settings_t* settings = new_fluid_settings();
  fluid_settings_setnum(settings, "synth.sample-rate", 44100);
  fluid_settings_setint(settings, "synth.lock-memory", 0);
  fluid_settings_setint(settings, "synth.polyphony", 512);
  fluid_settings_setstr(settings, "player.timing-source", "sample");
  fluid_synth_t* synth = new_fluid_synth(settings);
  EXPECT_NE(fluid_synth_sfload(synth, FindSoundfont()->c_str(), 1), FLUID_FAILED);
  fluid_player_t* player = new_fluid_player(synth);
  EXPECT_EQ(fluid_player_add(player, path.c_str()), FLUID_OK);
  EXPECT_EQ(fluid_player_play(player), FLUID_OK);
  std::vector<float> samples(2 * frames);
  for (size_t at = 0; at < frames; at += 1024) {
    float* block = samples.data() + 2 * at;
    fluid_synth_write_float(synth, static_cast<int>(std::min<size_t>(frames - at, 1024)), block, 0, 2, block, 1, 2);
  }
  delete_fluid_player(player);
  delete_fluid_synth(synth);
  delete_fluid_settings(settings);
  return samples;
}

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

/// The programs, volumes, banks and bends of all channels are the file's own, also those that
/// another track sets, and those that change between notes.
TEST_F(RenderTest, SoundsAsFluidSynthPlaysTheFileItself) {
  for (const char* name : {"pcmid.mid", "pcother.mid", "twenty.mid", "bank.mid", "bend.mid", "fade.mid", "rich.mid",
                           "cc123.mid", "song.kar", "midbar1.mid"}) {
    const Audio audio = Render(Bytes(kCases / name));
    const std::vector<float> played = PlayedByFluidSynth(kCases / name, static_cast<size_t>(audio.info.frames));
    float difference = 0.0F;
    for (size_t i = 0; i < played.size(); ++i) {
      difference = std::max(difference, std::abs(audio.samples[i] - played[i] * static_cast<float>(audio.gain)));
    }
    EXPECT_LE(difference, 1.0F / 32768) << name;  // a step of 16 bits
  }
}

TEST_F(RenderTest, AProgramChangeKeepsVolumeAndPan) {
  // At 100 a minute a bar lasts 2.4 s; the flute enters with bar 5. Both play softly, on the left.
  const Audio audio = Render(Bytes(kCases / "pcmid.mid"));
  const float piano = audio.Peak(0, 9.6, 0);
  const float flute = audio.Peak(9.6, 19.2, 0);
  EXPECT_LT(flute, 2 * piano);  // 6 dB
  EXPECT_GT(flute, piano / 2);
  EXPECT_LT(audio.Peak(0, 9.6, 1), piano / 4);
  EXPECT_LT(audio.Peak(9.6, 19.2, 1), flute / 4);
}

TEST_F(RenderTest, ProgramAndPanOfAnotherTrackHold) {
  const Audio audio = Render(Bytes(kCases / "pcother.mid"));
  EXPECT_LT(audio.Peak(0, 19.2, 1), audio.Peak(0, 19.2, 0) / 4);
}

TEST_F(RenderTest, NotesWithoutAnEndSound) {
  // The last chord begins at 16.8 s; it ends with the track, at 19.2 s, or a controller, at 18.6 s.
  for (const auto& [name, end] : {std::pair("lastoff.mid", 19.2), std::pair("cc123.mid", 18.6)}) {
    const Audio audio = Render(Bytes(kCases / name));
    EXPECT_GT(audio.Peak(16.8, 17.4), 0.2F) << name;
    EXPECT_GT(audio.Peak(end - 0.3, end), 0.02F) << name;
    EXPECT_LT(audio.Peak(end + 1.2, end + 1.5), 0.01F) << name;
  }
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
