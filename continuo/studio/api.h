#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/compose/loaded_model.h"
#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/os/file.h"
#include "continuo/studio/json_fields.h"
#include "continuo/studio/turns.h"

namespace continuo {

struct ApiLimits {
  size_t body_bytes = size_t{16} << 20;  // of a request: room for a MIDI file of 10 MB in base64
  size_t waiting = 16;                   // requests that wait for the models; as many that wait to be rendered
  size_t bars = 1024;                    // that a request writes
  size_t count = 64;                     // pieces of a request
  double render_seconds = 600;           // of a piece that is rendered
};

/// A model that requests may name.
struct ApiModel {
  std::string name;
  const LoadedModel* model = nullptr;
};

/// The file that the program was started with.
struct OpenedFile {
  std::string name;           // without folders
  std::vector<uint8_t> midi;  // the bytes of a MIDI file
};

/// Makes a WAV file of a MIDI file's bytes. An error with kNotFound says that something to render
/// with is not installed. Called by one thread at a time.
using RenderFunction = std::function<Result<MappedFile>(std::span<const uint8_t> midi, const StopToken& stop)>;

struct ApiOptions {
  ApiLimits limits;
  std::optional<OpenedFile> opened = {};
  RenderFunction render = {};  // empty: there is no audio
  std::string version = {};    // of the program
};

struct ApiRequest {
  std::string method;        // "GET"
  std::string path;          // without what follows a question mark
  std::string content_type;  // "application/json; charset=utf-8"
  std::string body;
};

/// Takes an event with a name and data; false asks to stop.
using EventSink = std::function<bool(std::string_view name, const nlohmann::ordered_json& data)>;

/// What a request is answered with: a body, a file, or events that `run` writes while it computes.
struct ApiAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::shared_ptr<const MappedFile> file;  // set: the body is its bytes
  std::string allow;                       // of status 405: the method that the path takes
  /// Set for a stream of events. Called once, in any thread. The last event is "done" or "error";
  /// neither comes if the sink or the token asked to stop.
  std::function<void(const EventSink& sink, const StopToken& stop)> run;
};

/// The HTTP API, version 1, without HTTP: docs/api/openapi.json defines it.
///
/// No request can name a file. Requests use the models one at a time, in the order of their
/// arrival, and so do those that are rendered. A field that is missing, unknown or out of range is
/// answered with 400; what only the piece or the model shows to be wrong, with 422. Thread-safe.
class Api {
 public:
  /// Requests that name no model use the first one. The models, of which there is at least one,
  /// must outlive the Api and all answers.
  explicit Api(std::vector<ApiModel> models, ApiOptions options = {});

  /// Answers a request, waiting for its turn unless the answer is a stream. Never fails: what is
  /// wrong with a request is the answer's status and body.
  ApiAnswer Answer(const ApiRequest& request, const StopToken& stop);

  /// The answer of an error: {"error": {"message", "hint", "code"}}.
  static ApiAnswer ErrorAnswer(int status, const Error& error);
  const ApiLimits& limits() const { return options_.limits; }

 private:
  using Json = nlohmann::ordered_json;
  using Place = std::shared_ptr<Turns::Place>;
  Json Models() const;
  Json Opened() const;
  /// The model that a request's field "model" names.
  Result<const LoadedModel*> ModelOf(JsonFields& fields) const;
  /// Each reads all fields of its request, then does what it asks for.
  Result<ApiAnswer> Compose(std::string_view what, JsonFields& fields, Place place) const;
  Result<ApiAnswer> MeasureLikelihoods(JsonFields& fields, const StopToken& stop) const;
  Result<ApiAnswer> Evaluate(JsonFields& fields, const StopToken& stop) const;
  Result<ApiAnswer> Import(JsonFields& fields) const;
  Result<ApiAnswer> Export(JsonFields& fields) const;
  Result<ApiAnswer> Render(JsonFields& fields, const StopToken& stop) const;

  const std::vector<ApiModel> models_;
  const ApiOptions options_;
  Turns turns_;         // of the models
  Turns render_turns_;  // of options_.render
};

}  // namespace continuo
