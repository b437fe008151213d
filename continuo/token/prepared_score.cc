#include "continuo/token/prepared_score.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "continuo/score/chord_recogniser.h"
#include "continuo/token/grid.h"
#include "continuo/token/miditok_3_0_4.h"
#include "continuo/token/representation.h"
#include "continuo/token/time_scale.h"

namespace continuo {

namespace {

int32_t TicksPerBeat(int denominator, int32_t ticks_per_quarter) {
  return std::max(1, static_cast<int32_t>(ticks_per_quarter * 4.0 / denominator));
}

int32_t TicksPerBar(const TimeSignature& meter, int32_t ticks_per_quarter) {
  const int64_t ticks = int64_t{TicksPerBeat(meter.denominator, ticks_per_quarter)} * meter.numerator;
  return static_cast<int32_t>(std::min<int64_t>(ticks, MostTicks(ticks_per_quarter)));
}

bool SameMeter(const TimeSignature& a, const TimeSignature& b) {
  return a.numerator == b.numerator && a.denominator == b.denominator;
}

// Moves each signature to a bar line of the one before and drops those that change nothing.
void PlaceTimeSignatures(std::vector<TimeSignature>& meters, int32_t ticks_per_quarter, bool delete_equal) {
  size_t i = 0;
  int32_t ticks_per_bar = TicksPerBar(meters[0], ticks_per_quarter);
  int32_t previous = 0;
  const auto erase = [&meters](size_t at) { meters.erase(meters.begin() + static_cast<std::ptrdiff_t>(at)); };
  while (i < meters.size()) {
    if (i >= 1 && SameMeter(meters[i], meters[i - 1])) {
      erase(i);
      continue;
    }
    if (i >= 1) {
      meters[i].time = std::max(meters[i].time, meters[i - 1].time);
    }
    const int32_t past_bar = (meters[i].time - previous) % ticks_per_bar;
    if (past_bar > 0) {
      meters[i].time += ticks_per_bar - past_bar;
    }
    ticks_per_bar = TicksPerBar(meters[i], ticks_per_quarter);
    previous = meters[i].time;
    if (i >= 1 && meters[i].time == meters[i - 1].time) {
      erase(i - 1);
      if (i >= 2 && SameMeter(meters[i - 1], meters[i - 2])) {
        erase(i - 1);
        ticks_per_bar = TicksPerBar(meters[i - 2], ticks_per_quarter);
        previous = meters[i - 2].time;
        --i;
      }
      continue;
    }
    ++i;
  }
  const bool first_is_common = meters[0].numerator == 4 && meters[0].denominator == 4;
  if (delete_equal && first_is_common) {
    meters[0].time = 0;
  } else if (meters[0].time != 0) {
    meters.insert(meters.begin(), TimeSignature{});
  }
}

template <typename Section, typename Value>
std::vector<Section> Sections(const std::vector<TimeSignature>& meters, const Value& value) {
  std::vector<Section> sections;
  for (size_t i = 0; i < meters.size(); ++i) {
    const int32_t end = i + 1 < meters.size() ? meters[i + 1].time : INT32_MAX;
    const int32_t here = value(meters[i]);
    if (!sections.empty() && value(meters[i - 1]) == here) {
      sections.back().end = end;
    } else {
      sections.push_back({end, here});
    }
  }
  return sections;
}

// Moves durations to the nearest that have a token.
template <typename Event>
void MoveDurations(std::vector<Event>& events, const std::vector<BeatSection>& sections, const TokenTables& tables) {
  if (events.empty()) {
    return;
  }
  const int32_t last_time = events.back().time;
  size_t first = 0;
  for (size_t s = 0; s < sections.size(); ++s) {
    const bool is_last = s + 1 == sections.size() || sections[s].end > last_time;
    size_t last = events.size();
    if (!is_last) {
      last = first;
      while (last < events.size() && events[last].time < sections[s].end) {
        ++last;
      }
    }
    const TimeTable& table = tables.time_table(sections[s].ticks_per_beat);
    for (size_t i = first; i < last; ++i) {
      events[i].duration = table.ticks()[table.Nearest(events[i].duration)];
    }
    if (is_last) {
      break;
    }
    first = last;
  }
}

// Makes one of pedals that touch. Written after MidiTok's loop, groups of overlaps included: a
// group that runs on past its first overlaps is not told to those that come after it.
void MergePedals(std::vector<Pedal>& pedals) {
  const size_t count = pedals.size();
  std::vector<int32_t> ends(count);
  for (size_t i = 0; i < count; ++i) {
    ends[i] = pedals[i].time + pedals[i].duration;
  }
  std::vector<size_t> overlaps;
  for (size_t i = 0; i + 1 < count; ++i) {
    if (ends[i] >= pedals[i + 1].time) {
      overlaps.push_back(i);
    }
  }
  std::vector<bool> gone(count, false);
  for (size_t o = 0; o < overlaps.size(); ++o) {
    if (o > 0 && overlaps[o] == overlaps[o - 1] + 1) {
      continue;
    }
    const size_t i = overlaps[o];
    for (size_t next = i + 1; next < count && ends[i] >= pedals[next].time; ++next) {
      pedals[i].duration = std::max(pedals[i].duration, ends[next] - pedals[i].time);
      ends[i] = pedals[i].time + pedals[i].duration;
      gone[next] = true;
    }
  }
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!gone[i]) {
      pedals[kept++] = pedals[i];
    }
  }
  pedals.resize(kept);
}

