#include "continuo/compose/voices.h"

#include <algorithm>
#include <array>
#include <bitset>

#include "continuo/midi/document_edit.h"

namespace continuo {
namespace {

/// Documents with more tracks than this get new notes in the tracks they have.
constexpr size_t kMostTracks = 65534;

/// A channel that no event of a document uses; not that of drums.
std::optional<uint8_t> FreeChannel(const MidiDocument& document) {
  std::bitset<kMidiChannels> used;
  used.set(kDrumChannel);
  for (const MidiTrack& track : document.tracks) {
    for (const MidiEvent& event : track.events) {
      if (event.is_channel_message()) {
        used.set(event.channel());
      }
    }
  }
  for (uint8_t channel = 0; channel < kMidiChannels; ++channel) {
    if (!used[channel]) {
      return channel;
    }
  }
  return std::nullopt;
}

}  // namespace

Voices::Voices(const MidiDocument& document, uint32_t changes_before) {
  for (uint32_t i = 0; i < document.tracks.size(); ++i) {
    std::array<uint8_t, kMidiChannels> programs{};
    std::map<std::pair<uint8_t, uint8_t>, Voice> voices;  // by channel and program
    uint8_t last_program_channel = 0;
    bool lyrics = false;
    for (const MidiEvent& event : document.tracks[i].events) {
      if (event.is_note_on()) {
        const uint8_t channel = event.channel();
        const uint8_t program = programs[channel];
        const Voice begun{.track = i, .channel = channel, .program = program};
        ++voices.try_emplace({channel, program}, begun).first->second.notes;
      } else if (event.kind() == kProgramChange) {
        last_program_channel = event.channel();
        programs[last_program_channel] = event.data1;
        if (event.time < changes_before) {
          changes_[{i, last_program_channel}].emplace_back(event.time, event.data1);
        }
      }
      lyrics = lyrics || (event.is_meta(kMetaLyric) && event.size > 0);
    }
    if (voices.empty() && lyrics) {
      list_.push_back({.track = i, .channel = last_program_channel, .program = programs[last_program_channel]});
    }
    for (const auto& [key, voice] : voices) {
      list_.push_back(voice);
    }
  }
}

uint8_t Voices::ProgramAt(uint32_t track, uint8_t channel, uint32_t time) const {
  const auto found = changes_.find({track, channel});
  if (found == changes_.end()) {
    return 0;
  }
  const Changes& changes = found->second;
  const auto next = std::upper_bound(changes.begin(), changes.end(), time,
                                     [](uint32_t t, const auto& change) { return t < change.first; });
  return next == changes.begin() ? 0 : std::prev(next)->second;
}

bool WritesPrograms(const Tokenizer& tokenizer) {
  return tokenizer.one_stream() && tokenizer.config().use_programs;
}

bool HasProgram(const TokenizerConfig& config, uint8_t program, bool is_drum) {
  const int wanted = is_drum ? -1 : program;
  return !config.use_programs ||
         std::find(config.programs.begin(), config.programs.end(), wanted) != config.programs.end();
}

bool ReadsProgram(const Tokenizer& tokenizer, uint8_t program, bool is_drum) {
  return tokenizer.one_stream() ? HasProgram(tokenizer.config(), program, is_drum) : !is_drum;
}

const Voice* MainVoice(const Voices& voices, const Tokenizer& tokenizer, std::optional<size_t> voice) {
  const std::vector<Voice>& list = voices.list();
  if (voice) {
    return &list.at(*voice);
  }
  if (WritesPrograms(tokenizer)) {
    return nullptr;
  }
  const auto first = std::find_if(list.begin(), list.end(),
                                  [](const Voice& candidate) { return !candidate.is_drum() && candidate.notes > 0; });
  return first == list.end() ? nullptr : &*first;
}

VoiceFinder::VoiceFinder(MidiDocument& document, const Voices& voices, const Tokenizer& tokenizer, uint32_t from,
                         std::optional<size_t> voice)
    : document_(document), voices_(voices), from_(from), main_(MainVoice(voices, tokenizer, voice)) {}

VoiceFinder::Place VoiceFinder::Find(uint8_t program, bool is_drum, uint32_t time) {
  if (main_ != nullptr) {
    return {main_->track, main_->channel};
  }
  const Voice* other = nullptr;
  for (const Voice& voice : voices_.list()) {
    if (voice.notes == 0 || voice.is_drum() != is_drum || (!is_drum && voice.program != program)) {
      continue;
    }
    if (is_drum || voices_.ProgramAt(voice.track, voice.channel, time) == program) {
      return {voice.track, voice.channel};
    }
    other = &voice;
  }
  const auto known = added_.find({program, is_drum});
  if (known != added_.end()) {
    return known->second;
  }
  const std::optional<uint8_t> channel =
      is_drum ? std::optional(static_cast<uint8_t>(kDrumChannel)) : FreeChannel(document_);
  Place place;
  if (channel) {
    place = Add(*channel, program);
  } else {  // all channels are taken: another instrument must do
    if (other == nullptr && !voices_.list().empty()) {
      other = &voices_.list().front();
    }
    place = other == nullptr ? Place() : Place{other->track, other->channel};
  }
  added_[{program, is_drum}] = place;
  return place;
}

VoiceFinder::Place VoiceFinder::Add(uint8_t channel, uint8_t program) {
  const bool several = document_.format == 1 && document_.tracks.size() < kMostTracks;
  if (document_.tracks.empty() || several) {
    for (MidiForeignChunk& chunk : document_.foreign) {  // what is after the last track stays there
      chunk.before += chunk.before == document_.tracks.size() ? 1 : 0;
    }
    document_.tracks.emplace_back();
  }
  const auto track = static_cast<uint32_t>(several ? document_.tracks.size() - 1 : 0);
  if (channel != kDrumChannel) {
    InsertEvents(document_, {{track, FirstAfter(document_.tracks[track], from_),
                              NewMessage(from_, static_cast<uint8_t>(kProgramChange | channel), program)}});
  }
  return {track, channel};
}

}  // namespace continuo
