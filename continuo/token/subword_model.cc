#include "continuo/token/subword_model.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <queue>
#include <set>
#include <string_view>
#include <utility>

namespace continuo {

namespace {

using Json = nlohmann::json;

constexpr char32_t kMark = 0x2581;  // the character that begins a word
constexpr size_t kMostIds = size_t{1} << 20;
constexpr size_t kMostTokens = size_t{1} << 22;  // that all ids stand for together
constexpr int kMostDepth = 8;
constexpr std::string_view kSecondName = "-unigram";  // how the second name of a special token ends

// The first character of UTF-8 text, which is valid and not empty, and takes it off.
char32_t TakeCharacter(std::string_view& text) {
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t character = size == 1 ? first : first & (0xFF >> (size + 1));
  for (size_t i = 1; i < size && i < text.size(); ++i) {
    character = character << 6 | (byte(i) & 0x3F);
  }
  text.remove_prefix(std::min(size, text.size()));
  return character;
}

uint64_t PairKey(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// The setting's value, or null where it is missing.
const Json& At(const Json& object, const char* key) {
  static const Json null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

// MidiTok leaves these as they are, or empty.
Status CheckFile(const Json& file) {
  for (const char* key : {"normalizer", "post_processor", "truncation", "padding"}) {
    if (!At(file, key).is_null()) {
      return MakeError("_model.{} is not supported, expected null", key);
    }
  }
  const Json& words = At(file, "pre_tokenizer");
  if (!words.is_null() && (!words.is_object() || At(words, "type") != "Metaspace" ||
                           At(words, "replacement") != "\u2581" || At(words, "prepend_scheme") != "always")) {
    return MakeError("_model.pre_tokenizer is not supported, expected null or Metaspace that always puts \u2581 first");
  }
  return {};
}

Status CheckNull(const Json& model, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (!At(model, key).is_null()) {
      return MakeError("_model.model.{} is {}, expected null", key, At(model, key).dump());
    }
  }
  return {};
}

Status CheckFalse(const Json& model, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (!At(model, key).is_null() && At(model, key) != false) {
      return MakeError("_model.model.{} is {}, expected false", key, At(model, key).dump());
    }
  }
  return {};
}

}  // namespace

void SubwordModel::PieceTree::Add(std::span<const TokenId> symbols, TokenId id) {
  int32_t node = 0;
  for (const TokenId symbol : symbols) {
    const auto [entry, is_new] = next.emplace(PairKey(node, symbol), static_cast<int32_t>(ids.size()));
    if (is_new) {
      ids.push_back(kNoToken);
    }
    node = entry->second;
  }
  ids[static_cast<size_t>(node)] = id;
}

int32_t SubwordModel::PieceTree::Next(int32_t node, TokenId symbol) const {
  const auto found = next.find(PairKey(node, symbol));
  return found == next.end() ? -1 : found->second;
}

// Reads the model of a tokenizer.json.
class SubwordModel::Parser {
 public:
  Parser(const TokenizerJson& json, const std::vector<std::string>& base) : json_(json), base_(base) {}

  Result<SubwordModel> Run() {
    CONTINUO_TRY(ReadBase());
    bool too_deep = false;
    const Json::parser_callback_t check_depth = [&too_deep](int level, Json::parse_event_t, Json&) {
      too_deep = too_deep || level > kMostDepth;
      return !too_deep;
    };
    const Json file = Json::parse(json_.model, check_depth, /*allow_exceptions=*/false);
    if (file.is_discarded() || too_deep || !file.is_object() || !At(file, "model").is_object()) {
      return MakeError("_model is not JSON with an object \"model\"");
    }
    const Json& model = file["model"];
    CONTINUO_TRY(CheckFile(file));
    result_.has_mark_ = !At(file, "pre_tokenizer").is_null();
    result_.symbols_.assign(base_.size(), kNoToken);
    if (At(model, "type") == "BPE") {
      CONTINUO_TRY(ReadBpe(model));
    } else if (At(model, "type") == "Unigram") {
      CONTINUO_TRY(ReadUnigram(model));
    } else if (At(model, "type") == "WordPiece") {
      CONTINUO_TRY(ReadWordPiece(model));
    } else {
      return MakeError("_model.model.type is {}; it is not supported, expected \"BPE\", \"Unigram\" or \"WordPiece\"",
                       At(model, "type").dump());
    }
    return std::move(result_);
  }

