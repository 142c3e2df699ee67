// optim: the steps of every optimizer and the rates of every schedule beside PyTorch's, state dicts, errors.
#include <doctest/doctest.h>

#include <sstream>

#include "bolide/autograd.h"
#include "bolide/nn.h"
#include "bolide/ops.h"
#include "bolide/optim.h"

using namespace bolide;
using namespace bolide::optim;

namespace {

Tensor weights() {
  Tensor w = empty({2, 2}, DType::Float64);
  const double values[] = {1, -2, 0.5, 3};
  std::copy(values, values + 4, w.data<double>());
  return w.requires_grad_();
}

Tensor loss_of(const Tensor& w, double k) { return add(sum(mul(square(sub(w, 0.3)), k + 1)), mul(sum(pow(w, 4)), 0.1)); }

/// Five steps on a loss that changes from step to step.
void run(Optimizer& o, const Tensor& w, int steps = 5) {
  for (int k = 0; k < steps; ++k) {
    const auto closure = [&] {
      o.zero_grad();
      Tensor loss = loss_of(w, k);
      loss.backward();
      return loss;
    };
    if (dynamic_cast<LBFGS*>(&o)) {
      o.step(closure);
    } else {
      closure();
      o.step();
    }
  }
}

template <class... V>
void check_steps(Optimizer&& o, const Tensor& w, V... values) {
  run(o, w);
  const double expected[] = {values...};
  for (int i = 0; i < 4; ++i) CHECK(w.data<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-7));
}
#define CHECK_STEPS(optimizer, ...)          \
  {                                          \
    Tensor w = weights();                    \
    check_steps(optimizer, w, __VA_ARGS__);  \
  }

/// The rates of twelve epochs, and the momentum at the end.
template <class Scheduler, class... V>
void check_rates(Scheduler& s, SGD& o, V... values) {
  const double expected[] = {values...};
  for (int i = 0; i < 12; ++i) {
    CHECK(o.param_groups()[0].options().get_lr() == doctest::Approx(expected[i]).epsilon(1e-9));
    s.step();
  }
  CHECK(static_cast<SGDOptions&>(o.param_groups()[0].options()).momentum() == doctest::Approx(expected[12]));
}
#define CHECK_RATES(scheduler, ...)                                  \
  {                                                                  \
    SGD o({zeros({1}).requires_grad_()}, SGDOptions(0.1).momentum(0.9)); \
    auto s = scheduler;                                              \
    check_rates(*s, o, __VA_ARGS__);                                 \
  }
template <class S, class... A>
std::unique_ptr<S> made(SGD& o, A&&... args) { return std::make_unique<S>(o, std::forward<A>(args)...); }

}  // namespace

