#include "continuo/infer/aligned_bytes.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace continuo {

namespace {
constexpr size_t kAlignment = 64;
}

void AlignedBytes::Free::operator()(uint8_t* data) const {
  std::free(data);
}

AlignedBytes::AlignedBytes(size_t size) : size_(size) {
  const size_t bytes = (size + kAlignment - 1) / kAlignment * kAlignment;
  data_.reset(static_cast<uint8_t*>(std::aligned_alloc(kAlignment, std::max(bytes, kAlignment))));
  if (!data_) {
    throw std::bad_alloc();
  }
}

void AlignedBytes::Reserve(size_t size) {
  if (size > size_) {
    *this = AlignedBytes(size);
  }
}

}  // namespace continuo
