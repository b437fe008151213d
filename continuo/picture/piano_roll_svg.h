#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/picture/sections.h"
#include "continuo/score/score.h"

namespace continuo {

struct PianoRollOptions {
  size_t first_bar = 0;                // bars [first_bar, last_bar) are drawn, counted from 0
  size_t last_bar = SIZE_MAX;          // at most those of the score
  int width = 1200;                    // of the picture, in pixels, kLeastWidth to kLargestWidth
  int height = 400;                    // kLeastHeight to kLargestHeight
  std::vector<Section> sections = {};  // names above the bars; those outside of the bars are left out
  bool pedals = false;                 // a line below where the sustain pedal is down
  bool names = true;                   // of the tracks, if there are several
  bool in_seconds = false;             // time runs as it sounds; otherwise a bar of 4/4 is as long as any other
  bool cursor = false;                 // adds a hidden <line class="cursor">, for a page that plays
  std::string label = {};              // what the picture shows, for those who cannot see it; escaped
  static constexpr int kLeastWidth = 200;
  static constexpr int kLargestWidth = 4000;
  static constexpr int kLeastHeight = 120;
  static constexpr int kLargestHeight = 4000;
};

/// What DrawPianoRoll left room for: where notes are, in pixels of the picture.
struct PianoRollPlot {
  double left = 0;
  double width = 0;
};

/// A piano roll as SVG: a rectangle (class "note") for each note, from its onset to its end, the
/// highest pitch on top, with the track's colour and the velocity as shade; bar lines, bar numbers
/// where there is room, and a line at each C. It follows the reader's choice of a light or a dark
/// page (prefers-color-scheme).
///
/// Of more than kMostNotesDrawn notes in the bars, those of one pitch that are closer than a pixel
/// are drawn as one, in the first one's colour. So the text has at most some 25 MB, at the largest
/// width, whatever the score. Names are shortened; text that is not valid in XML is replaced.
///
/// Fails on sizes and bars out of range.
Result<std::string> DrawPianoRoll(const Score& score, const PianoRollOptions& options = {},
                                  PianoRollPlot* plot = nullptr);
inline constexpr size_t kMostNotesDrawn = 20000;

}  // namespace continuo
