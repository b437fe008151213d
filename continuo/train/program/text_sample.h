#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/run/train_settings.h"
#include "continuo/text/subword_tokenizer.h"

namespace continuo {

/// `count` short passages by the final model of a run with these settings: the same for the same
/// seed. They are drawn at temperature 0.8 from the 40 likeliest pieces, and end with EOS or after
/// 80 pieces. The model reads all previous pieces again for each new one, which is fast enough for
/// a few lines.
Result<std::vector<std::string>> SampleTexts(const TrainSettings& settings, size_t count,
                                             const SubwordTokenizer& tokenizer, const std::filesystem::path& run);

}  // namespace continuo
