#include "continuo/app/command.h"
#include "continuo/engine/torch/torch_model.h"

// continuo, with models that LibTorch computes.
int main(int argc, char** argv) {
  continuo::AppContext context;
  context.loader_for = [](const std::string& device) -> continuo::ModelLoader {
    return [device](const continuo::ModelDirectory& directory, std::optional<continuo::NumberFormat> precision) {
      return continuo::LoadTorchModel(directory, device, precision == continuo::NumberFormat::kF32);
    };
  };
  return continuo::RunProgram(argc, argv, std::move(context));
}
