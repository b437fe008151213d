#include <cstdio>

#include "continuo/train/program/run_training.h"

namespace continuo {

int PretrainCommand(int /*argc*/, char** /*argv*/) {
  fmt::print(stderr,
             "continuo: pretrain: was not built (install libsentencepiece-dev and zlib1g-dev with tools/bootstrap.sh "
             "and build "
             "again)\n");
  return 1;
}

}  // namespace continuo
