#include <algorithm>
#include <memory>
#include <optional>

#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/core/thread_pool.h"
#include "continuo/os/file.h"
#include "continuo/os/machine.h"
#include "continuo/os/signals.h"
#include "continuo/token/miditok_reader.h"
#include "continuo/token/train_tokenizer.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFilesAtOnce = 256;  // bounds the memory that songs take before they are added

struct TrainTokenizerFlags {
  TokenizerFlags tokenizer;
  std::vector<std::string> paths;
  std::string model = "bpe";
  size_t size = 5000;
  std::string split;  // of the configuration where empty
  size_t most_tokens = 200;
  size_t threads = 0;
  std::string output;
};

Result<ScoreAndWarnings> ReadForTokens(const fs::path& path, const TokenizerConfig& config) {
  CONTINUO_ASSIGN(const std::vector<uint8_t> bytes, ReadFile(path));
  return ParseScoreForTokens(bytes, path.string(), config);
}

Status RunTrainTokenizer(const TrainTokenizerFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const auto plain, LoadTokenizer(flags.tokenizer));
  TokenizerConfig config = plain->config();
  if (!flags.split.empty()) {
    config.encode_ids_split = flags.split;
  }
  CONTINUO_ASSIGN(TokenizerTrainer trainer, TokenizerTrainer::Create(config, flags.most_tokens * 1'000'000));
  CONTINUO_ASSIGN(const std::vector<fs::path> files, MidiFilesIn(flags.paths, context));
  TerminalProgress progress("files", context.quiet);
  ThreadPool pool(flags.threads > 0 ? flags.threads : AvailableCores());
  size_t failed = 0;
  for (size_t first = 0; first < files.size(); first += kFilesAtOnce) {
    const size_t count = std::min(kFilesAtOnce, files.size() - first);
    std::vector<std::optional<TokenizerTrainer::Words>> songs(count);
    std::vector<std::vector<std::string>> repairs(count);
    std::vector<Error> errors(count);
    pool.ForEach(count, [&](size_t i, size_t) {
      if (!SignalStop().stop_requested()) {
        Result<ScoreAndWarnings> read = ReadForTokens(files[first + i], config);
        if (read.ok()) {
          songs[i] = trainer.WordsOf(read->score);
          repairs[i] = std::move(read->warnings);
        } else {
          errors[i] = read.error();
        }
      }
    });
    if (InterruptSignal() != 0) {
      return {};
    }
    for (size_t i = 0; i < count; ++i) {
      if (songs[i]) {
        PrintRepairs(context, repairs[i]);
        trainer.Add(std::move(*songs[i]));
      } else {
        PrintError(errors[i]);
        ++failed;
        trainer.Add(TokenizerTrainer::Words());
      }
    }
    progress.Update(first + count, files.size(), "");
  }
  const size_t songs = trainer.songs();
  const uint64_t tokens = trainer.tokens();
  if (songs == 0) {
    return MakeError("none of {} files could be read", files.size());
  }
  CONTINUO_ASSIGN(const std::string json, trainer.Train(flags.size, SignalStop()));
  CONTINUO_ASSIGN(const auto trained, Tokenizer::FromPlainOrTrainedJson(json, flags.output));
  CONTINUO_TRY(WriteFileAtomically(flags.output, std::string_view(json)));
  if (context.json) {
    return PrintJson({{"tokenizer", flags.output},
                      {"size", trained->model_size()},
                      {"files", files.size()},
                      {"skipped", failed},
                      {"songs", songs},
                      {"tokens", tokens}});
  }
  return PrintLine(fmt::format("{}: {} ids, from {} tokens of {} songs ({} files, {} skipped)", flags.output,
                               trained->model_size(), tokens, songs, files.size(), failed));
}

}  // namespace

void AddTokenizerCommand(CLI::App& app, AppContext& context) {
  CLI::App* tokenizer = app.add_subcommand("tokenizer", "Make a tokenizer");
  tokenizer->require_subcommand(1);
  CLI::App* command = tokenizer->add_subcommand(
      "train", "Learn ids that stand for several tokens, as MidiTok does, and write MidiTok's tokenizer.json");
  command->footer("Example:\n  continuo tokenizer train my-midi --tokenizer remi --size 5000 -o tokenizer.json");
  auto flags = std::make_shared<TrainTokenizerFlags>();
  AddTokenizerFlags(*command, flags->tokenizer);
  command->add_option("files", flags->paths, "MIDI files, or folders of them")->required();
  command->add_option("--model", flags->model, "bpe: byte-pair encoding")
      ->check(CLI::IsMember({"bpe"}))
      ->capture_default_str();
  command->add_option("--size", flags->size, "how many ids, those of the tokens included")->capture_default_str();
  command
      ->add_option("--split", flags->split,
                   "what an id lies within: bar, beat, or no for the whole stream (default: bar, or the tokenizer's)")
      ->check(CLI::IsMember({"bar", "beat", "no"}));
  command
      ->add_option("--most", flags->most_tokens,
                   "learn from at most this many million tokens: of more, from every 2nd, 4th, ... song")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--threads", flags->threads, "threads; 0: one per core")->capture_default_str();
  command->add_option("-o,--output", flags->output, "the tokenizer.json to write")->required();
  command->callback(
      [flags, &context] { context.run = [flags, &context] { return RunTrainTokenizer(*flags, context); }; });
}

}  // namespace continuo
