#include <cstddef>
#include <cstdint>
#include <string_view>

#include "continuo/core/check.h"
#include "continuo/model/weight_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace continuo;
  const auto config = ParseModelConfig({reinterpret_cast<const char*>(data), size}, "input");
  if (!config.ok()) {
    return 0;
  }
  const WeightTable table(*config);
  CONTINUO_CHECK(table.parameter_count() > 0);
  const auto again = ParseModelConfig(ModelConfigToJson(*config), "written");
  CONTINUO_CHECK(again.ok() && *again == *config);
  return 0;
}