TEST_CASE("optimizers step as PyTorch's") {
  CHECK_STEPS((SGD({w}, 0.01)), 0.798571007202593, -1.2893830597786389, 0.4445343546341451, 1.9694948957155018);
  CHECK_STEPS((SGD({w}, SGDOptions(0.01).momentum(0.9).weight_decay(0.1).nesterov(true))), 0.4726607976929646, -0.18523618819215337,
              0.35140792724590303, 0.45613972273137987);
  CHECK_STEPS((SGD({w}, SGDOptions(0.01).momentum(0.9).dampening(0.5).maximize(true))), 1.311756952151076, -3.26613644709758,
              0.582028848474555, 5.422349055771813);
  CHECK_STEPS((Adam({w}, AdamOptions(0.1).weight_decay(0.1).amsgrad(true))), 0.5007589170579586, -1.5024962693191029, 0.24077980308764108,
              2.4985219581432907);
  CHECK_STEPS((Adam({w}, 0.1)), 0.5011725259416061, -1.5027718753348083, 0.25237388929223387, 2.4985865570917647);
  CHECK_STEPS((AdamW({w}, AdamWOptions(0.1).betas({0.8, 0.99}))), 0.49012403229774226, -1.4829542361230152, 0.27691860412680425, 2.477625328740971);
  CHECK_STEPS((NAdam({w}, NAdamOptions(0.1).weight_decay(0.1))), 0.5508641192357814, -1.52938281357541, 0.2927974870870582, 2.5495398631079382);
  CHECK_STEPS((RAdam({w}, RAdamOptions(0.1).betas({0.9, 0.5}))), 0.12565747872925664, 0.9166710956728645, 0.2532429293213831, -0.6730279631232661);
  CHECK_STEPS((RAdam({w}, RAdamOptions(0.1).weight_decay(0.1).decoupled_weight_decay(true))), 0.1196653361085262, 0.9067798205185613,
              0.2469087057302189, -0.6578040922004671);
  CHECK_STEPS((Adamax({w}, AdamaxOptions(0.1))), 0.5696566629835793, -1.590759456457748, 0.2440254795478714, 2.563086655654152);
  CHECK_STEPS((Adagrad({w}, AdagradOptions(0.1).lr_decay(0.1).initial_accumulator_value(0.5))), 0.6828113130710582, -1.6676851273909639,
              0.310747875548706, 2.682836807704628);
  CHECK_STEPS((Adadelta({w}, AdadeltaOptions(1.0).rho(0.8))), 0.9832663488052157, -1.9837979452426515, 0.48312522841937705, 2.9849462740114476);
  CHECK_STEPS((Adafactor({w}, AdafactorOptions(0.1).weight_decay(0.1))), 0.2629591666238834, -1.1066861685100273, 0.2988005924688714, 2.0903680536079112);
  CHECK_STEPS((RMSprop({w}, RMSpropOptions(0.1).momentum(0.5).centered(true))), 0.22605352083539818, 0.3065080333103094, 0.035587127856567945,
              -0.07229707262583805);
  CHECK_STEPS((RMSprop({w}, RMSpropOptions(0.1).alpha(0.9).weight_decay(0.1))), 0.2969817968878889, -0.8287226698274406, 0.19662715660468358,
              1.8838572773618383);
  CHECK_STEPS((Rprop({w}, RpropOptions(0.1))), 0.25584000000000007, -1.2558399999999998, 0.34, 2.2558399999999996);
  CHECK_STEPS((ASGD({w}, ASGDOptions(0.01).t0(2))), 0.7985674638795823, -1.2893772710868847, 0.44453241276152594, 1.9694868926601206);
  CHECK_STEPS((LBFGS({w}, LBFGSOptions(0.5).max_iter(3))), 0.41598735975857787, 2.7084092417143517, 0.37730674056084185, -2.751437471256601);
  CHECK_STEPS((LBFGS({w}, LBFGSOptions(1).max_iter(4).line_search_fn("strong_wolfe"))), 0.29914253949075975, 0.29878983375793905,
              0.2985096348974142, 0.29877785586319533);
  Tensor w = weights();
  Muon muon({w}, 0.1);
  run(muon, w);
  const double expected[] = {0.6370506859703126, -1.7358087266535156, 0.3004770529734375, 2.5536425697820304};
  for (int i = 0; i < 4; ++i) CHECK(w.data<double>()[i] == doctest::Approx(expected[i]).epsilon(2e-3));  // bfloat16 inside
}