 private:
  // The base vocabulary and its characters. Unigram has each special token a second time, under
  // another name and as three characters.
  Status ReadBase() {
    const auto is_second = [](std::string_view name) {
      return name.size() > kSecondName.size() && name.substr(name.size() - kSecondName.size()) == kSecondName;
    };
    size_t seconds = 0;
    for (const auto& [name, id] : json_.base_ids) {
      seconds += is_second(name) && id >= static_cast<int64_t>(base_.size()) ? 1 : 0;
    }
    for (size_t id = 0; id < base_.size(); ++id) {
      const auto found = json_.base_ids.find(base_[id]);
      if (found == json_.base_ids.end() || found->second != static_cast<int64_t>(id)) {
        return MakeError("_vocab_base does not give {} the id {}, as the settings do", base_[id], id);
      }
    }
    if (json_.base_ids.size() - seconds != base_.size()) {
      return MakeError("_vocab_base has {} tokens, but the settings make {}", json_.base_ids.size(), base_.size());
    }
    for (const auto& [characters, token] : json_.base_characters) {
      std::string_view rest = characters;
      const bool second = is_second(token);
      const auto id = json_.base_ids.find(second ? token.substr(0, token.size() - kSecondName.size()) : token);
      if (rest.empty() || id == json_.base_ids.end() || id->second < 0 ||
          id->second >= static_cast<int64_t>(base_.size())) {
        return MakeError("_vocab_base_byte_to_token has \"{}\" for {}, which _vocab_base lacks", characters, token);
      }
      if (second) {
        seconds_.emplace(characters, static_cast<TokenId>(id->second));
        continue;
      }
      const char32_t key = TakeCharacter(rest);
      if (!rest.empty() || key == kMark || !base_of_.emplace(key, static_cast<TokenId>(id->second)).second) {
        return MakeError("_vocab_base_byte_to_token has \"{}\", expected one character of its own", characters);
      }
    }
    return {};
  }

  // Takes the next id, whose name is `piece`. Symbols get those of the piece, the mark included.
  Status AddId(const std::string& piece, std::string_view rest, std::vector<TokenId>& symbols) {
    const auto id = static_cast<TokenId>(result_.size());
    symbols.clear();
    const auto mark = static_cast<TokenId>(base_.size());
    if (const auto second = seconds_.find(piece); second != seconds_.end()) {
      result_.base_.push_back(second->second);
      result_.symbols_[static_cast<size_t>(second->second)] = id;  // as MidiTok numbers it
      result_.starts_.push_back(result_.base_.size());
      return {};
    }
    while (!rest.empty()) {
      const char32_t character = TakeCharacter(rest);
      if (symbols.empty() && result_.has_mark_ && character == kMark) {
        symbols.push_back(mark);
      } else if (const auto found = base_of_.find(character); found != base_of_.end()) {
        symbols.push_back(found->second);
        result_.base_.push_back(found->second);
      } else {
        return MakeError("_model.model.vocab[\"{}\"] has a character that stands for no base token", piece);
      }
    }
    if (result_.base_.size() > kMostTokens) {
      return MakeError("_model.model.vocab stands for more than {} tokens", kMostTokens);
    }
    if (symbols.size() == 1) {
      TokenId& alone = symbols[0] == mark ? result_.mark_ : result_.symbols_[static_cast<size_t>(symbols[0])];
      alone = alone == kNoToken ? id : alone;
    }
    result_.starts_.push_back(result_.base_.size());
    return {};
  }

