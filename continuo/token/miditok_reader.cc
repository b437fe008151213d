#include "continuo/token/miditok_reader.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include "continuo/midi/defects.h"
#include "continuo/midi/meta_faults.h"
#include "continuo/midi/midi_chunks.h"
#include "continuo/midi/midi_format.h"
#include "continuo/midi/text.h"
#include "continuo/midi/track_reader.h"
#include "continuo/os/file.h"
#include "continuo/token/symusic_sort.h"

namespace continuo {

namespace {

// Keeps the latest event alone.
template <typename Event>
void KeepLast(std::vector<Event>& events, const Event& event) {
  if (events.empty()) {
    events.push_back(event);
  } else if (event.time >= events.back().time) {
    events.back() = event;
  }
}

// Makes a Score of the events of a file's tracks; the handler that a TrackReader calls.
class SymusicBuilder {
 public:
  SymusicBuilder(Score& score, Defects& defects, bool is_0_5_4)
      : score_(score), defects_(defects), is_0_5_4_(is_0_5_4) {
    part_of_.fill(kNone);
  }

  void BeginTrack() {
    program_.fill(0);
    waiting_.fill({});
    pedal_down_.fill(0);
    pedal_down_[0] = -1;
  }

  bool Note(uint32_t time, uint32_t channel, uint32_t key) {
    const auto now = static_cast<Tick>(time);
    const uint32_t pitch = key & 0x7F;
    Queue& queue = queues_[channel * kMidiPitches + pitch];
    if (key >= 0x100) {
      const auto index = static_cast<int32_t>(notes_.size());
      const int32_t part = is_0_5_4_ ? kNone : PartOf(channel);
      if (part != kNone) {
        parts_[static_cast<size_t>(part)].holds_something = true;
      }
      notes_.push_back({{now, kSounds, static_cast<uint8_t>(pitch), static_cast<uint8_t>(key >> 8)}, part, kNone});
      (queue.first == kNone ? queue.first : notes_[static_cast<size_t>(queue.last)].next) = index;
      queue.last = index;
      used_.push_back(channel * kMidiPitches + pitch);
      return true;
    }
    // 0.5.4 begins a Track even if there is nothing to end.
    const int32_t part = is_0_5_4_ ? PartOf(channel) : kNone;
    if (queue.first == kNone) {
      return false;
    }
    Sounding& sounding = notes_[static_cast<size_t>(queue.first)];
    sounding.note.duration = now - sounding.note.time;
    if (is_0_5_4_) {
      sounding.part = part;
      parts_[static_cast<size_t>(part)].holds_something = true;
      ended_.push_back(queue.first);
    }
    queue.first = sounding.next;
    return true;
  }

  void Program(uint32_t /*time*/, uint8_t channel, uint8_t program) { program_[channel] = program; }

  void Control(uint32_t time, uint8_t channel, uint8_t number, uint8_t value) {
    Effects& effects = EffectsOf(channel);
    KeepLast(effects.controls, {static_cast<Tick>(time), number, value});
    if (number != kSustainPedal) {
      return;
    }
    const auto now = static_cast<Tick>(time);
    Tick& down = pedal_down_[channel];
    if (value >= kPedalDown) {
      down = down < 0 ? now : down;
    } else if (down >= 0) {
      effects.pedals.push_back({down, now - down});
      down = -1;
    }
  }

  void Bend(uint32_t time, uint8_t channel, int value) {
    EffectsOf(channel).bends.push_back({static_cast<Tick>(time), static_cast<int16_t>(value)});
  }

