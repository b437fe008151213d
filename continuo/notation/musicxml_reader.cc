#include "continuo/notation/musicxml_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <utility>
#include <vector>

#include "continuo/notation/metre.h"
#include "continuo/notation/musicxml_kinds.h"
#include "continuo/notation/mxl.h"
#include "continuo/notation/repeats.h"
#include "continuo/notation/sheet.h"
#include "continuo/notation/sheet_grid.h"
#include "continuo/score/chord.h"

namespace continuo {
namespace {

using pugi::xml_node;

// Time in the file, in fractions of a quarter note that all its divisions can express.
using Fine = int64_t;
constexpr Fine kMaxDivisions = 1'000'000'000;
constexpr int32_t kMaxTicksPerQuarter = 32767;
// A measure is at most so many quarter notes long, a piece at most 2^31 ticks.
constexpr Fine kMaxQuarters = 4096;
constexpr size_t kMaxParts = 256;
constexpr int32_t kMaxPasses = 64;

struct ReadNote {
  Fine at = 0;  // from the start of the measure
  Fine duration = 0;
  uint8_t key = 60;
  uint8_t velocity = 80;
  bool drum = false;
  bool tie_start = false;
  bool tie_stop = false;
};

struct ReadPart {
  std::string name;
  uint8_t program = 0;
  std::map<std::string, uint8_t> drum_keys;  // by instrument id
  bool on_drum_channel = false;
  std::vector<std::vector<ReadNote>> measures;
};

struct ReadMeasure {
  Fine length = 0;       // of the longest part
  Fine rest_length = 0;  // that rests for the whole measure have
  std::optional<TimeSignature> signature;
  std::optional<KeySignature> key;
  std::vector<std::pair<Fine, int32_t>> tempos;  // microseconds per quarter note
  std::vector<std::pair<Fine, Chord>> chords;
  MeasureRepeat repeat;
};

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlanks);
  return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

template <typename T>
std::optional<T> ParseNumber(std::string_view text, T least, T most) {
  text = Trim(text);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= least) || !(value <= most)) {
    return {};
  }
  return value;
}

class Reader {
 public:
  explicit Reader(std::string_view name) : name_(name) {}

