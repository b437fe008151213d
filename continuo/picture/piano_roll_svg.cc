#include "continuo/picture/piano_roll_svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>

#include "continuo/score/bars.h"
#include "continuo/score/tempo_map.h"

namespace continuo {
namespace {

constexpr size_t kColours = 8;
constexpr size_t kMostNames = 8;
constexpr size_t kMostNameBytes = 40;
constexpr size_t kMostSections = 2000;
constexpr double kLineDistance = 4;     // between bar lines, at least, in pixels
constexpr double kNumberDistance = 26;  // between bar numbers
constexpr int kLeastPitches = 12;

// Two colours for each track, for light and for dark pages, of similar contrast to the ground.
constexpr std::string_view kStyle =
    ".continuo-roll{font:11px system-ui,sans-serif}"
    ".continuo-roll .ground{fill:#fff}.continuo-roll text{fill:#444}"
    ".continuo-roll .bar{stroke:#bbb}.continuo-roll .octave{stroke:#e6e6e6}"
    ".continuo-roll .form{font-weight:bold;font-size:13px}"
    ".continuo-roll .cursor{stroke:#e00}.continuo-roll .pedal{fill:#999}"
    ".continuo-roll .t0{fill:#2b62ad}.continuo-roll .t1{fill:#c0402d}.continuo-roll .t2{fill:#3f8a2f}"
    ".continuo-roll .t3{fill:#7a51a8}.continuo-roll .t4{fill:#b8730c}.continuo-roll .t5{fill:#168497}"
    ".continuo-roll .t6{fill:#8f4a22}.continuo-roll .t7{fill:#5c5c5c}"
    "@media (prefers-color-scheme:dark){"
    ".continuo-roll .ground{fill:#16181d}.continuo-roll text{fill:#c8c8c8}"
    ".continuo-roll .bar{stroke:#4a4d55}.continuo-roll .octave{stroke:#282b32}"
    ".continuo-roll .cursor{stroke:#f66}.continuo-roll .pedal{fill:#777}"
    ".continuo-roll .t0{fill:#7fb2f5}.continuo-roll .t1{fill:#f28b7d}.continuo-roll .t2{fill:#8fd07f}"
    ".continuo-roll .t3{fill:#c5a3ee}.continuo-roll .t4{fill:#eebb5e}.continuo-roll .t5{fill:#6fd0e0}"
    ".continuo-roll .t6{fill:#d9a07c}.continuo-roll .t7{fill:#b5b5b5}}";

/// How many bytes the UTF-8 character at the front of `text` has; 0 if there is none that XML
/// takes.
size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](size_t i) { return (byte(i) & 0xC0U) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) {
    return first >= 0x20 && first != 0x7F ? 1 : 0;
  }
  if (first >= 0xC2 && first < 0xE0) {
    return follows(1) && !(first == 0xC2 && byte(1) < 0xA0) ? 2 : 0;
  }
  if (first >= 0xE0 && first < 0xF0) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) >= 0xA0;
    const bool none = first == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE;  // U+FFFE, U+FFFF
    return follows(1) && follows(2) && !overlong && !surrogate && !none ? 3 : 0;
  }
  if (first >= 0xF0 && first < 0xF5) {
    const bool range = (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) >= 0x90);
    return follows(1) && follows(2) && follows(3) && !range ? 4 : 0;
  }
  return 0;
}

/// Text for XML, shortened to `most` bytes before escapes. What is not a character becomes U+FFFD.
std::string Escape(std::string_view text, size_t most) {
  std::string escaped;
  const bool whole = text.size() <= most;
  for (size_t i = 0; i < text.size();) {
    const size_t bytes = CharacterBytes(text.substr(i));
    if (i + std::max<size_t>(bytes, 1) > most) {
      break;
    }
    const std::string_view character = text.substr(i, bytes);
    escaped += bytes == 0          ? std::string_view("\xEF\xBF\xBD")
               : character == "<"  ? "&lt;"
               : character == ">"  ? "&gt;"
               : character == "&"  ? "&amp;"
               : character == "\"" ? "&quot;"
                                   : character;
    i += std::max<size_t>(bytes, 1);
  }
  return whole ? escaped : escaped + "\xE2\x80\xA6";
}

