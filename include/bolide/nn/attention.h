// Attention and transformers: MultiheadAttention | encoder and decoder layers | stacks of them | Transformer.
#pragma once
#include "bolide/nn/containers.h"
#include "bolide/nn/dropout.h"
#include "bolide/nn/linear.h"
#include "bolide/nn/normalization.h"

namespace bolide::nn {

// ---- options -----------------------------------------------------------------------------------
struct MultiheadAttentionOptions {
  MultiheadAttentionOptions(int64_t embed_dim, int64_t num_heads) : embed_dim_(embed_dim), num_heads_(num_heads) {}
  BOLIDE_ARG(int64_t, embed_dim);
  BOLIDE_ARG(int64_t, num_heads);
  BOLIDE_ARG(double, dropout) = 0.0;
  BOLIDE_ARG(bool, bias) = true;
  BOLIDE_ARG(bool, add_bias_kv) = false;
  BOLIDE_ARG(bool, add_zero_attn) = false;
  /// Features of keys and values where they differ from embed_dim.
  BOLIDE_ARG(std::optional<int64_t>, kdim);
  BOLIDE_ARG(std::optional<int64_t>, vdim);
  /// Inputs are (N, L, E) instead of (L, N, E).
  BOLIDE_ARG(bool, batch_first) = false;
};

/// The activation between the two linear maps: kReLU, kGELU, or a function.
class TransformerActivation {
 public:
  using Function = std::function<Tensor(const Tensor&)>;
  TransformerActivation(const char* name) : TransformerActivation(std::string(name)) {}
  TransformerActivation(const std::string& name);
  TransformerActivation(Function f) : function_(std::move(f)) {}
  Tensor operator()(const Tensor& x) const { return function_(x); }

 private:
  Function function_;
};

#define BOLIDE_TRANSFORMER_ARGS(Name)                                                  \
  Name(int64_t d_model, int64_t nhead) : d_model_(d_model), nhead_(nhead) {}           \
  BOLIDE_ARG(int64_t, d_model);                                                        \
  BOLIDE_ARG(int64_t, nhead);                                                          \
  BOLIDE_ARG(int64_t, dim_feedforward) = 2048;                                         \
  BOLIDE_ARG(double, dropout) = 0.1;                                                   \
  BOLIDE_ARG(TransformerActivation, activation) = kReLU;                               \
  BOLIDE_ARG(double, layer_norm_eps) = 1e-5;                                           \
  BOLIDE_ARG(bool, batch_first) = false;                                               \
  BOLIDE_ARG(bool, norm_first) = false;                                                \
  BOLIDE_ARG(bool, bias) = true

struct TransformerEncoderLayerOptions {
  BOLIDE_TRANSFORMER_ARGS(TransformerEncoderLayerOptions);
};
struct TransformerDecoderLayerOptions {
  BOLIDE_TRANSFORMER_ARGS(TransformerDecoderLayerOptions);
};
struct TransformerOptions {
  TransformerOptions(int64_t d_model, int64_t nhead, int64_t encoder_layers, int64_t decoder_layers)
      : d_model_(d_model), nhead_(nhead), num_encoder_layers_(encoder_layers), num_decoder_layers_(decoder_layers) {}
  BOLIDE_TRANSFORMER_ARGS(TransformerOptions);
  BOLIDE_ARG(int64_t, num_encoder_layers) = 6;
  BOLIDE_ARG(int64_t, num_decoder_layers) = 6;
  /// Modules to use instead: forward(src, src_mask, src_key_padding_mask) and
  /// forward(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask).
  BOLIDE_ARG(AnyModule, custom_encoder);
  BOLIDE_ARG(AnyModule, custom_decoder);
};

// ---- modules -----------------------------------------------------------------------------------
/// Attention of several heads, as in "Attention is all you need". Masks: true (or minus infinity) hides a position.
class MultiheadAttentionImpl : public Cloneable<MultiheadAttentionImpl> {
 public:
  MultiheadAttentionImpl(int64_t embed_dim, int64_t num_heads)
      : MultiheadAttentionImpl(MultiheadAttentionOptions(embed_dim, num_heads)) {}
  explicit MultiheadAttentionImpl(const MultiheadAttentionOptions& options);
  /// The output, and the weights when asked for (averaged over the heads, or (N, heads, L, S)).
  std::tuple<Tensor, Tensor> forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                     const Tensor& key_padding_mask = {}, bool need_weights = true, const Tensor& attn_mask = {},
                                     bool average_attn_weights = true, bool is_causal = false) const;
  void reset() override;
  void reset_parameters();
  MultiheadAttentionOptions options;
  Tensor in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, in_proj_bias, bias_k, bias_v;
  Linear out_proj{nullptr};

 private:
  bool same_embed_dim() const;
};
BOLIDE_MODULE(MultiheadAttention);