  void Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data) {
    const auto now = static_cast<Tick>(time);
    switch (type) {
      case kMetaLyric: {
        // symusic takes the low half of FF for a channel.
        Part& part = parts_[static_cast<size_t>(PartOf(kMidiChannels - 1))];
        if (!ToUtf8(data).empty()) {
          part.holds_something = true;
          KeepLast(part.lyrics, {now, ""});
        }
        break;
      }
      case kMetaMarker:
        if (!ToUtf8(data).empty()) {
          KeepLast(score_.markers, {now, ""});
        }
        break;
      case kMetaKeySignature:
        KeepLast(score_.key_signatures, {now, 0, 0});
        break;
      case kMetaTempo:
        if (data.size() >= 3) {
          const int32_t us_per_quarter = data[0] << 16 | data[1] << 8 | data[2];
          if (us_per_quarter > 0) {
            score_.tempos.push_back({now, us_per_quarter});
          }
        }
        break;
      case kMetaTimeSignature:
        if (data.size() >= 2 && data[0] > 0 && data[1] <= kLargestDenominatorBits) {
          score_.time_signatures.push_back({now, data[0], 1 << data[1]});
        }
        break;
      default:
        break;
    }
  }

  void EndTrack(size_t offset) {
    const auto open = std::count_if(notes_.begin(), notes_.end(),
                                    [](const Sounding& sounding) { return sounding.note.duration == kSounds; });
    if (open > 0) {
      defects_.Add(offset, "the track that begins here leaves {} notes without an end; left out", open);
    }
    std::vector<size_t> order;
    for (size_t id = 0; id < parts_.size(); ++id) {
      const Effects& effects = parts_[id].effects;
      if (parts_[id].holds_something || !effects.controls.empty() || !effects.bends.empty()) {
        order.push_back(id);
      }
    }
    std::sort(order.begin(), order.end(), [this](size_t a, size_t b) {
      return std::tie(parts_[a].channel, parts_[a].program) < std::tie(parts_[b].channel, parts_[b].program);
    });
    if (order.size() > kMaxTracks - score_.tracks.size()) {
      defects_.Add(offset, "more than {} tracks; the rest is left out", kMaxTracks);
      order.resize(kMaxTracks - score_.tracks.size());
    }
    const size_t first = score_.tracks.size();
    std::vector<Track*> track_of(parts_.size(), nullptr);
    score_.tracks.resize(first + order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      Part& part = parts_[order[i]];
      Track& track = score_.tracks[first + i];
      track_of[order[i]] = &track;
      track.program = part.program;
      track.is_drum = part.channel == kDrumChannel;
      track.pitch_bends = std::move(part.effects.bends);
      track.pedals = std::move(part.effects.pedals);
      track.controls = std::move(part.effects.controls);
      track.lyrics = std::move(part.lyrics);
    }
    HandOutNotes(track_of);
    if (is_0_5_4_) {
      for (size_t i = first; i < score_.tracks.size(); ++i) {
        SortAs0_5_4(score_.tracks[i]);
      }
    }
    Clear();
  }

  void Finish() {
    SymusicSort<Tempo>::Sort(score_.tempos);
    SymusicSort<TimeSignature>::Sort(score_.time_signatures);
  }

 private:
  static constexpr int32_t kNone = -1;
  static constexpr Tick kSounds = -1;  // the duration of a note that has no end yet

  struct Effects {
    std::vector<ControlChange> controls;  // the last
    std::vector<Pedal> pedals;
    std::vector<PitchBend> bends;
  };
  // What becomes a Track: the events of one channel and program.
  struct Part {
    uint8_t channel = 0;
    uint8_t program = 0;
    bool holds_something = false;  // a note, even one that never ends, or a lyric
    Effects effects;
    std::vector<TextEvent> lyrics;  // the last
  };
  struct Sounding {
    continuo::Note note;
    int32_t part;
    int32_t next;  // the next of its channel and pitch that sounds
  };
  struct Queue {
    int32_t first = kNone;
    int32_t last = kNone;
  };

  // The part of a channel's program; makes it.
  int32_t PartOf(uint32_t channel) {
    int32_t& part = part_of_[channel * kMidiPrograms + program_[channel]];
    if (part == kNone) {
      part = static_cast<int32_t>(parts_.size());
      Part& made = parts_.emplace_back();
      made.channel = static_cast<uint8_t>(channel);
      made.program = program_[channel];
      made.effects = waiting_[channel];
      if (!is_0_5_4_) {
        waiting_[channel] = {};
      }
    }
    return part;
  }

