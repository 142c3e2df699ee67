// Attention.
#include <cmath>
#include <limits>

#include "bolide/nn/functional.h"
#include "bolide/ops.h"
#include "core/named_op.h"

namespace bolide::nn::functional {

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& attn_mask, double dropout_p,
                                    bool is_causal, std::optional<double> scale, bool enable_gqa) {
  static constexpr NamedOp op("scaled_dot_product_attention");
  return op(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa);
}

namespace {

using Options = MultiheadAttentionForwardFuncOptions;

/// A mask as numbers to add: true becomes minus infinity.
Tensor additive(const Tensor& mask, const char* name, DType dtype) {
  if (!mask.defined() || is_floating(mask.dtype())) return mask;
  BOLIDE_CHECK(mask.dtype() == DType::Bool, "only bool and floating types of ", name, " are supported");
  return masked_fill(zeros(mask.sizes(), dtype, mask.device()), mask, -std::numeric_limits<double>::infinity());
}

void check_shapes(const Tensor& q, const Tensor& k, const Tensor& v, const Options& o) {
  const int64_t n = q.dim();
  BOLIDE_CHECK(n == 2 || n == 3, "query should be unbatched 2D or batched 3D tensor but received ", n, "-D query tensor");
  const char* kind = n == 3 ? "batched" : "unbatched";
  BOLIDE_CHECK(k.dim() == n && v.dim() == n, "For ", kind, " (", n, "-D) `query`, expected `key` and `value` to be ", n, "-D but found ",
               k.dim(), "-D and ", v.dim(), "-D tensors respectively");
  BOLIDE_CHECK(!o.key_padding_mask.defined() || o.key_padding_mask.dim() == n - 1, "For ", kind, " (", n,
               "-D) `query`, expected `key_padding_mask` to be `None` or ", n - 1, "-D but found ", o.key_padding_mask.defined() ? o.key_padding_mask.dim() : 0,
               "-D tensor instead");
  BOLIDE_CHECK(!o.attn_mask.defined() || o.attn_mask.dim() == 2 || o.attn_mask.dim() == 3, "For ", kind, " (", n,
               "-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D");
  BOLIDE_CHECK(q.size(-1) == o.embed_dim, "was expecting embedding dimension of ", o.embed_dim, ", but got ", q.size(-1));
  BOLIDE_CHECK(o.num_heads > 0 && o.embed_dim % o.num_heads == 0, "embed_dim ", o.embed_dim, " not divisible by num_heads ", o.num_heads);
  if (o.q_proj_weight.defined()) {
    const bool same = k.size(0) == v.size(0) && (n == 2 || k.size(1) == v.size(1));
    BOLIDE_CHECK(same, "key's sequence and batch dims ", k.sizes(), " do not match value's ", v.sizes());
  } else {
    BOLIDE_CHECK(k.sizes() == v.sizes(), "key shape torch.Size(", k.sizes(), ") does not match value shape torch.Size(", v.sizes(), ")");
  }
}

using Three = std::array<Tensor, 3>;
Three thirds(const Tensor& t) {
  if (!t.defined()) return {};
  auto parts = chunk(t, 3);
  return {parts[0], parts[1], parts[2]};
}

/// Queries, keys and values. With one stacked weight and one input it is a single product.
Three project(const Tensor& q, const Tensor& k, const Tensor& v, const Options& o) {
  const Three biases = thirds(o.in_proj_bias);
  if (o.q_proj_weight.defined())
    return {bolide::linear(q, o.q_proj_weight, biases[0]), bolide::linear(k, o.k_proj_weight, biases[1]), bolide::linear(v, o.v_proj_weight, biases[2])};
  const int64_t e = q.size(-1);
  if (k.is_same(v) && q.is_same(k)) {
    auto parts = chunk(bolide::linear(q, o.in_proj_weight, o.in_proj_bias), 3, -1);
    return {parts[0], parts[1], parts[2]};
  }
  if (k.is_same(v)) {
    const int64_t sizes[] = {e, 2 * e};
    const auto w = split_with_sizes(o.in_proj_weight, IntList(sizes, 2));
    std::vector<Tensor> b(2);
    if (o.in_proj_bias.defined()) b = split_with_sizes(o.in_proj_bias, IntList(sizes, 2));
    const auto kv = chunk(bolide::linear(k, w[1], b[1]), 2, -1);
    return {bolide::linear(q, w[0], b[0]), kv[0], kv[1]};
  }
  const Three w = thirds(o.in_proj_weight);
  return {bolide::linear(q, w[0], biases[0]), bolide::linear(k, w[1], biases[1]), bolide::linear(v, w[2], biases[2])};
}

Tensor one_more_key(const Tensor& mask) { return mask.defined() ? pad(mask, PadFuncOptions({0, 1})) : mask; }

struct Sizes3 { int64_t batch, heads, target, source, head_dim; };

Tensor heads_first(const Tensor& t, const Sizes3& s) {
  return transpose(reshape(t, {t.size(0), s.batch * s.heads, s.head_dim}), 0, 1);
}

/// attn_mask and key_padding_mask in one, (batch * heads or 1, L, S).
Tensor joined_mask(Tensor attn_mask, const Tensor& padding, const Sizes3& s) {
  if (!padding.defined()) return attn_mask;
  BOLIDE_CHECK(padding.dim() == 2 && padding.size(0) == s.batch && padding.size(1) == s.source, "expecting key_padding_mask shape of (", s.batch, ", ",
               s.source, "), but got torch.Size(", padding.sizes(), ")");
  const Tensor spread = reshape(expand(reshape(padding, {s.batch, 1, 1, s.source}), {s.batch, s.heads, 1, s.source}), {s.batch * s.heads, 1, s.source});
  return attn_mask.defined() ? add(attn_mask, spread) : spread;
}

Tensor checked_mask(const Tensor& mask, const Sizes3& s) {
  if (!mask.defined()) return mask;
  const Dims want = mask.dim() == 2 ? Dims{s.target, s.source} : Dims{s.batch * s.heads, s.target, s.source};
  BOLIDE_CHECK(mask.sizes() == want, "The shape of the ", mask.dim(), "D attn_mask is torch.Size(", mask.sizes(), "), but should be ", want, ".");
  return mask.dim() == 2 ? unsqueeze(mask, 0) : mask;
}

std::tuple<Tensor, Tensor> with_weights(const Three& qkv, const Tensor& mask, double dropout_p, const Options& o, const Sizes3& s, bool batched) {
  const Tensor scores = matmul(mul(qkv[0], std::sqrt(1.0 / static_cast<double>(s.head_dim))), transpose(qkv[1], -2, -1));
  Tensor weights = bolide::softmax(mask.defined() ? add(scores, mask) : scores, -1);
  if (dropout_p > 0) weights = bolide::dropout(weights, dropout_p, true);
  Tensor out = reshape(contiguous(transpose(matmul(weights, qkv[2]), 0, 1)), {s.target * s.batch, o.embed_dim});
  out = reshape(bolide::linear(out, o.out_proj_weight, o.out_proj_bias), {s.target, s.batch, -1});
  weights = reshape(weights, {s.batch, s.heads, s.target, s.source});
  if (o.average_attn_weights) weights = mean(weights, 1);
  return batched ? std::tuple(out, weights) : std::tuple(squeeze(out, 1), squeeze(weights, 0));
}

}  // namespace

