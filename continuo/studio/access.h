#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "continuo/core/result.h"

namespace continuo {

/// Who may ask a server: what the headers of a request must say. Immutable; thread-safe.
class Access {
 public:
  /// `names` are other names that clients know the server by, "studio.example" or
  /// "studio.example:8443"; without a port, the server's own. An empty `token` asks for none.
  Access(std::vector<std::string> names, std::string_view token);

  /// Whether a request that came to `address` ("127.0.0.1", "::1") and `port` names this server in
  /// its Host header: as that address or one of the names, or as localhost if it is a loopback
  /// address. No other name can then be made to point to the server (DNS rebinding).
  bool IsHost(std::string_view host, std::string_view address, uint16_t port) const;

  /// Whether an Origin header is that of a page of this server: http:// and a host as above, or
  /// https:// and one of the names, which something before the server may serve.
  bool IsOrigin(std::string_view origin, std::string_view address, uint16_t port) const;

  /// Whether an Authorization header has the token, or none is asked for. Takes the same time
  /// wherever the two differ.
  bool IsAuthorized(std::string_view authorization) const;

 private:
  bool IsName(std::string_view host, uint16_t port) const;

  const std::vector<std::string> names_;
  const bool has_token_;
  const std::array<uint8_t, 32> digest_;  // SHA-256 of the token
};

/// Whether a numeric address is one that only this machine reaches: 127.0.0.0/8 or ::1.
bool IsLoopback(std::string_view address);

/// An address and a port as a URL has them: "127.0.0.1:80", "[::1]:80".
std::string Authority(std::string_view address, uint16_t port);

/// A token without white space around it. Fails unless it has 16 to 1,024 characters, all of which
/// may stand in a header and in a URL: letters, digits and -._~+/=
Result<std::string> CheckToken(std::string_view text);

}  // namespace continuo
