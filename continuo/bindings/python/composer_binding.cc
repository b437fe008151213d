// All that Python uses of `compose`.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "continuo/bindings/python/binding.h"
#include "continuo/compose/composer.h"
#include "continuo/compose/likelihood.h"
#include "continuo/compose/score_parts.h"
#include "continuo/model/model_directory.h"
#include "continuo/token/tokenizer_json.h"

namespace continuo::python {
namespace {

nb::bytes ToBytes(const MidiPiece& piece) {
  const std::vector<uint8_t> bytes = piece.Bytes();
  return nb::bytes(bytes.data(), bytes.size());
}

/// A note of BarUpdate as Python sees it; layouts of the others are in score_binding.cc.
struct BarNote {
  double seconds;
  double duration_seconds;
  int32_t time;
  int32_t duration;
  uint8_t pitch;
  uint8_t velocity;
  uint8_t program;
  uint8_t is_drum;
};

nb::object ToArray(const std::vector<TimedNote>& notes) {
  auto rows = std::make_shared<std::vector<BarNote>>();
  for (const TimedNote& note : notes) {
    rows->push_back({.seconds = note.seconds,
                     .duration_seconds = note.duration_seconds,
                     .time = note.note.time,
                     .duration = note.note.duration,
                     .pitch = note.note.pitch,
                     .velocity = note.note.velocity,
                     .program = note.program,
                     .is_drum = static_cast<uint8_t>(note.is_drum ? 1 : 0)});
  }
  return ToRows(*rows, std::shared_ptr<const std::vector<BarNote>>(rows));
}

/// `repairs` are those of the request's piece.
nb::dict ToPython(const WrittenPiece& written, const std::vector<std::string>& repairs) {
  const GeneratedPiece& generated = written.generated;
  nb::list guards;
  for (const GuardEvent& event : generated.guards) {
    guards.append(nb::make_tuple(event.bar, GuardName(event.kind)));
  }
  nb::dict piece;
  piece["index"] = written.index;
  piece["midi"] = ToBytes(written.piece);
  piece["new_bars"] = written.new_bars ? nb::object(ToBytes(*written.new_bars)) : nb::none();
  piece["new_notes"] = written.new_notes;
  piece["ids"] = python::ToArray(generated.ids);
  piece["prompt_length"] = generated.prompt_length;
  piece["slides"] = generated.slides;
  piece["nll"] = written.following_nll.value_or(generated.nll);
  piece["guards"] = guards;
  piece["retries"] = generated.retries;
  piece["repairs"] = python::ToPython(repairs);
  nb::list raised;
  for (const RaisedLevel& level : written.raised) {
    raised.append(nb::make_tuple(level.channel + 1, level.controller, level.from, level.to));
  }
  piece["raised_levels"] = raised;
  return piece;
}

struct CountOption {
  std::string_view name;
  void (*set)(ComposeOptions& options, size_t value);
};

constexpr std::array<CountOption, 7> kCountOptions = {{
    {"count", [](ComposeOptions& options, size_t value) { options.count = value; }},
    {"keep", [](ComposeOptions& options, size_t value) { options.keep = value; }},
    {"batch", [](ComposeOptions& options, size_t value) { options.batch = value; }},
    {"retries", [](ComposeOptions& options, size_t value) { options.retries = value; }},
    {"silent_bars", [](ComposeOptions& options, size_t value) { options.guards.silent_bars = value; }},
    {"equal_bars", [](ComposeOptions& options, size_t value) { options.guards.equal_bars = value; }},
    {"notes_at_once", [](ComposeOptions& options, size_t value) { options.guards.notes_at_once = value; }},
}};

/// Whether `value` is a whole number, of Python, NumPy or torch, that fits; `number` is it then.
template <typename Number>
bool IsWhole(nb::handle value, Number& number) {
  const nb::object whole = nb::steal(PyNumber_Index(value.ptr()));
  if (!whole.is_valid()) {
    PyErr_Clear();
    return false;
  }
  return nb::try_cast(whole, number, false);
}

size_t ToCount(std::string_view name, nb::handle value) {
  int64_t number = 0;
  if (!IsWhole(value, number) || number < 0) {
    throw ErrorException{MakeError("{} is {}, expected a whole number of 0 or more", name, nb::repr(value).c_str())};
  }
  return static_cast<size_t>(number);
}

double ToNumber(std::string_view name, nb::handle value) {
  double number = 0;
  if (!nb::try_cast(value, number, true)) {
    throw ErrorException{MakeError("{} is {}, expected a number", name, nb::repr(value).c_str())};
  }
  return number;
}

/// A part of a plan as text: a list's levels, or points as pairs (level, bar), one after another.
std::string ToPlanText(nb::handle value) {
  if (!nb::isinstance<nb::list>(value) && !nb::isinstance<nb::tuple>(value)) {
    return ToText(nb::str(value));
  }
  std::string text;
  for (const nb::handle item : nb::borrow<nb::sequence>(value)) {
    text += text.empty() ? "" : " ";
    if (nb::isinstance<nb::tuple>(item) && nb::len(item) == 2) {
      text += ToText(nb::str(nb::handle(item[0]))) + ":" + ToText(nb::str(nb::handle(item[1])));
    } else {
      text += ToText(nb::str(item));
    }
  }
  return text;
}

/// Adds one limit, or each of a list, if there is one of that name.
bool SetLimit(ComposeOptions& options, std::string_view name, nb::handle value) {
  const std::span<const LimitField> fields = LimitFields();
  if (std::none_of(fields.begin(), fields.end(), [name](const LimitField& field) { return field.name == name; })) {
    return false;
  }
  const auto add = [&](nb::handle text) { Unwrap(AddLimit(name, ToText(nb::str(text)), options.limits)); };
  if (nb::isinstance<nb::list>(value) || nb::isinstance<nb::tuple>(value)) {
    for (const nb::handle text : value) {
      add(text);
    }
  } else {
    add(value);
  }
  return true;
}

/// Sets one option by its name. None leaves the default.
void SetOption(ComposeOptions& options, std::string_view name, nb::handle value) {
  if (value.is_none()) {
    return;
  }
  for (const CountOption& option : kCountOptions) {
    if (option.name == name) {
      option.set(options, ToCount(name, value));
      return;
    }
  }
  if (const SamplingField* field = FindSamplingField(name)) {
    const double number = ToNumber(name, value);
    Unwrap(field->Check(number));
    field->set(*options.sampling, number);
  } else if (name == "seed") {
    uint64_t seed = 0;
    if (!IsWhole(value, seed)) {
      throw ErrorException{
          MakeError("seed is {}, expected a whole number from 0 to 2^64 - 1", nb::repr(value).c_str())};
    }
    options.seed = seed;
  } else if (name == "chords") {
    options.chords = Unwrap(ParseChordProgression(ToText(nb::str(value))));
  } else if (IsPlanField(name)) {
    Unwrap(SetPlanField(name, ToPlanText(value), options.plan));
  } else if (name == "bpm") {
    options.bpm = ToNumber(name, value);
  } else if (name == "free_tempo") {
    options.free_tempo = nb::cast<bool>(nb::bool_(value));
  } else if (name == "keep_top") {
    options.limits.keep_top = nb::cast<bool>(nb::bool_(value));
  } else if (SetLimit(options, name, value)) {
    return;
  } else {
    throw nb::type_error(fmt::format("unexpected option '{}'", name).c_str());
  }
}

ComposeOptions ToOptions(const nb::dict& given, const LoadedModel& model) {
  ComposeOptions options;
  options.sampling = model.sampling;
  for (const auto& [name, value] : given) {
    SetOption(options, ToText(nb::str(name)), value);
  }
  return options;
}

/// "new", "continue" or "fill" with what each takes. Bars of "fill" are [first, last), counted from
/// 0.
struct RequestParts {
  std::string kind;
  std::optional<nb::bytes> midi;
  std::string name;
  size_t first = 0;  // prompt bars; the first bar to write again
  size_t bars = 0;   // new bars; the end of the bars to write again
  std::optional<size_t> track;
};

/// Sets `repairs` to those of the piece.
Result<Request> ToRequest(const RequestParts& parts, std::vector<std::string>& repairs) {
  if (parts.kind == "new") {
    return Request(NewRequest{.bars = parts.bars});
  }
  CONTINUO_ASSIGN(MidiPiece piece, MidiPiece::Parse(ToSpan(*parts.midi), parts.name));
  repairs = piece.repairs();
  if (parts.kind == "continue") {
    return Request(ContinueRequest{
        .piece = std::move(piece), .prompt_bars = parts.first, .bars = parts.bars, .track = parts.track});
  }
  return Request(FillRequest{.piece = std::move(piece), .first = parts.first, .last = parts.bars});
}

nb::tuple Write(const LoadedModel& model, const RequestParts& parts, const nb::dict& given,
                const nb::callable& on_piece, const nb::object& on_bar, nb::object progress, const StopFlag* stop) {
  ComposeOptions options = ToOptions(given, model);
  LongWork work(std::move(progress), stop);
  options.stop = work.stop();
  std::vector<std::string> repairs;
  const auto sink = [&](const WrittenPiece& written) {
    return work.Python([&] { on_piece(ToPython(written, repairs)); });
  };
  BarSink bar_sink;
  if (!on_bar.is_none()) {
    bar_sink = [&](const BarUpdate& update) {
      return work.Python([&] { on_bar(update.index, update.bars, ToArray(update.notes)); });
    };
  }
  const ComposeReport report = work.Run([&]() -> Result<ComposeReport> {
    CONTINUO_ASSIGN(const Request request, ToRequest(parts, repairs));
    return Composer(model).Write(request, options, sink, work, bar_sink);
  });
  nb::list ranking;
  for (const RankedPiece& piece : report.ranking) {
    ranking.append(nb::make_tuple(piece.index, piece.nll));
  }
  return nb::make_tuple(ranking, report.best_first, report.stopped);
}

/// nats per token and per bar, notes
nb::tuple MeasurePiece(const LoadedModel& model, const SharedScore& shared, nb::object progress) {
  LongWork work(std::move(progress));
  const Likelihood likelihood = work.Run([&]() -> Result<Likelihood> {
    const Tokenizer& tokenizer = *model.tokenizer;
    const auto streams = tokenizer.EncodeForModel(ReadableScore(*shared.score, tokenizer));
    const std::vector<TokenId> ids = streams.empty() ? std::vector<TokenId>() : streams.front();
    return MeasureLikelihood(*model.model, tokenizer, ids, work, work.stop());
  });
  std::vector<double> by_bar;
  for (size_t bar = 0; bar < likelihood.bar_offsets.size(); ++bar) {
    by_bar.push_back(likelihood.OfBar(bar));
  }
  return nb::make_tuple(python::ToArray(likelihood.token_nll), python::ToArray(std::move(by_bar)), likelihood.notes);
}

nb::dict Sampling(const LoadedModel& model) {
  nb::dict sampling;
  for (const SamplingField& field : SamplingFields()) {
    const double value = field.get(model.sampling);
    sampling[nb::str(field.name.data(), field.name.size())] =
        field.is_integer ? nb::object(nb::int_(static_cast<int64_t>(value))) : nb::object(nb::float_(value));
  }
  return sampling;
}

LoadedModel* Load(const nb::bytes& directory, size_t threads, const std::optional<std::string>& precision,
                  const std::optional<nb::bytes>& tokenizer) {
  CpuModelOptions options{.threads = threads};
  if (precision) {
    options.precision = ParseComputeFormat(*precision);
    if (!options.precision) {
      throw ErrorException{MakeError("precision is '{}', expected f32, bf16 or int8", *precision)};
    }
  }
  const std::filesystem::path path = ToPath(directory);
  const std::filesystem::path tokenizer_path = tokenizer ? ToPath(*tokenizer) : std::filesystem::path();
  return new LoadedModel(LongWork().Run([&]() -> Result<LoadedModel> {
    CONTINUO_ASSIGN(const ModelDirectory opened, ModelDirectory::Open(path, tokenizer_path));
    return LoadModel(opened, options);
  }));
}

}  // namespace

void BindComposer(nb::module_& module) {
  module.attr("max_bars") = kMaxBars;
  nb::class_<LoadedModel>(module, "Model")
      .def_static("load", &Load, nb::rv_policy::take_ownership, nb::arg("directory"), nb::arg("threads"),
                  nb::arg("precision").none(), nb::arg("tokenizer").none())
      .def_prop_ro("weights_sha256", [](const LoadedModel& model) { return model.weights_sha256; })
      // Of a trained vocabulary that of the tokens, which the pieces' ids are of.
      .def_prop_ro("tokenizer_json",
                   [](const LoadedModel& model) {
                     return WriteTokenizerJson(model.tokenizer->config(), model.tokenizer->vocabulary_sha256());
                   })
      .def_prop_ro("sampling", &Sampling, nb::sig("def sampling(self) -> dict[str, int | float]"))
      .def_prop_ro("context_length", [](const LoadedModel& model) { return model.model->context_length(); })
      .def(
          "write",
          [](const LoadedModel& model, const std::string& kind, const std::optional<nb::bytes>& midi,
             const nb::str& name, size_t first, size_t bars, std::optional<size_t> track, const nb::dict& options,
             const nb::callable& on_piece, const nb::object& on_bar, nb::object progress, const StopFlag* stop) {
            const RequestParts parts{kind, midi, ToText(name), first, bars, track};
            return Write(model, parts, options, on_piece, on_bar, std::move(progress), stop);
          },
          nb::arg("kind"), nb::arg("midi").none(), nb::arg("name"), nb::arg("first"), nb::arg("bars"),
          nb::arg("track").none(), nb::arg("options"), nb::arg("on_piece"), nb::arg("on_bar").none(),
          nb::arg("progress").none(), nb::arg("stop").none())
      .def("likelihood", &MeasurePiece, nb::arg("score"), nb::arg("progress").none());
}

}  // namespace continuo::python
