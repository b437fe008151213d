#include "continuo/compose/loaded_model.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "continuo/compose/unpadded_model.h"

namespace continuo {
namespace {

using Json = nlohmann::json;

constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr std::string_view kGenerationFile = "generation.json";
constexpr const char* kDiscriminatorFile = "discriminator.json";

Result<GenerationSettings> ParseGenerationSettings(const std::string& text, const std::string& name) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    return MakeError("{}: is not a JSON object", name);
  }
  GenerationSettings settings;
  for (const auto& [key, value] : json.items()) {
    if (key == "precision") {
      settings.precision = ParseComputeFormat(value.is_string() ? value.get<std::string>() : "");
      if (!settings.precision) {
        return MakeError("{}: precision is {}, expected f32, bf16 or int8 in quotes", name, value.dump());
      }
      continue;
    }
    if (key == "both_sides") {
      if (!value.is_boolean()) {
        return MakeError("{}: both_sides is {}, expected true or false", name, value.type_name());
      }
      settings.both_sides = value.get<bool>();
      continue;
    }
    const SamplingField* field = FindSamplingField(key);
    if (field == nullptr) {
      return MakeError("{}: unknown key '{}'", name, key);
    }
    if (!value.is_number()) {
      return MakeError("{}: {} is {}, expected a number", name, key, value.type_name());
    }
    if (const Status status = field->Check(value); !status.ok()) {
      return MakeError("{}: {}", name, status.error().message);
    }
    field->set(settings.sampling, value);
  }
  return settings;
}

}  // namespace

Result<GenerationSettings> ReadGenerationSettings(const ModelDirectory& directory) {
  CONTINUO_ASSIGN(const std::optional<std::string> text, directory.ReadText(kGenerationFile));
  if (!text) {
    return GenerationSettings();
  }
  return ParseGenerationSettings(*text, (directory.path() / kGenerationFile).string());
}

Result<LoadedModel> LoadModel(const std::filesystem::path& directory, const CpuModelOptions& options) {
  CONTINUO_ASSIGN(const ModelDirectory opened, ModelDirectory::Open(directory));
  return LoadModel(opened, options);
}

Result<LoadedModel> LoadModel(const ModelDirectory& directory, const CpuModelOptions& options) {
  return LoadModel(directory, options.precision,
                   [&options](const ModelDirectory& opened, std::optional<NumberFormat> precision) {
                     return LoadCpuModel(opened, {options.threads, precision});
                   });
}

Result<LoadedModel> LoadModel(const ModelDirectory& directory, std::optional<NumberFormat> precision,
                              const ModelLoader& load) {
  LoadedModel loaded;
  loaded.directory = directory.path();

  const std::string name = directory.NameOf(kTokenizerFile);
  CONTINUO_ASSIGN(const std::optional<std::string> json, directory.ReadText(kTokenizerFile));
  if (!json) {
    return Error{fmt::format("{}: no such file, but a model needs its tokenizer", name),
                 "--tokenizer takes one from elsewhere", ErrorCode::kNotFound};
  }
  CONTINUO_ASSIGN(loaded.tokenizer, Tokenizer::FromPlainOrTrainedJson(*json, name));
  const size_t size = loaded.tokenizer->model_size();
  const auto model_size = static_cast<size_t>(directory.config().vocab_size);
  const bool is_padded = directory.vocab_sha256().empty() && IsPaddedSize(model_size, size);
  if (size != model_size && !is_padded) {
    return MakeError("{}: has {} tokens, but the model {} was trained with {}", name, size, directory.path().string(),
                     model_size);
  }
  if (!directory.vocab_sha256().empty() && directory.vocab_sha256() != loaded.tokenizer->model_sha256()) {
    return MakeError("{}: its vocabulary is not the one that the model {} was trained with", name,
                     directory.path().string());
  }

  CONTINUO_ASSIGN(const GenerationSettings settings, ReadGenerationSettings(directory));
  loaded.sampling = settings.sampling;
  loaded.reads_both_sides = settings.both_sides;
  CONTINUO_ASSIGN(const std::optional<std::string> discriminator, directory.ReadText(kDiscriminatorFile));
  if (discriminator) {
    CONTINUO_ASSIGN(Discriminator parsed,
                    Discriminator::Parse(*discriminator, (directory.path() / kDiscriminatorFile).string()));
    loaded.discriminator = std::make_shared<const Discriminator>(std::move(parsed));
  }
  CONTINUO_ASSIGN(std::unique_ptr<LanguageModel> model, load(directory, precision ? precision : settings.precision));
  loaded.model = WithoutPadding(std::move(model), size);
  loaded.weights_sha256 = directory.WeightsSha256();
  return loaded;
}

}  // namespace continuo
