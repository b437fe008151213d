// Tokens a second of the CPU engine, with random weights, beside what the memory's measured bandwidth allows.
//
//   infer_bench --precision int8 --batch 1 --threads 2
//   infer_bench --all            every precision, batches 1 and 8, 1 and 2 threads

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <vector>

#include "continuo/core/check.h"
#include "continuo/core/rng.h"
#include "continuo/core/thread_pool.h"
#include "continuo/infer/cpu_model.h"
#include "continuo/infer/dot_instructions.h"
#include "continuo/infer/kernels.h"
#include "continuo/infer/matmul.h"
#include "continuo/model/half.h"
#include "continuo/model/quantize_model.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Flags {
  Gpt2Config config;
  std::string precision = "int8";
  size_t batch = 1;
  size_t threads = 1;
  size_t prompt = 512;
  size_t tokens = 512;
  std::string folder = (fs::temp_directory_path() / "continuo-infer-bench").string();
  bool all = false;
  bool json = false;
};

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Processor time of all threads: what a measurement on a machine with other work to do can be judged by.
double ProcessorSeconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// Gigabytes a second that `threads` threads read from memory together: the best of several passes over 256 MiB.
double ReadBandwidth(size_t threads) {
  constexpr size_t kWords = size_t{1} << 25;
  const std::vector<uint64_t> words(kWords, 1);
  ThreadPool pool(threads);
  std::vector<uint64_t> sums(threads * 64);
  double best = 0.0;
  for (int pass = 0; pass < 8; ++pass) {
    const auto start = Clock::now();
    pool.ForEach(threads * 8, [&](size_t part, size_t thread) {
      const size_t size = kWords / (threads * 8);
      uint64_t sum[32] = {};
      for (size_t i = part * size; i < (part + 1) * size; i += 32) {
        for (size_t k = 0; k < 32; ++k) {
          sum[k] += words[i + k];
        }
      }
      for (const uint64_t part_sum : sum) {
        sums[thread * 64] += part_sum;
      }
    });
    best = std::max(best, static_cast<double>(kWords * 8) / SecondsSince(start) / 1e9);
  }
  CONTINUO_CHECK(sums[0] > 0);
  return best;
}

double ResidentMegabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) {
      return std::stod(line.substr(6)) / 1024.0;
    }
  }
  return 0.0;
}

/// A model of random weights in a folder, which is used again by the next run.
fs::path RandomModel(const Flags& flags, const std::string& precision) {
  const Gpt2Config& config = flags.config;
  const fs::path base =
      fs::path(flags.folder) / fmt::format("{}x{}h{}v{}", config.layers, config.width, config.heads, config.vocab_size);
  const fs::path wanted = base / precision;
  if (fs::exists(wanted / "config.json")) {
    return wanted;
  }
  fs::create_directories(base);
  if (precision != "f32") {
    const auto source = ModelDirectory::Open(RandomModel(flags, "f32"));
    CONTINUO_CHECK(source.ok());
    CONTINUO_CHECK(QuantizeModel(*source, precision == "int8" ? TensorType::kU8 : TensorType::kBf16, wanted).ok());
    return wanted;
  }
  Rng rng(1, 0);
  std::vector<std::vector<float>> weights;
  ModelFiles files;
  files.config = config;
  for (const WeightShape& weight : Gpt2WeightShapes(config)) {
    size_t count = 1;
    for (const int64_t extent : weight.shape) {
      count *= static_cast<size_t>(extent);
    }
    std::vector<float>& values = weights.emplace_back(count);
    for (float& value : values) {
      value = (static_cast<float>(rng.NextBelow(2001)) / 1000.0F - 1.0F) * 0.035F;  // deviation 0.02, as GPT-2 begins
    }
    files.weights.push_back({weight.name,
                             TensorType::kF32,
                             weight.shape,
                             {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)}});
  }
  CONTINUO_CHECK(WriteModelDirectory(files, wanted).ok());
  return wanted;
}

