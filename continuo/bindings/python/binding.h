#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string_view.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "continuo/core/progress.h"
#include "continuo/core/result.h"
#include "continuo/core/stop_token.h"
#include "continuo/score/score.h"

namespace continuo::python {

namespace nb = nanobind;

/// An Error on its way to Python, where continuo._errors makes the exception that fits its code.
struct ErrorException {
  Error error;
};

/// The value of a Result, or its Error as an exception.
template <typename T>
T Unwrap(Result<T> result) {
  if (!result.ok()) {
    throw ErrorException{std::move(result).error()};
  }
  if constexpr (!std::is_void_v<T>) {
    return std::move(result).value();
  }
}

/// Text of a file, whose bytes may be no UTF-8: such bytes become surrogates, as os.fsdecode has
/// them, and come back unchanged.
nb::str ToPython(std::string_view text);
std::string ToText(nb::handle text);
nb::list ToPython(const std::vector<std::string>& texts);

/// The bytes of os.fsencode as a path.
std::filesystem::path ToPath(const nb::bytes& path);

inline std::span<const uint8_t> ToSpan(const nb::bytes& bytes) {
  return {static_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

/// A request to stop from another Python thread, which any thread may set.
class StopFlag {
 public:
  void Set() { set_.store(true, std::memory_order_relaxed); }
  bool is_set() const { return set_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> set_ = false;
};

/// Long work for Python: runs it without the GIL, and from the calling thread, a few times a
/// second, asks Python for signals (Ctrl-C) and reports progress. What Python raises then stops the
/// work and is raised again at its end.
class LongWork final : public Progress {
 public:
  /// Both may be None: `progress(done, total)` is called with the GIL; `flag` is a StopFlag. Made
  /// with the GIL, on the thread that calls Run.
  explicit LongWork(nb::object progress = nb::none(), const StopFlag* flag = nullptr);
  ~LongWork() override = default;

  void Update(uint64_t done, uint64_t total, std::string_view note) override;
  StopToken stop();

  /// Calls `work`, which returns a Result, without the GIL. Returns its value. Throws what Python
  /// raised meanwhile, else the Error of the Result.
  template <typename Work>
  auto Run(const Work& work) {
    auto result = [&] {
      const nb::gil_scoped_release release;
      return work();
    }();
    Finish(result.ok());
    return Unwrap(std::move(result));
  }

  /// Calls back into Python from the thread that called Run. The Error returned ends the work.
  template <typename Call>
  Status Python(const Call& call) {
    const nb::gil_scoped_acquire acquire;
    try {
      call();
      return {};
    } catch (nb::python_error& error) {
      Stop(std::move(error));
    } catch (const ErrorException& error) {
      return error.error;
    }
    return CancelledError();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void Poll();
  void Report();
  void Stop(nb::python_error error);
  void Finish(bool completed);

  nb::object progress_;
  const StopFlag* flag_;
  const std::thread::id caller_ = std::this_thread::get_id();
  Clock::time_point last_poll_ = Clock::now();
  std::atomic<uint64_t> done_ = 0;
  std::atomic<uint64_t> total_ = 0;
  std::atomic<bool> stopped_ = false;
  std::optional<nb::python_error> error_;
};

/// A one-dimensional NumPy array that owns the values.
template <typename T>
nb::object ToArray(std::vector<T> values) {
  auto held = std::make_unique<std::vector<T>>(std::move(values));
  T* data = held->data();
  const size_t size = held->size();
  const nb::capsule owner(held.release(), [](void* pointer) noexcept { delete static_cast<std::vector<T>*>(pointer); });
  return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<1>>(data, {size}, owner));
}

/// A read-only NumPy array over values that `holder` keeps alive.
template <typename T, typename Holder>
nb::object ToView(std::span<const T> values, std::shared_ptr<const Holder> holder) {
  using Held = std::shared_ptr<const Holder>;
  auto held = std::make_unique<Held>(std::move(holder));
  const nb::capsule owner(held.release(), [](void* pointer) noexcept { delete static_cast<Held*>(pointer); });
  return nb::cast(nb::ndarray<nb::numpy, const T, nb::ndim<1>>(values.data(), {values.size()}, owner));
}

/// The bytes of structs, to be viewed as a structured array in Python (see layouts()).
template <typename Row, typename Holder>
nb::object ToRows(const std::vector<Row>& rows, const std::shared_ptr<const Holder>& holder) {
  return ToView(std::span(reinterpret_cast<const uint8_t*>(rows.data()), rows.size() * sizeof(Row)), holder);
}

using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Ids = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

inline std::span<const int32_t> ToSpan(const Ids& ids) {
  return {ids.data(), ids.size()};
}

/// A score that Python objects and arrays share. It never changes.
struct SharedScore {
  std::shared_ptr<const Score> score;
  std::vector<std::string> warnings;  // of the file that it was read from
};

void BindScore(nb::module_& module);
void BindTokenizer(nb::module_& module);
void BindComposer(nb::module_& module);
void BindMetrics(nb::module_& module);
void BindCorpus(nb::module_& module);

}  // namespace continuo::python
