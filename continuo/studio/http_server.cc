#include "continuo/studio/http_server.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <microhttpd.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "continuo/core/clock.h"
#include "continuo/studio/access.h"

namespace continuo {

struct HttpServer::State {
  Api& api;
  const HttpOptions options;
  const Access access;
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

/// A numeric address with its port, in the form that the system takes.
struct SocketAddress {
  sockaddr_storage storage = {};

  static std::optional<SocketAddress> Parse(const std::string& text, uint16_t port) {
    SocketAddress address;
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      return address;
    }
    if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      return address;
    }
    return std::nullopt;
  }

  bool is_v6() const { return storage.ss_family == AF_INET6; }
  bool is_any() const {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    return is_v6() ? IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)
                   : reinterpret_cast<const sockaddr_in&>(storage).sin_addr.s_addr == INADDR_ANY;
  }
  /// Without the port; empty for addresses of other kinds.
  std::string Text() const {
    const void* bytes = is_v6() ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr)
                                : static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(storage).sin_addr);
    char text[INET6_ADDRSTRLEN] = {};
    return ::inet_ntop(storage.ss_family, bytes, text, sizeof(text)) == nullptr ? std::string() : std::string(text);
  }
};

int SocketOf(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info == nullptr ? -1 : info->connect_fd;
}

/// The address of this machine that a connection came to.
std::string LocalAddress(MHD_Connection* connection) {
  SocketAddress address;
  socklen_t size = sizeof(address.storage);
  const bool known = ::getsockname(SocketOf(connection), reinterpret_cast<sockaddr*>(&address.storage), &size) == 0;
  return known ? address.Text() : std::string();
}

