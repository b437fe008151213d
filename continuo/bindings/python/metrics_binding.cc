#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <tuple>
#include <variant>

#include "continuo/bindings/python/binding.h"
#include "continuo/metrics/catalogue.h"
#include "continuo/metrics/piece_set.h"
#include "continuo/metrics/set_distance.h"
#include "continuo/metrics/two_sample.h"
#include "continuo/os/machine.h"
#include "continuo/token/tokenizer.h"

namespace continuo::python {
namespace {

/// name, and either a path or a score
using PieceParts = std::tuple<nb::str, nb::object>;

std::vector<SetPiece> ToPieces(const std::vector<PieceParts>& parts) {
  std::vector<SetPiece> pieces;
  for (const auto& [name, music] : parts) {
    if (nb::isinstance<SharedScore>(music)) {
      pieces.push_back({ToText(name), *nb::cast<const SharedScore&>(music).score});
    } else {
      pieces.push_back({ToText(name), ToPath(nb::cast<nb::bytes>(music))});
    }
  }
  return pieces;
}

nb::list Messages(const std::vector<Error>& errors) {
  nb::list list;
  for (const Error& error : errors) {
    list.append(python::ToPython(error.ToString()));
  }
  return list;
}

/// Name, title, description, decimals and whether it is one of the main table.
nb::list MetricRows() {
  nb::list rows;
  for (const MetricRow& row : PieceMetrics()) {
    rows.append(nb::make_tuple(row.name, row.description, row.decimals, row.group == MetricGroup::kBars));
  }
  return rows;
}

/// With a tokenizer, what it makes of each piece, as ids and back, is measured instead.
MeasuredSet Measure(const std::vector<PieceParts>& parts, int64_t bars, bool structure, int64_t feature_bars,
                    const Tokenizer* tokenizer, size_t threads, nb::object progress) {
  const std::vector<SetPiece> pieces = ToPieces(parts);
  SetOptions options = {.bars = bars,
                        .structure = structure,
                        .feature_bars = std::min(feature_bars, kMostFeatureBars),
                        .threads = ThreadCount(threads)};
  if (tokenizer != nullptr) {
    options.prepare = [tokenizer](const Score& score) { return tokenizer->Decode(tokenizer->Encode(score)); };
  }
  LongWork work(std::move(progress));
  return work.Run([&] { return MeasureSet(pieces, options, work, work.stop()); });
}

SongIndex Index(const std::vector<PieceParts>& parts, size_t threads, nb::object progress) {
  const std::vector<SetPiece> songs = ToPieces(parts);
  LongWork work(std::move(progress));
  return work.Run([&] { return IndexSongs(songs, ThreadCount(threads), work, work.stop()); });
}

/// [pieces, metrics], in the order of metric_rows(); NaN where a metric is undefined.
nb::object Values(const MeasuredSet& set) {
  const size_t columns = PieceMetrics().size();
  auto values = std::make_unique<std::vector<double>>();
  for (const PieceMeasures& piece : set.pieces) {
    values->insert(values->end(), piece.values.begin(), piece.values.end());
  }
  double* data = values->data();
  const nb::capsule owner(values.release(),
                          [](void* pointer) noexcept { delete static_cast<std::vector<double>*>(pointer); });
  return nb::cast(nb::ndarray<nb::numpy, double, nb::ndim<2>>(data, {set.pieces.size(), columns}, owner));
}

nb::list Summaries(const MeasuredSet& set) {
  nb::list list;
  for (const Summary& summary : set.Summaries()) {
    list.append(nb::make_tuple(summary.count, summary.mean, summary.deviation, summary.low, summary.high));
  }
  return list;
}

nb::dict SetValues(const MeasuredSet& set) {
  nb::dict values;
  const std::vector<double> numbers = set.SetValues();
  for (size_t i = 0; i < numbers.size(); ++i) {
    values[MetricsOf(MetricGroup::kSet)[i].name.data()] = numbers[i];
  }
  return values;
}

nb::list Distances(const MeasuredSet& set, const MeasuredSet& reference) {
  const std::vector<SetDistance> distances =
      LongWork().Run([&] { return CompareSets(set.Descriptions(), reference.Descriptions()); });
  nb::list list;
  for (const SetDistance& distance : distances) {
    list.append(nb::make_tuple(distance.feature, distance.within_reference, distance.between, distance.overlap,
                               distance.divergence));
  }
  return list;
}

nb::tuple ToPython(const Auc& auc) {
  return nb::make_tuple(auc.value, auc.low, auc.high);
}

/// Pieces of each set; the AUC of the forest, of the one without form and of logistic regression,
/// each with its interval; the features that differ, as words, both means and the difference.
nb::tuple CompareByTwoSamples(const MeasuredSet& set, const MeasuredSet& reference, size_t threads,
                              nb::object progress) {
  LongWork work(std::move(progress));
  const TwoSample result = work.Run([&] {
    return CompareByClassifiers(set.BarFeatures(), reference.BarFeatures(), {.threads = ThreadCount(threads)}, work,
                                work.stop());
  });
  nb::list differences;
  for (const FeatureDifference& row : result.differences) {
    differences.append(nb::make_tuple(python::ToPython(BarFeatureTable()[row.feature].words), row.set_mean,
                                      row.reference_mean, row.difference));
  }
  return nb::make_tuple(result.pieces, ToPython(result.forest), ToPython(result.forest_without_form),
                        ToPython(result.logistic), differences);
}

/// For each piece: notes, bar, song ("" if there is none), bar of the song; bars are counted from
/// 0.
nb::list Copies(const MeasuredSet& set, const SongIndex& songs) {
  const std::vector<CopiedRun> runs =
      LongWork().Run([&]() -> Result<std::vector<CopiedRun>> { return set.FindCopies(songs.index); });
  nb::list list;
  for (const CopiedRun& run : runs) {
    list.append(nb::make_tuple(run.notes, run.bar,
                               run.notes > 0 ? python::ToPython(songs.names[run.song]) : nb::str(""), run.song_bar));
  }
  return list;
}

}  // namespace

void BindMetrics(nb::module_& module) {
  module.def("metric_rows", &MetricRows, nb::sig("def metric_rows() -> list[tuple[str, str, int, bool]]"));
  nb::class_<SongIndex>(module, "SongIndex").def_prop_ro("failures", [](const SongIndex& songs) {
    return Messages(songs.failures);
  });
  nb::class_<MeasuredSet>(module, "MeasuredSet")
      .def_prop_ro("names", [](const MeasuredSet& set) { return python::ToPython(set.names); })
      .def_prop_ro("failures", [](const MeasuredSet& set) { return Messages(set.failures); })
      .def_prop_ro("keys",
                   [](const MeasuredSet& set) {
                     nb::list keys;
                     for (const PieceMeasures& piece : set.pieces) {
                       keys.append(piece.description.key.Name());
                     }
                     return keys;
                   })
      .def("values", &Values)
      .def("summaries", &Summaries, nb::sig("def summaries(self) -> list[tuple[int, float, float, float, float]]"))
      .def("set_values", &SetValues, nb::sig("def set_values(self) -> dict[str, float]"))
      .def("distances", &Distances, nb::arg("reference"))
      .def("two_sample", &CompareByTwoSamples, nb::arg("reference"), nb::arg("threads"), nb::arg("progress").none())
      .def("copies", &Copies, nb::arg("songs"));
  module.def("measure_set", &Measure, nb::arg("pieces"), nb::arg("bars"), nb::arg("structure"), nb::arg("feature_bars"),
             nb::arg("tokenizer").none(), nb::arg("threads"), nb::arg("progress").none());
  module.def("index_songs", &Index, nb::arg("songs"), nb::arg("threads"), nb::arg("progress").none());
}

}  // namespace continuo::python
