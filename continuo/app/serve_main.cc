#include <malloc.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include "continuo/app/command.h"
#include "continuo/app/model_flags.h"
#include "continuo/app/piece_file.h"
#include "continuo/app/render_program.h"
#include "continuo/notation/musicxml_reader.h"
#include "continuo/os/file.h"
#include "continuo/os/process.h"
#include "continuo/os/signals.h"
#include "continuo/studio/access.h"
#include "continuo/studio/http_server.h"

namespace {

namespace fs = std::filesystem;
using continuo::Result;
using continuo::Status;

constexpr const char* kTokenVariable = "CONTINUO_TOKEN";

struct ServeFlags {
  std::vector<std::string> models;
  size_t threads = 0;
  uint16_t port = 8642;
  std::string listen = "127.0.0.1";
  std::string token_file;
  std::string tokenizer;
  std::vector<std::string> names;
  std::string soundfont;
  // Of the studio:
  bool is_studio = false;
  std::string file;
  bool no_open = false;
  std::string page;
};

/// From the file, else from the environment, which children then lack; empty if it is in neither.
Result<std::string> ReadToken(const ServeFlags& flags) {
  const std::string variable = continuo::EnvironmentVariable(kTokenVariable);
  continuo::RemoveEnvironmentVariable(kTokenVariable);
  if (flags.token_file.empty()) {
    return variable.empty() ? Result<std::string>(std::string()) : continuo::CheckToken(variable);
  }
  const fs::path path = flags.token_file;
  std::error_code code;
  const fs::perms others = fs::perms::group_all | fs::perms::others_all;
  if ((fs::status(path, code).permissions() & others) != fs::perms::none && !code && fs::exists(path, code)) {
    return continuo::Error{path.string() + ": others may read or write this file, which holds a token",
                           "chmod 600 " + path.string()};
  }
  CONTINUO_ASSIGN(const std::string text, continuo::ReadTextFile(path, 10000));
  Result<std::string> token = continuo::CheckToken(text);
  if (!token.ok()) {
    return continuo::Error{path.string() + ": " + token.error().message, token.error().hint};
  }
  return token;
}

/// The models to serve, whose names are those of their directories.
Result<std::vector<continuo::LoadedModel>> LoadModels(const ServeFlags& flags, const continuo::AppContext& context) {
  constexpr size_t kSequences = 8;  // decoded at a time
  std::vector<continuo::LoadedModel> models;
  for (const std::string& path : flags.models.empty() ? std::vector<std::string>(1) : flags.models) {
    continuo::ModelFlags chosen;
    chosen.model = path;
    chosen.tokenizer = flags.tokenizer;
    chosen.threads = flags.threads;
    CONTINUO_ASSIGN(continuo::LoadedModel model, continuo::LoadModel(chosen, kSequences, context));
    models.push_back(std::move(model));
  }
  return models;
}

std::string NameOf(const continuo::LoadedModel& model) {
  const fs::path path = fs::absolute(model.directory).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

Result<std::vector<continuo::ApiModel>> NameModels(const std::vector<continuo::LoadedModel>& models) {
  std::vector<continuo::ApiModel> named;
  for (const continuo::LoadedModel& model : models) {
    for (const continuo::ApiModel& other : named) {
      if (other.name == NameOf(model)) {
        return continuo::Error{fmt::format("{} and {}: have the same name, by which requests choose a model",
                                           other.model->directory.string(), model.directory.string()),
                               "rename one of the directories"};
      }
    }
    named.push_back({NameOf(model), &model});
  }
  return named;
}

/// The bytes of a MIDI file as they are; MusicXML as the MIDI file that `continue` makes of it.
Result<continuo::OpenedFile> OpenFile(const fs::path& path) {
  CONTINUO_ASSIGN(const continuo::PieceFile file, continuo::ReadPiece(path));  // a fault is reported now
  continuo::OpenedFile opened{path.filename().string(), file.piece.Bytes()};
  if (!continuo::IsMusicXmlName(path)) {
    CONTINUO_ASSIGN(opened.midi, continuo::ReadFile(path));
  }
  return opened;
}

Result<continuo::Page> ReadPage(const ServeFlags& flags) {
  const fs::path installed = continuo::ProgramFolder() / ".." / "share" / "continuo" / "studio-page.html";
  const fs::path path = flags.page.empty() ? installed.lexically_normal() : fs::path(flags.page);
  std::error_code code;
  if (flags.page.empty() && !fs::exists(path, code)) {
    return continuo::Error{path.string() + ": is not there, where the studio's page was expected",
                           "install Continuo whole; `continuo serve` is the API without the page"};
  }
  CONTINUO_ASSIGN(std::string html, continuo::ReadTextFile(path));
  return continuo::MakePage(std::move(html));
}

/// The page's addresses are printed; a browser opens the first, if there is a display. Not with a
/// token: all users of a machine see the arguments of its programs.
Status OpenPage(const std::vector<std::string>& pages, const std::string& token, const ServeFlags& flags,
                const continuo::AppContext& context) {
  const bool has_display =
      !continuo::EnvironmentVariable("DISPLAY").empty() || !continuo::EnvironmentVariable("WAYLAND_DISPLAY").empty();
  if (flags.no_open || !has_display) {
    return {};
  }
  if (!token.empty()) {
    continuo::PrintNote(context,
                        "open the address yourself: a browser started from here would show its token to others");
    return {};
  }
  const Status opened = continuo::StartDetached("xdg-open", {pages.front()});
  if (!opened.ok()) {
    continuo::PrintNote(context, "open the address yourself: " + opened.error().message);
  }
  return {};
}

Status Run(const ServeFlags& flags, const continuo::AppContext& context) {
  CONTINUO_ASSIGN(const std::string token, ReadToken(flags));
  continuo::HttpOptions http{.address = flags.listen, .port = flags.port, .token = token, .names = flags.names};
  continuo::ApiOptions options;
  options.version = continuo::Version();
  options.render = [&flags](std::span<const uint8_t> midi, const continuo::StopToken& stop) {
    return continuo::RenderWithProgram(midi, flags.soundfont, stop);
  };
  if (flags.is_studio) {
    CONTINUO_ASSIGN(http.page, ReadPage(flags));
  }
  if (!flags.file.empty()) {
    CONTINUO_ASSIGN(options.opened, OpenFile(flags.file));
  }
  CONTINUO_ASSIGN(const std::vector<continuo::LoadedModel> models, LoadModels(flags, context));
  CONTINUO_ASSIGN(std::vector<continuo::ApiModel> named, NameModels(models));
  continuo::Api api(std::move(named), std::move(options));
  CONTINUO_ASSIGN(const auto server, continuo::HttpServer::Start(api, http));

  const std::vector<std::string> addresses = server->addresses();
  std::vector<std::string> pages;
  for (const std::string& address : addresses) {
    pages.push_back(address + "/" + (token.empty() ? "" : "#token=" + token));
  }
  if (context.json) {
    nlohmann::ordered_json json = {{"address", addresses.front()}};
    if (flags.is_studio) {
      json["page"] = pages.front();
    }
    CONTINUO_TRY(continuo::PrintJson(json));
  } else {
    for (size_t i = 0; i < addresses.size(); ++i) {
      const std::string& shown = flags.is_studio ? pages[i] : addresses[i] + "/api/v1";
      CONTINUO_TRY(continuo::PrintLine(fmt::format("{}{}", shown, i == 0 ? ": serving, Ctrl-C ends it" : "")));
    }
  }
  std::fflush(stdout);
  if (flags.is_studio) {
    CONTINUO_TRY(OpenPage(pages, token, flags, context));
  }
  const continuo::StopToken stop = continuo::SignalStop();
  while (!stop.stop_requested()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return {};
}

void AddFlags(CLI::App& app, ServeFlags& flags, continuo::AppContext& context) {
  if (flags.is_studio) {
    app.add_option("file", flags.file, "a MIDI or MusicXML file to open in the page");
    app.add_flag("--no-open", flags.no_open, "start no browser");
    app.add_option("--page", flags.page, "the page; default: the one that is installed");
  }
  app.add_option("--port", flags.port, "0: one that is free")->capture_default_str();
  app.add_option("--model", flags.models, "a model directory, once or more often; default: the model that ships")
      ->allow_extra_args(false);
  continuo::AddModelTokenizerFlag(app, flags.tokenizer);
  app.add_option("--threads", flags.threads, "threads; 0: one for each core")->capture_default_str();
  app.add_option("--listen", flags.listen, "an address of this machine; one that others can reach needs a token")
      ->capture_default_str();
  app.add_option("--token-file", flags.token_file,
                 "a file with the token that requests must bring; default: the environment variable CONTINUO_TOKEN");
  app.add_option("--name", flags.names, "another name of the server, NAME or NAME:PORT, once or more often")
      ->allow_extra_args(false);
  app.add_option("--soundfont", flags.soundfont, "renders audio; default: one of the system's");
  app.add_flag("--json", context.json, "machine-readable output");
  app.add_flag("-q,--quiet", context.quiet, "no notes");
  app.footer(flags.is_studio ? "Opens the browser if there is a display, and prints the address. Ctrl-C ends it.\n\n"
                               "Examples:\n"
                               "  continuo studio\n"
                               "  continuo studio song.mid --port 0"
                             : "docs/api/openapi.json describes the API.\n\n"
                               "Examples:\n"
                               "  continuo serve --port 8642\n"
                               "  continuo serve --model models/pop-piano --model out/run/best\n"
                               "  (umask 077; openssl rand -hex 24 > token)\n"
                               "  continuo serve --listen 0.0.0.0 --token-file token");
}

}  // namespace

int main(int argc, char** argv) {
  continuo::AppContext context;
  context.arguments.assign(argv, argv + argc);
  ServeFlags flags;
  // `continuo studio` starts this program with the word, `continuo serve` without.
  flags.is_studio = argc > 1 && std::string_view(argv[1]) == "studio";
  CLI::App app(flags.is_studio ? "Compose in the browser: serve the studio's page and the HTTP API on this machine."
                               : "Serve the HTTP API on this machine's loopback address, 127.0.0.1.",
               flags.is_studio ? "continuo studio" : "continuo serve");
  AddFlags(app, flags, context);
  try {
    flags.is_studio ? app.parse(argc - 1, argv + 1) : app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
#ifdef __GLIBC__
  // Each request allocates and frees buffers of up to a few MB. By default glibc raises its mmap
  // threshold to the largest block freed so far and then keeps such blocks, fragmented, in its
  // arenas: 30 to 55 MB, differing from run to run. With a fixed threshold freed memory goes back
  // to the kernel, and the process stays at 22 to 24 MB (tools/check_server.py).
  mallopt(M_MMAP_THRESHOLD, 64 << 10);
  mallopt(M_TRIM_THRESHOLD, 64 << 10);
#endif
  continuo::CatchInterrupts();
  const Status status = Run(flags, context);
  if (!status.ok()) {
    continuo::PrintError(status.error());
  }
  const int signal = continuo::InterruptSignal();
  return signal != 0 ? 128 + signal : status.ok() ? 0 : 1;
}