TEST_CASE("schedules set PyTorch's rates") {
  CHECK_RATES((made<StepLR>(o, 3, 0.5)), 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125, 0.0125, 0.0125, 0.9);
  CHECK_RATES((made<MultiStepLR>(o, std::vector<int64_t>{2, 5, 5}, 0.5)), 0.1, 0.1, 0.05, 0.05, 0.05, 0.0125, 0.0125, 0.0125, 0.0125, 0.0125, 0.0125, 0.0125, 0.9);
  CHECK_RATES((made<ConstantLR>(o, 0.25, 4)), 0.025, 0.025, 0.025, 0.025, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.9);
  CHECK_RATES((made<LinearLR>(o, 0.2, 0.8, 5)), 0.02, 0.032, 0.044, 0.056, 0.068, 0.08, 0.08, 0.08, 0.08, 0.08, 0.08, 0.08, 0.9);
  CHECK_RATES((made<ExponentialLR>(o, 0.9)), 0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049, 0.0531441, 0.04782969, 0.043046721, 0.0387420489, 0.03486784401, 0.031381059609, 0.9);
  CHECK_RATES((made<PolynomialLR>(o, 6, 2)), 0.1, 0.0694444444444, 0.0444444444444, 0.025, 0.0111111111111, 0.00277777777778, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.9);
  CHECK_RATES((made<CosineAnnealingLR>(o, 4, 0.01)), 0.1, 0.0868198051534, 0.055, 0.0231801948466, 0.01, 0.0231801948466, 0.055, 0.0868198051534, 0.1,
              0.0868198051534, 0.055, 0.0231801948466, 0.9);
  CHECK_RATES((made<CosineAnnealingWarmRestarts>(o, 2, 2, 0.01)), 0.1, 0.055, 0.1, 0.0868198051534, 0.055, 0.0231801948466, 0.1, 0.096574578963,
              0.0868198051534, 0.0722207544564, 0.055, 0.0377792455436, 0.9);
  CHECK_RATES((made<CyclicLR>(o, CyclicLROptions(0.01, 0.1).step_size_up(3).mode("triangular2"))), 0.01, 0.04, 0.07, 0.1, 0.07, 0.04, 0.01, 0.025, 0.04,
              0.055, 0.04, 0.025, 0.9);
  CHECK_RATES((made<CyclicLR>(o, CyclicLROptions(0.01, 0.1).step_size_up(2).step_size_down(4).mode("exp_range").gamma(0.9))), 0.01, 0.0505, 0.0829,
              0.0592075, 0.0395245, 0.023286025, 0.01, 0.0315233605, 0.0487420489, 0.0361508830075, 0.0256905298045, 0.017060738412, 0.9);
  CHECK_RATES((made<OneCycleLR>(o, OneCycleLROptions(0.5, 13))), 0.02, 0.147581974232, 0.394684895687, 0.499851035734, 0.482189131275, 0.437127938532,
              0.369984889552, 0.288683178968, 0.202816789874, 0.122518358835, 0.0572634772544, 0.0147525271571, 0.95);
  CHECK_RATES((made<OneCycleLR>(o, OneCycleLROptions(0.5, 13).three_phase(true).anneal_strategy("linear"))), 0.02, 0.185517241379, 0.351034482759,
              0.483448275862, 0.317931034483, 0.152413793103, 0.0193549032258, 0.0161294193548, 0.0129039354839, 0.0096784516129, 0.00645296774194,
              0.00322748387097, 0.95);
  CHECK_RATES((made<LambdaLR>(o, [](int64_t e) { return 1.0 / static_cast<double>(e + 1); })), 0.1, 0.05, 0.0333333333333, 0.025, 0.02, 0.0166666666667,
              0.0142857142857, 0.0125, 0.0111111111111, 0.01, 0.00909090909091, 0.00833333333333, 0.9);
  CHECK_RATES((made<MultiplicativeLR>(o, [](int64_t e) { return e % 2 ? 0.5 : 1.5; })), 0.1, 0.05, 0.075, 0.0375, 0.05625, 0.028125, 0.0421875,
              0.02109375, 0.031640625, 0.0158203125, 0.02373046875, 0.011865234375, 0.9);
  CHECK_RATES((made<SWALR>(o, 0.02, 4)), 0.1, 0.0882842712475, 0.06, 0.0317157287525, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.9);
}

