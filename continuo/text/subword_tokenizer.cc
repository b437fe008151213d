#include "continuo/text/subword_tokenizer.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <unordered_map>

#include "continuo/core/hash.h"

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSpace = "\xe2\x96\x81";  // U+2581, SentencePiece's space
constexpr std::string_view kLineEnd = "<0x0A>";

/// SentencePiece asks for its text line by line.
class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const std::vector<std::string>& lines) : lines_(lines) {}
  bool done() const override { return next_ == lines_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return lines_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& lines_;
  size_t next_ = 0;
};

}  // namespace

Result<SubwordTokenizer> SubwordTokenizer::Train(const std::vector<std::string>& lines, size_t pieces) {
  if (pieces < kFewestPieces || pieces > kMostPieces) {
    return MakeError("the number of pieces is {}, expected {} to {}", pieces, kFewestPieces, kMostPieces);
  }
  const std::unordered_map<std::string, std::string> arguments = {
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(pieces)},
      {"character_coverage", "0.9995"},  // rarer letters are bytes
      {"byte_fallback", "true"},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"add_dummy_prefix", "false"},
      {"max_sentence_length", "65536"},
      {"pad_id", std::to_string(kPad)},
      {"bos_id", std::to_string(kBos)},
      {"eos_id", std::to_string(kEos)},
      {"unk_id", "3"},
      {"num_threads", "1"},
      {"minloglevel", "2"},
  };
  Lines iterator(lines);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments, &iterator, &model);
  if (!status.ok()) {
    return Error{fmt::format("cannot learn {} pieces: {}", pieces, status.error_message()),
                 "use fewer pieces, or more text"};
  }
  return Load(model, "the pieces learnt");
}

Result<SubwordTokenizer> SubwordTokenizer::Load(const std::string& model, std::string_view name) {
  auto processor = std::make_shared<sentencepiece::SentencePieceProcessor>();
  if (const auto status = processor->LoadFromSerializedProto(model); !status.ok()) {
    return MakeError("{}: is no SentencePiece model: {}", name, status.error_message());
  }
  const int line_end = processor->PieceToId(kLineEnd);
  if (processor->pad_id() != kPad || processor->bos_id() != kBos || processor->eos_id() != kEos || line_end < 0 ||
      !processor->IsByte(line_end) || static_cast<size_t>(processor->GetPieceSize()) > kMostPieces) {
    return MakeError("{}: is not a model that Continuo trained", name);
  }
  SubwordTokenizer tokenizer;
  tokenizer.model_ = model;
  tokenizer.processor_ = std::move(processor);
  tokenizer.line_end_ = static_cast<uint16_t>(line_end);
  return tokenizer;
}

size_t SubwordTokenizer::size() const {
  return static_cast<size_t>(processor_->GetPieceSize());
}

std::vector<uint16_t> SubwordTokenizer::EncodeLine(std::string_view line) const {
  std::vector<int> ids;
  processor_->Encode(line, &ids).IgnoreError();  // fails only without a model
  std::vector<uint16_t> result(ids.begin(), ids.end());
  result.push_back(line_end_);
  return result;
}

std::string SubwordTokenizer::Decode(std::span<const uint16_t> ids) const {
  std::vector<int> known;
  for (const uint16_t id : ids) {
    if (id < size() && !processor_->IsControl(id)) {
      known.push_back(id);
    }
  }
  std::string text;
  processor_->Decode(known, &text).IgnoreError();
  return text;
}

std::string SubwordTokenizer::Sha256() const {
  return Sha256Hex(std::string_view(model_));
}

std::map<std::string, std::string> SubwordTokenizer::Files() const {
  Json vocabulary = Json::object();
  std::unordered_map<std::string, int> ids;
  for (int id = 0; id < processor_->GetPieceSize(); ++id) {
    vocabulary[processor_->IdToPiece(id)] = id;
    ids.emplace(processor_->IdToPiece(id), id);
  }
  // SentencePiece joins the two neighbours whose join is the earliest piece; `tokenizers` wants
  // each pair of pieces whose join is a piece, the earliest join first.
  std::vector<std::tuple<int, int, int>> merges;  // join, left, right
  for (int id = 0; id < processor_->GetPieceSize(); ++id) {
    if (processor_->IsControl(id) || processor_->IsUnknown(id) || processor_->IsByte(id)) {
      continue;
    }
    const std::string& piece = processor_->IdToPiece(id);
    for (size_t cut = 1; cut < piece.size(); ++cut) {
      const auto left = ids.find(piece.substr(0, cut));
      const auto right = ids.find(piece.substr(cut));
      if (left != ids.end() && right != ids.end()) {
        merges.emplace_back(id, left->second, right->second);
      }
    }
  }
  std::sort(merges.begin(), merges.end());
  Json pairs = Json::array();
  for (const auto& [join, left, right] : merges) {
    pairs.push_back({processor_->IdToPiece(left), processor_->IdToPiece(right)});
  }
  Json added = Json::array();
  for (const int id : {int{kPad}, int{kBos}, int{kEos}, processor_->unk_id()}) {
    added.push_back({{"id", id},
                     {"content", processor_->IdToPiece(id)},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const auto replace = [](std::string_view from, std::string_view to) {
    return Json{{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
  };
  const Json tokenizer = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", std::move(added)},
      {"normalizer", replace(" ", kSpace)},
      {"pre_tokenizer", nullptr},
      {"post_processor", nullptr},
      {"decoder",
       {{"type", "Sequence"},
        {"decoders", Json::array({replace(kSpace, " "), Json{{"type", "ByteFallback"}}, Json{{"type", "Fuse"}}})}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", processor_->IdToPiece(processor_->unk_id())},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", true},
        {"byte_fallback", true},
        {"ignore_merges", false},
        {"vocab", std::move(vocabulary)},
        {"merges", std::move(pairs)}}},
  };
  const Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"bos_token", processor_->IdToPiece(kBos)},
                       {"eos_token", processor_->IdToPiece(kEos)},
                       {"pad_token", processor_->IdToPiece(kPad)},
                       {"unk_token", processor_->IdToPiece(processor_->unk_id())},
                       {"clean_up_tokenization_spaces", false}};
  return {{"sentencepiece.model", model_},
          {"tokenizer.json", tokenizer.dump() + "\n"},
          {"tokenizer_config.json", config.dump(2) + "\n"}};
}

}  // namespace continuo