  // The names of an object of ids, by id.
  Status ReadVocab(const Json& model) {
    if (!At(model, "vocab").is_object() || model["vocab"].size() > kMostIds) {
      return MakeError("_model.model.vocab is not an object of at most {} tokens", kMostIds);
    }
    names_.assign(model["vocab"].size(), nullptr);
    for (auto entry = model["vocab"].begin(); entry != model["vocab"].end(); ++entry) {
      const int64_t value = entry->is_number_integer() ? entry->get<int64_t>() : -1;
      if (value < 0 || value >= static_cast<int64_t>(names_.size()) || names_[static_cast<size_t>(value)] != nullptr) {
        return MakeError("_model.model.vocab[\"{}\"] is {}, expected a number of its own below {}", entry.key(),
                         entry->dump(), names_.size());
      }
      names_[static_cast<size_t>(value)] = &entry.key();
      ids_.emplace(entry.key(), static_cast<TokenId>(value));
    }
    return {};
  }

  Status ReadBpe(const Json& model) {
    CONTINUO_TRY(CheckNull(model, {"dropout", "unk_token"}));
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!At(model, key).is_null() && At(model, key) != "") {
        return MakeError("_model.model.{} is {}, expected null or \"\"", key, At(model, key).dump());
      }
    }
    CONTINUO_TRY(CheckFalse(model, {"byte_fallback", "ignore_merges"}));
    CONTINUO_TRY(ReadVocab(model));
    std::vector<TokenId> symbols;
    for (const std::string* name : names_) {
      CONTINUO_TRY(AddId(*name, *name, symbols));
    }
    if (!At(model, "merges").is_array()) {
      return MakeError("_model.model.merges is {}, expected a list", At(model, "merges").type_name());
    }
    uint32_t rank = 0;
    for (const Json& merge : model["merges"]) {
      // "a b" in releases of `tokenizers` before 0.20, ["a", "b"] since.
      std::string left;
      std::string right;
      if (merge.is_string()) {
        const std::string& text = merge.get_ref<const std::string&>();
        const size_t space = std::min(text.find(' '), text.size());
        left = text.substr(0, space);
        right = text.substr(std::min(space + 1, text.size()));
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        left = merge[0].get<std::string>();
        right = merge[1].get<std::string>();
      }
      const auto a = ids_.find(left);
      const auto b = ids_.find(right);
      const std::string whole = left + right;
      const auto merged = ids_.find(whole);
      if (a == ids_.end() || b == ids_.end() || merged == ids_.end()) {
        return MakeError("_model.model.merges[{}] is {}, expected two tokens of the vocabulary whose union is one too",
                         rank, merge.dump());
      }
      result_.merges_[PairKey(a->second, b->second)] = {rank++, merged->second};
    }
    return {};
  }

  Status ReadUnigram(const Json& model) {
    constexpr double kUnknownPenalty = 10.0;
    result_.kind_ = Kind::kUnigram;
    CONTINUO_TRY(CheckNull(model, {"unk_id"}));
    CONTINUO_TRY(CheckFalse(model, {"byte_fallback"}));
    if (!At(model, "vocab").is_array() || model["vocab"].size() > kMostIds) {
      return MakeError("_model.model.vocab is not a list of at most {} pieces", kMostIds);
    }
    double lowest = std::numeric_limits<double>::infinity();
    std::vector<TokenId> symbols;
    std::set<std::string_view> known;
    for (const Json& entry : model["vocab"]) {
      if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number() ||
          !known.insert(entry[0].get_ref<const std::string&>()).second) {
        return MakeError("_model.model.vocab[{}] is {}, expected a piece of its own and a number", result_.size(),
                         entry.dump());
      }
      const std::string& piece = entry[0].get_ref<const std::string&>();
      CONTINUO_TRY(AddId(piece, piece, symbols));
      if (!symbols.empty()) {
        result_.first_.Add(symbols, static_cast<TokenId>(result_.size() - 1));
      }
      result_.scores_.push_back(entry[1].get<double>());
      lowest = std::min(lowest, result_.scores_.back());
    }
    result_.unknown_score_ = lowest - kUnknownPenalty;
    return {};
  }

  Status ReadWordPiece(const Json& model) {
    result_.kind_ = Kind::kWordPiece;
    const Json& affix = At(model, "continuing_subword_prefix");
    const std::string prefix = affix.is_string() ? affix.get<std::string>() : "";
    if (!affix.is_string() || (!prefix.empty() && prefix != "##")) {
      return MakeError("_model.model.continuing_subword_prefix is {}, expected \"\" or \"##\"", affix.dump());
    }
    const Json& most = At(model, "max_input_chars_per_word");
    if (!most.is_number_unsigned()) {
      return MakeError("_model.model.max_input_chars_per_word is {}, expected a whole number", most.dump());
    }
    result_.most_symbols_ = most.get<size_t>();
    CONTINUO_TRY(ReadVocab(model));
    const Json& unknown = At(model, "unk_token");
    const auto id = unknown.is_string() ? ids_.find(unknown.get<std::string>()) : ids_.end();
    if (id == ids_.end()) {
      return MakeError("_model.model.unk_token is {}, expected a token of the vocabulary", unknown.dump());
    }
    result_.unknown_ = id->second;
    std::vector<TokenId> symbols;
    for (const std::string* name : names_) {
      const bool within = !prefix.empty() && name->size() > prefix.size() && name->starts_with(prefix);
      CONTINUO_TRY(AddId(*name, within ? std::string_view(*name).substr(prefix.size()) : *name, symbols));
      const auto last = static_cast<TokenId>(result_.size() - 1);
      if (symbols.empty()) {
        continue;
      }
      if (!within) {
        result_.first_.Add(symbols, last);
      }
      if (within || prefix.empty()) {
        result_.later_.Add(symbols, last);
      }
    }
    return {};
  }

  const TokenizerJson& json_;
  const std::vector<std::string>& base_;
  SubwordModel result_;
  std::unordered_map<char32_t, TokenId> base_of_;
  std::map<std::string, TokenId, std::less<>> seconds_;
  std::vector<const std::string*> names_;
  std::unordered_map<std::string, TokenId> ids_;
};

