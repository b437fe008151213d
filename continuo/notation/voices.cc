#include "continuo/notation/voices.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

namespace continuo {
namespace {

// A range of notes that begin together.
struct Group {
  size_t begin = 0;
  size_t end = 0;
  size_t size() const { return end - begin; }
};

struct HandPosition {
  int centre = 0;
  bool known = false;
};

// One division of a chord: the best way to it, and where the hands then are.
struct HandState {
  int64_t cost = 0;
  size_t before = 0;  // the division of the chord before
  HandPosition left;
  HandPosition right;
};

constexpr int kMiddleC = 60;

// What it costs a hand to play the pitches from `low` to `high`.
int64_t CostOfHand(int low, int high, HandPosition& hand) {
  const int span = high - low;
  int64_t cost = 0;
  cost += 6 * std::max(0, span - 12) + 20 * std::max(0, span - 16);
  const int centre = (low + high) / 2;
  if (hand.known) {
    cost += std::min(24, std::abs(centre - hand.centre));
  }
  hand = {centre, true};
  return cost;
}

}  // namespace

std::vector<bool> ChooseHands(const std::vector<Note>& notes, Tick together) {
  std::vector<Group> groups;
  for (size_t i = 0; i < notes.size(); ++i) {
    if (groups.empty() || notes[i].time - notes[groups.back().begin].time >= std::max<Tick>(1, together)) {
      groups.push_back({i, i});
    }
    groups.back().end = i + 1;
  }
  // Within a chord, from low to high.
  std::vector<size_t> order(notes.size());
  for (size_t i = 0; i < notes.size(); ++i) {
    order[i] = i;
  }
  for (const Group& group : groups) {
    std::stable_sort(order.begin() + static_cast<ptrdiff_t>(group.begin),
                     order.begin() + static_cast<ptrdiff_t>(group.end),
                     [&](size_t a, size_t b) { return notes[a].pitch < notes[b].pitch; });
  }

  std::vector<std::vector<uint32_t>> ways;  // of each chord and division, the division before
  ways.reserve(groups.size());
  std::vector<HandState> states = {{}};
  std::vector<HandState> next;
  for (const Group& group : groups) {
    const size_t size = group.size();
    std::vector<int64_t> left_ledgers(size + 1, 0);   // of the first k notes in the left hand
    std::vector<int64_t> right_ledgers(size + 1, 0);  // of the notes from k on in the right hand
    for (size_t k = 0; k < size; ++k) {
      const int pitch = notes[order[group.begin + k]].pitch;
      left_ledgers[k + 1] = left_ledgers[k] + 2 * std::max(0, pitch - kMiddleC) + 4 * std::max(0, pitch - 67);
    }
    for (size_t k = size; k-- > 0;) {
      const int pitch = notes[order[group.begin + k]].pitch;
      right_ledgers[k] = right_ledgers[k + 1] + 2 * std::max(0, kMiddleC - pitch) + 4 * std::max(0, 53 - pitch);
    }
    next.assign(size + 1, {});
    std::vector<uint32_t>& way = ways.emplace_back(size + 1, 0);
    for (size_t k = 0; k <= size; ++k) {
      HandState best;
      best.cost = std::numeric_limits<int64_t>::max();
      for (size_t from = 0; from < states.size(); ++from) {
        HandState state = states[from];
        state.before = from;
        state.cost += left_ledgers[k] + right_ledgers[k];
        if (k > 0) {
          state.cost +=
              CostOfHand(notes[order[group.begin]].pitch, notes[order[group.begin + k - 1]].pitch, state.left);
        }
        if (k < size) {
          state.cost += CostOfHand(notes[order[group.begin + k]].pitch, notes[order[group.end - 1]].pitch, state.right);
        }
        if (state.cost < best.cost) {
          best = state;
        }
      }
      way[k] = static_cast<uint32_t>(best.before);
      next[k] = best;
    }
    states.swap(next);
  }

  std::vector<bool> right(notes.size(), true);
  size_t division = 0;
  for (size_t k = 0; k < states.size(); ++k) {
    if (states[k].cost < states[division].cost) {
      division = k;
    }
  }
  for (size_t g = groups.size(); g-- > 0;) {
    for (size_t k = 0; k < groups[g].size(); ++k) {
      right[order[groups[g].begin + k]] = k >= division;
    }
    division = ways[g][division];
  }
  return right;
}

namespace {

// What sounds in a voice, and when it was last heard.
struct VoiceState {
  std::vector<std::pair<Unit, uint8_t>> sounding;  // end, pitch
  Unit end = -1;                                   // of the last note; -1: none yet
  bool operator==(const VoiceState&) const = default;
};

struct Hypothesis {
  int64_t cost = 0;
  std::array<VoiceState, 2> voices;
  size_t last_bar_of_second = std::numeric_limits<size_t>::max();
  uint32_t link = 0;  // its choice in the list of all
};

// Which of a group's divisions was taken, and after which choice.
struct Choice {
  uint32_t before = 0;
  uint32_t division = 0;
};

constexpr int64_t kTie = 6;
constexpr int64_t kCrossing = 4;
constexpr int64_t kSecondAlone = 5;
constexpr int64_t kNewSecond = 3;  // its rests
constexpr int64_t kGap = 1;
constexpr size_t kBeam = 12;

// The candidates: the upper notes to the first voice, or the shorter, or the longer.
std::vector<std::vector<bool>> Divisions(const std::vector<StaffNote>& notes, const Group& group) {
  const size_t size = group.size();
  std::vector<std::vector<bool>> divisions;
  for (size_t second = 0; second <= size; ++second) {
    std::vector<bool> division(size, false);
    std::fill_n(division.begin(), second, true);  // the lowest stand first
    divisions.push_back(std::move(division));
  }
  std::vector<Unit> ends;
  for (size_t i = group.begin; i < group.end; ++i) {
    ends.push_back(notes[i].to);
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  for (size_t e = 0; e + 1 < ends.size() && e < 3; ++e) {
    for (const bool longer : {true, false}) {
      std::vector<bool> division(size);
      for (size_t i = 0; i < size; ++i) {
        division[i] = (notes[group.begin + i].to > ends[e]) == longer;
      }
      if (std::find(divisions.begin(), divisions.end(), division) == divisions.end()) {
        divisions.push_back(std::move(division));
      }
    }
  }
  return divisions;
}

}  // namespace

std::vector<bool> ChooseVoices(const std::vector<StaffNote>& notes, const std::vector<Unit>& bar_lines) {
  std::vector<Group> groups;
  for (size_t i = 0; i < notes.size(); ++i) {
    if (groups.empty() || notes[i].from != notes[groups.back().begin].from) {
      groups.push_back({i, i});
    }
    groups.back().end = i + 1;
  }
  std::vector<Choice> choices = {{}};
  std::vector<Hypothesis> beam = {{}};
  for (const Group& group : groups) {
    const Unit now = notes[group.begin].from;
    const auto bar = static_cast<size_t>(std::upper_bound(bar_lines.begin(), bar_lines.end(), now) - bar_lines.begin());
    const Unit bar_line = bar == 0 ? 0 : bar_lines[bar - 1];
    const std::vector<std::vector<bool>> divisions = Divisions(notes, group);
    struct Candidate {
      int64_t cost;
      size_t from;
      size_t division;
    };
    std::vector<Candidate> candidates;
    for (size_t h = 0; h < beam.size(); ++h) {
      Hypothesis& hypothesis = beam[h];
      for (VoiceState& voice : hypothesis.voices) {
        std::erase_if(voice.sounding, [&](const auto& note) { return note.first <= now; });
      }
      for (size_t d = 0; d < divisions.size(); ++d) {
        int64_t cost = hypothesis.cost;
        std::array<size_t, 2> begun{};
        std::array<int, 2> lowest = {128, 128};
        std::array<int, 2> highest = {-1, -1};
        for (size_t v = 0; v < 2; ++v) {
          const VoiceState& voice = hypothesis.voices[v];
          Unit first_new_end = std::numeric_limits<Unit>::max();
          Unit first_end = first_new_end;
          for (const auto& [end, pitch] : voice.sounding) {
            first_end = std::min(first_end, end);
            lowest[v] = std::min<int>(lowest[v], pitch);
            highest[v] = std::max<int>(highest[v], pitch);
          }
          for (size_t i = 0; i < group.size(); ++i) {
            const StaffNote& note = notes[group.begin + i];
            if (divisions[d][i] == (v == 1)) {
              ++begun[v];
              first_new_end = std::min(first_new_end, note.to);
              lowest[v] = std::min<int>(lowest[v], note.pitch);
              highest[v] = std::max<int>(highest[v], note.pitch);
            }
          }
          if (begun[v] == 0) {
            continue;
          }
          first_end = std::min(first_end, first_new_end);
          cost += kTie * static_cast<int64_t>(voice.sounding.size());
          for (const auto& [end, pitch] : voice.sounding) {
            cost += end > first_new_end ? kTie : 0;
          }
          for (size_t i = 0; i < group.size(); ++i) {
            if (divisions[d][i] == (v == 1) && notes[group.begin + i].to > first_end) {
              cost += kTie;
            }
          }
          if (voice.end >= bar_line && voice.end < now) {
            cost += kGap;
          }
        }
        const bool first_silent = begun[0] == 0 && hypothesis.voices[0].sounding.empty();
        if (begun[1] > 0) {
          cost += first_silent ? kSecondAlone : 0;
          cost += hypothesis.last_bar_of_second == bar ? 0 : kNewSecond;
        }
        if (highest[0] >= 0 && highest[1] >= 0 && (lowest[0] < highest[1])) {
          cost += kCrossing;
        }
        candidates.push_back({cost, h, d});
      }
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.cost < b.cost; });
    std::vector<Hypothesis> next;
    for (const Candidate& candidate : candidates) {
      if (next.size() == kBeam) {
        break;
      }
      Hypothesis hypothesis = beam[candidate.from];
      const std::vector<bool>& division = divisions[candidate.division];
      hypothesis.cost = candidate.cost;
      for (size_t i = 0; i < group.size(); ++i) {
        const StaffNote& note = notes[group.begin + i];
        VoiceState& voice = hypothesis.voices[division[i] ? 1 : 0];
        voice.sounding.emplace_back(note.to, note.pitch);
        voice.end = std::max(voice.end, note.to);
        if (division[i]) {
          hypothesis.last_bar_of_second = bar;
        }
      }
      const bool known = std::any_of(next.begin(), next.end(), [&](const Hypothesis& other) {
        return other.voices == hypothesis.voices && other.last_bar_of_second == hypothesis.last_bar_of_second;
      });
      if (known) {
        continue;  // the one that is there costs no more
      }
      hypothesis.link = static_cast<uint32_t>(choices.size());
      choices.push_back({beam[candidate.from].link, static_cast<uint32_t>(candidate.division)});
      next.push_back(std::move(hypothesis));
    }
    beam = std::move(next);
  }

  std::vector<bool> second(notes.size(), false);
  uint32_t link = beam.front().link;
  for (size_t g = groups.size(); g-- > 0;) {
    const Choice& choice = choices[link];
    const std::vector<bool> division = Divisions(notes, groups[g])[choice.division];
    for (size_t i = 0; i < groups[g].size(); ++i) {
      second[groups[g].begin + i] = division[i];
    }
    link = choice.before;
  }
  return second;
}

}  // namespace continuo
