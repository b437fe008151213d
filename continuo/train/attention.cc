#include "continuo/train/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "continuo/core/rng.h"
#include "continuo/train/element_type.h"
#include "continuo/train/row_kernels.h"

namespace continuo {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows of queries that are done together: their weights over 1,024 keys take 1 MiB in f32.
constexpr int64_t kTile = 256;

/// One head of one sequence.
struct Head {
  Tensor query, key, value;  // [time, head_dim]
  Dropout dropout;

  Head(const Tensor& qkv, int64_t index, double share, uint64_t seed) {
    const int64_t heads = qkv.size(3);
    const Tensor rows = qkv.select(0, index / heads).select(2, index % heads);  // [time, 3, head_dim]
    query = rows.select(1, 0);
    key = rows.select(1, 1);
    value = rows.select(1, 2);
    dropout = {Rng(seed, static_cast<uint64_t>(index)).NextU64(), static_cast<float>(share)};
  }
};

/// The weights of the queries from `begin` on, over the keys up to the last of them.
struct Tile {
  int64_t begin, rows, keys;
  Tensor weights;  // f32 [rows, keys], as AttentionWeights leaves them
  Tensor dropped;  // [rows, keys] in the precision of the queries

  Tile(const Head& head, int64_t first) : begin(first) {
    rows = std::min(kTile, head.query.size(0) - begin);
    keys = begin + rows;
    dropped = at::mm(head.query.narrow(0, begin, rows), head.key.narrow(0, 0, keys).t());
    weights = at::empty({rows, keys}, dropped.options().dtype(at::kFloat));
    const double scale = 1.0 / std::sqrt(static_cast<double>(head.query.size(1)));
    ForElementType(dropped, [&](auto element) {
      using T = decltype(element);
      AttentionWeights<T>(rows, keys, begin, static_cast<float>(scale), head.dropout, Data<T>(dropped),
                          Data<float>(weights));
    });
  }
};

template <typename Body>
void ForEachHead(const Tensor& qkv, const Body& body) {
  at::parallel_for(0, qkv.size(0) * qkv.size(3), 1, [&](int64_t first, int64_t last) {
    const at::NoGradGuard no_grad;  // a thread's own
    for (int64_t index = first; index < last; ++index) {
      body(index);
    }
  });
}

class Attention : public torch::autograd::Function<Attention> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& qkv, double dropout, int64_t seed) {
    context->save_for_backward({qkv});
    context->saved_data["dropout"] = dropout;
    context->saved_data["seed"] = seed;
    const int64_t heads = qkv.size(3);
    const Tensor out = at::empty({qkv.size(0), qkv.size(1), heads, qkv.size(4)}, qkv.options());
    ForEachHead(qkv, [&](int64_t index) {
      const Head head(qkv, index, dropout, static_cast<uint64_t>(seed));
      const Tensor to = out.select(0, index / heads).select(1, index % heads);
      for (int64_t begin = 0; begin < qkv.size(1); begin += kTile) {
        const Tile tile(head, begin);
        Tensor rows = to.narrow(0, begin, tile.rows);
        rows.copy_(at::mm(tile.dropped, head.value.narrow(0, 0, tile.keys)));
      }
    });
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor qkv = context->get_saved_variables()[0];
    const double dropout = context->saved_data["dropout"].toDouble();
    const auto seed = static_cast<uint64_t>(context->saved_data["seed"].toInt());
    const int64_t heads = qkv.size(3);
    const int64_t time = qkv.size(1);
    const Tensor d_qkv = at::empty_like(qkv);
    ForEachHead(qkv, [&](int64_t index) {
      const Head head(qkv, index, dropout, seed);
      const Tensor d_out = gradients[0].select(0, index / heads).select(1, index % heads);  // [time, head_dim]
      const Tensor d_rows = d_qkv.select(0, index / heads).select(2, index % heads);        // [time, 3, head_dim]
      // Each key and value has a share of each tile behind it: added up in f32.
      const Tensor d_key = at::zeros({time, qkv.size(4)}, qkv.options().dtype(at::kFloat));
      const Tensor d_value = at::zeros_like(d_key);
      const double scale = 1.0 / std::sqrt(static_cast<double>(qkv.size(4)));
      for (int64_t begin = 0; begin < time; begin += kTile) {
        const Tile tile(head, begin);
        const Tensor d_tile = d_out.narrow(0, begin, tile.rows);
        d_value.narrow(0, 0, tile.keys).add_(at::mm(tile.dropped.t(), d_tile));
        const Tensor d_scores = at::mm(d_tile, head.value.narrow(0, 0, tile.keys).t());
        ForElementType(d_scores, [&](auto element) {
          using T = decltype(element);
          AttentionWeightsBackward<T>(tile.rows, tile.keys, begin, static_cast<float>(scale), head.dropout,
                                      Data<float>(tile.weights), Data<T>(d_scores));
        });
        d_rows.select(1, 0).narrow(0, begin, tile.rows).copy_(at::mm(d_scores, head.key.narrow(0, 0, tile.keys)));
        d_key.narrow(0, 0, tile.keys).add_(at::mm(d_scores.t(), head.query.narrow(0, begin, tile.rows)));
      }
      d_rows.select(1, 1).copy_(d_key);
      d_rows.select(1, 2).copy_(d_value);
    });
    return {d_qkv, Tensor(), Tensor()};
  }
};

}  // namespace

Tensor CausalAttention(const Tensor& qkv, double dropout, uint64_t seed) {
  return Attention::apply(qkv, dropout, static_cast<int64_t>(seed));
}

}  // namespace continuo
