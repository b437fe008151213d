// Writes 32 bars with a model directory: generate models/pop-piano piece.mid
#include <cstdio>

#include "continuo/compose/composer.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    return std::fprintf(stderr, "usage: generate MODEL OUT.mid\n"), 2;
  }
  const auto model = continuo::LoadModel(argv[1]);
  if (!model.ok()) {
    return std::fprintf(stderr, "%s\n", model.error().ToString().c_str()), 1;
  }
  const auto pieces = continuo::Composer(*model).Write(continuo::NewRequest{.bars = 32}, {.seed = 1});
  if (!pieces.ok()) {
    return std::fprintf(stderr, "%s\n", pieces.error().ToString().c_str()), 1;
  }
  const auto written = pieces->front().piece.Write(argv[2]);
  if (!written.ok()) {
    return std::fprintf(stderr, "%s\n", written.error().ToString().c_str()), 1;
  }
  return 0;
}
