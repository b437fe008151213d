#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace continuo {

/// Bytes on a boundary of 64, not initialised, so that memory that is never touched is never taken.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(size_t size);
  uint8_t* data() { return data_.get(); }
  const uint8_t* data() const { return data_.get(); }
  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(data_.get());
  }
  template <typename T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_.get());
  }
  size_t size() const { return size_; }
  /// Makes room for `size` bytes; what they held is lost if that means more than before.
  void Reserve(size_t size);

 private:
  struct Free {
    void operator()(uint8_t* data) const;
  };
  std::unique_ptr<uint8_t, Free> data_;
  size_t size_ = 0;
};

}  // namespace continuo
