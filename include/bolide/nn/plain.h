// PlainModule: modules that have options and no parameters, which most are.
#pragma once
#include "bolide/nn/module.h"
#include "bolide/nn/options.h"

namespace bolide::nn {

struct NoOptions {};

template <class Derived, class Options_>
class PlainModule : public Cloneable<Derived> {
 public:
  using Options = Options_;
  template <class... A>
    requires std::is_constructible_v<Options, A...>
  explicit PlainModule(A&&... args) : options(std::forward<A>(args)...) {}
  void reset() override {}
  Options options;
};

/// Declares `Name` and `NameImpl`, whose forward takes one tensor.
#define BOLIDE_PLAIN_MODULE(Name, OptionsType)                                 \
  class Name##Impl : public PlainModule<Name##Impl, OptionsType> {             \
   public:                                                                     \
    using PlainModule::PlainModule;                                            \
    ::bolide::Tensor forward(const ::bolide::Tensor& input) const;             \
    std::string extra_repr() const override;                                   \
  };                                                                           \
  BOLIDE_MODULE(Name)

}  // namespace bolide::nn
