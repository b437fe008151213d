#include "continuo/notation/spelling.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "continuo/core/check.h"

namespace continuo {
namespace {

constexpr std::string_view kLetters = "FCGDAEB";  // places -1 to 5

// Natural letters, C first, in semitones above C.
int SemitonesOf(char step) {
  constexpr std::array<int, 7> kSemitones = {9, 11, 0, 2, 4, 5, 7};  // A to G
  return kSemitones[static_cast<size_t>(step - 'A')];
}

int Modulo(int value, int modulus) {
  return ((value % modulus) + modulus) % modulus;
}

int PitchClassOf(Fifths place) {
  return Modulo(place * 7, 12);
}

}  // namespace

int SpelledPitch::key() const {
  return (octave + 1) * 12 + SemitonesOf(step) + alter;
}

char StepOf(Fifths place) {
  return kLetters[static_cast<size_t>(Modulo(place + 1, 7))];
}

int AlterOf(Fifths place) {
  return (place + 1 - Modulo(place + 1, 7)) / 7;
}

int AlterInKey(char step, int key_signature) {
  const int order = static_cast<int>(kLetters.find(step));  // sharps come in this order, flats in the reverse
  if (key_signature > 0) {
    return (key_signature + 6 - order) / 7;
  }
  return -((-key_signature + order) / 7);
}

Fifths PlaceNear(Fifths tonic, int pitch_class) {
  for (Fifths place = tonic - 5; place < tonic + 6; ++place) {
    if (PitchClassOf(place) == pitch_class) {
      return place;
    }
  }
  return tonic + 6;
}

SpelledPitch SpellAt(Fifths place, int key) {
  CONTINUO_CHECK(PitchClassOf(place) == Modulo(key, 12));
  SpelledPitch pitch;
  pitch.step = StepOf(place);
  pitch.alter = static_cast<int8_t>(AlterOf(place));
  pitch.octave = static_cast<int8_t>((key - pitch.alter - SemitonesOf(pitch.step)) / 12 - 1);
  return pitch;
}

std::vector<SpelledPitch> SpellPitches(const std::vector<uint8_t>& keys, Fifths tonic) {
  constexpr size_t kBefore = 10;
  constexpr size_t kAfter = 42;
  std::array<Fifths, 12> tonics{};  // by pitch class
  for (int pc = 0; pc < 12; ++pc) {
    tonics[static_cast<size_t>(pc)] = PlaceNear(tonic, pc);
  }
  std::vector<SpelledPitch> names;
  names.reserve(keys.size());
  std::array<int, 12> around{};  // how often each pitch class occurs in the window
  size_t end = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    for (; end < std::min(keys.size(), i + kAfter); ++end) {
      ++around[keys[end] % 12];
    }
    if (i > kBefore) {
      --around[keys[i - kBefore - 1] % 12];
    }
    // A pitch class has at most three names without triple accidentals; votes by place + 20.
    std::array<int, 64> votes{};
    for (size_t pc = 0; pc < 12; ++pc) {
      votes[static_cast<size_t>(PlaceNear(tonics[pc], keys[i] % 12) + 32)] += around[pc];
    }
    Fifths best = PlaceNear(tonic, keys[i] % 12);
    int best_votes = votes[static_cast<size_t>(best + 32)];
    for (Fifths place = -15; place <= 19; ++place) {  // F double flat to B double sharp
      const int found = votes[static_cast<size_t>(place + 32)];
      if (found > best_votes) {
        best = place;
        best_votes = found;
      }
    }
    names.push_back(SpellAt(best, keys[i]));
  }
  return names;
}

}  // namespace continuo
