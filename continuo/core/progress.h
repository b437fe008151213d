#pragma once

#include <cstdint>
#include <string_view>

namespace continuo {

/// Where long work reports how far it is, and asks whether to stop. Calls may come from any thread;
/// implementations are thread-safe and cheap. The base class ignores reports and never stops.
class Progress {
 public:
  virtual ~Progress() = default;
  /// `done` of `total` units (0: total unknown); `note` is a short text such as "loss 2.1".
  virtual void Update(uint64_t done, uint64_t total, std::string_view note);
  /// True when the user asked to stop: finish the step, keep what is whole, return.
  virtual bool ShouldStop() const;
};

/// A Progress that ignores everything.
Progress& NoProgress();

}  // namespace continuo
