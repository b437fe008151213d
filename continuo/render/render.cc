#include "continuo/render/render.h"

#include <fcntl.h>
#include <fluidsynth.h>
#include <sndfile.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <system_error>
#include <vector>

#include "continuo/midi/midi_document.h"
#include "continuo/midi/note_pairs.h"
#include "continuo/score/score_file.h"
#include "continuo/score/tempo_map.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr int kFrames = 1024;  // rendered at a time
constexpr double kLongestTail = 10.0;
constexpr float kSilence = 1e-4F;  // -80 dB: reverberation below it is over

template <auto Delete>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Delete(object);
  }
};
using Settings = std::unique_ptr<fluid_settings_t, Deleter<delete_fluid_settings>>;
using Synth = std::unique_ptr<fluid_synth_t, Deleter<delete_fluid_synth>>;
using Player = std::unique_ptr<fluid_player_t, Deleter<delete_fluid_player>>;

Tick LastTick(const Score& score) {
  Tick last = 0;
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      last = std::max(last, note.time + note.duration);
    }
  }
  return last;
}

/// Plays MIDI bytes and hands over blocks of interleaved stereo until the sound is over. False when
/// `sink` says so.
class Performance {
 public:
  using Sink = std::function<bool(std::span<float> block)>;

  static Status Play(std::span<const uint8_t> midi, const RenderOptions& options, const fs::path& soundfont,
                     const Sink& sink) {
    // FluidSynth would write to stderr; what matters is in the returned codes.
    static std::once_flag quiet;
    std::call_once(quiet, [] {
      for (const int level : {FLUID_PANIC, FLUID_ERR, FLUID_WARN, FLUID_INFO, FLUID_DBG}) {
        fluid_set_log_function(level, nullptr, nullptr);
      }
    });
    const Settings settings(new_fluid_settings());
    fluid_settings_setnum(settings.get(), "synth.sample-rate", options.sample_rate);
    fluid_settings_setint(settings.get(), "synth.lock-memory", 0);
    fluid_settings_setint(settings.get(), "synth.polyphony", 512);
    fluid_settings_setstr(settings.get(), "player.timing-source", "sample");
    const Synth synth(new_fluid_synth(settings.get()));
    if (!synth || fluid_synth_sfload(synth.get(), soundfont.c_str(), 1) == FLUID_FAILED) {
      return MakeError("{}: can't be loaded as a soundfont", soundfont.string());
    }
    const Player player(new_fluid_player(synth.get()));
    if (!player || fluid_player_add_mem(player.get(), midi.data(), midi.size()) != FLUID_OK ||
        fluid_player_play(player.get()) != FLUID_OK) {
      return MakeError("FluidSynth can't play the music");
    }
    std::array<float, 2 * kFrames> block;
    double tail = 0.0;
    while (tail < kLongestTail) {
      const bool playing = fluid_player_get_status(player.get()) == FLUID_PLAYER_PLAYING;
      if (fluid_synth_write_float(synth.get(), kFrames, block.data(), 0, 2, block.data(), 1, 2) != FLUID_OK) {
        return MakeError("FluidSynth can't render the music");
      }
      const bool over = !playing && fluid_synth_get_active_voice_count(synth.get()) == 0 &&
                        std::all_of(block.begin(), block.end(), [](float value) { return std::abs(value) < kSilence; });
      if (over || !sink(block)) {
        break;
      }
      tail += playing ? 0.0 : static_cast<double>(kFrames) / options.sample_rate;
    }
    fluid_player_stop(player.get());
    return {};
  }
};

/// An audio file under a temporary name, removed unless it is committed.
class AudioFile {
 public:
  static Result<std::unique_ptr<AudioFile>> Create(const fs::path& path, const RenderOptions& options) {
    auto file = std::make_unique<AudioFile>();
    file->path_ = path;
    file->temporary_ = path;
    file->temporary_ += ".tmp-" + std::to_string(::getpid());
    file->descriptor_ = ::open(file->temporary_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file->descriptor_ < 0) {
      return MakeError("{}: cannot be written: {}", path.string(), std::generic_category().message(errno));
    }
    SF_INFO info{};
    info.samplerate = options.sample_rate;
    info.channels = 2;
    info.format = (options.format == AudioFormat::kFlac ? SF_FORMAT_FLAC : SF_FORMAT_WAV) | SF_FORMAT_PCM_16;
    file->audio_ = sf_open_fd(file->descriptor_, SFM_WRITE, &info, SF_FALSE);
    if (file->audio_ == nullptr) {
      return MakeError("{}: cannot be written: {}", path.string(), sf_strerror(nullptr));
    }
    sf_command(file->audio_, SFC_SET_CLIPPING, nullptr, SF_TRUE);
    return file;
  }
  ~AudioFile() {
    if (audio_ != nullptr) {
      sf_close(audio_);
    }
    if (descriptor_ >= 0) {
      ::close(descriptor_);
      ::unlink(temporary_.c_str());
    }
  }

  bool Write(std::span<const float> block) {
    const auto count = static_cast<sf_count_t>(block.size());
    return sf_write_float(audio_, block.data(), count) == count;
  }

