#pragma once

#include <string>

namespace continuo {

/// A page that a server has beside its API.
struct Page {
  std::string html;
  std::string policy;  // its Content-Security-Policy
};

/// A page, and a policy that lets it do what a page of one file needs: its own inline scripts,
/// which are named by their SHA-256, and nothing that is added to it; WebAssembly; workers and
/// audio worklets made from a Blob; images, fonts and sounds inside it; requests to its own server.
/// It can load nothing from elsewhere, send nothing elsewhere, and be framed by no other page.
///
/// An inline script is what stands between a tag <script ...> without `src` and the next </script;
/// one whose type is not that of a script is data, and is left out.
Page MakePage(std::string html);

}  // namespace continuo
