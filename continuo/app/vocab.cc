#include <memory>

#include "continuo/app/command.h"

namespace continuo {
namespace {

Status RunVocab(const TokenizerFlags& flags, const AppContext& context) {
  CONTINUO_ASSIGN(const auto tokenizer, LoadTokenizer(flags));
  const Vocabulary& vocabulary = tokenizer->vocabulary();
  if (context.json) {
    return PrintJson({{"sha256", tokenizer->vocabulary_sha256()}, {"tokens", vocabulary.tokens()}});
  }
  for (const std::string& token : vocabulary.tokens()) {
    CONTINUO_TRY(PrintLine(token));
  }
  return {};
}

}  // namespace

void AddVocabCommand(CLI::App& app, AppContext& context) {
  CLI::App* command = app.add_subcommand("vocab", "List a tokenizer's tokens, one a line; line 1 is id 0");
  command->footer("Example:\n  continuo vocab --tokenizer remi | head");
  auto flags = std::make_shared<TokenizerFlags>();
  AddTokenizerFlags(*command, *flags);
  command->callback([flags, &context] { context.run = [flags, &context] { return RunVocab(*flags, context); }; });
}

}  // namespace continuo
