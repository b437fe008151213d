#include <cstddef>
#include <cstdint>

#include "continuo/core/check.h"
#include "continuo/score/score_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  const auto read = ParseScore({data, size}, "input");
  const auto strict = ParseScore({data, size}, "input", {.strict = true});
  // What a strict reader takes has no faults, but may have remarks: warnings of what is odd.
  CONTINUO_CHECK(!strict.ok() || (read.ok() && strict->score == read->score && strict->warnings == read->warnings));
  if (!read.ok()) {
    return 0;
  }
  const auto written = SerializeScore(read->score);
  const auto again = ParseScore(written, "written", {.strict = true});
  CONTINUO_CHECK(again.ok());
  CONTINUO_CHECK(SerializeScore(again->score) == written);
  return 0;
}
