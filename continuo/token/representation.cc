#include "continuo/token/representation.h"

#include <algorithm>
#include <array>

#include "continuo/core/check.h"
#include "continuo/token/decode.h"
#include "continuo/token/encode.h"
#include "continuo/token/kind_grammars.h"
#include "continuo/token/token_tables_builder.h"
#include "continuo/token/window.h"

namespace continuo {

namespace {

void WriteRemi(TokenTablesBuilder& builder) {
  TokenTables& tables = builder.tables();
  tables.bar = builder.Add("Bar_None", TokenType::kBar, 0);
  if (tables.config.use_bar_end_tokens) {
    tables.bar_end = builder.Add("Bar_End", TokenType::kBarEnd, 0);
  }
  builder.AddNotes();
  builder.AddPositions();
  builder.AddAdditional();
}

void WriteShifts(TokenTablesBuilder& builder) {
  builder.AddNotes();
  builder.AddTimeShifts();
  builder.AddAdditional();
}

constexpr Representation kRemi{
    .name = "REMI",
    .preset = "remi",
    .kind = TokenizationKind::kRemi,
    .bar_tokens = true,
    .trainable = true,
    .continuable = true,
    .write_vocabulary = WriteRemi,
    .encode = EncodeScore,
    .decode = DecodeRemi,
    .bar_offsets = FindBarOffsets,
    .window = CutWindow,
    .new_grammar = NewRemiGrammar,
};

constexpr Representation kMidiLike{
    .name = "MIDILike",
    .preset = "midilike",
    .kind = TokenizationKind::kMidiLike,
    .note_end = NoteEnd::kNoteOff,
    .trainable = true,
    .continuable = true,
    .write_vocabulary = WriteShifts,
    .encode = EncodeScore,
    .decode = DecodeMidiLike,
    .bar_offsets = FindBarOffsets,
    .window = CutWindow,
    .new_grammar = NewShiftGrammar,
};

constexpr Representation kTsd{
    .name = "TSD",
    .preset = "tsd",
    .kind = TokenizationKind::kTsd,
    .trainable = true,
    .continuable = true,
    .write_vocabulary = WriteShifts,
    .encode = EncodeScore,
    .decode = DecodeTsd,
    .bar_offsets = FindBarOffsets,
    .window = CutWindow,
    .new_grammar = NewShiftGrammar,
};

}  // namespace

std::span<const Representation> Representations() {
  static const std::array rows{kRemi,
                               kMidiLike,
                               kTsd,
                               kStructuredRepresentation,
                               kBeatRepresentation,
                               kPerTokRepresentation,
                               MmmOf(kRemi, "mmm_remi", TokenizationKind::kMmmRemi),
                               MmmOf(kMidiLike, "mmm_midilike", TokenizationKind::kMmmMidiLike),
                               MmmOf(kTsd, "mmm_tsd", TokenizationKind::kMmmTsd)};
  return rows;
}

const Representation& RepresentationOf(const TokenizerConfig& config) {
  const std::span<const Representation> rows = Representations();
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [&config](const Representation& candidate) { return candidate.kind == config.kind; });
  CONTINUO_CHECK(row != rows.end());
  return *row;
}

}  // namespace continuo
