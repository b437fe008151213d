#include "continuo/studio/api.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "continuo/compose/composer.h"
#include "continuo/compose/likelihood.h"
#include "continuo/compose/limit_constraint.h"
#include "continuo/compose/plan_constraint.h"
#include "continuo/compose/score_parts.h"
#include "continuo/compose/tempo_constraint.h"
#include "continuo/metrics/catalogue.h"
#include "continuo/metrics/piece_measures.h"
#include "continuo/notation/musicxml_reader.h"
#include "continuo/notation/musicxml_writer.h"
#include "continuo/score/tempo_map.h"
#include "continuo/studio/json_fields.h"

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kPrefix = "/api/v1/";
constexpr size_t kLastBar = kMaxBars;  // of a given piece that a request can name, however many it writes
constexpr int kTicksPerQuarter = 480;  // of the pieces that Composer makes of a NewRequest

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json ErrorJson(const Error& error) {
  return {{"error", {{"message", error.message}, {"hint", error.hint}, {"code", Name(error.code)}}}};
}

/// `read`: whether all fields of the request were found to be what they should.
int StatusOf(const Error& error, bool read) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kTooLarge:
      return 413;
    case ErrorCode::kBusy:
      return 429;
    case ErrorCode::kCancelled:
      return 503;
    case ErrorCode::kIo:
    case ErrorCode::kFull:
      return 500;
    default:
      return read ? 422 : 400;
  }
}

ApiAnswer JsonAnswer(const Json& json) {
  ApiAnswer answer;
  answer.body = Dump(json);
  return answer;
}

Json NumberOrNull(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

/// The piece of a request as it came.
struct PieceBytes {
  bool is_musicxml = false;
  std::vector<uint8_t> bytes;
};

/// From the field "midi" or "musicxml".
Result<PieceBytes> ReadPieceBytes(JsonFields& fields) {
  PieceBytes read;
  read.is_musicxml = fields.Has("musicxml");
  if (read.is_musicxml && fields.Has("midi")) {
    return MakeError("midi and musicxml are both there, expected one of them");
  }
  CONTINUO_ASSIGN(read.bytes, fields.Bytes(read.is_musicxml ? "musicxml" : "midi"));
  return read;
}

/// A piece and what was repaired or left out to read it.
struct ParsedPiece {
  MidiPiece piece;
  std::vector<std::string> repairs;
};

Result<ParsedPiece> ParsePiece(const PieceBytes& read) {
  ParsedPiece parsed;
  if (!read.is_musicxml) {
    CONTINUO_ASSIGN(parsed.piece, MidiPiece::Parse(read.bytes, "midi"));
    parsed.repairs = parsed.piece.repairs();
    return parsed;
  }
  CONTINUO_ASSIGN(ScoreAndWarnings sheet, ParseMusicXml(read.bytes, "musicxml"));
  CONTINUO_ASSIGN(parsed.piece, MidiPiece::Parse(SerializeScore(sheet.score), "musicxml"));
  parsed.repairs = std::move(sheet.warnings);
  return parsed;
}

/// What all requests that write music have.
struct ComposeFields {
  std::string chords;                            // not yet parsed
  std::vector<std::string> plan;                 // by PlanFields(), not yet parsed
  std::vector<std::vector<std::string>> limits;  // by LimitFields(), not yet parsed
  ComposeOptions options;
};

Result<ComposeFields> ReadComposeFields(JsonFields& fields, const ApiLimits& limits, const SamplingOptions& sampling) {
  ComposeFields read;
  ComposeOptions& options = read.options;
  CONTINUO_ASSIGN(options.count, fields.Integer("count", 1, limits.count, 1));
  CONTINUO_ASSIGN(options.keep, fields.Integer("keep", 0, limits.count, 0));
  CONTINUO_ASSIGN(options.seed, fields.Integer("seed", 0, UINT64_MAX, 1));
  CONTINUO_ASSIGN(options.retries, fields.Integer("retries", 0, 100, 0));
  options.sampling = sampling;
  for (const SamplingField& field : SamplingFields()) {
    const std::string name(field.name);
    if (field.is_integer && fields.Has(name)) {  // read as one: a double does not tell large numbers apart
      CONTINUO_ASSIGN(const uint64_t value, fields.Integer(name, 0, static_cast<uint64_t>(field.most), {}));
      field.set(*options.sampling, static_cast<double>(value));
      continue;
    }
    CONTINUO_ASSIGN(const std::optional<double> value, fields.Number(name));
    if (value) {
      CONTINUO_TRY(field.Check(*value));
      field.set(*options.sampling, *value);
    }
  }
  CONTINUO_ASSIGN(read.chords, fields.String("chords", 10000));
  CONTINUO_ASSIGN(options.bpm, fields.Number("bpm"));
  for (const PlanField& field : PlanFields()) {
    CONTINUO_ASSIGN(read.plan.emplace_back(), fields.NumberOrText(std::string(field.name), 10000));
  }
  for (const LimitField& field : LimitFields()) {
    CONTINUO_ASSIGN(read.limits.emplace_back(), fields.Texts(std::string(field.name), 1000, 200));
  }
  return read;
}

Json BarJson(const BarUpdate& update) {
  Json notes = Json::array();
  for (const TimedNote& note : update.notes) {
    notes.push_back({{"time", note.note.time},
                     {"duration", note.note.duration},
                     {"pitch", note.note.pitch},
                     {"velocity", note.note.velocity},
                     {"program", note.program},
                     {"drum", note.is_drum},
                     {"seconds", note.seconds},
                     {"duration_seconds", note.duration_seconds}});
  }
  return {{"index", update.index}, {"bars", update.bars}, {"notes", std::move(notes)}};
}

Json PieceJson(const WrittenPiece& written) {
  Json json = {{"index", written.index},
               {"midi", EncodeBase64(written.piece.Bytes())},
               {"nll_per_token", NumberOrNull(written.generated.nll)}};
  if (written.new_bars) {
    json["new_bars"] = EncodeBase64(written.new_bars->Bytes());
  }
  if (written.following_nll) {
    json["following_nll"] = NumberOrNull(*written.following_nll);
  }
  for (const RaisedLevel& level : written.raised) {
    json["raised_levels"].push_back(
        {{"channel", level.channel + 1}, {"controller", level.controller}, {"from", level.from}, {"to", level.to}});
  }
  return json;
}

}  // namespace

