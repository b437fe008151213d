#include "continuo/app/bench_generate.h"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "continuo/app/model_flags.h"
#include "continuo/app/terminal.h"
#include "continuo/core/clock.h"
#include "continuo/core/rng.h"
#include "continuo/core/thread_pool.h"
#include "continuo/engine/cpu/cpu_model.h"
#include "continuo/engine/cpu/dot_instructions.h"
#include "continuo/engine/cpu/kernels.h"
#include "continuo/model/quantize_model.h"
#include "continuo/os/file.h"
#include "continuo/os/machine.h"
#include "continuo/os/signals.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPrompt = 512;

struct BenchFlags {
  ModelConfig config;
  std::string precision = "int8";
  std::string device = "cpu";
  size_t batch = 1;
  size_t threads = 0;
  size_t prompt = 0;  // 0: kPrompt, or as many as the context has room for
  size_t tokens = 512;
  bool avx2 = false;
  std::string folder;
};

/// Processor time of all threads: the fairer measure on a machine that does other work at the same
/// time.
double ProcessorSeconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// Bytes per second that `threads` threads read from memory together: the best of several passes
/// over 256 MiB.
double ReadBandwidth(size_t threads) {
  constexpr size_t kWords = size_t{1} << 25;
  const std::vector<uint64_t> words(kWords, 1);
  ThreadPool pool(threads);
  const size_t parts = pool.size() * 8;
  std::atomic<uint64_t> total = 0;  // keeps the compiler from removing the loop
  double best = 0.0;
  for (int pass = 0; pass < 8; ++pass) {
    const auto start = Clock::now();
    pool.ForEach(parts, [&](size_t part, size_t) {
      uint64_t sum[32] = {};
      for (size_t i = kWords * part / parts / 32 * 32; i + 32 <= kWords * (part + 1) / parts; i += 32) {
        for (size_t k = 0; k < 32; ++k) {
          sum[k] += words[i + k];
        }
      }
      for (const uint64_t part_sum : sum) {
        total += part_sum;
      }
    });
    best = std::max(best, static_cast<double>(kWords * sizeof(uint64_t)) / SecondsSince(start));
  }
  return total > 0 ? best : 0.0;
}

Status WriteRandomModel(const ModelConfig& config, const fs::path& directory) {
  Rng rng(1, 0);
  std::vector<std::vector<float>> weights;
  ModelFiles files;
  files.config = config;
  const WeightTable table(config);
  for (const Weight& weight : table.weights()) {
    std::vector<float>& values = weights.emplace_back(static_cast<size_t>(weight.count()));
    for (float& value : values) {
      value = (static_cast<float>(rng.NextBelow(2001)) / 1000.0F - 1.0F) * 0.035F;  // deviation 0.02, as GPT-2 begins
    }
    files.weights.push_back({weight.name,
                             TensorType::kF32,
                             weight.shape,
                             {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)}});
  }
  return WriteModelDirectory(files, directory);
}

/// The model in a precision, in a folder where an earlier run may have left it.
Result<fs::path> RandomModel(const ModelConfig& config, const std::string& precision, const fs::path& folder) {
  std::string name = fmt::format("{}x{}h{}v{}", config.layers, config.width, config.heads, config.vocab_size);
  const ModelConfig defaults;
  if (config.architecture != defaults.architecture) {
    name += fmt::format("-{}-k{}", ToString(config.architecture), config.kv_heads());
  }
  if (config.context_length != defaults.context_length) {
    name += fmt::format("-c{}", config.context_length);
  }
  const fs::path base = folder / name;
  const fs::path wanted = base / precision;
  std::error_code code;
  if (fs::exists(wanted / "config.json", code)) {
    return wanted;
  }
  CONTINUO_TRY(MakeWritableDirectory(base));
  if (precision == "f32") {
    CONTINUO_TRY(WriteRandomModel(config, wanted));
    return wanted;
  }
  CONTINUO_ASSIGN(const fs::path whole, RandomModel(config, "f32", folder));
  CONTINUO_ASSIGN(const ModelDirectory source, ModelDirectory::Open(whole));
  CONTINUO_TRY(QuantizeModel(source, *ParseComputeFormat(precision), wanted));
  return wanted;
}

/// What a step has to read: each weight of a product once, and half way through, each sequence's
/// keys and values.
double BytesAStep(const BenchFlags& flags) {
  const bool is_int8 = flags.precision == "int8";
  const double element = flags.precision == "f32" ? 4.0 : flags.precision == "bf16" ? 2.0 : 1.0;
  double weights = 0.0;
  const WeightTable table(flags.config);
  for (const Weight* matrix : table.matrices()) {
    // In 8 bits a scale of 2 bytes goes with each 64 weights.
    weights += static_cast<double>(matrix->count()) * (element + (is_int8 ? 2.0 / 64 : 0.0));
  }
  const auto width = static_cast<double>(flags.config.kv_width());
  const double scales = is_int8 ? 4.0 * static_cast<double>(flags.config.kv_heads()) : 0.0;  // of a key, and of a value
  const double positions = static_cast<double>(flags.prompt) + static_cast<double>(flags.tokens) / 2;
  return weights + 2.0 * static_cast<double>(flags.batch) * static_cast<double>(flags.config.layers) * positions *
                       (width * element + scales);
}

