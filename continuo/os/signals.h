#pragma once

#include "continuo/core/stop_token.h"

namespace continuo {

/// From now on SIGINT and SIGTERM are recorded instead of ending the process; a second one ends it
/// at once, with exit status 128 + signal.
void CatchInterrupts();

/// The recorded signal (SIGINT or SIGTERM), or 0.
int InterruptSignal();

/// Requests a stop once a signal is recorded.
StopToken SignalStop();

}  // namespace continuo
