#include "continuo/score/score_builder.h"

#include <algorithm>
#include <utility>

#include "continuo/midi/text.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

constexpr int kLargestDenominatorBits = 7;  // a 128th note
constexpr int kLargestKey = 7;

template <typename Event>
void SortByTime(std::vector<Event>& events) {
  const auto earlier = [](const Event& a, const Event& b) { return a.time < b.time; };
  if (!std::is_sorted(events.begin(), events.end(), earlier)) {
    std::stable_sort(events.begin(), events.end(), earlier);
  }
}

}  // namespace

ScoreBuilder::ScoreBuilder(Score& score, Defects& defects, bool first_pedal_from_start)
    : score_(score), defects_(defects), first_pedal_from_start_(first_pedal_from_start) {
  part_of_.fill(kNoPart);
}

void ScoreBuilder::BeginTrack(size_t size) {
  notes_.reserve(std::min<size_t>(size / 3 + 1, 1 << 16));
  program_.fill(0);
  current_.fill(kNoPart);
  waiting_.fill(kNoPart);
  pedal_down_.fill(first_pedal_from_start_ ? 0 : -1);
  pedal_down_[0] = -1;
}

void ScoreBuilder::EndTrack(size_t offset) {
  if (open_notes_ > 0) {
    defects_.Add(offset, "the track that begins here leaves {} notes without an end; left out", open_notes_);
  }
  std::vector<PartId> order;
  for (PartId id = 0; id < parts_.size(); ++id) {
    if (!parts_[id].waiting && parts_[id].notes > 0) {
      order.push_back(id);
    }
  }
  if (order.empty() && !lyrics_.empty()) {
    order.push_back(NotePart(last_program_channel_));
  }
  std::sort(order.begin(), order.end(), [this](PartId a, PartId b) {
    return std::pair(parts_[a].channel, parts_[a].program) < std::pair(parts_[b].channel, parts_[b].program);
  });
  if (order.size() > kMaxTracks - score_.tracks.size()) {
    defects_.Add(offset, "more than {} tracks; the rest is left out", kMaxTracks);
    order.resize(kMaxTracks - score_.tracks.size());
  }

  const size_t first = score_.tracks.size();
  std::vector<size_t> track_of(parts_.size(), score_.tracks.max_size());
  for (const PartId id : order) {
    track_of[id] = score_.tracks.size();
    Track& track = score_.tracks.emplace_back();
    track.name = name_;
    track.program = parts_[id].program;
    track.is_drum = parts_[id].channel == kDrumChannel;
    track.notes.reserve(parts_[id].notes);
  }
  for (const OpenNote& note : notes_) {
    if (note.duration >= 0 && track_of[note.part] < score_.tracks.size()) {
      score_.tracks[track_of[note.part]].notes.push_back({note.time, note.duration, note.pitch, note.velocity});
    }
  }
  const auto hand_out = [&](const auto& events, auto list) {
    for (const auto& [event, part] : events) {
      if (track_of[part] < score_.tracks.size()) {
        (score_.tracks[track_of[part]].*list).push_back(event);
      }
    }
  };
  hand_out(controls_, &Track::controls);
  hand_out(bends_, &Track::pitch_bends);
  hand_out(pedals_, &Track::pedals);
  if (first < score_.tracks.size()) {
    score_.tracks[first].lyrics = std::move(lyrics_);
  }

  if (!parts_.empty()) {
    sounding_.fill({});
    for (const Part& part : parts_) {
      part_of_[part.channel * kMidiPrograms + part.program] = kNoPart;
    }
  }
  name_.clear();
  parts_.clear();
  notes_.clear();
  controls_.clear();
  bends_.clear();
  pedals_.clear();
  lyrics_.clear();
  open_notes_ = 0;
  last_program_channel_ = 0;
}

void ScoreBuilder::Finish() {
  SortByTime(score_.tempos);
  SortByTime(score_.time_signatures);
  SortByTime(score_.key_signatures);
  SortByTime(score_.markers);
}

void ScoreBuilder::NoteOn(uint32_t time, uint8_t channel, uint8_t pitch, uint8_t velocity) {
  const PartId part = current_[channel] != kNoPart ? current_[channel] : NotePart(channel);
  notes_.push_back({static_cast<Tick>(time), -1, pitch, velocity, part});
  const auto index = static_cast<uint32_t>(notes_.size());
  Sounding& sounding = sounding_[channel * kMidiPitches + pitch];
  if (sounding.oldest == 0) {
    sounding.oldest = index;
  } else {
    notes_[sounding.newest - 1].duration = ~static_cast<Tick>(index - 1);
  }
  sounding.newest = index;
  ++open_notes_;
}

