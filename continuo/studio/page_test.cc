#include "continuo/studio/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace continuo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// printf '%s' 'let x = 1;' | openssl dgst -sha256 -binary | base64
constexpr const char* kHash = "'sha256-qtc3jf64UXA5J6U02kfQ0Cvn9Uz4wXUaN3NNUVgR2v4='";

TEST(PageTest, NamesItsInlineScriptsByTheirHashes) {
  for (const char* html : {"<script>let x = 1;</script>", "<SCRIPT type=\"module\">let x = 1;</SCRIPT>",
                           "<body>\n<script type='text/javascript' defer>let x = 1;</script ><p>",
                           "<script type=module>let x = 1;</script>",
                           "<script type=\"application/json\">{}</script><script>let x = 1;</script>"}) {
    const Page page = MakePage(html);
    EXPECT_EQ(page.html, html);
    EXPECT_THAT(page.policy, HasSubstr(std::string("script-src ") + kHash + " 'wasm-unsafe-eval' blob:;")) << html;
  }
}

TEST(PageTest, NothingElseMayRun) {
  for (const char* html : {"", "<p>", "<script src=\"a.js\"></script>",
                           "<script type=\"text/plain\">let x = 1;</script>", "<script>let x = 1;", "<script"}) {
    EXPECT_THAT(MakePage(html).policy, HasSubstr("script-src 'wasm-unsafe-eval' blob:;")) << html;
  }
  const std::string policy = MakePage("<script>a</script><script>b</script>").policy;
  EXPECT_THAT(policy, HasSubstr("default-src 'none';"));
  EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'"));
  EXPECT_THAT(policy.substr(policy.find("script-src"), policy.find("style-src") - policy.find("script-src")),
              Not(HasSubstr("unsafe-inline")));
  EXPECT_THAT(policy, Not(HasSubstr("'unsafe-eval'")));
  EXPECT_THAT(policy, Not(HasSubstr("http")));
}

}  // namespace
}  // namespace continuo
