#include "continuo/core/hash.h"

#include <gtest/gtest.h>

namespace continuo {
namespace {

// Digests from FIPS 180-4's published examples.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256Hex(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheBytesAreCut) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text.push_back(static_cast<char>(i * 7));
  }
  for (size_t length : {55U, 56U, 63U, 64U, 65U, 119U, 120U, 128U, 300U}) {
    const std::string whole = Sha256Hex(std::string_view(text).substr(0, length));
    for (size_t cut = 0; cut <= length; cut += 13) {
      Sha256 hash;
      hash.Update(std::string_view(text).substr(0, cut));
      hash.Update(std::string_view(text).substr(cut, length - cut));
      EXPECT_EQ(hash.FinishHex(), whole) << length << " bytes cut at " << cut;
    }
  }
}

TEST(Sha256, IsTheSameWithoutTheCpusInstructions) {
  for (const size_t length : {0U, 3U, 64U, 1000U}) {
    const std::string text(length, 'x');
    Sha256 plain(/*use_instructions=*/false);
    plain.Update(text);
    EXPECT_EQ(plain.FinishHex(), Sha256Hex(text)) << length;
  }
}

}  // namespace
}  // namespace continuo
