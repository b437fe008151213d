#include "continuo/midi/defects.h"

namespace continuo {

std::vector<std::string> Defects::TakeMessages() {
  if (count_ > kKept) {
    messages_.push_back(fmt::format("{}: {} more faults like these", name_, count_ - kKept));
  }
  return std::move(messages_);
}

std::string Defects::At(size_t offset, const std::string& what) const {
  return fmt::format("{}: byte {}: {}", name_, offset, what);
}

}  // namespace continuo
