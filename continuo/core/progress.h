#pragma once

#include <cstdint>
#include <string_view>

namespace continuo {

/// Receives reports of how far long work has come. Calls may come from any thread; implementations
/// are thread-safe and cheap. The base class ignores them. StopToken asks whether the work should
/// stop.
class Progress {
 public:
  virtual ~Progress() = default;
  /// `done` of `total` units (0: total unknown); `note` is a short text such as "loss 2.1".
  virtual void Update(uint64_t done, uint64_t total, std::string_view note);
};

/// A Progress that ignores everything.
Progress& NoProgress();

}  // namespace continuo