/// A number with at most one decimal.
std::string Short(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) {
    text.resize(text.size() - 2);
  }
  return text == "-0" ? "0" : text;
}

struct Drawn {
  Tick begin = 0;
  Tick end = 0;
  int pitch = 0;
  int velocity = 0;
  size_t track = 0;  // index among the score's tracks
};

class Roll {
 public:
  Roll(const Score& score, const PianoRollOptions& options, size_t bars)
      : score_(score),
        options_(options),
        grid_(score),
        first_bar_(options.first_bar),
        last_bar_(std::min(options.last_bar, std::max<size_t>(bars, options.first_bar + 1))),
        begin_(grid_.Line(first_bar_)),
        end_(std::max(grid_.Line(last_bar_), begin_ + 1)) {
    if (options.in_seconds) {
      seconds_.emplace(score);
    }
    FindNotes();
  }

  std::string Draw(PianoRollPlot* plot) {
    left_ = 30;
    plot_width_ = options_.width - left_ - 8;
    top_ = options_.sections.empty() ? 18 : 36;
    const std::vector<size_t> named = NamedTracks();
    const double below = 6 + (options_.pedals ? 9 : 0) + (named.empty() ? 0 : 18);
    plot_height_ = options_.height - top_ - below;
    low_ = std::min(low_, high_);
    const int spare = std::max(0, kLeastPitches - (high_ - low_ + 1));
    high_ = std::min(127, high_ + spare / 2);
    low_ = std::max(0, high_ - std::max(high_ - low_, kLeastPitches - 1));
    row_ = plot_height_ / (high_ - low_ + 1);

    Add("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"continuo-roll\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\" style=\"max-width:100%;height:auto\" role=\"img\" aria-label=\"{2}\"><style>{3}</style>"
        "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>",
        options_.width, options_.height, Escape(options_.label.empty() ? "piano roll" : options_.label, 200), kStyle);
    DrawOctaves();
    DrawBars();
    DrawSections();
    DrawNotes();
    if (options_.pedals) {
      DrawPedals(top_ + plot_height_ + 4);
    }
    DrawNames(named);
    if (options_.cursor) {
      Add("<line class=\"cursor\" y1=\"{}\" y2=\"{}\" visibility=\"hidden\"/>", Short(top_),
          Short(top_ + plot_height_));
    }
    text_ += "</svg>";
    if (plot != nullptr) {
      *plot = {left_, plot_width_};
    }
    return std::move(text_);
  }

