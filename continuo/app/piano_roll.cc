#include "continuo/app/piano_roll.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "continuo/core/check.h"
#include "continuo/score/bars.h"
#include "continuo/score/chord.h"

namespace continuo {
namespace {

constexpr size_t kMarginWidth = 5;  // "A#-1 " before each line
constexpr size_t kLabelWidth = 6;   // a bar's number and the space to the next

/// Dots of a character: two wide, four high.
class Dots {
 public:
  Dots(size_t columns, size_t rows) : columns_(columns), cells_(columns * rows) {}

  size_t width() const { return columns_ * 2; }
  void Set(size_t x, size_t y) {
    // Unicode numbers the dots of a Braille cell down the left side, then the right, but the lowest
    // two last.
    constexpr std::array<std::array<uint8_t, 2>, 4> kBits{{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};
    cells_[y / 4 * columns_ + x / 2] |= kBits[y % 4][x % 2];
  }
  std::string Row(size_t row) const {
    std::string text;
    for (size_t i = 0; i < columns_; ++i) {
      const unsigned code = 0x2800U + cells_[row * columns_ + i];
      text += static_cast<char>(0xE0 | code >> 12);
      text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
      text += static_cast<char>(0x80 | (code & 0x3F));
    }
    return text;
  }

 private:
  size_t columns_;
  std::vector<uint8_t> cells_;
};

/// Numbers of bars, each where its bar begins.
std::string BarNumbers(const Score& score, size_t columns, int64_t end) {
  const BarGrid bars(score);
  const size_t count = CountBars(score);
  size_t every = 1;
  while (count / every * kLabelWidth > columns) {
    every *= 2;
  }
  std::string line;
  for (size_t bar = 0; bar < count; bar += every) {
    const auto column = static_cast<size_t>(bars.Line(bar) * static_cast<int64_t>(columns) / end);
    const std::string number = std::to_string(bar + 1);
    if (column + number.size() > columns || (bar > 0 && column <= line.size())) {
      continue;
    }
    line.resize(column, ' ');
    line += number;
  }
  return line;
}

}  // namespace

std::string PitchName(int pitch) {
  return fmt::format("{}{}", kPitchClassNames[static_cast<size_t>(pitch % 12)], pitch / 12 - 1);
}

std::vector<std::string> DrawPianoRoll(const Score& score, size_t columns, size_t rows) {
  CONTINUO_CHECK(columns >= 16 && rows >= 1);
  columns -= kMarginWidth;
  const bool only_drums = std::all_of(score.tracks.begin(), score.tracks.end(),
                                      [](const Track& track) { return track.is_drum || track.notes.empty(); });
  int lowest = 127;
  int highest = 0;
  int64_t end = 0;
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      if (only_drums || !track.is_drum) {
        lowest = std::min<int>(lowest, note.pitch);
        highest = std::max<int>(highest, note.pitch);
        end = std::max({end, int64_t{note.time} + note.duration, int64_t{note.time} + 1});
      }
    }
  }
  if (end == 0) {
    return {};
  }
  const auto pitches = static_cast<size_t>(highest - lowest + 1);
  rows = std::min(rows, (pitches + 3) / 4);
  const size_t height = std::min(rows * 4, pitches);  // of the dots in use
  Dots dots(columns, rows);
  const auto x_of = [&](int64_t time) {
    return std::min(dots.width() - 1, static_cast<size_t>(time * static_cast<int64_t>(dots.width()) / end));
  };
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      if (!only_drums && track.is_drum) {
        continue;
      }
      const size_t y = static_cast<size_t>(highest - note.pitch) * height / pitches;
      const size_t last = x_of(std::max<int64_t>(note.time, int64_t{note.time} + note.duration - 1));
      for (size_t x = x_of(note.time); x <= last; ++x) {
        dots.Set(x, y);
      }
    }
  }
  std::vector<std::string> lines;
  for (size_t row = 0; row < rows; ++row) {
    const int top = highest - static_cast<int>(row * 4 * pitches / height);
    lines.push_back(fmt::format("{:<{}}{}", PitchName(top), kMarginWidth, dots.Row(row)));
  }
  lines.push_back(std::string(kMarginWidth, ' ') + BarNumbers(score, columns, end));
  return lines;
}

}  // namespace continuo