Result<SubwordModel> SubwordModel::Parse(const TokenizerJson& json, const std::vector<std::string>& base) {
  return Parser(json, base).Run();
}

void SubwordModel::Encode(std::span<const TokenId> word, std::vector<TokenId>& ids) const {
  if (word.empty()) {
    return;
  }
  switch (kind_) {
    case Kind::kBpe:
      EncodeBpe(word, ids);
      break;
    case Kind::kUnigram:
      EncodeUnigram(word, ids);
      break;
    case Kind::kWordPiece:
      EncodeWordPiece(word, ids);
      break;
  }
}

std::vector<TokenId> SubwordModel::SymbolsOf(std::span<const TokenId> word) const {
  std::vector<TokenId> symbols;
  symbols.reserve(word.size() + 1);
  if (has_mark_) {
    symbols.push_back(static_cast<TokenId>(symbols_.size()));
  }
  symbols.insert(symbols.end(), word.begin(), word.end());
  return symbols;
}

void SubwordModel::EncodeUnigram(std::span<const TokenId> word, std::vector<TokenId>& ids) const {
  struct Place {
    double score = 0.0;  // of the best way here
    int32_t from = -1;   // where its last piece begins; -1: none
    TokenId id = kNoToken;
  };
  const std::vector<TokenId> symbols = SymbolsOf(word);
  std::vector<Place> places(symbols.size() + 1);
  for (size_t first = 0; first < symbols.size(); ++first) {
    const double here = places[first].score;
    const auto offer = [&](size_t end, double score, TokenId id) {
      Place& place = places[end];
      if (place.from < 0 || here + score > place.score) {
        place = {here + score, static_cast<int32_t>(first), id};
      }
    };
    bool alone = false;
    int32_t node = 0;
    for (size_t end = first; end < symbols.size(); ++end) {
      node = first_.Next(node, symbols[end]);
      if (node < 0) {
        break;
      }
      if (const TokenId id = first_.ids[static_cast<size_t>(node)]; id != kNoToken) {
        offer(end + 1, scores_[static_cast<size_t>(id)], id);
        alone = alone || end == first;
      }
    }
    if (!alone) {
      offer(first + 1, unknown_score_, kNoToken);
    }
  }
  const size_t before = ids.size();
  for (size_t end = symbols.size(); end > 0; end = static_cast<size_t>(places[end].from)) {
    if (places[end].id != kNoToken) {
      ids.push_back(places[end].id);
    }
  }
  std::reverse(ids.begin() + static_cast<std::ptrdiff_t>(before), ids.end());
}

