#pragma once

namespace continuo {

/// The General MIDI name of a program, 0 to 127, as MidiTok spells it.
const char* ProgramName(int program);

}  // namespace continuo
