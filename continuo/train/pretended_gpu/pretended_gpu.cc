// A GPU that is not there, for tests on machines without one: loaded before LibTorch's users
// (LD_PRELOAD), it gives a LibTorch for CPUs one device "cuda:0". Its memory ends a program that
// reads or writes it past LibTorch's operators, as a GPU's does: the addresses that tensors show
// can't be accessed, and the bytes lie kDistance further. Operators compute on the CPU, on copies;
// one that gets tensors of both devices ends the program. What it can't show is CUDA's own kernels:
// their speed, their rounding, and what happens at the same time.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/InferSize.h>
#include <ATen/TensorUtils.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sys/mman.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>

namespace {

using at::Tensor;

constexpr size_t kDistance = size_t{64} << 30;
const c10::Device kGpu(c10::kCUDA, 0);

[[noreturn]] void Fail(const std::string& message) {
  std::cerr << "pretended GPU: " << message << "\n";
  std::abort();
}

class Memory : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    constexpr size_t kPage = 4096;
    size = (std::max<size_t>(size, 1) + kPage - 1) / kPage * kPage;
    const std::lock_guard lock(mutex_);
    char* address = nullptr;
    if (const auto free = free_.find(size); free != free_.end()) {
      address = free->second;
      free_.erase(free);
    } else {
      if (base_ == nullptr) {
        Reserve();
      }
      TORCH_CHECK_WITH(OutOfMemoryError, size <= kDistance - used_, "pretended GPU: out of memory");
      address = base_ + used_;
      used_ += size;
      sizes_[address] = size;
    }
    return {address, address, &Free, kGpu};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Free; }
  void copy_data(void* to, const void* from, size_t count) const override {
    std::memcpy(static_cast<char*>(to) + kDistance, static_cast<const char*>(from) + kDistance, count);
  }

  static Memory& Get() {
    static auto* memory = new Memory;  // outlives all tensors
    return *memory;
  }

 private:
  void Reserve() {
    void* all = ::mmap(nullptr, 2 * kDistance, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) {
      Fail("no addresses left");
    }
    base_ = static_cast<char*>(all);
    ::mprotect(base_ + kDistance, kDistance, PROT_READ | PROT_WRITE);
  }
  static void Free(void* pointer) {
    Memory& memory = Get();
    const std::lock_guard lock(memory.mutex_);
    auto* address = static_cast<char*>(pointer);
    memory.free_.emplace(memory.sizes_[address], address);
  }

  std::mutex mutex_;
  char* base_ = nullptr;
  size_t used_ = 0;
  std::multimap<size_t, char*> free_;  // by size
  std::map<char*, size_t> sizes_;
};

struct Guard final : c10::impl::DeviceGuardImplInterface {
  static constexpr c10::DeviceType static_type = c10::kCUDA;
  Guard() = default;
  explicit Guard(c10::DeviceType) {}
  c10::DeviceType type() const override { return c10::kCUDA; }
  c10::Device exchangeDevice(c10::Device) const override { return kGpu; }
  c10::Device getDevice() const override { return kGpu; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream getDefaultStream(c10::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, c10::DeviceIndex) const noexcept override {}
};
C10_REGISTER_GUARD_IMPL(CUDA, Guard)

struct Hooks : at::CUDAHooksInterface {
  explicit Hooks(at::CUDAHooksArgs) {}
  void init() const override {}
  bool hasCUDA() const override { return true; }
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    return at::detail::getDefaultCPUGenerator();
  }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  bool isPinnedPtr(const void*) const override { return false; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};
using at::CUDAHooksRegistry;
using at::RegistererCUDAHooksRegistry;
C10_REGISTER_TYPED_CLASS(CUDAHooksRegistry, "CUDAHooks", Hooks)

const c10::DispatchKeySet kKeys(c10::DispatchKey::CUDA);

Tensor Empty(c10::SymIntArrayRef sizes, std::optional<at::ScalarType> type, std::optional<at::Layout>,
             std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(sizes), &Memory::Get(), kKeys, type.value_or(at::kFloat),
                                   format);
}

Tensor EmptyStrided(c10::SymIntArrayRef sizes, c10::SymIntArrayRef strides, std::optional<at::ScalarType> type,
                    std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(sizes), C10_AS_INTARRAYREF_SLOW(strides),
                                           &Memory::Get(), kKeys, type.value_or(at::kFloat));
}

