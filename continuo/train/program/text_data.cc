#include "continuo/train/program/text_data.h"

#include <algorithm>

#include "continuo/core/hash.h"

namespace continuo {

Result<TextData> TextData::Make(const std::vector<TextDocument>& documents, const SubwordTokenizer& tokenizer) {
  TextData data;
  Sha256 hash;
  hash.Update(tokenizer.Sha256());
  for (const TextDocument& text : documents) {
    Document document;
    document.valid = text.valid;
    for (const std::string& line : text.lines) {
      document.line_offsets.push_back(static_cast<uint32_t>(document.ids.size()));
      const std::vector<uint16_t> ids = tokenizer.EncodeLine(line);
      document.ids.insert(document.ids.end(), ids.begin(), ids.end());
    }
    hash.Update(text.valid ? "valid" : "train");
    hash.Update(
        std::span(reinterpret_cast<const uint8_t*>(document.ids.data()), document.ids.size() * sizeof(uint16_t)));
    data.documents_.push_back(std::move(document));
  }
  if (std::all_of(documents.begin(), documents.end(), [](const TextDocument& d) { return d.valid; })) {
    return Error{"all of the text is held out for validation", "give more text, or a smaller --valid"};
  }
  data.base_.vocabulary.pad = SubwordTokenizer::kPad;
  data.base_.vocabulary.bos = SubwordTokenizer::kBos;
  data.base_.vocabulary.eos = SubwordTokenizer::kEos;
  data.base_.vocab_size = tokenizer.size();
  data.base_.sha256 = hash.FinishHex();
  data.base_.texts = tokenizer.Files();
  return data;
}

TrainData TextData::ForTraining() const {
  TrainData data = base_;
  for (const Document& document : documents_) {
    (document.valid ? data.valid : data.train).push_back({document.ids, document.line_offsets});
  }
  return data;
}

std::vector<std::vector<uint16_t>> TextData::Framed(bool valid) const {
  std::vector<std::vector<uint16_t>> result;
  for (const Document& document : documents_) {
    if (document.valid == valid) {
      std::vector<uint16_t>& ids = result.emplace_back(1, SubwordTokenizer::kBos);
      ids.insert(ids.end(), document.ids.begin(), document.ids.end());
      ids.push_back(SubwordTokenizer::kEos);
    }
  }
  return result;
}

}  // namespace continuo
