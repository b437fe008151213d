#include "continuo/token/table_tokenizer.h"

#include <utility>

#include "continuo/score/chord.h"
#include "continuo/token/encode_trained.h"
#include "continuo/token/representation.h"
#include "continuo/token/stream_state.h"

namespace continuo {

namespace {

std::vector<BeatLength> Lengths(const std::vector<std::array<int, 3>>& times) {
  std::vector<BeatLength> lengths;
  for (const auto& [beats, parts, resolution] : times) {
    lengths.push_back({beats, parts, resolution});
  }
  return lengths;
}

Vocabulary VocabularyOf(const TokenTables& tables) {
  TokenValues values{tables.tempos, {}, Lengths(tables.durations), Lengths(tables.rests)};
  for (const Meter& meter : tables.time_signatures) {
    values.time_signatures.push_back({0, meter.numerator, meter.denominator});
  }
  return {tables.tokens, tables.infos, std::move(values)};
}

}  // namespace

TableTokenizer::TableTokenizer(TokenTables tables, std::shared_ptr<const TrainedVocabulary> trained)
    : Tokenizer(tables.config, VocabularyOf(tables), std::move(trained)), tables_(std::move(tables)) {}

std::vector<std::vector<TokenId>> TableTokenizer::Encode(const Score& score) const {
  return RepresentationOf(config()).encode(score, tables_);
}

Score TableTokenizer::Decode(std::span<const std::vector<TokenId>> tracks) const {
  return RepresentationOf(config()).decode(tracks, tables_);
}

std::unique_ptr<Grammar> TableTokenizer::NewGrammar(const GrammarTarget& target) const {
  return RepresentationOf(config()).new_grammar(tables_, target);
}

StreamState TableTokenizer::NewState() const {
  return StreamState(tables_);
}

std::vector<TokenId> TableTokenizer::ToModelIds(std::span<const TokenId> ids) const {
  return trained() != nullptr ? trained()->Encode(ids, tables_) : std::vector<TokenId>(ids.begin(), ids.end());
}

std::vector<std::vector<TokenId>> TableTokenizer::EncodeForModel(const Score& score) const {
  return trained() != nullptr ? EncodeTrained(score, tables_, *trained()) : Encode(score);
}

std::vector<size_t> TableTokenizer::BarOffsets(std::span<const TokenId> ids) const {
  return RepresentationOf(config()).bar_offsets(ids, tables_);
}

std::vector<TokenId> TableTokenizer::WindowFromBar(std::span<const TokenId> ids, size_t bar) const {
  return RepresentationOf(config()).window(ids, bar, tables_);
}

std::vector<TokenId> TableTokenizer::TransposeMap(int semitones) const {
  std::vector<TokenId> map(tables_.infos.size());
  for (size_t id = 0; id < map.size(); ++id) {
    map[id] = static_cast<TokenId>(id);
    const TokenInfo& info = tables_.infos[id];
    if (info.type == TokenType::kPitch || info.type == TokenType::kNoteOff) {
      const std::array<TokenId, 128>& ids = info.type == TokenType::kPitch ? tables_.pitch : tables_.note_off;
      const int pitch = info.value + semitones;
      map[id] = pitch < 0 || pitch > 127 ? kNoToken : ids[static_cast<size_t>(pitch)];
    } else if (info.type == TokenType::kKey && semitones != 0) {
      map[id] = kNoToken;  // a key or an interval: what stands before it says which
    }
  }
  const size_t shift = static_cast<size_t>((semitones % 12 + 12) % 12);
  for (size_t i = 0; i < tables_.harmony.size(); ++i) {
    Chord chord = Chord::FromIndex(i);
    if (!chord.none()) {
      chord.root = static_cast<uint8_t>((chord.root + shift) % 12);
    }
    map[static_cast<size_t>(tables_.harmony[i])] = tables_.harmony[chord.index()];
  }
  for (const auto* chords : {&tables_.chord, &tables_.unknown_chord}) {
    for (const std::array<TokenId, 12>& roots : *chords) {
      for (size_t root = 0; root < roots.size(); ++root) {
        if (roots[root] != kNoToken) {
          map[static_cast<size_t>(roots[root])] = roots[(root + shift) % 12];
        }
      }
    }
  }
  return map;
}

}  // namespace continuo
