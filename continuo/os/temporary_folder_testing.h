#pragma once

#include "continuo/os/file.h"

namespace continuo {

/// A new, empty folder for one test, removed with all that is in it when the object is destroyed.
class TemporaryFolder {
 public:
  const std::filesystem::path& path() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_ = TemporaryDirectory::Create("continuo-test").value();
};

}  // namespace continuo
