#include "continuo/score/beats.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "continuo/core/check.h"
#include "continuo/os/file.h"

namespace continuo {
namespace {

constexpr uint64_t kLargestBeatsFile = uint64_t{1} << 24;
constexpr std::string_view kBlanks = " \t\r\v\f";
constexpr size_t kMostColumns = 3;
constexpr int kLargestBeatNumber = 255;

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// The columns of a line that is not empty. What is after the third stays in one piece.
std::vector<std::string_view> Columns(std::string_view line) {
  std::vector<std::string_view> columns;
  for (;;) {
    const size_t end = columns.size() == kMostColumns ? std::string_view::npos : line.find_first_of(", \t");
    columns.push_back(line.substr(0, end));
    if (end == std::string_view::npos) {
      return columns;
    }
    line = Trim(line.substr(end));
    if (line.starts_with(',')) {
      line = Trim(line.substr(1));
    }
  }
}

/// The number that is all of the text.
std::optional<double> Number(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc::result_out_of_range && rest == end) {
    return std::numeric_limits<double>::infinity();
  }
  return error == std::errc() && rest == end ? std::optional(value) : std::nullopt;
}

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// A value of the file in a message: printable, and not too long.
std::string Quoted(std::string_view text) {
  constexpr size_t kLongest = 40;
  std::string quoted = "'";
  for (const char c : text.substr(0, kLongest)) {
    quoted += c >= ' ' && c < '\x7f' ? c : '?';
  }
  return quoted + (text.size() > kLongest ? "...'" : "'");
}

constexpr const char* kFormats =
    "each line has a time in seconds and the number of the beat in its bar, or a time, a half-bar flag and a bar flag";

/// Reads the lines of one file.
class Reader {
 public:
  explicit Reader(std::string_view name) { list_.name = name; }

  Status Line(std::string_view line) {
    ++line_;
    line = Trim(line);
    if (line.empty() || line.front() == '#') {
      return {};
    }
    const std::vector<std::string_view> columns = Columns(line);
    if (column_count_ == 0 && !heading_ && IsLetter(line.front()) && !Number(columns[0])) {
      heading_ = true;
      return {};
    }
    if (column_count_ == 0) {
      column_count_ = columns.size();
    }
    if (columns.size() != column_count_ || columns.size() < 2 || columns.size() > kMostColumns) {
      const std::string expected =
          column_count_ < 2 || column_count_ > kMostColumns ? "2 or 3" : fmt::format("{}, as before", column_count_);
      return Fault(fmt::format("{} has {} column{}, expected {}", Quoted(line),
                               columns.size() > kMostColumns ? "more than 3" : fmt::to_string(columns.size()),
                               columns.size() == 1 ? "" : "s", expected),
                   kFormats);
    }
    if (list_.beats.size() == kMostBeats) {
      return Fault(fmt::format("more than the {} beats allowed", kMostBeats), "");
    }
    CONTINUO_ASSIGN(const double seconds, Time(columns[0]));
    CONTINUO_ASSIGN(const bool downbeat, columns.size() == 2 ? BeatNumber(columns[1]) : Flags(columns[1], columns[2]));
    list_.beats.push_back({seconds, downbeat, line_});
    return {};
  }

  Result<BeatList> Finish() {
    if (list_.beats.size() < 2) {
      return Error{
          fmt::format("{}: has {}, expected at least 2", list_.name, list_.beats.empty() ? "no beats" : "1 beat"),
          kFormats};
    }
    if (std::none_of(list_.beats.begin(), list_.beats.end(), [](const Beat& beat) { return beat.downbeat; })) {
      return Error{fmt::format("{}: none of its {} beats is a downbeat", list_.name, list_.beats.size()),
                   column_count_ == 2 ? "a downbeat has the beat number 1" : "a downbeat has the bar flag 1"};
    }
    return std::move(list_);
  }

 private:
  Error Fault(const std::string& what, std::string hint) const {
    return Error{fmt::format("{}: line {}: {}", list_.name, line_, what), std::move(hint)};
  }

  Result<double> Time(std::string_view text) const {
    const std::optional<double> time = Number(text);
    if (!time) {
      return Fault(fmt::format("the time is {}, expected a number of seconds", Quoted(text)), kFormats);
    }
    if (!std::isfinite(*time)) {
      return Fault(fmt::format("the time {} is not finite", Quoted(text)), "");
    }
    if (*time < 0) {
      return Fault(fmt::format("the time {} is negative, expected seconds from the start of the song", Quoted(text)),
                   "");
    }
    if (list_.beats.empty()) {
      return *time;
    }
    const Beat& last = list_.beats.back();
    const double interval = *time - last.seconds;
    if (interval <= 0) {
      return Fault(fmt::format("the time {} is not later than {} in line {}", Quoted(text), last.seconds, last.line),
                   "sort the beats by time");
    }
    // Times are written in decimals, so that their difference has an error of a few units in the
    // last place.
    constexpr double kSlack = 1e-9;
    if (interval < kLeastBeat - kSlack) {
      return Fault(fmt::format("the time {} is {:.4f} s after line {}, expected at least {} s", Quoted(text), interval,
                               last.line, kLeastBeat),
                   "");
    }
    if (interval > kLongestBeat + kSlack) {
      return Fault(fmt::format("the time {} is {:.3f} s after line {}, expected at most {} s", Quoted(text), interval,
                               last.line, kLongestBeat),
                   "add the beats that are missing");
    }
    return *time;
  }