std::tuple<Tensor, Tensor> multi_head_attention_forward(const Tensor& query, const Tensor& key, const Tensor& value, const Options& o) {
  check_shapes(query, key, value, o);
  const bool batched = query.dim() == 3;
  Tensor q = query, k = key, v = value, padding = o.key_padding_mask;
  if (!batched) {
    const bool same_kv = k.is_same(v), same_q = q.is_same(k);
    k = unsqueeze(k, 1);
    v = same_kv ? k : unsqueeze(v, 1);
    q = same_q ? k : unsqueeze(q, 1);
    if (padding.defined()) padding = unsqueeze(padding, 0);
  }
  Sizes3 s{q.size(1), o.num_heads, q.size(0), k.size(0), o.embed_dim / o.num_heads};
  padding = additive(padding, "key_padding_mask", q.dtype());
  bool causal = o.is_causal;
  BOLIDE_CHECK(!causal || o.attn_mask.defined(), "Need attn_mask if specifying the is_causal hint.");
  Tensor mask;
  if (!(causal && !padding.defined() && !o.need_weights)) {  // else the hint is enough
    mask = additive(o.attn_mask, "attn_mask", q.dtype());
    if (padding.defined()) causal = false;
  }
  Three qkv = project(q, k, v, o);
  mask = checked_mask(mask, s);
  if (o.bias_k.defined() && o.bias_v.defined()) {
    qkv[1] = cat(std::array{qkv[1], expand(o.bias_k, {1, s.batch, o.bias_k.size(-1)})});
    qkv[2] = cat(std::array{qkv[2], expand(o.bias_v, {1, s.batch, o.bias_v.size(-1)})});
    mask = one_more_key(mask), padding = one_more_key(padding);
  }
  qkv[0] = heads_first(qkv[0], s);
  qkv[1] = o.static_k.defined() ? o.static_k : heads_first(qkv[1], s);
  qkv[2] = o.static_v.defined() ? o.static_v : heads_first(qkv[2], s);
  if (o.add_zero_attn) {
    const Tensor none = zeros({s.batch * s.heads, 1, s.head_dim}, qkv[1].dtype(), qkv[1].device());
    qkv[1] = cat(std::array{qkv[1], none}, 1), qkv[2] = cat(std::array{qkv[2], none}, 1);
    mask = one_more_key(mask), padding = one_more_key(padding);
  }
  s.source = qkv[1].size(1);
  mask = joined_mask(mask, padding, s);
  const double dropout_p = o.training ? o.dropout_p : 0.0;
  if (o.need_weights) return with_weights(qkv, mask, dropout_p, o, s, batched);
  if (mask.defined()) mask = mask.size(0) == 1 ? unsqueeze(mask, 0) : reshape(mask, {s.batch, s.heads, -1, s.source});
  const auto split = [&](const Tensor& t) { return reshape(t, {s.batch, s.heads, -1, s.head_dim}); };
  Tensor out = scaled_dot_product_attention(split(qkv[0]), split(qkv[1]), split(qkv[2]), mask, dropout_p, causal);
  out = reshape(contiguous(permute(out, {2, 0, 1, 3})), {s.batch * s.target, o.embed_dim});
  out = reshape(bolide::linear(out, o.out_proj_weight, o.out_proj_bias), {s.target, s.batch, -1});
  return {batched ? out : squeeze(out, 1), Tensor()};
}

}  // namespace bolide::nn::functional
