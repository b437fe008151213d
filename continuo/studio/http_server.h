#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "continuo/core/result.h"
#include "continuo/studio/api.h"

namespace continuo {

struct HttpOptions {
  uint16_t port = 0;        // 0: one that is free
  size_t connections = 32;  // at a time
  std::chrono::seconds idle{30};
  std::chrono::seconds longest{600};  // that a request may compute
};

/// An Api over HTTP/1.1 on the loopback address 127.0.0.1, by libmicrohttpd, with a thread for each
/// connection. Chosen over cpp-httplib, whose release in Debian 12 reads headers and bodies without
/// bound, and over Boost.Beast, which leaves limits, time-outs and threads to its user:
/// libmicrohttpd bounds headers (32 KiB here), connections and idle time itself.
///
/// Requests must name the server in their Host header as 127.0.0.1 or localhost with its port, so
/// that no other name can be made to point to it; where they have an Origin, it must be the
/// server's own. Bodies are read up to ApiLimits::body_bytes (413). Streams are server-sent events;
/// a comment every second finds out whether the client is still there, and the work stops when it
/// is not.
class HttpServer {
 public:
  /// Fails where the port is taken. `api` must outlive the server.
  static Result<std::unique_ptr<HttpServer>> Start(Api& api, const HttpOptions& options);
  /// Stops all requests and waits for their threads.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;

  struct State;

 private:
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace continuo