  Status Commit() {
    const bool closed = sf_close(audio_) == 0;
    audio_ = nullptr;
    if (!closed || ::fsync(descriptor_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
      return WriteError();
    }
    ::close(descriptor_);
    descriptor_ = -1;
    return {};
  }

  Error WriteError() const {
    return MakeError("{}: cannot be written: {}", path_.string(),
                     std::generic_category().message(errno != 0 ? errno : EIO));
  }

 private:
  fs::path path_;
  fs::path temporary_;
  int descriptor_ = -1;
  SNDFILE* audio_ = nullptr;
};

/// What FluidSynth plays.
struct PlayableMidi {
  std::vector<uint8_t> bytes;
  double seconds = 0.0;  // to the end of the last note
};

Result<PlayableMidi> MakePlayable(std::span<const uint8_t> bytes, std::string_view name,
                                  std::vector<std::string>& repairs) {
  CONTINUO_ASSIGN(CompleteMidi complete, ReadCompleteMidi(bytes, name));
  MidiDocument& document = complete.document;
  repairs = std::move(complete.repairs);
  document.in_riff = false;  // FluidSynth reads bare files
  PlayableMidi playable;
  playable.bytes = SerializeMidiDocument(document);
  CONTINUO_ASSIGN(const ScoreAndWarnings read, ParseScore(playable.bytes, name));
  playable.seconds = TempoMap(read.score).Seconds(LastTick(read.score));
  if (document.is_smpte()) {  // FluidSynth reads times in quarter notes
    playable.bytes = SerializeScore(read.score);
  }
  return playable;
}

}  // namespace

std::string_view Extension(AudioFormat format) {
  return format == AudioFormat::kFlac ? ".flac" : ".wav";
}

Result<fs::path> FindSoundfont() {
  // A full General MIDI set first, then any.
  for (const char* file : {"/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/soundfonts/FluidR3_GM.sf2",
                           "/usr/share/sounds/sf2/TimGM6mb.sf2", "/usr/share/sounds/sf2/default-GM.sf2",
                           "/usr/share/sounds/sf3/default-GM.sf3", "/usr/share/soundfonts/default.sf2"}) {
    std::error_code code;
    if (fs::is_regular_file(file, code)) {
      return fs::path(file);
    }
  }
  return Error{"no soundfont was found",
               "install Debian's package timgm6mb-soundfont or fluid-soundfont-gm, or name one with --soundfont"};
}

Status CheckSoundfont(const fs::path& path) {
  std::error_code code;
  if (!fs::is_regular_file(path, code)) {
    return MakeError("{}: is no file, expected a soundfont", path.string());
  }
  std::array<char, 12> head{};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  const std::string_view text(head.data(), head.size());
  if (!text.starts_with("RIFF") || !text.ends_with("sfbk")) {
    return MakeError("{}: can't be loaded as a soundfont: its first bytes are not those of an .sf2 or .sf3 file",
                     path.string());
  }
  return {};
}

Result<RenderedAudio> RenderMidi(std::span<const uint8_t> file_bytes, std::string_view name, const fs::path& path,
                                 const RenderOptions& options, Progress& progress, const StopToken& stop) {
  RenderedAudio rendered;
  CONTINUO_ASSIGN(const PlayableMidi playable, MakePlayable(file_bytes, name, rendered.repairs));
  fs::path soundfont = options.soundfont;
  if (soundfont.empty()) {
    CONTINUO_ASSIGN(soundfont, FindSoundfont());
  }
  CONTINUO_TRY(CheckSoundfont(soundfont));
  const std::vector<uint8_t>& midi = playable.bytes;
  const auto expected = static_cast<uint64_t>(std::ceil(2 * playable.seconds));
  const double block_seconds = static_cast<double>(kFrames) / options.sample_rate;

  double played = 0.0;
  float peak = 0.0F;
  const auto go_on = [&] {
    played += block_seconds;
    progress.Update(std::min(expected, static_cast<uint64_t>(played)), expected, "");
    return !stop.stop_requested();
  };
  CONTINUO_TRY(Performance::Play(midi, options, soundfont, [&](std::span<float> block) {
    for (const float value : block) {
      peak = std::max(peak, std::abs(value));
    }
    return go_on();
  }));
  if (stop.stop_requested()) {
    return MakeError(ErrorCode::kCancelled, "{}: interrupted", path.string());
  }
  rendered.gain = peak > kSilence ? options.peak / peak : 1.0;  // what is silent stays so
  CONTINUO_ASSIGN(const std::unique_ptr<AudioFile> file, AudioFile::Create(path, options));
  bool written = true;
  CONTINUO_TRY(Performance::Play(midi, options, soundfont, [&](std::span<float> block) {
    for (float& value : block) {
      value = static_cast<float>(value * rendered.gain);
    }
    rendered.seconds += block_seconds;
    written = file->Write(block);
    return written && go_on();
  }));
  if (!written) {
    return file->WriteError();
  }
  if (stop.stop_requested()) {
    return MakeError(ErrorCode::kCancelled, "{}: interrupted", path.string());
  }
  CONTINUO_TRY(file->Commit());
  return rendered;
}

}  // namespace continuo
