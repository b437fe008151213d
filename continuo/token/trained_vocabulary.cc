#include "continuo/token/trained_vocabulary.h"

#include <algorithm>

#include "continuo/core/hash.h"
#include "continuo/token/stream_state.h"

namespace continuo {

namespace {

// Bounds the memory that a grammar's states take on the way through an id.
constexpr size_t kMostTokensOfId = 2048;

}  // namespace

Result<std::shared_ptr<const TrainedVocabulary>> TrainedVocabulary::Create(const TokenizerJson& json, std::string text,
                                                                           const TokenTables& tables) {
  const std::string& split = json.config.encode_ids_split;
  if (split != "bar" && split != "beat" && split != "no") {
    return MakeError("encode_ids_split is {}, expected bar, beat or no", split);
  }
  CONTINUO_ASSIGN(SubwordModel subwords, SubwordModel::Parse(json, tables.tokens));
  const Split by = split == "bar" ? Split::kBar : split == "beat" ? Split::kBeat : Split::kNone;
  auto vocabulary = std::shared_ptr<TrainedVocabulary>(new TrainedVocabulary(std::move(subwords), by, std::move(text)));
  vocabulary->token_names_ = tables.tokens;
  Sha256 hash;
  for (size_t id = 0; id < vocabulary->size(); ++id) {
    const size_t tokens = vocabulary->Tokens(static_cast<TokenId>(id)).size();
    if (tokens > kMostTokensOfId) {
      return MakeError("_model.model.vocab has an id, {}, that stands for {} tokens, expected at most {}", id, tokens,
                       kMostTokensOfId);
    }
    hash.Update(vocabulary->Name(static_cast<TokenId>(id)));
    hash.Update("\n");
  }
  vocabulary->sha256_ = hash.FinishHex();
  return std::shared_ptr<const TrainedVocabulary>(std::move(vocabulary));
}

std::string TrainedVocabulary::Name(TokenId id) const {
  std::string name;
  for (const TokenId token : Tokens(id)) {
    name += (name.empty() ? "" : "+") + token_names_[static_cast<size_t>(token)];
  }
  return name.empty() ? "+" : name;
}

std::vector<TokenId> TrainedVocabulary::Encode(std::span<const TokenId> tokens, const TokenTables& tables) const {
  std::vector<TokenId> ids;
  if (split_ == Split::kNone) {
    EncodeWord(tokens, ids);
    return ids;
  }
  // A word begins with the first token at or after the next bar line or beat. MidiTok dates a
  // TimeShift and a Rest where they begin, and a Bar_End before the bar line.
  StreamState state(tables);
  const auto place = [&]() {
    const int32_t into_bar = state.tick() - state.tick_at_bar();
    return std::pair(std::max(state.bar(), 0),
                     split_ == Split::kBeat ? into_bar / std::max(1, state.meter().ticks_per_beat()) : 0);
  };
  std::pair<int32_t, int32_t> word(0, 0);
  size_t first = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const TokenId token = tokens[i];
    const TokenType type = tables.InfoOf(token).type;
    const bool dated_before = type == TokenType::kTimeShift || type == TokenType::kRest || type == TokenType::kBarEnd;
    const auto before = place();
    state.Advance(token);
    const auto now = dated_before ? before : place();
    if (now > word) {
      word = now;
      EncodeWord(tokens.subspan(first, i - first), ids);
      first = i;
    }
  }
  EncodeWord(tokens.subspan(first), ids);
  return ids;
}

std::vector<TokenId> TrainedVocabulary::Decode(std::span<const TokenId> ids) const {
  std::vector<TokenId> tokens;
  for (const TokenId id : ids) {
    if (id >= 0 && static_cast<size_t>(id) < size()) {
      const std::span<const TokenId> base = Tokens(id);
      tokens.insert(tokens.end(), base.begin(), base.end());
    }
  }
  return tokens;
}

const IdTrie& TrainedVocabulary::trie(const TokenTables& tables) const {
  std::call_once(trie_made_, [&] { trie_ = std::make_unique<const IdTrie>(subwords_, tables); });
  return *trie_;
}

}  // namespace continuo