void Measure(const Flags& flags, const std::string& precision_name, size_t batch, size_t threads) {
  const Gpt2Config& config = flags.config;
  const fs::path path = RandomModel(flags, precision_name);
  const double bandwidth = ReadBandwidth(threads);
  const double resident_before = ResidentMegabytes();
  const auto load_start = Clock::now();
  auto directory = ModelDirectory::Open(path);
  CONTINUO_CHECK(directory.ok());
  auto model = LoadCpuModel(*directory, {threads});
  CONTINUO_CHECK(model.ok());
  const double load = SecondsSince(load_start);

  const auto vocab_size = static_cast<size_t>(config.vocab_size);
  const auto session = (*model)->NewSession(batch);
  Rng rng(2, 0);
  std::vector<std::vector<int32_t>> prompts(batch);
  for (auto& prompt : prompts) {
    for (size_t i = 0; i < flags.prompt; ++i) {
      prompt.push_back(static_cast<int32_t>(rng.NextBelow(vocab_size)));
    }
  }
  std::vector<float> logits(batch * vocab_size);
  std::vector<DecodingSession::Input> inputs;
  for (size_t slot = 0; slot < batch; ++slot) {
    inputs.push_back({slot, prompts[slot]});
  }
  const double prompt_processor_start = ProcessorSeconds();
  const auto prompt_start = Clock::now();
  session->Append(inputs, logits);
  const double prompt_seconds = SecondsSince(prompt_start);
  const double prompt_processor = ProcessorSeconds() - prompt_processor_start;

  std::vector<int32_t> next(batch);
  const double decode_processor_start = ProcessorSeconds();
  const auto decode_start = Clock::now();
  for (size_t step = 0; step < flags.tokens; ++step) {
    for (size_t slot = 0; slot < batch; ++slot) {
      const auto row = logits.begin() + static_cast<std::ptrdiff_t>(slot * vocab_size);
      next[slot] = static_cast<int32_t>(std::max_element(row, row + static_cast<std::ptrdiff_t>(vocab_size)) - row);
      inputs[slot] = {slot, std::span(&next[slot], 1)};
    }
    session->Append(inputs, logits);
  }
  const double decode = SecondsSince(decode_start);
  const double decode_processor = ProcessorSeconds() - decode_processor_start;

  // What a step has to read: each weight of a product once, and the keys and values so far.
  double weight_bytes = 0.0;
  for (const MatrixShape& matrix : Gpt2Matrices(config)) {
    const auto count = static_cast<double>(matrix.layout.inputs * matrix.layout.outputs);
    weight_bytes += precision_name == "f32"    ? 4 * count
                    : precision_name == "bf16" ? 2 * count
                                               : count * (1.0 + 2.0 / 64);
  }
  const double cache_bytes =
      static_cast<double>(2 * config.layers * config.width * batch) *
      (static_cast<double>(flags.prompt) + static_cast<double>(flags.tokens) / 2) *
      (precision_name == "f32"    ? 4.0
       : precision_name == "bf16" ? 2.0
                                  : 1.0 + 4.0 * static_cast<double>(config.heads) / static_cast<double>(config.width));
  const double tokens = static_cast<double>(batch * flags.tokens);
  const double limit = static_cast<double>(batch) * bandwidth * 1e9 / (weight_bytes + cache_bytes);
  const double speed = tokens / decode;
  const double processor_speed = tokens / decode_processor;
  const double resident = ResidentMegabytes() - resident_before;
  if (flags.json) {
    fmt::print(
        "{{\"precision\": \"{}\", \"batch\": {}, \"threads\": {}, \"tokens_per_second\": {:.1f}, "
        "\"tokens_per_processor_second\": {:.1f}, \"prompt_seconds\": {:.3f}, \"prompt_processor_seconds\": {:.3f}, "
        "\"bandwidth_gb\": {:.2f}, \"limit\": {:.1f}, \"load_seconds\": {:.4f}, \"resident_mb\": {:.1f}}}\n",
        precision_name, batch, threads, speed, processor_speed, prompt_seconds, prompt_processor, bandwidth, limit,
        load, resident);
  } else {
    fmt::print(
        "{:4} batch {:2} threads {}: {:6.1f} tok/s ({:6.1f} a processor second) | prompt {:.2f} s ({:.2f}) | memory "
        "{:4.1f} "
        "GB/s allows {:6.1f} tok/s: {:3.0f} % | load {:.0f} ms, {:.0f} MB resident\n",
        precision_name, batch, threads, speed, processor_speed, prompt_seconds, prompt_processor, bandwidth, limit,
        100.0 * speed / limit, load * 1e3, resident);
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace continuo

int main(int argc, char** argv) {
  continuo::Flags flags;
  flags.config.vocab_size = 512;
  CLI::App app("Tokens a second of the CPU engine, with random weights");
  app.add_option("--layers", flags.config.layers)->capture_default_str();
  app.add_option("--heads", flags.config.heads)->capture_default_str();
  app.add_option("--width", flags.config.width)->capture_default_str();
  app.add_option("--vocab", flags.config.vocab_size)->capture_default_str();
  app.add_option("--precision", flags.precision)->check(CLI::IsMember({"f32", "bf16", "int8"}))->capture_default_str();
  app.add_option("--batch", flags.batch)->capture_default_str();
  app.add_option("--threads", flags.threads)->capture_default_str();
  app.add_option("--prompt", flags.prompt, "ids given")->capture_default_str();
  app.add_option("--tokens", flags.tokens, "ids made")->capture_default_str();
  app.add_option("--folder", flags.folder, "where the random models are kept")->capture_default_str();
  app.add_flag("--all", flags.all, "every precision, batches 1 and 8, 1 and 2 threads");
  app.add_flag("--json", flags.json, "one JSON line a measurement");
  CLI11_PARSE(app, argc, argv);
  if (static_cast<int64_t>(flags.prompt + flags.tokens) > flags.config.context_length || flags.prompt == 0 ||
      flags.tokens == 0) {
    fmt::print(stderr, "infer_bench: prompt and tokens together are {} ids, expected at most {}\n",
               flags.prompt + flags.tokens, flags.config.context_length);
    return 2;
  }
  fmt::print(stderr, "{} {}\n", continuo::KernelTargetName(), continuo::DotInstructions());
  if (!flags.all) {
    continuo::Measure(flags, flags.precision, flags.batch, flags.threads);
    return 0;
  }
  for (const char* precision : {"int8", "bf16", "f32"}) {
    for (const size_t batch : {1, 8}) {
      for (const size_t threads : {1, 2}) {
        continuo::Measure(flags, precision, batch, threads);
      }
    }
  }
  return 0;
}
