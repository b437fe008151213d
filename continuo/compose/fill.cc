#include "continuo/compose/fill.h"

#include <algorithm>
#include <numeric>

#include "continuo/compose/continuation.h"
#include "continuo/compose/likelihood.h"
#include "continuo/compose/score_parts.h"
#include "continuo/midi/midi_format.h"
#include "continuo/score/bars.h"

namespace continuo {
namespace {

// Context of the likelihood, and the bars that it is measured on.
constexpr size_t kBarsBefore = 8;
constexpr size_t kBarsAfter = 8;

/// Removes the pedal from [begin, end): up at `begin`, and at `end` as it was.
void LiftPedal(Track& track, Tick begin, Tick end) {
  int before = -1;  // value in force at `begin`
  int after = -1;   // value in force at `end`
  std::vector<ControlChange> controls;
  for (const ControlChange& control : track.controls) {
    const bool is_pedal = control.number == kSustainPedal;
    if (is_pedal && control.time < end) {
      after = control.value;
      before = control.time < begin ? control.value : before;
    }
    if (!is_pedal || control.time < begin || control.time >= end) {
      controls.push_back(control);
    }
  }
  const auto insert = [&](Tick time, uint8_t value) {
    const auto place = std::lower_bound(controls.begin(), controls.end(), time,
                                        [](const ControlChange& control, Tick at) { return control.time < at; });
    controls.insert(place, {time, kSustainPedal, value});
  };
  if (before >= kPedalDown) {
    insert(begin, 0);
  }
  if (after >= kPedalDown) {
    insert(end, static_cast<uint8_t>(after));
  }
  track.controls = std::move(controls);

  std::vector<Pedal> pedals;
  for (const Pedal& pedal : track.pedals) {
    const Tick up = pedal.time + pedal.duration;
    if (pedal.time < begin) {
      pedals.push_back({pedal.time, std::min(up, begin) - pedal.time});
    }
    if (up > end) {
      const Tick down = std::max(pedal.time, end);
      pedals.push_back({down, up - down});
    }
  }
  track.pedals = std::move(pedals);
}

}  // namespace

Result<Gap> MakeGap(const Score& score, size_t first, size_t last, const Tokenizer& tokenizer, std::string_view name) {
  const bool by_signature = BySignature(tokenizer);
  Gap gap;
  gap.score = score;
  gap.first = first;
  gap.last = last;
  gap.bars = CountBars(score, by_signature);
  if (first >= last || last > gap.bars) {
    return MakeError("{}: bars {} to {} are not among its {}", name, first + 1, last, gap.bars);
  }
  const BarGrid grid(score, by_signature);
  gap.begin = grid.Line(first);
  gap.end = grid.Line(last);
  if (first > 0) {
    CONTINUO_ASSIGN(Prompt prompt, TakePrompt(score, first, tokenizer, name));
    gap.prompt = std::move(prompt.ids);
  }
  return gap;
}

Score FillGap(const Gap& gap, std::span<const TokenId> ids, const Tokenizer& tokenizer) {
  Score filled = gap.score;
  for (Track& track : filled.tracks) {
    if (track.is_drum && !tokenizer.one_stream()) {
      continue;
    }
    std::erase_if(track.notes, [&](const Note& note) { return note.time >= gap.begin && note.time < gap.end; });
    LiftPedal(track, gap.begin, gap.end);
  }
  const std::vector<std::vector<TokenId>> streams(1, {ids.begin(), ids.end()});
  const Score decoded = tokenizer.Decode(streams);
  const Score part = NewPart(decoded, BarLine(decoded, gap.first, BySignature(tokenizer)), gap.score.ticks_per_quarter);
  for (const Track& track : part.tracks) {
    std::vector<Note> notes;
    for (Note note : track.notes) {
      note.time += gap.begin;
      if (note.time < gap.end) {
        note.duration = std::min(note.duration, gap.end - note.time);
        notes.push_back(note);
      }
    }
    AppendSorted(HomeOf(filled, track, tokenizer).notes, notes);
  }
  return filled;
}

Result<double> FollowingNll(const Gap& gap, const Score& filled, const LanguageModel& model,
                            const Tokenizer& tokenizer) {
  const std::vector<std::vector<TokenId>> streams = tokenizer.Encode(ReadableScore(filled, tokenizer));
  CONTINUO_CHECK(streams.size() == 1);
  const size_t start = gap.first - std::min(gap.first, kBarsBefore);
  std::vector<TokenId> ids = tokenizer.WindowFromBar(streams.front(), start);
  std::vector<size_t> offsets = tokenizer.BarOffsets(ids);
  // The bars to measure, counted in the window.
  size_t from = gap.last - start;
  size_t to = std::min(gap.last + kBarsAfter, gap.bars) - start;
  if (gap.last == gap.bars) {
    from = gap.first - start;
    to = gap.last - start;
  }
  if (to < offsets.size()) {
    ids.resize(offsets[to]);
  }
  CONTINUO_ASSIGN(const Likelihood likelihood, MeasureLikelihood(model, tokenizer, ids, NoProgress()));
  const size_t begin = from < offsets.size() ? offsets[from] : ids.size();
  if (begin >= ids.size()) {
    return MakeError("bars {} to {}: the bars after them have no tokens to measure", gap.first + 1, gap.last);
  }
  const auto first = likelihood.token_nll.begin() + static_cast<std::ptrdiff_t>(begin);
  return std::accumulate(first, likelihood.token_nll.end(), 0.0) / static_cast<double>(ids.size() - begin);
}

}  // namespace continuo
