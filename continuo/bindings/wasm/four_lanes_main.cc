// Writes new pieces as the program does, but with vectors of four lanes, those of WebAssembly: to
// compare its bytes with.
//
//   four_lanes MODEL BARS FIRST_SEED LAST_SEED DIRECTORY
#include <hwy/targets.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "continuo/compose/composer.h"
#include "continuo/engine/cpu/kernels.h"
#include "continuo/os/file.h"

namespace continuo {
namespace {

Status WriteAll(const std::filesystem::path& directory, size_t bars, uint64_t first, uint64_t last,
                const std::filesystem::path& output) {
  CONTINUO_ASSIGN(const LoadedModel model, LoadModel(directory, CpuModelOptions{.threads = 1}));
  for (uint64_t seed = first; seed <= last; ++seed) {
    CONTINUO_ASSIGN(const std::vector<WrittenPiece> pieces,
                    Composer(model).Write(NewRequest{.bars = bars}, ComposeOptions{.seed = seed}));
    CONTINUO_TRY(WriteFileAtomically(output / fmt::format("{}.mid", seed), pieces.front().piece.Bytes()));
  }
  return {};
}

}  // namespace
}  // namespace continuo

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: four_lanes MODEL BARS FIRST_SEED LAST_SEED DIRECTORY\n");
    return 2;
  }
  hwy::DisableTargets(HWY_AVX2 | (HWY_AVX2 - 1));  // smaller bits are newer instruction sets
  std::printf("instruction set: %s\n", continuo::KernelTargetName());
  const continuo::Status status =
      continuo::WriteAll(argv[1], std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10),
                         std::strtoull(argv[4], nullptr, 10), argv[5]);
  if (!status.ok()) {
    std::fprintf(stderr, "four_lanes: %s\n", status.error().ToString().c_str());
    return 1;
  }
  return 0;
}
