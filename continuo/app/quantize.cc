#include <cstring>
#include <memory>

#include "continuo/app/command.h"
#include "continuo/model/model_directory.h"

namespace continuo {
namespace {

struct QuantizeFlags {
  std::string model;
  std::string precision = "bf16";
  std::string output;
};

Status RunQuantize(const QuantizeFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const ModelDirectory model, ModelDirectory::Open(flags.model));
  ModelFiles files;
  files.config = model.config();
  files.vocab_sha256 = model.vocab_sha256();
  const std::vector<WeightShape> shapes = Gpt2WeightShapes(files.config);
  std::vector<std::vector<uint8_t>> bytes;
  for (const WeightShape& weight : shapes) {
    CONTINUO_ASSIGN(const std::vector<float> values, model.ReadWeight(weight.name));
    std::vector<uint8_t>& rounded = bytes.emplace_back(values.size() * 2);
    for (size_t i = 0; i < values.size(); ++i) {
      const uint16_t half = FloatToBf16(values[i]);
      std::memcpy(rounded.data() + 2 * i, &half, sizeof(half));
    }
  }
  for (size_t i = 0; i < shapes.size(); ++i) {
    files.weights.push_back({shapes[i].name, TensorType::kBf16, shapes[i].shape, bytes[i]});
  }
  for (const std::string name : {"tokenizer.json", "generation.json", "README.md"}) {
    CONTINUO_ASSIGN(std::optional<std::string> text, model.ReadText(name));
    if (text) {
      files.texts[name] = std::move(*text);
    }
  }
  CONTINUO_TRY(WriteModelDirectory(files, flags.output));
  if (context.json) {
    return PrintJson({{"model", flags.output}, {"precision", flags.precision}});
  }
  return PrintLine(fmt::format("{}: {} in {}", flags.output, flags.model, flags.precision));
}

}  // namespace

void AddQuantizeCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("quantize", "Write a model in fewer bits: half the size on disk");
  command->footer("Example:\n  continuo quantize out/run/best --precision bf16 -o out/small");
  auto flags = std::make_shared<QuantizeFlags>();
  command->add_option("model", flags->model, "a model directory")->required();
  command->add_option("--precision", flags->precision, "bf16: 16 bits a weight")
      ->check(CLI::IsMember({"bf16"}))
      ->capture_default_str();
  command->add_option("-o,--output", flags->output, "the model directory to write")->required();
  command->callback([flags, &context] { context.run = [flags, &context] { return RunQuantize(*flags, context); }; });
}

}  // namespace continuo
