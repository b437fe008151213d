#include "continuo/score/midi_files.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

namespace continuo {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kExtensions = {".mid", ".midi", ".kar", ".rmi"};

/// What one entry of a folder is to the list.
enum class EntryKind { kIgnored, kMidi, kFolder, kSkipped };

struct Entry {
  EntryKind kind = EntryKind::kIgnored;
  std::string reason = {};  // of kSkipped
};

Entry Classify(const fs::directory_entry& entry) {
  std::error_code code;
  const bool is_link = entry.is_symlink(code);
  const fs::file_status status = entry.status(code);  // of a link's target
  if (fs::is_directory(status)) {
    return is_link ? Entry{EntryKind::kSkipped, "is a link to a folder"} : Entry{EntryKind::kFolder};
  }
  if (!HasMidiExtension(entry.path())) {
    return {};
  }
  if (fs::is_regular_file(status)) {
    return {EntryKind::kMidi};
  }
  if (is_link && status.type() == fs::file_type::not_found) {
    return {EntryKind::kSkipped, "is a broken link"};
  }
  return {EntryKind::kSkipped, fs::status_known(status) ? "is not a regular file" : code.message()};
}

}  // namespace

bool HasMidiExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

Result<MidiFileList> ListMidiFiles(const fs::path& folder) {
  MidiFileList list;
  const auto name_of = [&folder](const fs::path& path) { return path.lexically_relative(folder).generic_string(); };
  std::vector<fs::path> open = {folder};
  for (size_t next = 0; next < open.size(); ++next) {
    const fs::path current = open[next];
    std::error_code code;
    fs::directory_iterator entry(current, code);
    for (; !code && entry != fs::directory_iterator(); entry.increment(code)) {
      Entry found = Classify(*entry);
      switch (found.kind) {
        case EntryKind::kIgnored:
          break;
        case EntryKind::kMidi:
          list.names.push_back(name_of(entry->path()));
          break;
        case EntryKind::kFolder:
          open.push_back(entry->path());
          break;
        case EntryKind::kSkipped:
          list.skipped.push_back({name_of(entry->path()), std::move(found.reason)});
          break;
      }
    }
    if (code && next == 0) {
      const bool missing = code == std::errc::no_such_file_or_directory;
      return MakeError(missing ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: cannot list the folder: {}",
                       folder.string(), code.message());
    }
    if (code) {
      list.skipped.push_back({name_of(current), fmt::format("cannot be listed: {}", code.message())});
    }
  }
  std::sort(list.names.begin(), list.names.end());
  std::sort(list.skipped.begin(), list.skipped.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return list;
}

Error NoMidiFiles(const fs::path& folder) {
  return MakeError(ErrorCode::kNotFound, "{}: has no MIDI files (.mid, .midi, .kar, .rmi)", folder.string());
}

}  // namespace continuo
