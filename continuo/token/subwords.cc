#include "continuo/token/subwords.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <queue>
#include <string_view>
#include <utility>

namespace continuo {

namespace {

using Json = nlohmann::json;

constexpr char32_t kMark = 0x2581;  // the character that begins a word
constexpr size_t kMostIds = size_t{1} << 20;
constexpr int kMostDepth = 8;

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
Status CheckSettings(const Json& file) {
  for (const char* key : {"normalizer", "post_processor", "truncation", "padding"}) {
    if (!At(file, key).is_null()) {
      return MakeError("_model.{} is not supported, expected null", key);
    }
  }
  const Json& model = file["model"];
  for (const char* key : {"dropout", "unk_token"}) {
    if (!At(model, key).is_null()) {
      return MakeError("_model.model.{} is {}, expected null", key, At(model, key).dump());
    }
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!At(model, key).is_null() && At(model, key) != "") {
      return MakeError("_model.model.{} is {}, expected null or \"\"", key, At(model, key).dump());
    }
  }
  for (const char* key : {"byte_fallback", "ignore_merges"}) {
    if (!At(model, key).is_null() && At(model, key) != false) {
      return MakeError("_model.model.{} is {}, expected false", key, At(model, key).dump());
    }
  }
  const Json& words = At(file, "pre_tokenizer");
  if (!words.is_null() && (!words.is_object() || At(words, "type") != "Metaspace" ||
                           At(words, "replacement") != "\u2581" || At(words, "prepend_scheme") != "always")) {
    return MakeError("_model.pre_tokenizer is not supported, expected null or Metaspace that always puts \u2581 first");
  }
  return {};
}

}  // namespace

Result<Subwords> Subwords::Parse(const TokenizerJson& json, const std::vector<std::string>& base) {
  std::unordered_map<char32_t, TokenId> base_of;
  for (size_t id = 0; id < base.size(); ++id) {
    const auto found = json.base_ids.find(base[id]);
    if (found == json.base_ids.end() || found->second != static_cast<int64_t>(id)) {
      return MakeError("_vocab_base does not give {} the id {}, as the settings do", base[id], id);
    }
  }
  if (json.base_ids.size() != base.size()) {
    return MakeError("_vocab_base has {} tokens, but the settings make {}", json.base_ids.size(), base.size());
  }
  for (const auto& [character, token] : json.base_characters) {
    std::string_view rest = character;
    const auto id = json.base_ids.find(token);
    if (rest.empty() || id == json.base_ids.end()) {
      return MakeError("_vocab_base_byte_to_token has \"{}\" for {}, which _vocab_base lacks", character, token);
    }
    const char32_t key = TakeCharacter(rest);
    if (!rest.empty() || key == kMark || !base_of.emplace(key, static_cast<TokenId>(id->second)).second) {
      return MakeError("_vocab_base_byte_to_token has \"{}\", expected one character of its own", character);
    }
  }

  bool too_deep = false;
  const Json::parser_callback_t check_depth = [&too_deep](int level, Json::parse_event_t, Json&) {
    too_deep = too_deep || level > kMostDepth;
    return !too_deep;
  };
  const Json file = Json::parse(json.model, check_depth, /*allow_exceptions=*/false);
  if (file.is_discarded() || too_deep || !file.is_object() || !At(file, "model").is_object()) {
    return MakeError("_model is not JSON with an object \"model\"");
  }
  const Json& model = file["model"];
  if (At(model, "type") != "BPE") {
    return MakeError("_model.model.type is {}; it is not supported, expected \"BPE\"", At(model, "type").dump());
  }
  CONTINUO_TRY(CheckSettings(file));
  if (!At(model, "vocab").is_object() || model["vocab"].size() > kMostIds) {
    return MakeError("_model.model.vocab is not an object of at most {} tokens", kMostIds);
  }

  Subwords result;
  std::vector<const std::string*> names(model["vocab"].size(), nullptr);
  std::unordered_map<std::string_view, TokenId> ids;
  for (const auto& [name, id] : model["vocab"].items()) {
    const int64_t value = id.is_number_integer() ? id.get<int64_t>() : -1;
    if (value < 0 || value >= static_cast<int64_t>(names.size()) || names[static_cast<size_t>(value)] != nullptr) {
      return MakeError("_model.model.vocab[\"{}\"] is {}, expected a number of its own below {}", name, id.dump(),
                       names.size());
    }
    const auto entry = model["vocab"].find(name);
    names[static_cast<size_t>(value)] = &entry.key();
    ids.emplace(entry.key(), static_cast<TokenId>(value));
  }
  const bool has_mark = !At(file, "pre_tokenizer").is_null();
  result.symbols_.assign(base.size(), kNoToken);
  for (size_t id = 0; id < names.size(); ++id) {
    std::string_view rest = *names[id];
    bool first = true;
    while (!rest.empty()) {
      const char32_t character = TakeCharacter(rest);
      if (first && has_mark && character == kMark) {
        if (rest.empty()) {
          result.mark_ = static_cast<TokenId>(id);
        }
      } else if (const auto found = base_of.find(character); found != base_of.end()) {
        result.base_.push_back(found->second);
        if (first && rest.empty()) {
          result.symbols_[static_cast<size_t>(found->second)] = static_cast<TokenId>(id);
        }
      } else {
        return MakeError("_model.model.vocab[\"{}\"] has a character that stands for no base token", *names[id]);
      }
      first = false;
    }
    result.starts_.push_back(result.base_.size());
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
    const auto a = ids.find(left);
    const auto b = ids.find(right);
    const std::string whole = left + right;
    const auto merged = ids.find(whole);
    if (a == ids.end() || b == ids.end() || merged == ids.end()) {
      return MakeError("_model.model.merges[{}] is {}, expected two tokens of the vocabulary whose union is one too",
                       rank, merge.dump());
    }
    result.merges_[PairKey(a->second, b->second)] = {rank++, merged->second};
  }
  return result;
}

void Subwords::Encode(std::span<const TokenId> word, std::vector<TokenId>& ids) const {
  if (word.empty()) {
    return;
  }
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
  add(mark_);
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

std::span<const TokenId> Subwords::Base(TokenId id) const {
  const size_t first = starts_[static_cast<size_t>(id)];
  return std::span(base_).subspan(first, starts_[static_cast<size_t>(id) + 1] - first);
}

}  // namespace continuo
