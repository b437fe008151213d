#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "continuo/bindings/c/continuo.h"
#include "continuo/compose/compose.h"
#include "continuo/score/score_file.h"

struct continuo_model {
  continuo::LoadedModel loaded;
};

namespace {

using continuo::Result;
using continuo::Score;
using continuo::Status;

thread_local std::string last_error;

/// Runs a call that may fail or throw, and keeps the reason.
template <typename Call>
int Guard(const Call& call) {
  last_error.clear();
  try {
    const Status status = call();
    if (status.ok()) {
      return 0;
    }
    last_error = status.error().ToString();
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
  } catch (const std::exception& error) {
    last_error = error.what();
  }
  return 1;
}

Status CopyOut(const Score& score, continuo_midi* midi) {
  const std::vector<uint8_t> bytes = continuo::SerializeScore(score);
  midi->data = static_cast<uint8_t*>(std::malloc(bytes.size()));
  if (midi->data == nullptr) {
    throw std::bad_alloc();
  }
  std::memcpy(midi->data, bytes.data(), bytes.size());
  midi->size = bytes.size();
  return {};
}

Result<continuo::GenerationOptions> Options(const continuo_model* model, const continuo_options* options) {
  continuo_options all;
  continuo_default_options(model, &all);
  if (options != nullptr) {
    if (options->struct_size == 0 || options->struct_size > sizeof(all)) {
      return continuo::MakeError("options.struct_size is {}, expected that of continuo_default_options",
                                 options->struct_size);
    }
    std::memcpy(&all, options, options->struct_size);
  }
  continuo::GenerationOptions generation;
  generation.bars = all.bars;
  generation.seed = all.seed;
  generation.sampling = {.temperature = all.temperature,
                         .top_k = all.top_k,
                         .top_p = all.top_p,
                         .min_p = all.min_p,
                         .repetition_penalty = all.repetition_penalty};
  return generation;
}

}  // namespace

int continuo_abi_version(void) {
  return CONTINUO_ABI_VERSION;
}

const char* continuo_version(void) {
  return CONTINUO_VERSION;
}

const char* continuo_error(void) {
  return last_error.c_str();
}

continuo_model* continuo_load(const char* directory, size_t threads) {
  continuo_model* model = nullptr;
  Guard([&]() -> Status {
    if (directory == nullptr) {
      return continuo::MakeError("directory is NULL");
    }
    continuo::CpuModelOptions options;
    options.threads = threads;
    CONTINUO_ASSIGN(continuo::LoadedModel loaded, continuo::LoadModel(directory, options));
    model = new continuo_model{std::move(loaded)};
    return {};
  });
  return model;
}

void continuo_free(continuo_model* model) {
  delete model;
}

void continuo_default_options(const continuo_model* model, continuo_options* options) {
  if (options == nullptr) {
    return;
  }
  const continuo::SamplingOptions sampling = model != nullptr ? model->loaded.sampling : continuo::kStudySampling;
  *options = {sizeof(continuo_options),   32, 1, sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p,
              sampling.repetition_penalty};
}

int continuo_generate(continuo_model* model, const continuo_options* options, continuo_midi* midi) {
  return Guard([&]() -> Status {
    if (model == nullptr || midi == nullptr) {
      return continuo::MakeError("{} is NULL", model == nullptr ? "model" : "midi");
    }
    *midi = {nullptr, 0};
    CONTINUO_ASSIGN(const continuo::GenerationOptions generation, Options(model, options));
    CONTINUO_ASSIGN(const std::vector<Score> scores, continuo::Compose(model->loaded, generation));
    return CopyOut(scores.at(0), midi);
  });
}

int continuo_continue(continuo_model* model, const uint8_t* prompt, size_t prompt_size, size_t prompt_bars,
                      const continuo_options* options, continuo_midi* midi) {
  return Guard([&]() -> Status {
    if (model == nullptr || midi == nullptr || prompt == nullptr) {
      return continuo::MakeError("{} is NULL", model == nullptr ? "model" : midi == nullptr ? "midi" : "prompt");
    }
    *midi = {nullptr, 0};
    CONTINUO_ASSIGN(const continuo::GenerationOptions generation, Options(model, options));
    CONTINUO_ASSIGN(const continuo::ScoreAndWarnings parsed, continuo::ParseScore({prompt, prompt_size}, "the prompt"));
    CONTINUO_ASSIGN(const std::vector<continuo::Continuation> continuations,
                    continuo::ContinueScore(model->loaded, parsed.score, prompt_bars, generation));
    return CopyOut(continuations.at(0).whole, midi);
  });
}

void continuo_free_midi(continuo_midi* midi) {
  if (midi != nullptr) {
    std::free(midi->data);
    *midi = {nullptr, 0};
  }
}