/// Whether the client has closed its connection.
bool IsGone(int socket) {
  pollfd asked = {socket, POLLRDHUP, 0};
  return ::poll(&asked, 1, 0) > 0 && (asked.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/// Asks to stop when the server does, when the client of a request has gone, or when the request
/// has computed for as long as it may.
StopToken StopFor(const HttpServer::State& state, MHD_Connection* connection) {
  // When to look at the client again, which costs a system call.
  auto next_look = std::make_shared<std::atomic<Clock::duration::rep>>(0);
  return StopToken([&state, next_look, socket = SocketOf(connection), deadline = Clock::now() + state.options.longest] {
    const Clock::time_point now = Clock::now();
    if (state.stopping || now > deadline) {
      return true;
    }
    if (now.time_since_epoch().count() < *next_look) {
      return false;
    }
    *next_look = (now + std::chrono::milliseconds(100)).time_since_epoch().count();
    return IsGone(socket);
  });
}

MHD_Result Queue(MHD_Connection* connection, int status, MHD_Response* response, const std::string& type,
                 const std::vector<std::pair<const char*, std::string>>& headers = {}) {
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type.c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
  MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
  for (const auto& [name, value] : headers) {
    MHD_add_response_header(response, name, value.c_str());
  }
  const MHD_Result result = MHD_queue_response(connection, static_cast<unsigned>(status), response);
  MHD_destroy_response(response);
  return result;
}

void FreeFile(void* file) {
  delete static_cast<std::shared_ptr<const MappedFile>*>(file);
}

MHD_Result QueueBody(MHD_Connection* connection, ApiAnswer& answer) {
  MHD_Response* response = nullptr;
  if (answer.file) {
    const std::span<const uint8_t> bytes = answer.file->bytes();
    auto held = std::make_unique<std::shared_ptr<const MappedFile>>(std::move(answer.file));
    response = MHD_create_response_from_buffer_with_free_callback_cls(bytes.size(), const_cast<uint8_t*>(bytes.data()),
                                                                      &FreeFile, held.get());
    if (response != nullptr) {
      static_cast<void>(held.release());  // the response's
    }
  } else {
    response = MHD_create_response_from_buffer(answer.body.size(), answer.body.data(), MHD_RESPMEM_MUST_COPY);
  }
  if (response == nullptr) {
    return MHD_NO;
  }
  std::vector<std::pair<const char*, std::string>> headers;
  if (!answer.allow.empty()) {
    headers.emplace_back(MHD_HTTP_HEADER_ALLOW, answer.allow);
  }
  if (answer.status == MHD_HTTP_UNAUTHORIZED) {
    headers.emplace_back(MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
  }
  return Queue(connection, answer.status, response, answer.content_type, headers);
}

/// The page, which the server's state holds.
MHD_Result QueuePage(MHD_Connection* connection, const Page& page) {
  MHD_Response* response =
      MHD_create_response_from_buffer(page.html.size(), const_cast<char*>(page.html.data()), MHD_RESPMEM_PERSISTENT);
  return response == nullptr ? MHD_NO
                             : Queue(connection, MHD_HTTP_OK, response, "text/html; charset=utf-8",
                                     {{"Content-Security-Policy", page.policy},
                                      {"Cross-Origin-Opener-Policy", "same-origin"},
                                      {"Referrer-Policy", "no-referrer"},
                                      {"X-Frame-Options", "DENY"}});
}

ssize_t ReadEvents(void* stream, uint64_t, char* buffer, size_t size) {
  const size_t count = static_cast<EventStream*>(stream)->Read(buffer, size);
  return count == 0 ? MHD_CONTENT_READER_END_OF_STREAM : static_cast<ssize_t>(count);
}

void FreeEvents(void* stream) {
  delete static_cast<EventStream*>(stream);
}

// Called with the headers alone, then with each piece of the body, then at its end.
MHD_Result Handle(HttpServer::State& state, MHD_Connection* connection, const char* url, const char* method,
                  const char* data, size_t* size, void** slot) {
  const size_t most = state.api.limits().body_bytes;
  auto* exchange = static_cast<Exchange*>(*slot);
  if (exchange == nullptr) {
    exchange = new Exchange;
    *slot = exchange;
    exchange->request = {method, url, std::string(Header(connection, MHD_HTTP_HEADER_CONTENT_TYPE)), {}};
    const std::string address = LocalAddress(connection);
    const std::string_view origin = Header(connection, MHD_HTTP_HEADER_ORIGIN);
    const std::string_view length = Header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const bool is_page = state.options.page && exchange->request.path == "/";
    uint64_t bytes = 0;
    const auto parsed = std::from_chars(length.data(), length.data() + length.size(), bytes);
    ApiAnswer refused;
    if (!state.access.IsHost(Header(connection, MHD_HTTP_HEADER_HOST), address, state.port)) {
      refused = Api::ErrorAnswer(403, {"the Host header is not that of this server",
                                       "use the address that the server printed; --name permits another one"});
    } else if (!origin.empty() && !state.access.IsOrigin(origin, address, state.port)) {
      refused = Api::ErrorAnswer(403, {"requests from other origins are not answered"});
    } else if (!is_page && !state.access.IsAuthorized(Header(connection, MHD_HTTP_HEADER_AUTHORIZATION))) {
      refused = Api::ErrorAnswer(401, {"the header Authorization: Bearer with this server's token is missing",
                                       "open the page at the address that the server printed, with its fragment"});
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
  const std::string& asked = exchange->request.method;
  if (state.options.page && exchange->request.path == "/" && (asked == "GET" || asked == "HEAD")) {
    return QueuePage(connection, *state.options.page);
  }
  ApiAnswer answer = state.api.Answer(exchange->request, StopFor(state, connection));
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
  static_cast<void>(stream.release());  // the response's
  return Queue(connection, answer.status, response, answer.content_type);
}

MHD_Result OnAccess(void* state, MHD_Connection* connection, const char* url, const char* method, const char*,
                    const char* data, size_t* size, void** slot) {
  try {
    return Handle(*static_cast<HttpServer::State*>(state), connection, url, method, data, size, slot);
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

std::vector<std::string> HttpServer::addresses() const {
  std::vector<std::string> urls;
  const SocketAddress listening = *SocketAddress::Parse(state_->options.address, state_->port);
  if (!listening.is_any()) {
    return {"http://" + Authority(listening.Text(), state_->port)};
  }
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return {"http://" + Authority(listening.Text(), state_->port)};
  }
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0 ||
        entry->ifa_addr->sa_family != listening.storage.ss_family) {
      continue;
    }
    SocketAddress address;
    std::memcpy(&address.storage, entry->ifa_addr, listening.is_v6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    if (!address.Text().starts_with("fe80:")) {  // a link's own, which browsers do not take
      urls.push_back("http://" + Authority(address.Text(), state_->port));
    }
  }
  ::freeifaddrs(list);
  return urls;
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(Api& api, const HttpOptions& options) {
  const std::optional<SocketAddress> address = SocketAddress::Parse(options.address, options.port);
  if (!address) {
    return Error{fmt::format("{}: is not an address, expected numbers such as 192.168.0.2 or ::1", options.address),
                 "`hostname -I` prints those of this machine"};
  }
  if (options.token.empty() && !IsLoopback(address->Text())) {
    return Error{fmt::format("{}: others can reach this address, so that requests need a token", options.address),
                 "give one with --token-file or in the environment variable CONTINUO_TOKEN"};
  }
  std::unique_ptr<HttpServer> server(
      new HttpServer(std::unique_ptr<State>(new State{api, options, Access(options.names, options.token)})));
  State& state = *server->state_;
  constexpr size_t kHeaderBytes = 32768;
  state.port = options.port;
  errno = 0;
  unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
  if (address->is_v6()) {
    flags |= MHD_USE_IPv6;
  }
  state.daemon = MHD_start_daemon(flags, options.port, nullptr, nullptr, &OnAccess, &state, MHD_OPTION_SOCK_ADDR,
                                  reinterpret_cast<const sockaddr*>(&address->storage), MHD_OPTION_CONNECTION_LIMIT,
                                  static_cast<unsigned>(options.connections), MHD_OPTION_CONNECTION_TIMEOUT,
                                  static_cast<unsigned>(options.idle.count()), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                  kHeaderBytes, MHD_OPTION_NOTIFY_COMPLETED, &OnCompleted, nullptr, MHD_OPTION_END);
  if (state.daemon == nullptr) {
    return Error{fmt::format("{}: cannot be listened on: {}", Authority(options.address, options.port),
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
