#include "continuo/report/payload.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "continuo/metrics/catalogue.h"
#include "continuo/report/claims.h"
#include "continuo/report/comparison.h"
#include "continuo/report/piece_notes.h"
#include "continuo/results/scape_bytes.h"
#include "continuo/score/score_file.h"

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

// Points of a learning curve; a screen cannot show more.
constexpr size_t kCurvePoints = 300;
constexpr size_t kScapeSize = 96;

Json Number(double value) {
  if (!std::isfinite(value)) {
    return nullptr;
  }
  // The nearest number of six digits is written with six digits.
  return std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr);
}

template <typename T>
Json Maybe(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string Base64(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = std::min<size_t>(3, bytes.size() - i);
    const uint32_t group = (uint32_t{bytes[i]} << 16) | (left > 1 ? uint32_t{bytes[i + 1]} << 8 : 0) |
                           (left > 2 ? uint32_t{bytes[i + 2]} : 0);
    text += kDigits[group >> 18];
    text += kDigits[(group >> 12) & 63];
    text += left > 1 ? kDigits[(group >> 6) & 63] : '=';
    text += left > 2 ? kDigits[group & 63] : '=';
  }
  return text;
}

Json Fields(const std::map<std::string, std::string>& fields) {
  Json json = Json::object();
  for (const auto& [key, value] : fields) {
    json[key] = Json::parse(value, nullptr, /*allow_exceptions=*/false);
  }
  return json;
}

/// [epoch, loss]; the loss is the mean since the point before.
Json TrainCurve(const std::vector<CurvePoint>& curve) {
  std::vector<const CurvePoint*> points;
  for (const CurvePoint& point : curve) {
    if (std::isfinite(point.train_loss)) {
      points.push_back(&point);
    }
  }
  Json json = Json::array();
  const size_t bins = std::min(points.size(), kCurvePoints);
  for (size_t bin = 0; bin < bins; ++bin) {
    const size_t begin = points.size() * bin / bins;
    const size_t end = points.size() * (bin + 1) / bins;
    double loss = 0;
    for (size_t i = begin; i < end; ++i) {
      loss += points[i]->train_loss / static_cast<double>(end - begin);
    }
    json.push_back({Number(points[end - 1]->epoch), Number(loss)});
  }
  return json;
}

/// [epoch, NLL per token, per note, per bar] where any was measured.
Json ValidCurve(const std::vector<CurvePoint>& curve) {
  Json json = Json::array();
  std::vector<const CurvePoint*> points;
  for (const CurvePoint& point : curve) {
    if (std::isfinite(point.valid.token) || std::isfinite(point.valid.note) || std::isfinite(point.valid.bar)) {
      points.push_back(&point);
    }
  }
  const size_t every = points.size() / kCurvePoints + 1;
  for (size_t i = 0; i < points.size(); ++i) {
    const Nll& nll = points[i]->valid;
    // Points of checkpoints have all three numbers and are always kept.
    if (i % every == 0 || i + 1 == points.size() || std::isfinite(nll.bar)) {
      json.push_back({Number(points[i]->epoch), Number(nll.token), Number(nll.note), Number(nll.bar)});
    }
  }
  return json;
}

Json RunToJson(const RunRow& run, const std::string& variant) {
  return {{"id", run.id},
          {"model", run.model},
          {"tokenizer", run.tokenizer},
          {"corpus", run.corpus},
          {"seed", run.seed},
          {"variant", variant},
          {"settings", Fields(ScalarFields(run.settings))},
          {"status", ToString(run.status)},
          {"error", run.error},
          {"epochs", Maybe(run.epochs)},
          {"parameters", Maybe(run.parameters)},
          {"tokens", Maybe(run.tokens)},
          {"seconds", Number(run.seconds)},
          {"train", TrainCurve(run.curve)},
          {"valid", ValidCurve(run.curve)}};
}

