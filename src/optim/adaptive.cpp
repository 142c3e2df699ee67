// NAdam, RAdam, Adamax, Adagrad, Adadelta, Adafactor, RMSprop, Rprop, ASGD, Muon. One block each: options, checks, step.
#include <limits>

#include "optim/steps.h"

namespace bolide::optim {
namespace {

template <size_t N>
using Names = const char* const[N];

/// Makes the states that are missing: the step and zeros like the parameter.
void start(OptimizerParamGroup& group, size_t i, std::initializer_list<size_t> zeros_at) {
  if (group.column(0)[i].defined()) return;
  group.column(0)[i] = new_step();
  for (const size_t c : zeros_at) group.column(c)[i] = zeros_like(group.params()[i]);
}
void last_constants(OptionVisitor& v, bool capturable = true) {
  v.constant("foreach", {});
  if (capturable) v.constant("capturable", false);
  v.constant("differentiable", false);
}

}  // namespace

#define STATES(Name, ...)                                       \
  std::span<const char* const> Name::state_names() const {      \
    static constexpr const char* names[] = {__VA_ARGS__};       \
    return names;                                               \
  }
#define CHECKS(Name)                                            \
  void Name::check(OptimizerOptions& given) const {             \
    check_options(static_cast<const Name##Options&>(given));    \
  }

// ---- NAdam -------------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(NAdam)
void NAdamOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.pair("betas", betas_), v.number("eps", eps_), v.number("weight_decay", weight_decay_);
  v.number("momentum_decay", momentum_decay_), v.flag("decoupled_weight_decay", decoupled_weight_decay_), v.flag("maximize", maximize_);
  last_constants(v);
}
STATES(NAdam, "step", "mu_product", "exp_avg", "exp_avg_sq")
namespace {
void check_options(const NAdamOptions& o) {
  check_at_least("learning rate", o.lr(), 0), check_at_least("epsilon value", o.eps(), 0), check_betas(o.betas());
  check_at_least("weight_decay value", o.weight_decay(), 0), check_at_least("momentum_decay value", o.momentum_decay(), 0);
}
}  // namespace
CHECKS(NAdam)
void NAdam::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const NAdamOptions&>(group.options());
  const auto [beta1, beta2] = o.betas();
  each_parameter(group, o, o.decoupled_weight_decay() ? 0 : o.weight_decay(), [&](const Tensor& p, const Tensor& g, size_t i) {
    if (!group.column(0)[i].defined()) group.column(1)[i] = ones({}, new_step().dtype());
    start(group, i, {2, 3});
    const double step = count(group.column(0)[i]);
    if (o.decoupled_weight_decay() && o.weight_decay() != 0) mul_(p, 1 - o.lr() * o.weight_decay());
    const double mu = beta1 * (1 - 0.5 * std::pow(0.96, step * o.momentum_decay()));
    const double next = beta1 * (1 - 0.5 * std::pow(0.96, (step + 1) * o.momentum_decay()));
    mul_(group.column(1)[i], mu);
    const double product = group.column(1)[i].item<double>();
    const Tensor mean = real_view(group.column(2)[i]), square = real_view(group.column(3)[i]);
    lerp_into(mean, g, 1 - beta1);
    mul_(square, beta2), addcmul_into(square, g, g, 1 - beta2);
    const Tensor root = add(sqrt(div(square, 1 - std::pow(beta2, step))), o.eps());
    addcdiv_into(p, g, root, -o.lr() * (1 - mu) / (1 - product));
    addcdiv_into(p, mean, root, -o.lr() * next / (1 - product * next));
  });
}

