#pragma once

#include <cstddef>

namespace continuo {

/// Whether standard output, or standard error, is a terminal.
bool OutputIsTerminal();
bool ErrorIsTerminal();

/// Columns of the terminal at standard output; 0 if there is none or it does not report them.
size_t OutputColumns();

}  // namespace continuo
