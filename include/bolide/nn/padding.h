// Padding as modules; sizes are given for the last dimension first: {left, right, top, bottom, ...}.
#pragma once
#include "bolide/nn/plain.h"

namespace bolide::nn {

template <size_t D>
struct PadOptions {
  PadOptions(Sizes<2 * D> padding) : padding_(padding) {}
  template <std::integral N>
  PadOptions(N padding) : PadOptions(Sizes<2 * D>(padding)) {}
  BOLIDE_ARG(Sizes<2 * D>, padding);
};
template <size_t D>
struct ConstantPadOptions {
  ConstantPadOptions(Sizes<2 * D> padding, double value) : padding_(padding), value_(value) {}
  BOLIDE_ARG(Sizes<2 * D>, padding);
  BOLIDE_ARG(double, value) = 0;
};
using ReflectionPad1dOptions = PadOptions<1>;
using ReflectionPad2dOptions = PadOptions<2>;
using ReflectionPad3dOptions = PadOptions<3>;
using ReplicationPad1dOptions = PadOptions<1>;
using ReplicationPad2dOptions = PadOptions<2>;
using ReplicationPad3dOptions = PadOptions<3>;
using CircularPad1dOptions = PadOptions<1>;
using CircularPad2dOptions = PadOptions<2>;
using CircularPad3dOptions = PadOptions<3>;
using ZeroPad1dOptions = PadOptions<1>;
using ZeroPad2dOptions = PadOptions<2>;
using ZeroPad3dOptions = PadOptions<3>;
using ConstantPad1dOptions = ConstantPadOptions<1>;
using ConstantPad2dOptions = ConstantPadOptions<2>;
using ConstantPad3dOptions = ConstantPadOptions<3>;

BOLIDE_PLAIN_MODULE(ReflectionPad1d, ReflectionPad1dOptions);
BOLIDE_PLAIN_MODULE(ReflectionPad2d, ReflectionPad2dOptions);
BOLIDE_PLAIN_MODULE(ReflectionPad3d, ReflectionPad3dOptions);
BOLIDE_PLAIN_MODULE(ReplicationPad1d, ReplicationPad1dOptions);
BOLIDE_PLAIN_MODULE(ReplicationPad2d, ReplicationPad2dOptions);
BOLIDE_PLAIN_MODULE(ReplicationPad3d, ReplicationPad3dOptions);
BOLIDE_PLAIN_MODULE(CircularPad1d, CircularPad1dOptions);
BOLIDE_PLAIN_MODULE(CircularPad2d, CircularPad2dOptions);
BOLIDE_PLAIN_MODULE(CircularPad3d, CircularPad3dOptions);
BOLIDE_PLAIN_MODULE(ZeroPad1d, ZeroPad1dOptions);
BOLIDE_PLAIN_MODULE(ZeroPad2d, ZeroPad2dOptions);
BOLIDE_PLAIN_MODULE(ZeroPad3d, ZeroPad3dOptions);
BOLIDE_PLAIN_MODULE(ConstantPad1d, ConstantPad1dOptions);
BOLIDE_PLAIN_MODULE(ConstantPad2d, ConstantPad2dOptions);
BOLIDE_PLAIN_MODULE(ConstantPad3d, ConstantPad3dOptions);

}  // namespace bolide::nn
