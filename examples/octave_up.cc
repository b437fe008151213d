// Reads a MIDI file, writes it as tokens, moves the notes up an octave there, and saves what the
// tokens say.
//
//   build/bin/octave_up song.mid higher.mid

#include <cstdio>

#include "continuo/score/score_file.h"
#include "continuo/token/tokenizer.h"

int main(int argc, char** argv) {
  const auto score = argc == 3 ? continuo::ReadScore(argv[1]) : continuo::MakeError("usage: octave_up IN.mid OUT.mid");
  if (!score.ok()) {
    std::fprintf(stderr, "%s\n", score.error().ToString().c_str());
    return 1;
  }
  const auto tokenizer = continuo::Tokenizer::Load("remi").value();
  auto tracks = tokenizer->Encode(*score);
  const auto higher = tokenizer->TransposeMap(12);
  for (continuo::TokenId& id : tracks[0]) {
    const continuo::TokenId moved = higher[static_cast<size_t>(id)];
    id = moved >= 0 ? moved : id;  // what would leave the keyboard stays
  }
  return continuo::WriteScore(tokenizer->Decode(tracks), argv[2]).ok() ? 0 : 1;
}