  // Those of the channel's program, or those that wait for a part.
  Effects& EffectsOf(uint32_t channel) {
    const int32_t part = part_of_[channel * kMidiPrograms + program_[channel]];
    return part == kNone ? waiting_[channel] : parts_[static_cast<size_t>(part)].effects;
  }

  void HandOutNotes(const std::vector<Track*>& track_of) {
    const auto add = [&track_of](const Sounding& sounding) {
      Track* track = sounding.note.duration == kSounds ? nullptr : track_of[static_cast<size_t>(sounding.part)];
      if (track != nullptr) {
        track->notes.push_back(sounding.note);
      }
    };
    if (is_0_5_4_) {
      for (int32_t index : ended_) {
        add(notes_[static_cast<size_t>(index)]);
      }
    } else {
      for (const Sounding& sounding : notes_) {
        add(sounding);
      }
    }
  }

  static void SortAs0_5_4(Track& track) {
    std::stable_sort(track.notes.begin(), track.notes.end(), [](const continuo::Note& a, const continuo::Note& b) {
      return std::tie(a.time, a.pitch, a.duration) < std::tie(b.time, b.pitch, b.duration);
    });
    std::stable_sort(track.pedals.begin(), track.pedals.end(), [](const Pedal& a, const Pedal& b) {
      return std::tie(a.time, a.duration) < std::tie(b.time, b.duration);
    });
  }

  void Clear() {
    for (const Part& part : parts_) {
      part_of_[part.channel * kMidiPrograms + part.program] = kNone;
    }
    for (uint32_t slot : used_) {
      queues_[slot] = {};
    }
    parts_.clear();
    notes_.clear();
    ended_.clear();
    used_.clear();
  }

  Score& score_;
  Defects& defects_;
  const bool is_0_5_4_;

  // Of the track being read.
  std::vector<Part> parts_;
  std::vector<Sounding> notes_;  // in the order of their beginnings
  std::vector<int32_t> ended_;   // 0.5.4: notes in the order of their ends
  std::vector<uint32_t> used_;   // queues
  std::array<uint8_t, kMidiChannels> program_{};
  std::array<Effects, kMidiChannels> waiting_{};
  std::array<Tick, kMidiChannels> pedal_down_{};  // since when, or -1
  std::array<Queue, kMidiChannels * kMidiPitches> queues_{};
  std::array<int32_t, kMidiChannels * kMidiPrograms> part_of_{};
};

}  // namespace

Result<ScoreAndWarnings> ParseScoreForTokens(std::span<const uint8_t> bytes, std::string_view name,
                                             const TokenizerConfig& config) {
  if (config.chords != ChordSource::kNone) {
    return ParseScore(bytes, name);
  }
  Defects defects(name);
  CONTINUO_ASSIGN(const MidiChunks chunks, FindMidiChunks(bytes, defects));
  ScoreAndWarnings read;
  read.score.ticks_per_quarter = chunks.ticks_per_quarter;
  SymusicBuilder builder(read.score, defects, config.release == MidiTokRelease::k3_0_4);
  for (const MidiTrackChunk& chunk : chunks.tracks) {
    builder.BeginTrack();
    ReadTrack(chunk, builder, defects);
    builder.EndTrack(chunk.offset);
  }
  builder.Finish();
  read.warnings = defects.TakeMessages();
  return read;
}

Result<Score> ReadScoreForTokens(const std::filesystem::path& path, const TokenizerConfig& config) {
  CONTINUO_ASSIGN(const std::vector<uint8_t> bytes, ReadFile(path));
  CONTINUO_ASSIGN(ScoreAndWarnings read, ParseScoreForTokens(bytes, path.string(), config));
  return std::move(read.score);
}

}  // namespace continuo
