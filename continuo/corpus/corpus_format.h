#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace continuo {

// The corpus directory to the byte: docs/formats/corpus.md. All numbers are little-endian.

inline constexpr std::string_view kCorpusFormat = "continuo-corpus";
inline constexpr int kCorpusVersion = 1;
/// Of a corpus of several folders, or of one with a weight or with merged tracks.
inline constexpr int kCorpusVersionWithSources = 2;
inline constexpr std::string_view kManifestFile = "manifest.json";
inline constexpr std::string_view kTokenizerFile = "tokenizer.json";
inline constexpr std::string_view kIndexFile = "index.bin";
inline constexpr std::array<char, 8> kIndexMagic{'C', 'N', 'T', 'O', 'I', 'D', 'X', '1'};

/// At the beginning of index.bin. Behind it: `songs` records, `bars` u32 bar offsets, `name_bytes`
/// of names.
struct IndexHeader {
  std::array<char, 8> magic;
  uint64_t songs;
  uint64_t bars;
  uint64_t name_bytes;
};
static_assert(sizeof(IndexHeader) == 32);

/// A song's place in the shards, in the bar offsets and in the names.
struct IndexRecord {
  uint32_t shard;
  uint16_t split;      // 0 train, 1 valid
  uint16_t source;     // its place in the manifest's list of sources; 0 without one
  uint64_t offset;     // in ids, from the shard's beginning
  uint64_t length;     // in ids
  uint64_t first_bar;  // its first bar offset
  uint32_t bar_count;
  uint32_t name_length;  // in bytes
  uint64_t name_offset;
  std::array<uint8_t, 32> content_sha256;  // of the MIDI file
};
static_assert(sizeof(IndexRecord) == 80);

}  // namespace continuo
