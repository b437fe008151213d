#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "continuo/app/command.h"
#include "continuo/compose/loaded_model.h"

namespace continuo {

/// Which model a command uses, and what computes it.
struct ModelFlags {
  std::string model;      // empty: the model that ships
  std::string tokenizer;  // a tokenizer.json; empty: the model's own
  size_t threads = 0;
  std::string device = "cpu";
  std::string precision;  // empty: the model's own
  int lanes = 0;          // 4, or 0: the processor's own
};

/// --model, --tokenizer, --threads, --device, --precision and --lanes.
void AddModelFlags(CLI::App& command, ModelFlags& flags);
/// --tokenizer alone.
void AddModelTokenizerFlag(CLI::App& command, std::string& tokenizer);
/// --device alone.
void AddDeviceFlag(CLI::App& command, std::string& device);

/// Fails if a model and the keys and values of `sequences` decoded at a time would not fit into
/// memory. `model` stands for it in the message.
Status CheckMemory(const ModelConfig& config, NumberFormat precision, size_t sequences, std::string_view model);

/// Becomes continuo-torch, with the same command line. Returns only on failure.
Status BecomeTorchProgram(const AppContext& context);

/// The model that the flags name. Fails before anything is loaded if it and the keys and values of
/// `sequences` decoded at a time would not fit into memory. For a GPU the process becomes
/// continuo-torch, with the same command line, unless it is that already.
Result<LoadedModel> LoadModel(const ModelFlags& flags, size_t sequences, const AppContext& context);

}  // namespace continuo
