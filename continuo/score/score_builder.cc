#include "continuo/score/score_builder.h"

#include <algorithm>
#include <utility>

#include "continuo/midi/meta_faults.h"
#include "continuo/midi/text.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

template <typename Event>
void SortByTime(std::vector<Event>& events) {
  const auto earlier = [](const Event& a, const Event& b) { return a.time < b.time; };
  if (!std::is_sorted(events.begin(), events.end(), earlier)) {
    std::stable_sort(events.begin(), events.end(), earlier);
  }
}

/// Adds to a list of which a score has one and which is likely to grow to some hundreds.
template <typename Event>
void Add(std::vector<Event>& events, Event event) {
  if (events.capacity() == 0) {
    events.reserve(64);
  }
  events.push_back(std::move(event));
}

}  // namespace

ScoreBuilder::ScoreBuilder(Score& score, Defects& defects) : score_(score), defects_(defects) {
  part_of_.fill(kNoPart);
}

void ScoreBuilder::BeginTrack(size_t size) {
  // A note-on takes three bytes at least.
  if (const size_t room = size / 3 + 2; room > note_room_) {
    note_times_ = std::make_unique_for_overwrite<Tick[]>(room);
    note_durations_ = std::make_unique_for_overwrite<Tick[]>(room);
    note_keys_ = std::make_unique_for_overwrite<uint32_t[]>(room);
    note_room_ = room;
  }
  program_.fill(0);
  current_.fill(kNoPart);
  waiting_.fill(kNoPart);
  pedal_down_.fill(-1);
}

void ScoreBuilder::EndTrack(size_t offset) {
  const size_t open = CountNotes();
  if (open > 0) {
    defects_.Add(offset, "the track that begins here leaves {} notes without an end; left out", open);
  }
  for (PartId id = 0; id < parts_.size(); ++id) {
    if (parts_[id].notes > 0) {
      order_.push_back(id);
    }
  }
  if (order_.empty() && !lyrics_.empty()) {
    order_.push_back(NotePart(last_program_channel_));
  }
  std::sort(order_.begin(), order_.end(), [this](PartId a, PartId b) {
    return std::pair(parts_[a].channel, parts_[a].program) < std::pair(parts_[b].channel, parts_[b].program);
  });
  if (order_.size() > kMaxTracks - score_.tracks.size()) {
    defects_.Add(offset, "more than {} tracks; the rest is left out", kMaxTracks);
    order_.resize(kMaxTracks - score_.tracks.size());
  }
  if (!order_.empty()) {
    HandOut();
  }

  if (!parts_.empty()) {
    slots_.fill({});
    for (const Part& part : parts_) {
      part_of_[part.channel * kMidiPrograms + part.program] = kNoPart;
    }
  }
  name_.clear();
  parts_.clear();
  order_.clear();
  note_count_ = 0;
  controls_.clear();
  bends_.clear();
  pedals_.clear();
  lyrics_.clear();
  last_program_channel_ = 0;
}

size_t ScoreBuilder::CountNotes() {
  const std::span<const Tick> durations(note_durations_.get(), note_count_);
  const auto open = static_cast<size_t>(
      std::count_if(durations.begin(), durations.end(), [](Tick duration) { return duration < 0; }));
  if (parts_.size() == 1) {
    parts_.front().notes = static_cast<uint32_t>(note_count_ - open);
  } else {
    for (size_t i = 0; i < note_count_; ++i) {
      parts_[note_keys_[i] >> 16].notes += note_durations_[i] >= 0 ? 1 : 0;
    }
  }
  return open;
}

void ScoreBuilder::HandOut() {
  const size_t first = score_.tracks.size();
  score_.tracks.resize(first + order_.size());
  for (size_t i = 0; i < order_.size(); ++i) {
    Part& part = parts_[order_[i]];
    Track& track = score_.tracks[first + i];
    part.track = &track;
    if (i == 0 || name_.size() <= kLongestSharedName) {
      track.name = name_;
    }
    track.program = part.program;
    track.is_drum = part.channel == kDrumChannel;
    track.notes.resize(part.notes);
  }
  score_.tracks[first].lyrics = std::move(lyrics_);

  HandOutNotes();
  const auto hand_out = [this](const auto& events, auto list) {
    if (parts_.size() == 1) {
      (parts_.front().track->*list).reserve(events.size());
    }
    for (const auto& [event, part] : events) {
      if (parts_[part].track != nullptr) {
        (parts_[part].track->*list).push_back(event);
      }
    }
  };
  hand_out(controls_, &Track::controls);
  hand_out(bends_, &Track::pitch_bends);
  hand_out(pedals_, &Track::pedals);
}

