#include <string_view>

#include "continuo/train/program/run_training.h"

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "pretrain") {
    return continuo::PretrainCommand(argc - 1, argv + 1);
  }
  if (command == "bench") {
    return continuo::BenchCommand(argc - 1, argv + 1);
  }
  return continuo::TrainCommand(argc, argv);
}
