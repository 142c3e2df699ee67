// Dropout as modules: active in training only.
#pragma once
#include "bolide/nn/plain.h"

namespace bolide::nn {

struct DropoutOptions {
  DropoutOptions(double p = 0.5) : p_(p) {}
  BOLIDE_ARG(double, p) = 0.5;
  BOLIDE_ARG(bool, inplace) = false;
};
using Dropout1dOptions = DropoutOptions;
using Dropout2dOptions = DropoutOptions;
using Dropout3dOptions = DropoutOptions;
using AlphaDropoutOptions = DropoutOptions;
using FeatureAlphaDropoutOptions = DropoutOptions;

#define BOLIDE_DROPOUT_MODULE(Name)                                \
  class Name##Impl : public Cloneable<Name##Impl> {                \
   public:                                                         \
    explicit Name##Impl(const DropoutOptions& options = {});       \
    Tensor forward(const Tensor& input) const;                     \
    void reset() override {}                                       \
    std::string extra_repr() const override;                       \
    DropoutOptions options;                                        \
  };                                                               \
  BOLIDE_MODULE(Name)

BOLIDE_DROPOUT_MODULE(Dropout);
BOLIDE_DROPOUT_MODULE(Dropout1d);
BOLIDE_DROPOUT_MODULE(Dropout2d);
BOLIDE_DROPOUT_MODULE(Dropout3d);
BOLIDE_DROPOUT_MODULE(AlphaDropout);
BOLIDE_DROPOUT_MODULE(FeatureAlphaDropout);

}  // namespace bolide::nn