void SubwordModel::EncodeWordPiece(std::span<const TokenId> word, std::vector<TokenId>& ids) const {
  const std::vector<TokenId> symbols = SymbolsOf(word);
  const size_t before = ids.size();
  bool known = symbols.size() <= most_symbols_;
  for (size_t first = 0; first < symbols.size() && known;) {
    const PieceTree& tree = first == 0 ? first_ : later_;
    TokenId longest = kNoToken;
    size_t next = first;
    int32_t node = 0;
    for (size_t end = first; end < symbols.size(); ++end) {
      node = tree.Next(node, symbols[end]);
      if (node < 0) {
        break;
      }
      if (const TokenId id = tree.ids[static_cast<size_t>(node)]; id != kNoToken) {
        longest = id;
        next = end + 1;
      }
    }
    known = longest != kNoToken;
    ids.push_back(longest);
    first = next;
  }
  if (!known) {
    ids.resize(before);
    ids.push_back(unknown_);
  }
}

void SubwordModel::EncodeBpe(std::span<const TokenId> word, std::vector<TokenId>& ids) const {
  // A chain of symbols; the pair of least rank is merged first, of equals the leftmost.
  struct Symbol {
    TokenId id;
    int32_t previous;
    int32_t next;
    bool gone;
  };
  constexpr int32_t kEnd = -1;
  std::vector<Symbol> chain;
  chain.reserve(word.size() + 1);
  const auto add = [&chain](TokenId id) {
    if (id != kNoToken) {
      const auto place = static_cast<int32_t>(chain.size());
      chain.push_back({id, place - 1, place + 1, false});
    }
  };
  if (has_mark_) {
    add(mark_);
  }
  for (TokenId id : word) {
    add(symbols_[static_cast<size_t>(id)]);
  }
  if (chain.empty()) {
    return;
  }
  chain.back().next = kEnd;

  struct Candidate {
    uint32_t rank;
    int32_t place;
    TokenId merged;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto find = [&](int32_t place) {
    const Symbol& left = chain[static_cast<size_t>(place)];
    return merges_.find(PairKey(left.id, chain[static_cast<size_t>(left.next)].id));
  };
  const auto offer = [&](int32_t place) {
    if (place != kEnd && chain[static_cast<size_t>(place)].next != kEnd) {
      if (const auto merge = find(place); merge != merges_.end()) {
        queue.push({merge->second.rank, place, merge->second.merged});
      }
    }
  };
  for (size_t place = 0; place < chain.size(); ++place) {
    offer(static_cast<int32_t>(place));
  }
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = chain[static_cast<size_t>(top.place)];
    if (left.gone || left.next == kEnd) {
      continue;
    }
    const auto merge = find(top.place);
    if (merge == merges_.end() || merge->second.merged != top.merged) {
      continue;  // one of the two has been merged since
    }
    Symbol& right = chain[static_cast<size_t>(left.next)];
    left.id = top.merged;
    left.next = right.next;
    right.gone = true;
    if (right.next != kEnd) {
      chain[static_cast<size_t>(right.next)].previous = top.place;
    }
    offer(left.previous);
    offer(top.place);
  }
  for (const Symbol& symbol : chain) {
    if (!symbol.gone) {
      ids.push_back(symbol.id);
    }
  }
}

std::span<const TokenId> SubwordModel::Base(TokenId id) const {
  const size_t first = starts_[static_cast<size_t>(id)];
  return std::span(base_).subspan(first, starts_[static_cast<size_t>(id) + 1] - first);
}

}  // namespace continuo
