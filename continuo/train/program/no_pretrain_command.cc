#include <cstdio>

#include "continuo/train/program/train_flags.h"

namespace continuo {

int PretrainCommand(int /*argc*/, char** /*argv*/) {
  fmt::print(stderr,
             "continuo: pretrain: was not built (install libsentencepiece-dev and zlib1g-dev with tools/bootstrap.sh "
             "and build "
             "again)\n");
  return 1;
}

}  // namespace continuo