class TransformerEncoderLayerImpl : public Cloneable<TransformerEncoderLayerImpl> {
 public:
  TransformerEncoderLayerImpl(int64_t d_model, int64_t nhead)
      : TransformerEncoderLayerImpl(TransformerEncoderLayerOptions(d_model, nhead)) {}
  explicit TransformerEncoderLayerImpl(const TransformerEncoderLayerOptions& options);
  Tensor forward(const Tensor& src, const Tensor& src_mask = {}, const Tensor& src_key_padding_mask = {}, bool is_causal = false) const;
  void reset() override;
  TransformerEncoderLayerOptions options;
  MultiheadAttention self_attn{nullptr};
  Linear linear1{nullptr}, linear2{nullptr};
  Dropout dropout{nullptr}, dropout1{nullptr}, dropout2{nullptr};
  LayerNorm norm1{nullptr}, norm2{nullptr};
};
BOLIDE_MODULE(TransformerEncoderLayer);

class TransformerDecoderLayerImpl : public Cloneable<TransformerDecoderLayerImpl> {
 public:
  TransformerDecoderLayerImpl(int64_t d_model, int64_t nhead)
      : TransformerDecoderLayerImpl(TransformerDecoderLayerOptions(d_model, nhead)) {}
  explicit TransformerDecoderLayerImpl(const TransformerDecoderLayerOptions& options);
  Tensor forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask = {}, const Tensor& memory_mask = {},
                 const Tensor& tgt_key_padding_mask = {}, const Tensor& memory_key_padding_mask = {}, bool tgt_is_causal = false,
                 bool memory_is_causal = false) const;
  void reset() override;
  TransformerDecoderLayerOptions options;
  MultiheadAttention self_attn{nullptr}, multihead_attn{nullptr};
  Linear linear1{nullptr}, linear2{nullptr};
  Dropout dropout{nullptr}, dropout1{nullptr}, dropout2{nullptr}, dropout3{nullptr};
  LayerNorm norm1{nullptr}, norm2{nullptr}, norm3{nullptr};
};
BOLIDE_MODULE(TransformerDecoderLayer);

struct TransformerEncoderOptions {
  TransformerEncoderOptions(TransformerEncoderLayer layer, int64_t num_layers) : encoder_layer_(std::move(layer)), num_layers_(num_layers) {}
  BOLIDE_ARG(TransformerEncoderLayer, encoder_layer) = nullptr;
  BOLIDE_ARG(int64_t, num_layers);
  BOLIDE_ARG(AnyModule, norm);
};
struct TransformerDecoderOptions {
  TransformerDecoderOptions(TransformerDecoderLayer layer, int64_t num_layers) : decoder_layer_(std::move(layer)), num_layers_(num_layers) {}
  BOLIDE_ARG(TransformerDecoderLayer, decoder_layer) = nullptr;
  BOLIDE_ARG(int64_t, num_layers);
  BOLIDE_ARG(AnyModule, norm);
};

/// Copies of one layer, which so start equal, and a norm at the end.
class TransformerEncoderImpl : public Cloneable<TransformerEncoderImpl> {
 public:
  TransformerEncoderImpl(TransformerEncoderLayer layer, int64_t num_layers)
      : TransformerEncoderImpl(TransformerEncoderOptions(std::move(layer), num_layers)) {}
  explicit TransformerEncoderImpl(const TransformerEncoderOptions& options);
  Tensor forward(const Tensor& src, const Tensor& mask = {}, const Tensor& src_key_padding_mask = {},
                 std::optional<bool> is_causal = {}) const;
  void reset() override;
  TransformerEncoderOptions options;
  ModuleList layers{nullptr};
  AnyModule norm;
};
BOLIDE_MODULE(TransformerEncoder);

class TransformerDecoderImpl : public Cloneable<TransformerDecoderImpl> {
 public:
  TransformerDecoderImpl(TransformerDecoderLayer layer, int64_t num_layers)
      : TransformerDecoderImpl(TransformerDecoderOptions(std::move(layer), num_layers)) {}
  explicit TransformerDecoderImpl(const TransformerDecoderOptions& options);
  Tensor forward(const Tensor& tgt, const Tensor& memory, const Tensor& tgt_mask = {}, const Tensor& memory_mask = {},
                 const Tensor& tgt_key_padding_mask = {}, const Tensor& memory_key_padding_mask = {},
                 std::optional<bool> tgt_is_causal = {}, bool memory_is_causal = false) const;
  void reset() override;
  TransformerDecoderOptions options;
  ModuleList layers{nullptr};
  AnyModule norm;
};
BOLIDE_MODULE(TransformerDecoder);

class TransformerImpl : public Cloneable<TransformerImpl> {
 public:
  TransformerImpl() : TransformerImpl(TransformerOptions(512, 8)) {}
  TransformerImpl(int64_t d_model, int64_t nhead) : TransformerImpl(TransformerOptions(d_model, nhead)) {}
  explicit TransformerImpl(const TransformerOptions& options);
  Tensor forward(const Tensor& src, const Tensor& tgt, const Tensor& src_mask = {}, const Tensor& tgt_mask = {},
                 const Tensor& memory_mask = {}, const Tensor& src_key_padding_mask = {}, const Tensor& tgt_key_padding_mask = {},
                 const Tensor& memory_key_padding_mask = {}) const;
  void reset() override;
  void reset_parameters();
  /// (size, size): minus infinity above the diagonal.
  static Tensor generate_square_subsequent_mask(int64_t size);
  TransformerOptions options;
  AnyModule encoder, decoder;
};
BOLIDE_MODULE(Transformer);

}  // namespace bolide::nn