  /// Whether a beat of this number is a downbeat.
  Result<bool> BeatNumber(std::string_view text) const {
    const std::optional<double> number = Number(text);
    if (!number || !(*number >= 1 && *number <= kLargestBeatNumber) || *number != std::floor(*number)) {
      return Fault(
          fmt::format("the beat number is {}, expected 1 (the downbeat) to {}", Quoted(text), kLargestBeatNumber), "");
    }
    return *number == 1;
  }

  /// The bar flag.
  Result<bool> Flags(std::string_view half_bar, std::string_view bar) const {
    for (const auto& [what, text] : {std::pair("half-bar flag", half_bar), std::pair("bar flag", bar)}) {
      const std::optional<double> flag = Number(text);
      if (flag != 0 && flag != 1) {
        return Fault(fmt::format("the {} is {}, expected 0 or 1", what, Quoted(text)), "");
      }
    }
    return Number(bar) == 1;
  }

  BeatList list_;
  size_t column_count_ = 0;  // 0: no line yet
  bool heading_ = false;
  uint32_t line_ = 0;
};

/// The most frequent distance of two downbeats.
size_t UsualBar(std::span<const Beat> beats) {
  std::array<size_t, kLongestBar + 1> count{};
  size_t last = beats.size();
  for (size_t i = 0; i < beats.size(); ++i) {
    if (beats[i].downbeat) {
      if (last < i && i - last <= kLongestBar) {
        ++count[i - last];
      }
      last = i;
    }
  }
  const auto most = std::max_element(count.begin(), count.end());
  constexpr size_t kCommon = 4;
  return *most == 0 ? kCommon : static_cast<size_t>(most - count.begin());
}

}  // namespace

Result<BeatList> ParseBeats(std::string_view text, std::string_view name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  Reader reader(name);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    CONTINUO_TRY(reader.Line(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return reader.Finish();
}

Result<BeatList> ReadBeats(const std::filesystem::path& path) {
  CONTINUO_ASSIGN(const std::string text, ReadTextFile(path, kLargestBeatsFile));
  return ParseBeats(text, path.string());
}

BeatBars CutIntoBars(std::span<const Beat> beats) {
  CONTINUO_CHECK(!beats.empty() && beats.size() <= kMostBeats);
  const size_t usual = UsualBar(beats);
  const auto run_cost = [&](size_t length) -> uint32_t {
    constexpr uint32_t kIrregularRun = 8;
    constexpr size_t kLongestOrdinaryBar = 6;
    return length == usual ? 0 : length <= kLongestOrdinaryBar ? kIrregularRun : 2 * kIrregularRun;
  };
  const auto size = static_cast<uint32_t>(beats.size());
  std::vector<uint32_t> downbeats_before(size + 1);  // beat i: those before it
  for (uint32_t i = 0; i < size; ++i) {
    downbeats_before[i + 1] = downbeats_before[i] + (beats[i].downbeat ? 1 : 0);
  }
  // Of all divisions that begin a bar of `length` at beat i: the least cost up to i, and the length
  // of the bar before, 0 for none. Costs are less than 2^20: 3 for each beat.
  struct State {
    uint32_t cost : 28 = 0;
    uint32_t before : 4 = 0;
  };
  static_assert(kLongestBar < 16);
  constexpr uint32_t kNever = (uint32_t{1} << 28) - 1;
  std::vector<std::array<State, kLongestBar + 1>> states(size);
  for (uint32_t i = 0; i < size; ++i) {
    // What it costs to end a bar of each length at i.
    std::array<uint32_t, kLongestBar + 1> ended;
    ended.fill(kNever);
    for (uint32_t length = 1; length <= std::min<uint32_t>(kLongestBar, i); ++length) {
      if (const State& state = states[i - length][length]; state.cost != kNever) {
        ended[length] = state.cost + downbeats_before[i] - downbeats_before[i - length + 1];
      }
    }
    const uint32_t line = beats[i].downbeat ? 0 : 1;
    for (uint32_t length = 1; length <= kLongestBar; ++length) {
      uint32_t least = i < length ? downbeats_before[i] + run_cost(length) : kNever;
      uint32_t before = 0;
      for (uint32_t other = 1; other <= kLongestBar; ++other) {
        if (ended[other] == kNever) {
          continue;
        }
        if (const uint32_t cost = ended[other] + (other == length ? 0 : run_cost(length)); cost < least) {
          least = cost;
          before = other;
        }
      }
      states[i][length].cost = least == kNever ? kNever : least + line;
      states[i][length].before = before & 0xF;
    }
  }
  uint32_t best = kNever;
  uint32_t at = 0;
  uint32_t last = 0;
  for (uint32_t i = size - std::min<uint32_t>(size, kLongestBar); i < size; ++i) {
    for (uint32_t length = size - i; length <= kLongestBar; ++length) {
      const State& state = states[i][length];
      if (state.cost == kNever) {
        continue;
      }
      if (const uint32_t cost = state.cost + downbeats_before[size] - downbeats_before[i + 1]; cost < best) {
        best = cost;
        at = i;
        last = length;
      }
    }
  }
  CONTINUO_CHECK(best != kNever);  // bars of one beat are always possible
  BeatBars bars;
  for (;;) {
    bars.beats.push_back(static_cast<uint8_t>(last));
    last = states[at][last].before;
    if (last == 0) {
      break;
    }
    at -= last;
  }
  bars.pickup = at;
  std::reverse(bars.beats.begin(), bars.beats.end());
  return bars;
}

}  // namespace continuo
