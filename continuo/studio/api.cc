#include "continuo/studio/api.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "continuo/compose/composer.h"
#include "continuo/compose/likelihood.h"
#include "continuo/compose/score_parts.h"
#include "continuo/metrics/catalogue.h"
#include "continuo/metrics/piece_measures.h"
#include "continuo/notation/musicxml_reader.h"
#include "continuo/notation/musicxml_writer.h"
#include "continuo/studio/json_fields.h"

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kPrefix = "/api/v1/";

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json ErrorJson(const Error& error) {
  return {{"error", {{"message", error.message}, {"hint", error.hint}, {"code", Name(error.code)}}}};
}

int StatusOf(const Error& error) {
  switch (error.code) {
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
      return 400;
  }
}

Json NumberOrNull(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

// The piece of a request, from the field "midi" or "musicxml".
Result<MidiPiece> ReadPieceOf(JsonFields& fields, const Json& body) {
  if (body.contains("musicxml") && !body.contains("midi")) {
    CONTINUO_ASSIGN(const auto bytes, fields.Bytes("musicxml"));
    CONTINUO_ASSIGN(const ScoreAndWarnings read, ParseMusicXml(bytes, "musicxml"));
    return MidiPiece::Parse(SerializeScore(read.score), "musicxml");
  }
  CONTINUO_ASSIGN(const auto bytes, fields.Bytes("midi"));
  return MidiPiece::Parse(bytes, "midi");
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
  return json;
}

}  // namespace

ApiAnswer Api::ErrorAnswer(int status, const Error& error) {
  ApiAnswer answer;
  answer.status = status;
  answer.body = Dump(ErrorJson(error));
  return answer;
}

ApiAnswer Api::Answer(const ApiRequest& request, const StopToken& stop) {
  constexpr std::string_view kPosts[] = {"generate", "continue", "fill", "likelihood", "evaluate", "export"};
  if (!std::string_view(request.path).starts_with(kPrefix)) {
    return ErrorAnswer(404, {"no such path", "docs/api/openapi.json lists them"});
  }
  const std::string_view what = std::string_view(request.path).substr(kPrefix.size());
  const bool is_models = what == "models";
  if (!is_models && std::find(std::begin(kPosts), std::end(kPosts), what) == std::end(kPosts)) {
    return ErrorAnswer(404, {"no such path", "docs/api/openapi.json lists them", ErrorCode::kNotFound});
  }
  const std::string method = is_models ? "GET" : "POST";
  if (request.method != method) {
    ApiAnswer answer =
        ErrorAnswer(405, {fmt::format("the method is {}, expected {}", request.method.substr(0, 20), method)});
    answer.allow = method;
    return answer;
  }
  if (is_models) {
    ApiAnswer answer;
    answer.body = Dump(Models());
    return answer;
  }
  // A page of another origin cannot send this type without asking first, which nothing allows.
  if (!std::string_view(request.content_type).starts_with("application/json")) {
    return ErrorAnswer(415, {"the content type is not application/json"});
  }
  if (request.body.size() > limits_.body_bytes) {
    return ErrorAnswer(
        413, {fmt::format("the request has {} bytes, expected at most {}", request.body.size(), limits_.body_bytes),
              {},
              ErrorCode::kTooLarge});
  }
  const Json body = Json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) {
    return ErrorAnswer(400, {"the body is not a JSON object"});
  }
  std::shared_ptr<Turns::Place> place = turns_.Enter();
  if (!place) {
    return ErrorAnswer(429,
                       {fmt::format("{} requests wait already", limits_.waiting), "try again later", ErrorCode::kBusy});
  }
  Result<ApiAnswer> answer = ApiAnswer{};
  if (what == "generate" || what == "continue" || what == "fill") {
    answer = Compose(what, body, place);
  } else if (!place->Wait(stop)) {
    answer = CancelledError();
  } else {
    const Result<Json> result = what == "likelihood" ? MeasureLikelihoods(body, stop)
                                : what == "evaluate" ? Evaluate(body, stop)
                                                     : Export(body);
    if (result.ok()) {
      answer->body = Dump(*result);
    } else {
      answer = result.error();
    }
  }
  return answer.ok() ? *std::move(answer) : ErrorAnswer(StatusOf(answer.error()), answer.error());
}

