#include "continuo/score/chord.h"

#include <algorithm>

namespace continuo {

namespace {

std::optional<uint8_t> ParseRoot(std::string_view text) {
  if (text.empty() || text.size() > 2 || text[0] < 'A' || text[0] > 'G') {
    return std::nullopt;
  }
  constexpr std::array<int, 7> kNaturals{9, 11, 0, 2, 4, 5, 7};  // A to G
  const int natural = kNaturals[static_cast<size_t>(text[0] - 'A')];
  if (text.size() == 1) {
    return static_cast<uint8_t>(natural);
  }
  if (text[1] != '#' && text[1] != 'b') {
    return std::nullopt;
  }
  return static_cast<uint8_t>((natural + (text[1] == '#' ? 1 : 11)) % 12);
}

/// The chord whose quality has `text` as its name or suffix.
std::optional<Chord> WithQuality(uint8_t root, std::string_view ChordQuality::* member, std::string_view text) {
  for (uint8_t i = 0; i < kChordQualities.size(); ++i) {
    if (kChordQualities[i].*member == text) {
      return Chord{root, i};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string Chord::Text() const {
  if (none()) {
    return "N";
  }
  return std::string(kPitchClassNames[root]) + "_" + std::string(kChordQualities[quality].name);
}

std::optional<Chord> ParseChordMarker(std::string_view text) {
  const size_t first = text.find('_');
  const std::string_view root_text = text.substr(0, first);
  if (root_text == "N") {
    return text == "N" || text == "N_N" || text == "N_N_N" ? std::optional(Chord::FromIndex(kNoChordIndex))
                                                           : std::nullopt;
  }
  const std::optional<uint8_t> root = ParseRoot(root_text);
  if (!root || first == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view name = text.substr(first + 1);
  if (const size_t second = name.find('_'); second != std::string_view::npos) {
    if (!ParseRoot(name.substr(second + 1))) {
      return std::nullopt;
    }
    name = name.substr(0, second);
  }
  return WithQuality(*root, &ChordQuality::name, name);
}

std::optional<Chord> ParseChordName(std::string_view text) {
  if (text == "N" || text == "NC" || text == "N.C.") {
    return Chord::FromIndex(kNoChordIndex);
  }
  const size_t root_length = text.size() > 1 && (text[1] == '#' || text[1] == 'b') ? 2 : 1;
  const std::optional<uint8_t> root = ParseRoot(text.substr(0, root_length));
  if (!root) {
    return std::nullopt;
  }
  struct Spelling {
    std::string_view written;
    std::string_view suffix;
  };
  constexpr std::array<Spelling, 12> kOthers{{{"maj", ""},
                                              {"M", ""},
                                              {"min", "m"},
                                              {"-", "m"},
                                              {"M7", "maj7"},
                                              {"min7", "m7"},
                                              {"-7", "m7"},
                                              {"o", "dim"},
                                              {"+", "aug"},
                                              {"sus", "sus4"},
                                              {"/o7", "m7b5"},
                                              {"o7", "dim7"}}};
  const std::string_view written = text.substr(root_length);
  const auto other = std::find_if(kOthers.begin(), kOthers.end(),
                                  [written](const Spelling& spelling) { return spelling.written == written; });
  return WithQuality(*root, &ChordQuality::suffix, other != kOthers.end() ? other->suffix : written);
}

std::vector<ChordChange> ChordsOfMarkers(const Score& score) {
  std::vector<ChordChange> changes;
  for (const TextEvent& marker : score.markers) {
    if (const std::optional<Chord> chord = ParseChordMarker(marker.text)) {
      changes.push_back({marker.time, *chord});
    }
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const ChordChange& a, const ChordChange& b) { return a.time < b.time; });
  MergeChordChanges(changes);
  return changes;
}

void MergeChordChanges(std::vector<ChordChange>& changes) {
  size_t kept = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    if (i + 1 < changes.size() && changes[i + 1].time == changes[i].time) {
      continue;
    }
    if (kept == 0 || changes[kept - 1].chord != changes[i].chord) {
      changes[kept++] = changes[i];
    }
  }
  changes.resize(kept);
}

}  // namespace continuo
