#include <string_view>

#include "continuo/train/program/train_flags.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "pretrain") {
    return continuo::PretrainCommand(argc - 1, argv + 1);
  }
  return continuo::TrainCommand(argc, argv);
}
