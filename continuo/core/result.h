#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "continuo/core/check.h"

namespace continuo {

/// The kind of an Error, for callers that act on it.
enum class ErrorCode {
  kInvalid,    // the input or a setting is wrong; also every error without a more specific code
  kNotFound,   // a file or another thing named does not exist
  kIo,         // the operating system failed
  kFull,       // the disk is full
  kBusy,       // another process holds the thing
  kCancelled,  // a StopToken requested a stop
  kTooLarge,   // more than a limit that this program sets allows
};

/// "invalid", "not_found", ...: for interfaces to other languages and programs.
std::string_view Name(ErrorCode code);

/// What went wrong, in words for the person at the keyboard: the file or field, the place in it,
/// the value found and what was expected. `hint` says what to do about it and may be empty.
struct Error {
  std::string message;
  std::string hint = {};
  ErrorCode code = ErrorCode::kInvalid;

  /// "message (hint)", or the message alone.
  std::string ToString() const;
};

/// An Error with a message formatted by fmt.
template <typename... Args>
[[nodiscard]] Error MakeError(fmt::format_string<Args...> format, Args&&... args) {
  return Error{fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
[[nodiscard]] Error MakeError(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Error{.message = fmt::format(format, std::forward<Args>(args)...), .code = code};
}

/// The Error of work that a StopToken ended.
[[nodiscard]] Error CancelledError();

/// A value, or the Error that kept it from being made. What the outside world can cause comes back
/// as an Error; what only a bug can cause is a CHECK. Reading the value of a failed Result is such
/// a bug.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  const T& value() const& {
    CONTINUO_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T& value() & {
    CONTINUO_CHECK(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    CONTINUO_CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  const Error& error() const& {
    CONTINUO_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    CONTINUO_CHECK(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT: implicit by design

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  const Error& error() const& {
    CONTINUO_CHECK(!ok_);
    return error_;
  }
  Error&& error() && {
    CONTINUO_CHECK(!ok_);
    return std::move(error_);
  }

 private:
  Error error_;
  bool ok_ = true;
};

using Status = Result<void>;

}  // namespace continuo

#define CONTINUO_CONCAT_INNER(a, b) a##b
#define CONTINUO_CONCAT(a, b) CONTINUO_CONCAT_INNER(a, b)

/// Evaluates an expression of type Result and returns its Error from the calling function, if it
/// has one.
#define CONTINUO_TRY(expr)                                \
  do {                                                    \
    if (auto continuo_try = (expr); !continuo_try.ok()) { \
      return std::move(continuo_try).error();             \
    }                                                     \
  } while (false)

#define CONTINUO_ASSIGN_IMPL(temp, lhs, expr) \
  auto temp = (expr);                         \
  if (!temp.ok()) {                           \
    return std::move(temp).error();           \
  }                                           \
  lhs = std::move(temp).value()

/// `CONTINUO_ASSIGN(auto score, ReadScore(path));` takes the value, or returns the Error.
#define CONTINUO_ASSIGN(lhs, expr) CONTINUO_ASSIGN_IMPL(CONTINUO_CONCAT(continuo_result_, __LINE__), lhs, expr)
