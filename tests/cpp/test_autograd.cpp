// The graph from C++: backward and grad, hooks, user-defined functions, saved-tensor hooks, threads, life and death.
#include <doctest/doctest.h>

#include <thread>

#include "bolide/bolide.h"

using namespace bolide;
using autograd::AutogradContext;
using autograd::variable_list;

namespace {

Tensor leaf(std::initializer_list<float> values) { return tensor<float>(values).set_requires_grad(); }
float at(const Tensor& t, int64_t i) { return t.select(0, i).item<float>(); }

struct Scale : autograd::Function<Scale> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, double k, const std::optional<Tensor>& shift) {
    ctx->saved_data["k"] = k;
    ctx->saved_data["name"] = "scale";
    ctx->save_for_backward({x});
    const Tensor y = x * k;
    return shift ? y + *shift : y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    CHECK(ctx->saved_data["name"].toString() == "scale");
    CHECK(ctx->get_saved_variables().size() == 1);
    CHECK(ctx->needs_input_grad(0));
    return {grads[0] * ctx->saved_data["k"].toDouble(), Tensor(), grads[0]};
  }
};

struct Pair : autograd::Function<Pair> {
  static variable_list forward(AutogradContext* ctx, variable_list in) {
    ctx->set_materialize_grads(false);
    return {in[0] * 2, in[1] * 3};
  }
  static variable_list backward(AutogradContext*, variable_list g) {
    return {g[0].defined() ? g[0] * 2 : Tensor(), g[1].defined() ? g[1] * 3 : Tensor()};
  }
};

struct Squared : autograd::Function<Squared> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->save_for_backward({x});
    return x * x;
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) { return {g[0] * ctx->get_saved_variables()[0] * 2}; }
};

struct AddOne : autograd::Function<AddOne> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x) {
    ctx->mark_dirty({x});
    add_(x, 1);
    return x;
  }
  static variable_list backward(AutogradContext*, variable_list g) { return {g[0] * 10}; }
};

struct TooFew : autograd::Function<TooFew> {
  static Tensor forward(AutogradContext*, const Tensor& x, double) { return x * 2; }
  static variable_list backward(AutogradContext*, variable_list g) { return {g[0]}; }
};

}  // namespace

TEST_CASE("backward and grad") {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4});
  (x * w).sum().backward();
  CHECK(at(x.grad(), 1) == 4);
  CHECK(at(w.grad(), 1) == 2);
  const Tensor y = x * x;
  const auto g = autograd::grad({&y, 1}, {&x, 1}, std::array{ones({2})}, false, true);
  CHECK(at(g[0], 1) == 4);
  const Tensor sum = g[0].sum();
  CHECK(at(autograd::grad({&sum, 1}, {&x, 1})[0], 0) == 2);
  CHECK_THROWS_WITH_AS((x * 2).backward(), "grad can be implicitly created only for scalar outputs", Error);
}

TEST_CASE("hooks") {
  const Tensor x = leaf({1, 2});
  const uint64_t id = autograd::register_hook(x, [](const Tensor& g) { return g * 3; });
  int seen = 0;
  autograd::register_post_accumulate_hook(x, [&](const Tensor& t) { seen += t.grad().defined(); });
  (x * 2).sum().backward();
  CHECK(at(x.grad(), 0) == 6);
  CHECK(seen == 1);
  autograd::remove_hook(x, id);
  x.set_grad({});
  (x * 2).sum().backward();
  CHECK(at(x.grad(), 0) == 2);
}

TEST_CASE("user-defined functions") {
  const Tensor x = leaf({1, 2}), shift = leaf({5, 5});
  const Tensor y = Scale::apply(x, 3.0, std::optional<Tensor>(shift));
  CHECK(autograd::grad_fn_name(y) == "ScaleBackward");
  y.sum().backward();
  CHECK(at(x.grad(), 0) == 3);
  CHECK(at(shift.grad(), 0) == 1);
  const auto pair = Pair::apply(variable_list{x, shift});
  x.set_grad({});
  pair[0].sum().backward();
  CHECK(at(x.grad(), 0) == 2);
  CHECK_THROWS_WITH_AS(TooFew::apply(x, 2.0).sum().backward(),
                       "function TooFewBackward returned an incorrect number of gradients (expected 2, got 1)", Error);
}

TEST_CASE("user-defined functions: twice, in place, without recording") {
  const Tensor x = leaf({2, 3});
  const Tensor y = Squared::apply(x).sum();
  const auto g = autograd::grad({&y, 1}, {&x, 1}, {}, false, true);
  const Tensor s = g[0].sum();
  CHECK(at(autograd::grad({&s, 1}, {&x, 1})[0], 0) == 2);
  Tensor z = x * 1;
  CHECK(AddOne::apply(z).is_same(z));
  z.sum().backward();
  CHECK(at(x.grad(), 0) == 10);
  CHECK_THROWS_AS(AddOne::apply(x), Error);
  NoGradGuard off;
  CHECK_FALSE(Squared::apply(x).requires_grad());
}

TEST_CASE("a released or changed value raises") {
  const Tensor x = leaf({1, 2});
  const Tensor y = Squared::apply(x).sum();
  y.backward();
  CHECK_THROWS_AS(y.backward(), Error);
  Tensor e = x.exp();
  add_(e, 1);
  CHECK_THROWS_WITH_AS(e.sum().backward(), doctest::Contains("which is output 0 of Exp, is at version 1; expected version 0"), Error);
}

TEST_CASE("saved-tensor hooks") {
  const Tensor x = leaf({1, 2});
  int packed = 0, unpacked = 0;
  Tensor y;
  {
    autograd::SavedTensorsHooks hooks([&](const Tensor& t) { return ++packed, std::any(t.detach()); },
                                      [&](const std::any& a) { return ++unpacked, std::any_cast<Tensor>(a); });
    y = (x * x).sum();
  }
  y.backward();
  CHECK(packed == 2);
  CHECK(unpacked == 2);
  CHECK(at(x.grad(), 1) == 4);
}

TEST_CASE("modes") {
  const Tensor x = leaf({1, 2});
  {
    InferenceMode on;
    CHECK((x * 2)->has(TensorImpl::kInference));
  }
  {
    NoGradGuard off;
    CHECK_FALSE((x * 2).requires_grad());
    EnableGradGuard again;
    CHECK((x * 2).requires_grad());
  }
  CHECK(grad_enabled());
}

TEST_CASE("long chains are walked and destroyed without recursion") {
  const Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < 100000; ++i) y = y * 1.0;
  y.backward();
  CHECK(at(x.grad(), 0) == 1);
}

TEST_CASE("threads share leaves and graphs") {
  const Tensor x = leaf({1, 2});
  Tensor y = x;
  for (int i = 0; i < 20; ++i) y = y * 1.0 + x;
  const Tensor total = y.sum();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) autograd::backward({&total, 1}, {}, true);
    });
  for (auto& t : threads) t.join();
  CHECK(at(x.grad(), 0) == 21 * 200);
}

TEST_CASE("the leaf's step lives as long as the leaf, the leaf as long as the graph") {
  Tensor y;
  int seen = 0;
  {
    const Tensor x = leaf({1});
    autograd::register_hook(x, [&](const Tensor&) { return ++seen, Tensor(); });
    y = x * 2;
  }
  y.backward();
  CHECK(seen == 1);
}
