#include "continuo/compose/fill.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "continuo/compose/likelihood.h"
#include "continuo/compose/readable_bars.h"
#include "continuo/compose/signature_constraint.h"
#include "continuo/compose/sliding_window.h"
#include "continuo/token/gap.h"

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

}  // namespace

Result<Gap> MakeGap(const MidiPiece& piece, size_t first, size_t last, const Tokenizer& tokenizer) {
  const Score& score = piece.score();
  const size_t bars = CountBars(score);
  if (first >= last || last > bars) {
    return MakeError("{}: bars {} to {} are not among its {}", piece.name(), first + 1, last, bars);
  }
  const BarGrid grid(score);
  Gap gap{.kept = piece.document(),
          .voices = Voices(piece.document()),
          .name = piece.name(),
          .seam = {},
          .first = first,
          .last = last,
          .bars = bars,
          .end = grid.Line(last),
          .signatures = {},
          .after = {}};
  Seam& seam = gap.seam;
  seam.line = grid.Line(first);
  // All that the model will read.
  const size_t to = std::min(last + kBarsAfter, bars);
  CONTINUO_ASSIGN(gap.signatures, ReadSignatures(score, grid, to, tokenizer, piece.name()));
  const TimeSignature after = gap.signatures.back();
  gap.signatures.push_back({grid.Line(to), after.numerator, after.denominator});
  const std::span<const TimeSignature> signatures = gap.signatures;
  CONTINUO_ASSIGN(const ReadableBars all, ReadBars(score, grid, signatures, tokenizer, piece.name()));
  const std::vector<size_t> offsets = tokenizer.BarOffsets(all.ids);
  if (last < to && last < offsets.size()) {
    const size_t end = to < offsets.size() ? offsets[to] : all.ids.size();  // without what opens the next bar
    gap.after.assign(all.ids.begin() + static_cast<std::ptrdiff_t>(offsets[last]),
                     all.ids.begin() + static_cast<std::ptrdiff_t>(end));
  }
  if (first > 0) {
    CONTINUO_ASSIGN(ReadableBars read, ReadBars(score, grid, signatures.first(first + 1), tokenizer, piece.name()));
    seam.ids = std::move(read.ids);
    seam.decoded_line = read.line;
  }
  RemoveNotes(gap.kept, static_cast<uint32_t>(seam.line), static_cast<uint32_t>(gap.end), [&](const MidiNote& note) {
    return ReadsProgram(tokenizer, gap.voices.ProgramOf(note), note.channel == kDrumChannel);
  });
  seam.constraints.push_back(
      std::make_shared<PitchConstraint>(tokenizer, HeldAt(gap.kept, gap.voices, seam, tokenizer, std::nullopt)));
  const Tick tempo_end = first > 0 ? seam.line : gap.end;
  if (auto range = TempoConstraintOf({}, score, grid.Line(first - std::min(first, kTempoBars)), tempo_end, tokenizer)) {
    seam.constraints.push_back(std::move(range));
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
  const std::optional<TokenId> mask = vocabulary.mask();
  if (gap.after.empty() || bars > kMostGapBars || !vocabulary.bos() || !mask) {
    return {};
  }
  // What opens the first new bar stands at the end of the prompt, and of what is read.
  std::vector<TokenId> before = gap.seam.ids;
  std::vector<TokenId> opening;
  if (const std::vector<size_t> offsets = tokenizer.BarOffsets(before); gap.first < offsets.size()) {
    opening.assign(before.begin() + static_cast<std::ptrdiff_t>(offsets[gap.first]), before.end());
    before.resize(offsets[gap.first]);
  }
  // A quarter is room to write, as a rule several times what the gap's bars take.
  const size_t others = gap.after.size() + bars + 1 + opening.size() + context / 4;
  if (others + 1 >= context) {
    return {};
  }
  const size_t room = context - others;
  std::vector<TokenId> ids;
  if (before.size() < room) {
    ids.push_back(*vocabulary.bos());
    ids.insert(ids.end(), before.begin(), before.end());
  } else {
    ids = SlidingWindow(tokenizer, before, 2 * room);
  }
  ids.insert(ids.end(), bars, *mask);
  ids.insert(ids.end(), gap.after.begin(), gap.after.end());
  ids.push_back(*vocabulary.bos());
  ids.insert(ids.end(), opening.begin(), opening.end());
  return ids;
}

Result<Filled> FillGap(const Gap& gap, std::span<const TokenId> ids, const Tokenizer& tokenizer) {
  const Score part = DecodeFrom(gap.seam, ids, gap.kept.ticks_per_quarter(), tokenizer);
  MidiDocument document = gap.kept;
  VoiceFinder finder(document, gap.voices, tokenizer, static_cast<uint32_t>(gap.seam.line));
  Filled filled;
  filled.notes = SpliceNotes(document, part, gap.seam.line, gap.end, finder);
  CONTINUO_ASSIGN(filled.whole, MidiPiece::FromDocument(std::move(document), gap.name));
  return filled;
}

Result<std::optional<double>> FollowingNll(const Gap& gap, const Score& filled, const LanguageModel& model,
                                           const Tokenizer& tokenizer) {
  CONTINUO_ASSIGN(const ReadableBars read, ReadBars(filled, BarGrid(filled), gap.signatures, tokenizer, gap.name));
  const size_t to = gap.signatures.size() - 1;
  const size_t start = gap.first - std::min(gap.first, kBarsBefore);
  std::vector<TokenId> ids = tokenizer.WindowFromBar(read.ids, start);
  const std::vector<size_t> offsets = tokenizer.BarOffsets(ids);
  if (to - start < offsets.size()) {
    ids.resize(offsets[to - start]);  // without what opens the next bar
  }
  if (ids.empty()) {
    return std::optional<double>();
  }
  CONTINUO_ASSIGN(const Likelihood likelihood, MeasureLikelihood(model, tokenizer, ids, NoProgress()));
  std::optional<double> mean;
  if (gap.last < gap.bars) {
    mean = MeanOfBars(likelihood, offsets, gap.last - start, to - start);
  }
  return mean ? mean : MeanOfBars(likelihood, offsets, gap.first - start, gap.last - start);
}

}  // namespace continuo
