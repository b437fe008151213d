#include "continuo/model/directory_files.h"

#include <system_error>
#include <utility>

#include "continuo/os/file.h"

namespace continuo {

DirectoryFiles::DirectoryFiles(std::filesystem::path path, Files files)
    : path_(std::move(path)), memory_(std::make_shared<const Files>(std::move(files))) {}

std::filesystem::path DirectoryFiles::PathOf(const std::string& file) const {
  const auto found = elsewhere_.find(file);
  return found != elsewhere_.end() ? found->second : path_ / file;
}

bool DirectoryFiles::Has(const std::string& file) const {
  std::error_code code;
  return memory_ ? memory_->contains(file) : std::filesystem::exists(PathOf(file), code);
}

Result<std::span<const uint8_t>> DirectoryFiles::Find(const std::string& file) const {
  const auto found = memory_->find(file);
  if (found == memory_->end()) {
    return MakeError(ErrorCode::kNotFound, "{}: no such file", NameOf(file));
  }
  return std::span<const uint8_t>(found->second);
}

Result<std::string> DirectoryFiles::ReadText(const std::string& file, uint64_t max_bytes) const {
  if (!memory_) {
    return ReadTextFile(PathOf(file), max_bytes);
  }
  CONTINUO_ASSIGN(const std::span<const uint8_t> bytes, Find(file));
  if (bytes.size() > max_bytes) {
    return MakeError(ErrorCode::kTooLarge, "{}: has {} bytes, more than the {} allowed here", NameOf(file),
                     bytes.size(), max_bytes);
  }
  return std::string(bytes.begin(), bytes.end());
}

Result<FileBytes> DirectoryFiles::Open(const std::string& file) const {
  if (!memory_) {
    CONTINUO_ASSIGN(MappedFile opened, MappedFile::Open(PathOf(file)));
    const auto mapped = std::make_shared<const MappedFile>(std::move(opened));
    return FileBytes{mapped->bytes(), mapped};
  }
  CONTINUO_ASSIGN(const std::span<const uint8_t> bytes, Find(file));
  return FileBytes{bytes, memory_};
}

}  // namespace continuo
