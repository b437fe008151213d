#include "continuo/studio/http_server.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace continuo {

using Clock = std::chrono::steady_clock;

struct HttpServer::State {
  Api& api;
  HttpOptions options;
  MHD_Daemon* daemon = nullptr;
  uint16_t port = 0;
  std::atomic<bool> stopping{false};
};

namespace {

/// The events of one request on their way to the client.
class EventStream {
 public:
  using Run = std::function<void(const EventSink& sink, const StopToken& stop)>;

  EventStream(Run run, const std::atomic<bool>& stopping, std::chrono::seconds longest)
      : stopping_(stopping), deadline_(Clock::now() + longest) {
    worker_ = std::thread([this, run = std::move(run), longest]() mutable {
      const StopToken stop([this] { return cancelled_ || stopping_ || Clock::now() > deadline_; });
      run([this](std::string_view name, const nlohmann::ordered_json& data) { return Send(name, data); }, stop);
      run = {};  // gives up its place in the queue
      if (Clock::now() > deadline_) {
        const Error error{fmt::format("took more than {} seconds", longest.count()), "ask for fewer bars or pieces",
                          ErrorCode::kCancelled};
        Send("error", nlohmann::ordered_json::parse(Api::ErrorAnswer(503, error).body));
      }
      const std::lock_guard lock(mutex_);
      finished_ = true;
      changed_.notify_all();
    });
  }
  ~EventStream() {
    cancelled_ = true;
    changed_.notify_all();
    worker_.join();
  }
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  /// What is there, a comment after a second without anything, or nothing at the end.
  size_t Read(char* buffer, size_t size) {
    constexpr std::string_view kComment = ":\n\n";
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(1), [&] { return !pending_.empty() || finished_ || stopping_; });
    if (pending_.empty()) {
      if (finished_ || stopping_) {
        return 0;
      }
      pending_ = kComment;
    }
    const size_t count = std::min(size, pending_.size());
    std::copy_n(pending_.begin(), count, buffer);
    pending_.erase(0, count);
    changed_.notify_all();
    return count;
  }

 private:
  bool Send(std::string_view name, const nlohmann::ordered_json& data) {
    constexpr size_t kMostPending = size_t{4} << 20;  // a client that does not read holds the work up
    const std::string text = fmt::format("event: {}\ndata: {}\n\n", name,
                                         data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    std::unique_lock lock(mutex_);
    while (pending_.size() > kMostPending && !cancelled_ && !stopping_) {
      changed_.wait_for(lock, std::chrono::milliseconds(100));
    }
    if (cancelled_ || stopping_) {
      return false;
    }
    pending_ += text;
    changed_.notify_all();
    return true;
  }

  const std::atomic<bool>& stopping_;
  const Clock::time_point deadline_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string pending_;
  bool finished_ = false;
  std::atomic<bool> cancelled_{false};
  std::thread worker_;
};

/// A request while its body arrives.
struct Exchange {
  ApiRequest request;
  std::string refusal;  // why it is not read
  int status = 0;       // with which it is refused; 0: it is not
};

std::string_view Header(MHD_Connection* connection, const char* name) {
  const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool IsOwnName(std::string_view host, uint16_t port) {
  return host == fmt::format("127.0.0.1:{}", port) || host == fmt::format("localhost:{}", port);
}

MHD_Result Queue(MHD_Connection* connection, int status, MHD_Response* response, const std::string& type,
                 const std::string& allow) {
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type.c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  if (!allow.empty()) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow.c_str());
  }
  const MHD_Result result = MHD_queue_response(connection, static_cast<unsigned>(status), response);
  MHD_destroy_response(response);
  return result;
}

MHD_Result QueueBody(MHD_Connection* connection, ApiAnswer& answer) {
  MHD_Response* response =
      MHD_create_response_from_buffer(answer.body.size(), answer.body.data(), MHD_RESPMEM_MUST_COPY);
  return response == nullptr ? MHD_NO : Queue(connection, answer.status, response, answer.content_type, answer.allow);
}

ssize_t ReadEvents(void* stream, uint64_t, char* buffer, size_t size) {
  const size_t count = static_cast<EventStream*>(stream)->Read(buffer, size);
  return count == 0 ? MHD_CONTENT_READER_END_OF_STREAM : static_cast<ssize_t>(count);
}

void FreeEvents(void* stream) {
  delete static_cast<EventStream*>(stream);
}

