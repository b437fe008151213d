#pragma once

#include <map>
#include <string>
#include <vector>

#include "continuo/results/snapshot.h"

namespace continuo {

/// The values of a cell on the axes of an experiment, by axis: model, tokenizer, corpus, seed,
/// epoch, sampling, window, pieces' seed, prompt, and the settings that differ among runs of one
/// model and tokenizer.
using Coordinates = std::map<std::string, std::string>;

struct GridCell {
  const SetRow* set;
  Coordinates at;
};

/// The sets of a kind that are done and were written by a run, in their order. They point into
/// `data`.
std::vector<GridCell> GridCells(const ResultsSnapshot& data, SetKind kind);

/// Settings that differ among runs of one model and tokenizer: free to vary in the grid.
std::vector<std::string> FreeSettings(const ResultsSnapshot& data);

/// A value of ScalarFields as people write it: texts without quotation marks.
std::string PlainValue(const std::string& json);

/// `at` without one axis.
Coordinates Without(Coordinates at, const std::string& axis);

}  // namespace continuo
