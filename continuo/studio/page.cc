#include "continuo/studio/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "continuo/core/hash.h"
#include "continuo/studio/base64.h"

namespace continuo {
namespace {

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Where `word`, in lower case, is next found in any case; the end of the text if nowhere.
size_t Find(std::string_view text, std::string_view word, size_t from) {
  const auto found = std::search(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), word.begin(), word.end(),
                                 [](char a, char b) { return Lower(a) == b; });
  return static_cast<size_t>(found - text.begin());
}

/// Whether a tag's attributes are those of a script that stands in the page.
bool IsInlineScript(std::string_view attributes) {
  if (Find(attributes, " src", 0) < attributes.size()) {
    return false;
  }
  const size_t type = Find(attributes, "type=", 0);
  if (type == attributes.size()) {
    return true;
  }
  const std::string_view value = attributes.substr(type + std::string_view("type=").size());
  for (const std::string_view script : {"module", "text/javascript", "application/javascript"}) {
    const size_t at = Find(value, script, 0);
    if (at <= 1) {  // after a quotation mark, or none
      return true;
    }
  }
  return false;
}

}  // namespace

Page MakePage(std::string html) {
  std::set<std::string> hashes;
  for (size_t tag = Find(html, "<script", 0); tag < html.size();) {
    const size_t open = std::min(html.find('>', tag), html.size());
    const size_t close = Find(html, "</script", open);
    if (close == html.size()) {
      break;
    }
    const std::string_view attributes = std::string_view(html).substr(tag + 7, open - tag - 7);
    if (IsInlineScript(attributes)) {
      Sha256 hash;
      hash.Update(std::string_view(html).substr(open + 1, close - open - 1));
      hashes.insert("'sha256-" + EncodeBase64(hash.Finish()) + "'");
    }
    tag = Find(html, "<script", close);
  }
  Page page;
  page.policy = "default-src 'none'; script-src";
  for (const std::string& hash : hashes) {
    page.policy += " " + hash;
  }
  page.policy +=
      " 'wasm-unsafe-eval' blob:; worker-src blob:; style-src 'unsafe-inline'; img-src 'self' data: blob:; "
      "font-src data:; media-src data: blob:; connect-src 'self' data: blob:; base-uri 'none'; form-action 'none'; "
      "frame-ancestors 'none'";
  page.html = std::move(html);
  return page;
}

}  // namespace continuo