// ---- RAdam -------------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(RAdam)
void RAdamOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.pair("betas", betas_), v.number("eps", eps_), v.number("weight_decay", weight_decay_), v.flag("maximize", maximize_);
  v.constant("foreach", {}), v.constant("capturable", false);
  v.flag("decoupled_weight_decay", decoupled_weight_decay_), v.constant("differentiable", false);
}
STATES(RAdam, "step", "exp_avg", "exp_avg_sq")
namespace {
void check_options(const RAdamOptions& o) {
  check_at_least("learning rate", o.lr(), 0), check_at_least("epsilon value", o.eps(), 0), check_betas(o.betas());
  check_at_least("weight_decay value", o.weight_decay(), 0);
}
}  // namespace
CHECKS(RAdam)
void RAdam::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const RAdamOptions&>(group.options());
  const auto [beta1, beta2] = o.betas();
  each_parameter(group, o, o.decoupled_weight_decay() ? 0 : o.weight_decay(), [&](const Tensor& p, const Tensor& g, size_t i) {
    start(group, i, {1, 2});
    const double step = count(group.column(0)[i]);
    if (o.decoupled_weight_decay() && o.weight_decay() != 0) mul_(p, 1 - o.lr() * o.weight_decay());
    const Tensor mean = real_view(group.column(1)[i]), square = real_view(group.column(2)[i]);
    lerp_into(mean, g, 1 - beta1);
    mul_(square, beta2), addcmul_into(square, g, g, 1 - beta2);
    Tensor update = mul(div(mean, 1 - std::pow(beta1, step)), o.lr());
    const double correction = 1 - std::pow(beta2, step), longest = 2 / (1 - beta2) - 1;
    const double length = longest - 2 * step * std::pow(beta2, step) / correction;  // of the average that the square amounts to
    if (length > 5) {
      const double rectified = std::sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
      const Tensor scale = mul(reciprocal(add(sqrt(square), o.eps())), std::sqrt(correction));
      update = mul(mul(update, scale), rectified);
    }
    add_(p, update, -1);
  });
}

// ---- Adamax ------------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(Adamax)
void AdamaxOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.pair("betas", betas_), v.number("eps", eps_), v.number("weight_decay", weight_decay_);
  v.constant("foreach", {}), v.flag("maximize", maximize_), v.constant("differentiable", false), v.constant("capturable", false);
}
STATES(Adamax, "step", "exp_avg", "exp_inf")
namespace {
void check_options(const AdamaxOptions& o) {
  check_at_least("learning rate", o.lr(), 0), check_at_least("epsilon value", o.eps(), 0), check_betas(o.betas());
  check_at_least("weight_decay value", o.weight_decay(), 0);
}
}  // namespace
CHECKS(Adamax)
void Adamax::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const AdamaxOptions&>(group.options());
  const auto [beta1, beta2] = o.betas();
  each_parameter(group, o, o.weight_decay(), [&](const Tensor& p, const Tensor& g, size_t i) {
    start(group, i, {1, 2});
    const double step = count(group.column(0)[i]);
    const Tensor mean = real_view(group.column(1)[i]), top = real_view(group.column(2)[i]);
    lerp_into(mean, g, 1 - beta1);
    copy_(top, maximum(mul(top, beta2), add(abs(g), o.eps())));
    addcdiv_into(p, mean, top, -o.lr() / (1 - std::pow(beta1, step)));
  });
}

// ---- Adagrad -----------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(Adagrad)
void AdagradOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.number("lr_decay", lr_decay_), v.number("eps", eps_), v.number("weight_decay", weight_decay_);
  v.number("initial_accumulator_value", initial_accumulator_value_);
  v.constant("foreach", {}), v.flag("maximize", maximize_), v.constant("differentiable", false), v.constant("fused", {});
}
STATES(Adagrad, "step", "sum")
namespace {
void check_options(const AdagradOptions& o) {
  check_at_least("learning rate", o.lr(), 0), check_at_least("lr_decay value", o.lr_decay(), 0), check_at_least("weight_decay value", o.weight_decay(), 0);
  check_at_least("initial_accumulator_value value", o.initial_accumulator_value(), 0), check_at_least("epsilon value", o.eps(), 0);
}
}  // namespace
CHECKS(Adagrad)
void Adagrad::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const AdagradOptions&>(group.options());
  each_parameter(group, o, o.weight_decay(), [&](const Tensor& p, const Tensor& g, size_t i) {
    if (!group.column(0)[i].defined()) group.column(1)[i] = full_like(group.params()[i], o.initial_accumulator_value());
    start(group, i, {});
    const double rate = o.lr() / (1 + (count(group.column(0)[i]) - 1) * o.lr_decay());
    const Tensor total = real_view(group.column(1)[i]);
    addcmul_into(total, g, g, 1);
    addcdiv_into(p, g, add(sqrt(total), o.eps()), -rate);
  });
}

