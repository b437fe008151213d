#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <tuple>
#include <type_traits>

#include "continuo/bindings/python/binding.h"
#include "continuo/os/file.h"
#include "continuo/picture/piano_roll_svg.h"
#include "continuo/score/bars.h"
#include "continuo/score/score_file.h"
#include "continuo/score/tempo_map.h"

namespace continuo::python {
namespace {

struct Field {
  const char* name;
  const char* format;  // of NumPy
  size_t offset;
};

template <size_t kCount>
nb::tuple Layout(const std::array<Field, kCount>& fields, size_t size) {
  nb::list names;
  nb::list formats;
  nb::list offsets;
  for (const Field& field : fields) {
    names.append(field.name);
    formats.append(field.format);
    offsets.append(field.offset);
  }
  return nb::make_tuple(names, formats, offsets, size);
}

/// For each list of a score: its fields' names, NumPy formats and offsets, and the size of a row.
nb::dict Layouts() {
  nb::dict layouts;
  layouts["note"] =
      Layout(std::array{Field{"time", "<i4", offsetof(Note, time)}, Field{"duration", "<i4", offsetof(Note, duration)},
                        Field{"pitch", "u1", offsetof(Note, pitch)}, Field{"velocity", "u1", offsetof(Note, velocity)}},
             sizeof(Note));
  layouts["tempo"] = Layout(std::array{Field{"time", "<i4", offsetof(Tempo, time)},
                                       Field{"us_per_quarter", "<i4", offsetof(Tempo, us_per_quarter)}},
                            sizeof(Tempo));
  layouts["time_signature"] = Layout(std::array{Field{"time", "<i4", offsetof(TimeSignature, time)},
                                                Field{"numerator", "<i4", offsetof(TimeSignature, numerator)},
                                                Field{"denominator", "<i4", offsetof(TimeSignature, denominator)}},
                                     sizeof(TimeSignature));
  layouts["key_signature"] = Layout(
      std::array{Field{"time", "<i4", offsetof(KeySignature, time)}, Field{"key", "i1", offsetof(KeySignature, key)},
                 Field{"tonality", "i1", offsetof(KeySignature, tonality)}},
      sizeof(KeySignature));
  layouts["control"] = Layout(std::array{Field{"time", "<i4", offsetof(ControlChange, time)},
                                         Field{"number", "u1", offsetof(ControlChange, number)},
                                         Field{"value", "u1", offsetof(ControlChange, value)}},
                              sizeof(ControlChange));
  layouts["pitch_bend"] = Layout(
      std::array{Field{"time", "<i4", offsetof(PitchBend, time)}, Field{"value", "<i2", offsetof(PitchBend, value)}},
      sizeof(PitchBend));
  layouts["pedal"] = Layout(
      std::array{Field{"time", "<i4", offsetof(Pedal, time)}, Field{"duration", "<i4", offsetof(Pedal, duration)}},
      sizeof(Pedal));
  return layouts;
}

SharedScore Parse(std::span<const uint8_t> bytes, const std::string& name) {
  return LongWork().Run([&]() -> Result<SharedScore> {
    CONTINUO_ASSIGN(ScoreAndWarnings parsed, ParseScore(bytes, name));
    return SharedScore{std::make_shared<const Score>(std::move(parsed.score)), std::move(parsed.warnings)};
  });
}

SharedScore Read(const nb::bytes& path) {
  const std::filesystem::path file = ToPath(path);
  const std::vector<uint8_t> bytes = LongWork().Run([&] { return ReadFile(file); });
  return Parse(bytes, file.string());
}

/// Checks one number of a list that a caller has made.
template <typename Number>
Status Check(const std::string& list, size_t row, const char* field, Number value, int64_t least, int64_t most) {
  if (int64_t{value} >= least && int64_t{value} <= most) {
    return {};
  }
  return MakeError("{}[{}].{} is {}, expected {} to {}", list, row, field, int64_t{value}, least, most);
}

constexpr int64_t kLastTick = std::numeric_limits<Tick>::max();

template <typename Event>
Status CheckTime(const std::string& list, size_t row, const Event& event) {
  CONTINUO_TRY(Check(list, row, "time", event.time, 0, kLastTick));
  if constexpr (requires { event.duration; }) {
    CONTINUO_TRY(Check(list, row, "duration", event.duration, 0, kLastTick - event.time));
  }
  return {};
}

Status CheckRow(const std::string& list, size_t row, const Note& note) {
  CONTINUO_TRY(Check(list, row, "pitch", note.pitch, 0, 127));
  return Check(list, row, "velocity", note.velocity, 0, 127);
}
Status CheckRow(const std::string& list, size_t row, const Tempo& tempo) {
  return Check(list, row, "us_per_quarter", tempo.us_per_quarter, 1, 16777215);
}
Status CheckRow(const std::string& list, size_t row, const TimeSignature& signature) {
  CONTINUO_TRY(Check(list, row, "numerator", signature.numerator, 1, 255));
  CONTINUO_TRY(Check(list, row, "denominator", signature.denominator, 1, 1 << 30));
  if ((signature.denominator & (signature.denominator - 1)) != 0) {
    return MakeError("{}[{}].denominator is {}, expected a power of two", list, row, signature.denominator);
  }
  return {};
}
Status CheckRow(const std::string& list, size_t row, const KeySignature& signature) {
  CONTINUO_TRY(Check(list, row, "key", signature.key, -7, 7));
  return Check(list, row, "tonality", signature.tonality, 0, 1);
}
Status CheckRow(const std::string& list, size_t row, const ControlChange& control) {
  CONTINUO_TRY(Check(list, row, "number", control.number, 0, 127));
  return Check(list, row, "value", control.value, 0, 127);
}
Status CheckRow(const std::string& list, size_t row, const PitchBend& bend) {
  return Check(list, row, "value", bend.value, -8192, 8191);
}
Status CheckRow(const std::string& /*list*/, size_t /*row*/, const Pedal& /*pedal*/) {
  return {};
}

template <typename Event>
void SortByTime(std::vector<Event>& events) {
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
}

/// Checks rows and puts them in the order of time.
template <typename Event>
Result<std::vector<Event>> ToEvents(const Bytes& bytes, const std::string& list) {
  static_assert(std::is_trivially_copyable_v<Event>);
  if (bytes.size() % sizeof(Event) != 0) {
    return MakeError("{}: {} bytes, expected rows of {}", list, bytes.size(), sizeof(Event));
  }
  std::vector<Event> events(bytes.size() / sizeof(Event));
  if (!events.empty()) {
    std::memcpy(events.data(), bytes.data(), bytes.size());
  }
  for (size_t row = 0; row < events.size(); ++row) {
    CONTINUO_TRY(CheckTime(list, row, events[row]));
    CONTINUO_TRY(CheckRow(list, row, events[row]));
  }
  SortByTime(events);
  return events;
}

using Texts = std::vector<std::tuple<int64_t, nb::str>>;

Result<std::vector<TextEvent>> ToTextEvents(const Texts& texts, const std::string& list) {
  std::vector<TextEvent> events;
  for (const auto& [time, text] : texts) {
    CONTINUO_TRY(Check(list, events.size(), "time", time, 0, kLastTick));
    events.push_back({static_cast<Tick>(time), ToText(text)});
  }
  SortByTime(events);
  return events;
}

nb::list ToPython(const std::vector<TextEvent>& events) {
  nb::list list;
  for (const TextEvent& event : events) {
    list.append(nb::make_tuple(event.time, python::ToPython(event.text)));
  }
  return list;
}

/// name, program, is_drum, notes, controls, pitch_bends, pedals, lyrics
using TrackParts = std::tuple<nb::str, int64_t, bool, Bytes, Bytes, Bytes, Bytes, Texts>;

Result<Track> ToTrack(const TrackParts& parts, const std::string& place) {
  Track track;
  track.name = ToText(std::get<0>(parts));
  const int64_t program = std::get<1>(parts);
  if (program < 0 || program > 127) {
    return MakeError("{}.program is {}, expected 0 to 127", place, program);
  }
  track.program = static_cast<uint8_t>(program);
  track.is_drum = std::get<2>(parts);
  CONTINUO_ASSIGN(track.notes, ToEvents<Note>(std::get<3>(parts), place + ".notes"));
  CONTINUO_ASSIGN(track.controls, ToEvents<ControlChange>(std::get<4>(parts), place + ".controls"));
  CONTINUO_ASSIGN(track.pitch_bends, ToEvents<PitchBend>(std::get<5>(parts), place + ".pitch_bends"));
  CONTINUO_ASSIGN(track.pedals, ToEvents<Pedal>(std::get<6>(parts), place + ".pedals"));
  CONTINUO_ASSIGN(track.lyrics, ToTextEvents(std::get<7>(parts), place + ".lyrics"));
  return track;
}

Result<Score> ToScore(int64_t ticks_per_quarter, const std::vector<TrackParts>& tracks, const Bytes& tempos,
                      const Bytes& time_signatures, const Bytes& key_signatures, const Texts& markers) {
  if (ticks_per_quarter < 1 || ticks_per_quarter > 32767) {
    return MakeError("ticks_per_quarter is {}, expected 1 to 32767", ticks_per_quarter);
  }
  if (tracks.size() > kMaxTracks) {
    return MakeError(ErrorCode::kTooLarge, "{} tracks, expected at most {}", tracks.size(), kMaxTracks);
  }
  Score score;
  score.ticks_per_quarter = static_cast<int32_t>(ticks_per_quarter);
  CONTINUO_ASSIGN(score.tempos, ToEvents<Tempo>(tempos, "tempos"));
  CONTINUO_ASSIGN(score.time_signatures, ToEvents<TimeSignature>(time_signatures, "time_signatures"));
  CONTINUO_ASSIGN(score.key_signatures, ToEvents<KeySignature>(key_signatures, "key_signatures"));
  CONTINUO_ASSIGN(score.markers, ToTextEvents(markers, "markers"));
  for (const TrackParts& parts : tracks) {
    CONTINUO_ASSIGN(Track track, ToTrack(parts, fmt::format("tracks[{}]", score.tracks.size())));
    score.tracks.push_back(std::move(track));
  }
  return score;
}

const Track& TrackOf(const SharedScore& shared, size_t track) {
  if (track >= shared.score->tracks.size()) {
    throw nb::index_error("track index out of range");
  }
  return shared.score->tracks[track];
}

/// The rows of a list of a track.
template <auto kList>
nb::object TrackRows(const SharedScore& shared, size_t track) {
  return ToRows(TrackOf(shared, track).*kList, shared.score);
}
template <auto kList>
nb::object ScoreRows(const SharedScore& shared) {
  return ToRows((*shared.score).*kList, shared.score);
}

// 64 MB; over four hours at 120 quarter notes per minute and 16 columns for each. A file of a few
// bytes may ask for more.
constexpr int64_t kMostColumns = int64_t{1} << 19;

/// Velocities, [128, columns]; a later note of a pitch that sounds already is drawn over it.
nb::object PianoRoll(const SharedScore& shared, int64_t resolution, const std::vector<size_t>& tracks) {
  const Score& score = *shared.score;
  const auto column = [&](int64_t tick) { return tick * resolution / score.ticks_per_quarter; };
  int64_t columns = 0;
  for (const size_t index : tracks) {
    for (const Note& note : TrackOf(shared, index).notes) {
      columns = std::max({columns, column(int64_t{note.time} + note.duration), column(note.time) + 1});
    }
  }
  if (columns > kMostColumns) {
    throw ErrorException{
        Error{fmt::format("the piano roll would have {} columns, expected at most {}", columns, kMostColumns),
              "choose fewer columns per quarter note", ErrorCode::kTooLarge}};
  }
  std::vector<uint8_t> roll(static_cast<size_t>(columns) * 128);
  for (const size_t index : tracks) {
    for (const Note& note : score.tracks[index].notes) {
      const int64_t begin = column(note.time);
      const int64_t end = std::max(begin + 1, column(int64_t{note.time} + note.duration));
      uint8_t* row = roll.data() + static_cast<int64_t>(note.pitch) * columns;
      std::fill(row + begin, row + end, note.velocity);
    }
  }
  auto held = std::make_unique<std::vector<uint8_t>>(std::move(roll));
  uint8_t* data = held->data();
  const nb::capsule owner(held.release(),
                          [](void* pointer) noexcept { delete static_cast<std::vector<uint8_t>*>(pointer); });
  return nb::cast(
      nb::ndarray<nb::numpy, uint8_t, nb::ndim<2>>(data, {size_t{128}, static_cast<size_t>(columns)}, owner));
}

nb::object Seconds(const SharedScore& shared, const Ids& ticks) {
  const TempoMap map(*shared.score);
  std::vector<double> seconds;
  for (const int32_t tick : ToSpan(ticks)) {
    if (tick < 0) {
      throw ErrorException{MakeError("tick {} is negative, expected 0 or more", tick)};
    }
    seconds.push_back(map.Seconds(tick));
  }
  return ToArray(std::move(seconds));
}

nb::object BarLines(const SharedScore& shared) {
  const BarGrid grid(*shared.score);
  std::vector<int32_t> lines;
  for (size_t bar = 0, bars = CountBars(*shared.score); bar <= bars && bar <= kMostColumns; ++bar) {
    lines.push_back(grid.Line(bar));
  }
  return ToArray(std::move(lines));
}

/// The picture, and where its plot begins and how wide it is. `form` as for `continuo picture`;
/// bars are [first, last), counted from 0.
nb::tuple Svg(const SharedScore& shared, size_t first, size_t last, const std::string& form, int width, int height,
              bool pedals, bool player, const std::string& label) {
  PianoRollPlot plot;
  const std::string svg = LongWork().Run([&]() -> Result<std::string> {
    PianoRollOptions options{.first_bar = first,
                             .last_bar = last,
                             .width = width,
                             .height = height,
                             .pedals = pedals,
                             .in_seconds = player,
                             .cursor = player,
                             .label = label};
    if (form == "auto") {
      options.sections = FindSections(*shared.score);
    } else if (form != "none") {
      CONTINUO_ASSIGN(options.sections, ParseSections(form, CountBars(*shared.score)));
    }
    return DrawPianoRoll(*shared.score, options, &plot);
  });
  return nb::make_tuple(nb::str(svg.data(), svg.size()), plot.left, plot.width);
}

nb::bytes ToMidi(const SharedScore& shared) {
  const std::vector<uint8_t> bytes =
      LongWork().Run([&]() -> Result<std::vector<uint8_t>> { return SerializeScore(*shared.score); });
  return nb::bytes(bytes.data(), bytes.size());
}

}  // namespace

void BindScore(nb::module_& module) {
  module.def(
      "write_file",
      [](const nb::bytes& path, const nb::bytes& bytes) {
        const std::filesystem::path file = ToPath(path);
        LongWork().Run([&] { return WriteFileAtomically(file, ToSpan(bytes)); });
      },
      nb::arg("path"), nb::arg("bytes"));
  module.def("layouts", &Layouts, nb::sig("def layouts() -> dict[str, tuple[list[str], list[str], list[int], int]]"));
  nb::class_<SharedScore>(module, "Score")
      .def_static(
          "parse", [](const nb::bytes& bytes, const nb::str& name) { return Parse(ToSpan(bytes), ToText(name)); },
          nb::arg("bytes"), nb::arg("name"))
      .def_static("read", &Read, nb::arg("path"))
      .def_static(
          "build",
          [](int64_t ticks_per_quarter, const std::vector<TrackParts>& tracks, const Bytes& tempos,
             const Bytes& time_signatures, const Bytes& key_signatures, const Texts& markers) {
            return SharedScore{std::make_shared<const Score>(Unwrap(ToScore(ticks_per_quarter, tracks, tempos,
                                                                            time_signatures, key_signatures, markers))),
                               {}};
          },
          nb::arg("ticks_per_quarter"), nb::arg("tracks"), nb::arg("tempos"), nb::arg("time_signatures"),
          nb::arg("key_signatures"), nb::arg("markers"))
      .def("to_bytes", &ToMidi)
      .def(
          "write",
          [](const SharedScore& shared, const nb::bytes& path) {
            const std::filesystem::path file = ToPath(path);
            LongWork().Run([&] { return WriteScore(*shared.score, file); });
          },
          nb::arg("path"))
      .def(
          "equals", [](const SharedScore& a, const SharedScore& b) { return *a.score == *b.score; }, nb::arg("other"))
      .def_prop_ro("ticks_per_quarter", [](const SharedScore& shared) { return shared.score->ticks_per_quarter; })
      .def_prop_ro("track_count", [](const SharedScore& shared) { return shared.score->tracks.size(); })
      .def_prop_ro("bars", [](const SharedScore& shared) { return CountBars(*shared.score); })
      .def_prop_ro(
          "warnings", [](const SharedScore& shared) { return python::ToPython(shared.warnings); },
          nb::sig("def warnings(self) -> list[str]"))
      .def_prop_ro(
          "markers", [](const SharedScore& shared) { return ToPython(shared.score->markers); },
          nb::sig("def markers(self) -> list[tuple[int, str]]"))
      .def("tempos", &ScoreRows<&Score::tempos>)
      .def("time_signatures", &ScoreRows<&Score::time_signatures>)
      .def("key_signatures", &ScoreRows<&Score::key_signatures>)
      .def(
          "track_name",
          [](const SharedScore& shared, size_t track) { return python::ToPython(TrackOf(shared, track).name); },
          nb::arg("track"))
      .def(
          "program", [](const SharedScore& shared, size_t track) { return int{TrackOf(shared, track).program}; },
          nb::arg("track"))
      .def(
          "is_drum", [](const SharedScore& shared, size_t track) { return TrackOf(shared, track).is_drum; },
          nb::arg("track"))
      .def("notes", &TrackRows<&Track::notes>, nb::arg("track"))
      .def("controls", &TrackRows<&Track::controls>, nb::arg("track"))
      .def("pitch_bends", &TrackRows<&Track::pitch_bends>, nb::arg("track"))
      .def("pedals", &TrackRows<&Track::pedals>, nb::arg("track"))
      .def(
          "lyrics", [](const SharedScore& shared, size_t track) { return ToPython(TrackOf(shared, track).lyrics); },
          nb::arg("track"), nb::sig("def lyrics(self, track: int) -> list[tuple[int, str]]"))
      .def("piano_roll", &PianoRoll, nb::arg("resolution"), nb::arg("tracks"))
      .def("seconds", &Seconds, nb::arg("ticks"))
      .def("bar_lines", &BarLines)
      .def("svg", &Svg, nb::arg("first"), nb::arg("last"), nb::arg("form"), nb::arg("width"), nb::arg("height"),
           nb::arg("pedals"), nb::arg("player"), nb::arg("label"),
           nb::sig(
               "def svg(self, first: int, last: int, form: str, width: int, height: int, pedals: bool, player: bool, "
               "label: str) -> tuple[str, float, float]"));
}

}  // namespace continuo::python