ApiAnswer Api::ErrorAnswer(int status, const Error& error) {
  ApiAnswer answer;
  answer.status = status;
  answer.body = Dump(ErrorJson(error));
  return answer;
}

Api::Api(std::vector<ApiModel> models, ApiOptions options)
    : models_(std::move(models)),
      options_(std::move(options)),
      turns_(options_.limits.waiting),
      render_turns_(options_.limits.waiting) {
  CONTINUO_CHECK(!models_.empty());
}

ApiAnswer Api::Answer(const ApiRequest& request, const StopToken& stop) {
  constexpr std::string_view kGets[] = {"models", "opened"};
  constexpr std::string_view kPosts[] = {"generate", "continue", "fill",   "likelihood",
                                         "evaluate", "import",   "export", "render"};
  const auto is_one_of = [](std::string_view name, std::span<const std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const bool in_api = std::string_view(request.path).starts_with(kPrefix);
  const std::string_view what = in_api ? std::string_view(request.path).substr(kPrefix.size()) : "";
  const bool is_get = is_one_of(what, kGets);
  if (!is_get && !is_one_of(what, kPosts)) {
    return ErrorAnswer(404, {"no such path", "docs/api/openapi.json lists them", ErrorCode::kNotFound});
  }
  const std::string method = is_get ? "GET" : "POST";
  if (request.method != method) {
    ApiAnswer answer =
        ErrorAnswer(405, {fmt::format("the method is {}, expected {}", request.method.substr(0, 20), method)});
    answer.allow = method;
    return answer;
  }
  if (is_get) {
    return JsonAnswer(what == "models" ? Models() : Opened());
  }
  // A page of another origin cannot send this type without asking first, which nothing allows.
  if (!std::string_view(request.content_type).starts_with("application/json")) {
    return ErrorAnswer(415, {"the content type is not application/json"});
  }
  if (request.body.size() > limits().body_bytes) {
    return ErrorAnswer(
        413, {fmt::format("the request has {} bytes, expected at most {}", request.body.size(), limits().body_bytes),
              {},
              ErrorCode::kTooLarge});
  }
  const Json body = Json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) {
    return ErrorAnswer(400, {"the body is not a JSON object"});
  }
  const Place place = (what == "render" ? render_turns_ : turns_).Enter();
  if (!place) {
    return ErrorAnswer(
        429, {fmt::format("{} requests wait already", limits().waiting), "try again later", ErrorCode::kBusy});
  }
  JsonFields fields(body);
  Result<ApiAnswer> answer = ApiAnswer{};
  if (what == "generate" || what == "continue" || what == "fill") {
    answer = Compose(what, fields, place);
  } else if (!place->Wait(stop)) {
    answer = CancelledError();
  } else {
    answer = what == "likelihood" ? MeasureLikelihoods(fields, stop)
             : what == "evaluate" ? Evaluate(fields, stop)
             : what == "import"   ? Import(fields)
             : what == "export"   ? Export(fields)
                                  : Render(fields, stop);
  }
  if (answer.ok()) {
    return *std::move(answer);
  }
  const bool not_installed = what == "render" && answer.error().code == ErrorCode::kNotFound;
  return ErrorAnswer(not_installed ? 501 : StatusOf(answer.error(), fields.finished()), answer.error());
}

