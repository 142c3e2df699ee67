// Embeddings: rows of a table looked up by integers, alone or in bags.
#pragma once
#include "bolide/nn/plain.h"

namespace bolide::nn {

struct EmbeddingOptions {
  EmbeddingOptions(int64_t num_embeddings, int64_t embedding_dim)
      : num_embeddings_(num_embeddings), embedding_dim_(embedding_dim) {}
  BOLIDE_ARG(int64_t, num_embeddings);
  BOLIDE_ARG(int64_t, embedding_dim);
  /// A row that gets no gradient and starts as zeros.
  BOLIDE_ARG(std::optional<int64_t>, padding_idx);
  /// Rows that are looked up are first scaled down to this norm, in place.
  BOLIDE_ARG(std::optional<double>, max_norm);
  BOLIDE_ARG(double, norm_type) = 2.0;
  BOLIDE_ARG(bool, scale_grad_by_freq) = false;
  BOLIDE_ARG(bool, sparse) = false;
  BOLIDE_ARG(Tensor, _weight);
};
struct EmbeddingFromPretrainedOptions {
  BOLIDE_ARG(bool, freeze) = true;
  BOLIDE_ARG(std::optional<int64_t>, padding_idx);
  BOLIDE_ARG(std::optional<double>, max_norm);
  BOLIDE_ARG(double, norm_type) = 2.0;
  BOLIDE_ARG(bool, scale_grad_by_freq) = false;
  BOLIDE_ARG(bool, sparse) = false;
};
struct EmbeddingBagOptions {
  EmbeddingBagOptions(int64_t num_embeddings, int64_t embedding_dim)
      : num_embeddings_(num_embeddings), embedding_dim_(embedding_dim) {}
  BOLIDE_ARG(int64_t, num_embeddings);
  BOLIDE_ARG(int64_t, embedding_dim);
  BOLIDE_ARG(std::optional<double>, max_norm);
  BOLIDE_ARG(double, norm_type) = 2.0;
  BOLIDE_ARG(bool, scale_grad_by_freq) = false;
  /// kMean, kSum or kMax.
  BOLIDE_ARG(std::string, mode) = kMean;
  BOLIDE_ARG(bool, sparse) = false;
  BOLIDE_ARG(Tensor, _weight);
  BOLIDE_ARG(bool, include_last_offset) = false;
  BOLIDE_ARG(std::optional<int64_t>, padding_idx);
};
struct EmbeddingBagFromPretrainedOptions {
  BOLIDE_ARG(bool, freeze) = true;
  BOLIDE_ARG(std::optional<double>, max_norm);
  BOLIDE_ARG(double, norm_type) = 2.0;
  BOLIDE_ARG(bool, scale_grad_by_freq) = false;
  BOLIDE_ARG(std::string, mode) = kMean;
  BOLIDE_ARG(bool, sparse) = false;
  BOLIDE_ARG(bool, include_last_offset) = false;
  BOLIDE_ARG(std::optional<int64_t>, padding_idx);
};

class EmbeddingImpl : public Cloneable<EmbeddingImpl> {
 public:
  EmbeddingImpl(int64_t num, int64_t dim) : EmbeddingImpl(EmbeddingOptions(num, dim)) {}
  explicit EmbeddingImpl(const EmbeddingOptions& options);
  Tensor forward(const Tensor& indices) const;
  void reset() override;
  void reset_parameters();
  std::string extra_repr() const override;
  EmbeddingOptions options;
  Tensor weight;
};
class Embedding : public ModuleHolder<EmbeddingImpl> {
 public:
  using ModuleHolder::ModuleHolder;
  using Impl = EmbeddingImpl;
  static Embedding from_pretrained(const Tensor& weight, const EmbeddingFromPretrainedOptions& options = {});
};

class EmbeddingBagImpl : public Cloneable<EmbeddingBagImpl> {
 public:
  EmbeddingBagImpl(int64_t num, int64_t dim) : EmbeddingBagImpl(EmbeddingBagOptions(num, dim)) {}
  explicit EmbeddingBagImpl(const EmbeddingBagOptions& options);
  /// Bags are the rows of 2-d indices, or start at `offsets`.
  Tensor forward(const Tensor& indices, const Tensor& offsets = {}, const Tensor& per_sample_weights = {}) const;
  void reset() override;
  void reset_parameters();
  std::string extra_repr() const override;
  EmbeddingBagOptions options;
  Tensor weight;
};
class EmbeddingBag : public ModuleHolder<EmbeddingBagImpl> {
 public:
  using ModuleHolder::ModuleHolder;
  using Impl = EmbeddingBagImpl;
  static EmbeddingBag from_pretrained(const Tensor& weight, const EmbeddingBagFromPretrainedOptions& options = {});
};

}  // namespace bolide::nn
