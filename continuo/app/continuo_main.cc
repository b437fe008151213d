#include "continuo/app/command.h"

int main(int argc, char** argv) {
  return continuo::RunProgram(argc, argv, {});
}
