#include "continuo/corpus/corpus.h"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "continuo/corpus/corpus_format.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "a corpus is mapped as it lies on disk");

/// The manifest's list of shards and what it says of the vocabulary.
struct Manifest {
  struct Shard {
    std::string file;
    uint64_t tokens = 0;
  };
  std::vector<Shard> shards;
  std::string vocabulary_sha256;
  std::vector<Corpus::Source> sources = std::vector<Corpus::Source>(1);
};

Result<std::vector<Corpus::Source>> ReadSources(const json& list, const fs::path& path) {
  if (!list.is_array() || list.empty() || list.size() > kMostSources) {
    return MakeError("{}: \"sources\" is not a list of 1 to {} folders", path.string(), kMostSources);
  }
  std::vector<Corpus::Source> sources;
  for (const json& source : list) {
    const bool complete = source.is_object() && source.contains("name") && source["name"].is_string() &&
                          source.contains("weight") && source["weight"].is_number();
    const double weight = complete ? source["weight"].get<double>() : 0;
    if (!(weight >= kLeastWeight && weight <= kLargestWeight)) {
      return MakeError("{}: \"sources\" holds {}, expected {{\"name\", \"weight\"}} with a weight from {} to {}",
                       path.string(), source.dump().substr(0, 80), kLeastWeight, kLargestWeight);
    }
    sources.push_back({source["name"].get<std::string>(), weight});
  }
  return sources;
}

Result<Manifest> ReadManifest(const fs::path& path) {
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path, uint64_t{1} << 30));
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return MakeError("{}: is not a JSON object", path.string());
  }
  const auto field = [&](const json& object, const char* key) -> const json& {
    static const json missing;
    const auto found = object.find(key);
    return found == object.end() ? missing : *found;
  };
  if (field(root, "format") != kCorpusFormat) {
    return MakeError("{}: \"format\" is not \"{}\"", path.string(), kCorpusFormat);
  }
  const json& version = field(root, "version");
  if (version != kCorpusVersion && version != kCorpusVersionWithSources) {
    return Error{fmt::format("{}: \"version\" is {}, expected {} or {}", path.string(), version.dump(), kCorpusVersion,
                             kCorpusVersionWithSources),
                 "build the corpus again"};
  }
  Manifest manifest;
  if (version == kCorpusVersionWithSources) {
    CONTINUO_ASSIGN(manifest.sources, ReadSources(field(root, "sources"), path));
  }
  const json& sha = field(root, "vocab_sha256");
  const json& shards = field(root, "shards");
  if (!sha.is_string() || !shards.is_array()) {
    return MakeError("{}: \"vocab_sha256\" or \"shards\" is missing", path.string());
  }
  manifest.vocabulary_sha256 = sha.get<std::string>();
  for (const json& shard : shards) {
    if (!shard.is_object() || !field(shard, "file").is_string() || !field(shard, "tokens").is_number_unsigned()) {
      return MakeError("{}: \"shards\" holds {}, expected {{\"file\", \"tokens\"}}", path.string(),
                       shard.dump().substr(0, 80));
    }
    Manifest::Shard entry{field(shard, "file").get<std::string>(), field(shard, "tokens").get<uint64_t>()};
    // A shard lies in the directory itself.
    if (entry.file.empty() || entry.file.front() == '.' || entry.file.find('/') != std::string::npos) {
      return MakeError("{}: \"{}\" is not a shard's file name", path.string(), entry.file);
    }
    manifest.shards.push_back(std::move(entry));
  }
  return manifest;
}

/// The parts of a mapped index.bin.
struct Index {
  std::span<const IndexRecord> records;
  std::span<const uint32_t> bars;
  std::string_view names;
};

Result<Index> ReadIndex(std::span<const uint8_t> bytes, const fs::path& path) {
  IndexHeader header;
  if (bytes.size() < sizeof(header)) {
    return MakeError("{}: has {} bytes, too short for its header of {}", path.string(), bytes.size(), sizeof(header));
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kIndexMagic) {
    return MakeError("{}: does not begin with the mark of a corpus index", path.string());
  }
  // Each count is bounded by the file's size before it is multiplied.
  uint64_t left = bytes.size() - sizeof(header);
  const auto take = [&left](uint64_t count, uint64_t size) {
    if (count > left / size) {
      return false;
    }
    left -= count * size;
    return true;
  };
  if (!take(header.songs, sizeof(IndexRecord)) || !take(header.bars, sizeof(uint32_t)) || !take(header.name_bytes, 1) ||
      left != 0) {
    return MakeError("{}: {} songs, {} bars and {} bytes of names do not fill its {} bytes", path.string(),
                     header.songs, header.bars, header.name_bytes, bytes.size());
  }
  const uint8_t* at = bytes.data() + sizeof(header);
  Index index;
  index.records = {reinterpret_cast<const IndexRecord*>(at), header.songs};
  at += header.songs * sizeof(IndexRecord);
  index.bars = {reinterpret_cast<const uint32_t*>(at), header.bars};
  at += header.bars * sizeof(uint32_t);
  index.names = {reinterpret_cast<const char*>(at), header.name_bytes};
  return index;
}