nlohmann::ordered_json Api::Models() const {
  Json models = Json::array();
  for (const ApiModel& entry : models_) {
    const Tokenizer& tokenizer = *entry.model->tokenizer;
    Json controls = Json::array();
    if (ChordConstraint::Create(*ParseChordProgression("C"), tokenizer, 0).ok()) {
      controls.push_back("chords");
    }
    if (TempoConstraint::Create(120, tokenizer, 0).ok()) {
      controls.push_back("tempo");
    }
    const PiecePlan plan{.form = {}, .density = {.levels = {3}, .points = {}}, .loudness = {}};
    if (PlanConstraint::Create(plan, tokenizer, 0, 1).ok()) {
      for (const PlanField& field : PlanFields()) {
        controls.push_back(field.name);
      }
    }
    if (tokenizer.vocabulary().has(TokenType::kRepeat)) {
      controls.push_back("recall");
    }
    Json grids = Json::array();
    for (const int grid : {8, 12, 16}) {
      MusicLimits limits;
      limits.grid.push_back({.value = grid});
      if (LimitConstraint::Create(limits, tokenizer, {}).ok()) {
        grids.push_back(grid);
      }
    }
    models.push_back({{"name", entry.name},
                      {"sha256", entry.model->weights_sha256},
                      {"vocabulary", tokenizer.model_size()},
                      {"vocabulary_sha256", tokenizer.model_sha256()},
                      {"context", entry.model->model->context_length()},
                      {"ticks_per_quarter", kTicksPerQuarter},
                      {"sampling", SamplingToJson(entry.model->sampling)},
                      {"controls", std::move(controls)},
                      {"grids", std::move(grids)}});
  }
  return {{"version", options_.version},
          {"models", std::move(models)},
          {"render", static_cast<bool>(options_.render)},
          {"limits",
           {{"body_bytes", limits().body_bytes},
            {"waiting", limits().waiting},
            {"bars", limits().bars},
            {"last_bar", kLastBar},
            {"count", limits().count},
            {"render_seconds", limits().render_seconds}}}};
}

nlohmann::ordered_json Api::Opened() const {
  if (!options_.opened) {
    return {{"file", nullptr}};
  }
  return {{"file", {{"name", options_.opened->name}, {"midi", EncodeBase64(options_.opened->midi)}}}};
}

