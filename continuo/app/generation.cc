#include "continuo/app/generation.h"

#include <algorithm>
#include <cmath>

#include "continuo/core/file.h"
#include "continuo/infer/cpu_model.h"
#include "continuo/model/model_directory.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// The settings of the study that the defaults come from: top-k 5, temperature 1.2, repetition penalty 1.2.
constexpr SamplingOptions kStudySampling = {.temperature = 1.2, .top_k = 5, .repetition_penalty = 1.2};

/// A model's generation.json: an object of numbers, each key one of SamplingOptions.
Result<SamplingOptions> ParseGenerationSettings(const std::string& text, const std::string& name) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) {
    return MakeError("{}: is not a JSON object", name);
  }
  SamplingOptions sampling = kStudySampling;
  for (const auto& [key, value] : json.items()) {
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
  return sampling;
}

}  // namespace

void AddGenerationFlags(CLI::App& command, GenerationFlags& flags) {
  command.add_option("--model", flags.model, "a model directory; the model that ships if left out");
  command.add_option("-o,--output", flags.output, "the folder to write the pieces to")->required();
  command.add_option("--count", flags.options.count, "how many pieces")->capture_default_str();
  command.add_option("--seed", flags.options.seed, "the same seed gives the same pieces, byte for byte")->capture_default_str();
  command.add_option("--threads", flags.threads, "threads; 0: one for each core")->capture_default_str();
  command.add_option("--precision", flags.precision, "what to compute in; if left out, what the model is stored in")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
  command.add_option("--batch", flags.options.batch, "pieces written side by side; changes the speed alone")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  const std::string defaults = "; if left out, as the model's generation.json says";
  command.add_option("--temperature", flags.temperature, "0: always the likeliest token; 1: as the model thinks; above: bolder" + defaults);
  command.add_option("--top-k", flags.top_k, "draw from the k likeliest tokens" + defaults);
  command.add_option("--top-p", flags.top_p, "draw from the likeliest tokens that together reach p" + defaults);
  command.add_option("--min-p", flags.min_p, "draw from tokens at least this share as likely as the likeliest" + defaults);
  command.add_option("--repetition-penalty", flags.repetition_penalty, "above 1: less of what was used already" + defaults);
}

Result<LoadedModel> LoadModel(const GenerationFlags& flags) {
  LoadedModel loaded;
  if (flags.model.empty()) {
    CONTINUO_ASSIGN(loaded.directory, DefaultModel());
  } else {
    loaded.directory = flags.model;
  }
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

  loaded.sampling = kStudySampling;
  CONTINUO_ASSIGN(const std::optional<std::string> settings, directory.ReadText("generation.json"));
  if (settings) {
    CONTINUO_ASSIGN(loaded.sampling,
                    ParseGenerationSettings(*settings, (loaded.directory / "generation.json").string()));
  }
  CONTINUO_ASSIGN(loaded.model, LoadCpuModel(directory, {flags.threads, ParsePrecision(flags.precision)}));
  loaded.weights_sha256 = directory.WeightsSha256();
  return loaded;
}

Result<SamplingOptions> ChooseSampling(const GenerationFlags& flags, const LoadedModel& model) {
  if (flags.top_k && *flags.top_k < 1) {
    return Error{fmt::format("top-k is {}, expected 1 or more", *flags.top_k),
                 fmt::format("{} keeps all tokens", model.tokenizer->vocabulary().size())};
  }
  SamplingOptions sampling = model.sampling;
  sampling.temperature = flags.temperature.value_or(sampling.temperature);
  sampling.top_k = flags.top_k.value_or(sampling.top_k);
  sampling.top_p = flags.top_p.value_or(sampling.top_p);
  sampling.min_p = flags.min_p.value_or(sampling.min_p);
  sampling.repetition_penalty = flags.repetition_penalty.value_or(sampling.repetition_penalty);
  CONTINUO_TRY(CheckSamplingOptions(sampling));
  return sampling;
}

Manifest::Manifest(const GenerationFlags& flags, const GenerationOptions& options, const LoadedModel& model,
                   const AppContext& context) {
  header_ = {{"continuo", Version()},
             {"command", context.arguments},
             {"model", model.directory.string()},
             {"model_sha256", model.weights_sha256},
             {"vocab_sha256", model.tokenizer->vocabulary_sha256()},
             {"seed", options.seed},
             {"bars", options.bars},
             {"count", flags.options.count},
             {"sampling",
              {{"temperature", options.sampling.temperature},
               {"top_k", options.sampling.top_k},
               {"top_p", options.sampling.top_p},
               {"min_p", options.sampling.min_p},
               {"repetition_penalty", options.sampling.repetition_penalty}}}};
}

void Manifest::AddPiece(size_t index, const std::string& file, const GeneratedPiece& piece) {
  rows_[index] = {{"file", file},
                  {"piece", index},
                  {"tokens", piece.ids.size()},
                  {"prompt_tokens", piece.prompt_length},
                  {"window_slides", piece.slides},
                  {"nll_per_token", piece.nll}};
}

Status Manifest::Write(const fs::path& folder) const {
  Json manifest = header_;
  manifest["pieces"] = Json::array();
  for (const auto& [index, row] : rows_) {
    manifest["pieces"].push_back(row);
  }
  return WriteFileAtomically(folder / "manifest.json",
                             manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::string PieceName(size_t index) { return fmt::format("piece-{:03}", index + 1); }

}  // namespace continuo
