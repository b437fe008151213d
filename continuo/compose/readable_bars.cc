#include "continuo/compose/readable_bars.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "continuo/compose/score_parts.h"
#include "continuo/compose/voices.h"
#include "continuo/core/check.h"
#include "continuo/token/representation.h"
#include "continuo/token/stream_state.h"
#include "continuo/token/tokenizer_config.h"

namespace continuo {
namespace {

/// The most parts that a tick is divided into, more than the bar lines of any known signature need.
constexpr int64_t kMostParts = 1024;

/// Whether a bar of a signature lasts `ticks`.
bool Lasts(const TimeSignature& signature, const TickFraction& ticks, int64_t ticks_per_quarter) {
  return 4 * ticks_per_quarter * signature.numerator * ticks.denominator == ticks.numerator * signature.denominator;
}

bool IsPerTok(const Tokenizer& tokenizer) {
  return tokenizer.config().kind == TokenizationKind::kPerTok;
}

/// The signatures of a tokenizer; 4/4 for one without.
std::vector<TimeSignature> Known(const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const IdRange ids = vocabulary.range(TokenType::kTimeSig);
  std::vector<TimeSignature> known;
  for (TokenId id = ids.first; id < ids.end(); ++id) {
    known.push_back(vocabulary.time_signature(id));
  }
  if (known.empty()) {
    known.emplace_back();
  }
  return known;
}

/// Those that bars are read as. In others PerTok's Bar tokens do not stand at bar lines.
std::vector<TimeSignature> Readable(const Tokenizer& tokenizer) {
  std::vector<TimeSignature> readable = Known(tokenizer);
  if (IsPerTok(tokenizer)) {
    std::erase_if(readable, [](const TimeSignature& signature) { return signature.denominator != 4; });
  }
  return readable;
}

std::string NamesOf(const std::vector<TimeSignature>& signatures) {
  std::string names;
  for (const TimeSignature& signature : signatures) {
    names += fmt::format("{}{}/{}", names.empty() ? "" : ", ", signature.numerator, signature.denominator);
  }
  return names;
}

/// The one of `known` that a bar is read as: its signature if that is as long, else one as long as
/// the bar, of the same denominator if possible.
std::optional<TimeSignature> ReadAs(const TimeSignature& signature, const TickFraction& ticks,
                                    int64_t ticks_per_quarter, const std::vector<TimeSignature>& known) {
  std::optional<TimeSignature> best;
  for (const TimeSignature& candidate : known) {
    if (!Lasts(candidate, ticks, ticks_per_quarter)) {
      continue;
    }
    const bool same = candidate.denominator == signature.denominator;
    if (same && candidate.numerator == signature.numerator) {
      return candidate;
    }
    if (!best || (same && best->denominator != signature.denominator)) {
      best = candidate;
    }
  }
  return best;
}

Error CannotRead(std::string_view name, size_t bar, Tick from, Tick to, const TimeSignature& signature, bool cut,
                 const Tokenizer& tokenizer) {
  std::string what =
      fmt::format("{}: bar {} (tick {}) is in {}/{}", name, bar + 1, from, signature.numerator, signature.denominator);
  if (cut) {
    what += fmt::format(" and is cut short by the time signature at tick {}", to);
  }
  const std::string names = NamesOf(Readable(tokenizer));
  return Error{
      what + fmt::format(", but the bars of the model's tokens {}", names.empty() ? "have no length" : "are " + names),
      "use a model of a preset with time signatures (remiplus has 1/4 to 6/4, 3/8, 6/8 and 12/8); "
      "`continuo inspect MODEL` lists those of a model"};
}

/// Into how many parts a tick must be divided so that the first bar lines are on them. Nothing if
/// times in these parts would not fit.
std::optional<int64_t> PartsOfLines(const BarGrid& grid, size_t bars, int32_t ticks_per_quarter) {
  int64_t parts = 1;
  for (size_t bar = 0; bar <= bars; ++bar) {
    parts = std::lcm(parts, grid.ExactLine(bar).denominator);
    if (parts > kMostParts) {
      return std::nullopt;
    }
  }
  constexpr int64_t kLast = std::numeric_limits<Tick>::max();
  const bool fit = (int64_t{grid.Line(bars)} + 1) * parts <= kLast && int64_t{ticks_per_quarter} * parts <= kLast;
  return parts == 1 || fit ? std::optional(parts) : std::nullopt;
}

/// A score in parts of its ticks, each time as far from its bar's exact line as from the rounded
/// one.
Score Divided(const Score& score, int64_t parts, const BarGrid& grid) {
  Score divided = SelectScore(
      score, [](Tick /*time*/) { return true; },
      [&](auto& event) {
        const TickFraction time = grid.ExactTime(event.time);
        event.time = static_cast<Tick>(time.numerator * (parts / time.denominator));
        if constexpr (requires { event.duration; }) {
          event.duration =
              static_cast<Tick>(std::min<int64_t>(event.duration * parts, std::numeric_limits<Tick>::max()));
        }
      });
  divided.ticks_per_quarter = static_cast<int32_t>(score.ticks_per_quarter * parts);
  return divided;
}

/// A track whose notes the tokenizer reads, with a note at `time` that is in its range.
Track NoteTrack(const Tokenizer& tokenizer, int32_t ticks_per_quarter, Tick time) {
  const TokenizerConfig& config = tokenizer.config();
  Track track;
  if (config.use_programs && !config.programs.empty()) {
    const int program = *std::max_element(config.programs.begin(), config.programs.end());
    track.is_drum = program < 0;
    track.program = static_cast<uint8_t>(std::max(program, 0));
  }
  const int pitch = std::clamp(60, config.pitch_range[0], std::max(config.pitch_range[0], config.pitch_range[1] - 1));
  track.notes.push_back({time, ticks_per_quarter, static_cast<uint8_t>(pitch), 64});
  return track;
}

/// The ids of a score up to a bar line, on which a note begins, if they reach it.
std::optional<std::vector<TokenId>> IdsUpToLine(const Score& score, size_t bars, Tick decoded_line,
                                                const Tokenizer& tokenizer) {
  std::vector<std::vector<TokenId>> streams = tokenizer.Encode(score);
  std::vector<TokenId> ids = streams.empty() ? std::vector<TokenId>() : std::move(streams.front());
  const std::vector<size_t> offsets = tokenizer.BarOffsets(ids);
  if (offsets.size() <= bars) {
    return std::nullopt;
  }
  size_t size = offsets[bars];
  // The tokens that open the bar and those that end notes there belong to the bars before.
  const auto opens = [&](TokenId id) {
    switch (tokenizer.vocabulary().info(id).type) {
      case TokenType::kBar:
      case TokenType::kBarEnd:
      case TokenType::kTimeSig:
      case TokenType::kNoteOff:
      case TokenType::kDrumOff:
        return true;
      default:
        return false;
    }
  };
  while (size < ids.size() && opens(ids[size])) {
    ++size;
  }
  ids.resize(size);
  StreamState state = tokenizer.NewState();
  for (const TokenId id : ids) {
    state.Advance(id);
  }
  if ((state.has_bar_tokens() ? state.tick_at_bar() : state.tick()) != decoded_line) {
    return std::nullopt;
  }
  // The time of a note begins it: the first new one is yet to choose its own (see
  // BarLineConstraint).
  if (tokenizer.vocabulary().has(TokenType::kNoShift) && !ids.empty()) {
    ids.pop_back();
  }
  return ids;
}

/// The same of PerTok, whose notes may begin before or after the time that the stream has come to:
/// up to what the tokens put on the line or after it.
std::optional<std::vector<TokenId>> PerTokIdsUpToLine(const Score& score, size_t bars, Tick decoded_line,
                                                      const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const auto is_pitch = [](TokenType type) { return type == TokenType::kPitch || type == TokenType::kPitchDrum; };
  std::vector<std::vector<TokenId>> streams = tokenizer.Encode(score);
  std::vector<TokenId> ids = streams.empty() ? std::vector<TokenId>() : std::move(streams.front());
  StreamState state = tokenizer.NewState();
  TokenType before = TokenType::kSpecial;
  size_t size = 0;  // what is before the last token of time
  size_t lines = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const TokenInfo& info = vocabulary.info(ids[i]);
    const bool is_bar = info.type == TokenType::kBar;
    const bool moves = is_bar || info.type == TokenType::kTimeShift || info.type == TokenType::kPosition;
    size = moves ? i : size;
    state.Advance(ids[i]);
    const int32_t shift = info.type == TokenType::kMicroTiming && is_pitch(before) ? info.value : 0;
    if (AddTicks(state.tick(), shift) >= decoded_line || (is_bar && ++lines == bars)) {
      break;
    }
    before = info.type;
  }
  ids.resize(size);
  const TokenId bar = *vocabulary.id(TokenType::kBar);
  ids.insert(ids.end(), bars - static_cast<size_t>(std::count(ids.begin(), ids.end(), bar)), bar);
  state = tokenizer.NewState();
  for (const TokenId id : ids) {
    state.Advance(id);
  }
  return state.tick() == decoded_line ? std::optional(std::move(ids)) : std::nullopt;
}

/// Ends notes where no token up to a bar line can tell: BEAT would write all their beats.
void EndHeldNotes(Score& score, Tick line) {
  const int64_t last = line + int64_t{4} * kMaxBeat * score.ticks_per_quarter;  // a beat is at most a whole note
  for (Track& track : score.tracks) {
    for (Note& note : track.notes) {
      note.duration = static_cast<Tick>(std::min<int64_t>(note.duration, last - note.time));
    }
  }
}

/// Ends notes where a time signature of another denominator begins.
void CutAtSignatures(Score& score) {
  std::vector<Tick> changes;
  for (size_t i = 1; i < score.time_signatures.size(); ++i) {
    if (score.time_signatures[i].denominator != score.time_signatures[i - 1].denominator) {
      changes.push_back(score.time_signatures[i].time);
    }
  }
  for (Track& track : score.tracks) {
    for (Note& note : track.notes) {
      const auto next = std::upper_bound(changes.begin(), changes.end(), note.time);
      if (next != changes.end()) {
        note.duration = std::min(note.duration, *next - note.time);
      }
    }
  }
}

}  // namespace

