#include "continuo/engine/torch/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "continuo/core/rng.h"
#include "continuo/engine/torch/kernel_tensors.h"
#include "continuo/engine/torch/row_kernels.h"

namespace continuo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows of queries that are done together: their weights over 1,024 keys take 1 MiB in f32.
constexpr int64_t kTile = 256;

/// A tensor [time, 2 half] in the type of `from` turned by its positions, or back; `from` itself
/// without rotary positions.
at::Tensor Turned(const at::Tensor& from, const RotaryTensors& rotary) {
  if (!rotary.defined()) {
    return from;
  }
  const at::Tensor to = at::empty(from.sizes(), from.options());
  ForElementType(from, [&](auto element) {
    using T = decltype(element);
    RotateRows<T, T>(from.size(0), from.size(1) / 2, Data<T>(from), from.stride(0), Data<float>(rotary.cos),
                     Data<float>(rotary.sin), /*back=*/false, Data<T>(to), to.stride(0));
  });
  return to;
}

/// Puts a gradient [time, head_dim], f32 or of the type of `to`, turned back, into `to`.
void PutTurnedBack(const at::Tensor& from, const RotaryTensors& rotary, const at::Tensor& to) {
  if (!rotary.defined()) {
    to.copy_(from);
    return;
  }
  const auto put = [&](auto of_from, auto of_to) {
    using From = decltype(of_from);
    using To = decltype(of_to);
    RotateRows<From, To>(from.size(0), from.size(1) / 2, Data<From>(from), from.stride(0), Data<float>(rotary.cos),
                         Data<float>(rotary.sin), /*back=*/true, Data<To>(to), to.stride(0));
  };
  if (to.scalar_type() == at::kFloat) {
    put(float{}, float{});
  } else if (from.scalar_type() == at::kFloat) {
    put(float{}, uint16_t{});
  } else {
    put(uint16_t{}, uint16_t{});
  }
}

/// Shapes of one call, and what all heads share.
struct Problem {
  at::Tensor qkv;  // [batch, time, heads + 2 kv_heads, head_dim]
  int64_t heads, kv_heads, group;
  RotaryTensors rotary;
  Dropout dropout;
  float scale;

  Problem(const at::Tensor& all, int64_t query_heads, const RotaryTensors& turns, Dropout drop)
      : qkv(all),
        heads(query_heads),
        kv_heads((all.size(2) - query_heads) / 2),
        group(heads / kv_heads),
        rotary(turns),
        dropout(drop),
        scale(static_cast<float>(1.0 / std::sqrt(static_cast<double>(all.size(3))))) {}

  int64_t time() const { return qkv.size(1); }
  /// What `tensor`, of the layout of qkv, has of query head `head` of a sequence, or of the keys
  /// (values) that follow: [time, head_dim].
  static at::Tensor Of(const at::Tensor& tensor, int64_t sequence, int64_t head) {
    return tensor.select(0, sequence).select(1, head);
  }
  int64_t key_head(int64_t kv_head) const { return heads + kv_head; }
  int64_t value_head(int64_t kv_head) const { return heads + kv_heads + kv_head; }
};

/// One head of one sequence.
struct Head {
  at::Tensor query, key, value;  // [time, head_dim]
  float scale;
  Dropout dropout;

  Head(const Problem& problem, int64_t sequence, int64_t head, const at::Tensor& turned_key)
      : query(Turned(Problem::Of(problem.qkv, sequence, head), problem.rotary)),
        key(turned_key),
        value(Problem::Of(problem.qkv, sequence, problem.value_head(head / problem.group))),
        scale(problem.scale),
        dropout{Rng(problem.dropout.key, static_cast<uint64_t>(sequence * problem.heads + head)).NextU64(),
                problem.dropout.share} {}
};

