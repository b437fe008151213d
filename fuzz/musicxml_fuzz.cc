#include <cstddef>
#include <cstdint>
#include <string>

#include "continuo/core/check.h"
#include "continuo/notation/musicxml_reader.h"
#include "continuo/notation/musicxml_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  const auto read = ParseMusicXml({data, size}, "input");
  if (!read.ok()) {
    return 0;
  }
  SerializeScore(read->score);
  const auto written = ScoreToMusicXml(read->score, {.dynamics = true}, "read");
  if (!written.ok()) {
    return 0;
  }
  // What is written can be read.
  const auto again = ParseMusicXml({reinterpret_cast<const uint8_t*>(written->data()), written->size()}, "written");
  CONTINUO_CHECK(again.ok() && again->warnings.empty());
  return 0;
}
