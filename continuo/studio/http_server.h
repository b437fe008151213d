#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/studio/api.h"
#include "continuo/studio/page.h"

namespace continuo {

struct HttpOptions {
  std::string address = "127.0.0.1";    // to listen on, as a number; IPv4 or IPv6
  uint16_t port = 0;                    // 0: one that is free
  std::string token = {};               // that requests to the API must bring; empty: none
  std::vector<std::string> names = {};  // other names of the server, see Access
  std::optional<Page> page = {};        // served at /
  size_t connections = 32;              // at a time
  std::chrono::seconds idle{30};
  std::chrono::seconds longest{600};  // that a request may compute
};

/// An Api, and a page if there is one, over HTTP/1.1 by libmicrohttpd, with a thread for each
/// connection. Chosen over cpp-httplib, whose release in Debian 12 reads headers and bodies without
/// bound, and over Boost.Beast, which leaves limits, time-outs and threads to its user:
/// libmicrohttpd bounds headers (32 KiB here), connections and idle time itself.
///
/// Requests must name the server in their Host header, and an Origin must be the server's own (see
/// Access); else they get 403. With a token, requests to the API without "Authorization: Bearer
/// TOKEN" get 401. The page itself is not a secret: it takes the token from the fragment of its
/// address, which browsers do not send. Bodies are read up to ApiLimits::body_bytes (413). Streams
/// are server-sent events; a comment every second finds out whether the client is still there. The
/// work for a client that has gone stops within a second or two.
class HttpServer {
 public:
  /// Fails where the address cannot be listened on, and on an address that others can reach if
  /// there is no token. `api` must outlive the server.
  static Result<std::unique_ptr<HttpServer>> Start(Api& api, const HttpOptions& options);
  /// Stops all requests and waits for their threads.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;
  /// "http://127.0.0.1:8642": where the server is reached; one for each address of the machine if
  /// it listens on all (0.0.0.0 or ::).
  std::vector<std::string> addresses() const;

  struct State;

 private:
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace continuo