TEST_CASE("schedules are put together") {
  SGD o({zeros({1}).requires_grad_()}, SGDOptions(0.1).momentum(0.9));
  LinearLR warm(o, 0.1, 1.0, 3);
  CosineAnnealingLR cosine(o, 5);
  ConstantLR end(o, 0.5, 2);
  SequentialLR sequence(o, {&warm, &cosine, &end}, {3, 8});
  check_rates(sequence, o, 0.01, 0.04, 0.07, 0.1, 0.0904508497187, 0.0654508497187, 0.0345491502813, 0.00954915028125, 0.05, 0.05, 0.1, 0.1, 0.9);
  CHECK_THROWS_AS(SequentialLR(o, {&warm}, {3, 8}), ValueError);
  CHECK_THROWS_AS(ChainedScheduler({}), ValueError);

  SGD other({zeros({1}).requires_grad_()}, SGDOptions(0.1).momentum(0.9));
  ConstantLR constant(other, 0.5, 3);
  ExponentialLR exponential(other, 0.9);
  ChainedScheduler chain({&constant, &exponential});
  check_rates(chain, other, 0.05, 0.045, 0.0405, 0.0729, 0.06561, 0.059049, 0.0531441, 0.04782969, 0.043046721, 0.0387420489, 0.03486784401, 0.031381059609, 0.9);
  CHECK_THROWS_AS(ChainedScheduler({&warm, &constant}), ValueError);
}

TEST_CASE("a plateau lowers the rate") {
  SGD o({zeros({1}).requires_grad_()}, 0.1);
  ReduceLROnPlateau s(o, ReduceLROnPlateauOptions().patience(1).factor(0.5).cooldown(1).threshold(0.1));
  const double metrics[] = {1, .95, .94, .93, .5, .5, .5, .5, .5}, rates[] = {0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025};
  for (int i = 0; i < 9; ++i) {
    s.step(metrics[i]);
    CHECK(o.param_groups()[0].options().get_lr() == doctest::Approx(rates[i]));
  }
  CHECK_THROWS_AS(ReduceLROnPlateau(o, ReduceLROnPlateauOptions().factor(1)), ValueError);
}

TEST_CASE("a schedule resumes from its state") {
  SGD a({zeros({1}).requires_grad_()}, 0.1), b({zeros({1}).requires_grad_()}, 0.1);
  CosineAnnealingLR first(a, 6), second(b, 6);
  for (int i = 0; i < 3; ++i) first.step();
  b.load_state_dict(a.state_dict());
  second.load_state_dict(first.state_dict());
  first.step(), second.step();
  CHECK(second.last_epoch() == 4);
  CHECK(first.get_last_lr() == second.get_last_lr());
}

TEST_CASE("groups have options of their own") {
  Tensor a = weights(), b = weights();
  std::vector<OptimizerParamGroup> groups;
  groups.emplace_back(std::vector<Tensor>{a});
  groups.emplace_back(std::vector<Tensor>{b}, std::make_unique<SGDOptions>(0.5));
  SGD o(std::move(groups), 0.01);
  CHECK(o.param_groups()[0].options().get_lr() == 0.01);
  CHECK(o.param_groups()[1].options().get_lr() == 0.5);
  add(sum(a), sum(b)).backward();
  o.step();
  CHECK(a.data<double>()[0] == doctest::Approx(0.99));
  CHECK(b.data<double>()[0] == doctest::Approx(0.5));
  o.zero_grad();
  CHECK(!a.grad().defined());
}

TEST_CASE("a parameter without a gradient, or with its first one late, is left alone until then") {
  for (const bool momentum : {false, true}) {
    Tensor a = weights(), b = weights();
    SGD sgd({a, b}, SGDOptions(0.1).momentum(momentum ? 0.9 : 0));
    Adam adam({a, b}, 0.1);
    sum(a).backward();
    sgd.step(), adam.step();
    CHECK(b.data<double>()[0] == 1);
    CHECK(!adam.state(b, "exp_avg").defined());
    sum(b).backward();
    sgd.step(), adam.step();
    CHECK(b.data<double>()[0] == doctest::Approx(0.8));
    CHECK(adam.state(a, "step").item<float>() == 2);
    CHECK(adam.state(b, "step").item<float>() == 1);
  }
}

