#pragma once

#include <cstdint>
#include <string>

#include "continuo/text/piece_tokenizer.h"
#include "continuo/train/gpt2.h"

namespace continuo {

struct TextSampleOptions {
  size_t pieces = 80;  // at most; EOS ends the text, too
  size_t top_k = 40;
  double temperature = 0.8;
};

/// Text that the model writes behind BOS: the same for the same seed and index. Reads all of it again for each piece,
/// which does for a few lines.
std::string SampleText(Gpt2& model, const PieceTokenizer& tokenizer, uint64_t seed, uint64_t index,
                       const TextSampleOptions& options);

}  // namespace continuo
