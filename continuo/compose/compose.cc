#include "continuo/compose/compose.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "continuo/model/model_directory.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

Result<GenerationSettings> ParseGenerationSettings(const std::string& text, const std::string& name) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    return MakeError("{}: is not a JSON object", name);
  }
  GenerationSettings settings;
  SamplingOptions& sampling = settings.sampling;
  for (const auto& [key, value] : json.items()) {
    if (key == "precision") {
      settings.precision = ParsePrecision(value.is_string() ? value.get<std::string>() : "");
      if (!settings.precision) {
        return MakeError("{}: precision is {}, expected f32, bf16 or int8 in quotes", name, value.dump());
      }
      continue;
    }
    if (!value.is_number()) {
      return MakeError("{}: {} is {}, expected a number", name, key, value.type_name());
    }
    if (key == "temperature") {
      sampling.temperature = value;
    } else if (key == "top_k") {
      sampling.top_k = value;
    } else if (key == "top_p") {
      sampling.top_p = value;
    } else if (key == "min_p") {
      sampling.min_p = value;
    } else if (key == "repetition_penalty") {
      sampling.repetition_penalty = value;
    } else {
      return MakeError("{}: unknown key '{}'", name, key);
    }
  }
  if (const Status status = CheckSamplingOptions(sampling); !status.ok()) {
    return MakeError("{}: {}", name, status.error().message);
  }
  return settings;
}

/// Collects pieces in the order of their indices.
class Collector {
 public:
  PieceSink sink() {
    return [this](size_t index, GeneratedPiece piece) -> Status {
      pieces_.emplace(index, std::move(piece));
      return {};
    };
  }
  const std::map<size_t, GeneratedPiece>& pieces() const { return pieces_; }

 private:
  std::map<size_t, GeneratedPiece> pieces_;
};

}  // namespace

Result<GenerationSettings> ReadGenerationSettings(const ModelDirectory& directory) {
  CONTINUO_ASSIGN(const std::optional<std::string> text, directory.ReadText("generation.json"));
  if (!text) {
    return GenerationSettings();
  }
  return ParseGenerationSettings(*text, (directory.path() / "generation.json").string());
}

Result<LoadedModel> LoadModel(const fs::path& path, const CpuModelOptions& options) {
  return LoadModel(path, options.precision, [&](const ModelDirectory& directory, std::optional<Precision> precision) {
    return LoadCpuModel(directory, {options.threads, precision});
  });
}

Result<LoadedModel> LoadModel(const fs::path& path, std::optional<Precision> precision, const ModelLoader& load) {
  LoadedModel loaded;
  loaded.directory = path;
  CONTINUO_ASSIGN(const ModelDirectory directory, ModelDirectory::Open(loaded.directory));

  const fs::path tokenizer_file = loaded.directory / "tokenizer.json";
  CONTINUO_ASSIGN(loaded.tokenizer, Tokenizer::Load(tokenizer_file.string()));
  const Vocabulary& vocabulary = loaded.tokenizer->vocabulary();
  if (static_cast<int64_t>(vocabulary.size()) != directory.config().vocab_size) {
    return MakeError("{}: has {} tokens, but the model beside it was trained with {}", tokenizer_file.string(),
                     vocabulary.size(), directory.config().vocab_size);
  }
  if (!directory.vocab_sha256().empty() && directory.vocab_sha256() != loaded.tokenizer->vocabulary_sha256()) {
    return MakeError("{}: has another vocabulary than the model beside it was trained with", tokenizer_file.string());
  }

  CONTINUO_ASSIGN(const GenerationSettings settings, ReadGenerationSettings(directory));
  loaded.sampling = settings.sampling;
  CONTINUO_ASSIGN(loaded.model, load(directory, precision ? precision : settings.precision));
  loaded.weights_sha256 = directory.WeightsSha256();
  return loaded;
}

Result<std::vector<Score>> Compose(const LoadedModel& model, const GenerationOptions& options, Progress& progress) {
  Collector collector;
  CONTINUO_TRY(Generate(*model.model, *model.tokenizer, {}, options, collector.sink(), progress));
  std::vector<Score> scores;
  for (const auto& [index, piece] : collector.pieces()) {
    scores.push_back(DecodePlanned(piece.ids, options.plan, *model.tokenizer));
  }
  return scores;
}

Result<std::vector<Continuation>> ContinueScore(const LoadedModel& model, const Score& score, size_t prompt_bars,
                                                const GenerationOptions& options, Progress& progress) {
  if (prompt_bars < 1 || prompt_bars >= options.bars) {
    return MakeError("prompt-bars is {}, expected 1 to {}, fewer than the {} bars of the whole", prompt_bars,
                     options.bars - 1, options.bars);
  }
  CONTINUO_ASSIGN(const Prompt prompt, TakePrompt(score, prompt_bars, *model.tokenizer, "the prompt"));
  Collector collector;
  CONTINUO_TRY(Generate(*model.model, *model.tokenizer, prompt.ids, options, collector.sink(), progress));
  std::vector<Continuation> continuations;
  for (const auto& [index, piece] : collector.pieces()) {
    continuations.push_back(JoinContinuation(prompt, piece.ids, *model.tokenizer));
  }
  return continuations;
}

}  // namespace continuo
