#include "continuo/results/cell.h"

#include <array>
#include <span>
#include <string>
#include <utility>

#include "continuo/core/check.h"

namespace continuo {
namespace {

template <typename Value>
using Texts = std::span<const std::pair<Value, std::string_view>>;

constexpr std::array<std::pair<CellStatus, std::string_view>, 5> kStatuses = {{
    {CellStatus::kPending, "pending"},
    {CellStatus::kRunning, "running"},
    {CellStatus::kDone, "done"},
    {CellStatus::kFailed, "failed"},
    {CellStatus::kDropped, "dropped"},
}};
constexpr std::array<std::pair<SetKind, std::string_view>, 3> kKinds = {{
    {SetKind::kReal, "real"},
    {SetKind::kGrid, "grid"},
    {SetKind::kContinuation, "continuation"},
}};

template <typename Value>
std::string_view TextOf(Texts<Value> texts, Value value) {
  for (const auto& [known, text] : texts) {
    if (known == value) {
      return text;
    }
  }
  CONTINUO_CHECK(false);
  return {};
}

template <typename Value>
Result<Value> ValueOf(Texts<Value> texts, std::string_view what, std::string_view found) {
  std::string expected;
  for (const auto& [value, text] : texts) {
    if (text == found) {
      return value;
    }
    expected += fmt::format("{}{}", expected.empty() ? "" : ", ", text);
  }
  return MakeError("{} is '{}', expected one of: {}", what, found, expected);
}

}  // namespace

std::string_view ToString(CellStatus status) {
  return TextOf<CellStatus>(kStatuses, status);
}

std::string_view ToString(SetKind kind) {
  return TextOf<SetKind>(kKinds, kind);
}

Result<CellStatus> ParseCellStatus(std::string_view text) {
  return ValueOf<CellStatus>(kStatuses, "status", text);
}

Result<SetKind> ParseSetKind(std::string_view text) {
  return ValueOf<SetKind>(kKinds, "kind", text);
}

}  // namespace continuo
