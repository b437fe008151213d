#include <algorithm>
#include <limits>
#include <memory>

#include "continuo/app/bench_generate.h"
#include "continuo/app/command.h"
#include "continuo/app/terminal.h"
#include "continuo/core/clock.h"
#include "continuo/os/file.h"
#include "continuo/os/signals.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

struct BenchFilesFlags {
  TokenizerFlags tokenizer{.spec = "remi"};
  std::vector<std::string> paths;
};

/// A pass over all files, again and again for a second and at least three times; the seconds that
/// the fastest took, since other work on the machine only ever slows a pass down.
template <typename Pass>
double FastestPass(const Pass& pass) {
  double fastest = std::numeric_limits<double>::infinity();
  double all = 0.0;
  for (int passes = 0; (all < 1.0 || passes < 3) && InterruptSignal() == 0; ++passes) {
    const auto start = Clock::now();
    pass();
    const double seconds = SecondsSince(start);
    fastest = std::min(fastest, seconds);
    all += seconds;
  }
  return fastest;
}

/// What a pass gives, kept so that no compiler leaves the pass out.
volatile size_t g_result = 0;

Status RunBenchParse(const BenchFilesFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const std::vector<fs::path> files, MidiFilesIn(flags.paths, context));
  std::vector<std::vector<uint8_t>> contents;
  size_t bytes = 0;
  for (const fs::path& file : files) {
    CONTINUO_ASSIGN(std::vector<uint8_t> content, ReadFile(file));
    CONTINUO_TRY(ParseScore(content, file.string()));  // so that a pass has no errors to look for
    bytes += content.size();
    contents.push_back(std::move(content));
  }
  const double memory_seconds = FastestPass([&] {
    for (const std::vector<uint8_t>& content : contents) {
      g_result = ParseScore(content, "").value().score.tracks.size();
    }
  });
  const double file_seconds = FastestPass([&] {
    for (const fs::path& file : files) {
      g_result = ReadScore(file).value().tracks.size();
    }
  });
  if (InterruptSignal() != 0) {
    return {};
  }
  const double megabytes = static_cast<double>(bytes) / 1e6;
  if (context.json) {
    return PrintJson({{"files", files.size()},
                      {"bytes", bytes},
                      {"megabytes_per_second", megabytes / memory_seconds},
                      {"megabytes_per_second_from_files", megabytes / file_seconds}});
  }
  return PrintLine(fmt::format("{}, {:.1f} MB, one thread: {:.0f} MB/s from memory, {:.0f} MB/s from files",
                               FormatCount(files.size(), "file"), megabytes, megabytes / memory_seconds,
                               megabytes / file_seconds));
}

size_t CountIds(const std::vector<std::vector<TokenId>>& tracks) {
  size_t count = 0;
  for (const std::vector<TokenId>& ids : tracks) {
    count += ids.size();
  }
  return count;
}

Status RunBenchTokenize(const BenchFilesFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const auto tokenizer, LoadTokenizer(flags.tokenizer));
  CONTINUO_ASSIGN(const std::vector<fs::path> files, MidiFilesIn(flags.paths, context));
  std::vector<std::vector<std::vector<TokenId>>> songs;
  size_t tokens = 0;
  for (const fs::path& file : files) {
    CONTINUO_ASSIGN(const Score score, ReadScore(file));
    songs.push_back(tokenizer->Encode(score));
    tokens += CountIds(songs.back());
  }
  const double encode_seconds = FastestPass([&] {
    for (const fs::path& file : files) {
      g_result = tokenizer->Encode(ReadScore(file).value()).size();
    }
  });
  const double decode_seconds = FastestPass([&] {
    for (const auto& tracks : songs) {
      g_result = tokenizer->Decode(tracks).tracks.size();
    }
  });
  if (InterruptSignal() != 0) {
    return {};
  }
  const double encode_rate = static_cast<double>(tokens) / encode_seconds;
  const double decode_rate = static_cast<double>(tokens) / decode_seconds;
  if (context.json) {
    return PrintJson({{"tokenizer", flags.tokenizer.spec},
                      {"files", files.size()},
                      {"tokens", tokens},
                      {"tokens_per_second", encode_rate},
                      {"decode_tokens_per_second", decode_rate}});
  }
  return PrintLine(fmt::format("{}, {}, {}, one thread: {:.1f} M tokens a second read and encoded, {:.1f} M decoded",
                               flags.tokenizer.spec, FormatCount(files.size(), "file"), FormatCount(tokens, "token"),
                               encode_rate / 1e6, decode_rate / 1e6));
}

}  // namespace

void AddBenchCommand(CLI::App& app, AppContext& context) {
  CLI::App* bench = app.add_subcommand("bench", "Measure how fast this machine reads, tokenizes, writes and trains");
  bench->require_subcommand(1);

  CLI::App* parse = bench->add_subcommand("parse", "MIDI files read, in MB a second, on one thread");
  parse->footer("Example:\n  continuo bench parse my-midi");
  auto files = std::make_shared<BenchFilesFlags>();
  parse->add_option("files", files->paths, "MIDI files, or folders of them")->required();
  parse->callback([files, &context] { context.run = [files, &context] { return RunBenchParse(*files, context); }; });

  CLI::App* tokenize = bench->add_subcommand("tokenize", "Tokens a second, read, encoded and decoded, on one thread");
  tokenize->footer("Example:\n  continuo bench tokenize --tokenizer midilike my-midi");
  AddTokenizerFlags(*tokenize, files->tokenizer);
  tokenize->get_option("--tokenizer")->required(false)->capture_default_str();
  tokenize->add_option("files", files->paths, "MIDI files, or folders of them")->required();
  tokenize->callback(
      [files, &context] { context.run = [files, &context] { return RunBenchTokenize(*files, context); }; });

  AddBenchGenerateCommand(*bench, context);
  AddProgramCommand(*bench, context,
                    {.name = "train",
                     .program = "continuo-train",
                     .command = "bench",
                     .description = "Tokens a second of a training's updates (starts continuo-train)",
                     .missing = kNoLibTorch});
}

}  // namespace continuo
