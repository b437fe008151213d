#pragma once

#include <span>
#include <vector>

#include "continuo/score/score.h"
#include "continuo/token/token_tables.h"

namespace continuo {

/// The score that MidiTok decodes from ids, one list per track (one stream: one list). Notes stand
/// in the order of their Pitch or NoteOn tokens. Ids outside the vocabulary are passed over. The
/// tables must be of that representation.
Score DecodeRemi(std::span<const std::vector<TokenId>> streams, const TokenTables& tables);
Score DecodeTsd(std::span<const std::vector<TokenId>> streams, const TokenTables& tables);
Score DecodeMidiLike(std::span<const std::vector<TokenId>> streams, const TokenTables& tables);

}  // namespace continuo
