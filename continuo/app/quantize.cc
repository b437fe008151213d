#include <memory>

#include "continuo/app/command.h"
#include "continuo/app/model_flags.h"
#include "continuo/model/quantize_model.h"

namespace continuo {
namespace {

struct QuantizeFlags {
  std::string model;
  std::string tokenizer;
  std::string precision = "bf16";
  std::string output;
};

Status RunQuantize(const QuantizeFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const ModelDirectory model, ModelDirectory::Open(flags.model, flags.tokenizer));
  CONTINUO_TRY(QuantizeModel(model, *ParseComputeFormat(flags.precision), flags.output));
  if (context.json) {
    return PrintJson({{"model", flags.output}, {"precision", flags.precision}});
  }
  return PrintLine(fmt::format("{}: {} in {}", flags.output, flags.model, flags.precision));
}

}  // namespace

void AddQuantizeCommand(CLI::App& app, AppContext& context) {
  CLI::App* command =
      app.add_subcommand("quantize", "Write a model in fewer bits: smaller, and faster to write music with");
  command->footer("Example:\n  continuo quantize out/run/best --precision int8 -o out/small");
  auto flags = std::make_shared<QuantizeFlags>();
  command->add_option("model", flags->model, "a model directory")->required();
  command
      ->add_option("--precision,--dtype", flags->precision,
                   "bf16: 16 bits a weight, read by transformers too; int8: 8 bits and a scale for every 64")
      ->check(CLI::IsMember({"bf16", "int8"}))
      ->capture_default_str();
  AddModelTokenizerFlag(*command, flags->tokenizer);
  command->add_option("-o,--output", flags->output, "the model directory to write")->required();
  command->callback([flags, &context] { context.run = [flags, &context] { return RunQuantize(*flags, context); }; });
}

}  // namespace continuo