// Of bends at one time, keeps the one with the largest absolute value, the first of equals.
void MergeBends(std::vector<PreparedBend>& bends, const TokenTables& tables) {
  size_t kept = 0;
  for (size_t i = 0; i < bends.size(); ++i) {
    const auto size = [&tables](const PreparedBend& bend) { return std::abs(tables.pitch_bend_values[bend.index]); };
    if (kept > 0 && bends[kept - 1].time == bends[i].time) {
      if (size(bends[i]) > size(bends[kept - 1])) {
        bends[kept - 1] = bends[i];
      }
    } else {
      bends[kept++] = bends[i];
    }
  }
  bends.resize(kept);
}

template <typename Event>
void SortByTime(std::vector<Event>& events) {
  const auto earlier = [](const Event& a, const Event& b) { return a.time < b.time; };
  if (!std::is_sorted(events.begin(), events.end(), earlier)) {
    std::stable_sort(events.begin(), events.end(), earlier);
  }
}

PreparedTrack ResampleTrack(const Track& track, const TimeScale& scale, const TokenTables& tables) {
  PreparedTrack result;
  result.program = track.is_drum ? -1 : std::min<int>(track.program, 127);
  result.notes.resize(track.notes.size());
  for (size_t i = 0; i < track.notes.size(); ++i) {
    const Note& note = track.notes[i];
    result.notes[i] = {scale(note.time), scale.Duration(note.duration), std::min<uint8_t>(note.pitch, 127),
                       note.velocity};
  }
  SortByTime(result.notes);
  if (tables.config.use_sustain_pedals) {
    for (const Pedal& pedal : track.pedals) {
      result.pedals.push_back({scale(pedal.time), scale.Duration(pedal.duration)});
    }
    SortByTime(result.pedals);
  }
  if (tables.config.use_pitch_bends) {
    for (const PitchBend& bend : track.pitch_bends) {
      result.bends.push_back({scale(bend.time), tables.NearestPitchBend(bend.value)});
    }
    SortByTime(result.bends);
  } else if (!track.pitch_bends.empty()) {
    result.last_unwritten = scale(track.pitch_bends.back().time);
  }
  if (!track.controls.empty()) {
    result.last_unwritten = std::max(result.last_unwritten, scale(track.controls.back().time));
  }
  if (!track.lyrics.empty()) {
    result.last_unwritten = std::max(result.last_unwritten, scale(track.lyrics.back().time));
  }
  result.unwritten_end = result.last_unwritten;
  if (!tables.config.use_sustain_pedals) {
    for (const Pedal& pedal : track.pedals) {
      result.unwritten_end = std::max(result.unwritten_end, scale(pedal.time) + scale.Duration(pedal.duration));
    }
  }
  return result;
}

