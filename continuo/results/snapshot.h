#pragma once

#include <compare>
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "continuo/core/result.h"
#include "continuo/results/rows.h"

namespace continuo {

/// A piece by the place of its set in ResultsSnapshot::sets and its own among the set's pieces.
struct PiecePlace {
  size_t set = 0;
  size_t piece = 0;
  auto operator<=>(const PiecePlace&) const = default;
};

/// All of one experiment's results.db at one moment, in the order in which it was entered. Dropped
/// cells are left out, and so are rows that refer to a row which is missing.
struct ResultsSnapshot {
  struct Vote {
    PiecePlace winner;
    PiecePlace loser;
    std::string at;
  };
  struct Choice {
    std::string prompt;
    PiecePlace piece;
    std::string note;
    std::string at;
  };

  std::map<std::string, std::string> meta;
  std::vector<RunRow> runs;
  std::vector<SetRow> sets;
  std::vector<PublishedRow> published;
  std::vector<Vote> votes;
  std::vector<Choice> choices;
};

/// Reads a results.db (docs/formats/results.md), which other processes may be writing. Nothing in
/// the file is trusted: another version, status or kind is an Error, and blobs of more than 16 MiB
/// are left out.
Result<ResultsSnapshot> ReadSnapshot(const std::filesystem::path& path);

/// The results of several shards of one experiment as one. Of a cell that several have, the first
/// that is done counts, else the first; of the choices for a prompt, the latest. Fails if the
/// shards' specs differ. `names` are the shards' names in messages, as many as there are shards, at
/// least one.
Result<ResultsSnapshot> MergeSnapshots(std::vector<ResultsSnapshot> shards, std::span<const std::string> names);

}  // namespace continuo
