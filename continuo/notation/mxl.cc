#include "continuo/notation/mxl.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <pugixml.hpp>

namespace continuo {
namespace {

// The parts of a zip archive that are needed here (PKWARE's APPNOTE.TXT, 4.3): an end record, which
// says where the directory is, and a header before each file.
constexpr uint32_t kEndRecord = 0x06054b50;
constexpr uint32_t kDirectoryEntry = 0x02014b50;
constexpr uint32_t kFileHeader = 0x04034b50;
constexpr size_t kEndRecordBytes = 22;
constexpr size_t kDirectoryEntryBytes = 46;
constexpr size_t kFileHeaderBytes = 30;

/// Numbers of an archive, least byte first; the caller checks that they lie within it.
class Archive {
 public:
  Archive(std::span<const uint8_t> bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  /// The contents of a file.
  Result<std::string> Read(std::string_view entry, size_t max_bytes) const {
    const std::optional<size_t> end = FindEnd();
    if (!end) {
      return Damaged("it has no end record");
    }
    const size_t count = Number(*end + 10, 2);
    size_t at = Number(*end + 16, 4);
    for (size_t i = 0; i < count; ++i) {
      if (!Holds(at, kDirectoryEntryBytes) || Number(at, 4) != kDirectoryEntry) {
        return Damaged("its directory is cut short");
      }
      const size_t name_bytes = Number(at + 28, 2);
      if (!Holds(at + kDirectoryEntryBytes, name_bytes)) {
        return Damaged("its directory is cut short");
      }
      if (Text(at + kDirectoryEntryBytes, name_bytes) == entry) {
        return ReadEntry(at, entry, max_bytes);
      }
      at += kDirectoryEntryBytes + name_bytes + Number(at + 30, 2) + Number(at + 32, 2);
    }
    return MakeError("{}: the archive has no file {}, expected compressed MusicXML", name_, entry);
  }

 private:
  Error Damaged(std::string_view how) const { return MakeError("{}: the archive cannot be read: {}", name_, how); }
  bool Holds(size_t at, size_t size) const { return at <= bytes_.size() && size <= bytes_.size() - at; }
  size_t Number(size_t at, size_t size) const {
    size_t value = 0;
    for (size_t i = size; i-- > 0;) {
      value = value << 8 | bytes_[at + i];
    }
    return value;
  }
  std::string_view Text(size_t at, size_t size) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + at, size};
  }

  // A comment of up to 65535 bytes may follow it.
  std::optional<size_t> FindEnd() const {
    constexpr size_t kMaxComment = 65535;
    if (bytes_.size() < kEndRecordBytes) {
      return {};
    }
    const size_t last = bytes_.size() - kEndRecordBytes;
    for (size_t at = last;; --at) {
      if (Number(at, 4) == kEndRecord) {
        return at;
      }
      if (at == 0 || last - at == kMaxComment) {
        return {};
      }
    }
  }

  Result<std::string> ReadEntry(size_t directory, std::string_view entry, size_t max_bytes) const {
    const size_t method = Number(directory + 10, 2);
    const size_t packed_bytes = Number(directory + 20, 4);
    const size_t header = Number(directory + 42, 4);
    if (!Holds(header, kFileHeaderBytes) || Number(header, 4) != kFileHeader) {
      return Damaged("its directory points to no file");
    }
    const size_t data = header + kFileHeaderBytes + Number(header + 26, 2) + Number(header + 28, 2);
    if (!Holds(data, packed_bytes)) {
      return Damaged("a file is cut short");
    }
    constexpr size_t kEncrypted = 1;
    if ((Number(directory + 8, 2) & kEncrypted) != 0 || (method != 0 && method != Z_DEFLATED)) {
      return MakeError("{}: {} in the archive is encrypted or packed by method {}, expected deflate", name_, entry,
                       method);
    }
    std::string text;
    if (method == 0) {
      if (packed_bytes > max_bytes) {
        return TooLarge(entry, max_bytes);
      }
      text = Text(data, packed_bytes);
    } else {
      CONTINUO_TRY(Inflate(bytes_.subspan(data, packed_bytes), entry, max_bytes, text));
    }
    const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
    if (sum != Number(directory + 16, 4)) {
      return Damaged("a file does not have the checksum that the archive gives");
    }
    return text;
  }

  Error TooLarge(std::string_view entry, size_t max_bytes) const {
    return MakeError(ErrorCode::kTooLarge, "{}: {} in the archive has more than the {} bytes allowed", name_, entry,
                     max_bytes);
  }

  Status Inflate(std::span<const uint8_t> packed, std::string_view entry, size_t max_bytes, std::string& text) const {
    z_stream stream = {};
    if (packed.size() > std::numeric_limits<uInt>::max() || inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
      return Damaged("zlib does not start");
    }
    stream.next_in = const_cast<Bytef*>(packed.data());  // which it does not change
    stream.avail_in = static_cast<uInt>(packed.size());
    int state = Z_OK;
    while (state == Z_OK && text.size() <= max_bytes) {
      const size_t before = text.size();
      text.resize(before + std::max<size_t>(65536, before / 2));
      stream.next_out = reinterpret_cast<Bytef*>(text.data()) + before;
      stream.avail_out = static_cast<uInt>(text.size() - before);
      state = inflate(&stream, Z_NO_FLUSH);
      text.erase(text.size() - stream.avail_out);
    }
    inflateEnd(&stream);
    if (text.size() > max_bytes) {
      return TooLarge(entry, max_bytes);
    }
    return state == Z_STREAM_END ? Status{} : Damaged("a file is damaged");
  }

  std::span<const uint8_t> bytes_;
  std::string_view name_;
};

}  // namespace

bool IsMxl(std::span<const uint8_t> bytes) {
  return bytes.size() >= 4 && bytes[0] == 'P' && bytes[1] == 'K' && bytes[2] == 3 && bytes[3] == 4;
}

Result<std::string> UnpackMxl(std::span<const uint8_t> bytes, size_t max_bytes, std::string_view name) {
  const Archive archive(bytes, name);
  CONTINUO_ASSIGN(const std::string container, archive.Read("META-INF/container.xml", max_bytes));
  pugi::xml_document document;
  if (!document.load_buffer(container.data(), container.size())) {
    return MakeError("{}: META-INF/container.xml in the archive is not XML", name);
  }
  const std::string path =
      document.child("container").child("rootfiles").child("rootfile").attribute("full-path").as_string();
  if (path.empty()) {
    return MakeError("{}: META-INF/container.xml in the archive names no rootfile", name);
  }
  return archive.Read(path, max_bytes);
}

}  // namespace continuo
