#include "continuo/token/python_compat.h"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <utility>

namespace continuo {

std::vector<double> Linspace(double first, double last, int count) {
  std::vector<double> values(static_cast<size_t>(count));
  const double step = count > 1 ? (last - first) / (count - 1) : 0;
  for (int i = 0; i < count; ++i) {
    values[static_cast<size_t>(i)] = i * step + first;
  }
  if (count > 1) {
    values.back() = last;
  }
  return values;
}

std::vector<double> Geomspace(double first, double last, int count) {
  std::vector<double> values = Linspace(std::log10(first), std::log10(last), count);
  for (double& value : values) {
    value = std::pow(10.0, value);
  }
  values.front() = first;
  if (count > 1) {
    values.back() = last;
  }
  return values;
}

double RoundToHundredths(double value) {
  return std::nearbyint(value * 100) / 100;
}

double PythonRoundToHundredths(double value) {
  return std::strtod(fmt::format("{:.2f}", value).c_str(), nullptr);
}

std::string PythonRepr(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find('.') == std::string::npos) {
    text += ".0";
  }
  return text;
}

int32_t PythonInt(std::string_view text) {
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') {
      return kNoNumber;
    }
  }
  int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : kNoNumber;
}

std::vector<int> PythonSetOrder(const std::vector<int>& values) {
  // CPython 3.8 to 3.13, Objects/setobject.c: open addressing with short linear runs, then a
  // perturbed jump; the table grows fourfold when three fifths of it are taken. hash(i) is i for
  // i >= 0, and hash(-1) is -2.
  constexpr size_t kLinearProbes = 9;
  constexpr int kEmpty = -2;
  std::vector<int> table(8, kEmpty);
  const auto insert = [](std::vector<int>& slots, int value) {
    const size_t mask = slots.size() - 1;
    const size_t hash = static_cast<size_t>(static_cast<int64_t>(value == -1 ? -2 : value));
    size_t perturb = hash;
    size_t slot = hash & mask;
    while (true) {
      const size_t run = slot + kLinearProbes <= mask ? kLinearProbes : 0;
      for (size_t i = slot; i <= slot + run; ++i) {
        if (slots[i] == value) {
          return false;
        }
        if (slots[i] == kEmpty) {
          slots[i] = value;
          return true;
        }
      }
      perturb >>= 5;
      slot = (slot * 5 + 1 + perturb) & mask;
    }
  };
  size_t used = 0;
  for (int value : values) {
    if (!insert(table, value)) {
      continue;
    }
    ++used;
    if (used * 5 >= (table.size() - 1) * 3) {
      size_t size = 8;
      while (size <= used * 4) {
        size *= 2;
      }
      std::vector<int> larger(size, kEmpty);
      for (int old : table) {
        if (old != kEmpty) {
          insert(larger, old);
        }
      }
      table = std::move(larger);
    }
  }
  std::erase(table, kEmpty);
  return table;
}

}  // namespace continuo
