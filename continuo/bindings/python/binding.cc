#include "continuo/bindings/python/binding.h"

namespace continuo::python {

namespace {

// How often long work asks Python for signals. Ctrl-C feels immediate, and taking the GIL costs
// nothing beside it.
constexpr std::chrono::milliseconds kPollInterval(50);

}  // namespace

nb::str ToPython(std::string_view text) {
  PyObject* decoded = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape");
  if (decoded == nullptr) {
    throw nb::python_error();
  }
  return nb::steal<nb::str>(decoded);
}

std::string ToText(nb::handle text) {
  PyObject* encoded = PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogateescape");
  if (encoded == nullptr) {
    throw nb::python_error();
  }
  const auto bytes = nb::steal<nb::bytes>(encoded);
  return {bytes.c_str(), bytes.size()};
}

nb::list ToPython(const std::vector<std::string>& texts) {
  nb::list list;
  for (const std::string& text : texts) {
    list.append(ToPython(text));
  }
  return list;
}

std::filesystem::path ToPath(const nb::bytes& path) {
  return std::string(path.c_str(), path.size());
}

LongWork::LongWork(nb::object progress, const StopFlag* flag) : progress_(std::move(progress)), flag_(flag) {}

void LongWork::Update(uint64_t done, uint64_t total, std::string_view /*note*/) {
  done_.store(done, std::memory_order_relaxed);
  total_.store(total, std::memory_order_relaxed);
  Poll();
}

StopToken LongWork::stop() {
  return StopToken([this] {
    Poll();
    return stopped_.load(std::memory_order_relaxed) || (flag_ != nullptr && flag_->is_set());
  });
}

void LongWork::Poll() {
  if (std::this_thread::get_id() != caller_ || stopped_.load(std::memory_order_relaxed)) {
    return;
  }
  const Clock::time_point now = Clock::now();
  if (now - last_poll_ < kPollInterval) {
    return;
  }
  last_poll_ = now;
  const nb::gil_scoped_acquire acquire;
  try {
    if (PyErr_CheckSignals() != 0) {
      throw nb::python_error();
    }
    Report();
  } catch (nb::python_error& error) {
    Stop(std::move(error));
  }
}

void LongWork::Report() {
  if (!progress_.is_none()) {
    progress_(done_.load(std::memory_order_relaxed), total_.load(std::memory_order_relaxed));
  }
}

void LongWork::Stop(nb::python_error error) {
  if (!error_) {
    error_.emplace(std::move(error));
  }
  stopped_.store(true, std::memory_order_relaxed);
}

void LongWork::Finish(bool completed) {
  if (!error_ && PyErr_CheckSignals() != 0) {
    throw nb::python_error();
  }
  if (error_) {
    nb::python_error error = std::move(*error_);
    error_.reset();
    throw error;
  }
  if (completed) {
    Report();
  }
}

}  // namespace continuo::python
