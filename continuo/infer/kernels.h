#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace continuo {

/// Floats on a boundary of 64 bytes, not initialised, so that memory that is never touched is never taken.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(size_t size);
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* data) const;
  };
  std::unique_ptr<float, Free> data_;
  size_t size_ = 0;
};

/// A matrix [inputs, outputs] cut into panels of some outputs each, whose weights lie in the order in which
/// they are read: panel by panel, input by input. The last panel is padded with zeros.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  /// From weights [inputs, outputs], or from [outputs, inputs] if `transposed`, and a bias [outputs], which may be
  /// empty (zeros).
  PackedMatrix(std::span<const float> weights, std::span<const float> bias, size_t inputs, size_t outputs,
               bool transposed);

  size_t inputs() const { return inputs_; }
  size_t outputs() const { return outputs_; }
  size_t panel_width() const { return panel_width_; }
  size_t panels() const { return panels_; }
  const float* panel(size_t index) const { return weights_.data() + index * panel_width_ * inputs_; }
  const float* panel_bias(size_t index) const { return bias_.data() + index * panel_width_; }

 private:
  size_t inputs_ = 0;
  size_t outputs_ = 0;
  size_t panel_width_ = 0;
  size_t panels_ = 0;
  AlignedFloats weights_;  // [panels, inputs, panel_width]
  AlignedFloats bias_;     // [panels, panel_width]
};

/// Adds the product to y instead of overwriting it.
enum class MatMulMode { kStore, kAdd };

/// y[r, o] = bias[o] + sum over i of x[r, i] w[i, o], for the outputs o of panels [first_panel, last_panel). x is [rows, inputs],
/// y [rows, outputs]. Each sum goes from i = 0 up, in one accumulator that begins with the bias.
void MatMul(const float* x, size_t rows, const PackedMatrix& w, size_t first_panel, size_t last_panel, MatMulMode mode,
            float* y);

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over `width` values.
void LayerNorm(const float* x, const float* weight, const float* bias, size_t width, float epsilon, float* y);

/// x = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) in place: GPT-2's "gelu_new" (Hendrycks & Gimpel 2016).
void Gelu(float* x, size_t count);

/// One head's attention for one query over `length` keys and values: out = softmax(q k^T / sqrt(head_dim)) v. keys
/// and values are [length, head_dim]; `scores` is scratch of at least length + 64 floats.
void Attend(const float* query, const float* keys, const float* values, size_t length, size_t head_dim, float* scores,
            float* out);

/// The instruction set that the kernels use here, as Highway names it.
const char* KernelTargetName();

}  // namespace continuo
