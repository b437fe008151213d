#pragma once

#include <cstddef>
#include <memory>

#include "continuo/model/language_model.h"

namespace continuo {

/// Whether `padded` is `size` rounded up to a multiple of 8, 16, ..., 256, as programs round the
/// size of a vocabulary up for speed.
bool IsPaddedSize(size_t padded, size_t size);

/// A model without the last ids of its vocabulary, which no token has: it has `vocab_size` ids, and
/// computes their logits alone, to the bit those of `model`.
std::unique_ptr<LanguageModel> WithoutPadding(std::unique_ptr<LanguageModel> model, size_t vocab_size);

}  // namespace continuo