Json PieceToJson(const PieceRow& piece, bool with_notes, bool with_scape) {
  Json json = {{"number", piece.number},           {"name", piece.name},
               {"bars", Maybe(piece.bars)},        {"notes", Maybe(piece.notes)},
               {"prompt_bars", piece.prompt_bars}, {"copied", Maybe(piece.copied_notes)},
               {"from", piece.copied_from}};
  if (!piece.midi.empty() && !with_notes) {
    json["silent"] = "left out to keep the page small";
  } else if (!piece.midi.empty()) {
    const Result<ScoreAndWarnings> read = ParseScore(piece.midi, piece.name);
    const Result<std::vector<uint8_t>> packed =
        read.ok() ? PackNotes(read->score, std::clamp<int64_t>(piece.prompt_bars, 0, 100000)) : read.error();
    if (packed.ok()) {
      json["data"] = Base64(*packed);
    } else {
      json["silent"] = packed.error().message;
    }
  }
  const std::vector<uint8_t> scape = with_scape ? ReduceScape(piece.scape, kScapeSize) : std::vector<uint8_t>();
  if (!scape.empty()) {
    json["scape"] = Base64(scape);
  }
  return json;
}

/// The piece whose SI_mid is the median among those with a scape plot.
std::optional<size_t> TypicalScape(const std::vector<PieceRow>& pieces) {
  std::vector<std::pair<double, size_t>> ranked;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (!pieces[i].scape.empty()) {
      const double* value = FindNamed(pieces[i].metrics, "SI_mid");
      ranked.emplace_back(value == nullptr ? 0 : *value, i);
    }
  }
  if (ranked.empty()) {
    return std::nullopt;
  }
  std::sort(ranked.begin(), ranked.end());
  return ranked[ranked.size() / 2].second;
}

Json SetToJson(const SetRow& set, size_t playable) {
  Json json = {{"id", set.id},
               {"kind", ToString(set.kind)},
               {"run", Maybe(set.run)},
               {"epoch", Maybe(set.epoch)},
               {"setting", set.setting},
               {"sampling", Fields(ScalarFields(set.sampling))},
               {"prompt", set.prompt},
               {"label", set.label},
               {"seed", set.seed},
               {"status", ToString(set.status)},
               {"error", set.error},
               {"metrics", Json::object()},
               {"distances", Json::object()},
               {"pieces", Json::array()},
               {"values", Json::object()}};
  for (const auto& [name, metric] : set.metrics) {
    json["metrics"][name] = {metric.count, Number(metric.mean), Number(metric.deviation), Number(metric.low),
                             Number(metric.high)};
  }
  for (const DistanceRow& distance : set.distances) {
    json["distances"][distance.feature] = {Number(distance.overlap), Number(distance.divergence)};
  }
  const std::optional<size_t> typical = TypicalScape(set.pieces);
  for (size_t i = 0; i < set.pieces.size(); ++i) {
    json["pieces"].push_back(PieceToJson(set.pieces[i], i < playable || i == typical, i == typical));
    for (const auto& [name, value] : set.pieces[i].metrics) {
      Json& column = json["values"][name];
      while (column.size() < i) {
        column.push_back(nullptr);
      }
      column.push_back(Number(value));
    }
  }
  return json;
}

/// The claims of the experiment with what the results say. None if what is stored is not a list.
Json ClaimsToPayload(const ResultsSnapshot& data) {
  Json json = Json::array();
  const auto stored = data.meta.find("claims");
  const Result<std::vector<Claim>> claims =
      stored == data.meta.end() ? std::vector<Claim>() : ClaimsFromJson(stored->second);
  for (const ClaimResult& result : EvaluateClaims(data, claims.ok() ? *claims : std::vector<Claim>())) {
    const Claim& claim = result.claim;
    Json parts = Json::array();
    for (const ClaimPart& part : result.parts) {
      parts.push_back({{"metric", part.metric},
                       {"value", part.value},
                       {"against", part.against},
                       {"mean_value", Number(part.mean_value)},
                       {"mean_against", Number(part.mean_against)},
                       {"trainings", part.trainings},
                       {"difference", Number(part.difference)},
                       {"low", Number(part.low)},
                       {"high", Number(part.high)},
                       {"published", Number(part.published)},
                       {"verdict", ToString(part.verdict)}});
    }
    json.push_back({{"text", claim.text},
                    {"axis", claim.axis},
                    {"sense", ToString(claim.sense)},
                    {"relative", claim.relative},
                    {"least", Number(claim.least)},
                    {"most", Number(claim.most)},
                    {"verdict", ToString(result.verdict)},
                    {"note", result.note},
                    {"parts", std::move(parts)}});
  }
  return json;
}