// ---- Adadelta ----------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(Adadelta)
void AdadeltaOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.number("rho", rho_), v.number("eps", eps_), v.number("weight_decay", weight_decay_), v.flag("maximize", maximize_);
  v.constant("capturable", false), v.constant("foreach", {}), v.constant("differentiable", false);
}
STATES(Adadelta, "step", "square_avg", "acc_delta")
namespace {
void check_options(const AdadeltaOptions& o) {
  check_at_least("learning rate", o.lr(), 0), check_at_least("epsilon value", o.eps(), 0), check_at_least("weight_decay value", o.weight_decay(), 0);
  BOLIDE_CHECK_AS(ValueError, o.rho() >= 0 && o.rho() <= 1, "Invalid rho value: ", o.rho());
}
}  // namespace
CHECKS(Adadelta)
void Adadelta::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const AdadeltaOptions&>(group.options());
  each_parameter(group, o, o.weight_decay(), [&](const Tensor& p, const Tensor& g, size_t i) {
    start(group, i, {1, 2});
    count(group.column(0)[i]);
    const Tensor square = real_view(group.column(1)[i]), moved = real_view(group.column(2)[i]);
    mul_(square, o.rho()), addcmul_into(square, g, g, 1 - o.rho());
    const Tensor delta = mul(div(sqrt(add(moved, o.eps())), sqrt(add(square, o.eps()))), g);
    mul_(moved, o.rho()), addcmul_into(moved, delta, delta, 1 - o.rho());
    add_(p, delta, -o.lr());
  });
}