// Called with the headers alone, then with each piece of the body, then at its end.
MHD_Result Access(HttpServer::State& state, MHD_Connection* connection, const char* url, const char* method,
                  const char* data, size_t* size, void** slot) {
  const size_t most = state.api.limits().body_bytes;
  auto* exchange = static_cast<Exchange*>(*slot);
  if (exchange == nullptr) {
    exchange = new Exchange;
    *slot = exchange;
    exchange->request = {method, url, std::string(Header(connection, MHD_HTTP_HEADER_CONTENT_TYPE)), {}};
    const std::string_view host = Header(connection, MHD_HTTP_HEADER_HOST);
    const std::string_view origin = Header(connection, MHD_HTTP_HEADER_ORIGIN);
    const std::string_view length = Header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    uint64_t bytes = 0;
    const auto parsed = std::from_chars(length.data(), length.data() + length.size(), bytes);
    constexpr std::string_view kScheme = "http://";
    ApiAnswer refused;
    if (!IsOwnName(host, state.port)) {
      refused = Api::ErrorAnswer(403, {"the Host header is not that of this server"});
    } else if (!origin.empty() &&
               !(origin.starts_with(kScheme) && IsOwnName(origin.substr(kScheme.size()), state.port))) {
      refused = Api::ErrorAnswer(403, {"requests from other origins are not answered"});
    } else if (!length.empty() && (parsed.ec != std::errc() || bytes > most)) {
      refused = Api::ErrorAnswer(
          413, {fmt::format("the request has {} bytes, expected at most {}", length, most), {}, ErrorCode::kTooLarge});
    } else {
      return MHD_YES;
    }
    return QueueBody(connection, refused);  // the body is not read
  }
  if (*size > 0) {
    std::string& body = exchange->request.body;
    if (body.size() + *size > most) {
      return MHD_NO;  // a body without a length that goes beyond the limit: the connection ends
    }
    body.append(data, *size);
    *size = 0;
    return MHD_YES;
  }
  ApiAnswer answer = state.api.Answer(exchange->request, StopToken([&state] { return state.stopping.load(); }));
  if (!answer.run) {
    return QueueBody(connection, answer);
  }
  auto stream = std::make_unique<EventStream>(std::move(answer.run), state.stopping, state.options.longest);
  constexpr size_t kBlock = 16384;
  MHD_Response* response =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kBlock, &ReadEvents, stream.get(), &FreeEvents);
  if (response == nullptr) {
    return MHD_NO;
  }
  stream.release();  // the response's
  return Queue(connection, answer.status, response, answer.content_type, {});
}

MHD_Result OnAccess(void* state, MHD_Connection* connection, const char* url, const char* method, const char*,
                    const char* data, size_t* size, void** slot) {
  try {
    return Access(*static_cast<HttpServer::State*>(state), connection, url, method, data, size, slot);
  } catch (const std::exception&) {  // out of memory, or threads
    return MHD_NO;
  }
}

void OnCompleted(void*, MHD_Connection*, void** slot, MHD_RequestTerminationCode) {
  delete static_cast<Exchange*>(*slot);
  *slot = nullptr;
}

}  // namespace

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() {
  state_->stopping = true;
  if (state_->daemon != nullptr) {
    MHD_stop_daemon(state_->daemon);
  }
}

uint16_t HttpServer::port() const {
  return state_->port;
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(Api& api, const HttpOptions& options) {
  std::unique_ptr<HttpServer> server(new HttpServer(std::unique_ptr<State>(new State{api, options})));
  State& state = *server->state_;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  constexpr size_t kHeaderBytes = 32768;
  state.port = options.port;
  errno = 0;
  state.daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL,
                                  options.port, nullptr, nullptr, &OnAccess, &state, MHD_OPTION_SOCK_ADDR,
                                  reinterpret_cast<const sockaddr*>(&address), MHD_OPTION_CONNECTION_LIMIT,
                                  static_cast<unsigned>(options.connections), MHD_OPTION_CONNECTION_TIMEOUT,
                                  static_cast<unsigned>(options.idle.count()), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                  kHeaderBytes, MHD_OPTION_NOTIFY_COMPLETED, &OnCompleted, nullptr, MHD_OPTION_END);
  if (state.daemon == nullptr) {
    return Error{fmt::format("127.0.0.1:{}: cannot be listened on: {}", options.port,
                             errno != 0 ? std::generic_category().message(errno) : "libmicrohttpd does not start"),
                 "choose another port with --port, or 0 for one that is free", ErrorCode::kBusy};
  }
  if (options.port == 0) {
    const MHD_DaemonInfo* info = MHD_get_daemon_info(state.daemon, MHD_DAEMON_INFO_BIND_PORT);
    state.port = info == nullptr ? 0 : info->port;
  }
  return server;
}

}  // namespace continuo
