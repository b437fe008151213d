#include "continuo/app/generation.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "continuo/app/terminal.h"
#include "continuo/os/file.h"
#include "continuo/os/machine.h"

namespace continuo {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void AddDeviceFlag(CLI::App& command, std::string& device) {
  command.add_option("--device", device, "cpu; cuda or cuda:N for a GPU, where LibTorch computes, in bf16 or f32")
      ->check([](const std::string& name) {
        return name == "cpu" || name == "cuda" || name.starts_with("cuda:") ? "" : "expected cpu, cuda or cuda:N";
      })
      ->capture_default_str();
}

void AddComputeFlags(CLI::App& command, GenerationFlags& flags) {
  AddDeviceFlag(command, flags.device);
  command
      .add_option("--precision", flags.precision,
                  "compute in f32, bf16 or int8; if left out, as the model's generation.json says, else as the weights "
                  "are stored")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
}

void AddGenerationFlags(CLI::App& command, GenerationFlags& flags) {
  command.add_option("--model", flags.model, "a model directory; the model that ships if left out");
  command.add_option("-o,--output", flags.output, "the folder to write the pieces to")->required();
  command.add_option("--count", flags.options.count, "how many pieces")->capture_default_str();
  command.add_option("--seed", flags.options.seed, "the same seed gives the same pieces, byte for byte")
      ->capture_default_str();
  command.add_option("--threads", flags.threads, "threads; 0: one for each core")->capture_default_str();
  command
      .add_option("--batch", flags.options.batch,
                  "pieces written side by side; changes the speed alone; 0: as many as suit the model")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.add_option("--keep", flags.keep, "write the best so many of the pieces only; 0: all of them")
      ->capture_default_str();
  command.add_option("--rank", flags.rank, "which are best: nll, those that the model itself finds likeliest a token")
      ->check(CLI::IsMember({"nll"}))
      ->capture_default_str();
  command
      .add_option("--retries", flags.options.retries,
                  "how often a piece that is stuck (silent, repeating one bar, crowded) goes back and tries again")
      ->capture_default_str();
  AddComputeFlags(command, flags);
  const std::string defaults = "; if left out, as the model's generation.json says";
  command.add_option("--temperature", flags.temperature,
                     "0: always the likeliest token; 1: as the model thinks; above: bolder" + defaults);
  command.add_option("--top-k", flags.top_k, "draw from the k likeliest tokens" + defaults);
  command.add_option("--top-p", flags.top_p, "draw from the likeliest tokens that together reach p" + defaults);
  command.add_option("--min-p", flags.min_p,
                     "draw from tokens at least this share as likely as the likeliest" + defaults);
  command.add_option("--repetition-penalty", flags.repetition_penalty,
                     "above 1: less of what was used already" + defaults);
}

size_t SideBySide(size_t batch, size_t count) {
  constexpr size_t kUsual = 8;  // about as many as suit a model
  return std::max<size_t>(1, std::min(batch > 0 ? batch : kUsual, count));
}

Status BecomeTorchProgram(const AppContext& context) {
  return BecomeProgram("continuo-torch", {std::next(context.arguments.begin()), context.arguments.end()}, kNoLibTorch);
}

Status CheckMemory(const Gpt2Config& config, Precision precision, size_t sequences, std::string_view model) {
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

Result<LoadedModel> LoadModel(const GenerationFlags& flags, size_t sequences, const AppContext& context) {
  if (!context.loader_for && flags.device != "cpu") {
    return BecomeTorchProgram(context).error();
  }
  CpuModelOptions options;
  options.threads = flags.threads;
  options.precision = ParsePrecision(flags.precision);
  fs::path path = flags.model;
  if (path.empty()) {
    CONTINUO_ASSIGN(path, DefaultModel());
  }
  if (context.loader_for) {
    return LoadModel(path, options.precision, context.loader_for(flags.device));
  }
  CONTINUO_ASSIGN(const ModelDirectory directory, ModelDirectory::Open(path));
  CONTINUO_ASSIGN(const GenerationSettings settings, ReadGenerationSettings(directory));
  if (!options.precision) {
    options.precision = settings.precision.value_or(StoredPrecision(directory));
  }
  CONTINUO_TRY(CheckMemory(directory.config(), *options.precision, sequences, path.string()));
  return LoadModel(path, options);
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
                  {"nll_per_token", piece.nll},
                  {"retries", piece.retries},
                  {"guards", Json::array()}};
  for (const GuardEvent& event : piece.guards) {
    rows_[index]["guards"].push_back({{"bar", event.bar + 1}, {"kind", GuardName(event.kind)}});
  }
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

Status GenerateKept(const GenerationFlags& flags, const GenerationOptions& options, const LoadedModel& model,
                    std::span<const TokenId> prompt, const AppContext& context, const PieceSink& write,
                    const BarSink& on_bar) {
  std::vector<std::pair<size_t, GeneratedPiece>> pieces;
  const bool all = flags.keep == 0 || flags.keep >= options.count;
  const PieceSink collect = [&pieces](size_t index, GeneratedPiece piece) -> Status {
    pieces.emplace_back(index, std::move(piece));
    return {};
  };
  TerminalProgress progress("bars", context.quiet);
  const Status status =
      Generate(*model.model, *model.tokenizer, prompt, options, all ? write : collect, progress, on_bar);
  std::sort(pieces.begin(), pieces.end(), [](const auto& a, const auto& b) {
    return a.second.nll != b.second.nll ? a.second.nll < b.second.nll : a.first < b.first;
  });
  pieces.resize(std::min(pieces.size(), flags.keep));
  for (auto& [index, piece] : pieces) {
    CONTINUO_TRY(write(index, std::move(piece)));
  }
  return status;
}

std::string PieceName(size_t index) {
  return fmt::format("piece-{:03}", index + 1);
}

}  // namespace continuo
