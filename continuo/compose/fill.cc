#include "continuo/compose/fill.h"

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <set>
#include <utility>

#include "continuo/compose/bar_line_constraint.h"
#include "continuo/compose/likelihood.h"
#include "continuo/compose/readable_bars.h"
#include "continuo/compose/signature_constraint.h"
#include "continuo/compose/sliding_window.h"
#include "continuo/midi/note_pairs.h"
#include "continuo/token/gap.h"
#include "continuo/token/stream_state.h"

namespace continuo {
namespace {

// Context of the likelihood, and the bars that it is measured on.
constexpr size_t kBarsBefore = 8;
constexpr size_t kBarsAfter = 8;

/// The mean over the tokens of bars [first, last) of a window, if there are any.
std::optional<double> MeanOfBars(const Likelihood& likelihood, const std::vector<size_t>& offsets, size_t first,
                                 size_t last) {
  const size_t size = likelihood.token_nll.size();
  const size_t begin = first < offsets.size() ? offsets[first] : size;
  const size_t end = last < offsets.size() ? offsets[last] : size;
  if (begin >= end) {
    return std::nullopt;
  }
  const auto from = likelihood.token_nll.begin();
  const double sum =
      std::accumulate(from + static_cast<std::ptrdiff_t>(begin), from + static_cast<std::ptrdiff_t>(end), 0.0);
  return sum / static_cast<double>(end - begin);
}

/// Takes what opens the gap's first bar from the end of the ids before it.
std::vector<TokenId> TakeOpening(const Gap& gap, const Tokenizer& tokenizer, std::vector<TokenId>& before) {
  const std::vector<size_t> offsets = tokenizer.BarOffsets(before);
  if (gap.first >= offsets.size()) {
    return {};
  }
  std::vector<TokenId> opening(before.begin() + static_cast<std::ptrdiff_t>(offsets[gap.first]), before.end());
  before.resize(offsets[gap.first]);
  return opening;
}

/// BOS, if the vocabulary has it, and `ids`; or as many of their last bars as fit `room` ids. In
/// ids that the model reads.
std::vector<TokenId> LastBars(const std::vector<TokenId>& ids, const Tokenizer& tokenizer, size_t room) {
  const std::vector<TokenId> read = tokenizer.ToModelIds(ids);
  if (read.size() >= room) {
    return SlidingWindow(tokenizer, ids, 2 * room);
  }
  std::vector<TokenId> all;
  if (const std::optional<TokenId> bos = tokenizer.ModelIdOf(tokenizer.vocabulary().bos())) {
    all.push_back(*bos);
  }
  all.insert(all.end(), read.begin(), read.end());
  return all;
}

/// The negative log-likelihood, in nats, of `ids` after what has been read. All fits the context.
double NllAfter(const LanguageModel& model, std::span<const TokenId> read, std::span<const TokenId> ids) {
  const size_t size = model.vocab_size();
  const std::unique_ptr<DecodingSession> session = model.NewSession(1);
  std::vector<float> logits(ids.size() * size);
  const std::array<DecodingSession::Input, 1> first = {{{0, read}}};
  session->Append(first, std::span(logits).first(size));
  double sum = NegativeLogLikelihood(std::span(logits).first(size), ids[0]);
  if (ids.size() > 1) {
    const std::array<DecodingSession::Input, 1> rest = {{{0, ids.first(ids.size() - 1), true}}};
    session->Append(rest, std::span(logits).first((ids.size() - 1) * size));
    for (size_t i = 1; i < ids.size(); ++i) {
      sum += NegativeLogLikelihood(std::span(logits).subspan((i - 1) * size, size), ids[i]);
    }
  }
  return sum;
}

/// A note of a document: track, and the note-on's place in it.
using NoteName = std::pair<uint32_t, uint32_t>;

NoteName NameOf(const MidiNote& note) {
  return {note.track, note.on};
}

/// Finds the gap's top notes, which stay, and sets them as tokens have them.
std::set<NoteName> KeepTop(Gap& gap, const BarGrid& grid, const Tokenizer& tokenizer, const NoteFilter& readable) {
  const std::vector<MidiNote> notes = PairNotes(gap.kept);
  const auto melodic = [&](const MidiNote& note) { return note.channel != kDrumChannel && readable(note); };
  const int32_t resolution = gap.kept.ticks_per_quarter();
  const auto line = static_cast<uint32_t>(gap.seam.line);
  const StreamState state = tokenizer.NewState();
  // Onsets go to the nearest of a quarter note's positions.
  const int32_t step = state.has_bar_tokens() ? state.meter().ticks_per_position() : 1;
  const int64_t scale = state.ticks_per_quarter() / step;
  std::set<NoteName> names;
  for (const size_t i : TopNotes(notes, line, static_cast<uint32_t>(gap.end), resolution, melodic)) {
    const MidiNote& note = notes[i];
    names.insert(NameOf(note));
    const TickFraction passed = Difference(grid.ExactTime(static_cast<Tick>(note.begin)), gap.seam.exact_line);
    const int64_t position = NearestTick({passed.numerator * scale, passed.denominator * resolution});
    const int64_t duration =
        (2 * int64_t{note.end - note.begin} * state.ticks_per_quarter() + resolution) / (2 * resolution);
    const KeptNote kept{
        .tick = AddTicks(gap.seam.decoded_line, position * step),
        .duration = AddTicks(0, std::max<int64_t>(duration, 1)),
        .program = WritesPrograms(tokenizer) ? std::optional<int>(gap.voices.ProgramOf(note)) : std::nullopt,
        .pitch = note.pitch,
        .velocity = note.velocity};
    // Of two at one position the model reads the first.
    if (gap.kept_top.empty() || gap.kept_top.back().tick < kept.tick) {
      gap.kept_top.push_back(kept);
    }
  }
  return names;
}

}  // namespace

Result<Gap> MakeGap(const MidiPiece& piece, size_t first, size_t last, const Tokenizer& tokenizer, bool keep_top) {
  const Score& score = piece.score();
  const size_t bars = CountBars(score);
  if (first >= last || last > bars) {
    return Error{fmt::format("{}: bars {} to {} are not among its {}", piece.name(), first + 1, last, bars),
                 bars == 0 ? "it has no notes" : fmt::format("its last bar is bar {}", bars)};
  }
  const BarGrid grid(score);
  Gap gap{.kept = piece.document(),
          .voices = Voices(piece.document()),
          .name = piece.name(),
          .seam = {},
          .kept_top = {},
          .first = first,
          .last = last,
          .bars = bars,
          .end = grid.Line(last),
          .signatures = {},
          .own = {},
          .after = {},
          .last_bar_tick = 0};
  Seam& seam = gap.seam;
  seam.line = grid.Line(first);
  seam.exact_line = grid.ExactLine(first);
  // All that the model will read.
  const size_t to = std::min(last + kBarsAfter, bars);
  CONTINUO_ASSIGN(gap.signatures, ReadSignatures(score.ticks_per_quarter, grid, to, tokenizer, piece.name()));
  const TimeSignature after = gap.signatures.back();
  gap.signatures.push_back({grid.Line(to), after.numerator, after.denominator});
  const std::span<const TimeSignature> signatures = gap.signatures;
  CONTINUO_ASSIGN(const ReadableBars all, ReadBars(score, grid, signatures, tokenizer, piece.name()));
  const std::vector<size_t> offsets = tokenizer.BarOffsets(all.ids);
  const auto bars_of = [&](size_t begin, size_t end) {  // without what opens the next bar
    const auto place = [&](size_t bar) { return bar < offsets.size() ? offsets[bar] : all.ids.size(); };
    return std::vector<TokenId>(all.ids.begin() + static_cast<std::ptrdiff_t>(place(begin)),
                                all.ids.begin() + static_cast<std::ptrdiff_t>(place(end)));
  };
  gap.own = bars_of(first, last);
  if (last < to) {
    gap.after = bars_of(last, to);
  }
  if (first > 0) {
    CONTINUO_ASSIGN(ReadableBars read, ReadBars(score, grid, signatures.first(first + 1), tokenizer, piece.name()));
    seam.ids = std::move(read.ids);
    seam.decoded_line = read.line;
  }
  const auto readable = [&](const MidiNote& note) {
    return ReadsProgram(tokenizer, gap.voices.ProgramOf(note), note.channel == kDrumChannel);
  };
  std::set<NoteName> top;
  if (keep_top) {
    top = KeepTop(gap, grid, tokenizer, readable);
  }
  RemoveNotes(gap.kept, static_cast<uint32_t>(seam.line), static_cast<uint32_t>(gap.end),
              [&](const MidiNote& note) { return readable(note) && !top.contains(NameOf(note)); });
  gap.last_bar_tick = AddTicks(seam.decoded_line, DecodedTicks(signatures.subspan(first, last - 1 - first), tokenizer));
  seam.pitches =
      std::make_shared<PitchConstraint>(tokenizer, HeldAt(gap.kept, gap.voices, seam, tokenizer, std::nullopt));
  const Tick tempo_end = first > 0 ? seam.line : gap.end;
  if (auto range = TempoConstraintOf({}, score, grid.Line(first - std::min(first, kTempoBars)), tempo_end, tokenizer)) {
    seam.constraints.push_back(std::move(range));
  }
  if (BarLineConstraint::Needed(tokenizer.vocabulary())) {
    seam.constraints.push_back(std::make_shared<BarLineConstraint>(tokenizer, seam.decoded_line));
  }
  if (tokenizer.config().use_time_signatures) {
    seam.constraints.push_back(
        std::make_shared<SignatureConstraint>(tokenizer, first, signatures.subspan(first, last - first)));
  }
  return gap;
}

std::vector<TokenId> ReadBothSides(const Gap& gap, const Tokenizer& tokenizer, size_t context) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const size_t bars = gap.last - gap.first;
  const std::optional<TokenId> bos = tokenizer.ModelIdOf(vocabulary.bos());
  const std::optional<TokenId> mask = tokenizer.ModelIdOf(vocabulary.mask());
  if (gap.after.empty() || bars > kMostGapBars || !bos || !mask) {
    return {};
  }
  // What opens the first new bar stands at the end of what is read, too.
  std::vector<TokenId> before = gap.seam.ids;
  const std::vector<TokenId> opening = tokenizer.ToModelIds(TakeOpening(gap, tokenizer, before));
  const std::vector<TokenId> after = tokenizer.ToModelIds(gap.after);
  // A quarter is room to write, as a rule several times what the gap's bars take.
  const size_t others = after.size() + bars + 1 + opening.size() + context / 4;
  if (others + 1 >= context) {
    return {};
  }
  std::vector<TokenId> ids = LastBars(before, tokenizer, context - others);
  ids.insert(ids.end(), bars, *mask);
  ids.insert(ids.end(), after.begin(), after.end());
  ids.push_back(*bos);
  ids.insert(ids.end(), opening.begin(), opening.end());
  return ids;
}

