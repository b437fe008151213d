#include "continuo/compose/limit_constraint.h"

#include <algorithm>
#include <cstdlib>

#include "continuo/compose/bar_position.h"

namespace continuo {
namespace {

constexpr int kNoCeiling = 128;

bool AnyAllowed(std::span<const uint8_t> allowed) {
  return std::find(allowed.begin(), allowed.end(), 1) != allowed.end();
}

template <typename Limit>
const Limit* LastFor(const std::vector<Limit>& limits, size_t bar) {
  const auto found =
      std::find_if(limits.rbegin(), limits.rend(), [bar](const Limit& limit) { return limit.bars.Contains(bar); });
  return found == limits.rend() ? nullptr : &*found;
}

std::string BarsText(const BarSpan& bars) {
  return bars.last == SIZE_MAX         ? fmt::format("bar {} on", bars.first + 1)
         : bars.last == bars.first + 1 ? fmt::format("bar {}", bars.last)
                                       : fmt::format("bars {} to {}", bars.first + 1, bars.last);
}

/// Of the ids of a type that are allowed, those whose value is nearest to `value`.
void AllowNearest(TokenType type, int value, const Vocabulary& vocabulary, std::span<uint8_t> allowed) {
  int best = INT32_MAX;
  ForbidWhere(vocabulary.range(type), allowed, [&](TokenId id) {
    if (allowed[static_cast<size_t>(id)] != 0) {
      best = std::min(best, std::abs(vocabulary.info(id).value - value));
    }
    return false;
  });
  ForbidWhere(vocabulary.range(type), allowed,
              [&](TokenId id) { return std::abs(vocabulary.info(id).value - value) != best; });
}

/// The shortest distance of two times that tokens can name, in a signature of quarter notes.
int32_t Step(const StreamState& state) {
  return state.has_bar_tokens() ? state.meter().ticks_per_position() : state.meter().time_table().min_ticks();
}

/// Whether a grid of `parts` of a whole note lies on the ticks where tokens can put notes.
bool HasGrid(const StreamState& state, int parts) {
  const int32_t whole = 4 * state.ticks_per_quarter();
  if (whole % parts != 0) {
    return false;
  }
  const int32_t step = whole / parts;
  return state.has_bar_tokens() ? step % state.meter().ticks_per_position() == 0
                                : state.meter().time_table().Reaches(step);
}

/// Where a Position token with this TokenInfo::value would lead.
int32_t TickOfPosition(const StreamState& state, int32_t position) {
  return state.has_bar_tokens() ? state.tick_at_bar() + position * state.meter().ticks_per_position()
                                : AddTicks(state.shift().tick_at_pertok_bar(), position);
}

/// Limits that a MicroTiming must leave alone need one that does.
Status CheckPerTok(const MusicLimits& limits, const Vocabulary& vocabulary) {
  if (limits.keep_top) {
    return MakeError(
        "keep_top is not supported for PerTok, whose tokens of time do not lead to every tick at which a note that is "
        "kept may begin");
  }
  if (vocabulary.has(TokenType::kMicroTiming) && !vocabulary.id(TokenType::kMicroTiming, 0)) {
    for (const auto& [name, is_set] :
         {std::pair("grid", !limits.grid.empty()), std::pair("max_polyphony", !limits.max_polyphony.empty())}) {
      if (is_set) {
        return MakeError("{} needs MicroTiming_0, which the model's tokens do not have", name);
      }
    }
  }
  return {};
}

}  // namespace

LimitConstraint::LimitConstraint(const MusicLimits& limits, const Tokenizer& tokenizer, const Place& place,
                                 std::vector<KeptNote> kept)
    : tokenizer_(&tokenizer),
      vocabulary_(&tokenizer.vocabulary()),
      limits_(std::make_shared<const MusicLimits>(limits)),
      place_(place),
      kept_(std::make_shared<const std::vector<KeptNote>>(std::move(kept))),
      state_(tokenizer.NewState()),
      grammar_(vocabulary_->has(TokenType::kProgram) ? tokenizer.NewGrammar() : nullptr) {}

std::unique_ptr<TokenConstraint> LimitConstraint::Clone() const {
  return std::make_unique<LimitConstraint>(*this);
}

LimitConstraint::Rules LimitConstraint::RulesOf(const MusicLimits& limits, size_t bar) {
  Rules rules;
  if (const ScaleLimit* scale = LastFor(limits.scale, bar)) {
    rules.pitch_classes = scale->pitch_classes;
  }
  if (const RangeLimit* range = LastFor(limits.range, bar)) {
    rules.low = range->low;
    rules.high = range->high;
  }
  if (const CountLimit* grid = LastFor(limits.grid, bar)) {
    rules.grid = grid->value;
  }
  if (const CountLimit* notes = LastFor(limits.max_notes, bar)) {
    rules.max_notes = notes->value;
  }
  if (const CountLimit* polyphony = LastFor(limits.max_polyphony, bar)) {
    rules.max_polyphony = polyphony->value;
  }
  return rules;
}

Status LimitConstraint::CheckBars(std::string_view name, const BarSpan& bars, const Place& place) {
  if (bars.first >= place.bars || bars.last <= place.first_bar) {
    return MakeError("{} is for {}, but the bars that are written are {} to {}", name, BarsText(bars),
                     place.first_bar + 1, place.bars);
  }
  return {};
}

Status LimitConstraint::CheckPitches(size_t bar) const {
  const Rules rules = RulesOf(*limits_, bar);
  int low = 127;
  int high = 0;
  if (is_beat()) {
    low = tokenizer_->config().pitch_range[0];
    high = tokenizer_->config().pitch_range[1];
  }
  const IdRange ids = vocabulary_->range(TokenType::kPitch);
  for (TokenId id = ids.first; id < ids.end(); ++id) {
    low = std::min(low, vocabulary_->info(id).value);
    high = std::max(high, vocabulary_->info(id).value);
  }
  for (int pitch = low; pitch <= high; ++pitch) {
    if (rules.Allows(pitch)) {
      return {};
    }
  }
  return MakeError(
      "range {}:{} and scale leave no note in bar {}: the model writes MIDI keys {} to {}, and none of these is in "
      "both",
      rules.low, rules.high, bar + 1, low, high);
}

Result<LimitConstraint> LimitConstraint::Create(const MusicLimits& limits, const Tokenizer& tokenizer,
                                                const Place& place, std::vector<KeptNote> kept) {
  LimitConstraint result(limits, tokenizer, place, std::move(kept));
  if (limits.keep_top && result.is_beat()) {
    return MakeError(
        "keep_top is not supported for BEAT, whose tokens say in each beat again what each key does: a note that is "
        "kept would be spread over the beats that it lasts");
  }
  if (tokenizer.config().kind == TokenizationKind::kPerTok) {
    CONTINUO_TRY(CheckPerTok(limits, *result.vocabulary_));
  }
  std::vector<size_t> changes = {place.first_bar};  // bars in which other limits come into force
  const auto check = [&](std::string_view name, const BarSpan& bars) -> Status {
    CONTINUO_TRY(CheckBars(name, bars, place));
    for (const size_t bar : {bars.first, bars.last}) {
      if (bar > place.first_bar && bar < place.bars) {
        changes.push_back(bar);
      }
    }
    return {};
  };
  for (const ScaleLimit& scale : limits.scale) {
    CONTINUO_TRY(check("scale", scale.bars));
  }
  for (const RangeLimit& range : limits.range) {
    CONTINUO_TRY(check("range", range.bars));
  }
  for (const CountLimit& grid : limits.grid) {
    CONTINUO_TRY(check("grid", grid.bars));
    const StreamState state = tokenizer.NewState();
    if (!HasGrid(state, grid.value)) {
      std::string others;
      for (const int parts : {16, 8, 12}) {
        if (HasGrid(state, parts)) {
          others += (others.empty() ? "" : " or ") + std::to_string(parts);
        }
      }
      return Error{
          fmt::format("grid is {}, but the model's tokens ({}) divide a quarter note into {} parts", grid.value,
                      RepresentationName(tokenizer.config()), state.ticks_per_quarter() / Step(state)),
          others.empty() ? "this model has no such grid" : fmt::format("this model has the grid {}", others)};
    }
  }
  for (const CountLimit& notes : limits.max_notes) {
    CONTINUO_TRY(check("max_notes", notes.bars));
  }
  for (const CountLimit& polyphony : limits.max_polyphony) {
    CONTINUO_TRY(check("max_polyphony", polyphony.bars));
  }
  for (const size_t bar : changes) {
    CONTINUO_TRY(result.CheckPitches(bar));
  }
  return result;
}

int32_t LimitConstraint::LineOf(int64_t bar) const {
  return AddTicks(state_.tick_at_bar(), (bar - this->bar()) * BarTicks());
}

bool LimitConstraint::OnGrid(int grid, int32_t ticks_into_bar) const {
  return grid == 0 || ticks_into_bar % (4 * state_.ticks_per_quarter() / grid) == 0;
}

int LimitConstraint::PolyphonyAt(int32_t tick) const {
  if (!note_off_stream()) {
    return static_cast<int>(
        std::count_if(sounding_.begin(), sounding_.end(), [tick](const Sounding& note) { return note.end > tick; }));
  }
  const auto is_new = [&](const StreamState::SoundingNote& note) {
    return std::find(kept_sounding_.begin(), kept_sounding_.end(), std::pair(note.onset, note.pitch)) ==
           kept_sounding_.end();
  };
  // Those of the prompt are not counted: they begin before the first new bar.
  return static_cast<int>(
      std::count_if(state_.sounding().begin(), state_.sounding().end(),
                    [&](const StreamState::SoundingNote& note) { return note.onset >= new_from_ && is_new(note); }));
}

bool LimitConstraint::MayStrike(int32_t tick) const {
  const int32_t into_bar = tick - state_.tick_at_bar();
  const int64_t there = bar() + into_bar / BarTicks();
  if (there < static_cast<int64_t>(place_.first_bar)) {
    return true;
  }
  const Rules rules = RulesOf(*limits_, static_cast<size_t>(there));
  if (!OnGrid(rules.grid, into_bar % BarTicks()) || (there == counted_bar_ && notes_in_bar_ >= rules.max_notes)) {
    return false;
  }
  // Note-offs can always make room before a later note.
  return (note_off_stream() && tick > state_.tick()) || PolyphonyAt(tick) < rules.max_polyphony;
}

int32_t LimitConstraint::LastStrike() const {
  const Rules rules = RulesOf(*limits_, place_.bars - 1);
  const int32_t quarter = state_.ticks_per_quarter();
  int32_t step = rules.grid == 0 ? 1 : 4 * quarter / rules.grid;
  if (state_.has_bar_tokens()) {
    const int32_t position = state_.meter().ticks_per_position();
    while (step % position != 0) {  // a beat longer than a quarter note has fewer positions
      step += rules.grid == 0 ? 1 : 4 * quarter / rules.grid;
    }
  }
  return LastBarTick() + (BarTicks() - 1) / step * step;
}

bool LimitConstraint::LeavesLastNote(int32_t tick) const {
  return last_bar_has_note_ || tick <= LastStrike();
}

bool LimitConstraint::AtKeptNote() const {
  return writing_ && next_kept_ < kept_->size() && (*kept_)[next_kept_].tick == state_.tick() &&
         (!state_.has_bar_tokens() || position_ >= 0);
}

int LimitConstraint::Ceiling() const {
  if (kept_->empty()) {
    return kNoCeiling;
  }
  size_t above = next_kept_;
  if (!AtKeptNote() && next_kept_ > 0) {
    above = next_kept_ - 1;
  }
  return (*kept_)[std::min(above, kept_->size() - 1)].pitch;
}

void LimitConstraint::RestrictNotes(std::span<uint8_t> allowed) const {
  const bool may_strike = MayStrike(state_.tick());
  const int program = state_.program();
  std::optional<TokenId> kept;  // what is due now is exempt
  if (AtKeptNote() && IsKeptProgram(program)) {
    kept = vocabulary_->id(TokenType::kPitch, (*kept_)[next_kept_].pitch);
  }
  if (!may_strike) {
    for (const TokenType type : {TokenType::kPitch, TokenType::kPitchDrum, TokenType::kNoteChord}) {
      ForbidWhere(vocabulary_->range(type), allowed, [&](TokenId id) { return id != kept; });
    }
    return;
  }
  if (grammar_ && program == -1) {
    return;  // drums; without programs, tokens of drums are notes like others
  }
  const Rules rules = RulesOf(*limits_, static_cast<size_t>(bar()));
  const IdRange pitches = vocabulary_->range(TokenType::kPitch);
  int ceiling = Ceiling();
  bool any_below = false;
  for (TokenId id = pitches.first; id < pitches.end(); ++id) {
    const int pitch = vocabulary_->info(id).value;
    any_below = any_below || (pitch < ceiling && rules.Allows(pitch));
  }
  if (!any_below) {
    ceiling = kNoCeiling;
  }
  for (const TokenType type : {TokenType::kPitch, TokenType::kPitchDrum}) {
    ForbidWhere(vocabulary_->range(type), allowed, [&](TokenId id) {
      const int pitch = vocabulary_->info(id).value;
      return id != kept && (pitch >= ceiling || !rules.Allows(pitch));
    });
  }
}

void LimitConstraint::RestrictPrograms(std::span<uint8_t> allowed) const {
  if (!grammar_ || MayStrike(state_.tick())) {
    return;
  }
  const bool at_kept = AtKeptNote();
  std::vector<uint8_t> next(allowed.size());
  const bool must_make_room = note_off_stream() && bar() == last_bar() && !last_bar_has_note_;
  ForbidWhere(vocabulary_->range(TokenType::kProgram), allowed, [&](TokenId id) {
    if (allowed[static_cast<size_t>(id)] == 0 || (at_kept && IsKeptProgram(vocabulary_->info(id).value))) {
      return false;
    }
    const std::unique_ptr<Grammar> after = grammar_->Clone();
    if (!after->Advance(id)) {
      return false;
    }
    after->Allowed(next);
    // Whatever is left but notes.
    for (TokenId other = 0; static_cast<size_t>(other) < next.size(); ++other) {
      const TokenType type = vocabulary_->info(other).type;
      const bool ends = type == TokenType::kNoteOff || type == TokenType::kDrumOff;
      const bool note = vocabulary_->begins_note(other) || type == TokenType::kNoteChord;
      if (next[static_cast<size_t>(other)] != 0 && (must_make_room ? ends : !note)) {
        return false;
      }
    }
    return true;
  });
  if (must_make_room) {  // in MidiTok's order no note can end after these at the same time
    for (const TokenType type : {TokenType::kPedal, TokenType::kPedalOff, TokenType::kPitchBend}) {
      Forbid(type, *vocabulary_, allowed);
    }
  }
}

void LimitConstraint::RestrictDurations(std::span<uint8_t> allowed) const {
  if (!begun_ || bar() >= last_bar()) {
    return;
  }
  const int32_t line = LastBarTick();
  if (PolyphonyAt(line) + 1 < RulesOf(*limits_, place_.bars - 1).max_polyphony) {
    return;
  }
  const IdRange durations = vocabulary_->range(TokenType::kDuration);
  TokenId shortest = kNoToken;
  for (TokenId id = durations.first; id < durations.end() && shortest == kNoToken; ++id) {
    shortest = allowed[static_cast<size_t>(id)] != 0 ? id : kNoToken;
  }
  ForbidWhere(durations, allowed, [&](TokenId id) {
    return id != shortest && begun_->end + state_.meter().TimeTicks(vocabulary_->info(id).value) > line;
  });
}

void LimitConstraint::RestrictSignatures(std::span<uint8_t> allowed) const {
  if (place_.last_bar_tick || note_off_stream() || !vocabulary_->has(TokenType::kTimeSig)) {
    return;
  }
  const int most = RulesOf(*limits_, place_.bars - 1).max_polyphony;
  if (most == INT32_MAX) {
    return;
  }
  // Shorter bars must not bring the last one under notes that leave no room in it.
  ForbidWhere(vocabulary_->range(TokenType::kTimeSig), allowed, [&](TokenId id) {
    const TimeSignature& signature = vocabulary_->time_signature(id);
    const int64_t ticks =
        int64_t{std::max(1, state_.ticks_per_quarter() * 4 / signature.denominator)} * signature.numerator;
    return PolyphonyAt(AddTicks(state_.tick_at_bar(), (last_bar() - bar()) * ticks)) >= most;
  });
}

void LimitConstraint::RestrictOnset(std::span<uint8_t> allowed) const {
  const Rules rules = RulesOf(*limits_, static_cast<size_t>(bar()));
  ForbidWhere(vocabulary_->range(TokenType::kMicroTiming), allowed, [&](TokenId id) {
    const int32_t micro_timing = vocabulary_->info(id).value;
    const int32_t into_bar = state_.tick() + micro_timing - state_.tick_at_bar();
    return into_bar < 0 || into_bar >= BarTicks() || !OnGrid(rules.grid, into_bar) ||
           (rules.max_polyphony < INT32_MAX && micro_timing != 0);
  });
}

void LimitConstraint::RestrictTime(bool strict, std::span<uint8_t> allowed) const {
  const bool pedal_down = AnyPedalDown();
  const bool note_offs_due = note_off_stream() && !state_.sounding().empty();
  const int32_t kept = writing_ && next_kept_ < kept_->size() ? (*kept_)[next_kept_].tick : -1;
  const int32_t last_line = LastBarTick();
  const auto passes_last_note = [&](int32_t tick) { return tick >= last_line && !LeavesLastNote(tick); };

  const IdRange positions = vocabulary_->range(TokenType::kPosition);
  TokenId latest = kNoToken;
  ForbidWhere(positions, allowed, [&](TokenId id) {
    const int32_t tick = TickOfPosition(state_, vocabulary_->info(id).value);
    if (allowed[static_cast<size_t>(id)] == 0 || passes_last_note(tick) ||
        (strict && tick != kept && !pedal_down && !MayStrike(tick))) {
      return true;
    }
    latest = id;
    return false;
  });
  if (!strict) {  // only that is left which another constraint requires
    ForbidWhere(positions, allowed, [latest](TokenId id) { return id != latest; });
  }

  const int32_t end = last_line + BarTicks();
  const bool begins_notes = vocabulary_->has(TokenType::kNoShift);  // a TimeShift does, or ends the piece
  const auto closed = [&](int32_t tick) {
    const bool at_end = begins_notes ? tick >= end : tick == end;
    return strict && tick != kept && !at_end && !note_offs_due && !pedal_down && !MayStrike(tick);
  };
  ForbidWhere(vocabulary_->range(TokenType::kTimeShift), allowed, [&](TokenId id) {
    if (allowed[static_cast<size_t>(id)] == 0) {
      return true;
    }
    const int32_t tick = state_.tick() + state_.meter().TimeTicks(vocabulary_->info(id).value);
    return passes_last_note(tick) || closed(tick);
  });
  if (closed(state_.tick())) {  // the next note would begin here
    Forbid(TokenType::kNoShift, *vocabulary_, allowed);
  }
  ForbidWhere(vocabulary_->range(TokenType::kRest), allowed, [&](TokenId id) {
    if (allowed[static_cast<size_t>(id)] == 0) {
      return true;
    }
    const int32_t tick = state_.TickAfterRest(vocabulary_->info(id).value);
    return passes_last_note(tick) || (!state_.has_bar_tokens() && closed(tick));
  });
}

bool LimitConstraint::RestrictToKept(std::span<uint8_t> allowed) const {
  const auto any_of = [&](TokenType type) {
    const IdRange ids = vocabulary_->range(type);
    return AnyAllowed(allowed.subspan(static_cast<size_t>(ids.first), static_cast<size_t>(ids.count)));
  };
  if (forced_ != nullptr && (any_of(TokenType::kVelocity) || any_of(TokenType::kDuration))) {
    AllowNearest(TokenType::kVelocity, forced_->velocity, *vocabulary_, allowed);
    TokenId best = kNoToken;
    int32_t difference = INT32_MAX;
    const IdRange durations = vocabulary_->range(TokenType::kDuration);
    for (TokenId id = durations.first; id < durations.end(); ++id) {
      const int32_t ticks = state_.meter().TimeTicks(vocabulary_->info(id).value);
      if (allowed[static_cast<size_t>(id)] != 0 && std::abs(ticks - forced_->duration) < difference) {
        best = id;
        difference = std::abs(ticks - forced_->duration);
      }
    }
    if (best != kNoToken) {
      AllowOnly(best, allowed);
    }
    return AnyAllowed(allowed);
  }
  if (next_kept_ == kept_->size()) {
    return true;
  }
  const int32_t due = (*kept_)[next_kept_].tick;
  const bool here = AtKeptNote();
  const int32_t latest = here ? state_.tick() - 1 : due;  // to which time may move
  if (here || !state_.has_bar_tokens() || due < state_.tick_at_bar() + BarTicks()) {
    if (state_.bar() >= 0) {
      Forbid(TokenType::kBar, *vocabulary_, allowed);
      Forbid(TokenType::kBarEnd, *vocabulary_, allowed);
      if (const std::optional<TokenId> eos = vocabulary_->eos()) {
        allowed[static_cast<size_t>(*eos)] = 0;
      }
    }
  }
  if (here && grammar_) {  // what another program writes at this time comes later
    for (const TokenType type : {TokenType::kProgram, TokenType::kPedal, TokenType::kPedalOff}) {
      ForbidWhere(vocabulary_->range(type), allowed,
                  [&](TokenId id) { return !IsKeptProgram(vocabulary_->info(id).value); });
    }
  }
  if (state_.has_bar_tokens()) {
    ForbidWhere(vocabulary_->range(TokenType::kPosition), allowed,
                [&](TokenId id) { return TickOfPosition(state_, vocabulary_->info(id).value) > latest; });
  }
  ForbidWhere(vocabulary_->range(TokenType::kTimeShift), allowed, [&](TokenId id) {
    return state_.tick() + state_.meter().TimeTicks(vocabulary_->info(id).value) > latest;
  });
  ForbidWhere(vocabulary_->range(TokenType::kRest), allowed,
              [&](TokenId id) { return state_.TickAfterRest(vocabulary_->info(id).value) > latest; });
  return AnyAllowed(allowed);
}

int32_t LimitConstraint::TickOfStep(size_t step) const {
  return state_.tick() + static_cast<int32_t>(step) * (state_.meter().ticks_per_beat() / kBeatSteps);
}

bool LimitConstraint::MayStrikeStep(size_t step) const {
  const Rules rules = RulesOf(*limits_, static_cast<size_t>(bar()));
  return OnGrid(rules.grid, TickOfStep(step) - state_.tick_at_bar()) && sounding_steps_[step] < rules.max_polyphony &&
         (bar() != counted_bar_ || notes_in_bar_ < rules.max_notes);
}

bool LimitConstraint::MayStrikeInBeat() const {
  for (size_t step = 0; step < sounding_steps_.size(); ++step) {
    if (MayStrikeStep(step)) {
      return true;
    }
  }
  return false;
}

bool LimitConstraint::MustStrikeInBeat() const {
  // In the last bar a note must begin while the grid has a place for one.
  return bar() == last_bar() && !last_bar_has_note_ && MayStrikeInBeat() &&
         state_.tick() + state_.meter().ticks_per_beat() > LastStrike();
}

bool LimitConstraint::HasRoomToGoOn() const {
  const Rules rules = RulesOf(*limits_, static_cast<size_t>(bar()));
  return !MustStrikeInBeat() && sounding_steps_[0] < rules.max_polyphony;
}

/// Whether the track under way may write a key: a new note, or one that goes on.
bool LimitConstraint::AllowsKey(int key) const {
  const int program = state_.program();
  const bool allowed = program == -1 || RulesOf(*limits_, static_cast<size_t>(bar())).Allows(key);
  const auto track = tracks_of_program_.find(program);
  const int number = track == tracks_of_program_.end() ? 0 : track->second;
  return (allowed && MayStrikeInBeat()) || (HasRoomToGoOn() && sounding_keys_.contains({program, number, key}));
}

bool LimitConstraint::AllowsPattern(int pattern, bool must_strike) const {
  const Rules rules = RulesOf(*limits_, static_cast<size_t>(bar()));
  const bool may_strike = state_.program() == -1 || rules.Allows(state_.key());
  int onsets = 0;
  for (size_t step = 0; step < sounding_steps_.size(); ++step) {
    const BeatDigit digit = BeatDigitOf(pattern, step);
    if (digit == kOnsetStep && (!may_strike || !MayStrikeStep(step))) {
      return false;
    }
    if (digit != kSilentStep && sounding_steps_[step] >= rules.max_polyphony) {
      return false;
    }
    onsets += digit == kOnsetStep ? 1 : 0;
  }
  const int notes = bar() == counted_bar_ ? notes_in_bar_ : 0;
  return (onsets > 0 || !must_strike) && (onsets == 0 || notes <= rules.max_notes - onsets);
}

void LimitConstraint::LimitBeat(std::span<uint8_t> allowed) const {
  if (!in_beat_) {
    return;
  }
  const bool must_strike = MustStrikeInBeat();
  ForbidWhere(vocabulary_->range(TokenType::kPattern), allowed,
              [&](TokenId id) { return !AllowsPattern(vocabulary_->info(id).value, must_strike); });
  for (const TokenType type : {TokenType::kKey, TokenType::kDrumKey}) {
    ForbidWhere(vocabulary_->range(type), allowed,
                [&](TokenId id) { return !AllowsKey(state_.KeyAfter(vocabulary_->info(id))); });
  }
  if (must_strike) {
    Forbid(TokenType::kSilence, *vocabulary_, allowed);
    Forbid(TokenType::kBeat, *vocabulary_, allowed);
  }
  if (MayStrikeInBeat()) {
    return;
  }
  // Tracks that have no key to go on with, unless they must say so.
  std::vector<uint8_t> next(allowed.size());
  ForbidWhere(vocabulary_->range(TokenType::kProgram), allowed, [&](TokenId id) {
    const int program = vocabulary_->info(id).value;
    const auto track = tracks_of_program_.find(program);
    const int number = track == tracks_of_program_.end() ? 1 : track->second + 1;
    const auto sounding = sounding_keys_.lower_bound({program, number, 0});
    if (allowed[static_cast<size_t>(id)] == 0 ||
        (HasRoomToGoOn() && sounding != sounding_keys_.end() && std::get<0>(*sounding) == program &&
         std::get<1>(*sounding) == number)) {
      return false;
    }
    const std::unique_ptr<Grammar> after = grammar_->Clone();
    if (!after->Advance(id)) {
      return false;
    }
    after->Allowed(next);
    const IdRange silence = vocabulary_->range(TokenType::kSilence);
    return next[static_cast<size_t>(silence.first)] == 0;
  });
}

void LimitConstraint::AdvanceBeat(const TokenInfo& token) {
  switch (token.type) {
    case TokenType::kBar:
      in_beat_ = false;
      break;
    case TokenType::kBeat:
      in_beat_ = true;
      sounding_keys_ = std::exchange(held_keys_, {});
      sounding_steps_.fill(0);
      tracks_of_program_.clear();
      break;
    case TokenType::kProgram:
      ++tracks_of_program_[token.value];
      break;
    case TokenType::kPattern:
      for (size_t step = 0; step < sounding_steps_.size(); ++step) {
        const BeatDigit digit = BeatDigitOf(token.value, step);
        sounding_steps_[step] += digit != kSilentStep ? 1 : 0;
        if (digit == kOnsetStep && writing_) {
          ++notes_in_bar_;
          last_bar_has_note_ = last_bar_has_note_ || bar() == last_bar();
        }
      }
      if (BeatDigitOf(token.value, sounding_steps_.size() - 1) != kSilentStep) {
        held_keys_.emplace(state_.program(), tracks_of_program_[state_.program()], state_.key());
      }
      break;
    default:
      break;
  }
}

void LimitConstraint::Limit(bool strict, std::span<uint8_t> allowed) const {
  if (is_beat()) {
    LimitBeat(allowed);
    return;
  }
  RestrictNotes(allowed);
  RestrictPrograms(allowed);
  RestrictDurations(allowed);
  RestrictSignatures(allowed);
  RestrictOnset(allowed);
  RestrictTime(strict, allowed);
}

void LimitConstraint::Restrict(std::span<uint8_t> allowed) const {
  if (!writing_) {
    return;
  }
  const std::vector<uint8_t> given(allowed.begin(), allowed.end());
  if (!kept_->empty() && RestrictToKept(allowed)) {
    Limit(/*strict=*/true, allowed);
    if (AnyAllowed(allowed)) {
      return;
    }
  }
  std::copy(given.begin(), given.end(), allowed.begin());
  Limit(/*strict=*/true, allowed);
  if (!AnyAllowed(allowed)) {
    std::copy(given.begin(), given.end(), allowed.begin());
    Limit(/*strict=*/false, allowed);
  }
}

bool LimitConstraint::AnyPedalDown() const {
  if (!vocabulary_->has(TokenType::kPedal)) {
    return false;
  }
  for (int program = -1; program < 128; ++program) {
    if (state_.pedal_is_down(program)) {
      return true;
    }
  }
  return false;
}

bool LimitConstraint::PitchesAlone() const {
  const auto changes = [this](const auto& limit) {
    const auto lies_ahead = [this](size_t bar) { return bar > static_cast<size_t>(this->bar()) && bar < place_.bars; };
    return lies_ahead(limit.bars.first) || lies_ahead(limit.bars.last);
  };
  return limits_->grid.empty() && limits_->max_notes.empty() && limits_->max_polyphony.empty() && kept_->empty() &&
         std::none_of(limits_->scale.begin(), limits_->scale.end(), changes) &&
         std::none_of(limits_->range.begin(), limits_->range.end(), changes);
}

bool LimitConstraint::RestrictIds(const IdTrie& trie, std::span<uint8_t> allowed) const {
  // Programs may be of drums, and rests could lead past the last bar's note.
  if (!writing_ || grammar_ || vocabulary_->has(TokenType::kRest) || !PitchesAlone()) {
    return false;
  }
  const Rules rules = RulesOf(*limits_, static_cast<size_t>(bar()));
  for (const TokenType type : {TokenType::kPitch, TokenType::kPitchDrum}) {
    ForbidIdsHaving(vocabulary_->range(type), trie, allowed,
                    [&](TokenId token) { return !rules.Allows(vocabulary_->info(token).value); });
  }
  return true;
}

void LimitConstraint::Advance(TokenId id) {
  const TokenInfo& token = vocabulary_->info(id);
  const int32_t before = state_.tick();
  state_.Advance(id);
  if (grammar_) {
    grammar_->Advance(id);
  }
  if (token.type == TokenType::kBar || state_.tick() != before) {
    position_ = -1;
  }
  if (token.type == TokenType::kPosition) {
    position_ = token.value;
  }
  if (writing_ && bar() != counted_bar_) {
    counted_bar_ = bar();
    notes_in_bar_ = 0;
  }
  if (is_beat()) {
    AdvanceBeat(token);
  }
  if (!writing_) {
    return;
  }
  const int32_t now = state_.tick();
  std::erase_if(sounding_, [now](const Sounding& note) { return note.end <= now; });
  while (next_kept_ < kept_->size() && (*kept_)[next_kept_].tick < now) {
    ++next_kept_;  // passed over
  }
  if (token.type == TokenType::kMicroTiming && begun_) {
    begun_->end = AddTicks(now, token.value);
  }
  if (token.type == TokenType::kDuration && begun_) {
    begun_->end = AddTicks(begun_->end, state_.meter().TimeTicks(token.value));
    sounding_.push_back(*begun_);
  }
  if (token.type != TokenType::kVelocity && token.type != TokenType::kMicroTiming) {
    begun_.reset();
    forced_ = nullptr;
  }
  if (!vocabulary_->begins_note(id)) {
    return;
  }
  last_bar_has_note_ = last_bar_has_note_ || bar() == last_bar();
  const int program = state_.program();
  if (AtKeptNote() && token.type == TokenType::kPitch && token.value == (*kept_)[next_kept_].pitch &&
      IsKeptProgram(program)) {
    forced_ = &(*kept_)[next_kept_++];
    if (note_off_stream()) {
      kept_sounding_.emplace_back(now, token.value);
    }
    return;
  }
  ++notes_in_bar_;
  if (note_off_stream()) {
    return;
  }
  for (Sounding& note : sounding_) {  // ends where its pitch is struck again
    if (note.program == program && note.pitch == token.value) {
      note.end = now;
    }
  }
  const int drums_or_program = token.type == TokenType::kPitchDrum ? -1 : program;
  if (UsesDurations(drums_or_program)) {
    begun_ = Sounding{now, program, token.value};
  } else {
    const double beats = tokenizer_->config().default_note_duration;
    const IdRange timings = vocabulary_->range(TokenType::kMicroTiming);
    const int32_t latest = timings.count == 0 ? now : AddTicks(now, vocabulary_->info(timings.end() - 1).value);
    sounding_.push_back(
        {AddTicks(latest, static_cast<int32_t>(beats * state_.meter().ticks_per_beat())), program, token.value});
  }
}

void LimitConstraint::BeginBar(size_t /*bar*/) {
  if (writing_) {
    return;
  }
  writing_ = true;
  new_from_ = state_.bar() < 0 ? 0 : state_.tick_at_bar();
  if (grammar_) {
    grammar_->SetTarget({place_.bars});
  }
}

bool LimitConstraint::UsesDurations(int program) const {
  const std::vector<int>& programs = tokenizer_->config().use_note_duration_programs;
  return std::find(programs.begin(), programs.end(), program) != programs.end();
}

}  // namespace continuo
