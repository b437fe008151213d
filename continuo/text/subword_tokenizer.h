#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace continuo {

/// SentencePiece's byte-pair encoding without normalization: what is not a piece becomes bytes, so
/// that Decode(Encode(line)) == line for any valid UTF-8 line that holds no U+2581, which stands
/// for a space. Immutable; any thread may call.
class SubwordTokenizer {
 public:
  static constexpr uint16_t kPad = 0;
  static constexpr uint16_t kBos = 1;
  static constexpr uint16_t kEos = 2;
  static constexpr size_t kFewestPieces = 300;
  static constexpr size_t kMostPieces = 65536;

  /// Learns `pieces` pieces, special ones and the 256 bytes among them. The same lines give the
  /// same pieces. Fails when the text is too small for that many.
  static Result<SubwordTokenizer> Train(const std::vector<std::string>& lines, size_t pieces);
  /// From the bytes of a sentencepiece.model that Train made; `name` stands for it in messages.
  static Result<SubwordTokenizer> Load(const std::string& model, std::string_view name);

  size_t size() const;
  /// A line's ids and that of a line end, which is a byte's piece.
  std::vector<uint16_t> EncodeLine(std::string_view line) const;
  /// Text of ids; special ones are left out.
  std::string Decode(std::span<const uint16_t> ids) const;

  /// The files of a model directory that `transformers` and SentencePiece load it by:
  /// sentencepiece.model, tokenizer.json (of the `tokenizers` library), tokenizer_config.json.
  std::map<std::string, std::string> Files() const;
  std::string Sha256() const;

 private:
  SubwordTokenizer() = default;
  std::string model_;
  std::shared_ptr<const sentencepiece::SentencePieceProcessor> processor_;
  uint16_t line_end_ = 0;
};

}  // namespace continuo
