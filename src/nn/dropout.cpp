// Dropout modules.
#include "bolide/nn/dropout.h"

#include "bolide/nn/functional.h"
#include "nn/text.h"

namespace bolide::nn {
namespace {
const DropoutOptions& checked(const DropoutOptions& o) {
  BOLIDE_CHECK_AS(ValueError, o.p() >= 0 && o.p() <= 1, "dropout probability has to be between 0 and 1, but got ", o.p());
  return o;
}
std::string text(const DropoutOptions& o) { return "p=" + detail::py(o.p()) + ", inplace=" + detail::py(o.inplace()); }
}  // namespace

#define DROPOUT(Name, function)                                                                             \
  Name##Impl::Name##Impl(const DropoutOptions& o) : options(checked(o)) {}                                  \
  Tensor Name##Impl::forward(const Tensor& x) const {                                                       \
    return functional::function(x, functional::Name##FuncOptions().p(options.p()).training(is_training()).inplace(options.inplace())); \
  }                                                                                                         \
  std::string Name##Impl::extra_repr() const { return text(options); }

DROPOUT(Dropout, dropout)
DROPOUT(Dropout1d, dropout1d)
DROPOUT(Dropout2d, dropout2d)
DROPOUT(Dropout3d, dropout3d)
DROPOUT(AlphaDropout, alpha_dropout)
DROPOUT(FeatureAlphaDropout, feature_alpha_dropout)

}  // namespace bolide::nn
