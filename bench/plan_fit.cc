// How well a model with plan tokens (remiplan) follows what it is asked for.
//
//   plan_fit MODEL --count 40 --bars 32
//
// - Density and loudness: courses through random levels at every eighth bar. Spearman's correlation, over all bars of
//   all pieces, of the level asked for with the notes that begin in the bar, and with their mean velocity.
// - Form: pieces with a form and, of the same seeds, without. The mean similarity of bars with the bars a lag before,
//   as sets of (sixteenth, pitch).

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "continuo/compose/composer.h"
#include "continuo/core/rng.h"
#include "continuo/score/bars.h"

namespace continuo {
namespace {

struct Bar {
  double notes = 0;
  double velocity = 0;  // mean
  std::set<std::pair<int64_t, int>> pairs;
};

std::vector<Bar> BarsOf(const Score& score, size_t count) {
  const BarGrid grid(score);
  std::vector<Bar> bars(count);
  for (const Track& track : score.tracks) {
    for (const Note& note : track.notes) {
      const size_t bar = std::min(grid.BarAt(note.time), count - 1);
      Bar& at = bars[bar];
      ++at.notes;
      at.velocity += (note.velocity - at.velocity) / at.notes;
      const double sixteenth = 4.0 * (note.time - grid.Line(bar)) / score.ticks_per_quarter;
      at.pairs.emplace(std::lround(sixteenth), note.pitch);
    }
  }
  return bars;
}

/// Ranks from 0, equal values sharing the mean of theirs.
std::vector<double> Ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t last = first;
    while (last < order.size() && values[order[last]] == values[order[first]]) {
      ++last;
    }
    for (size_t i = first; i < last; ++i) {
      ranks[order[i]] = static_cast<double>(first + last - 1) / 2;
    }
    first = last;
  }
  return ranks;
}

double Spearman(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> x = Ranks(a);
  const std::vector<double> y = Ranks(b);
  const double mean = static_cast<double>(a.size() - 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xy / std::sqrt(xx * yy);
}

double Recurrence(const std::vector<Bar>& bars, size_t lag) {
  double sum = 0;
  for (size_t bar = lag; bar < bars.size(); ++bar) {
    const auto& a = bars[bar].pairs;
    const auto& b = bars[bar - lag].pairs;
    const auto common = std::count_if(a.begin(), a.end(), [&](const auto& pair) { return b.contains(pair); });
    const double all = static_cast<double>(a.size() + b.size()) - static_cast<double>(common);
    sum += all > 0 ? static_cast<double>(common) / all : 0;
  }
  return sum / static_cast<double>(bars.size() - lag);
}

LevelCourse RandomCourse(size_t bars, Rng& rng) {
  LevelCourse course;
  for (size_t bar = 1; bar <= bars; bar += 8) {
    course.points.push_back({static_cast<double>(rng.NextBelow(8)), bar});
  }
  return course;
}

Status Run(const LoadedModel& model, size_t count, size_t bars, uint64_t seed, const std::string& form) {
  const Composer composer(model);
  const auto write = [&](uint64_t piece_seed, const PiecePlan& plan) -> Result<std::vector<Bar>> {
    CONTINUO_ASSIGN(const auto pieces, composer.Write(NewRequest{.bars = bars}, {.seed = piece_seed, .plan = plan}));
    return BarsOf(pieces.front().piece.score(), bars);
  };
  std::vector<double> density, notes, loudness, velocity;
  for (size_t i = 0; i < count; ++i) {
    Rng rng(seed, i);
    const PiecePlan plan{.form = {}, .density = RandomCourse(bars, rng), .loudness = RandomCourse(bars, rng)};
    CONTINUO_ASSIGN(const std::vector<BarPlan> asked, PlanBars(plan, 0, bars));
    CONTINUO_ASSIGN(const std::vector<Bar> written, write(seed + i, plan));
    for (size_t bar = 0; bar < bars; ++bar) {
      density.push_back(*asked[bar].density);
      notes.push_back(written[bar].notes);
      if (written[bar].notes > 0) {
        loudness.push_back(*asked[bar].loudness);
        velocity.push_back(written[bar].velocity);
      }
    }
  }
  fmt::print("density {:.3f}, loudness {:.3f} (Spearman, {} pieces of {} bars)\n", Spearman(density, notes),
             Spearman(loudness, velocity), count, bars);
  PiecePlan formed;
  CONTINUO_TRY(SetPlanField("form", form, formed));
  constexpr size_t kLags[] = {4, 8, 16};
  double with[3] = {}, without[3] = {};
  for (size_t i = 0; i < count; ++i) {
    CONTINUO_ASSIGN(const std::vector<Bar> planned, write(seed + i, formed));
    CONTINUO_ASSIGN(const std::vector<Bar> free, write(seed + i, {}));
    for (size_t k = 0; k < 3; ++k) {
      with[k] += Recurrence(planned, std::min(kLags[k], bars - 1)) / static_cast<double>(count);
      without[k] += Recurrence(free, std::min(kLags[k], bars - 1)) / static_cast<double>(count);
    }
  }
  for (size_t k = 0; k < 3; ++k) {
    fmt::print("recurrence after {} bars: {:.3f} with the form \"{}\", {:.3f} without\n", kLags[k], with[k], form,
               without[k]);
  }
  return {};
}

}  // namespace
}  // namespace continuo

int main(int argc, char** argv) {
  std::string directory;
  std::string form = "A8 B8 A8 B8";
  size_t count = 40;
  size_t bars = 32;
  uint64_t seed = 1;
  CLI::App app("How well a model follows a form, a density and a loudness");
  app.add_option("model", directory, "a model directory, of the tokenizer remiplan")->required();
  app.add_option("--count", count, "pieces of each kind")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--bars", bars, "bars of a piece")->check(CLI::Range(2, 10000))->capture_default_str();
  app.add_option("--seed", seed, "seed")->capture_default_str();
  app.add_option("--form", form, "sections, which add up to the bars")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto model = continuo::LoadModel(directory);
  const continuo::Status status =
      model.ok() ? continuo::Run(*model, count, bars, seed, form) : continuo::Status(model.error());
  if (!status.ok()) {
    fmt::print(stderr, "plan_fit: {}\n", status.error().ToString());
    return 1;
  }
  return 0;
}