Json Api::Models() const {
  const Tokenizer& tokenizer = *model_.tokenizer;
  Json controls = Json::array();
  for (const auto& [name, type] :
       {std::pair("chords", TokenType::kChord), std::pair("form", TokenType::kRepeat),
        std::pair("density", TokenType::kDensity), std::pair("loudness", TokenType::kLoudness)}) {
    if (tokenizer.vocabulary().has(type)) {
      controls.push_back(name);
    }
  }
  return {{"models",
           {{{"name", model_.directory.filename().string()},
             {"sha256", model_.weights_sha256},
             {"vocabulary", tokenizer.vocabulary().size()},
             {"vocabulary_sha256", tokenizer.vocabulary_sha256()},
             {"context", model_.model->context_length()},
             {"sampling", SamplingToJson(model_.sampling)},
             {"controls", std::move(controls)}}}},
          {"limits",
           {{"body_bytes", limits_.body_bytes},
            {"waiting", limits_.waiting},
            {"bars", limits_.bars},
            {"count", limits_.count}}}};
}

Result<ApiAnswer> Api::Compose(std::string_view what, const Json& body, std::shared_ptr<Turns::Place> place) {
  JsonFields fields(body);
  ComposeOptions options;
  CONTINUO_ASSIGN(options.count, fields.Integer("count", 1, limits_.count, 1));
  CONTINUO_ASSIGN(options.keep, fields.Integer("keep", 0, options.count, 0));
  CONTINUO_ASSIGN(options.seed, fields.Integer("seed", 0, UINT64_MAX, 1));
  CONTINUO_ASSIGN(options.retries, fields.Integer("retries", 0, 100, 0));
  SamplingOptions sampling = model_.sampling;
  for (const SamplingField& field : SamplingFields()) {
    CONTINUO_ASSIGN(const std::optional<double> value, fields.Number(std::string(field.name)));
    if (value) {
      CONTINUO_TRY(field.Check(*value));
      field.set(sampling, *value);
    }
  }
  options.sampling = sampling;
  CONTINUO_ASSIGN(const std::string chords, fields.String("chords", 10000));
  if (!chords.empty()) {
    CONTINUO_ASSIGN(options.chords, ParseChordProgression(chords));
  }
  CONTINUO_ASSIGN(options.bpm, fields.Number("bpm"));
  for (const PlanField& field : PlanFields()) {
    CONTINUO_ASSIGN(const std::string text, fields.NumberOrText(std::string(field.name), 10000));
    CONTINUO_TRY(SetPlanField(field.name, text, options.plan));
  }

  Request request;
  if (what == "generate") {
    CONTINUO_ASSIGN(const size_t bars, fields.Integer("bars", 1, limits_.bars, 32));
    request = NewRequest{.bars = bars};
  } else if (what == "continue") {
    ContinueRequest next;
    CONTINUO_ASSIGN(next.piece, ReadPieceOf(fields, body));
    CONTINUO_ASSIGN(next.prompt_bars, fields.Integer("prompt_bars", 1, limits_.bars, 8));
    CONTINUO_ASSIGN(next.bars, fields.Integer("bars", 1, limits_.bars, 24));
    if (body.contains("track")) {
      CONTINUO_ASSIGN(const uint64_t track, fields.Integer("track", 1, 65535, {}));
      next.track = track - 1;
    }
    request = std::move(next);
  } else {
    FillRequest gap;
    CONTINUO_ASSIGN(gap.piece, ReadPieceOf(fields, body));
    CONTINUO_ASSIGN(const uint64_t first, fields.Integer("first", 1, limits_.bars, {}));
    CONTINUO_ASSIGN(gap.last, fields.Integer("last", first, limits_.bars, {}));
    gap.first = first - 1;
    request = std::move(gap);
  }
  CONTINUO_TRY(fields.Finish());
  CONTINUO_TRY(Composer(model_).Check(request, options));

  ApiAnswer answer;
  answer.content_type = "text/event-stream";
  answer.run = [this, request = std::move(request), options = std::move(options), place = std::move(place)](
                   const EventSink& sink, const StopToken& stop) mutable {
    // The place in the queue goes with this call, however it ends.
    const std::shared_ptr<Turns::Place> turn = std::move(place);
    if (turn->before() > 0 && !sink("waiting", {{"before", turn->before()}})) {
      return;
    }
    if (!turn->Wait(stop)) {
      return;
    }
    bool wanted = true;
    options.stop = StopToken([&] { return !wanted || stop.stop_requested(); });
    const auto send = [&](std::string_view name, const Json& data) -> Status {
      wanted = wanted && sink(name, data);
      return wanted ? Status{} : CancelledError();
    };
    const Result<ComposeReport> report = Composer(model_).Write(
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
    for (const RankedPiece& piece : report->ranking) {
      ranking.push_back({{"index", piece.index}, {"nll", NumberOrNull(piece.nll)}});
    }
    sink("done", {{"pieces", report->delivered}, {"ranking", std::move(ranking)}});
  };
  return answer;
}

Result<Json> Api::MeasureLikelihoods(const Json& body, const StopToken& stop) const {
  JsonFields fields(body);
  CONTINUO_ASSIGN(const MidiPiece piece, ReadPieceOf(fields, body));
  CONTINUO_TRY(fields.Finish());
  const Tokenizer& tokenizer = *model_.tokenizer;
  const auto streams = tokenizer.Encode(ReadableScore(piece.score(), tokenizer));
  const std::vector<TokenId> ids = streams.empty() ? std::vector<TokenId>() : streams.front();
  CONTINUO_ASSIGN(const Likelihood likelihood, MeasureLikelihood(*model_.model, tokenizer, ids, NoProgress(), stop));
  Json bars = Json::array();
  for (size_t bar = 0; bar < likelihood.bar_offsets.size(); ++bar) {
    bars.push_back(NumberOrNull(likelihood.OfBar(bar)));
  }
  return Json{{"tokens", ids.size()},
              {"notes", likelihood.notes},
              {"nll", NumberOrNull(likelihood.total())},
              {"nll_of_bars", bars}};
}

Result<Json> Api::Evaluate(const Json& body, const StopToken& stop) const {
  JsonFields fields(body);
  CONTINUO_ASSIGN(const MidiPiece piece, ReadPieceOf(fields, body));
  PieceMeasureOptions options;
  CONTINUO_ASSIGN(const uint64_t bars, fields.Integer("bars", 0, limits_.bars, 0));
  options.bars = static_cast<int64_t>(bars);
  CONTINUO_ASSIGN(options.structure, fields.Flag("structure", true));
  CONTINUO_TRY(fields.Finish());
  CONTINUO_ASSIGN(const PieceMeasures measures, MeasurePiece(piece.score(), options, stop));
  Json metrics = Json::object();
  const auto rows = PieceMetrics();
  for (size_t i = 0; i < rows.size(); ++i) {
    metrics[std::string(rows[i].name)] = NumberOrNull(measures.values[i]);
  }
  return Json{{"metrics", metrics}, {"key", measures.description.key.Name()}};
}

Result<Json> Api::Export(const Json& body) const {
  JsonFields fields(body);
  CONTINUO_ASSIGN(const MidiPiece piece, ReadPieceOf(fields, body));
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
  CONTINUO_ASSIGN(const std::string xml, ScoreToMusicXml(piece.score(), options, "midi"));
  return Json{{"musicxml", xml}};
}

}  // namespace continuo