bool InRange(uint64_t begin, uint64_t count, uint64_t size) {
  return begin <= size && count <= size - begin;
}

}  // namespace

Result<Corpus> Corpus::Open(const fs::path& directory) {
  constexpr const char* kHint = "make one with: continuo corpus build";
  std::error_code code;
  if (!fs::exists(directory, code)) {
    return Error{fmt::format("{}: does not exist, expected a corpus directory", directory.string()), kHint,
                 ErrorCode::kNotFound};
  }
  if (!fs::is_directory(directory, code)) {
    return Error{fmt::format("{}: is not a corpus directory", directory.string()), kHint};
  }
  CONTINUO_ASSIGN(const Manifest manifest, ReadManifest(directory / kManifestFile));
  Corpus corpus;
  corpus.sources_ = manifest.sources;
  const fs::path tokenizer_path = directory / kTokenizerFile;
  CONTINUO_ASSIGN(corpus.tokenizer_, Tokenizer::LoadPlainOrTrained(tokenizer_path.string()));
  if (corpus.tokenizer_->model_sha256() != manifest.vocabulary_sha256) {
    return MakeError("{}: has the vocabulary {}, but the corpus was built with {}", tokenizer_path.string(),
                     corpus.tokenizer_->model_sha256(), manifest.vocabulary_sha256);
  }

  std::vector<std::span<const uint16_t>> shards;
  for (const Manifest::Shard& shard : manifest.shards) {
    const fs::path path = directory / shard.file;
    CONTINUO_ASSIGN(MappedFile file, MappedFile::Open(path));
    const auto bytes = file.bytes();
    if (bytes.size() % sizeof(uint16_t) != 0 || bytes.size() / sizeof(uint16_t) != shard.tokens) {
      return MakeError("{}: has {} bytes, expected 2 for each of {} tokens", path.string(), bytes.size(), shard.tokens);
    }
    shards.emplace_back(reinterpret_cast<const uint16_t*>(bytes.data()), shard.tokens);
    corpus.files_.push_back(std::move(file));
  }

  const fs::path index_path = directory / kIndexFile;
  CONTINUO_ASSIGN(MappedFile index_file, MappedFile::Open(index_path));
  CONTINUO_ASSIGN(const Index index, ReadIndex(index_file.bytes(), index_path));
  corpus.files_.push_back(std::move(index_file));
  const size_t vocabulary = corpus.tokenizer_->model_size();
  for (size_t i = 0; i < index.records.size(); ++i) {
    const IndexRecord& record = index.records[i];
    if (record.split > 1 || record.source >= corpus.sources_.size() || record.shard >= shards.size() ||
        !InRange(record.offset, record.length, shards[record.shard].size()) || record.length > UINT32_MAX - 2 ||
        !InRange(record.first_bar, record.bar_count, index.bars.size()) ||
        !InRange(record.name_offset, record.name_length, index.names.size())) {
      return MakeError("{}: record {} points outside the corpus", index_path.string(), i);
    }
    const Song song{.split = static_cast<Split>(record.split),
                    .ids = shards[record.shard].subspan(record.offset, record.length),
                    .bar_offsets = index.bars.subspan(record.first_bar, record.bar_count),
                    .name = index.names.substr(record.name_offset, record.name_length),
                    .source = record.source};
    for (const uint16_t id : song.ids) {
      if (id >= vocabulary) {
        return MakeError("{}: holds id {}, but the vocabulary has {}",
                         (directory / manifest.shards[record.shard].file).string(), id, vocabulary);
      }
    }
    uint64_t before = 0;
    for (size_t bar = 0; bar < song.bar_offsets.size(); ++bar) {
      const uint64_t offset = song.bar_offsets[bar];
      if (offset >= song.ids.size() || (bar > 0 && offset < before)) {
        return MakeError("{}: record {}: bar {} begins at {}, out of order", index_path.string(), i, bar, offset);
      }
      before = offset;
    }
    corpus.songs_.push_back(song);
  }
  return corpus;
}

Corpus::Song Corpus::song(size_t index) const {
  CONTINUO_CHECK(index < songs_.size());
  return songs_[index];
}

}  // namespace continuo