// Joins the tracks of one program into the first of them.
void MergePrograms(std::vector<PreparedTrack>& tracks) {
  std::array<int, 129> count{};
  for (const PreparedTrack& track : tracks) {
    ++count[static_cast<size_t>(track.program + 1)];
  }
  std::array<int, 129> first;
  first.fill(-1);
  std::vector<PreparedTrack> merged;
  for (PreparedTrack& track : tracks) {
    int& place = first[static_cast<size_t>(track.program + 1)];
    if (place < 0) {
      place = static_cast<int>(merged.size());
      merged.push_back(std::move(track));
      continue;
    }
    PreparedTrack& target = merged[static_cast<size_t>(place)];
    target.notes.insert(target.notes.end(), track.notes.begin(), track.notes.end());
    target.pedals.insert(target.pedals.end(), track.pedals.begin(), track.pedals.end());
    target.bends.insert(target.bends.end(), track.bends.begin(), track.bends.end());
    target.last_unwritten = std::max(target.last_unwritten, track.last_unwritten);
    target.unwritten_end = std::max(target.unwritten_end, track.unwritten_end);
  }
  for (PreparedTrack& track : merged) {
    if (count[static_cast<size_t>(track.program + 1)] < 2) {
      continue;
    }
    std::sort(track.notes.begin(), track.notes.end(), [](const PreparedNote& a, const PreparedNote& b) {
      return std::tie(a.time, a.duration, a.pitch, a.velocity) < std::tie(b.time, b.duration, b.pitch, b.velocity);
    });
    std::sort(track.pedals.begin(), track.pedals.end(), [](const Pedal& a, const Pedal& b) {
      return std::tie(a.time, a.duration) < std::tie(b.time, b.duration);
    });
    SortByTime(track.bends);
  }
  tracks = std::move(merged);
}

// A key can do one thing at a time: a note ends where the next of its pitch begins, and of notes
// that begin together only the longest is left. Notes come out in the order of time, pitch and
// duration.
void EndAtNextOfPitch(std::vector<PreparedNote>& notes) {
  std::stable_sort(notes.begin(), notes.end(), [](const PreparedNote& a, const PreparedNote& b) {
    return std::tie(a.time, a.pitch, a.duration) < std::tie(b.time, b.pitch, b.duration);
  });
  std::array<int32_t, 128> next;
  next.fill(INT32_MAX);
  for (auto note = notes.rbegin(); note != notes.rend(); ++note) {
    int32_t& after = next[note->pitch];
    note->duration = std::min(note->duration, after - note->time);
    after = note->time;
  }
  std::erase_if(notes, [](const PreparedNote& note) { return note.duration <= 0; });
}

// The first bar line at or after a time.
int32_t BarLineFrom(int32_t time, const std::vector<TimeSignature>& meters, int32_t ticks_per_quarter) {
  const auto after = std::upper_bound(meters.begin() + 1, meters.end(), time,
                                      [](int32_t value, const TimeSignature& meter) { return value < meter.time; });
  const TimeSignature& meter = *(after - 1);
  const int32_t bar = TicksPerBar(meter, ticks_per_quarter);
  const int64_t bars = (static_cast<int64_t>(time) - meter.time + bar - 1) / bar;
  const int64_t line = meter.time + bars * bar;
  return static_cast<int32_t>(after == meters.end() ? line : std::min<int64_t>(line, after->time));
}

// `Times` is Grid or Grid304, the way that the release puts times on the grid.
template <typename Times>
class Preparation {
 public:
  Preparation(const Score& score, const TokenTables& tables) : score_(score), tables_(tables), config_(tables.config) {}

