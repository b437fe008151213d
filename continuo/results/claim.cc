#include "continuo/results/claim.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

namespace continuo {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 5> kSenses = {"better", "worse", "higher", "lower", "nearer"};

/// Whether `json` is a list of texts.
bool IsTexts(const Json& json) {
  return json.is_array() && std::all_of(json.begin(), json.end(), [](const Json& item) { return item.is_string(); });
}

Result<Claim> ClaimFromJson(const Json& json) {
  const auto wrong = [](std::string_view key) { return MakeError("meta.claims: '{}' is missing or wrong", key); };
  if (!json.is_object()) {
    return wrong("claims");
  }
  Claim claim;
  const auto text = [&json](const char* key) { return json.contains(key) && json[key].is_string(); };
  for (const char* key : {"text", "kind", "axis", "sense"}) {
    if (!text(key)) {
      return wrong(key);
    }
  }
  for (const char* key : {"value", "against", "metrics"}) {
    if (!json.contains(key) || !IsTexts(json[key])) {
      return wrong(key);
    }
  }
  claim.text = json["text"];
  claim.axis = json["axis"];
  CONTINUO_ASSIGN(claim.kind, ParseSetKind(json["kind"].get<std::string>()));
  CONTINUO_ASSIGN(claim.sense, ParseClaimSense(json["sense"].get<std::string>()));
  claim.value = json["value"].get<std::vector<std::string>>();
  claim.against = json["against"].get<std::vector<std::string>>();
  claim.metrics = json["metrics"].get<std::vector<std::string>>();
  if (!json.contains("relative") || !json["relative"].is_boolean()) {
    return wrong("relative");
  }
  claim.relative = json["relative"];
  if (!json.contains("least") || !json["least"].is_number()) {
    return wrong("least");
  }
  claim.least = json["least"];
  if (json.contains("most")) {
    if (!json["most"].is_number()) {
      return wrong("most");
    }
    claim.most = json["most"];
  }
  if (!json.contains("where") || !json["where"].is_object()) {
    return wrong("where");
  }
  for (const auto& [axis, values] : json["where"].items()) {
    if (!IsTexts(values)) {
      return wrong("where");
    }
    claim.where[axis] = values.get<std::vector<std::string>>();
  }
  return claim;
}

}  // namespace

std::string_view ToString(ClaimSense sense) {
  return kSenses[static_cast<size_t>(sense)];
}

Result<ClaimSense> ParseClaimSense(std::string_view text) {
  const auto* const found = std::find(kSenses.begin(), kSenses.end(), text);
  if (found == kSenses.end()) {
    return MakeError("'{}' is not a sense; known are better, worse, higher, lower, nearer", text);
  }
  return static_cast<ClaimSense>(found - kSenses.begin());
}

std::string ClaimsToJson(const std::vector<Claim>& claims) {
  Json list = Json::array();
  for (const Claim& claim : claims) {
    Json json = {{"text", claim.text},
                 {"kind", ToString(claim.kind)},
                 {"axis", claim.axis},
                 {"value", claim.value},
                 {"against", claim.against},
                 {"metrics", claim.metrics},
                 {"sense", ToString(claim.sense)},
                 {"relative", claim.relative},
                 {"least", claim.least}};
    if (std::isfinite(claim.most)) {
      json["most"] = claim.most;
    }
    json["where"] = claim.where;
    list.push_back(std::move(json));
  }
  return list.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

Result<std::vector<Claim>> ClaimsFromJson(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) {
    return MakeError("meta.claims: is not a list");
  }
  std::vector<Claim> claims;
  for (const Json& item : json) {
    CONTINUO_ASSIGN(Claim claim, ClaimFromJson(item));
    claims.push_back(std::move(claim));
  }
  return claims;
}

}  // namespace continuo
