#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace continuo {

/// Several sequences that are decoded side by side, each with a KV cache of its own. Not
/// thread-safe; one thread calls, the implementation may use more.
///
/// A slot's logits depend on that slot's ids alone: not on the other slots, their number, the
/// number of threads, or on how its ids were split over calls.
class DecodingSession {
 public:
  virtual ~DecodingSession() = default;

  struct Input {
    size_t slot = 0;
    std::span<const int32_t> ids;  // at least one; each in [0, vocab_size)
    bool all_logits = false;       // of every id, not of the last alone
  };

  virtual size_t slots() const = 0;
  /// Ids in a slot's cache.
  virtual size_t length(size_t slot) const = 0;
  /// Forgets a slot's ids from place `length` on, which is at most length(slot).
  virtual void Truncate(size_t slot, size_t length) = 0;
  /// Makes a slot hold the ids that another holds. Costs what copying their keys and values costs.
  virtual void Copy(size_t from, size_t to) = 0;
  /// Empties a slot.
  void Reset(size_t slot) { Truncate(slot, 0); }
  /// Appends ids to slots, each slot at most once, and writes the logits of each input's last id,
  /// or of all its ids one after the other, to `logits` [one row for each, vocab_size].
  /// length(slot) + ids.size() must not exceed context_length.
  virtual void Append(std::span<const Input> inputs, std::span<float> logits) = 0;
};

/// A trained language model, whatever its architecture and wherever it runs. Immutable; sessions
/// share its weights and must not outlive it.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  /// The number of token ids, and of logits per position.
  virtual size_t vocab_size() const = 0;
  /// The most ids that a slot can hold.
  virtual size_t context_length() const = 0;
  /// How many sequences are decoded side by side at the best speed, where there are as many.
  virtual size_t preferred_slots() const { return 8; }
  virtual std::unique_ptr<DecodingSession> NewSession(size_t slots) const = 0;
};

}  // namespace continuo
