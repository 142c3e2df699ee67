// Tensors for C++ users: making, methods, operators, indexing, printing.
#include <doctest/doctest.h>

#include <sstream>

#include "bolide/autograd.h"
#include "bolide/factories.h"
#include "bolide/print.h"

using namespace bolide;
using namespace bolide::indexing;

namespace {
std::string text(const auto& v) {
  std::ostringstream s;
  s << v;
  return s.str();
}
}  // namespace

TEST_CASE("tensors are made from values, options and memory") {
  CHECK(text(tensor({1, 2, 3})) == "tensor([1, 2, 3])");
  CHECK(text(tensor({{1.0, 2.5}, {3.0, 4.0}})) == "tensor([[1.0000, 2.5000],\n        [3.0000, 4.0000]])");
  CHECK(text(tensor({true, false})) == "tensor([ True, False])");
  CHECK(text(tensor({1, 2}, dtype(kFloat))) == "tensor([1., 2.])");
  CHECK(text(tensor(3)) == "tensor(3)");
  CHECK(text(tensor(std::vector<double>{0.5}, dtype(kDouble))) == "tensor([0.5000], dtype=torch.float64)");
  CHECK_THROWS_AS(tensor({{1, 2}, {3}}), ValueError);
  CHECK(zeros({2}, dtype(kDouble).requires_grad()).requires_grad());
  CHECK(text(arange(3)) == "tensor([0, 1, 2])");
  CHECK(randint(5, {100}).max().item<int64_t>() < 5);
  float memory[] = {1, 2, 3, 4};
  bool gone = false;
  {
    const Tensor t = from_blob(memory, {2, 2}, [&](void*) { gone = true; });
    memory[0] = 9;
    CHECK(t[0][0].item<float>() == 9);
  }
  CHECK(gone);
  CHECK(text(from_blob(memory, {2, 2}, {1, 2})) == "tensor([[9., 3.],\n        [2., 4.]])");
}

TEST_CASE("operators and methods") {
  Tensor x = tensor({1.0, 2.0, 4.0});
  CHECK(text(1 - x) == "tensor([ 0., -1., -3.])");
  CHECK(text(2 * x + 1) == "tensor([3., 5., 9.])");
  CHECK(text(8 / x) == "tensor([8., 4., 2.])");
  CHECK(text(x > 1.5) == "tensor([False,  True,  True])");
  CHECK(text((x == 2).logical_or(x >= 4)) == "tensor([False,  True,  True])");
  x += 1;
  x *= tensor({1.0, 0.0, 2.0});
  CHECK(text(x) == "tensor([ 2.,  0., 10.])");
  CHECK(text(x.sum(0)) == "tensor(12.)");
  CHECK(text(x.view({3, 1}).mean({0, 1})) == "tensor(4.)");
  CHECK(text(x.clamp(1, 5)) == "tensor([2., 1., 5.])");
  CHECK(text(std::get<1>(x.max(0))) == "tensor(2)");
  CHECK(x.to(kLong).dtype() == kInt64);
  CHECK(x.neg_().abs_().equal(tensor({2.0, 0.0, 10.0})));
  CHECK(x.allclose(x * (1 + 1e-6)));
  CHECK(x.sub_(1).div_(2).allclose(tensor({0.5, -0.5, 4.5})));
}

TEST_CASE("indexing is Python's") {
  const Tensor x = arange(24).reshape({2, 3, 4});
  CHECK(text(x.index({1, 2, 3})) == "tensor(23)");
  CHECK(x.index({Slice(), 1}).sizes() == Dims{2, 4});
  CHECK(x.index({"...", 0}).sizes() == Dims{2, 3});
  CHECK(x.index({None, Ellipsis, Slice(1, None, 2)}).sizes() == Dims{1, 2, 3, 2});
  CHECK(text(x.index({0, Slice(None, 2), -1})) == "tensor([3, 7])");
  CHECK(text(x.index({1, tensor({0, 2}), 1})) == "tensor([13, 21])");
  CHECK(text(x.index({x > 21})) == "tensor([22, 23])");
  CHECK(x.index({x > 21}).numel() == 2);
  Tensor y = zeros({2, 3});
  y.index_put_({Slice(), 1}, 5);
  y.index_put_({tensor({0}), tensor({2})}, tensor({7.0}));
  CHECK(text(y) == "tensor([[0., 5., 7.],\n        [0., 5., 0.]])");
  CHECK_THROWS_WITH_AS(x.index({0, 0, 0, 0}), doctest::Contains("too many indices"), IndexError);
  CHECK_THROWS_AS(x.index({Ellipsis, Ellipsis}), IndexError);
  CHECK_THROWS_AS(x.index({5}), IndexError);
  CHECK_THROWS_AS(x.index({"..x"}), ValueError);
  Tensor leaf = ones({3}).requires_grad_();
  (leaf.index({Slice(1, 3)}) * 2).sum().backward();
  CHECK(text(leaf.grad()) == "tensor([0., 2., 2.])");
}

TEST_CASE("tensors print as in Python") {
  CHECK(text(Tensor()) == "[ Tensor (undefined) ]");
  CHECK(text(tensor({1e-5, 1.0})) == "tensor([1.0000e-05, 1.0000e+00])");
  CHECK(text(tensor({1.0, 1000.0})) == "tensor([   1., 1000.])");
  CHECK(text(tensor({NAN, 0.5, -INFINITY})) == "tensor([   nan, 0.5000,   -inf])");
  CHECK(text(tensor({complex128(1, 2)}, dtype(kComplex64))) == "tensor([1.+2.j])");
  CHECK(text(arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])");
  CHECK(text(zeros({0, 3}, kLong)) == "tensor([], size=(0, 3), dtype=torch.int64)");
  CHECK(text(empty({2, 3}, kFloat, Device(kMeta))) == "tensor(..., device='meta', size=(2, 3))");
  CHECK(text(zeros({2, 2}).requires_grad_()) == "tensor([[0., 0.],\n        [0., 0.]], requires_grad=True)");
  CHECK(text(ones({1}).requires_grad_() * 0.5) == "tensor([0.5000], grad_fn=<MulBackward0>)");
  CHECK(text(arange(4).reshape({2, 1, 2})) == "tensor([[[0, 1]],\n\n        [[2, 3]]])");
  CHECK(text(arange(30) * 1000) ==
        "tensor([    0,  1000,  2000,  3000,  4000,  5000,  6000,  7000,  8000,  9000,\n"
        "        10000, 11000, 12000, 13000, 14000, 15000, 16000, 17000, 18000, 19000,\n"
        "        20000, 21000, 22000, 23000, 24000, 25000, 26000, 27000, 28000, 29000])");
  const PrintOptions before = get_printoptions();
  PrintOptions few;
  few.precision = 2;
  set_printoptions(few);
  CHECK(text(tensor({0.125})) == "tensor([0.12])");
  set_printoptions(before);
}
