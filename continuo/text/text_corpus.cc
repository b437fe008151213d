#include "continuo/text/text_corpus.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string_view>

#include "continuo/core/hash.h"

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxTextBytes = uint64_t{1} << 32;  // of all files, unpacked

/// The files that a path stands for.
Result<std::vector<fs::path>> FilesAt(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    return std::vector<fs::path>{path};
  }
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(path, code), end; !code && entry != end; entry.increment(code)) {
    const std::string extension = entry->path().extension().string();
    if (extension == ".txt" || extension == ".gz") {
      files.push_back(entry->path());
    }
  }
  if (code) {
    return MakeError("{}: cannot read: {}", path.string(), code.message());
  }
  if (files.empty()) {
    return MakeError("{}: holds no .txt or .gz file", path.string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Appends a file's text, unpacked where it is gzip.
Status AppendFile(const fs::path& path, uint64_t limit, std::string& text) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(::gzopen(path.c_str(), "rb"), ::gzclose);
  if (file == nullptr) {
    return MakeError("{}: cannot open", path.string());
  }
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const int count = ::gzread(file.get(), buffer.data(), buffer.size());
    int code = Z_OK;
    const char* reason = ::gzerror(file.get(), &code);
    if (count < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      return MakeError("{}: cannot read: {}", path.string(), code == Z_BUF_ERROR ? "the file ends early" : reason);
    }
    if (count == 0) {
      return {};
    }
    if (text.size() + static_cast<size_t>(count) > limit) {
      return MakeError("{}: the text is longer than {} bytes", path.string(), kMaxTextBytes);
    }
    text.append(buffer.data(), static_cast<size_t>(count));
  }
}

std::string_view Trimmed(std::string_view line) {
  constexpr std::string_view kSpaces = " \t\r\v\f";
  const size_t begin = line.find_first_not_of(kSpaces);
  return begin == std::string_view::npos ? std::string_view()
                                         : line.substr(begin, line.find_last_not_of(kSpaces) - begin + 1);
}

}  // namespace

Result<std::vector<TextDocument>> ReadTextCorpus(const std::vector<fs::path>& paths, const TextCorpusOptions& options) {
  std::vector<TextDocument> documents;
  std::set<std::array<uint8_t, 32>> seen;
  uint64_t total = 0;
  for (const fs::path& path : paths) {
    CONTINUO_ASSIGN(const std::vector<fs::path> files, FilesAt(path));
    for (const fs::path& file : files) {
      std::string text;
      CONTINUO_TRY(AppendFile(file, kMaxTextBytes - total, text));
      total += text.size();
      TextDocument document;
      size_t bytes = 0;
      const auto finish = [&] {
        Sha256 hash;
        for (const std::string& line : document.lines) {
          hash.Update(line);
          hash.Update("\n");
        }
        const std::array<uint8_t, 32> digest = hash.Finish();
        if (!document.lines.empty() && seen.insert(digest).second) {
          uint64_t high = 0;
          for (size_t i = 0; i < sizeof(high); ++i) {
            high = high << 8 | digest[i];
          }
          document.valid = static_cast<double>(high >> 11) * 0x1.0p-53 < options.valid_fraction;
          documents.push_back(std::move(document));
        }
        document = {};
        bytes = 0;
      };
      for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = Trimmed(std::string_view(text).substr(begin, end - begin));
        if (!line.empty()) {
          document.lines.emplace_back(line);
          bytes += line.size() + 1;
        }
        begin = end + 1;
        if (bytes >= options.document_bytes) {
          finish();
        }
      }
      finish();
    }
  }
  if (documents.empty()) {
    return MakeError("{}: there is no text", paths.empty() ? "text corpus" : paths.front().string());
  }
  return documents;
}

}  // namespace continuo