std::string SignatureNames(const Tokenizer& tokenizer) {
  return NamesOf(Known(tokenizer));
}

TokenId SignatureToken(const Tokenizer& tokenizer, const TimeSignature& signature) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const IdRange ids = vocabulary.range(TokenType::kTimeSig);
  TokenId as_long = kNoToken;
  for (TokenId id = ids.first; id < ids.end(); ++id) {
    const TimeSignature& candidate = vocabulary.time_signature(id);
    if (candidate.numerator == signature.numerator && candidate.denominator == signature.denominator) {
      return id;
    }
    if (int64_t{candidate.numerator} * signature.denominator == int64_t{signature.numerator} * candidate.denominator) {
      as_long = as_long == kNoToken ? id : as_long;
    }
  }
  return as_long;
}

int64_t DecodedTicks(std::span<const TimeSignature> signatures, const Tokenizer& tokenizer) {
  const int64_t quarter = tokenizer.NewState().ticks_per_quarter();
  int64_t ticks = 0;
  for (const TimeSignature& signature : signatures) {
    ticks += std::max<int64_t>(1, quarter * 4 / signature.denominator) * signature.numerator;
  }
  return ticks;
}

Result<std::vector<TimeSignature>> ReadSignatures(int32_t ticks_per_quarter, const BarGrid& grid, size_t bars,
                                                  const Tokenizer& tokenizer, std::string_view name) {
  const std::vector<TimeSignature> known = Readable(tokenizer);
  std::vector<TimeSignature> signatures;
  for (size_t bar = 0; bar < bars; ++bar) {
    const Tick from = grid.Line(bar);
    const Tick to = grid.Line(bar + 1);
    const TimeSignature signature = grid.Signature(bar);
    const std::optional<TimeSignature> read_as = ReadAs(signature, grid.Length(bar), ticks_per_quarter, known);
    if (!read_as) {
      return CannotRead(name, bar, from, to, signature, grid.IsCut(bar), tokenizer);
    }
    if (IsPerTok(tokenizer) && bar > 0 && read_as->numerator != signatures.front().numerator) {
      return Error{fmt::format("{}: bar {} (tick {}) is in {}/{} after bars in {}/{}, but PerTok counts all bars of a "
                               "piece in one time signature",
                               name, bar + 1, from, signature.numerator, signature.denominator,
                               signatures.front().numerator, signatures.front().denominator),
                   "use a model of another representation, for example of the preset remiplus"};
    }
    signatures.push_back({from, read_as->numerator, read_as->denominator});
  }
  return signatures;
}

