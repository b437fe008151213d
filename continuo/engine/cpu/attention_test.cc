#include "continuo/engine/cpu/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "continuo/core/rng.h"
#include "continuo/engine/cpu/kernels.h"
#include "continuo/engine/cpu/target_testing.h"
#include "continuo/model/half.h"

namespace continuo {
namespace {

std::vector<float> RandomFloats(size_t count, uint64_t seed) {
  Rng rng(seed, 0);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(rng.NextBelow(2001)) / 1000.0F - 1.0F;
  }
  return values;
}

/// Keys and values of `length` positions in a cache of more, whose other bytes are NaN.
struct Cache {
  Cache(size_t length, size_t head_dim, NumberFormat precision)
      : layout(length + 20, head_dim, precision),
        keys(RandomFloats(length * head_dim, 1)),
        values(RandomFloats(length * head_dim, 2)),
        key_bytes(layout.key_bytes()),
        value_bytes(layout.value_bytes()) {
    std::fill_n(key_bytes.data(), key_bytes.size(), uint8_t{0xff});
    std::fill_n(value_bytes.data(), value_bytes.size(), uint8_t{0xff});
    for (size_t t = 0; t < length; ++t) {
      StoreInCache(layout, keys.data() + t * head_dim, values.data() + t * head_dim, t, key_bytes.data(),
                   value_bytes.data());
    }
    for (std::vector<float>* list : {&keys, &values}) {
      for (size_t t = 0; t < length; ++t) {
        Round(precision, std::span(*list).subspan(t * head_dim, head_dim));
      }
    }
  }
  /// As the kernels round a key, a value or a query.
  static void Round(NumberFormat precision, std::span<float> vector) {
    float largest = 0.0F;
    for (const float x : vector) {
      largest = std::max(largest, std::abs(x));
    }
    const float scale = largest / 127.0F;
    for (float& x : vector) {
      if (precision == NumberFormat::kBf16) {
        x = Bf16ToFloat(FloatToBf16(x));
      } else if (precision == NumberFormat::kInt8) {
        x = std::nearbyint(x * (scale > 0.0F ? 1.0F / scale : 0.0F)) * scale;
      }
    }
  }
  HeadCacheLayout layout;
  std::vector<float> keys;  // as the cache holds them
  std::vector<float> values;
  AlignedBytes key_bytes;
  AlignedBytes value_bytes;
};

/// One query over the positions from `first` to `length` - 1.
void AttendOne(const HeadCacheLayout& layout, const float* query, const uint8_t* keys, const uint8_t* values,
               size_t first, size_t length, AttentionScratch& scratch, float* out) {
  QueryRun run;
  run.query = query;
  run.length = length;
  run.window = length - first;
  run.out = out;
  Attend(layout, run, keys, values, scratch);
}

class AttentionTest : public ::testing::TestWithParam<NumberFormat> {};

TEST_P(AttentionTest, IsTheSoftmaxOfTheScoresTimesTheValues) {
  for (const size_t head_dim : {1U, 2U, 10U, 15U, 16U, 17U, 64U, 80U}) {
    for (const size_t length : {1U, 2U, 15U, 16U, 17U, 64U, 100U}) {
      const Cache cache(length, head_dim, GetParam());
      const std::vector<float> query = RandomFloats(head_dim, 3);
      std::vector<float> rounded = query;
      Cache::Round(GetParam(), rounded);
      std::vector<double> weights(length);
      double sum = 0.0;
      const size_t first = length * head_dim % 5 == 0 ? length / 3 : 0;  // of a window
      for (size_t t = first; t < length; ++t) {
        double score = 0.0;
        for (size_t d = 0; d < head_dim; ++d) {
          score += static_cast<double>(rounded[d]) * cache.keys[t * head_dim + d];
        }
        weights[t] = std::exp(score / std::sqrt(static_cast<double>(head_dim)));
        sum += weights[t];
      }
      OnEachTarget([&] {
        AttentionScratch scratch(cache.layout);
        std::vector<float> out(head_dim + 1, 7.0F);
        AttendOne(cache.layout, query.data(), cache.key_bytes.data(), cache.value_bytes.data(), first, length, scratch,
                  out.data());
        for (size_t d = 0; d < head_dim; ++d) {
          double expected = 0.0;
          for (size_t t = 0; t < length; ++t) {
            expected += weights[t] / sum * cache.values[t * head_dim + d];
          }
          // Values are at most 1, so that an output moves by at most the relative error of the
          // weights and of the sum: scores of at most 80 products and roundings of magnitude 80 /
          // sqrt(80), an exp of a few units in the last place, and sums of 100: less than 80 * 9 +
          // 2 * 100 + 10 roundings of 2^-24. In bf16 each weight and their sum are rounded by 2^-9;
          // in int8 each weight times its scale by half of 2^-14 of the largest, of values up to
          // 127.
          const double rounding = GetParam() == NumberFormat::kBf16   ? 2.01 * 0x1p-9
                                  : GetParam() == NumberFormat::kInt8 ? static_cast<double>(length) * 0x1p-15
                                                                      : 0.0;
          EXPECT_NEAR(out[d], expected, 930.0 * 0x1p-24 + rounding)
              << "head_dim " << head_dim << " from " << first << " to " << length << " at " << d;
        }
        EXPECT_EQ(out[head_dim], 7.0F);
      });
    }
  }
}

TEST_P(AttentionTest, OneScoreFarAboveTheOthersTakesAll) {
  OnEachTarget([&] {
    constexpr size_t kLength = 33;
    constexpr size_t kDim = 16;
    HeadCacheLayout layout(kLength, kDim, GetParam());
    AlignedBytes keys(layout.key_bytes());
    AlignedBytes values(layout.value_bytes());
    for (size_t t = 0; t < kLength; ++t) {
      StoreInCache(layout, std::vector<float>(kDim, t == 20 ? 1000.0F : -1000.0F).data(),
                   std::vector<float>(kDim, static_cast<float>(t)).data(), t, keys.data(), values.data());
    }
    AttentionScratch scratch(layout);
    std::vector<float> out(kDim);
    AttendOne(layout, std::vector<float>(kDim, 1.0F).data(), keys.data(), values.data(), 0, kLength, scratch,
              out.data());
    for (const float value : out) {
      EXPECT_FLOAT_EQ(value, 20.0F);
    }
  });
}

TEST_P(AttentionTest, EqualWeightsOfManyLargestValuesDontOverflow) {
  OnEachTarget([&] {
    constexpr size_t kLength = 3001;
    constexpr size_t kDim = 16;
    const HeadCacheLayout layout(kLength, kDim, GetParam());
    AlignedBytes keys(layout.key_bytes());
    AlignedBytes values(layout.value_bytes());
    const std::vector<float> key(kDim, 0.0F);
    const std::vector<float> value(kDim, -3.0F);
    for (size_t t = 0; t < kLength; ++t) {
      StoreInCache(layout, key.data(), value.data(), t, keys.data(), values.data());
    }
    AttentionScratch scratch(layout);
    std::vector<float> out(kDim);
    AttendOne(layout, key.data(), keys.data(), values.data(), 0, kLength, scratch, out.data());
    for (const float sum : out) {
      EXPECT_NEAR(sum, -3.0F, 3.0 * 2 * kLength * 0x1p-24);  // two sums of equal numbers
    }
  });
}

TEST_P(AttentionTest, QueriesTogetherGetTheBitsThatEachGetsAlone) {
  constexpr size_t kLength = 1100;  // more than 512 pairs
  constexpr size_t kDim = 40;
  const Cache cache(kLength, kDim, GetParam());
  const std::vector<float> queries = RandomFloats(kLength * kDim, 3);
  OnEachTarget([&] {
    AttentionScratch scratch(cache.layout);
    for (const size_t window : {0U, 20U, 1030U}) {
      for (const size_t first : {1U, 14U, 1020U, 1041U}) {
        QueryRun run;
        run.query = queries.data();
        run.stride = kDim;
        run.count = 23;
        run.length = first;
        run.window = window;
        std::vector<float> together(run.count * (kDim + 1), 7.0F);
        run.out = together.data();
        run.out_stride = kDim + 1;
        Attend(cache.layout, run, cache.key_bytes.data(), cache.value_bytes.data(), scratch);
        for (size_t i = 0; i < run.count; ++i) {
          std::vector<float> alone(kDim + 1, 7.0F);
          AttendOne(cache.layout, queries.data() + i * kDim, cache.key_bytes.data(), cache.value_bytes.data(),
                    run.first(i), first + i, scratch, alone.data());
          const std::span of_run = std::span(together).subspan(i * (kDim + 1), kDim + 1);
          EXPECT_TRUE(std::equal(alone.begin(), alone.end(), of_run.begin()))
              << "window " << window << " from " << first << ", query " << i;
        }
      }
    }
  });
}

TEST_P(AttentionTest, AQueryOfARunSeesNothingOfLaterPositions) {
  OnEachTarget([&] {
    constexpr size_t kDim = 16;
    const HeadCacheLayout layout(16, kDim, GetParam());
    AlignedBytes keys(layout.key_bytes());
    AlignedBytes values(layout.value_bytes());
    for (size_t t = 0; t < 4; ++t) {
      const std::vector<float> value(kDim, t < 2 ? 1.0F : std::numeric_limits<float>::quiet_NaN());
      StoreInCache(layout, value.data(), value.data(), t, keys.data(), values.data());
    }
    AttentionScratch scratch(layout);
    const std::vector<float> queries(4 * kDim, 1.0F);
    std::vector<float> out(4 * kDim);
    QueryRun run;
    run.query = queries.data();
    run.stride = kDim;
    run.count = 4;
    run.length = 1;
    run.out = out.data();
    run.out_stride = kDim;
    Attend(layout, run, keys.data(), values.data(), scratch);
    EXPECT_NEAR(out[kDim], 1.0F, 1e-3);
    EXPECT_TRUE(std::isnan(out[2 * kDim]));
  });
}

INSTANTIATE_TEST_SUITE_P(Caches, AttentionTest,
                         ::testing::Values(NumberFormat::kF32, NumberFormat::kBf16, NumberFormat::kInt8),
                         [](const auto& precision) { return std::string(ToString(precision.param)); });

TEST(Attention, AKeyOrValueThatIsNoNumberShowsInEveryPrecision) {
  for (const NumberFormat precision : {NumberFormat::kF32, NumberFormat::kBf16, NumberFormat::kInt8}) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      OnEachTarget([&] {
        const HeadCacheLayout layout(16, 16, precision);
        AlignedBytes keys(layout.key_bytes());
        AlignedBytes values(layout.value_bytes());
        std::vector<float> value(16, 1.0F);
        value[9] = bad;
        StoreInCache(layout, std::vector<float>(16, 1.0F).data(), value.data(), 0, keys.data(), values.data());
        AttentionScratch scratch(layout);
        std::vector<float> out(16);
        AttendOne(layout, value.data(), keys.data(), values.data(), 0, 1, scratch, out.data());
        EXPECT_FALSE(std::isfinite(out[9]));
      });
    }
  }
}

