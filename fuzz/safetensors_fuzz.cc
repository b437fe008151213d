#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "continuo/core/check.h"
#include "continuo/model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  const auto read = ParseSafetensors({data, size}, "input");
  if (!read.ok()) {
    return 0;
  }
  size_t total = 0;
  for (const Tensor& tensor : read->tensors) {
    CONTINUO_CHECK(tensor.bytes.data() >= data && tensor.bytes.data() + tensor.bytes.size() <= data + size);
    total += tensor.bytes.size();
  }
  CONTINUO_CHECK(total <= size);

  const std::vector<uint8_t> written = SerializeSafetensors(read->tensors, read->metadata);
  const auto again = ParseSafetensors(written, "written");
  CONTINUO_CHECK(again.ok());
  CONTINUO_CHECK(again->metadata == read->metadata);
  CONTINUO_CHECK(again->tensors.size() == read->tensors.size());
  for (size_t i = 0; i < again->tensors.size(); ++i) {
    const Tensor& a = read->tensors[i];
    const Tensor& b = again->tensors[i];
    CONTINUO_CHECK(a.name == b.name && a.type == b.type && a.shape == b.shape);
    CONTINUO_CHECK(std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end()));
  }
  return 0;
}
