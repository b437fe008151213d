#include <mpi.h>

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <future>
#include <limits>
#include <mutex>
#include <thread>

#include "continuo/core/check.h"
#include "continuo/train/communicator.h"

namespace continuo {
namespace {

/// All of MPI happens on one thread of its own: Open MPI moves a sum along only while someone is
/// inside a call of it, and so sums are made while the thread that trains goes on with its backward
/// back. MPI's own handler ends the program on any error.
class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator() : thread_([this] { Serve(); }) { (void)started_.get_future().wait(); }

  ~MpiCommunicator() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  bool ok() const { return ok_; }
  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void StartSum(std::span<float> values) override { Push({.floats = values, .doubles = {}}); }

  void Wait() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return pending_ == 0; });
  }

  void Sum(std::span<double> values) override {
    Push({.floats = {}, .doubles = values});
    Wait();
  }

  [[noreturn]] void Abort(int exit_code) override {
    // The other thread may be inside of MPI; the program ends, whatever that does to it.
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::_Exit(exit_code);
  }

 private:
  struct Work {
    std::span<float> floats;
    std::span<double> doubles;
  };

  void Push(Work work) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(work);
      ++pending_;
    }
    changed_.notify_all();
  }

  void Serve() {
    int provided = 0;
    // Only this thread calls, but for Abort.
    ok_ = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) == MPI_SUCCESS;
    if (ok_) {
      MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
      MPI_Comm_size(MPI_COMM_WORLD, &size_);
    }
    started_.set_value();
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (queue_.empty()) {
        break;
      }
      const Work work = queue_.front();
      queue_.pop_front();
      lock.unlock();
      if (work.floats.empty() && work.doubles.empty()) {
        MPI_Barrier(MPI_COMM_WORLD);
      }
      Add(work.floats, MPI_FLOAT);
      Add(work.doubles, MPI_DOUBLE);
      lock.lock();
      --pending_;
      changed_.notify_all();
    }
    if (ok_) {
      MPI_Finalize();
    }
  }

  template <typename T>
  void Add(std::span<T> values, MPI_Datatype type) {
    constexpr size_t kLargest = std::numeric_limits<int>::max() / sizeof(T);
    while (!values.empty()) {
      const std::span<T> part = values.first(std::min(values.size(), kLargest));
      MPI_Allreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), type, MPI_SUM, MPI_COMM_WORLD);
      values = values.subspan(part.size());
    }
  }

  bool ok_ = false;
  int rank_ = 0;
  int size_ = 1;
  std::promise<void> started_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  size_t pending_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Communicator>> ConnectRanks() {
  auto communicator = std::make_unique<MpiCommunicator>();
  if (!communicator->ok()) {
    return MakeError("MPI did not start");
  }
  return std::unique_ptr<Communicator>(std::move(communicator));
}

}  // namespace continuo
