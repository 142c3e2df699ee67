// What a call costs from C++: nanoseconds a call, the median of several rounds.
//   overhead [NAME]     only benchmarks whose name contains NAME
#include <bolide/bolide.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>

namespace {

using namespace bolide;

/// Nanoseconds of one call of `f`: rounds of about 20 ms, the median of eleven.
template <class F>
double nanoseconds(F&& f) {
  using Clock = std::chrono::steady_clock;
  const auto round = [&](int64_t n) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < n; ++i) f();
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  };
  int64_t n = 1;
  while (round(n) < 5e6) n *= 2;
  n *= 4;
  std::vector<double> all;
  for (int i = 0; i < 11; ++i) all.push_back(round(n) / static_cast<double>(n));
  std::nth_element(all.begin(), all.begin() + 5, all.end());
  return all[5];
}

struct MLPImpl : nn::Module {
  MLPImpl() {
    fc1 = register_module("fc1", nn::Linear(4, 64));
    fc2 = register_module("fc2", nn::Linear(64, 64));
    fc3 = register_module("fc3", nn::Linear(64, 2));
  }
  Tensor forward(const Tensor& x) { return fc3(relu(fc2(relu(fc1(x))))); }
  nn::Linear fc1{nullptr}, fc2{nullptr}, fc3{nullptr};
};
BOLIDE_MODULE(MLP);

}  // namespace

int main(int argc, char** argv) {
  const std::string_view only = argc > 1 ? argv[1] : "";
  const auto report = [&](std::string_view name, auto&& f) {
    if (name.find(only) != name.npos) std::printf("%-24.*s %10.0f ns\n", static_cast<int>(name.size()), name.data(), nanoseconds(f));
  };
  manual_seed(0);
  const Tensor a = ones({16}), b = ones({16}), m = ones({4, 4});
  Tensor leaf = ones({16});
  leaf.requires_grad_();
  report("add of 16", [&] { add(a, b); });
  report("add of 16, recorded", [&] { add(leaf, b); });
  report("a + 1", [&] { a + 1; });
  report("add_ of 16", [&] { add_(a, b); });
  report("relu of 16", [&] { relu(a); });
  report("empty", [&] { empty({16}); });
  report("view", [&] { view(a, {4, 4}); });
  report("sum of 16", [&] { sum(a); });
  report("matmul 4x4", [&] { matmul(m, m); });
  report("exp(g*g)+g and back", [&] {
    const Tensor g = leaf;
    sum(exp(g * g) + g).backward();
    leaf.set_grad({});
  });

  MLP mlp;
  const Tensor one = randn({1, 4}), batch = randn({64, 4}), target = randn({64, 2});
  {
    const NoGradGuard no_grad;
    report("MLP forward, batch 1", [&] { mlp(one); });
  }
  optim::Adam adam(mlp->parameters(), 1e-3);
  report("MLP Adam step, batch 64", [&] {
    adam.zero_grad();
    nn::functional::mse_loss(mlp(batch), target).backward();
    adam.step();
  });
}