// ---- Adafactor ---------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(Adafactor)
void AdafactorOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.number("beta2_decay", beta2_decay_), v.tuple("eps", {eps1_ ? &*eps1_ : nullptr, &eps2_}), v.number("d", d_);
  v.number("weight_decay", weight_decay_), v.constant("foreach", {}), v.flag("maximize", maximize_);
}
STATES(Adafactor, "step", "row_var", "col_var", "variance")
namespace {
void check_options(const AdafactorOptions& o) {
  BOLIDE_CHECK_AS(ValueError, o.lr() >= 0, "Learning rate should be >= 0 but is: ", o.lr());
  BOLIDE_CHECK_AS(ValueError, o.beta2_decay() <= 0, "beta2_decay should be <= 0 but is: ", o.beta2_decay());
  BOLIDE_CHECK_AS(ValueError, !o.eps1() || *o.eps1() >= 0, "epsilon1 should be >= 0 but is: ", o.eps1().value_or(0));
  BOLIDE_CHECK_AS(ValueError, o.eps2() >= 0, "epsilon2 should be >= 0 but is: ", o.eps2());
  BOLIDE_CHECK_AS(ValueError, o.d() >= 1, "Clipping threshold d should be >= 1 but is: ", o.d());
  BOLIDE_CHECK_AS(ValueError, o.weight_decay() >= 0, "weight_decay should be >= 0 but is: ", o.weight_decay());
}
double norm_of(const Tensor& t) { return std::sqrt(sum(square(t)).item<double>()); }
double epsilon_of(DType t) {
  switch (t) {
    case DType::Float64: return std::numeric_limits<double>::epsilon();
    case DType::Float16: return 0x1p-10;
    case DType::BFloat16: return 0x1p-7;
    default: return std::numeric_limits<float>::epsilon();
  }
}
}  // namespace
CHECKS(Adafactor)
void Adafactor::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const AdafactorOptions&>(group.options());
  each_parameter(group, o, 0, [&](const Tensor& p, const Tensor& g, size_t i) {
    BOLIDE_CHECK(!is_complex(group.params()[i].dtype()), "Adafactor does not support complex parameters");
    if (!group.column(0)[i].defined()) {
      Dims rows = g.sizes(), columns = g.sizes();
      if (g.dim() > 1) {
        rows[rows.size() - 1] = 1, columns[columns.size() - 2] = 1;
        group.column(1)[i] = zeros(rows, g.dtype(), g.device()), group.column(2)[i] = zeros(columns, g.dtype(), g.device());
      } else {
        group.column(3)[i] = zeros_like(g);
      }
    }
    start(group, i, {});
    const double step = count(group.column(0)[i]), size = static_cast<double>(p.numel()), eps1 = o.eps1().value_or(epsilon_of(p.dtype()));
    const double weight = std::pow(step, o.beta2_decay());
    const double rate = std::max(o.eps2(), norm_of(p) / std::sqrt(size)) * std::min(o.lr(), 1 / std::sqrt(step));
    if (o.weight_decay() != 0) mul_(p, 1 - o.lr() * o.weight_decay());
    Tensor variance;
    if (g.dim() > 1) {
      const Tensor &rows = group.column(1)[i], &columns = group.column(2)[i];
      lerp_into(rows, mean(square(g), IntList{-1}, true), weight);
      lerp_into(columns, mean(square(g), IntList{-2}, true), weight);
      variance = div(matmul(rows, columns), clamp(mean(rows, IntList{-2}, true), Scalar(eps1), {}));
    } else {
      lerp_into(group.column(3)[i], square(g), weight);
      variance = group.column(3)[i];
    }
    const Tensor update = mul(rsqrt(clamp(variance, Scalar(eps1 * eps1), {})), g);
    const double clip = std::max(1.0, norm_of(update) / (std::sqrt(size) * o.d()));
    add_(p, update, -rate / clip);
  });
}

// ---- RMSprop -----------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(RMSprop)
void RMSpropOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.number("momentum", momentum_), v.number("alpha", alpha_), v.number("eps", eps_), v.flag("centered", centered_);
  v.number("weight_decay", weight_decay_), v.constant("capturable", false), v.constant("foreach", {}), v.flag("maximize", maximize_);
  v.constant("differentiable", false);
}
STATES(RMSprop, "step", "square_avg", "momentum_buffer", "grad_avg")
namespace {
void check_options(const RMSpropOptions& o) {
  check_at_least("learning rate", o.lr(), 0), check_at_least("epsilon value", o.eps(), 0), check_at_least("momentum value", o.momentum(), 0);
  check_at_least("weight_decay value", o.weight_decay(), 0), check_at_least("alpha value", o.alpha(), 0);
}
}  // namespace
CHECKS(RMSprop)
void RMSprop::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const RMSpropOptions&>(group.options());
  each_parameter(group, o, o.weight_decay(), [&](const Tensor& p, const Tensor& g, size_t i) {
    if (!group.column(0)[i].defined()) {
      if (o.momentum() > 0) group.column(2)[i] = zeros_like(group.params()[i]);
      if (o.centered()) group.column(3)[i] = zeros_like(group.params()[i]);
    }
    start(group, i, {1});
    count(group.column(0)[i]);
    const Tensor square = real_view(group.column(1)[i]), buffer = real_view(group.column(2)[i]), mean = real_view(group.column(3)[i]);
    mul_(square, o.alpha()), addcmul_into(square, g, g, 1 - o.alpha());
    Tensor variance = square;
    if (o.centered()) {
      lerp_into(mean, g, 1 - o.alpha());
      variance = sub(square, mul(mean, mean));
    }
    const Tensor root = add(sqrt(variance), o.eps());
    if (o.momentum() > 0) {
      mul_(buffer, o.momentum()), addcdiv_into(buffer, g, root, 1);
      add_(p, buffer, -o.lr());
    } else {
      addcdiv_into(p, g, root, -o.lr());
    }
  });
}

