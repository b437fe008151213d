#include <cstddef>
#include <cstdint>
#include <string_view>

#include "continuo/core/check.h"
#include "continuo/metrics/discriminator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  const auto discriminator = Discriminator::Parse({reinterpret_cast<const char*>(data), size}, "input");
  if (!discriminator.ok()) {
    return 0;
  }
  CONTINUO_CHECK(discriminator->bars() >= Discriminator::kStepBars &&
                 discriminator->bars() <= Discriminator::kMostBars);
  const auto again = Discriminator::Parse(discriminator->ToJson(), "written");
  CONTINUO_CHECK(again.ok() && again->ToJson() == discriminator->ToJson());
  Score score;
  score.ticks_per_quarter = 480;
  score.tracks.resize(1);
  score.tracks[0].notes = {{.time = 0, .duration = 480, .pitch = 60, .velocity = 80},
                           {.time = 1920, .duration = 960, .pitch = 67, .velocity = 90}};
  CONTINUO_CHECK(discriminator->LogOdds(score, 2).has_value());
  return 0;
}
