#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/token/id_trie.h"
#include "continuo/token/tokenizer.h"
#include "continuo/token/tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto trained = Tokenizer::FromPlainOrTrainedJson(text, "input");
      trained.ok() && (*trained)->trained() != nullptr) {
    // What the first ids stand for is encoded in ids, and the tree has all that stand for
    // something.
    std::vector<TokenId> ids(std::min<size_t>((*trained)->model_size(), 256));
    std::iota(ids.begin(), ids.end(), 0);
    for (const TokenId id : (*trained)->ToModelIds((*trained)->FromModelIds(ids))) {
      CONTINUO_CHECK(id >= 0 && static_cast<size_t>(id) < (*trained)->model_size());
    }
    size_t in_tree = 0;
    for (const IdTrie::Node& node : (*trained)->trie().nodes()) {
      in_tree += node.id_count;
    }
    CONTINUO_CHECK(in_tree <= (*trained)->model_size());
  }
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