// ---- Rprop -------------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(Rprop)
void RpropOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.pair("etas", etas_), v.pair("step_sizes", step_sizes_);
  v.constant("foreach", {}), v.flag("maximize", maximize_), v.constant("differentiable", false), v.constant("capturable", false);
}
STATES(Rprop, "step", "prev", "step_size")
namespace {
void check_options(const RpropOptions& o) {
  check_at_least("learning rate", o.lr(), 0);
  const auto [smaller, larger] = o.etas();
  BOLIDE_CHECK_AS(ValueError, 0 < smaller && smaller < 1 && 1 < larger, "Invalid eta values: ", smaller, ", ", larger);
}
}  // namespace
CHECKS(Rprop)
void Rprop::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const RpropOptions&>(group.options());
  const auto [smaller, larger] = o.etas();
  const auto [least, most] = o.step_sizes();
  each_parameter(group, o, 0, [&](const Tensor& p, const Tensor& g, size_t i) {
    if (!group.column(0)[i].defined()) {
      group.column(2)[i] = empty_like(group.params()[i]);
      fill_(real_view(group.column(2)[i]), o.lr());
    }
    start(group, i, {1});
    count(group.column(0)[i]);
    const Tensor before = real_view(group.column(1)[i]), size = real_view(group.column(2)[i]);
    const Tensor agreement = sign(mul(g, before)), turned = lt(agreement, 0);
    const Tensor factor = masked_fill(masked_fill(ones_like(agreement), gt(agreement, 0), larger), turned, smaller);
    copy_(size, clamp(mul(size, factor), Scalar(least), Scalar(most)));
    const Tensor step = masked_fill(g, turned, 0);
    addcmul_into(p, sign(step), size, -1);
    copy_(before, step);
  });
}

// ---- ASGD --------------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(ASGD)
void ASGDOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.number("lambd", lambd_), v.number("alpha", alpha_), v.number("t0", t0_), v.number("weight_decay", weight_decay_);
  v.constant("foreach", {}), v.flag("maximize", maximize_), v.constant("differentiable", false), v.constant("capturable", false);
}
STATES(ASGD, "step", "eta", "mu", "ax")
namespace {
void check_options(const ASGDOptions& o) {
  check_at_least("learning rate", o.lr(), 0), check_at_least("weight_decay value", o.weight_decay(), 0);
}
}  // namespace
CHECKS(ASGD)
void ASGD::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const ASGDOptions&>(group.options());
  each_parameter(group, o, o.weight_decay(), [&](const Tensor& p, const Tensor& g, size_t i) {
    if (!group.column(0)[i].defined()) {
      const DType t = new_step().dtype();
      group.column(1)[i] = full({}, o.lr(), t), group.column(2)[i] = ones({}, t);
    }
    start(group, i, {3});
    const double step = count(group.column(0)[i]), eta = group.column(1)[i].item<double>(), mu = group.column(2)[i].item<double>();
    const Tensor average = real_view(group.column(3)[i]);
    mul_(p, 1 - o.lambd() * eta);
    add_(p, g, -eta);
    if (mu == 1) copy_(average, p);
    else add_(average, mul(sub(p, average), mu));
    fill_(group.column(1)[i], o.lr() / std::pow(1 + o.lambd() * o.lr() * step, o.alpha()));
    fill_(group.column(2)[i], 1 / std::max(1.0, step - o.t0()));
  });
}

