#include <malloc.h>

#include <chrono>
#include <thread>

#include "continuo/app/command.h"
#include "continuo/app/model_flags.h"
#include "continuo/os/signals.h"
#include "continuo/studio/http_server.h"

namespace {

using continuo::Result;
using continuo::Status;

struct ServeFlags {
  continuo::ModelFlags model;
  uint16_t port = 8642;
};

Status Run(const ServeFlags& flags, const continuo::AppContext& context) {
  continuo::ApiLimits limits;
  CONTINUO_ASSIGN(const continuo::LoadedModel model, continuo::LoadModel(flags.model, 8, context));
  continuo::Api api(model, limits);
  CONTINUO_ASSIGN(const auto server, continuo::HttpServer::Start(api, {.port = flags.port}));
  const std::string address = fmt::format("http://127.0.0.1:{}", server->port());
  CONTINUO_TRY(context.json ? continuo::PrintJson({{"address", address}})
                            : continuo::PrintLine(fmt::format("{}/api/v1: serving, Ctrl-C ends it", address)));
  std::fflush(stdout);
  const continuo::StopToken stop = continuo::SignalStop();
  while (!stop.stop_requested()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  continuo::AppContext context;
  context.arguments.assign(argv, argv + argc);
  ServeFlags flags;
  CLI::App app("Serve the HTTP API on this machine's loopback address, 127.0.0.1.", "continuo serve");
  app.add_option("--port", flags.port, "0: one that is free")->capture_default_str();
  app.add_option("--model", flags.model.model, "a model directory; default: the model that ships");
  app.add_option("--threads", flags.model.threads, "threads; 0: one for each core")->capture_default_str();
  app.add_flag("--json", context.json, "machine-readable output");
  app.add_flag("-q,--quiet", context.quiet, "no notes");
  app.footer(
      "docs/api/openapi.json describes the API.\n\n"
      "Example:\n"
      "  continuo serve --port 8642");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
#ifdef __GLIBC__
  // Each connection is a thread; with an arena for each, memory grew from 26 to 37 MB over 1,000
  // requests (tools/check_server.py), and stays with two.
  mallopt(M_ARENA_MAX, 2);
#endif
  continuo::CatchInterrupts();
  const Status status = Run(flags, context);
  if (!status.ok()) {
    continuo::PrintError(status.error());
  }
  const int signal = continuo::InterruptSignal();
  return signal != 0 ? 128 + signal : status.ok() ? 0 : 1;
}
