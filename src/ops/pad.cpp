// Padding. constant_pad_nd: a border of one value (or, for negative numbers, a cut) around any dimensions.
#include "ops/nn.h"

namespace bolide {

namespace {

/// Sizes after padding by (low, high) pairs, the last dimension first.
Dims padded_sizes(const Tensor& self, IntList pad) {
  BOLIDE_CHECK(pad.size() % 2 == 0, "Length of pad must be even but instead it equals ", pad.size());
  const size_t n = self.sizes().size(), pairs = pad.size() / 2;
  BOLIDE_CHECK(pairs <= n, "Length of pad should be no more than twice the number of dimensions of the input. Pad length is ",
               pad.size(), " while the input has ", n, " dimensions.");
  Dims sizes = self.sizes();
  for (size_t i = 0; i < pairs; ++i) {
    const size_t d = n - 1 - i;
    int64_t size;
    const bool overflow = __builtin_add_overflow(sizes[d], pad[2 * i], &size) || __builtin_add_overflow(size, pad[2 * i + 1], &size);
    BOLIDE_CHECK(!overflow && size >= 0, "The input size ", self.sizes()[d], ", plus negative padding ", pad[2 * i], " and ",
                 pad[2 * i + 1], ", resulted in a negative output size, which is invalid. Check dimension ", d, " of your input.");
    sizes[d] = size;
  }
  return sizes;
}

/// The part of `t` that stays when (low, high) of each pair are cut off; pairs below zero cut nothing.
Tensor inner_part(Tensor t, IntList pad, int64_t sign) {
  for (size_t i = 0; i < pad.size() / 2; ++i) {
    const int64_t d = t.dim() - 1 - static_cast<int64_t>(i), size = t.size(d);
    const int64_t low = std::min(std::max<int64_t>(0, sign * pad[2 * i]), size);
    const int64_t high = std::max<int64_t>(0, sign * pad[2 * i + 1]);
    if (low || high) t = narrow(t, d, low, std::max<int64_t>(0, size - low - high));
  }
  return t;
}

}  // namespace

struct ConstantPadNd {
  static constexpr auto schema = "constant_pad_nd(Tensor self, int[] pad, Scalar value=0) -> Tensor";
  static constexpr auto kind = Kind::Index;
  static constexpr uint8_t home = kFunction, variants = 0;
  static Tensor forward(const Tensor& self, IntList pad, const Scalar& value) {
    const Dims sizes = padded_sizes(self, pad);
    const bool last = self.is_contiguous(MemoryFormat::ChannelsLast) && !self.is_contiguous();
    const Tensor r = last ? Tensor::make_strided(sizes, format_strides(sizes, MemoryFormat::ChannelsLast), self.dtype(), self.device())
                          : Tensor::make(sizes, self.dtype(), self.device());
    bool grows = false;
    for (int64_t p : pad) grows |= p > 0;
    if (grows) fill_(r, value);
    const Tensor from = inner_part(self, pad, -1), to = inner_part(r, pad, 1);
    if (from.numel() && to.numel()) copy_(to, from);
    return r;
  }
  static Grads backward(const Call& c, const Tensor& g) {
    Dims back(c.ints(1));
    for (auto& p : back) p = -p;
    return constant_pad_nd(g, back, 0);
  }
};
Tensor constant_pad_nd(const Tensor& self, IntList pad, const Scalar& value) { return call<ConstantPadNd>(self, pad, value); }
const Register<ConstantPadNd> constant_pad_nd_op;

}  // namespace bolide
