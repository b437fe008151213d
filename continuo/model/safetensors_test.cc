#include "continuo/model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace continuo {
namespace {

using ::testing::HasSubstr;

/// A file of a header and `data` bytes of zeros.
std::vector<uint8_t> File(const std::string& header, size_t data) {
  std::vector<uint8_t> bytes(8 + header.size() + data);
  const uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

std::string ErrorOf(const std::string& header, size_t data) {
  const auto result = ParseSafetensors(File(header, data), "x.safetensors");
  EXPECT_FALSE(result.ok()) << header;
  return result.ok() ? "" : result.error().message;
}

TEST(Safetensors, WhatIsSerializedIsParsed) {
  const std::vector<uint8_t> six = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const std::vector<uint8_t> one = {9, 9, 9, 9};
  const std::vector<Tensor> tensors = {
      {"b", TensorType::kBf16, {2, 3}, six}, {"a", TensorType::kF32, {}, one}, {"empty", TensorType::kI64, {0, 5}, {}}};
  const std::vector<uint8_t> bytes = SerializeSafetensors(tensors, {{"format", "pt"}});
  const auto parsed = ParseSafetensors(bytes, "x");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed->metadata.at("format"), "pt");
  ASSERT_EQ(parsed->tensors.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(parsed->tensors[i].name, tensors[i].name);
    EXPECT_EQ(parsed->tensors[i].type, tensors[i].type);
    EXPECT_EQ(parsed->tensors[i].shape, tensors[i].shape);
    EXPECT_TRUE(std::equal(parsed->tensors[i].bytes.begin(), parsed->tensors[i].bytes.end(), tensors[i].bytes.begin(),
                           tensors[i].bytes.end()));
  }
  EXPECT_EQ(SerializeSafetensors(tensors, {{"format", "pt"}}), bytes);
  EXPECT_EQ((bytes.size() - 16) % 64, 0U);  // data begins on a cache line
}

TEST(Safetensors, ATruncatedFileIsRefusedAtEveryLength) {
  const std::vector<uint8_t> data(64, 1);
  const std::vector<uint8_t> bytes = SerializeSafetensors(std::vector<Tensor>{{"w", TensorType::kF32, {4, 4}, data}});
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(ParseSafetensors(std::span(bytes).first(length), "x").ok()) << length;
  }
  std::vector<uint8_t> longer = bytes;
  longer.push_back(0);
  EXPECT_THAT(ParseSafetensors(longer, "x").error().message, HasSubstr("take 64 bytes, but the file has 65"));
}

TEST(Safetensors, AHeaderLengthBeyondTheFileIsRefused) {
  std::vector<uint8_t> bytes(16, 0xff);
  EXPECT_THAT(ParseSafetensors(bytes, "x").error().message, HasSubstr("its header has 18446744073709551615 bytes"));
  EXPECT_THAT(ParseSafetensors(std::span(bytes).first(7), "x").error().message, HasSubstr("has 7 bytes, too few"));
}

TEST(Safetensors, RefusesWhatTheFormatDoesNotAllow) {
  const auto entry = [](const std::string& body) { return "{\"w\":{" + body + "}}"; };
  EXPECT_THAT(ErrorOf("[1]", 0), HasSubstr("not a JSON object"));
  EXPECT_THAT(ErrorOf("{\"w\":", 0), HasSubstr("not a JSON object"));
  EXPECT_THAT(ErrorOf("{\"w\":3}", 0), HasSubstr("tensor 'w': expected an object"));
  EXPECT_THAT(ErrorOf(entry(R"("dtype":"F7","shape":[1],"data_offsets":[0,4])"), 4), HasSubstr("dtype is \"F7\""));
  EXPECT_THAT(ErrorOf(entry(R"("dtype":7,"shape":[1],"data_offsets":[0,4])"), 4), HasSubstr("dtype is number"));
  EXPECT_THAT(ErrorOf(entry(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), 4),
              HasSubstr("something else than sizes"));
  EXPECT_THAT(ErrorOf(entry(R"("dtype":"F32","shape":[1.5],"data_offsets":[0,4])"), 4),
              HasSubstr("something else than sizes"));
  EXPECT_THAT(ErrorOf(entry(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])"), 4),
              HasSubstr("more elements than can be counted"));
  EXPECT_THAT(ErrorOf(entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), 4),
              HasSubstr("data_offsets are [4, 0]"));
  EXPECT_THAT(ErrorOf(entry(R"("dtype":"F32","shape":[1],"data_offsets":[0,8])"), 4), HasSubstr("has 4 bytes of data"));
  EXPECT_THAT(ErrorOf(entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), 4),
              HasSubstr("span 4 bytes, but F32 [2] takes 8"));
  EXPECT_THAT(ErrorOf(entry(R"("dtype":"F32","shape":[1],"data_offsets":[0])"), 4),
              HasSubstr("not a list of two offsets"));
  EXPECT_THAT(ErrorOf(R"({"__metadata__":{"a":1}})", 0), HasSubstr("__metadata__"));
  EXPECT_THAT(ErrorOf("{\"w\":" + std::string(5000, '[') + std::string(5000, ']') + "}", 0),
              HasSubstr("nested deeper"));
}

TEST(Safetensors, TensorsThatOverlapOrLeaveHolesOrComeTwiceAreRefused) {
  const auto two = [](const std::string& first, const std::string& a, const std::string& second, const std::string& b) {
    return "{\"" + first + R"(":{"dtype":"F32","shape":[1],"data_offsets":)" + a + "},\"" + second +
           R"(":{"dtype":"F32","shape":[1],"data_offsets":)" + b + "}}";
  };
  EXPECT_THAT(ErrorOf(two("a", "[0,4]", "b", "[0,4]"), 8), HasSubstr("overlap or leave a hole"));
  EXPECT_THAT(ErrorOf(two("a", "[0,4]", "b", "[2,6]"), 6), HasSubstr("overlap or leave a hole"));
  EXPECT_THAT(ErrorOf(two("a", "[0,4]", "b", "[8,12]"), 12), HasSubstr("begins at byte 8 of the data, expected 4"));
  EXPECT_THAT(ErrorOf(two("a", "[0,4]", "a", "[4,8]"), 8), HasSubstr("names 'a' twice"));
}

}  // namespace
}  // namespace continuo
