#include "continuo/train/batch_queue.h"

#include <algorithm>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {
namespace {

constexpr size_t kAhead = 2;

}  // namespace

BatchQueue::BatchQueue(const BlockSource& source, uint64_t epoch, uint64_t first, uint64_t rows, Share share)
    : source_(source),
      blocks_(source.Epoch(epoch)),
      first_(std::min<uint64_t>(first, blocks_.size())),
      rows_(rows),
      share_(share),
      batches_((blocks_.size() - first_ + rows - 1) / rows),
      thread_([this] { Fill(); }) {}

BatchQueue::~BatchQueue() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    Change();
  }
  thread_.join();
}

void BatchQueue::Change() {
  ++changes_;
  changes_.notify_all();
}

template <typename Condition>
void BatchQueue::WaitUntil(std::unique_lock<std::mutex>& lock, const Condition& condition) {
  while (!condition()) {
    const uint32_t seen = changes_;
    lock.unlock();
    changes_.wait(seen);
    lock.lock();
  }
}

void BatchQueue::Fill() {
  for (uint64_t begin = first_; begin < blocks_.size(); begin += rows_) {
    const uint64_t count = std::min<uint64_t>(rows_, blocks_.size() - begin);
    const uint64_t low = count * share_.part / share_.of;
    const uint64_t high = count * (share_.part + 1) / share_.of;
    Batch batch = source_.Lay(std::span(blocks_).subspan(begin + low, high - low));
    std::unique_lock lock(mutex_);
    WaitUntil(lock, [this] { return stop_ || ready_.size() < kAhead; });
    if (stop_) {
      return;
    }
    ready_.push_back(std::move(batch));
    Change();
  }
}

Batch BatchQueue::Take() {
  CONTINUO_CHECK(!done());
  std::unique_lock lock(mutex_);
  WaitUntil(lock, [this] { return !ready_.empty(); });
  Batch batch = std::move(ready_.front());
  ready_.pop_front();
  ++taken_;
  Change();
  return batch;
}

}  // namespace continuo
