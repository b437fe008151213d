#include <cstddef>
#include <cstdint>
#include <string_view>

#include "continuo/core/check.h"
#include "continuo/token/tokenizer.h"
#include "continuo/token/tokenizer_json.h"
#include "continuo/token/trained_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)TrainedTokenizer::FromJson(text, "input", MidiTokRelease::k3_1_0);
  const auto read = ParseTokenizerJson(text, "input", MidiTokRelease::k3_1_0);
  const auto tokenizer = read.ok() ? Tokenizer::Create(read->config) : Result<std::unique_ptr<Tokenizer>>(read.error());
  if (!tokenizer.ok()) {
    return 0;
  }
  const auto again = ParseTokenizerJson((*tokenizer)->ToJson(), "saved", MidiTokRelease::k3_1_0);
  CONTINUO_CHECK(again.ok());
  CONTINUO_CHECK(again->vocab_sha256 == (*tokenizer)->vocabulary_sha256());
  CONTINUO_CHECK(Tokenizer::Create(again->config).value()->vocabulary_sha256() == again->vocab_sha256);
  return 0;
}
