#include "continuo/core/result.h"

namespace continuo {

std::string Error::ToString() const {
  return hint.empty() ? message : fmt::format("{} ({})", message, hint);
}

Error CancelledError() {
  return {.message = "interrupted", .code = ErrorCode::kCancelled};
}

}  // namespace continuo
