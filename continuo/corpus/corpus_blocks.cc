#include "continuo/corpus/blocks.h"
#include "continuo/corpus/corpus.h"

namespace continuo {

Result<BlockVocabulary> BlockVocabulary::Of(const Tokenizer& tokenizer, bool transposition) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  if (!vocabulary.bos() || !vocabulary.eos() || !vocabulary.pad()) {
    return MakeError("the vocabulary lacks PAD_None, BOS_None or EOS_None, which frame a song for training");
  }
  BlockVocabulary result;
  result.bos = *vocabulary.bos();
  result.eos = *vocabulary.eos();
  result.pad = *vocabulary.pad();
  if (transposition) {
    for (int i = 0; i < kTranspositions; ++i) {
      result.transpose[static_cast<size_t>(i)] = tokenizer.TransposeMap(kLowestTransposition + i);
    }
  }
  return result;
}

std::vector<BlockSong> SongsOf(const Corpus& corpus, bool valid) {
  std::vector<BlockSong> songs;
  for (size_t i = 0; i < corpus.song_count(); ++i) {
    const Corpus::Song song = corpus.song(i);
    if ((song.split == Split::kValid) == valid) {
      songs.push_back({song.ids, song.bar_offsets});
    }
  }
  return songs;
}

}  // namespace continuo