  Result<ScoreAndWarnings> Read(std::string_view text) {
    pugi::xml_document document;
    const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size(), pugi::parse_default);
    if (!parsed) {
      const auto offset = static_cast<size_t>(std::max<ptrdiff_t>(0, parsed.offset));
      return MakeError("{}: is not XML that can be read, at byte {}: {}", name_, offset, parsed.description());
    }
    const xml_node root = document.child("score-partwise");
    if (!root) {
      if (document.child("score-timewise")) {
        return Error{
            fmt::format("{}: is MusicXML in the order of time (score-timewise), expected score-partwise", name_),
            "open it in MuseScore and export it again"};
      }
      return MakeError("{}: its first element is <{}>, expected <score-partwise> of MusicXML", name_,
                       document.document_element().name());
    }
    CONTINUO_TRY(FindDivisions(root));
    CONTINUO_TRY(ReadPartList(root.child("part-list")));
    for (const xml_node part : root.children("part")) {
      CONTINUO_TRY(ReadPartMeasures(part));
    }
    CONTINUO_TRY(PlayOut());
    return ScoreAndWarnings{std::move(score_), std::move(warnings_)};
  }

 private:
  template <typename... Args>
  Error Fault(fmt::format_string<Args...> format, Args&&... args) const {
    return MakeError("{}: part {}, measure {}: {}", name_, part_id_, measure_number_,
                     fmt::format(format, std::forward<Args>(args)...));
  }
  void Warn(std::string_view what) {
    if (warnings_.size() < 100) {
      warnings_.push_back(fmt::format("{}: part {}, measure {}: {}", name_, part_id_, measure_number_, what));
    }
  }

  // The common multiple of all divisions, and the ticks of the score.
  Status FindDivisions(const xml_node& root) {
    for (const xml_node part : root.children("part")) {
      for (const xml_node measure : part.children("measure")) {
        for (const xml_node attributes : measure.children("attributes")) {
          if (const xml_node node = attributes.child("divisions")) {
            const auto divisions = ParseNumber<int64_t>(node.text().get(), 1, kMaxDivisions);
            if (!divisions) {
              return MakeError("{}: <divisions> is '{}', expected a whole number from 1 to {}", name_,
                               node.text().get(), kMaxDivisions);
            }
            const Fine multiple = fine_ / std::gcd(fine_, *divisions) * *divisions;
            if (multiple > kMaxDivisions) {
              return MakeError("{}: its <divisions> have no common multiple up to {}", name_, kMaxDivisions);
            }
            fine_ = multiple;
          }
        }
      }
    }
    constexpr int64_t kUsual = 480;
    const int64_t both = fine_ / std::gcd(fine_, kUsual) * kUsual;
    score_.ticks_per_quarter = static_cast<int32_t>(both <= kMaxTicksPerQuarter    ? both
                                                    : fine_ <= kMaxTicksPerQuarter ? fine_
                                                                                   : int64_t{10080});
    return {};
  }

  Status ReadPartList(const xml_node& list) {
    for (const xml_node node : list.children("score-part")) {
      const std::string id = node.attribute("id").as_string();
      if (part_of_id_.contains(id)) {
        return MakeError("{}: two parts have the id '{}'", name_, id);
      }
      if (parts_.size() == kMaxParts) {
        return MakeError(ErrorCode::kTooLarge, "{}: has more than {} parts", name_, kMaxParts);
      }
      ReadPart part;
      part.name = std::string(Trim(node.child("part-name").text().get()));
      bool first = true;
      for (const xml_node midi : node.children("midi-instrument")) {
        const auto program = ParseNumber<int>(midi.child("midi-program").text().get(), 1, 128);
        if (program && first) {
          part.program = static_cast<uint8_t>(*program - 1);
        }
        first = false;
        if (ParseNumber<int>(midi.child("midi-channel").text().get(), 1, 16) == 10) {
          part.on_drum_channel = true;
        }
        if (const auto key = ParseNumber<int>(midi.child("midi-unpitched").text().get(), 1, 128)) {
          part.drum_keys[midi.attribute("id").as_string()] = static_cast<uint8_t>(*key - 1);
        }
      }
      part_of_id_[id] = parts_.size();
      parts_.push_back(std::move(part));
    }
    return {};
  }

  Status ReadPartMeasures(const xml_node& node) {
    part_id_ = node.attribute("id").as_string();
    const auto found = part_of_id_.find(part_id_);
    if (found == part_of_id_.end()) {
      return MakeError("{}: the part '{}' is not in <part-list>", name_, part_id_);
    }
    part_ = &parts_[found->second];
    if (!part_->measures.empty()) {
      return MakeError("{}: the part '{}' is there twice", name_, part_id_);
    }
    divisions_ = 1;
    transpose_.clear();
    velocity_ = 80;
    ending_.clear();
    size_t index = 0;
    for (const xml_node measure : node.children("measure")) {
      measure_number_ = measure.attribute("number").as_string();
      if (index == measures_.size()) {
        measures_.emplace_back();
      }
      part_->measures.emplace_back();
      CONTINUO_TRY(ReadOneMeasure(measure, measures_[index], part_->measures.back()));
      ++index;
    }
    return {};
  }

  Status ReadOneMeasure(const xml_node& node, ReadMeasure& measure, std::vector<ReadNote>& notes) {
    Fine at = 0;
    Fine chord_at = 0;
    bool note_before = false;
    if (!ending_.empty()) {
      measure.repeat.endings = ending_;
    }
    for (const xml_node child : node.children()) {
      const std::string_view kind = child.name();
      const bool whole_rest = std::string_view(child.child("rest").attribute("measure").as_string()) == "yes";
      if (kind == "note") {
        CONTINUO_TRY(ReadNoteElement(child, at, chord_at, note_before, notes));
      } else if (kind == "backup" || kind == "forward") {
        CONTINUO_ASSIGN(const Fine duration, Duration(child));
        if (kind == "backup" && duration > at) {
          return Fault("<backup> goes to before the measure");
        }
        at += kind == "backup" ? -duration : duration;
        note_before = false;
      } else if (kind == "attributes") {
        CONTINUO_TRY(ReadAttributes(child, measure));
      } else if (kind == "direction") {
        CONTINUO_TRY(ReadDirection(child, at, measure));
      } else if (kind == "sound") {
        CONTINUO_TRY(ReadSound(child, at, measure));
      } else if (kind == "harmony") {
        CONTINUO_TRY(ReadHarmony(child, at, measure));
      } else if (kind == "barline") {
        CONTINUO_TRY(ReadBarline(child, measure));
      }
      if (at > kMaxQuarters * fine_) {
        return Fault("lasts more than {} quarter notes", kMaxQuarters);
      }
      // The duration of a rest for the whole measure is wrong in some files.
      Fine& reached = whole_rest ? measure.rest_length : measure.length;
      reached = std::max(reached, at);
    }
    if (close_ending_) {
      ending_.clear();
      close_ending_ = false;
    }
    return {};
  }

  // A number of divisions.
  Result<Fine> Divisions(std::string_view text, const char* element, int64_t least) const {
    const auto value = ParseNumber<double>(text, static_cast<double>(least), 1e9);
    if (!value || *value != std::floor(*value)) {
      return Fault("<{}> is '{}', expected a whole number from {}", element, text, least);
    }
    const Fine unit = fine_ / divisions_;
    const auto whole = static_cast<int64_t>(*value);
    if (std::abs(whole) > kMaxQuarters * divisions_) {
      return Fault("<{}> is '{}', which is more than {} quarter notes", element, text, kMaxQuarters);
    }
    return whole * unit;
  }
  Result<Fine> Duration(const xml_node& node) const {
    return Divisions(node.child("duration").text().get(), "duration", 0);
  }
  // The time of a direction or a chord symbol.
  Result<Fine> Place(const xml_node& node, Fine at) const {
    const xml_node offset = node.child("offset");
    if (!offset) {
      return at;
    }
    CONTINUO_ASSIGN(const Fine by, Divisions(offset.text().get(), "offset", -1'000'000'000));
    return std::max<Fine>(0, at + by);
  }

  Status ReadNoteElement(const xml_node& node, Fine& at, Fine& chord_at, bool& note_before,
                         std::vector<ReadNote>& notes) {
    if (node.child("grace")) {
      Warn("grace notes are left out");
      return {};
    }
    CONTINUO_ASSIGN(const Fine duration, Duration(node));
    const bool chord = static_cast<bool>(node.child("chord"));
    if (chord && !note_before) {
      return Fault("<chord> without a note before it");
    }
    if (!chord) {
      chord_at = at;
      at += duration;
      note_before = true;
    }
    if (node.child("rest")) {
      return {};
    }
    if (node.child("cue")) {
      Warn("cue notes are left out");
      return {};
    }
    if (duration == 0) {
      return {};
    }
    ReadNote note;
    note.at = chord_at;
    note.duration = duration;
    CONTINUO_TRY(ReadPitch(node, note));
    note.velocity = velocity_;
    if (const pugi::xml_attribute dynamics = node.attribute("dynamics")) {
      const auto percent = ParseNumber<double>(dynamics.as_string(), 0, 1e6);
      if (!percent) {
        return Fault("a note's dynamics are '{}', expected a percentage", dynamics.as_string());
      }
      note.velocity = VelocityOf(*percent);
    }
    const auto read_tie = [&](const xml_node& tie) {
      const std::string_view type = tie.attribute("type").as_string();
      note.tie_start = note.tie_start || type == "start";
      note.tie_stop = note.tie_stop || type == "stop";
    };
    for (const xml_node tie : node.children("tie")) {
      read_tie(tie);
    }
    for (const xml_node tied : node.child("notations").children("tied")) {
      read_tie(tied);  // some programs write only what is to be seen
    }
    if (++notes_read_ > kMaxMusicXmlNotes) {
      return MakeError(ErrorCode::kTooLarge, "{}: has more than {} notes", name_, kMaxMusicXmlNotes);
    }
    notes.push_back(note);
    return {};
  }

  static uint8_t VelocityOf(double percent) {
    return static_cast<uint8_t>(std::clamp(std::round(percent * 0.9), 1.0, 127.0));
  }

  Status ReadPitch(const xml_node& node, ReadNote& note) {
    const xml_node pitch = node.child("pitch");
    const xml_node unpitched = node.child("unpitched");
    if (!pitch && !unpitched) {
      return Fault("a note has no <pitch>, <unpitched> or <rest>");
    }
    const std::string prefix = pitch ? "" : "display-";
    const xml_node where = pitch ? pitch : unpitched;
    if (!pitch || part_->on_drum_channel) {
      note.drum = true;
      const auto found = part_->drum_keys.find(node.child("instrument").attribute("id").as_string());
      if (found != part_->drum_keys.end()) {
        note.key = found->second;
        return {};
      }
      if (part_->drum_keys.size() == 1) {
        note.key = part_->drum_keys.begin()->second;
        return {};
      }
      if (!where.child((prefix + "step").c_str())) {
        note.key = 38;  // a snare drum, for a line without more said
        return {};
      }
    }
    const std::string_view step = Trim(where.child((prefix + "step").c_str()).text().get());
    // MusicXML has octaves from 0; programs write keys below 12 with others (B sharp -2 is key 0).
    const auto octave = ParseNumber<int>(where.child((prefix + "octave").c_str()).text().get(), -2, 9);
    if (step.size() != 1 || step[0] < 'A' || step[0] > 'G' || !octave) {
      return Fault("a pitch has the step '{}' and the octave '{}', expected A to G and -2 to 9", step,
                   where.child((prefix + "octave").c_str()).text().get());
    }
    double alter = 0;
    if (const xml_node alteration = where.child("alter")) {
      const auto value = ParseNumber<double>(alteration.text().get(), -4, 4);
      if (!value) {
        return Fault("<alter> is '{}', expected semitones from -4 to 4", alteration.text().get());
      }
      alter = *value;
    }
    const SpelledPitch written{step[0], 0, static_cast<int8_t>(*octave)};
    int key = written.key() + static_cast<int>(std::lround(alter));
    if (!note.drum) {
      const int staff = ParseNumber<int>(node.child("staff").text().get(), 1, 100).value_or(1);
      auto found = transpose_.find(staff);
      if (found == transpose_.end()) {
        found = transpose_.find(0);  // all staves
      }
      key += found == transpose_.end() ? 0 : found->second;
    }
    if (key < 0 || key > 127) {
      return Fault("a note is the MIDI key {}, expected 0 to 127", key);
    }
    note.key = static_cast<uint8_t>(key);
    return {};
  }

  Status ReadAttributes(const xml_node& node, ReadMeasure& measure) {
    if (const xml_node divisions = node.child("divisions")) {
      divisions_ = ParseNumber<int64_t>(divisions.text().get(), 1, kMaxDivisions).value_or(1);  // checked already
    }
    if (const xml_node time = node.child("time"); time && time.child("beats")) {
      CONTINUO_TRY(ReadTime(time, measure));
    }
    for (const xml_node transpose : node.children("transpose")) {
      const auto chromatic = ParseNumber<double>(transpose.child("chromatic").text().get(), -127, 127);
      const int octaves = ParseNumber<int>(transpose.child("octave-change").text().get(), -10, 10).value_or(0);
      if (!chromatic) {
        return Fault("<chromatic> of <transpose> is '{}', expected semitones",
                     transpose.child("chromatic").text().get());
      }
      const int staff = ParseNumber<int>(transpose.attribute("number").as_string(), 1, 100).value_or(0);
      transpose_[staff] = static_cast<int>(std::lround(*chromatic)) + 12 * octaves;
    }
    if (const xml_node key = node.child("key")) {
      if (const xml_node fifths = key.child("fifths")) {
        const auto value = ParseNumber<int>(fifths.text().get(), -7, 7);
        if (!value) {
          return Fault("<fifths> is '{}', expected -7 to 7", fifths.text().get());
        }
        const bool minor = Trim(key.child("mode").text().get()) == "minor";
        const bool sounds_as_written =
            std::all_of(transpose_.begin(), transpose_.end(), [](const auto& staff) { return staff.second % 12 == 0; });
        if (!measure.key && sounds_as_written) {
          measure.key = KeySignature{0, static_cast<int8_t>(*value), static_cast<int8_t>(minor ? 1 : 0)};
        }
      }
    }
    for (const xml_node style : node.children("measure-style")) {
      for (const char* sign : {"measure-repeat", "beat-repeat"}) {
        if (std::string_view(style.child(sign).attribute("type").as_string()) == "start") {
          return Unplayable(fmt::format("a sign for repeated music (<{}>)", sign), "write the music out");
        }
      }
    }
    return {};
  }

  Status ReadTime(const xml_node& time, ReadMeasure& measure) {
    // 3+2 over 8 are five; pairs as in 3/8 + 2/4 are added.
    int64_t numerator = 0;
    int64_t denominator = 0;
    for (xml_node beats = time.child("beats"); beats; beats = beats.next_sibling("beats")) {
      const xml_node type = beats.next_sibling("beat-type");
      const auto below = ParseNumber<int>(type.text().get(), 1, kMaxDenominator);
      int64_t above = 0;
      std::string_view sum = beats.text().get();
      bool good = below && (*below & (*below - 1)) == 0;
      while (good) {
        const size_t plus = sum.find('+');
        const auto part = ParseNumber<int>(sum.substr(0, plus), 1, 255);
        good = part.has_value();
        above += part.value_or(0);
        if (plus == std::string_view::npos || above > 255) {
          break;
        }
        sum.remove_prefix(plus + 1);
      }
      if (good) {
        const int64_t common = std::max<int64_t>(denominator, *below);
        numerator = (denominator == 0 ? 0 : numerator * (common / denominator)) + above * (common / *below);
        denominator = common;
      }
      if (!good || numerator > 255) {
        return Fault(
            "the time signature {}/{} cannot be read, expected beats from 1 to 255 and a power of two up to {}",
            beats.text().get(), type.text().get(), kMaxDenominator);
      }
    }
    if (!measure.signature) {
      measure.signature = TimeSignature{0, static_cast<int32_t>(numerator), static_cast<int32_t>(denominator)};
    }
    return {};
  }

  Status Unplayable(std::string_view what, std::string_view hint) const {
    return Error{
        fmt::format("{}: part {}, measure {}: has {}, which is not followed", name_, part_id_, measure_number_, what),
        std::string(hint)};
  }

  Status ReadDirection(const xml_node& node, Fine at, ReadMeasure& measure) {
    CONTINUO_ASSIGN(const Fine place, Place(node, at));
    const xml_node sound = node.child("sound");
    const bool has_tempo = static_cast<bool>(sound.attribute("tempo"));
    for (const xml_node type : node.children("direction-type")) {
      if (const xml_node metronome = type.child("metronome"); metronome && !has_tempo) {
        ReadMetronome(metronome, place, measure);
      }
      for (const xml_node mark : type.child("dynamics").children()) {
        constexpr std::array<uint8_t, kDynamics.size()> kVelocities = {16, 33, 49, 64, 80, 96, 112, 126};
        const auto found = std::find(kDynamics.begin(), kDynamics.end(), std::string_view(mark.name()));
        if (found != kDynamics.end()) {
          velocity_ = kVelocities[static_cast<size_t>(found - kDynamics.begin())];
        }
      }
    }
    return sound ? ReadSound(sound, place, measure) : Status{};
  }

  void ReadMetronome(const xml_node& node, Fine at, ReadMeasure& measure) {
    constexpr std::array<std::string_view, 9> kUnits = {"breve", "whole", "half", "quarter", "eighth",
                                                        "16th",  "32nd",  "64th", "128th"};
    const auto unit = std::find(kUnits.begin(), kUnits.end(), Trim(node.child("beat-unit").text().get()));
    const auto number = ParseNumber<double>(node.child("per-minute").text().get(), 0.01, 1e5);
    if (unit == kUnits.end() || !number) {
      return;  // "ca. 120", or a relation of two values
    }
    double quarters = std::ldexp(8.0, -static_cast<int>(unit - kUnits.begin()));
    quarters *= node.child("beat-unit-dot") ? 1.5 : 1.0;
    AddTempo(at, *number * quarters, measure);
  }

  static void AddTempo(Fine at, double qpm, ReadMeasure& measure) {
    const double us = std::clamp(std::round(60e6 / std::max(qpm, 1e-3)), 1.0, 16777215.0);
    measure.tempos.emplace_back(at, static_cast<int32_t>(us));
  }

  Status ReadSound(const xml_node& node, Fine at, ReadMeasure& measure) {
    for (const char* jump : {"dacapo", "dalsegno", "tocoda", "fine"}) {
      if (const pugi::xml_attribute attribute = node.attribute(jump);
          attribute && std::string_view(attribute.value()) != "no") {
        return Unplayable(fmt::format("a jump ({})", jump),
                          "write the repeats out, in MuseScore with Tools, Unroll Repeats");
      }
    }
    CONTINUO_ASSIGN(const Fine place, Place(node, at));
    if (const pugi::xml_attribute tempo = node.attribute("tempo")) {
      const auto qpm = ParseNumber<double>(tempo.as_string(), 0, 1e6);
      if (!qpm) {
        return Fault("a tempo is '{}', expected quarter notes per minute", tempo.as_string());
      }
      if (*qpm > 0) {
        AddTempo(place, *qpm, measure);
      }
    }
    if (const auto dynamics = ParseNumber<double>(node.attribute("dynamics").as_string(), 0, 1e6)) {
      velocity_ = VelocityOf(*dynamics);
    }
    return {};
  }

  Status ReadHarmony(const xml_node& node, Fine at, ReadMeasure& measure) {
    CONTINUO_ASSIGN(const Fine place, Place(node, at));
    const std::string_view kind = Trim(node.child("kind").text().get());
    Chord label{0, static_cast<uint8_t>(kChordQualities.size())};
    if (kind != "none") {
      const auto found = std::find(kMusicXmlKinds.begin(), kMusicXmlKinds.end(), kind);
      const xml_node root = node.child("root");
      const std::string_view step = Trim(root.child("root-step").text().get());
      const double alter = ParseNumber<double>(root.child("root-alter").text().get(), -4, 4).value_or(0);
      if (found == kMusicXmlKinds.end() || step.size() != 1 || step[0] < 'A' || step[0] > 'G') {
        return {};  // a chord that has no name here
      }
      const int key = SpelledPitch{step[0], 0, 4}.key() + static_cast<int>(std::lround(alter));
      label = {static_cast<uint8_t>(key % 12), static_cast<uint8_t>(found - kMusicXmlKinds.begin())};
    }
    measure.chords.emplace_back(place, label);
    return {};
  }

  Status ReadBarline(const xml_node& node, ReadMeasure& measure) {
    if (const xml_node ending = node.child("ending")) {
      const std::string_view type = ending.attribute("type").as_string();
      if (type == "start") {
        ending_.clear();
        std::string_view numbers = ending.attribute("number").as_string();
        while (true) {
          const size_t comma = numbers.find_first_of(", ");
          const std::string_view one = Trim(numbers.substr(0, comma));
          const auto number = ParseNumber<int32_t>(one, 1, kMaxPasses);
          if (!number && !one.empty()) {
            return Fault("an ending is numbered '{}', expected numbers from 1 to {}",
                         ending.attribute("number").as_string(), kMaxPasses);
          }
          if (number && ending_.size() < static_cast<size_t>(kMaxPasses)) {
            ending_.push_back(*number);
          }
          if (comma == std::string_view::npos) {
            break;
          }
          numbers.remove_prefix(comma + 1);
        }
        measure.repeat.endings = ending_;
      } else {
        close_ending_ = true;
      }
    }
    if (const xml_node repeat = node.child("repeat")) {
      if (std::string_view(repeat.attribute("direction").as_string()) == "forward") {
        measure.repeat.forward = true;
      } else {
        int32_t times = 2;
        if (const pugi::xml_attribute attribute = repeat.attribute("times")) {
          const auto value = ParseNumber<int32_t>(attribute.as_string(), 1, kMaxPasses);
          if (!value) {
            return Fault("a section is repeated '{}' times, expected 1 to {}", attribute.as_string(), kMaxPasses);
          }
          times = *value;
        }
        measure.repeat.backward = times;
      }
    }
    return {};
  }

  // A signature of which one bar lasts so long, if there is one.
  std::optional<TimeSignature> SignatureFor(Fine length, const TimeSignature& usual) const {
    for (int32_t denominator = usual.denominator; denominator <= kMaxDenominator; denominator *= 2) {
      if (length * denominator % (4 * fine_) == 0) {
        const Fine numerator = length * denominator / (4 * fine_);
        if (numerator >= 1 && numerator <= 255) {
          return TimeSignature{0, static_cast<int32_t>(numerator), denominator};
        }
      }
    }
    return {};
  }

  Result<Tick> TickAt(Fine at) const {
    // Split, as at * ticks would not fit 64 bits.
    const int64_t whole = at / fine_ * score_.ticks_per_quarter;
    const int64_t rest = (2 * (at % fine_) * score_.ticks_per_quarter + fine_) / (2 * fine_);
    if (whole + rest > std::numeric_limits<Tick>::max()) {
      return MakeError(ErrorCode::kTooLarge, "{}: lasts more than {} ticks", name_, std::numeric_limits<Tick>::max());
    }
    return static_cast<Tick>(whole + rest);
  }

  Status PlayOut() {
    std::vector<MeasureRepeat> repeats;
    for (ReadPart& part : parts_) {
      for (std::vector<ReadNote>& measure : part.measures) {
        // What goes on from the measure before is first, then voice by voice.
        std::stable_sort(measure.begin(), measure.end(),
                         [](const ReadNote& a, const ReadNote& b) { return a.at < b.at; });
      }
    }
    for (ReadMeasure& measure : measures_) {
      repeats.push_back(std::move(measure.repeat));
    }
    CONTINUO_ASSIGN(const std::vector<size_t> order, PlayingOrder(repeats, kMaxSheetBars, name_));

    // What is in force at the start of each measure, by the order in the file.
    struct InForce {
      TimeSignature signature;
      KeySignature key;
      int32_t tempo = 500000;
    };
    std::vector<InForce> in_force;
    InForce now;
    for (ReadMeasure& measure : measures_) {
      now.signature = measure.signature.value_or(now.signature);
      now.key = measure.key.value_or(now.key);
      in_force.push_back(now);
      std::stable_sort(measure.tempos.begin(), measure.tempos.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      if (!measure.tempos.empty()) {
        now.tempo = measure.tempos.back().second;
      }
    }

    struct Sounding {
      Fine end;
      size_t index;
    };
    std::vector<std::array<std::multimap<uint8_t, Sounding>, 2>> tied(parts_.size());
    std::vector<std::array<std::vector<std::pair<Fine, Fine>>, 2>> times(parts_.size());
    std::vector<std::array<std::vector<Note>, 2>> notes(parts_.size());
    size_t played = 0;
    Fine start = 0;
    const bool any_key =
        std::any_of(measures_.begin(), measures_.end(), [](const auto& m) { return m.key.has_value(); });
    for (const size_t index : order) {
      const ReadMeasure& measure = measures_[index];
      const InForce& force = in_force[index];
      CONTINUO_ASSIGN(const Tick tick, TickAt(start));

      const Fine nominal = 4 * fine_ * force.signature.numerator / force.signature.denominator;
      const bool short_rest = measure.rest_length > 0 && measure.rest_length < nominal;
      const Fine length = measure.length > 0 ? measure.length : short_rest ? measure.rest_length : nominal;
      TimeSignature signature = force.signature;
      if (length != nominal) {
        const auto own = SignatureFor(length, force.signature);
        if (own) {
          signature = *own;
        }
      }
      const bool has = !score_.time_signatures.empty();
      if (!has || score_.time_signatures.back().numerator != signature.numerator ||
          score_.time_signatures.back().denominator != signature.denominator) {
        signature.time = tick;
        score_.time_signatures.push_back(signature);
      }
      if (any_key && (score_.key_signatures.empty() || score_.key_signatures.back().key != force.key.key ||
                      score_.key_signatures.back().tonality != force.key.tonality)) {
        score_.key_signatures.push_back({tick, force.key.key, force.key.tonality});
      }
      CONTINUO_TRY(AddTempoAt(start, force.tempo));
      for (const auto& [at, us] : measure.tempos) {
        CONTINUO_TRY(AddTempoAt(start + std::min(at, length), us));
      }
      for (const auto& [at, label] : measure.chords) {
        CONTINUO_ASSIGN(const Tick chord_tick, TickAt(start + std::min(at, length)));
        score_.markers.push_back({chord_tick, label.none() ? "N_N_N" : label.Text()});
      }
      for (size_t p = 0; p < parts_.size(); ++p) {
        if (index >= parts_[p].measures.size()) {
          continue;
        }
        for (const ReadNote& note : parts_[p].measures[index]) {
          const size_t drum = note.drum ? 1 : 0;
          const Fine from = start + note.at;
          const Fine to = from + note.duration;
          auto& open = tied[p][drum];
          const auto [first, last] = open.equal_range(note.key);
          const auto before = std::find_if(first, last, [&](const auto& tie) { return tie.second.end == from; });
          if (note.tie_stop && before != last) {
            times[p][drum][before->second.index].second = to;
            if (note.tie_start) {
              before->second.end = to;
            } else {
              open.erase(before);
            }
            continue;
          }
          if (++played > kMaxMusicXmlNotes) {
            return MakeError(ErrorCode::kTooLarge, "{}: has more than {} notes with its repeats", name_,
                             kMaxMusicXmlNotes);
          }
          if (note.tie_start) {
            // What has ended is tied to nothing later; voices in unison are few.
            constexpr ptrdiff_t kMaxUnisons = 16;
            const bool many = std::distance(first, last) > kMaxUnisons;
            for (auto tie = first; tie != last;) {
              tie = many || tie->second.end <= from ? open.erase(tie) : std::next(tie);
            }
            open.insert({note.key, {to, times[p][drum].size()}});
          }
          times[p][drum].emplace_back(from, to);
          notes[p][drum].push_back({0, 0, note.key, note.velocity});
        }
      }
      start += length;
    }

    for (size_t p = 0; p < parts_.size(); ++p) {
      for (const size_t drum : {size_t{0}, size_t{1}}) {
        if (notes[p][drum].empty()) {
          continue;
        }
        Track track;
        track.name = parts_[p].name;
        track.program = parts_[p].program;
        track.is_drum = drum == 1;
        track.notes = std::move(notes[p][drum]);
        for (size_t i = 0; i < track.notes.size(); ++i) {
          CONTINUO_ASSIGN(track.notes[i].time, TickAt(times[p][drum][i].first));
          CONTINUO_ASSIGN(const Tick end, TickAt(times[p][drum][i].second));
          track.notes[i].duration = std::max(1, end - track.notes[i].time);
        }
        EndWhereStruckAgain(track.notes);
        score_.tracks.push_back(std::move(track));
      }
    }
    std::stable_sort(score_.markers.begin(), score_.markers.end(),
                     [](const TextEvent& a, const TextEvent& b) { return a.time < b.time; });
    return {};
  }

  Status AddTempoAt(Fine at, int32_t us) {
    CONTINUO_ASSIGN(const Tick tick, TickAt(at));
    std::vector<Tempo>& tempos = score_.tempos;
    if (!tempos.empty() && tempos.back().time == tick) {
      tempos.back().us_per_quarter = us;
    } else if (tempos.empty() || tempos.back().us_per_quarter != us) {
      tempos.push_back({tick, us});
    }
    return {};
  }

  // Notes of one pitch that begin together become one, and one ends where the next begins.
  static void EndWhereStruckAgain(std::vector<Note>& notes) {
    std::stable_sort(notes.begin(), notes.end(), [](const Note& a, const Note& b) {
      return std::pair(a.pitch, a.time) < std::pair(b.pitch, b.time);
    });
    std::vector<Note> kept;
    for (const Note& note : notes) {
      if (!kept.empty() && kept.back().pitch == note.pitch) {
        Note& before = kept.back();
        if (before.time == note.time) {
          before.duration = std::max(before.duration, note.duration);
          before.velocity = std::max(before.velocity, note.velocity);
          continue;
        }
        before.duration = std::min(before.duration, note.time - before.time);
      }
      kept.push_back(note);
    }
    std::stable_sort(kept.begin(), kept.end(), [](const Note& a, const Note& b) {
      return std::pair(a.time, a.pitch) < std::pair(b.time, b.pitch);
    });
    notes = std::move(kept);
  }

  const std::string_view name_;
  std::vector<ReadPart> parts_;
  std::map<std::string, size_t> part_of_id_;
  std::vector<ReadMeasure> measures_;
  Score score_;
  std::vector<std::string> warnings_;
  Fine fine_ = 1;
  size_t notes_read_ = 0;

  // Of the part and measure being read.
  ReadPart* part_ = nullptr;
  std::string part_id_;
  std::string measure_number_;
  int64_t divisions_ = 1;
  std::map<int, int> transpose_;  // semitones by staff; 0: all
  uint8_t velocity_ = 80;
  std::vector<int32_t> ending_;
  bool close_ending_ = false;
};

}  // namespace

bool IsMusicXmlName(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return extension == ".musicxml" || extension == ".xml" || extension == ".mxl";
}

Result<ScoreAndWarnings> ParseMusicXml(std::span<const uint8_t> bytes, std::string_view name) {
  if (bytes.size() > kMaxMusicXmlBytes) {
    return MakeError(ErrorCode::kTooLarge, "{}: has {} bytes, expected at most {}", name, bytes.size(),
                     kMaxMusicXmlBytes);
  }
  if (IsMxl(bytes)) {
    CONTINUO_ASSIGN(const std::string text, UnpackMxl(bytes, kMaxMusicXmlBytes, name));
    return Reader(name).Read(text);
  }
  return Reader(name).Read({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace continuo
