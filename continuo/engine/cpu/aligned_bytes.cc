#include "continuo/engine/cpu/aligned_bytes.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "continuo/os/machine.h"

namespace continuo {

namespace {
constexpr size_t kAlignment = 64;
constexpr size_t kLargePage = size_t{1} << 21;
}  // namespace

void AlignedBytes::Free::operator()(uint8_t* data) const {
  std::free(data);
}

AlignedBytes::AlignedBytes(size_t size) : size_(size) {
  const size_t alignment = size >= kLargePage ? kLargePage : kAlignment;
  const size_t bytes = (size + alignment - 1) / alignment * alignment;
  data_.reset(static_cast<uint8_t*>(std::aligned_alloc(alignment, std::max(bytes, alignment))));
  if (!data_) {
    throw std::bad_alloc();
  }
  if (size >= kLargePage) {
    PreferLargePages(data_.get(), bytes);
  }
}

void AlignedBytes::Reserve(size_t size) {
  if (size > size_) {
    *this = AlignedBytes(size);
  }
}

}  // namespace continuo
