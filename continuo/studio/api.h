#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "continuo/compose/loaded_model.h"
#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/studio/turns.h"

namespace continuo {

struct ApiLimits {
  size_t body_bytes = size_t{12} << 20;  // of a request
  size_t waiting = 16;                   // requests that wait for the model
  size_t bars = 1024;                    // of a piece
  size_t count = 64;                     // pieces of a request
};

struct ApiRequest {
  std::string method;        // "GET"
  std::string path;          // without what follows a question mark
  std::string content_type;  // "application/json; charset=utf-8"
  std::string body;
};

/// Takes an event with a name and data; false asks to stop.
using EventSink = std::function<bool(std::string_view name, const nlohmann::ordered_json& data)>;

/// What a request is answered with: a body, or events that `run` writes while it computes.
struct ApiAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;  // of status 405: the method that the path takes
  /// Set for a stream of events. Called once, in any thread. The last event is "done" or "error";
  /// neither comes if the sink or the token asked to stop.
  std::function<void(const EventSink& sink, const StopToken& stop)> run;
};

/// The HTTP API, version 1, without HTTP: docs/api/openapi.json defines it.
///
/// No request can name a file. Requests use the model one at a time, in the order of their arrival.
/// Thread-safe.
class Api {
 public:
  /// `model` must outlive the Api and all answers.
  explicit Api(const LoadedModel& model, const ApiLimits& limits = {})
      : model_(model), limits_(limits), turns_(limits.waiting) {}

  /// Answers a request, waiting for its turn unless the answer is a stream. Never fails: what is
  /// wrong with a request is the answer's status and body.
  ApiAnswer Answer(const ApiRequest& request, const StopToken& stop);

  /// The answer of an error: {"error": {"message", "hint", "code"}}.
  static ApiAnswer ErrorAnswer(int status, const Error& error);
  const ApiLimits& limits() const { return limits_; }

 private:
  using Json = nlohmann::ordered_json;
  Json Models() const;
  Result<ApiAnswer> Compose(std::string_view what, const Json& body, std::shared_ptr<Turns::Place> place);
  Result<Json> MeasureLikelihoods(const Json& body, const StopToken& stop) const;
  Result<Json> Evaluate(const Json& body, const StopToken& stop) const;
  Result<Json> Export(const Json& body) const;

  const LoadedModel& model_;
  const ApiLimits limits_;
  Turns turns_;
};

}  // namespace continuo