/// Measured times in seconds: the prompts, then the tokens after them.
struct Times {
  double prompt = 0;
  double prompt_processor = 0;
  double decode = 0;
  double decode_processor = 0;
  bool interrupted = false;
};

Times Measure(const LanguageModel& model, const BenchFlags& flags, Progress& progress) {
  const auto vocab_size = static_cast<size_t>(flags.config.vocab_size);
  const auto session = model.NewSession(flags.batch);
  Rng rng(2, 0);
  std::vector<std::vector<int32_t>> prompts(flags.batch);
  std::vector<DecodingSession::Input> inputs;
  for (size_t slot = 0; slot < flags.batch; ++slot) {
    for (size_t i = 0; i < flags.prompt; ++i) {
      prompts[slot].push_back(static_cast<int32_t>(rng.NextBelow(vocab_size)));
    }
    inputs.push_back({slot, prompts[slot]});
  }
  std::vector<float> logits(flags.batch * vocab_size);
  Times times;
  const double prompt_processor_start = ProcessorSeconds();
  const auto prompt_start = Clock::now();
  session->Append(inputs, logits);
  times.prompt = SecondsSince(prompt_start);
  times.prompt_processor = ProcessorSeconds() - prompt_processor_start;

  std::vector<int32_t> next(flags.batch);
  const double processor_start = ProcessorSeconds();
  const auto start = Clock::now();
  for (size_t step = 0; step < flags.tokens && InterruptSignal() == 0; ++step) {
    for (size_t slot = 0; slot < flags.batch; ++slot) {
      const auto row = logits.begin() + static_cast<std::ptrdiff_t>(slot * vocab_size);
      next[slot] = static_cast<int32_t>(std::max_element(row, row + static_cast<std::ptrdiff_t>(vocab_size)) - row);
      inputs[slot] = {slot, std::span(&next[slot], 1)};
    }
    session->Append(inputs, logits);
    progress.Update(step + 1, flags.tokens, "");
  }
  times.decode = SecondsSince(start);
  times.decode_processor = ProcessorSeconds() - processor_start;
  times.interrupted = InterruptSignal() != 0;
  return times;
}

Status CheckFlags(const BenchFlags& flags) {
  CONTINUO_TRY(CheckModelConfig(flags.config));
  const auto context = static_cast<size_t>(flags.config.context_length);
  if (std::max<size_t>(flags.prompt, 1) + flags.tokens > context) {
    return MakeError("prompt and tokens together are {} ids, expected at most the context of {}",
                     std::max<size_t>(flags.prompt, 1) + flags.tokens, context);
  }
  if (flags.device != "cpu" && flags.precision == "int8") {
    return Error{"int8 is computed on the CPU only", "add --precision bf16 or f32"};
  }
  return {};
}

