#include "continuo/core/result.h"

namespace continuo {

std::string_view Name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return "invalid";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kFull:
      return "full";
    case ErrorCode::kBusy:
      return "busy";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kTooLarge:
      return "too_large";
  }
  return "invalid";
}

std::string Error::ToString() const {
  return hint.empty() ? message : fmt::format("{} ({})", message, hint);
}

Error CancelledError() {
  return {.message = "interrupted", .code = ErrorCode::kCancelled};
}

}  // namespace continuo
