#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// The MIDI files of a folder.
struct MidiFileList {
  /// Paths within the folder, separated by '/', in the order of their bytes.
  std::vector<std::string> names;
  struct Skipped {
    std::string name;    // a path within the folder
    std::string reason;  // "is a broken link"
  };
  std::vector<Skipped> skipped;  // in the order of their names
};

/// Whether a name ends in .mid, .midi, .kar or .rmi, in upper or lower case.
bool HasMidiExtension(const std::filesystem::path& path);

/// Lists the MIDI files at any depth below a folder: regular files, and links to such, whose names
/// have a MIDI extension. Skips, and reports, what has such a name but is neither (a FIFO, a broken
/// link), subfolders that cannot be read, and links to folders, which could lead back. Fails only
/// if `folder` itself is not a folder or cannot be read. The list may be empty.
Result<MidiFileList> ListMidiFiles(const std::filesystem::path& folder);

/// The Error of a folder without MIDI files.
Error NoMidiFiles(const std::filesystem::path& folder);

}  // namespace continuo