/// A CPU's tensor over the same bytes.
Tensor OnHost(const Tensor& tensor) {
  const Tensor plain = tensor.detach();
  if (!plain.is_cuda()) {
    return plain;
  }
  const auto options = plain.options().device(at::kCPU);
  return plain.numel() == 0
             ? at::empty_strided(plain.sizes(), plain.strides(), options)
             : at::from_blob(static_cast<char*>(plain.data_ptr()) + kDistance, plain.sizes(), plain.strides(), options);
}

Tensor& Copy(Tensor& to, const Tensor& from, bool /*non_blocking*/) {
  OnHost(to).copy_(OnHost(from));
  return to;
}

Tensor CopyFrom(const Tensor& from, const Tensor& to, bool /*non_blocking*/) {
  OnHost(to).copy_(OnHost(from));
  return to;
}

Tensor CopyFromAndResize(const Tensor& from, const Tensor& to) {
  to.resize_(from.sizes());
  OnHost(to).copy_(OnHost(from));
  return to;
}

at::Scalar Item(const Tensor& tensor) {
  return OnHost(tensor).item();
}

Tensor AsStrided(const Tensor& tensor, c10::SymIntArrayRef sizes, c10::SymIntArrayRef strides,
                 std::optional<c10::SymInt> offset) {
  Tensor view = at::detail::make_tensor<c10::TensorImpl>(c10::TensorImpl::VIEW, c10::Storage(tensor.storage()),
                                                         tensor.key_set(), tensor.dtype());
  view.unsafeGetTensorImpl()->set_sizes_and_strides(C10_AS_INTARRAYREF_SLOW(sizes), C10_AS_INTARRAYREF_SLOW(strides),
                                                    offset ? offset->expect_int() : tensor.storage_offset());
  return view;
}

Tensor ReshapeAlias(const Tensor& tensor, c10::SymIntArrayRef sizes, c10::SymIntArrayRef strides) {
  return AsStrided(tensor, sizes, strides, std::nullopt);
}

Tensor View(const Tensor& tensor, c10::SymIntArrayRef sizes) {
  const auto shape = at::infer_size(C10_AS_INTARRAYREF_SLOW(sizes), tensor.numel());
  const auto strides = at::detail::computeStride(tensor.sizes(), tensor.strides(), shape);
  TORCH_CHECK(strides, "view: the elements lie otherwise");
  return tensor.as_strided(shape, *strides, tensor.storage_offset());
}

const Tensor& Resize(const Tensor& tensor, c10::SymIntArrayRef sizes, std::optional<at::MemoryFormat> /*format*/) {
  const auto shape = C10_AS_INTARRAYREF_SLOW(sizes);
  const auto bytes = static_cast<size_t>(c10::multiply_integers(shape)) * tensor.itemsize();
  c10::StorageImpl* storage = tensor.storage().unsafeGetStorageImpl();
  if (storage->nbytes() < bytes) {
    storage->set_data_ptr_noswap(Memory::Get().allocate(bytes));
    storage->set_nbytes(bytes);
  }
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous(shape);
  return tensor;
}

void ComputeOnCopies(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  for (const c10::IValue& argument : torch::jit::last(stack, op.schema().arguments().size())) {
    // CUDA takes a number that lies on the CPU.
    if (argument.isTensor() && argument.toTensor().defined() && argument.toTensor().is_cpu() &&
        argument.toTensor().dim() > 0) {
      Fail("tensors of both devices in " + op.schema().name());
    }
  }
  at::native::cpu_fallback(op, stack);
}

TORCH_LIBRARY_IMPL(_, CUDA, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&ComputeOnCopies>());
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("empty.memory_format", Empty);
  library.impl("empty_strided", EmptyStrided);
  library.impl("copy_", Copy);
  library.impl("_copy_from", CopyFrom);
  library.impl("_copy_from_and_resize", CopyFromAndResize);
  library.impl("_local_scalar_dense", Item);
  library.impl("as_strided", AsStrided);
  library.impl("_reshape_alias", ReshapeAlias);
  library.impl("view", View);
  library.impl("resize_", Resize);
}

const bool kReady = [] {
  c10::SetAllocator(c10::kCUDA, &Memory::Get());
  // Attention by its definition: CUDA's fused kernels have no counterpart to compute them.
  at::globalContext().setSDPUseFlash(false);
  at::globalContext().setSDPUseMemEfficient(false);
  at::globalContext().setSDPUseCuDNN(false);
  return true;
}();

}  // namespace