Result<GapLikelihood> MeasureGap(const Gap& gap, const LanguageModel& model, const Tokenizer& tokenizer) {
  const size_t context = model.context_length();
  std::vector<TokenId> before = gap.seam.ids;
  std::vector<TokenId> opening = TakeOpening(gap, tokenizer, before);
  if (gap.own.size() <= opening.size()) {
    return MakeError("{}: the model's tokens have nothing in bars {} to {}", gap.name, gap.first + 1, gap.last);
  }
  std::vector<TokenId> own = tokenizer.ToModelIds(gap.own);
  size_t opened = tokenizer.ToModelIds(opening).size();  // at the end of ReadBothSides
  if (tokenizer.trained() != nullptr) {
    opening.clear();  // what opens the bar may be in one id with what follows: it is measured, too
  } else {
    own.erase(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(opened));
    opened = 0;
  }
  const std::span<const TokenId> ids = own;
  const size_t others = opening.size() + ids.size() + 1;
  if (others >= context) {
    return MakeError("{}: bars {} to {} have {} tokens, but the model reads {} at once", gap.name, gap.first + 1,
                     gap.last, own.size(), context);
  }
  std::vector<TokenId> read = LastBars(before, tokenizer, context - others);
  read.insert(read.end(), opening.begin(), opening.end());
  if (read.empty()) {
    return MakeError("{}: nothing comes before bar 1, and the tokenizer has no BOS token", gap.name);
  }
  GapLikelihood likelihood{.before = NllAfter(model, read, ids), .both = std::nullopt};
  std::vector<TokenId> both = ReadBothSides(gap, tokenizer, context);
  both.resize(both.size() - std::min(opened, both.size()));
  if (!both.empty() && both.size() + ids.size() <= context) {
    likelihood.both = NllAfter(model, both, ids);
  }
  return likelihood;
}

