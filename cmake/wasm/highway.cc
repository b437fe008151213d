// What the code asks of Highway's library, of which there is none for WebAssembly: its headers
// serve as they are, since one instruction set alone is compiled.
#include <hwy/aligned_allocator.h>
#include <hwy/base.h>
#include <hwy/targets.h>

#include <cstdio>
#include <cstdlib>

namespace hwy {

int64_t SupportedTargets() {
  return HWY_STATIC_TARGET;
}

void SetSupportedTargetsForTest(int64_t /*targets*/) {}

ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

void* AllocateAlignedBytes(size_t size, AllocPtr allocate, void* opaque) {
  if (allocate != nullptr) {
    std::abort();  // no caller has an allocator of its own
  }
  static_cast<void>(opaque);
  return std::aligned_alloc(HWY_ALIGNMENT, (size + HWY_ALIGNMENT - 1) / HWY_ALIGNMENT * HWY_ALIGNMENT);
}

void FreeAlignedBytes(const void* pointer, FreePtr /*free_function*/, void* /*opaque*/) {
  std::free(const_cast<void*>(pointer));
}

void AlignedDeleter::DeleteAlignedArray(void* pointer, FreePtr free_function, void* opaque, ArrayDeleter deleter) {
  static_cast<void>(deleter);  // of arrays of numbers, which need none
  FreeAlignedBytes(pointer, free_function, opaque);
}

void Abort(const char* file, int line, const char* format, ...) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, format);
  std::abort();
}

}  // namespace hwy
