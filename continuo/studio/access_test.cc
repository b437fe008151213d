#include "continuo/studio/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace continuo {
namespace {

using ::testing::HasSubstr;

TEST(AccessTest, AHostIsTheAddressThatWasReached) {
  const Access access({}, "");
  EXPECT_TRUE(access.IsHost("127.0.0.1:80", "127.0.0.1", 80));
  EXPECT_TRUE(access.IsHost("localhost:8642", "127.0.0.1", 8642));
  EXPECT_TRUE(access.IsHost("192.168.0.2:8642", "192.168.0.2", 8642));
  EXPECT_TRUE(access.IsHost("[::1]:8642", "::1", 8642));
  for (const char* host : {"", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:8642", "127.0.0.1:8642.evil.example",
                           "LOCALHOST:8642x", "evil.example:8642", "192.168.0.3:8642"}) {
    EXPECT_FALSE(access.IsHost(host, "127.0.0.1", 8642)) << host;
  }
  EXPECT_FALSE(access.IsHost("localhost:8642", "192.168.0.2", 8642));
  EXPECT_FALSE(access.IsHost("127.0.0.1:8642", "192.168.0.2", 8642));
  EXPECT_FALSE(access.IsHost(":8642", "", 8642) && access.IsHost("", "", 8642));
}

TEST(AccessTest, OtherNamesAreThoseGiven) {
  const Access access({"studio.example", "far.example:9000"}, "");
  EXPECT_TRUE(access.IsHost("studio.example:8642", "10.0.0.1", 8642));
  EXPECT_TRUE(access.IsHost("studio.example", "10.0.0.1", 8642));
  EXPECT_TRUE(access.IsHost("far.example:9000", "10.0.0.1", 8642));
  EXPECT_FALSE(access.IsHost("far.example", "10.0.0.1", 8642));
  EXPECT_FALSE(access.IsHost("far.example:8642", "10.0.0.1", 8642));
  EXPECT_FALSE(access.IsHost("studio.example:1", "10.0.0.1", 8642));
  EXPECT_TRUE(access.IsOrigin("https://studio.example", "10.0.0.1", 8642));
  EXPECT_TRUE(access.IsOrigin("http://studio.example:8642", "10.0.0.1", 8642));
  EXPECT_TRUE(access.IsOrigin("http://10.0.0.1:8642", "10.0.0.1", 8642));
  for (const char* origin : {"null", "https://10.0.0.1:8642", "http://evil.example", "studio.example:8642",
                             "ftp://studio.example", "https://studio.example.evil.example"}) {
    EXPECT_FALSE(access.IsOrigin(origin, "10.0.0.1", 8642)) << origin;
  }
}

TEST(AccessTest, ATokenIsComparedWhole) {
  const Access access({}, "0123456789abcdef");
  EXPECT_TRUE(access.IsAuthorized("Bearer 0123456789abcdef"));
  for (const char* header : {"", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "0123456789abcdef",
                             "bearer 0123456789abcdef", "Bearer  0123456789abcdef", "Bearer 0123456789abcdeF"}) {
    EXPECT_FALSE(access.IsAuthorized(header)) << header;
  }
  EXPECT_TRUE(Access({}, "").IsAuthorized(""));
  EXPECT_TRUE(Access({}, "").IsAuthorized("Bearer anything"));
}

TEST(AccessTest, ATokenIsLongAndFitsAHeaderAndAUrl) {
  EXPECT_EQ(*CheckToken("  0123456789abcdef\n"), "0123456789abcdef");
  EXPECT_EQ(*CheckToken("abc-._~+/=0123456789"), "abc-._~+/=0123456789");
  EXPECT_THAT(CheckToken("").error().ToString(), HasSubstr("0 characters"));
  EXPECT_THAT(CheckToken(" \n").error().ToString(), HasSubstr("0 characters"));
  EXPECT_THAT(CheckToken("0123456789abcde").error().ToString(), HasSubstr("openssl rand"));
  EXPECT_FALSE(CheckToken(std::string(1025, 'x')).ok());
  for (const char* wrong :
       {"0123456789abcdef\r\nX: y", "0123456789 abcdef", "0123456789abcdef#", "0123456789abcdef\xC3\xA4"}) {
    EXPECT_THAT(CheckToken(wrong).error().message, HasSubstr("characters other than")) << wrong;
  }
}

TEST(AccessTest, KnowsAddressesThatOnlyThisMachineReaches) {
  EXPECT_TRUE(IsLoopback("127.0.0.1"));
  EXPECT_TRUE(IsLoopback("127.0.0.2"));
  EXPECT_TRUE(IsLoopback("::1"));
  for (const char* address : {"0.0.0.0", "::", "192.168.0.2", "128.0.0.1", "::ffff:10.0.0.1", "12.7.0.1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

}  // namespace
}  // namespace continuo
