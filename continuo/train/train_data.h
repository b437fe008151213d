#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/corpus/blocks.h"
#include "continuo/corpus/corpus.h"
#include "continuo/run/train_settings.h"

namespace continuo {

/// What a run trains on, and what its model directories hold beside the weights. The songs' ids
/// belong to whoever made it.
struct TrainData {
  std::vector<BlockSong> train;
  std::vector<BlockSong> valid;
  BlockVocabulary vocabulary;
  size_t vocab_size = 0;
  std::string vocab_sha256;                  // goes into the weights' file; empty: their ids are not music's
  std::string sha256;                        // of all that is trained on, for --resume to compare
  std::map<std::string, std::string> texts;  // by file name: tokenizer.json, generation.json
  std::vector<uint8_t> begins_note;          // for each id, how many notes it begins; empty: there are no notes
};

/// A corpus of music. It must outlive the result. Fails when the vocabulary lacks what frames a
/// song, or with a gap_share MASK, which stands for a missing bar.
Result<TrainData> MusicData(const Corpus& corpus, const TrainSettings& settings = {});

}  // namespace continuo