  PreparedScore Run() {
    const TimeScale scale = ChooseResolution();
    const bool several = HasSeveralDenominators();
    prepared_.sections = Sections<BeatSection>(prepared_.time_signatures, [this](const TimeSignature& meter) {
      return TicksPerBeat(meter.denominator, prepared_.ticks_per_quarter);
    });
    if (tables_.representation->keeps_ticks && !has_time_signatures_) {
      // MidiTok looks for chords with the beat of scores that it has resampled to beat_res.
      int finest = 4;
      for (const Meter& meter : tables_.time_signatures) {
        finest = std::max(finest, meter.denominator);
      }
      prepared_.sections = {{INT32_MAX, tables_.positions_per_beat * (finest / 4)}};
    }
    if (several) {
      grid_ = Times(Sections<GridSection>(prepared_.time_signatures, [this](const TimeSignature& meter) {
        const double finest = tables_.positions_per_beat * (meter.denominator / 4.0);
        return std::max(1, static_cast<int32_t>(prepared_.ticks_per_quarter / finest));
      }));
    }
    for (const Track& track : score_.tracks) {
      prepared_.tracks.push_back(ResampleTrack(track, scale, tables_));
    }
    if (tables_.one_stream() && tables_.representation->merges_tracks) {
      MergePrograms(prepared_.tracks);
    }
    std::erase_if(prepared_.tracks, [this](PreparedTrack& track) { return !PrepareTrack(track); });
    if (config_.use_tempos) {
      PrepareTempos(scale);
    }
    if (config_.chords != ChordSource::kNone) {
      PrepareChords(scale);
    }
    return std::move(prepared_);
  }

 private:
  TimeScale ChooseResolution() {
    std::vector<TimeSignature>& meters = prepared_.time_signatures;
    const int32_t from = std::max(1, score_.ticks_per_quarter);
    if (!config_.use_time_signatures) {
      meters.assign(1, TimeSignature{});
      prepared_.ticks_per_quarter = TicksPerQuarter(4);
      return {from, prepared_.ticks_per_quarter};
    }
    const bool keeps_ticks = tables_.representation->keeps_ticks;
    const auto has_token = [this](const TimeSignature& meter) {
      return tables_.FindTimeSignature(meter.numerator, meter.denominator) >= 0;
    };
    // Where ticks are kept, MidiTok moves signatures to bar lines before it looks for their tokens:
    // one without may move or replace others.
    for (const TimeSignature& meter : score_.time_signatures) {
      const bool has_bars = meter.numerator > 0 && meter.denominator > 0;
      if (has_token(meter) || (keeps_ticks && has_bars)) {
        meters.push_back(meter);
      }
    }
    SortByTime(meters);
    has_time_signatures_ = std::any_of(meters.begin(), meters.end(), has_token);
    if (meters.empty() || (meters[0].time != 0 && !keeps_ticks)) {
      meters.insert(meters.begin(), TimeSignature{});
    }
    int finest = 1;
    for (const TimeSignature& meter : meters) {
      finest = std::max(finest, meter.denominator);
    }
    prepared_.ticks_per_quarter = TicksPerQuarter(finest);
    const TimeScale scale(from, prepared_.ticks_per_quarter);
    for (TimeSignature& meter : meters) {
      meter.time = keeps_ticks ? scale(meter.time) : scale.Cut(meter.time);
    }
    PlaceTimeSignatures(meters, prepared_.ticks_per_quarter, config_.delete_equal_successive_time_sig_changes);
    std::erase_if(meters, [&](const TimeSignature& meter) { return !has_token(meter); });
    if (meters.empty() || meters[0].time != 0) {
      meters.insert(meters.begin(), TimeSignature{});
    }
    return scale;
  }

  /// Of a score whose finest signature has that denominator.
  int32_t TicksPerQuarter(int finest) const {
    if (tables_.representation->keeps_ticks) {
      return config_.pertok.ticks_per_quarter;
    }
    return std::max(1, tables_.positions_per_beat * finest / 4);
  }

