#include "continuo/app/tokenizer_choice.h"

#include <utility>

namespace continuo {

Result<TokenizerChoice> TokenizerChoice::Load(const TokenizerFlags& flags) {
  TokenizerChoice choice;
  CONTINUO_ASSIGN(const MidiTokRelease release, ParseMidiTokRelease(flags.release));
  std::error_code code;
  if (!PresetConfig(flags.spec, release) && std::filesystem::is_regular_file(flags.spec, code)) {
    CONTINUO_ASSIGN(choice.trained_, TrainedTokenizer::Load(flags.spec, release));
  }
  if (!choice.trained_) {
    CONTINUO_ASSIGN(choice.plain_, LoadTokenizer(flags));
  }
  return choice;
}

size_t TokenizerChoice::size() const {
  return trained_ ? trained_->size() : plain_->vocabulary().size();
}

std::string TokenizerChoice::Name(TokenId id) const {
  return trained_ ? trained_->Name(id) : plain_->vocabulary().token(id);
}

std::vector<std::vector<TokenId>> TokenizerChoice::Encode(const Score& score) const {
  return trained_ ? trained_->Encode(score) : plain_->Encode(score);
}

Score TokenizerChoice::Decode(std::span<const std::vector<TokenId>> tracks) const {
  return trained_ ? trained_->Decode(tracks) : plain_->Decode(tracks);
}

}  // namespace continuo
