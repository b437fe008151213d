#pragma once

#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "continuo/core/check.h"

namespace continuo {

/// A table with a line of names at its head, as rows of name -> text.
inline std::vector<std::map<std::string, std::string>> ReadTable(const std::filesystem::path& path, char separator) {
  std::ifstream file(path);
  CONTINUO_CHECK(file.good());
  const auto split = [separator](std::string line) {
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    std::vector<std::string> fields;
    std::stringstream stream(line);
    for (std::string field; std::getline(stream, field, separator);) {
      fields.push_back(field);
    }
    return fields;
  };
  std::string line;
  CONTINUO_CHECK(static_cast<bool>(std::getline(file, line)));
  const std::vector<std::string> names = split(line);
  std::vector<std::map<std::string, std::string>> rows;
  while (std::getline(file, line)) {
    const std::vector<std::string> fields = split(line);
    std::map<std::string, std::string> row;
    for (size_t i = 0; i < fields.size() && i < names.size(); ++i) {
      row[names[i]] = fields[i];
    }
    rows.push_back(row);
  }
  return rows;
}

/// The number that all of `text` is; "nan" is one.
inline double ToNumber(const std::string& text) {
  double value = std::numeric_limits<double>::quiet_NaN();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  CONTINUO_CHECK(error == std::errc() && end == text.data() + text.size());
  return value;
}

}  // namespace continuo
