#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/experiment/plan.h"
#include "continuo/experiment/spec.h"
#include "continuo/os/temporary_folder_testing.h"

namespace continuo {

/// An experiment of one training that takes seconds: the études of examples/, the tokenizer of the
/// model that ships, one checkpoint, one continuation. A shell script takes the place of
/// continuo-train: it copies that model.
class SmallExperiment {
 public:
  /// `more` is appended to the spec. `model` is what the trainer copies; its tokenizer is the
  /// experiment's.
  explicit SmallExperiment(const std::string& more = {}, std::filesystem::path model = Shipped())
      : model_(std::move(model)) {
    const std::string text = R"(name = "small"
title = "A small experiment"
[corpora.etudes]
folder = "corpus"
songs = 12
valid = 0.3
[tokenizers.pop]
file = ")" + (model_ / "tokenizer.json").string() +
                             R"("
[models.tiny]
layers = 1
heads = 2
width = 32
context = 256
[train]
epochs = 2
checkpoints = [2]
[grid]
model = ["tiny"]
tokenizer = ["pop"]
[sampling.calm]
top_k = 5
[generate]
pieces = 2
bars = 2
sampling = ["calm"]
[measure]
validation_songs = 1
validation_bars = 2
[continue]
checkpoints = [{ model = "tiny", tokenizer = "pop", epoch = 2 }]
sampling = ["calm"]
prompts = [{ name = "prompt", file = "prompt.mid" }]
prompt_bars = 3
bars = 2
)" + more;
    spec_ = ParseSpec(text, "small.toml").value();
    WriteTrainer();
  }

  ExperimentSpec& spec() { return spec_; }
  ExperimentInputs Inputs() const { return FindInputs(spec_, Source() / "examples").value(); }
  std::filesystem::path folder() const { return temporary_.path() / "experiment"; }
  std::filesystem::path trainer() const { return temporary_.path() / "trainer"; }
  /// While this file exists, the trainer fails with "no luck" and exit status 7.
  std::filesystem::path failure() const { return temporary_.path() / "fail"; }
  /// How often the trainer was started.
  size_t Trainings() const {
    std::ifstream calls(temporary_.path() / "calls");
    size_t count = 0;
    for (std::string line; std::getline(calls, line);) {
      ++count;
    }
    return count;
  }

 private:
  static std::filesystem::path Source() { return CONTINUO_SOURCE_DIR; }
  static std::filesystem::path Shipped() { return Source() / "models" / "pop-piano"; }

  void WriteTrainer() const {
    std::ofstream(trainer()) << R"(#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    --output) output=$2 ;;
    --keep-epochs) kept=$2 name=epoch ;;
    --keep-percents) kept=$2 name=percent ;;
  esac
  shift
done
echo "$output" >> )" << (temporary_.path() / "calls").string()
                             << "\nif [ -e " << failure().string() << " ]; then echo 'no luck' >&2; exit 7; fi\n"
                             << R"(mkdir -p "$output"
echo '{"step":1,"tokens":50,"seconds":1,"progress":0.5,"loss":4,"lr":0.1,"tokens_per_second":50}' > "$output/train.jsonl"
echo '{"step":2,"tokens":100,"seconds":2,"progress":1,"loss":3,"lr":0.1,"tokens_per_second":50}' >> "$output/train.jsonl"
echo '{"step":2,"tokens":100,"seconds":2,"progress":1,"valid_nll":2.5}' >> "$output/train.jsonl"
for name in $(echo "$kept" | sed "s/[0-9]*/$name-&/g; s/,/ /g") final; do ln -sfn )"
                             << model_.string() << " \"$output/$name\"; done\n";
    CONTINUO_CHECK(::chmod(trainer().c_str(), 0755) == 0);
  }

  std::filesystem::path model_;
  TemporaryFolder temporary_;
  ExperimentSpec spec_;
};

}  // namespace continuo