Result<const LoadedModel*> Api::ModelOf(JsonFields& fields) const {
  CONTINUO_ASSIGN(const std::string name, fields.String("model", 1000, models_.front().name));
  std::string names;
  for (const ApiModel& entry : models_) {
    if (entry.name == name) {
      return entry.model;
    }
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  return MakeError(ErrorCode::kNotFound, "model is {}, expected one of those that the server was started with: {}",
                   name.substr(0, 100), names);
}

Result<ApiAnswer> Api::Compose(std::string_view what, JsonFields& fields, Place place) const {
  CONTINUO_ASSIGN(const LoadedModel* const model, ModelOf(fields));
  CONTINUO_ASSIGN(ComposeFields read, ReadComposeFields(fields, limits(), model->sampling));
  ComposeOptions& options = read.options;
  PieceBytes piece;
  NewRequest start;
  ContinueRequest next;
  FillRequest gap;
  if (what == "generate") {
    CONTINUO_ASSIGN(start.bars, fields.Integer("bars", 1, limits().bars, 32));
  } else if (what == "continue") {
    CONTINUO_ASSIGN(piece, ReadPieceBytes(fields));
    CONTINUO_ASSIGN(next.prompt_bars, fields.Integer("prompt_bars", 1, kLastBar, 8));
    CONTINUO_ASSIGN(next.bars, fields.Integer("bars", 1, limits().bars, 24));
    if (fields.Has("track")) {
      CONTINUO_ASSIGN(const uint64_t track, fields.Integer("track", 1, 65535, {}));
      next.track = track - 1;
    }
    CONTINUO_ASSIGN(const std::string tempo, fields.OneOf("tempo", {"keep", "free"}));
    options.free_tempo = tempo == "free";
  } else {
    CONTINUO_ASSIGN(piece, ReadPieceBytes(fields));
    CONTINUO_ASSIGN(const uint64_t first, fields.Integer("first", 1, kLastBar, {}));
    CONTINUO_ASSIGN(gap.last, fields.Integer("last", 1, kLastBar, {}));
    gap.first = first - 1;
    CONTINUO_ASSIGN(options.limits.keep_top, fields.Flag("keep_top", false));
  }
  CONTINUO_TRY(fields.Finish());

  if (options.keep > options.count) {
    return MakeError("keep is {}, expected at most count, which is {}", options.keep, options.count);
  }
  if (!read.chords.empty()) {
    CONTINUO_ASSIGN(options.chords, ParseChordProgression(read.chords));
  }
  for (size_t i = 0; i < read.plan.size(); ++i) {
    CONTINUO_TRY(SetPlanField(PlanFields()[i].name, read.plan[i], options.plan));
  }
  for (size_t i = 0; i < read.limits.size(); ++i) {
    for (const std::string& text : read.limits[i]) {
      CONTINUO_TRY(AddLimit(LimitFields()[i].name, text, options.limits));
    }
  }
  Request request = start;
  std::vector<std::string> repairs;
  if (what == "continue") {
    CONTINUO_ASSIGN(ParsedPiece parsed, ParsePiece(piece));
    next.piece = std::move(parsed.piece);
    repairs = std::move(parsed.repairs);
    request = std::move(next);
  } else if (what == "fill") {
    if (gap.last <= gap.first) {
      return MakeError("last is {}, expected at least first, which is {}", gap.last, gap.first + 1);
    }
    if (gap.last - gap.first > limits().bars) {
      return MakeError("first is {} and last is {}, expected at most {} bars", gap.first + 1, gap.last, limits().bars);
    }
    CONTINUO_ASSIGN(ParsedPiece parsed, ParsePiece(piece));
    gap.piece = std::move(parsed.piece);
    repairs = std::move(parsed.repairs);
    request = std::move(gap);
  }
  CONTINUO_TRY(Composer(*model).Check(request, options));

  ApiAnswer answer;
  answer.content_type = "text/event-stream";
  answer.run = [model, request = std::move(request), options = std::move(options), repairs = std::move(repairs),
                place = std::move(place)](const EventSink& sink, const StopToken& stop) mutable {
    // The place in the queue goes with this call, however it ends.
    const Place turn = std::move(place);
    if (!turn->Wait(stop, [&](size_t before) { return sink("waiting", {{"before", before}}); })) {
      return;
    }
    bool wanted = true;
    options.stop = StopToken([&] { return !wanted || stop.stop_requested(); });
    const auto send = [&](std::string_view name, const Json& data) -> Status {
      wanted = wanted && sink(name, data);
      return wanted ? Status{} : CancelledError();
    };
    const Result<ComposeReport> report = Composer(*model).Write(
        request, options, [&](const WrittenPiece& written) { return send("piece", PieceJson(written)); }, NoProgress(),
        [&](const BarUpdate& update) { return send("bar", BarJson(update)); });
    if (!wanted || stop.stop_requested()) {
      return;
    }
    if (!report.ok()) {
      sink("error", ErrorJson(report.error()));
      return;
    }
    Json ranking = Json::array();
    for (const RankedPiece& ranked : report->ranking) {
      ranking.push_back({{"index", ranked.index}, {"nll", NumberOrNull(ranked.nll)}});
    }
    sink("done", {{"pieces", report->delivered}, {"ranking", std::move(ranking)}, {"repairs", repairs}});
  };
  return answer;
}

Result<ApiAnswer> Api::MeasureLikelihoods(JsonFields& fields, const StopToken& stop) const {
  CONTINUO_ASSIGN(const LoadedModel* const model, ModelOf(fields));
  CONTINUO_ASSIGN(const PieceBytes read, ReadPieceBytes(fields));
  CONTINUO_TRY(fields.Finish());
  CONTINUO_ASSIGN(const ParsedPiece parsed, ParsePiece(read));
  const Tokenizer& tokenizer = *model->tokenizer;
  const auto streams = tokenizer.EncodeForModel(ReadableScore(parsed.piece.score(), tokenizer));
  const std::vector<TokenId> ids = streams.empty() ? std::vector<TokenId>() : streams.front();
  CONTINUO_ASSIGN(const Likelihood likelihood, MeasureLikelihood(*model->model, tokenizer, ids, NoProgress(), stop));
  Json bars = Json::array();
  for (size_t bar = 0; bar < likelihood.bar_offsets.size(); ++bar) {
    bars.push_back(NumberOrNull(likelihood.OfBar(bar)));
  }
  return JsonAnswer({{"tokens", ids.size()},
                     {"notes", likelihood.notes},
                     {"nll", NumberOrNull(likelihood.total())},
                     {"nll_of_bars", bars},
                     {"repairs", parsed.repairs}});
}

Result<ApiAnswer> Api::Evaluate(JsonFields& fields, const StopToken& stop) const {
  CONTINUO_ASSIGN(const PieceBytes read, ReadPieceBytes(fields));
  PieceMeasureOptions options;
  CONTINUO_ASSIGN(const uint64_t bars, fields.Integer("bars", 0, kLastBar, 0));
  options.bars = static_cast<int64_t>(bars);
  CONTINUO_ASSIGN(options.structure, fields.Flag("structure", true));
  CONTINUO_TRY(fields.Finish());
  CONTINUO_ASSIGN(const ParsedPiece parsed, ParsePiece(read));
  CONTINUO_ASSIGN(const PieceMeasures measures, MeasurePiece(parsed.piece.score(), options, stop));
  Json metrics = Json::object();
  const auto rows = PieceMetrics();
  for (size_t i = 0; i < rows.size(); ++i) {
    metrics[std::string(rows[i].name)] = NumberOrNull(measures.values[i]);
  }
  return JsonAnswer({{"metrics", metrics}, {"key", measures.description.key.Name()}, {"repairs", parsed.repairs}});
}

Result<ApiAnswer> Api::Import(JsonFields& fields) const {
  CONTINUO_ASSIGN(const std::vector<uint8_t> bytes, fields.Bytes("musicxml"));
  CONTINUO_TRY(fields.Finish());
  CONTINUO_ASSIGN(const ScoreAndWarnings parsed, ParseMusicXml(bytes, "musicxml"));
  return JsonAnswer({{"midi", EncodeBase64(SerializeScore(parsed.score))}, {"warnings", parsed.warnings}});
}

Result<ApiAnswer> Api::Export(JsonFields& fields) const {
  CONTINUO_ASSIGN(const PieceBytes read, ReadPieceBytes(fields));
  NotationOptions options;
  CONTINUO_ASSIGN(options.title, fields.String("title", 1000));
  CONTINUO_ASSIGN(const uint64_t smallest, fields.Integer("smallest_note", 16, 64, 32));
  if (smallest != 16 && smallest != 32 && smallest != 64) {
    return MakeError("smallest_note is {}, expected 16, 32 or 64", smallest);
  }
  options.smallest_note = static_cast<int32_t>(smallest);
  CONTINUO_ASSIGN(options.triplets, fields.Flag("triplets", true));
  CONTINUO_ASSIGN(options.chords, fields.Flag("chords", true));
  CONTINUO_ASSIGN(options.dynamics, fields.Flag("dynamics", false));
  CONTINUO_TRY(fields.Finish());
  CONTINUO_ASSIGN(const ParsedPiece parsed, ParsePiece(read));
  CONTINUO_ASSIGN(const std::string xml, ScoreToMusicXml(parsed.piece.score(), options, "midi"));
  return JsonAnswer({{"musicxml", xml}, {"repairs", parsed.repairs}});
}

Result<ApiAnswer> Api::Render(JsonFields& fields, const StopToken& stop) const {
  CONTINUO_ASSIGN(const PieceBytes read, ReadPieceBytes(fields));
  CONTINUO_TRY(fields.Finish());
  CONTINUO_ASSIGN(const ParsedPiece parsed, ParsePiece(read));
  const MidiPiece& piece = parsed.piece;
  // To the ends of the tracks, up to which a player continues.
  const double seconds = TempoMap(piece.score()).Seconds(piece.document().end());
  if (seconds > limits().render_seconds) {
    return Error{
        fmt::format("the piece lasts {:.0f} seconds, expected at most {:.0f}", seconds, limits().render_seconds),
        "render a part of it, or use `continuo render`", ErrorCode::kTooLarge};
  }
  if (!options_.render) {
    return Error{"this server cannot render audio", "start it with `continuo serve`", ErrorCode::kNotFound};
  }
  CONTINUO_ASSIGN(MappedFile audio, options_.render(piece.Bytes(), stop));
  ApiAnswer answer;
  answer.content_type = "audio/wav";
  answer.file = std::make_shared<const MappedFile>(std::move(audio));
  return answer;
}

}  // namespace continuo
