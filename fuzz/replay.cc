// Runs a fuzz target on files, without libFuzzer, and on changes of them: bytes set, cut, doubled.
// The changes are the same in every run, so that a failure can be repeated.
//
//   midi_replay FOLDER CHANGES     changes for each file

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "continuo/core/rng.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

Bytes Read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

void Change(Bytes& bytes, continuo::Rng& rng) {
  for (uint64_t changes = 1 + rng.NextBelow(4); changes > 0 && !bytes.empty(); --changes) {
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(rng.NextBelow(bytes.size()));
    const auto length =
        static_cast<std::ptrdiff_t>(1 + rng.NextBelow(std::min<uint64_t>(16, static_cast<uint64_t>(bytes.end() - at))));
    switch (rng.NextBelow(4)) {
      case 0:
        *at = static_cast<uint8_t>(rng.NextU32());
        break;
      case 1:
        *at ^= static_cast<uint8_t>(1U << rng.NextBelow(8));
        break;
      case 2:
        bytes.erase(at, at + length);
        break;
      default: {
        const Bytes copy(at, at + length);
        bytes.insert(at, copy.begin(), copy.end());
        break;
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || !std::filesystem::is_directory(argv[1])) {
    std::fprintf(stderr, "usage: %s FOLDER CHANGES\n", argv[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (size_t i = 0; i < files.size(); ++i) {
    const Bytes bytes = Read(files[i]);
    std::fprintf(stderr, "%s\n", files[i].c_str());  // the last one printed is the one that fails
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    for (uint64_t k = 0; k < std::strtoull(argv[2], nullptr, 10); ++k) {
      continuo::Rng rng(i, k);
      Bytes changed = bytes;
      Change(changed, rng);
      LLVMFuzzerTestOneInput(changed.data(), changed.size());
    }
  }
  std::printf("%zu files\n", files.size());
  return files.empty() ? 1 : 0;
}