Result<ReadableBars> ReadBars(const Score& score, const BarGrid& grid, std::span<const TimeSignature> signatures,
                              const Tokenizer& tokenizer, std::string_view name, std::optional<size_t> track) {
  CONTINUO_CHECK(signatures.size() >= 2);
  const size_t bars = signatures.size() - 1;
  const Tick line = grid.Line(bars);
  const Error inexpressible{
      fmt::format("{}: the model's tokens cannot express its first {} bars, up to tick {}", name, bars, line),
      "the tokens' time grid is too coarse for the bars, or their longest time shift too short"};
  ReadableBars read;
  read.line = static_cast<Tick>(std::min<int64_t>(DecodedTicks(signatures.first(bars), tokenizer), kMaxDecodedTick));

  Score readable =
      ReadableScore(SelectScore(score, [line](Tick time) { return time < line; }, [](auto&) {}), tokenizer, track);
  for (Track& part : readable.tracks) {
    for (Note& note : part.notes) {
      // Else its end would come before its beginning, where tokens say both.
      note.duration = std::max(note.duration, 1);
    }
  }
  const std::optional<int64_t> parts = PartsOfLines(grid, bars, score.ticks_per_quarter);
  if (!parts) {
    return inexpressible;
  }
  const auto in_parts = [&](const TickFraction& time) {
    return static_cast<Tick>(time.numerator * (*parts / time.denominator));
  };
  if (*parts > 1) {
    readable = Divided(readable, *parts, grid);
  }
  readable.time_signatures.clear();
  if (tokenizer.config().use_time_signatures) {
    readable.time_signatures.assign(signatures.begin(), signatures.end());
    for (size_t bar = 0; bar < signatures.size(); ++bar) {
      readable.time_signatures[bar].time = in_parts(grid.ExactLine(bar));
    }
    if (IsPerTok(tokenizer)) {
      readable.time_signatures.resize(1);
    }
  }
  const Tick line_in_parts = in_parts(grid.ExactLine(bars));
  EndHeldNotes(readable, line_in_parts);
  const Track end = NoteTrack(tokenizer, readable.ticks_per_quarter, line_in_parts);

  // A note at the bar line makes the tokenizer write everything that leads there: empty bars, time
  // shifts.
  const auto known = std::find_if(readable.tracks.begin(), readable.tracks.end(), [&](const Track& candidate) {
    return HasProgram(tokenizer.config(), candidate.program, candidate.is_drum);
  });
  if (!RepresentationOf(tokenizer.config()).merges_tracks && known != readable.tracks.end()) {
    // Another track of a program would be written in every bar.
    known->notes.push_back(end.notes.front());
  } else if (tokenizer.one_stream() || readable.tracks.empty()) {
    readable.tracks.push_back(end);
  } else {
    Track& only = readable.tracks.front();
    if (!HasProgram(tokenizer.config(), only.program, only.is_drum)) {
      only.program = end.program;
      only.is_drum = end.is_drum;
    }
    only.notes.push_back(end.notes.front());
  }
  if (IsPerTok(tokenizer)) {
    std::optional<std::vector<TokenId>> ids = PerTokIdsUpToLine(readable, bars, read.line, tokenizer);
    if (!ids) {
      return inexpressible;
    }
    read.ids = std::move(*ids);
    return read;
  }
  if (std::optional<std::vector<TokenId>> ids = IdsUpToLine(readable, bars, read.line, tokenizer)) {
    read.ids = std::move(*ids);
    return read;
  }
  if (tokenizer.config().use_rests && tokenizer.config().use_time_signatures) {
    // Rests of long beats may not lead from the end of a note that began in short ones to the line.
    CutAtSignatures(readable);
    if (std::optional<std::vector<TokenId>> ids = IdsUpToLine(readable, bars, read.line, tokenizer)) {
      read.ids = std::move(*ids);
      return read;
    }
  }
  return inexpressible;
}

}  // namespace continuo
