#include <cuda_runtime_api.h>
#include <nccl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>

#include "continuo/train/communicator.h"

namespace continuo {
namespace {

void Check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) {
    throw std::runtime_error(fmt::format("{}: {}", what, cudaGetErrorString(error)));
  }
}

void Check(ncclResult_t error, const char* what) {
  if (error != ncclSuccess) {
    throw std::runtime_error(fmt::format("NCCL: {}: {}", what, ncclGetErrorString(error)));
  }
}

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(Communicator& ranks, int device) : ranks_(ranks) {
    Check(cudaSetDevice(device), "choosing the GPU");
    Check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream");
    Check(cudaEventCreateWithFlags(&ready_, cudaEventDisableTiming), "an event");
    // Rank 0's id for all: the others add zeros.
    ncclUniqueId id = {};
    std::array<double, sizeof(id)> bytes = {};
    if (rank() == 0) {
      Check(ncclGetUniqueId(&id), "an id");
      const auto* raw = reinterpret_cast<const uint8_t*>(&id);
      std::copy_n(raw, sizeof(id), bytes.begin());
    }
    ranks_.Sum(bytes);
    auto* raw = reinterpret_cast<uint8_t*>(&id);
    std::transform(bytes.begin(), bytes.end(), raw, [](double byte) { return static_cast<uint8_t>(byte); });
    Check(ncclCommInitRank(&comm_, size(), id, rank()), "joining the ranks");
  }

  ~NcclCommunicator() override {
    ncclCommAbort(comm_);  // waits for nobody, where a rank has failed
    cudaEventDestroy(ready_);
    cudaStreamDestroy(stream_);
  }

  int rank() const override { return ranks_.rank(); }
  int size() const override { return ranks_.size(); }

  void StartSum(std::span<float> values) override {
    // Gradients are computed on the default stream; what was asked of it before now is done first.
    Check(cudaEventRecord(ready_, cudaStreamLegacy), "an event");
    Check(cudaStreamWaitEvent(stream_, ready_, 0), "an event");
    Check(ncclAllReduce(values.data(), values.data(), values.size(), ncclFloat, ncclSum, comm_, stream_), "a sum");
  }

  void Wait() override { Check(cudaStreamSynchronize(stream_), "the sums of gradients"); }

  void Sum(std::span<double> values) override { ranks_.Sum(values); }
  [[noreturn]] void Abort(int exit_code) override {
    ranks_.Abort(exit_code);
    std::_Exit(exit_code);
  }

 private:
  Communicator& ranks_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t ready_ = nullptr;
  ncclComm_t comm_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<Communicator>> SumOnGpus(Communicator& ranks, int device) {
  try {
    return std::unique_ptr<Communicator>(std::make_unique<NcclCommunicator>(ranks, device));
  } catch (const std::runtime_error& error) {
    return MakeError("{}", error.what());
  }
}

}  // namespace continuo