  bool HasSeveralDenominators() const {
    for (const TimeSignature& meter : prepared_.time_signatures) {
      if (meter.denominator != prepared_.time_signatures[0].denominator) {
        return config_.use_time_signatures;
      }
    }
    return false;
  }

  bool IsEmpty(const PreparedTrack& track) const {
    return track.notes.empty() && track.pedals.empty() && track.bends.empty();
  }

  // False if nothing of the track is left.
  bool PrepareTrack(PreparedTrack& track) const {
    if (IsEmpty(track) || (config_.use_programs && !tables_.has_program[static_cast<size_t>(track.program + 1)])) {
      return false;
    }
    PrepareNotes(track);
    if (!track.bends.empty()) {
      grid_.MoveTimesOfChanges(track.bends);
      MergeBends(track.bends, tables_);
    }
    if (!track.pedals.empty()) {
      PreparePedals(track.pedals);
    }
    return !IsEmpty(track);
  }

  void PrepareNotes(PreparedTrack& track) const {
    const bool drum_tokens = track.program == -1 && config_.use_pitchdrum_tokens;
    const std::array<int, 2>& range = drum_tokens ? config_.drums_pitch_range : config_.pitch_range;
    const int last_pitch = LastPitch(range, config_.release);
    std::erase_if(track.notes, [first = range[0], last_pitch](const PreparedNote& note) {
      return note.pitch < first || note.pitch > last_pitch;
    });
    const bool timed = tables_.uses_durations[static_cast<size_t>(track.program + 1)];
    const NoteEnd end = tables_.representation->note_end;
    if (end == NoteEnd::kPattern || (timed && end == NoteEnd::kNoteOff)) {
      grid_.MoveEnds(track.notes);
    } else {
      grid_.MoveTimes(track.notes);
    }
    if (timed && end == NoteEnd::kDuration && !tables_.representation->keeps_ticks) {
      MoveDurations(track.notes, prepared_.sections, tables_);
    }
    if (config_.remove_duplicated_notes) {
      std::sort(track.notes.begin(), track.notes.end(), [](const PreparedNote& a, const PreparedNote& b) {
        return std::tie(a.time, a.pitch, a.duration, a.velocity) < std::tie(b.time, b.pitch, b.duration, b.velocity);
      });
      const auto same = [](const PreparedNote& a, const PreparedNote& b) {
        return a.time == b.time && a.pitch == b.pitch;
      };
      track.notes.erase(std::unique(track.notes.begin(), track.notes.end(), same), track.notes.end());
    }
    if (end == NoteEnd::kPattern) {
      EndAtNextOfPitch(track.notes);
    }
  }

  void PreparePedals(std::vector<Pedal>& pedals) const {
    // MIDI-Like knows beats only where something needs them.
    if (config_.sustain_pedal_duration) {
      grid_.MoveTimes(pedals);
      MergePedals(pedals);
      MoveDurations(pedals, prepared_.sections, tables_);
    } else {
      grid_.MovePedals(pedals);
      MergePedals(pedals);
      grid_.FinishPedals(pedals);
    }
  }

