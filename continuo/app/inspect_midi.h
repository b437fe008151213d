#pragma once

#include <string>

#include "continuo/app/command.h"

namespace continuo {

struct InspectMidiFlags {
  bool strict = false;
  bool roll = false;
};

/// Prints what a MIDI file holds: a page for people, with a piano roll of the first bars where
/// standard output is a terminal or `roll` is set, or one line of JSON.
Status InspectMidi(const std::string& path, const InspectMidiFlags& flags, const AppContext& context);

}  // namespace continuo