/// What the page knows of metrics, usual ones first, in the order in which it lists them.
Json CatalogueToJson() {
  const auto to_json = [](const MetricRow& metric) -> Json {
    const int better = metric.better == Better::kHigher ? 1 : metric.better == Better::kLower ? -1 : 0;
    return {{"name", metric.name},
            {"title", metric.title},
            {"description", metric.description},
            {"digits", std::max(1, metric.decimals)},
            {"better", better},
            {"usual", metric.usual},
            {"ranking", metric.ranking}};
  };
  Json json = Json::array();
  for (const bool usual : {true, false}) {
    for (const MetricRow& metric : MetricCatalogue()) {
      if (metric.usual == usual) {
        json.push_back(to_json(metric));
      }
    }
  }
  return json;
}

}  // namespace

Json MakePayload(const ResultsSnapshot& data, const PayloadOptions& options) {
  Json json = {{"format", 2}, {"metrics", CatalogueToJson()}, {"meta", Json::object()}};
  for (const auto& [key, value] : data.meta) {
    json["meta"][key] = value;
  }
  const std::vector<std::string> variants = RunVariants(data);
  json["runs"] = Json::array();
  for (size_t i = 0; i < data.runs.size(); ++i) {
    json["runs"].push_back(RunToJson(data.runs[i], variants[i]));
  }
  json["sets"] = Json::array();
  for (const SetRow& set : data.sets) {
    json["sets"].push_back(SetToJson(set, set.kind == SetKind::kContinuation ? set.pieces.size() : options.playable));
  }
  json["published"] = Json::array();
  for (const PublishedRow& value : data.published) {
    json["published"].push_back({value.model, value.tokenizer, value.epoch, value.metric, Number(value.value)});
  }
  std::vector<std::string_view> compared;
  for (const MetricRow& metric : MetricCatalogue()) {
    if (metric.compared) {
      compared.push_back(metric.name);
    }
  }
  const std::vector<Contrast> contrasts = CompareAxes(data, compared);
  json["contrasts"] = Json::array();
  for (const Contrast& contrast : contrasts) {
    json["contrasts"].push_back({{"axis", contrast.axis},
                                 {"a", contrast.a},
                                 {"b", contrast.b},
                                 {"within", contrast.within},
                                 {"metric", contrast.metric},
                                 {"pairs", contrast.pairs},
                                 {"mean_a", Number(contrast.mean_a)},
                                 {"mean_b", Number(contrast.mean_b)},
                                 {"difference", Number(contrast.difference.value)},
                                 {"low", Number(contrast.low)},
                                 {"high", Number(contrast.high)},
                                 {"clear", contrast.clear}});
  }
  json["claims"] = ClaimsToPayload(data);
  json["findings"] = Json::array();
  for (const Finding& finding : Findings(data, contrasts)) {
    json["findings"].push_back({{"axis", finding.axis}, {"metric", finding.metric}, {"text", finding.text}});
  }
  const auto place = [](const PiecePlace& piece) { return Json{piece.set, piece.piece}; };
  json["votes"] = Json::array();
  for (const ResultsSnapshot::Vote& vote : data.votes) {
    json["votes"].push_back({{"winner", place(vote.winner)}, {"loser", place(vote.loser)}, {"at", vote.at}});
  }
  json["choices"] = Json::array();
  for (const ResultsSnapshot::Choice& choice : data.choices) {
    json["choices"].push_back(
        {{"prompt", choice.prompt}, {"piece", place(choice.piece)}, {"note", choice.note}, {"at", choice.at}});
  }
  return json;
}

}  // namespace continuo