 private:
  template <typename... Values>
  void Add(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Values>(values)...);
  }

  double At(Tick time) const {
    double share = 0;
    if (seconds_) {
      const double from = seconds_->Seconds(begin_);
      const double to = seconds_->Seconds(end_);
      share = to > from ? (seconds_->Seconds(time) - from) / (to - from) : 0;
    } else {
      share = (static_cast<double>(time) - begin_) / (static_cast<double>(end_) - begin_);
    }
    return left_ + plot_width_ * std::clamp(share, 0.0, 1.0);
  }

  static Tick End(Tick time, Tick duration) {
    return static_cast<Tick>(std::clamp<int64_t>(int64_t{time} + duration, time, INT32_MAX));
  }

  void FindNotes() {
    for (size_t i = 0; i < score_.tracks.size(); ++i) {
      for (const Note& note : score_.tracks[i].notes) {
        const Tick note_end = End(note.time, note.duration);
        if (note.time >= end_ || note_end < begin_ || (note_end == begin_ && note.time < begin_)) {
          continue;
        }
        const int pitch = std::min<int>(note.pitch, 127);
        notes_.push_back({std::max(note.time, begin_), std::min(note_end, end_), pitch, note.velocity, i});
        low_ = std::min(low_, pitch);
        high_ = std::max(high_, pitch);
      }
    }
    if (notes_.empty()) {
      low_ = 54;
      high_ = 66;
    }
  }

  /// The tracks that have notes here, if there are several.
  std::vector<size_t> NamedTracks() const {
    std::vector<size_t> tracks;
    for (const Drawn& note : notes_) {  // in the order of tracks
      if (tracks.empty() || tracks.back() != note.track) {
        tracks.push_back(note.track);
      }
    }
    return options_.names && tracks.size() > 1 ? tracks : std::vector<size_t>();
  }

  void DrawOctaves() {
    for (int pitch = low_; pitch <= high_; ++pitch) {
      if (pitch % 12 == 0) {
        const double y = top_ + (high_ - pitch + 1) * row_;
        Add("<path class=\"octave\" d=\"M{} {}h{}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">C{}</text>",
            Short(left_), Short(y), Short(plot_width_), Short(left_ - 4), Short(y - std::max(0.0, row_ / 2 - 4)),
            pitch / 12 - 1);
      }
    }
  }

  void DrawBars() {
    const size_t bars = last_bar_ - first_bar_;
    size_t step = 1;  // between lines, in bars; a power of two
    while (bars / step > static_cast<size_t>(plot_width_ / kLineDistance)) {
      step *= 2;
    }
    double last_number = -kNumberDistance;
    size_t number_step = step;
    while (static_cast<double>(bars / number_step) * kNumberDistance > plot_width_ && number_step < bars) {
      number_step *= 2;
    }
    text_ += "<g class=\"bars\">";
    for (size_t bar = first_bar_; bar < last_bar_; bar += step) {
      const double x = At(grid_.Line(bar));
      Add("<path class=\"bar\" d=\"M{} {}v{}\"/>", Short(x), Short(top_ - 3), Short(plot_height_ + 3));
      if ((bar - first_bar_) % number_step == 0 && x - last_number >= kNumberDistance - 1) {
        Add("<text x=\"{}\" y=\"{}\">{}</text>", Short(x + 2), Short(top_ - 5), bar + 1);
        last_number = x;
      }
    }
    Add("<path class=\"bar\" d=\"M{} {}v{}\"/></g>", Short(At(end_)), Short(top_ - 3), Short(plot_height_ + 3));
  }

  void DrawSections() {
    std::map<std::string_view, size_t> colours;  // by name
    size_t drawn = 0;
    for (const Section& section : options_.sections) {
      const size_t colour = colours.try_emplace(section.name, colours.size()).first->second % kColours;
      const size_t first = std::max(section.first, first_bar_);
      const size_t last = std::min(section.last, last_bar_);
      if (first >= last || drawn++ >= kMostSections) {
        continue;
      }
      const double x = At(grid_.Line(first));
      const double width = At(grid_.Line(last)) - x;
      Add("<rect class=\"t{0}\" x=\"{1}\" y=\"2\" width=\"{2}\" height=\"16\" rx=\"2\" opacity=\"0.25\"/>", colour,
          Short(x + 0.5), Short(std::max(width - 1, 0.5)));
      if (width >= 10) {
        Add("<text class=\"form\" x=\"{}\" y=\"14.5\" text-anchor=\"middle\">{}</text>", Short(x + width / 2),
            Escape(section.name, 16));
      }
    }
  }

  void DrawNote(double x, double width, int pitch, int velocity) {
    // A louder note is darker.
    Add("<rect class=\"note\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" opacity=\"{:.2g}\"/>", Short(x),
        Short(top_ + (high_ - pitch) * row_), Short(std::max(width, 1.0)), Short(std::max(row_ - 0.5, 0.8)),
        0.35 + 0.65 * std::clamp(velocity, 0, 127) / 127);
  }

  void DrawNotes() {
    if (notes_.size() > kMostNotesDrawn) {
      MergeNotes();
    }
    std::optional<size_t> open;
    for (const Drawn& note : notes_) {
      const size_t colour = note.track % kColours;
      if (open != note.track) {
        Add("{}<g class=\"t{}\">", open ? "</g>" : "", colour);
        open = note.track;
      }
      const double x = At(note.begin);
      DrawNote(x, At(note.end) - x - 0.3, note.pitch, note.velocity);
    }
    if (open) {
      text_ += "</g>";
    }
  }

  /// Makes one of the notes of a pitch that are closer than a pixel.
  void MergeNotes() {
    std::stable_sort(notes_.begin(), notes_.end(), [](const Drawn& a, const Drawn& b) {
      return a.pitch != b.pitch ? a.pitch < b.pitch : a.begin < b.begin;
    });
    size_t kept = 0;
    double end = 0;  // of the last one kept
    for (const Drawn& note : notes_) {
      if (kept > 0 && notes_[kept - 1].pitch == note.pitch && At(note.begin) < end + 1) {
        Drawn& last = notes_[kept - 1];
        last.end = std::max(last.end, note.end);
        last.velocity = std::max(last.velocity, note.velocity);
      } else {
        notes_[kept++] = note;
      }
      end = std::max(At(notes_[kept - 1].end), At(notes_[kept - 1].begin) + 1);
    }
    notes_.resize(kept);
    std::stable_sort(notes_.begin(), notes_.end(), [](const Drawn& a, const Drawn& b) { return a.track < b.track; });
  }

  void DrawPedals(double y) {
    std::vector<std::pair<Tick, Tick>> spans;
    for (const Track& track : score_.tracks) {
      for (const Pedal& pedal : track.pedals) {
        const Tick end = End(pedal.time, pedal.duration);
        if (pedal.time < end_ && end > begin_) {
          spans.emplace_back(std::max(pedal.time, begin_), std::min(end, end_));
        }
      }
    }
    std::sort(spans.begin(), spans.end());
    double last_end = -1;
    for (const auto& [begin, end] : spans) {
      const double x = std::max(At(begin), last_end + 1);
      const double x_end = At(end);
      if (x_end - x >= 0.5) {
        Add("<rect class=\"pedal\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"3\"/>", Short(x), Short(y),
            Short(x_end - x));
        last_end = x_end;
      }
    }
  }

  void DrawNames(const std::vector<size_t>& tracks) {
    const double y = options_.height - 6;
    const double share = plot_width_ / static_cast<double>(std::clamp<size_t>(tracks.size(), 1, kMostNames));
    for (size_t i = 0; i < std::min(tracks.size(), kMostNames); ++i) {
      const double x = left_ + share * static_cast<double>(i);
      const std::string& name = score_.tracks[tracks[i]].name;
      const bool more = i + 1 == kMostNames && tracks.size() > kMostNames;
      const auto room = std::clamp<size_t>(static_cast<size_t>(std::max(share - 16, 7.0) / 7), 1, kMostNameBytes);
      const std::string shown = more ? fmt::format("and {} more", tracks.size() - i)
                                     : Escape(name.empty() ? fmt::format("track {}", tracks[i] + 1) : name, room);
      if (!more) {
        Add("<rect class=\"t{}\" x=\"{}\" y=\"{}\" width=\"9\" height=\"9\"/>", tracks[i] % kColours, Short(x),
            Short(y - 9));
      }
      Add("<text x=\"{}\" y=\"{}\">{}</text>", Short(x + (more ? 0 : 13)), Short(y), shown);
    }
  }

  const Score& score_;
  const PianoRollOptions& options_;
  const BarGrid grid_;
  const size_t first_bar_;
  const size_t last_bar_;
  const Tick begin_;
  const Tick end_;
  std::optional<TempoMap> seconds_;
  std::vector<Drawn> notes_;  // in the order of tracks
  int low_ = 127;
  int high_ = 0;

  std::string text_;
  double left_ = 0;
  double top_ = 0;
  double plot_width_ = 0;
  double plot_height_ = 0;
  double row_ = 1;
};

Status CheckSize(std::string_view name, int value, int least, int most) {
  return value >= least && value <= most ? Status()
                                         : MakeError("{} is {}, expected {} to {}", name, value, least, most);
}

}  // namespace

Result<std::string> DrawPianoRoll(const Score& score, const PianoRollOptions& options, PianoRollPlot* plot) {
  CONTINUO_TRY(CheckSize("width", options.width, options.kLeastWidth, options.kLargestWidth));
  CONTINUO_TRY(CheckSize("height", options.height, options.kLeastHeight, options.kLargestHeight));
  const size_t bars = CountBars(score);
  if (options.first_bar >= options.last_bar || options.first_bar >= std::max<size_t>(bars, 1)) {
    return MakeError("bars {} to {} are not among the {} of the piece", options.first_bar + 1, options.last_bar, bars);
  }
  return Roll(score, options, bars).Draw(plot);
}

}  // namespace continuo
