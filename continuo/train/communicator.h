#pragma once

#include <memory>
#include <span>

#include "continuo/core/result.h"

namespace continuo {

/// The processes that train one model together, each with a rank of its own. All ranks make the
/// same calls in the same order. One thread calls.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Begins to add up `values` over the ranks, in place: each ends with the same bits. Sums are
  /// made in the order of the calls while the caller continues; the values must stay until Wait
  /// returns.
  virtual void StartSum(std::span<float> values) = 0;
  /// Returns when all sums that were begun are made.
  virtual void Wait() = 0;
  /// Adds up over the ranks and returns when that is done; none at all waits for the ranks all the
  /// same.
  virtual void Sum(std::span<double> values) = 0;
  /// Returns when all ranks have called it.
  void Barrier() { Sum({}); }
  /// Ends all ranks, for an error that this one alone met. Does not return.
  [[noreturn]] virtual void Abort(int exit_code) = 0;
};

/// A run of one process: sums are what they were.
class OneProcess : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void StartSum(std::span<float> /*values*/) override {}
  void Wait() override {}
  void Sum(std::span<double> /*values*/) override {}
  [[noreturn]] void Abort(int exit_code) override;
};

/// Joins the processes that mpirun or srun started. A rank that dies ends the others through the
/// launcher, which names it. Fails where Continuo was built without MPI, or MPI can't start. At
/// most one a process.
Result<std::unique_ptr<Communicator>> ConnectRanks();

/// The same ranks, with StartSum for memory of the GPUs, of which this process uses the one
/// numbered `device`: added up from GPU to GPU by NCCL, in the order of LibTorch's default stream.
/// Throws std::runtime_error where a sum fails. Fails where Continuo was built without NCCL.
/// `ranks` must outlive what is returned.
Result<std::unique_ptr<Communicator>> SumOnGpus(Communicator& ranks, int device);

}  // namespace continuo
