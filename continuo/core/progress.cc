#include "continuo/core/progress.h"

namespace continuo {

void Progress::Update(uint64_t /*done*/, uint64_t /*total*/, std::string_view /*note*/) {}

Progress& NoProgress() {
  static Progress progress;
  return progress;
}

}  // namespace continuo
