// Linear maps and reshaping: Identity, Linear, Bilinear, Flatten, Unflatten.
#pragma once
#include "bolide/nn/plain.h"

namespace bolide::nn {

// ---- options -----------------------------------------------------------------------------------
struct LinearOptions {
  LinearOptions(int64_t in_features, int64_t out_features) : in_features_(in_features), out_features_(out_features) {}
  BOLIDE_ARG(int64_t, in_features);
  BOLIDE_ARG(int64_t, out_features);
  BOLIDE_ARG(bool, bias) = true;
};
struct BilinearOptions {
  BilinearOptions(int64_t in1_features, int64_t in2_features, int64_t out_features)
      : in1_features_(in1_features), in2_features_(in2_features), out_features_(out_features) {}
  BOLIDE_ARG(int64_t, in1_features);
  BOLIDE_ARG(int64_t, in2_features);
  BOLIDE_ARG(int64_t, out_features);
  BOLIDE_ARG(bool, bias) = true;
};
struct FlattenOptions {
  BOLIDE_ARG(int64_t, start_dim) = 1;
  BOLIDE_ARG(int64_t, end_dim) = -1;
};
struct UnflattenOptions {
  UnflattenOptions(int64_t dim, std::vector<int64_t> sizes) : dim_(dim), sizes_(std::move(sizes)) {}
  BOLIDE_ARG(int64_t, dim);
  BOLIDE_ARG(std::vector<int64_t>, sizes);
};

// ---- modules -----------------------------------------------------------------------------------
/// Gives back what it gets; takes and ignores any arguments.
class IdentityImpl : public Cloneable<IdentityImpl> {
 public:
  template <class... Ignored>
  explicit IdentityImpl(const Ignored&...) {}
  IdentityImpl(const IdentityImpl&) = default;
  Tensor forward(const Tensor& input) const { return input; }
  void reset() override {}
};
BOLIDE_MODULE(Identity);

/// input @ weight.t() + bias.
class LinearImpl : public Cloneable<LinearImpl> {
 public:
  LinearImpl(int64_t in_features, int64_t out_features) : LinearImpl(LinearOptions(in_features, out_features)) {}
  explicit LinearImpl(const LinearOptions& options);
  Tensor forward(const Tensor& input) const;
  void reset() override;
  void reset_parameters();
  std::string extra_repr() const override;
  LinearOptions options;
  Tensor weight, bias;
};
BOLIDE_MODULE(Linear);

/// input1 @ weight[k] @ input2 + bias[k].
class BilinearImpl : public Cloneable<BilinearImpl> {
 public:
  BilinearImpl(int64_t in1, int64_t in2, int64_t out) : BilinearImpl(BilinearOptions(in1, in2, out)) {}
  explicit BilinearImpl(const BilinearOptions& options);
  Tensor forward(const Tensor& input1, const Tensor& input2) const;
  void reset() override;
  void reset_parameters();
  std::string extra_repr() const override;
  BilinearOptions options;
  Tensor weight, bias;
};
BOLIDE_MODULE(Bilinear);

BOLIDE_PLAIN_MODULE(Flatten, FlattenOptions);
BOLIDE_PLAIN_MODULE(Unflatten, UnflattenOptions);

}  // namespace bolide::nn
