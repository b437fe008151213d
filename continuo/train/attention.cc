#include "continuo/train/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "continuo/core/rng.h"
#include "continuo/train/kernel_tensors.h"
#include "continuo/train/row_kernels.h"

namespace continuo {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows of queries that are done together: their weights over 1,024 keys take 1 MiB in f32.
constexpr int64_t kTile = 256;

/// What a tensor [batch, ..., heads, head_dim] has of one head of one sequence, all heads counted
/// on: [..., head_dim].
Tensor OfHead(const Tensor& tensor, int64_t index) {
  const int64_t heads = tensor.size(-2);
  return tensor.select(0, index / heads).select(-2, index % heads);
}

/// One head of one sequence.
struct Head {
  Tensor query, key, value;  // [time, head_dim]
  float scale;
  Dropout dropout;

  Head(const Tensor& qkv, int64_t index, Dropout of_all) {
    const Tensor rows = OfHead(qkv, index);  // [time, 3, head_dim]
    query = rows.select(1, 0);
    key = rows.select(1, 1);
    value = rows.select(1, 2);
    scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(qkv.size(4))));
    dropout = {Rng(of_all.key, static_cast<uint64_t>(index)).NextU64(), of_all.share};
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
    ForElementType(dropped, [&](auto element) {
      using T = decltype(element);
      AttentionWeights<T>(rows, keys, begin, head.scale, head.dropout, Data<T>(dropped), Data<float>(weights));
    });
  }
};

/// Adds the product of `left` and `right` to `sum`, f32: by the product itself where it is f32 too.
void AddProduct(const Tensor& sum, const Tensor& left, const Tensor& right) {
  if (left.scalar_type() == sum.scalar_type()) {
    sum.addmm_(left, right);
  } else {
    sum.add_(at::mm(left, right));
  }
}

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
  static Tensor forward(AutogradContext* context, const Tensor& qkv, Dropout dropout) {
    context->save_for_backward({qkv});
    SaveDropout(context, dropout);
    const Tensor out = at::empty({qkv.size(0), qkv.size(1), qkv.size(3), qkv.size(4)}, qkv.options());
    ForEachHead(qkv, [&](int64_t index) {
      const Head head(qkv, index, dropout);
      const Tensor to = OfHead(out, index);  // [time, head_dim]
      for (int64_t begin = 0; begin < qkv.size(1); begin += kTile) {
        const Tile tile(head, begin);
        Tensor rows = to.narrow(0, begin, tile.rows);
        at::mm_out(rows, tile.dropped, head.value.narrow(0, 0, tile.keys));
      }
    });
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor qkv = context->get_saved_variables()[0];
    const Dropout dropout = SavedDropout(context);
    const int64_t time = qkv.size(1);
    const Tensor d_qkv = at::empty_like(qkv);
    ForEachHead(qkv, [&](int64_t index) {
      const Head head(qkv, index, dropout);
      const Tensor d_out = OfHead(gradients[0], index);  // [time, head_dim]
      const Tensor d_rows = OfHead(d_qkv, index);        // [time, 3, head_dim]
      // Each key and value has a share of each tile after it: added up in f32.
      const Tensor d_key = at::zeros({time, qkv.size(4)}, qkv.options().dtype(at::kFloat));
      const Tensor d_value = at::zeros_like(d_key);
      for (int64_t begin = 0; begin < time; begin += kTile) {
        const Tile tile(head, begin);
        const Tensor d_tile = d_out.narrow(0, begin, tile.rows);
        AddProduct(d_value.narrow(0, 0, tile.keys), tile.dropped.t(), d_tile);
        const Tensor d_scores = at::mm(d_tile, head.value.narrow(0, 0, tile.keys).t());
        ForElementType(d_scores, [&](auto element) {
          using T = decltype(element);
          AttentionWeightsBackward<T>(tile.rows, tile.keys, begin, head.scale, head.dropout, Data<float>(tile.weights),
                                      Data<T>(d_scores));
        });
        Tensor d_query = d_rows.select(1, 0).narrow(0, begin, tile.rows);
        at::mm_out(d_query, d_scores, head.key.narrow(0, 0, tile.keys));
        AddProduct(d_key.narrow(0, 0, tile.keys), d_scores.t(), head.query.narrow(0, begin, tile.rows));
      }
      d_rows.select(1, 1).copy_(d_key);
      d_rows.select(1, 2).copy_(d_value);
    });
    return {d_qkv, Tensor()};
  }
};

}  // namespace

Tensor CausalAttention(const Tensor& qkv, Dropout dropout) {
  return Attention::apply(qkv, dropout);
}

}  // namespace continuo
