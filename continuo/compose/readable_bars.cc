#include "continuo/compose/readable_bars.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "continuo/compose/score_parts.h"
#include "continuo/compose/voices.h"
#include "continuo/core/check.h"
#include "continuo/token/representation.h"
#include "continuo/token/stream_state.h"

namespace continuo {
namespace {

/// Whether bars of a signature last ticks / ticks_per_quarter quarter notes.
bool Lasts(const TimeSignature& signature, int64_t ticks, int64_t ticks_per_quarter) {
  return int64_t{4} * ticks_per_quarter * signature.numerator == ticks * signature.denominator;
}

/// Decoded ticks of a bar.
int64_t DecodedTicks(const TimeSignature& signature, int64_t ticks_per_quarter) {
  return std::max<int64_t>(1, ticks_per_quarter * 4 / signature.denominator) * signature.numerator;
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

/// The one of `known` that a bar is read as: its signature if that is as long, else one as long as
/// the bar, of the same denominator if possible.
std::optional<TimeSignature> ReadAs(const TimeSignature& signature, int64_t ticks, int64_t ticks_per_quarter,
                                    const std::vector<TimeSignature>& known) {
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
  return Error{what + fmt::format(", but the bars of the model's tokens are {}", SignatureNames(tokenizer)),
               "use a model of a preset with time signatures (remiplus has 1/4 to 6/4, 3/8, 6/8 and 12/8); "
               "`continuo inspect MODEL` lists those of a model"};
}

/// A track whose notes the tokenizer reads, with a note at `time` that is in its range.
Track NoteTrack(const Tokenizer& tokenizer, const Score& score, Tick time) {
  const TokenizerConfig& config = tokenizer.config();
  Track track;
  if (config.use_programs && !config.programs.empty()) {
    const int program = *std::max_element(config.programs.begin(), config.programs.end());
    track.is_drum = program < 0;
    track.program = static_cast<uint8_t>(std::max(program, 0));
  }
  const int pitch = std::clamp(60, config.pitch_range[0], std::max(config.pitch_range[0], config.pitch_range[1] - 1));
  track.notes.push_back({time, score.ticks_per_quarter, static_cast<uint8_t>(pitch), 64});
  return track;
}

}  // namespace

std::string SignatureNames(const Tokenizer& tokenizer) {
  std::string names;
  for (const TimeSignature& signature : Known(tokenizer)) {
    names += fmt::format("{}{}/{}", names.empty() ? "" : ", ", signature.numerator, signature.denominator);
  }
  return names;
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

Result<TimeSignature> ReadSignature(const TimeSignature& signature, int32_t ticks_per_quarter, size_t bar, Tick tick,
                                    const Tokenizer& tokenizer, std::string_view name) {
  const int64_t ticks = int64_t{4} * ticks_per_quarter * signature.numerator;
  if (ticks % signature.denominator == 0) {
    if (auto read_as = ReadAs(signature, ticks / signature.denominator, ticks_per_quarter, Known(tokenizer))) {
      return TimeSignature{tick, read_as->numerator, read_as->denominator};
    }
  }
  return CannotRead(name, bar, tick, tick, signature, false, tokenizer);
}

Result<std::vector<TimeSignature>> ReadSignatures(const Score& score, const BarGrid& grid, size_t bars,
                                                  const Tokenizer& tokenizer, std::string_view name) {
  const std::vector<TimeSignature> known = Known(tokenizer);
  std::vector<TimeSignature> signatures;
  for (size_t bar = 0; bar < bars; ++bar) {
    const Tick from = grid.Line(bar);
    const Tick to = grid.Line(bar + 1);
    const TimeSignature signature = grid.Signature(bar);
    const int64_t ticks = int64_t{to} - from;
    const std::optional<TimeSignature> read_as = ReadAs(signature, ticks, score.ticks_per_quarter, known);
    if (!read_as) {
      const bool cut = !Lasts(signature, ticks, score.ticks_per_quarter) && grid.Signature(bar + 1).time == to;
      return CannotRead(name, bar, from, to, signature, cut, tokenizer);
    }
    signatures.push_back({from, read_as->numerator, read_as->denominator});
  }
  return signatures;
}

Result<ReadableBars> ReadBars(const Score& score, const BarGrid& grid, std::span<const TimeSignature> signatures,
                              const Tokenizer& tokenizer, std::string_view name, std::optional<size_t> track) {
  CONTINUO_CHECK(signatures.size() >= 2);
  const size_t bars = signatures.size() - 1;
  const int64_t decoded_resolution = tokenizer.NewState().ticks_per_quarter();
  int64_t decoded_line = 0;
  for (const TimeSignature& signature : signatures.first(bars)) {
    decoded_line += DecodedTicks(signature, decoded_resolution);
  }
  const Tick line = grid.Line(bars);
  ReadableBars read;
  read.line = static_cast<Tick>(std::min<int64_t>(decoded_line, kMaxDecodedTick));

  Score readable =
      ReadableScore(SelectScore(score, [line](Tick time) { return time < line; }, [](auto&) {}), tokenizer, track);
  readable.time_signatures.clear();
  if (tokenizer.config().use_time_signatures) {
    readable.time_signatures.assign(signatures.begin(), signatures.end());
  }

  // A note at the bar line makes the tokenizer write everything that leads there: empty bars, time
  // shifts.
  const auto known = std::find_if(readable.tracks.begin(), readable.tracks.end(), [&](const Track& candidate) {
    return HasProgram(tokenizer.config(), candidate.program, candidate.is_drum);
  });
  if (!RepresentationOf(tokenizer.config()).merges_tracks && known != readable.tracks.end()) {
    // Another track of a program would be written in every bar.
    known->notes.push_back(NoteTrack(tokenizer, score, line).notes.front());
  } else if (tokenizer.one_stream() || readable.tracks.empty()) {
    readable.tracks.push_back(NoteTrack(tokenizer, score, line));
  } else {
    Track& only = readable.tracks.front();
    const Track model_track = NoteTrack(tokenizer, score, line);
    if (!HasProgram(tokenizer.config(), only.program, only.is_drum)) {
      only.program = model_track.program;
      only.is_drum = model_track.is_drum;
    }
    only.notes.push_back(model_track.notes.front());
  }
  std::vector<std::vector<TokenId>> streams = tokenizer.Encode(readable);
  std::vector<TokenId> ids = streams.empty() ? std::vector<TokenId>() : std::move(streams.front());
  const std::vector<size_t> offsets = tokenizer.BarOffsets(ids);
  if (offsets.size() > bars) {
    size_t end = offsets[bars];
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
    while (end < ids.size() && opens(ids[end])) {
      ++end;
    }
    ids.resize(end);
    StreamState state = tokenizer.NewState();
    for (const TokenId id : ids) {
      state.Advance(id);
    }
    const int32_t reached = state.has_bar_tokens() ? state.tick_at_bar() : state.tick();
    if (reached == read.line) {
      // The time of a note begins it: the first new one is yet to choose its own (see
      // BarLineConstraint).
      if (tokenizer.vocabulary().has(TokenType::kNoShift) && !ids.empty()) {
        ids.pop_back();
      }
      read.ids = std::move(ids);
      return read;
    }
  }
  return Error{fmt::format("{}: the model's tokens cannot express its first {} bars, up to tick {}", name, bars, line),
               "the tokens' time grid is too coarse for the bars, or their longest time shift too short"};
}

}  // namespace continuo
