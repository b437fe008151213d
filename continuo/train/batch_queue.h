#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

#include "continuo/corpus/blocks.h"

namespace continuo {

/// Lays the batches of one epoch on a thread of its own, two ahead of the one that trains, so that
/// no update waits for data. One thread takes.
class BatchQueue {
 public:
  /// One of `of` equal parts of each batch, as far as rows can be cut.
  struct Share {
    uint64_t part = 0;
    uint64_t of = 1;
  };
  /// From block `first` of the epoch's order on, `rows` blocks a batch, of which this queue lays a
  /// share. The source must outlive the queue.
  BatchQueue(const BlockSource& source, uint64_t epoch, uint64_t first, uint64_t rows, Share share);
  ~BatchQueue();
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  /// True when all batches were taken.
  bool done() const { return taken_ == batches_; }
  /// Blocks in the next batch, in all shares together; only while not done.
  uint64_t next_blocks() const { return std::min(rows_, blocks_.size() - first_ - taken_ * rows_); }
  /// The share of the next batch, which may have no rows; only while not done.
  Batch Take();

 private:
  void Fill();
  /// Tells the other thread that the queue, which is locked, is another.
  void Change();
  /// Returns when `condition` holds, which it looks at with the lock.
  template <typename Condition>
  void WaitUntil(std::unique_lock<std::mutex>& lock, const Condition& condition);

  const BlockSource& source_;
  const std::vector<Block> blocks_;
  const uint64_t first_;
  const uint64_t rows_;
  const Share share_;
  const uint64_t batches_;
  uint64_t taken_ = 0;
  std::mutex mutex_;
  // Not a condition_variable: waiting for GCC 12's takes a libstdc++ as new, which systems that the
  // Python wheel serves lack.
  std::atomic<uint32_t> changes_ = 0;
  std::deque<Batch> ready_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace continuo