// ---- Muon --------------------------------------------------------------------------------------
BOLIDE_MAKE_OPTIMIZER(Muon)
void MuonOptions::each(OptionVisitor& v) {
  v.number("lr", lr_), v.number("weight_decay", weight_decay_), v.number("momentum", momentum_), v.flag("nesterov", nesterov_);
  auto& [a, b, c] = ns_coefficients_;
  v.tuple("ns_coefficients", {&a, &b, &c}), v.number("eps", eps_), v.integer("ns_steps", ns_steps_), v.text("adjust_lr_fn", adjust_lr_fn_);
}
STATES(Muon, "momentum_buffer")
void Muon::check(OptimizerOptions& given) const {
  const auto& o = static_cast<const MuonOptions&>(given);
  BOLIDE_CHECK_AS(ValueError, o.lr() >= 0, "Learning rate should be >= 0 but is: ", o.lr());
  BOLIDE_CHECK_AS(ValueError, o.momentum() >= 0, "momentum should be >= 0 but is: ", o.momentum());
  BOLIDE_CHECK_AS(ValueError, o.weight_decay() >= 0, "weight decay should be >= 0 but is: ", o.weight_decay());
  BOLIDE_CHECK_AS(ValueError, o.adjust_lr_fn().empty() || o.adjust_lr_fn() == "original" || o.adjust_lr_fn() == "match_rms_adamw",
                  "Adjust learning rate function ", o.adjust_lr_fn(), " is not supported");
  BOLIDE_CHECK_AS(ValueError, o.ns_steps() < 100, "Number of steps must be less than 100 for computational efficiency");
  for (const OptimizerParamGroup& g : groups_)
    for (const Tensor& p : g.params())
      BOLIDE_CHECK_AS(ValueError, p.dim() == 2, "Muon only supports 2D parameters whereas we found a parameter with size: ", p.sizes());
}

namespace {
/// About U V^T of x = U S V^T, in bfloat16: a quintic polynomial in x x^T, iterated, drives all S towards 1.
Tensor orthogonal(const Tensor& given, const MuonOptions& o) {
  const auto [a, b, c] = o.ns_coefficients();
  const bool tall = given.size(0) > given.size(1);
  Tensor x = given.to(DType::BFloat16);
  if (tall) x = t(x);
  x = div(x, clamp(sqrt(sum(square(x))), Scalar(o.eps()), {}));
  for (int64_t i = 0; i < o.ns_steps(); ++i) {
    const Tensor gram = matmul(x, t(x));
    const Tensor poly = add(mul(gram, b), matmul(gram, gram), c);
    x = add(mul(x, a), matmul(poly, x));
  }
  return tall ? t(x) : x;
}
}  // namespace

void Muon::step_group(OptimizerParamGroup& group) {
  const auto& o = static_cast<const MuonOptions&>(group.options());
  for (size_t i = 0; i < group.params().size(); ++i) {
    const Tensor p = group.params()[i], g = p.grad();
    if (!g.defined()) continue;
    BOLIDE_CHECK(!is_complex(p.dtype()), "Muon does not support complex parameters");
    if (!group.column(0)[i].defined()) group.column(0)[i] = zeros_like(g);
    const Tensor& buffer = group.column(0)[i];
    lerp_into(buffer, g, 1 - o.momentum());
    Tensor update = buffer;
    if (o.nesterov()) update = add(g, mul(sub(buffer, g), o.momentum()));
    update = orthogonal(update, o);
    const double rows = static_cast<double>(p.size(0)), columns = static_cast<double>(p.size(1));
    const double factor = o.adjust_lr_fn() == "match_rms_adamw" ? 0.2 * std::sqrt(std::max(rows, columns)) : std::sqrt(std::max(1.0, rows / columns));
    mul_(p, 1 - o.lr() * o.weight_decay());
    add_(p, update.to(p.dtype()), -o.lr() * factor);
  }
}

}  // namespace bolide::optim
