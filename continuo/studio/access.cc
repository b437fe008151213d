#include "continuo/studio/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "continuo/core/hash.h"

namespace continuo {
namespace {

std::array<uint8_t, 32> DigestOf(std::string_view text) {
  Sha256 hash;
  hash.Update(text);
  return hash.Finish();
}

}  // namespace

bool IsLoopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1";
}

std::string Authority(std::string_view address, uint16_t port) {
  const bool is_v6 = address.find(':') != std::string_view::npos;
  return is_v6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

Result<std::string> CheckToken(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  const std::string_view token = text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
  if (token.size() < 16 || token.size() > 1024) {
    return Error{fmt::format("the token has {} characters, expected 16 to 1,024", token.size()),
                 "`openssl rand -hex 24` makes one"};
  }
  for (const char c : token) {
    const bool is_alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_alphanumeric && std::string_view("-._~+/=").find(c) == std::string_view::npos) {
      return Error{"the token has characters other than letters, digits and -._~+/=",
                   "`openssl rand -hex 24` makes one"};
    }
  }
  return std::string(token);
}

Access::Access(std::vector<std::string> names, std::string_view token)
    : names_(std::move(names)), has_token_(!token.empty()), digest_(DigestOf(token)) {}

bool Access::IsName(std::string_view host, uint16_t port) const {
  return std::any_of(names_.begin(), names_.end(), [&](const std::string& name) {
    return host == (name.find(':') == std::string::npos ? Authority(name, port) : name) ||
           (name.find(':') == std::string::npos && host == name);  // the scheme's own port is left out
  });
}

bool Access::IsHost(std::string_view host, std::string_view address, uint16_t port) const {
  return host == Authority(address, port) || (IsLoopback(address) && host == Authority("localhost", port)) ||
         IsName(host, port);
}

bool Access::IsOrigin(std::string_view origin, std::string_view address, uint16_t port) const {
  constexpr std::string_view kHttp = "http://";
  constexpr std::string_view kHttps = "https://";
  return (origin.starts_with(kHttp) && IsHost(origin.substr(kHttp.size()), address, port)) ||
         (origin.starts_with(kHttps) && IsName(origin.substr(kHttps.size()), port));
}

bool Access::IsAuthorized(std::string_view authorization) const {
  if (!has_token_) {
    return true;
  }
  constexpr std::string_view kBearer = "Bearer ";
  if (!authorization.starts_with(kBearer)) {
    return false;
  }
  // Digests of equal length, compared whole: the time says nothing of where they differ.
  const std::array<uint8_t, 32> given = DigestOf(authorization.substr(kBearer.size()));
  uint8_t different = 0;
  for (size_t i = 0; i < given.size(); ++i) {
    different |= static_cast<uint8_t>(given[i] ^ digest_[i]);
  }
  return different == 0;
}

}  // namespace continuo