Status RunBenchGenerate(BenchFlags flags, const AppContext& context) {
  CONTINUO_TRY(CheckFlags(flags));
  if (!context.loader_for && flags.device != "cpu") {
    return BecomeTorchProgram(context);
  }
  CONTINUO_TRY(CheckMemory(flags.config, *ParseComputeFormat(flags.precision), flags.batch, "a model of that size"));
  flags.threads = ThreadCount(flags.threads);
  if (flags.avx2) {
    ForbidAvx512();
  }
  if (flags.prompt == 0) {
    flags.prompt = std::min(kPrompt, static_cast<size_t>(flags.config.context_length) - flags.tokens);
  }
  std::optional<TemporaryDirectory> temporary;
  if (flags.folder.empty()) {
    CONTINUO_ASSIGN(TemporaryDirectory made, TemporaryDirectory::Create("continuo-bench"));
    temporary.emplace(std::move(made));
  }
  const fs::path folder = temporary ? temporary->path() : fs::path(flags.folder);
  CONTINUO_ASSIGN(const fs::path path, RandomModel(flags.config, flags.precision, folder));
  const double bandwidth = context.loader_for ? 0.0 : ReadBandwidth(flags.threads);
  const double resident_before = static_cast<double>(ResidentMemory());
  const auto load_start = Clock::now();
  CONTINUO_ASSIGN(const ModelDirectory directory, ModelDirectory::Open(path));
  CONTINUO_ASSIGN(const std::unique_ptr<LanguageModel> model,
                  context.loader_for ? context.loader_for(flags.device)(directory, ParseComputeFormat(flags.precision))
                                     : LoadCpuModel(directory, {.threads = flags.threads,
                                                                .precision = ParseComputeFormat(flags.precision)}));
  const double load = SecondsSince(load_start);
  Times times;
  {
    TerminalProgress progress("tokens", context.quiet);
    times = Measure(*model, flags, progress);
  }
  if (times.interrupted) {
    return {};
  }
  const double resident = (static_cast<double>(ResidentMemory()) - resident_before) / 1e6;
  const auto tokens = static_cast<double>(flags.batch * flags.tokens);
  const double speed = tokens / times.decode;
  const double processor_speed = tokens / times.decode_processor;
  const double limit = static_cast<double>(flags.batch) * bandwidth / BytesAStep(flags);
  const std::string instructions =
      context.loader_for ? "LibTorch on " + flags.device : fmt::format("{} {}", KernelTargetName(), DotInstructions());
  if (context.json) {
    nlohmann::ordered_json values = {
        {"tokens_per_second", speed},     {"tokens_per_processor_second", processor_speed},
        {"prompt_seconds", times.prompt}, {"prompt_processor_seconds", times.prompt_processor},
        {"load_seconds", load},           {"resident_mb", resident},
        {"precision", flags.precision},   {"architecture", ToString(flags.config.architecture)},
        {"batch", flags.batch},           {"threads", flags.threads},
        {"instructions", instructions}};
    if (bandwidth > 0) {
      values["bandwidth_gb_per_second"] = bandwidth / 1e9;
      values["bandwidth_limit_tokens_per_second"] = limit;
    }
    return PrintJson(values);
  }
  std::string line = fmt::format(
      "{}, {} x {} in {}, {} at a time, {} ({}): {:.0f} tokens per second, {:.0f} per second of processor time; "
      "prompts "
      "read in {:.3f} s",
      ToString(flags.config.architecture), flags.config.layers, flags.config.width, flags.precision, flags.batch,
      FormatCount(flags.threads, "thread"), instructions, speed, processor_speed, times.prompt);
  if (bandwidth > 0) {
    line += fmt::format("\nreading memory at {:.1f} GB/s would allow {:.0f}: {:.0f} % of that", bandwidth / 1e9, limit,
                        100.0 * speed / limit);
  }
  return PrintLine(line + fmt::format("\nloaded in {:.0f} ms, {:.0f} MB resident", load * 1e3, resident));
}

}  // namespace

void AddBenchGenerateCommand(CLI::App& bench, AppContext& context) {
  CLI::App* command = bench.add_subcommand(
      "generate", "Tokens per second of a model with random weights, compared with the limit that memory sets");
  command->footer(
      "Examples:\n"
      "  continuo bench generate\n"
      "  continuo bench generate --layers 6 --heads 4 --width 256 --batch 8 --threads 2 --precision bf16");
  auto flags = std::make_shared<BenchFlags>();
  flags->config.vocab_size = 512;
  command
      ->add_option_function<std::string>(
          "--architecture",
          [flags](const std::string& name) {
            flags->config.architecture = name == "llama" ? Architecture::kLlama : Architecture::kGpt2;
          },
          "gpt2 or llama")
      ->check(CLI::IsMember({"gpt2", "llama"}))
      ->default_str("gpt2");
  const auto number = [command](const char* name, auto& value, const char* help) {
    return command->add_option(name, value, help)->capture_default_str();
  };
  number("--layers", flags->config.layers, "blocks of the model");
  number("--heads", flags->config.heads, "attention heads");
  number("--kv-heads", flags->config.kv_head_count, "llama: heads of keys and values; 0: as many as --heads")
      ->check(CLI::Range(0, 1000));
  number("--width", flags->config.width, "width of the residual stream");
  number("--vocab", flags->config.vocab_size, "ids of the vocabulary");
  number("--context", flags->config.context_length, "ids that the model reads at once");
  number("--batch", flags->batch, "sequences decoded at a time")->check(CLI::Range(1, 1024));
  number("--threads", flags->threads, "threads; 0: one for each core")->check(CLI::Range(0, 1024));
  number("--precision", flags->precision, "f32, bf16 or int8")->check(CLI::IsMember({"f32", "bf16", "int8"}));
  command
      ->add_option(
          "--prompt", flags->prompt,
          fmt::format("ids that each sequence begins with; default: {}, or as many as the context has room for",
                      kPrompt))
      ->check(CLI::Range(1, 65536));
  number("--tokens", flags->tokens, "ids to write after them, always the likeliest")->check(CLI::Range(1, 65536));
  AddDeviceFlag(*command, flags->device);
  command->add_flag("--avx2", flags->avx2, "use no instructions beyond AVX2, as on a processor without AVX-512");
  command->add_option("--folder", flags->folder,
                      "keep the random model there, so that other programs can read it; default: removed");
  command->callback(
      [flags, &context] { context.run = [flags, &context] { return RunBenchGenerate(*flags, context); }; });
}

}  // namespace continuo
