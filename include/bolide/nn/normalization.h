// Normalisation: over batches, instances, layers, groups, root mean squares, neighbouring channels.
#pragma once
#include "bolide/nn/plain.h"

namespace bolide::nn {

// ---- options -----------------------------------------------------------------------------------
struct BatchNormOptions {
  BatchNormOptions(int64_t num_features) : num_features_(num_features) {}
  BOLIDE_ARG(int64_t, num_features);
  BOLIDE_ARG(double, eps) = 1e-5;
  /// nullopt: running statistics are plain means over all batches.
  BOLIDE_ARG(std::optional<double>, momentum) = 0.1;
  BOLIDE_ARG(bool, affine) = true;
  BOLIDE_ARG(bool, track_running_stats) = true;
  BOLIDE_ARG(bool, bias) = true;
};
struct InstanceNormOptions {
  InstanceNormOptions(int64_t num_features) : num_features_(num_features) {}
  BOLIDE_ARG(int64_t, num_features);
  BOLIDE_ARG(double, eps) = 1e-5;
  BOLIDE_ARG(double, momentum) = 0.1;
  BOLIDE_ARG(bool, affine) = false;
  BOLIDE_ARG(bool, track_running_stats) = false;
  BOLIDE_ARG(bool, bias) = true;
};
using BatchNorm1dOptions = BatchNormOptions;
using BatchNorm2dOptions = BatchNormOptions;
using BatchNorm3dOptions = BatchNormOptions;
using InstanceNorm1dOptions = InstanceNormOptions;
using InstanceNorm2dOptions = InstanceNormOptions;
using InstanceNorm3dOptions = InstanceNormOptions;
struct LayerNormOptions {
  LayerNormOptions(std::vector<int64_t> normalized_shape) : normalized_shape_(std::move(normalized_shape)) {}
  LayerNormOptions(int64_t size) : normalized_shape_{size} {}
  BOLIDE_ARG(std::vector<int64_t>, normalized_shape);
  BOLIDE_ARG(double, eps) = 1e-5;
  BOLIDE_ARG(bool, elementwise_affine) = true;
  BOLIDE_ARG(bool, bias) = true;
};
struct RMSNormOptions {
  RMSNormOptions(std::vector<int64_t> normalized_shape) : normalized_shape_(std::move(normalized_shape)) {}
  RMSNormOptions(int64_t size) : normalized_shape_{size} {}
  BOLIDE_ARG(std::vector<int64_t>, normalized_shape);
  /// nullopt: the machine's epsilon of the input's dtype.
  BOLIDE_ARG(std::optional<double>, eps);
  BOLIDE_ARG(bool, elementwise_affine) = true;
};
struct GroupNormOptions {
  GroupNormOptions(int64_t num_groups, int64_t num_channels) : num_groups_(num_groups), num_channels_(num_channels) {}
  BOLIDE_ARG(int64_t, num_groups);
  BOLIDE_ARG(int64_t, num_channels);
  BOLIDE_ARG(double, eps) = 1e-5;
  BOLIDE_ARG(bool, affine) = true;
  BOLIDE_ARG(bool, bias) = true;
};
struct LocalResponseNormOptions {
  LocalResponseNormOptions(int64_t size) : size_(size) {}
  BOLIDE_ARG(int64_t, size);
  BOLIDE_ARG(double, alpha) = 1e-4;
  BOLIDE_ARG(double, beta) = 0.75;
  BOLIDE_ARG(double, k) = 1.0;
};
using CrossMapLRN2dOptions = LocalResponseNormOptions;

// ---- modules -----------------------------------------------------------------------------------
class BatchNormImplBase : public Module {
 public:
  explicit BatchNormImplBase(const BatchNormOptions& options) : options(options) {}
  Tensor forward(const Tensor& input);
  void reset_parameters();
  void reset_running_stats();
  std::string extra_repr() const override;
  int64_t state_version() const override { return 2; }
  BatchNormOptions options;
  Tensor weight, bias, running_mean, running_var, num_batches_tracked;

 protected:
  virtual void check_input(const Tensor& input) const = 0;
  void register_all();
  void before_load(TensorDict& state, const std::string& prefix) const override;
};
class InstanceNormImplBase : public Module {
 public:
  explicit InstanceNormImplBase(const InstanceNormOptions& options) : options(options) {}
  Tensor forward(const Tensor& input);
  void reset_parameters();
  void reset_running_stats();
  std::string extra_repr() const override;
  int64_t state_version() const override { return 2; }
  InstanceNormOptions options;
  Tensor weight, bias, running_mean, running_var, num_batches_tracked;

 protected:
  /// Dimensions of an input without a batch.
  virtual int64_t unbatched_dim(const Tensor& input) const = 0;
  void register_all();
};

#define BOLIDE_BATCH_NORM_MODULE(Name)                                                  \
  class Name##Impl : public Cloneable<Name##Impl, BatchNormImplBase> {                  \
   public:                                                                              \
    explicit Name##Impl(const BatchNormOptions& options);                               \
    void reset() override;                                                              \
                                                                                        \
   protected:                                                                           \
    void check_input(const Tensor& input) const override;                               \
  };                                                                                    \
  BOLIDE_MODULE(Name)
#define BOLIDE_INSTANCE_NORM_MODULE(Name)                                               \
  class Name##Impl : public Cloneable<Name##Impl, InstanceNormImplBase> {               \
   public:                                                                              \
    explicit Name##Impl(const InstanceNormOptions& options);                            \
    void reset() override;                                                              \
                                                                                        \
   protected:                                                                           \
    int64_t unbatched_dim(const Tensor& input) const override;                          \
  };                                                                                    \
  BOLIDE_MODULE(Name)

BOLIDE_BATCH_NORM_MODULE(BatchNorm1d);
BOLIDE_BATCH_NORM_MODULE(BatchNorm2d);
BOLIDE_BATCH_NORM_MODULE(BatchNorm3d);
BOLIDE_INSTANCE_NORM_MODULE(InstanceNorm1d);
BOLIDE_INSTANCE_NORM_MODULE(InstanceNorm2d);
BOLIDE_INSTANCE_NORM_MODULE(InstanceNorm3d);

#define BOLIDE_AFFINE_NORM_MODULE(Name)                    \
  class Name##Impl : public Cloneable<Name##Impl> {        \
   public:                                                 \
    explicit Name##Impl(const Name##Options& options);     \
    Tensor forward(const Tensor& input) const;             \
    void reset() override;                                 \
    void reset_parameters();                               \
    std::string extra_repr() const override;               \
    Name##Options options;                                 \
    Tensor weight, bias;                                   \
  };                                                       \
  BOLIDE_MODULE(Name)

BOLIDE_AFFINE_NORM_MODULE(LayerNorm);
/// Has no bias.
BOLIDE_AFFINE_NORM_MODULE(RMSNorm);

class GroupNormImpl : public Cloneable<GroupNormImpl> {
 public:
  GroupNormImpl(int64_t num_groups, int64_t num_channels) : GroupNormImpl(GroupNormOptions(num_groups, num_channels)) {}
  explicit GroupNormImpl(const GroupNormOptions& options);
  Tensor forward(const Tensor& input) const;
  void reset() override;
  void reset_parameters();
  std::string extra_repr() const override;
  GroupNormOptions options;
  Tensor weight, bias;
};
BOLIDE_MODULE(GroupNorm);

BOLIDE_PLAIN_MODULE(LocalResponseNorm, LocalResponseNormOptions);
BOLIDE_PLAIN_MODULE(CrossMapLRN2d, CrossMapLRN2dOptions);

}  // namespace bolide::nn