void ScoreBuilder::HandOutNotes() {
  const auto note = [this](size_t i) {
    const uint32_t key = note_keys_[i];
    return continuo::Note{note_times_[i], note_durations_[i], static_cast<uint8_t>(key),
                          static_cast<uint8_t>(key >> 8)};
  };
  const Part& first = parts_[order_.front()];
  if (first.notes == note_count_) {  // most tracks: one part, each note ended
    continuo::Note* out = first.track->notes.data();
    for (size_t i = 0; i < note_count_; ++i) {
      out[i] = note(i);
    }
    return;
  }
  for (size_t i = 0; i < note_count_; ++i) {
    Part& part = parts_[note_keys_[i] >> 16];
    if (note_durations_[i] >= 0 && part.track != nullptr) {
      part.track->notes[part.handed_out++] = note(i);
    }
  }
}

void ScoreBuilder::Finish() {
  SortByTime(score_.tempos);
  SortByTime(score_.time_signatures);
  SortByTime(score_.key_signatures);
  SortByTime(score_.markers);
}

bool ScoreBuilder::OddNote(Tick time, uint32_t channel, uint32_t key) {
  Slot& slot = slots_[channel * kMidiPitches + (key & 0x7F)];
  if (key >= 0x100) {
    const uint32_t part = current_[channel] != kNoPart ? current_[channel] : NotePart(static_cast<uint8_t>(channel));
    const auto index = static_cast<uint32_t>(note_count_++);
    note_times_[index] = time;
    note_durations_[index] = kLast;
    note_keys_[index] = key | part << 16;
    if (slot.sounding == 0) {
      slot = {index + 1, time};
      return true;
    }
    const bool several = slot.sounding >= kSeveral;
    const uint32_t newest = several ? static_cast<uint32_t>(slot.since) : slot.sounding - 1;
    note_durations_[newest] = ~static_cast<Tick>(index);
    slot = {slot.sounding | kSeveral, static_cast<Tick>(index)};
    return true;
  }
  if (slot.sounding == 0) {
    return false;
  }
  const uint32_t oldest = (slot.sounding & ~kSeveral) - 1;
  Tick& duration = note_durations_[oldest];
  if (duration == kLast) {
    slot = {};
  } else {
    const Tick next = ~duration;
    const bool several = next != slot.since;
    slot.sounding = static_cast<uint32_t>(next) + 1 + (several ? kSeveral : 0);
    slot.since = several ? slot.since : note_times_[next];
  }
  duration = time - note_times_[oldest];
  return true;
}

void ScoreBuilder::Control(uint32_t time, uint8_t channel, uint8_t number, uint8_t value) {
  const PartId part = EventPart(channel);
  const auto now = static_cast<Tick>(time);
  controls_.push_back({{now, number, value}, part});
  if (number != kSustainPedal) {
    return;
  }
  Tick& down = pedal_down_[channel];
  if (value >= kPedalDown) {
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

void ScoreBuilder::Meta(uint32_t time, uint8_t type, std::span<const uint8_t> data) {
  const auto now = static_cast<Tick>(time);
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
        Add(score_.markers, {now, ToUtf8(data)});
      }
      break;
    case kMetaTempo:
      if (data.size() >= 3) {
        const int32_t us_per_quarter = data[0] << 16 | data[1] << 8 | data[2];
        if (us_per_quarter > 0) {
          Add(score_.tempos, {now, us_per_quarter});
        }
      }
      break;
    case kMetaTimeSignature:
      if (data.size() >= 2 && data[0] > 0 && data[1] <= kLargestDenominatorBits) {
        score_.time_signatures.push_back({now, data[0], 1 << data[1]});
      }
      break;
    case kMetaKeySignature:
      if (data.size() >= 2) {
        const auto key = static_cast<int8_t>(data[0]);
        if (key >= -kLargestKey && key <= kLargestKey && data[1] <= 1) {
          score_.key_signatures.push_back({now, key, static_cast<int8_t>(data[1])});
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
  parts_.emplace_back().channel = channel;
  return static_cast<PartId>(parts_.size() - 1);
}

}  // namespace continuo
