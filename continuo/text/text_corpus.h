#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

struct TextCorpusOptions {
  double valid_fraction = 0.05;
  size_t document_bytes = 1 << 14;  // a document ends at the first line end after this many
};

/// A passage: whole lines, each without its line end, none of them empty.
struct TextDocument {
  std::vector<std::string> lines;
  bool valid = false;  // held out for validation
};

/// Reads text files, plain or gzip, and cuts each into documents. Lines lose spaces at both ends; a
/// line without anything else counts for nothing. A folder stands for the .txt and .gz files in it,
/// by name. A document's split is decided by the SHA-256 of its lines, and a document that is there
/// twice is kept once.
Result<std::vector<TextDocument>> ReadTextCorpus(const std::vector<std::filesystem::path>& paths,
                                                 const TextCorpusOptions& options);

}  // namespace continuo