/// The weights of the queries from `begin` on, over the keys up to the last of them.
struct Tile {
  int64_t begin, rows, keys;
  at::Tensor weights;  // f32 [rows, keys], as AttentionWeights leaves them
  at::Tensor dropped;  // [rows, keys] in the precision of the queries

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
void AddProduct(const at::Tensor& sum, const at::Tensor& left, const at::Tensor& right) {
  if (left.scalar_type() == sum.scalar_type()) {
    sum.addmm_(left, right);
  } else {
    sum.add_(at::mm(left, right));
  }
}

/// Calls body(sequence, kv_head) for each head of keys and values, on all threads.
template <typename Body>
void ForEachKvHead(const Problem& problem, const Body& body) {
  at::parallel_for(0, problem.qkv.size(0) * problem.kv_heads, 1, [&](int64_t first, int64_t last) {
    const at::NoGradGuard no_grad;  // a thread's own
    for (int64_t index = first; index < last; ++index) {
      body(index / problem.kv_heads, index % problem.kv_heads);
    }
  });
}

class Attention : public torch::autograd::Function<Attention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv, int64_t heads,
                            const std::optional<at::Tensor>& cos, const std::optional<at::Tensor>& sin,
                            Dropout dropout) {
    const RotaryTensors rotary{cos.value_or(at::Tensor()), sin.value_or(at::Tensor())};
    context->save_for_backward({qkv, rotary.cos, rotary.sin});
    context->saved_data["heads"] = heads;
    SaveDropout(context, dropout);
    const Problem problem(qkv, heads, rotary, dropout);
    const at::Tensor out = at::empty({qkv.size(0), qkv.size(1), heads, qkv.size(3)}, qkv.options());
    ForEachKvHead(problem, [&](int64_t sequence, int64_t kv_head) {
      const at::Tensor key = Turned(Problem::Of(qkv, sequence, problem.key_head(kv_head)), problem.rotary);
      for (int64_t h = kv_head * problem.group; h < (kv_head + 1) * problem.group; ++h) {
        const Head head(problem, sequence, h, key);
        const at::Tensor to = Problem::Of(out, sequence, h);
        for (int64_t begin = 0; begin < problem.time(); begin += kTile) {
          const Tile tile(head, begin);
          at::Tensor rows = to.narrow(0, begin, tile.rows);
          at::mm_out(rows, tile.dropped, head.value.narrow(0, 0, tile.keys));
        }
      }
    });
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& qkv = saved[0];
    const Problem problem(qkv, context->saved_data["heads"].toInt(), {saved[1], saved[2]}, SavedDropout(context));
    const int64_t time = problem.time();
    const at::Tensor d_qkv = at::empty_like(qkv);
    ForEachKvHead(problem, [&](int64_t sequence, int64_t kv_head) {
      const at::Tensor key = Turned(Problem::Of(qkv, sequence, problem.key_head(kv_head)), problem.rotary);
      // Each key and value has a share of each tile after it: added up in f32.
      const at::Tensor d_key = at::zeros({time, qkv.size(3)}, qkv.options().dtype(at::kFloat));
      const at::Tensor d_value = at::zeros_like(d_key);
      // Without rotary positions gradients of queries are written where they belong.
      const at::Tensor turned = problem.rotary.defined() ? at::empty({time, qkv.size(3)}, qkv.options()) : at::Tensor();
      for (int64_t h = kv_head * problem.group; h < (kv_head + 1) * problem.group; ++h) {
        const Head head(problem, sequence, h, key);
        const at::Tensor d_out = Problem::Of(gradients[0], sequence, h);
        const at::Tensor d_query = Problem::Of(d_qkv, sequence, h);
        for (int64_t begin = 0; begin < time; begin += kTile) {
          const Tile tile(head, begin);
          const at::Tensor d_tile = d_out.narrow(0, begin, tile.rows);
          AddProduct(d_value.narrow(0, 0, tile.keys), tile.dropped.t(), d_tile);
          const at::Tensor d_scores = at::mm(d_tile, head.value.narrow(0, 0, tile.keys).t());
          ForElementType(d_scores, [&](auto element) {
            using T = decltype(element);
            AttentionWeightsBackward<T>(tile.rows, tile.keys, begin, head.scale, head.dropout,
                                        Data<float>(tile.weights), Data<T>(d_scores));
          });
          at::Tensor d_rows = (turned.defined() ? turned : d_query).narrow(0, begin, tile.rows);
          at::mm_out(d_rows, d_scores, head.key.narrow(0, 0, tile.keys));
          AddProduct(d_key.narrow(0, 0, tile.keys), d_scores.t(), head.query.narrow(0, begin, tile.rows));
        }
        if (turned.defined()) {
          PutTurnedBack(turned, problem.rotary, d_query);
        }
      }
      PutTurnedBack(d_key, problem.rotary, Problem::Of(d_qkv, sequence, problem.key_head(kv_head)));
      Problem::Of(d_qkv, sequence, problem.value_head(kv_head)).copy_(d_value);
    });
    return {d_qkv, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor CausalAttention(const at::Tensor& qkv, int64_t heads, const RotaryTensors& rotary, Dropout dropout) {
  // Autograd takes no undefined tensors.
  const auto given = [&](const at::Tensor& tensor) { return rotary.defined() ? std::optional(tensor) : std::nullopt; };
  return Attention::apply(qkv, heads, given(rotary.cos), given(rotary.sin), dropout);
}

}  // namespace continuo