  void PrepareTempos(const TimeScale& scale) {
    std::vector<PreparedTempo>& tempos = prepared_.tempos;
    const PreparedTempo standard{0, static_cast<size_t>(tables_.default_tempo)};
    if (score_.tempos.empty()) {
      tempos.push_back(standard);
      return;
    }
    tempos.reserve(score_.tempos.size() + 1);
    for (const Tempo& tempo : score_.tempos) {
      tempos.push_back({scale(tempo.time), tables_.NearestTempo(tempo.us_per_quarter)});
    }
    SortByTime(tempos);
    if (tables_.representation->tempos_on_bar_lines) {
      for (PreparedTempo& tempo : tempos) {
        tempo.time = BarLineFrom(tempo.time, prepared_.time_signatures, prepared_.ticks_per_quarter);
      }
    } else {
      grid_.MoveTimesOfChanges(tempos);
    }
    size_t kept = 0;
    for (size_t i = 0; i < tempos.size(); ++i) {
      if (i + 1 == tempos.size() || tempos[i + 1].time != tempos[i].time) {
        tempos[kept++] = tempos[i];
      }
    }
    tempos.resize(kept);
    if (config_.delete_equal_successive_tempo_changes) {
      const auto same = [](const PreparedTempo& a, const PreparedTempo& b) { return a.index == b.index; };
      tempos.erase(std::unique(tempos.begin(), tempos.end(), same), tempos.end());
      // Equal only if no part of a microsecond was cut off, which 120 itself is sure of.
      const double us = 60e6 / tables_.tempos[tempos[0].index];
      if (tempos[0].index == standard.index && std::trunc(us) == us) {
        tempos[0].time = 0;
      }
    }
    if (tempos[0].time != 0) {
      tempos.insert(tempos.begin(), standard);
    }
  }

  // Chords that change after the last note's end have nothing to name. Recognised are those of the
  // notes as their tokens say them, so that decoded notes give them again.
  void PrepareChords(const TimeScale& scale) {
    std::vector<TimedPitch> notes;
    Tick end = 0;
    for (const PreparedTrack& track : prepared_.tracks) {
      for (const PreparedNote& note : track.notes) {
        end = std::max(end, note.end());
        if (track.program != -1) {
          notes.push_back({note.time, note.end(), note.pitch});
        }
      }
    }
    std::vector<ChordChange>& chords = prepared_.chords;
    const auto place = [&] {
      grid_.MoveTimes(chords);
      std::erase_if(chords, [end](const ChordChange& change) { return change.time >= end; });
      MergeChordChanges(chords);
    };
    if (config_.chords != ChordSource::kRecognised) {
      chords = ChordsOfMarkers(score_);
      for (ChordChange& change : chords) {
        change.time = scale(change.time);
      }
      place();
    }
    // Decided by the markers that are left, so that decoding, which leaves no others, decides
    // alike.
    if (config_.chords == ChordSource::kRecognised || (config_.chords == ChordSource::kAuto && chords.empty())) {
      chords = RecogniseChords(notes, prepared_.ticks_per_quarter);
      place();
    }
  }

  const Score& score_;
  const TokenTables& tables_;
  const TokenizerConfig& config_;
  Times grid_;
  bool has_time_signatures_ = false;  // the score has one that has a token
  PreparedScore prepared_;
};

}  // namespace

int32_t EndOfScore(const Score& score, const PreparedScore& prepared, const TokenTables& tables) {
  const TimeScale scale(std::max(1, score.ticks_per_quarter), prepared.ticks_per_quarter);
  int32_t end = prepared.time_signatures.empty() ? 0 : prepared.time_signatures.back().time;
  const auto see = [&end](int32_t time) { end = std::max(end, time); };
  for (const PreparedTrack& track : prepared.tracks) {
    for (const PreparedNote& note : track.notes) {
      see(note.end());
    }
    for (const Pedal& pedal : track.pedals) {
      see(pedal.time + pedal.duration);
    }
    if (!track.bends.empty()) {
      see(track.bends.back().time);
    }
    see(track.unwritten_end);
  }
  if (tables.config.use_tempos) {
    see(prepared.tempos.back().time);
  } else if (!score.tempos.empty()) {
    see(scale(score.tempos.back().time));  // left out, but still there when MidiTok looks
  }
  if (!score.key_signatures.empty()) {
    see(scale(score.key_signatures.back().time));
  }
  if (!score.markers.empty()) {
    see(scale(score.markers.back().time));
  }
  return end;
}

PreparedScore PrepareScore(const Score& score, const TokenTables& tables) {
  if (tables.config.release == MidiTokRelease::k3_0_4) {
    return Preparation<Grid304>(score, tables).Run();
  }
  return Preparation<Grid>(score, tables).Run();
}

}  // namespace continuo
