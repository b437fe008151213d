#include "continuo/app/model_flags.h"

#include <iterator>

#include "continuo/app/terminal.h"
#include "continuo/engine/cpu/kernels.h"
#include "continuo/os/machine.h"

namespace continuo {

namespace fs = std::filesystem;

void AddDeviceFlag(CLI::App& command, std::string& device) {
  command.add_option("--device", device, "cpu; cuda or cuda:N for a GPU, where LibTorch computes, in bf16 or f32")
      ->check([](const std::string& name) {
        return name == "cpu" || name == "cuda" || name.starts_with("cuda:") ? "" : "expected cpu, cuda or cuda:N";
      })
      ->capture_default_str();
}

void AddModelTokenizerFlag(CLI::App& command, std::string& tokenizer) {
  command.add_option("--tokenizer", tokenizer, "the tokenizer.json to use; default: the one in the model directory");
}

void AddModelFlags(CLI::App& command, ModelFlags& flags) {
  command.add_option("--model", flags.model, "a model directory; default: the model that ships");
  AddModelTokenizerFlag(command, flags.tokenizer);
  command.add_option("--threads", flags.threads, "threads; 0: one for each core")->capture_default_str();
  AddDeviceFlag(command, flags.device);
  command
      .add_option("--precision", flags.precision,
                  "compute in f32, bf16 or int8; default: the model's generation.json, else the format of its weights")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
  command
      .add_option("--lanes", flags.lanes,
                  "4: vectors of four numbers, for the bytes of the studio in one file, on x86 only; default: what the "
                  "processor has")
      ->check(CLI::IsMember({4}));
}

Status BecomeTorchProgram(const AppContext& context) {
  return BecomeProgram("continuo-torch", {std::next(context.arguments.begin()), context.arguments.end()}, kNoLibTorch);
}

Status CheckMemory(const ModelConfig& config, NumberFormat precision, size_t sequences, std::string_view model) {
  const MemoryNeed need = EstimateMemory(config, precision);
  const uint64_t available = AvailableMemory();
  if (need.weights <= available && need.sequence <= (available - need.weights) / sequences) {
    return {};
  }
  constexpr double kGigabyte = 1e9;
  return Error{
      fmt::format("{}: does not fit into memory: its weights take {:.2f} GB, keys and values {:.2f} GB for each "
                  "of {} at a time, and {:.2f} GB are free",
                  model, static_cast<double>(need.weights) / kGigabyte, static_cast<double>(need.sequence) / kGigabyte,
                  FormatCount(sequences, "piece"), static_cast<double>(available) / kGigabyte),
      "use a smaller --batch, or --precision int8"};
}

Result<LoadedModel> LoadModel(const ModelFlags& flags, size_t sequences, const AppContext& context) {
  if (flags.lanes != 0 && (flags.device != "cpu" || context.loader_for)) {
    return MakeError("--lanes {} is for --device cpu, and the device is {}", flags.lanes, flags.device);
  }
  if (!context.loader_for && flags.device != "cpu") {
    return BecomeTorchProgram(context).error();
  }
  CpuModelOptions options;
  options.threads = flags.threads;
  options.precision = ParseComputeFormat(flags.precision);
  fs::path path = flags.model;
  if (path.empty()) {
    CONTINUO_ASSIGN(path, DefaultModel());
  }
  CONTINUO_ASSIGN(const ModelDirectory directory, ModelDirectory::Open(path, flags.tokenizer));
  if (context.loader_for) {
    return LoadModel(directory, options.precision, context.loader_for(flags.device));
  }
  CONTINUO_ASSIGN(const GenerationSettings settings, ReadGenerationSettings(directory));
  if (!options.precision) {
    options.precision = settings.precision.value_or(StoredPrecision(directory));
  }
  if (flags.lanes != 0 && !UseFourLanes()) {
    return MakeError("--lanes {} needs an x86 processor, and this is another one", flags.lanes);
  }
  CONTINUO_TRY(CheckMemory(directory.config(), *options.precision, sequences, path.string()));
  return LoadModel(directory, options);
}

}  // namespace continuo
