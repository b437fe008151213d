#include "continuo/compose/music_limits.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "continuo/compose/generate.h"

namespace continuo {
namespace {

constexpr std::array<LimitField, 5> kFields = {{
    {"scale", "--scale", "SCALE",
     "pitch classes of new notes: \"A minor\", \"C D E G A\", \"A minor@9-16\" (bars 9 to 16)"},
    {"range", "--range", "LOW:HIGH", "lowest and highest new note: C3:C6 (C4 is middle C)"},
    {"grid", "--grid", "16|8|12", "new notes begin on sixteenths, eighths or triplets of eighths"},
    {"max_notes", "--max-notes", "N", "at most N new notes begin in a bar"},
    {"max_polyphony", "--max-polyphony", "N", "at most N new notes sound at once"},
}};

struct NamedScale {
  std::string_view name;
  uint16_t steps;  // bit i: i semitones above the root
};

constexpr uint16_t Steps(std::initializer_list<int> semitones) {
  uint16_t steps = 0;
  for (const int semitone : semitones) {
    steps = static_cast<uint16_t>(steps | 1U << semitone);
  }
  return steps;
}

constexpr std::array kScales = {
    NamedScale{"major", Steps({0, 2, 4, 5, 7, 9, 11})},
    NamedScale{"minor", Steps({0, 2, 3, 5, 7, 8, 10})},
    NamedScale{"harmonic minor", Steps({0, 2, 3, 5, 7, 8, 11})},
    NamedScale{"melodic minor", Steps({0, 2, 3, 5, 7, 9, 11})},
    NamedScale{"dorian", Steps({0, 2, 3, 5, 7, 9, 10})},
    NamedScale{"phrygian", Steps({0, 1, 3, 5, 7, 8, 10})},
    NamedScale{"lydian", Steps({0, 2, 4, 6, 7, 9, 11})},
    NamedScale{"mixolydian", Steps({0, 2, 4, 5, 7, 9, 10})},
    NamedScale{"locrian", Steps({0, 1, 3, 5, 6, 8, 10})},
    NamedScale{"major pentatonic", Steps({0, 2, 4, 7, 9})},
    NamedScale{"minor pentatonic", Steps({0, 3, 5, 7, 10})},
    NamedScale{"blues", Steps({0, 3, 5, 6, 7, 10})},
    NamedScale{"whole tone", Steps({0, 2, 4, 6, 8, 10})},
    NamedScale{"chromatic", 0xFFF},
};

std::string ScaleNames() {
  std::string names;
  for (const NamedScale& scale : kScales) {
    names += (names.empty() ? "" : ", ") + std::string(scale.name);
  }
  return names;
}

std::string Shown(std::string_view text) {
  return std::string(text.substr(0, 60)) + (text.size() > 60 ? "…" : "");
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && rest == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

/// The words of a text, which spaces, tabs and commas separate.
std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  while ((begin = text.find_first_not_of(" \t,", begin)) != std::string_view::npos) {
    const size_t end = std::min(text.find_first_of(" \t,", begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

/// Takes a letter and its accidentals off the front of `text`: semitones above C, from -2 to 13.
std::optional<int> TakePitchClass(std::string_view& text) {
  constexpr std::array<int, 7> kLetters = {9, 11, 0, 2, 4, 5, 7};  // A to G
  if (text.empty()) {
    return std::nullopt;
  }
  const int letter = (text.front() | 0x20) - 'a';
  if (letter < 0 || letter > 6) {
    return std::nullopt;
  }
  int semitones = kLetters[static_cast<size_t>(letter)];
  text.remove_prefix(1);
  for (int i = 0; i < 2 && !text.empty() && (text.front() == '#' || text.front() == 'b'); ++i) {
    semitones += text.front() == '#' ? 1 : -1;
    text.remove_prefix(1);
  }
  return semitones;
}

/// "F#", "Bb" or "10".
std::optional<int> ParsePitchClass(std::string_view text) {
  if (const std::optional<int> number = ParseNumber<int>(text)) {
    return *number >= 0 && *number < 12 ? number : std::nullopt;
  }
  const std::optional<int> semitones = TakePitchClass(text);
  return semitones && text.empty() ? std::optional((*semitones + 12) % 12) : std::nullopt;
}

/// "C4" (60), "Bb-1" or "60".
std::optional<int> ParseKey(std::string_view text) {
  std::optional<int> key = ParseNumber<int>(text);
  if (!key) {
    const std::optional<int> semitones = TakePitchClass(text);
    const std::optional<int> octave = ParseNumber<int>(text);
    if (!semitones || !octave || *octave < -1 || *octave > 9) {
      return std::nullopt;
    }
    key = 12 * (*octave + 1) + *semitones;
  }
  return *key >= 0 && *key <= 127 ? key : std::nullopt;
}

Result<uint16_t> ParseScale(std::string_view text) {
  const std::vector<std::string_view> words = Words(text);
  uint16_t classes = 0;
  size_t understood = 0;
  for (const std::string_view word : words) {
    if (const std::optional<int> pitch_class = ParsePitchClass(word)) {
      classes = static_cast<uint16_t>(classes | 1U << *pitch_class);
      ++understood;
    }
  }
  if (!words.empty() && understood == words.size()) {
    return classes;
  }
  std::string name;
  for (size_t i = 1; i < words.size(); ++i) {
    name.append(i > 1 ? " " : "").append(words[i]);
  }
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; });
  const std::optional<int> root = words.empty() ? std::nullopt : ParsePitchClass(words.front());
  for (const NamedScale& scale : kScales) {
    if (root && scale.name == name) {
      const auto turned = static_cast<uint32_t>(scale.steps) << *root;
      return static_cast<uint16_t>((turned | turned >> 12) & 0xFFF);
    }
  }
  return Error{fmt::format("scale is '{}', expected a root and a scale like \"A minor\", or pitch classes like \"C D E "
                           "G A\"",
                           Shown(text)),
               fmt::format("scales: {}", ScaleNames())};
}

Status ParseRange(std::string_view text, RangeLimit& range) {
  const size_t colon = text.find(':');
  const int low = ParseKey(text.substr(0, colon)).value_or(-1);
  const int high = colon == std::string_view::npos ? -1 : ParseKey(text.substr(colon + 1)).value_or(-1);
  if (low < 0 || high < 0) {
    return MakeError(
        "range is '{}', expected the lowest and the highest note, like C3:C6 or 48:84 (MIDI keys 0 to 127)",
        Shown(text));
  }
  if (low > high) {
    return MakeError("range is '{}', which is empty: its lowest note is above its highest", Shown(text));
  }
  range.low = low;
  range.high = high;
  return {};
}

Status ParseCount(std::string_view name, std::string_view text, CountLimit& limit) {
  const std::optional<int> value = ParseNumber<int>(text);
  if (name == "grid") {
    if (!value || (*value != 16 && *value != 8 && *value != 12)) {
      return MakeError("grid is '{}', expected 16 (sixteenth notes), 8 (eighth notes) or 12 (triplets of eighth notes)",
                       Shown(text));
    }
  } else if (!value || *value < 1 || *value > 10000) {
    return MakeError("{} is '{}', expected a whole number from 1 to 10000", name, Shown(text));
  }
  limit.value = *value;
  return {};
}

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// "9-16", "9" or "9-".
std::optional<BarSpan> ParseBarSpan(std::string_view text) {
  const size_t dash = text.find('-');
  const std::optional<size_t> first = ParseNumber<size_t>(text.substr(0, dash));
  std::optional<size_t> last = first;
  if (dash != std::string_view::npos) {
    last = dash + 1 == text.size() ? SIZE_MAX : ParseNumber<size_t>(text.substr(dash + 1));
  }
  if (!first || !last || *first < 1 || *first > kMaxBars || *last < *first || (*last > kMaxBars && *last != SIZE_MAX)) {
    return std::nullopt;
  }
  return BarSpan{*first - 1, *last};
}

}  // namespace

std::span<const LimitField> LimitFields() {
  return kFields;
}

Status AddLimit(std::string_view name, std::string_view text, MusicLimits& limits) {
  const size_t at = text.find('@');
  std::string_view value = Trim(text.substr(0, at));
  BarSpan bars;
  if (at != std::string_view::npos) {
    const std::optional<BarSpan> span = ParseBarSpan(Trim(text.substr(at + 1)));
    if (!span) {
      return MakeError("{} is for the bars '{}', expected bars from 1 to {}, like 9-16, 9 or 9-", name,
                       Shown(text.substr(at + 1)), kMaxBars);
    }
    bars = *span;
  }
  if (name == "scale") {
    CONTINUO_ASSIGN(const uint16_t classes, ParseScale(value));
    limits.scale.push_back({classes, bars});
  } else if (name == "range") {
    RangeLimit range{.bars = bars};
    CONTINUO_TRY(ParseRange(value, range));
    limits.range.push_back(range);
  } else if (name == "grid" || name == "max_notes" || name == "max_polyphony") {
    CountLimit limit{.bars = bars};
    CONTINUO_TRY(ParseCount(name, value, limit));
    (name == "grid" ? limits.grid : name == "max_notes" ? limits.max_notes : limits.max_polyphony).push_back(limit);
  } else {
    return MakeError("no limit '{}'", Shown(name));
  }
  return {};
}

Status RemoveLimits(std::string_view name, MusicLimits& limits) {
  if (name == "scale") {
    limits.scale.clear();
  } else if (name == "range") {
    limits.range.clear();
  } else if (name == "grid") {
    limits.grid.clear();
  } else if (name == "max_notes") {
    limits.max_notes.clear();
  } else if (name == "max_polyphony") {
    limits.max_polyphony.clear();
  } else {
    return MakeError("no limit '{}'", Shown(name));
  }
  return {};
}

}  // namespace continuo