void ScoreBuilder::NoteOff(uint32_t time, uint8_t channel, uint8_t pitch, size_t offset) {
  Sounding& sounding = sounding_[channel * kMidiPitches + pitch];
  if (sounding.oldest == 0) {
    defects_.Add(offset, "the end of a note of pitch {} that does not sound; ignored", pitch);
    return;
  }
  OpenNote& note = notes_[sounding.oldest - 1];
  const auto next = static_cast<uint32_t>(~note.duration);
  sounding.oldest = next == 0 ? 0 : next + 1;
  note.duration = static_cast<Tick>(time) - note.time;
  ++parts_[note.part].notes;
  --open_notes_;
}

void ScoreBuilder::Control(uint32_t time, uint8_t channel, uint8_t number, uint8_t value) {
  const PartId part = EventPart(channel);
  const auto now = static_cast<Tick>(time);
  controls_.push_back({{now, number, value}, part});
  if (number != kSustainPedal) {
    return;
  }
  Tick& down = pedal_down_[channel];
  if (value >= 64) {
    down = down < 0 ? now : down;
  } else if (down >= 0) {
    pedals_.push_back({{down, now - down}, part});
    down = -1;
  }
}

void ScoreBuilder::Program(uint32_t, uint8_t channel, uint8_t program) {
  program_[channel] = program;
  current_[channel] = part_of_[channel * kMidiPrograms + program];
  last_program_channel_ = channel;
}

void ScoreBuilder::Bend(uint32_t time, uint8_t channel, int value) {
  bends_.push_back({{static_cast<Tick>(time), static_cast<int16_t>(value)}, EventPart(channel)});
}

void ScoreBuilder::Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data, size_t offset) {
  const auto now = static_cast<Tick>(time);
  const auto fits = [&](const char* what, size_t size, size_t needed) {
    if (data.size() != size) {
      defects_.Add(offset, "a {} of {} bytes, where {} were expected", what, data.size(), size);
    }
    return data.size() >= needed;
  };
  switch (type) {
    case kMetaTrackName:
      name_ = ToUtf8(data);
      break;
    case kMetaLyric:
      if (!data.empty()) {
        lyrics_.push_back({now, ToUtf8(data)});
      }
      break;
    case kMetaMarker:
      if (!data.empty()) {
        score_.markers.push_back({now, ToUtf8(data)});
      }
      break;
    case kMetaTempo:
      if (fits("tempo", 3, 3)) {
        const int32_t us_per_quarter = data[0] << 16 | data[1] << 8 | data[2];
        if (us_per_quarter > 0) {
          score_.tempos.push_back({now, us_per_quarter});
        } else {
          defects_.Add(offset, "a tempo of 0 microseconds a quarter note; left out");
        }
      }
      break;
    case kMetaTimeSignature:
      if (fits("time signature", 4, 2)) {
        if (data[0] > 0 && data[1] <= kLargestDenominatorBits) {
          score_.time_signatures.push_back({now, data[0], 1 << data[1]});
        } else {
          defects_.Add(offset, "a time signature of {}/2^{}, where 1 to 255 and 0 to {} were expected; left out",
                       data[0], data[1], kLargestDenominatorBits);
        }
      }
      break;
    case kMetaKeySignature:
      if (fits("key signature", 2, 2)) {
        const auto key = static_cast<int8_t>(data[0]);
        if (key >= -kLargestKey && key <= kLargestKey && data[1] <= 1) {
          score_.key_signatures.push_back({now, key, static_cast<int8_t>(data[1])});
        } else {
          defects_.Add(offset, "a key signature of {} and {}, where -7 to 7 and 0 or 1 were expected; left out", key,
                       data[1]);
        }
      }
      break;
    default:
      break;
  }
}

ScoreBuilder::PartId ScoreBuilder::NotePart(uint8_t channel) {
  if (waiting_[channel] == kNoPart) {
    waiting_[channel] = NewPart(channel);
  }
  const PartId id = std::exchange(waiting_[channel], kNoPart);
  parts_[id].program = program_[channel];
  parts_[id].waiting = false;
  part_of_[channel * kMidiPrograms + program_[channel]] = id;
  current_[channel] = id;
  return id;
}

ScoreBuilder::PartId ScoreBuilder::EventPart(uint8_t channel) {
  if (current_[channel] != kNoPart) {
    return current_[channel];
  }
  if (waiting_[channel] == kNoPart) {
    waiting_[channel] = NewPart(channel);
  }
  return waiting_[channel];
}

ScoreBuilder::PartId ScoreBuilder::NewPart(uint8_t channel) {
  parts_.push_back({channel, 0, true, 0});
  return static_cast<PartId>(parts_.size() - 1);
}

}  // namespace continuo
