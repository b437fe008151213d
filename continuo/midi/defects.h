#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// The faults found in one file, each with its byte offset. All are counted; only the first `kKept`
/// are worded, so that a file made of faults costs neither memory nor time. Not thread-safe; one
/// object per file.
class Defects {
 public:
  static constexpr size_t kKept = 16;

  /// `name` stands for the file in messages.
  explicit Defects(std::string_view name) : name_(name) {}

  /// Notes a fault at `offset` bytes from the start of the file: what was found, and what was
  /// expected.
  template <typename... Args>
  void Add(size_t offset, fmt::format_string<Args...> format, Args&&... args) {
    if (count_ < kKept) {  // before the remarks
      messages_.insert(messages_.begin() + static_cast<std::ptrdiff_t>(count_),
                       At(offset, fmt::format(format, std::forward<Args>(args)...)));
      messages_.resize(std::min(messages_.size(), kKept));  // a remark gives way
    }
    ++count_;
  }

  /// Notes what is odd at `offset` and yet no fault: it is reported where there is room for it, and
  /// not counted.
  template <typename... Args>
  void Remark(size_t offset, fmt::format_string<Args...> format, Args&&... args) {
    if (messages_.size() < kKept) {
      messages_.push_back(At(offset, fmt::format(format, std::forward<Args>(args)...)));
    }
  }

  /// An Error worded as the faults are, for what can't be read at all.
  template <typename... Args>
  Error Fatal(size_t offset, fmt::format_string<Args...> format, Args&&... args) const {
    return Error{At(offset, fmt::format(format, std::forward<Args>(args)...)), {}};
  }

  /// How many were found, worded or not.
  size_t count() const { return count_; }

  /// The first fault as an Error. There must be one.
  Error First() const { return Error{messages_.front(), {}}; }

  /// The worded faults, in the order they were found, the remarks, and a line that counts the other
  /// faults.
  std::vector<std::string> TakeMessages();

 private:
  std::string At(size_t offset, const std::string& what) const;

  std::string name_;
  size_t count_ = 0;
  std::vector<std::string> messages_;
};

}  // namespace continuo