TEST(Kernels, LayerNormHasMeanBiasAndDeviationWeight) {
  for (const size_t width : {1U, 7U, 16U, 30U, 100U}) {
    std::vector<float> x = RandomFloats(width, 1);
    const std::vector<float> weight = RandomFloats(width, 2);
    const std::vector<float> bias = RandomFloats(width, 3);
    double mean = 0.0;
    for (const float value : x) {
      mean += value / static_cast<double>(width);
    }
    double variance = 0.0;
    for (const float value : x) {
      variance += (value - mean) * (value - mean) / static_cast<double>(width);
    }
    OnEachTarget([&] {
      std::vector<float> y(width);
      LayerNorm(x.data(), weight.data(), bias.data(), width, 0.01F, y.data());
      for (size_t i = 0; i < width; ++i) {
        const double expected = (x[i] - mean) / std::sqrt(variance + 0.01) * weight[i] + bias[i];
        // The mean is off by at most 100 roundings of values up to 1, which division by a deviation
        // of no less than 0.1 makes ten times larger; the scale by as much again.
        EXPECT_NEAR(y[i], expected, 2.0 * 1000.0 * 0x1p-24) << "width " << width;
      }
    });
  }
}

TEST(Kernels, GeluIsTheFormulaAndOfEachValueAlone) {
  std::vector<float> x;
  for (int i = -200; i <= 200; ++i) {
    x.push_back(static_cast<float>(i) / 16.0F);
  }
  OnEachTarget([&] {
    std::vector<float> y = x;
    Gelu(y.data(), y.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const double value = x[i];
      const double expected =
          value / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (value + 0.044715 * value * value * value)));
      // Highway's Tanh is off by up to 4 units in the last place, of values up to 1; times |x| / 2.
      EXPECT_NEAR(y[i], expected, (8.0 * 0x1p-24) * std::max(1.0, std::abs(value))) << value;
      float alone = x[i];
      Gelu(&alone, 1);
      EXPECT_EQ(y[i], alone);
    }
  });
}

}  // namespace
}  // namespace continuo
