// Padding modules.
#include "bolide/nn/padding.h"

#include "bolide/nn/functional.h"
#include "nn/text.h"

namespace bolide::nn {
namespace {
template <class Options>
Tensor pad(const Tensor& x, const Options& o, const char* mode, double value = 0) {
  return functional::pad(x, functional::PadFuncOptions({o.padding().begin(), o.padding().end()}).mode(mode).value(value));
}
}  // namespace

#define PAD(Name, mode)                                                        \
  Tensor Name##Impl::forward(const Tensor& x) const { return pad(x, options, mode); } \
  std::string Name##Impl::extra_repr() const { return detail::py(IntList(options.padding())); }
#define CONSTANT_PAD(Name)                                                     \
  Tensor Name##Impl::forward(const Tensor& x) const { return pad(x, options, kConstant, options.value()); } \
  std::string Name##Impl::extra_repr() const {                                 \
    return "padding=" + detail::py(IntList(options.padding())) + ", value=" + detail::py(options.value()); \
  }

PAD(ReflectionPad1d, kReflect)
PAD(ReflectionPad2d, kReflect)
PAD(ReflectionPad3d, kReflect)
PAD(ReplicationPad1d, kReplicate)
PAD(ReplicationPad2d, kReplicate)
PAD(ReplicationPad3d, kReplicate)
PAD(CircularPad1d, kCircular)
PAD(CircularPad2d, kCircular)
PAD(CircularPad3d, kCircular)
PAD(ZeroPad1d, kConstant)
PAD(ZeroPad2d, kConstant)
PAD(ZeroPad3d, kConstant)
CONSTANT_PAD(ConstantPad1d)
CONSTANT_PAD(ConstantPad2d)
CONSTANT_PAD(ConstantPad3d)

}  // namespace bolide::nn