TEST_CASE("an optimizer resumes from its state dict, bit for bit") {
  const auto check = [](auto make) {
    Tensor w = weights(), v = weights();
    auto whole = make(w);
    run(*whole, w, 6);
    auto first = make(v);
    run(*first, v, 3);
    Tensor u = v.detach().clone().requires_grad_();
    auto second = make(u);
    second->load_state_dict(first->state_dict());
    for (int k = 3; k < 6; ++k) {
      const auto closure = [&] {
        second->zero_grad();
        Tensor loss = loss_of(u, k);
        loss.backward();
        return loss;
      };
      if (dynamic_cast<LBFGS*>(second.get())) {
        second->step(closure);
      } else {
        closure();
        second->step();
      }
    }
    for (int i = 0; i < 4; ++i) CHECK(u.data<double>()[i] == w.data<double>()[i]);
  };
  check([](Tensor& p) { return std::make_unique<Adam>(std::vector{p}, AdamOptions(0.1).amsgrad(true)); });
  check([](Tensor& p) { return std::make_unique<SGD>(std::vector{p}, SGDOptions(0.01).momentum(0.9)); });
  check([](Tensor& p) { return std::make_unique<RMSprop>(std::vector{p}, RMSpropOptions(0.1).centered(true)); });
  check([](Tensor& p) { return std::make_unique<NAdam>(std::vector{p}); });
  check([](Tensor& p) { return std::make_unique<LBFGS>(std::vector{p}, LBFGSOptions(0.3).max_iter(2)); });
}

TEST_CASE("state dicts have Python's form") {
  Tensor w = weights();
  Adam o({w}, AdamOptions(0.5).betas({0.7, 0.8}));
  run(o, w, 1);
  const IValue s = o.state_dict();
  const IValue& group = s.at("param_groups").toListRef()[0];
  std::vector<std::string> keys;
  for (const auto& [key, v] : group.toGenericDict()) keys.push_back(key.toStringRef());
  CHECK(keys == std::vector<std::string>{"lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "foreach", "capturable", "differentiable",
                                         "fused", "decoupled_weight_decay", "params"});
  CHECK(group.at("betas").isTuple());
  CHECK(s.at("state").find(int64_t{0})->at("step").toTensor().dim() == 0);
  std::ostringstream text;
  text << o;
  CHECK(text.str().starts_with("Adam (\nParameter Group 0\n    amsgrad: False\n    betas: (0.7, 0.8)\n"));

  Tensor x = weights(), y = weights();
  Adam two({x, y}, 0.1);
  CHECK_THROWS_WITH_AS(two.load_state_dict(s), doctest::Contains("doesn't match the size"), ValueError);
}

TEST_CASE("optimizers refuse what cannot work") {
  Tensor w = weights();
  CHECK_THROWS_WITH_AS(SGD(std::vector<Tensor>{}, 0.1), doctest::Contains("empty parameter list"), ValueError);
  CHECK_THROWS_WITH_AS(SGD({mul(w, 2)}, 0.1), doctest::Contains("non-leaf"), ValueError);
  CHECK_THROWS_WITH_AS(SGD({w, w}, 0.1), doctest::Contains("more than one"), ValueError);
  CHECK_THROWS_WITH_AS(SGD({w}, -1.0), doctest::Contains("Invalid learning rate"), ValueError);
  CHECK_THROWS_WITH_AS(SGD({w}, SGDOptions(0.1).nesterov(true)), doctest::Contains("Nesterov"), ValueError);
  CHECK_THROWS_WITH_AS(Adam({w}, AdamOptions().betas({1.0, 0.9})), doctest::Contains("beta parameter at index 0"), ValueError);
  CHECK_THROWS_AS(Muon({ones({3}).requires_grad_()}), ValueError);
  LBFGS lbfgs({w});
  CHECK_THROWS_AS(lbfgs.step({}), Error);
}

TEST_CASE("averages of weights") {
  nn::Linear model(2, 2);
  AveragedModel mean(*model), moving(*model, 0.75);
  for (const double v : {1.0, 2.0, 6.0}) {
    const NoGradGuard no_grad;
    fill_(model->weight, v);
    mean.update(*model), moving.update(*model);
  }
  CHECK(mean.module().parameters()[0].data<float>()[0] == doctest::Approx(3.0));
  CHECK(moving.module().parameters()[0].data<float>()[0] == doctest::Approx(0.75 * (0.75 * 1 + 0.25 * 2) + 0.25 * 6));
}