Result<Filled> FillGap(const Gap& gap, std::span<const TokenId> ids, const Tokenizer& tokenizer) {
  const Score part = DecodeFrom(gap.seam, ids, gap.kept.ticks_per_quarter(), tokenizer, gap.kept_top);
  MidiDocument document = gap.kept;
  VoiceFinder finder(document, gap.voices, tokenizer, static_cast<uint32_t>(gap.seam.line));
  Filled filled;
  filled.notes = SpliceNotes(document, part, {gap.seam.line, gap.end, gap.end}, finder);
  CONTINUO_ASSIGN(filled.whole, MidiPiece::FromDocument(std::move(document), gap.name));
  return filled;
}

Result<std::optional<double>> FollowingNll(const Gap& gap, const Score& filled, const LanguageModel& model,
                                           const Tokenizer& tokenizer) {
  CONTINUO_ASSIGN(const ReadableBars read, ReadBars(filled, BarGrid(filled), gap.signatures, tokenizer, gap.name));
  const size_t to = gap.signatures.size() - 1;
  const size_t start = gap.first - std::min(gap.first, kBarsBefore);
  std::vector<TokenId> ids = tokenizer.WindowFromBar(read.ids, start);
  const std::vector<size_t> bars = tokenizer.BarOffsets(ids);
  if (to - start < bars.size()) {
    ids.resize(bars[to - start]);  // without what opens the next bar
  }
  if (ids.empty()) {
    return std::optional<double>();
  }
  CONTINUO_ASSIGN(const Likelihood likelihood,
                  MeasureLikelihood(model, tokenizer, tokenizer.ToModelIds(ids), NoProgress()));
  const std::vector<size_t>& offsets = likelihood.bar_offsets;
  std::optional<double> mean;
  if (gap.last < gap.bars) {
    mean = MeanOfBars(likelihood, offsets, gap.last - start, to - start);
  }
  return mean ? mean : MeanOfBars(likelihood, offsets, gap.first - start, gap.last - start);
}

}  // namespace continuo
