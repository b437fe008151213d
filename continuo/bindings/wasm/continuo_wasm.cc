// The API of continuo/studio as functions that JavaScript calls (package/engine.js). Strings are
// UTF-8 with a zero at the end, in memory from continuo_allocate. There is one model.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "continuo/compose/loaded_model.h"
#include "continuo/studio/api.h"

#define CONTINUO_IMPORT(name) extern "C" __attribute__((import_module("continuo"), import_name(name)))
#define CONTINUO_EXPORT extern "C" __attribute__((used, visibility("default")))

/// Takes an event of a request under way: its name, and its data as JSON. 0 asks to stop.
CONTINUO_IMPORT("event") int32_t continuo_event(const char* name, const char* data);
/// Asked before each token; anything but 0 asks to stop.
CONTINUO_IMPORT("stop") int32_t continuo_stop();

namespace {

using continuo::Api;
using continuo::ApiAnswer;
using continuo::LoadedModel;
using continuo::ModelDirectory;
using continuo::Result;

struct Engine {
  explicit Engine(LoadedModel loaded)
      : model(std::move(loaded)), api({{model.directory.filename().string(), &model}}) {}
  LoadedModel model;
  Api api;
};

struct State {
  std::map<std::string, std::vector<uint8_t>> files;
  std::unique_ptr<Engine> engine;
  std::string result;
};

State& state() {
  static State state;
  return state;
}

Result<LoadedModel> Load(std::map<std::string, std::vector<uint8_t>> files, const char* name) {
  CONTINUO_ASSIGN(const ModelDirectory directory, ModelDirectory::FromFiles(std::move(files), name));
  return continuo::LoadModel(directory, continuo::CpuModelOptions{.threads = 1});
}

ApiAnswer Answer(const char* method, const char* path, const char* body) {
  if (!state().engine) {
    return Api::ErrorAnswer(400, {"no model is loaded"});
  }
  const continuo::StopToken stop([] { return continuo_stop() != 0; });
  ApiAnswer answer = state().engine->api.Answer(
      {.method = method, .path = path, .content_type = "application/json", .body = body}, stop);
  if (answer.run) {
    answer.run(
        [](std::string_view name, const nlohmann::ordered_json& data) {
          const std::string text = data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
          return continuo_event(std::string(name).c_str(), text.c_str()) != 0;
        },
        stop);
  }
  return answer;
}

}  // namespace

CONTINUO_EXPORT void* continuo_allocate(size_t size) {
  return std::malloc(size);
}

CONTINUO_EXPORT void continuo_free(void* pointer) {
  std::free(pointer);
}

/// Adds a file of the model directory that continuo_load opens.
CONTINUO_EXPORT void continuo_add_file(const char* name, const uint8_t* bytes, size_t size) {
  state().files[name].assign(bytes, bytes + size);
}

/// Loads the model of the files that were added, which it takes. Returns an HTTP status;
/// continuo_result() says what is wrong.
CONTINUO_EXPORT int32_t continuo_load(const char* name) {
  state().engine.reset();
  Result<LoadedModel> loaded = Load(std::exchange(state().files, {}), name);
  state().result.clear();
  if (!loaded.ok()) {
    state().result = Api::ErrorAnswer(400, loaded.error()).body;
    return 400;
  }
  state().engine = std::make_unique<Engine>(*std::move(loaded));
  return 200;
}

/// Answers a request of the HTTP API. Returns its status; continuo_result() is its body. Events
/// come through continuo_event before it returns.
CONTINUO_EXPORT int32_t continuo_request(const char* method, const char* path, const char* body) {
  ApiAnswer answer = Answer(method, path, body);
  state().result = std::move(answer.body);
  return answer.status;
}

/// Text of the last call, valid until the next one.
CONTINUO_EXPORT const char* continuo_result() {
  return state().result.c_str();
}
