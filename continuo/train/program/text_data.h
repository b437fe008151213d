#pragma once

#include <memory>
#include <vector>

#include "continuo/text/subword_tokenizer.h"
#include "continuo/text/text_corpus.h"
#include "continuo/train/train_data.h"

namespace continuo {

/// Text as a trainer's data: documents are songs and lines are bars, so that windows begin at a
/// line.
class TextData {
 public:
  /// Fails if no document is left to train on.
  static Result<TextData> Make(const std::vector<TextDocument>& documents, const SubwordTokenizer& tokenizer);

  /// Its spans refer to this object's ids.
  TrainData ForTraining() const;
  /// The documents of a split, each between BOS and EOS.
  std::vector<std::vector<uint16_t>> Framed(bool valid) const;

 private:
  struct Document {
    std::vector<uint16_t> ids;
    std::vector<uint32_t> line_offsets;
    bool valid = false;
  };
  std::vector<Document> documents_;
  TrainData base_;  // without songs
};

}  // namespace continuo
