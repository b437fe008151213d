#pragma once

#include <string_view>

#include "continuo/core/result.h"

namespace continuo {

/// What has become of a cell, a run or a set of pieces. kRunning does not mean that a process still
/// works on it: the lock of the cell does. kDropped: it is done, but the spec no longer asks for
/// it.
enum class CellStatus { kPending, kRunning, kDone, kFailed, kDropped };

/// kReal: songs to compare with. kGrid: pieces of a checkpoint. kContinuation: continuations of a
/// prompt.
enum class SetKind { kReal, kGrid, kContinuation };

/// The texts of the columns `status` and `kind`: "pending", "running", "done", "failed", "dropped";
/// "real", "grid", "continuation".
std::string_view ToString(CellStatus status);
std::string_view ToString(SetKind kind);
/// The value that a text stands for. The error lists the texts that are known.
Result<CellStatus> ParseCellStatus(std::string_view text);
Result<SetKind> ParseSetKind(std::string_view text);

}  // namespace continuo
