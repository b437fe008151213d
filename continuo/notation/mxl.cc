#include "continuo/notation/mxl.h"

#include <zip.h>

#include <memory>
#include <pugixml.hpp>

namespace continuo {
namespace {

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

Result<std::string> ReadEntry(zip_t* archive, const char* entry, size_t max_bytes, std::string_view name) {
  const std::unique_ptr<zip_file_t, CloseFile> file(zip_fopen(archive, entry, 0));
  if (!file) {
    return MakeError("{}: the archive has no file {} that can be read, expected compressed MusicXML", name, entry);
  }
  std::string text;
  char chunk[16384];
  while (true) {
    const zip_int64_t got = zip_fread(file.get(), chunk, sizeof(chunk));
    if (got < 0) {
      return MakeError("{}: {} in the archive is damaged: {}", name, entry, zip_file_strerror(file.get()));
    }
    if (got == 0) {
      return text;
    }
    if (text.size() + static_cast<size_t>(got) > max_bytes) {
      return MakeError(ErrorCode::kTooLarge, "{}: {} in the archive has more than the {} bytes allowed", name, entry,
                       max_bytes);
    }
    text.append(chunk, static_cast<size_t>(got));
  }
}

}  // namespace

bool IsMxl(std::span<const uint8_t> bytes) {
  return bytes.size() >= 4 && bytes[0] == 'P' && bytes[1] == 'K' && bytes[2] == 3 && bytes[3] == 4;
}

Result<std::string> UnpackMxl(std::span<const uint8_t> bytes, size_t max_bytes, std::string_view name) {
  zip_error_t error;
  zip_error_init(&error);
  // The archive takes the source only if it opens.
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  zip_t* opened = source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &error);
  if (opened == nullptr) {
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (source != nullptr) {
      zip_source_free(source);
    }
    return MakeError("{}: the archive cannot be read: {}", name, reason);
  }
  zip_error_fini(&error);
  const std::unique_ptr<zip_t, CloseArchive> archive(opened);
  CONTINUO_ASSIGN(const std::string container, ReadEntry(archive.get(), "META-INF/container.xml", max_bytes, name));
  pugi::xml_document document;
  if (!document.load_buffer(container.data(), container.size())) {
    return MakeError("{}: META-INF/container.xml in the archive is not XML", name);
  }
  const std::string path =
      document.child("container").child("rootfiles").child("rootfile").attribute("full-path").as_string();
  if (path.empty()) {
    return MakeError("{}: META-INF/container.xml in the archive names no rootfile", name);
  }
  return ReadEntry(archive.get(), path.c_str(), max_bytes, name);
}

}  // namespace continuo
