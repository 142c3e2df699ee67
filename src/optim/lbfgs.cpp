// L-BFGS with an optional strong-Wolfe line search. Map: memory | cubic interpolation | line search | directions | step
#include <cmath>
#include <deque>

#include "bolide/autograd.h"
#include "optim/steps.h"

namespace bolide::optim {

// ---- memory ------------------------------------------------------------------------------------
/// What is kept between steps.
struct LBFGS::Memory {
  int64_t func_evals = 0, n_iter = 0;
  Tensor direction, previous_grad;
  double t = 0, previous_loss = 0, scale = 1;
  std::deque<Tensor> changes, moves;  // of gradients, of weights
  std::deque<double> curvatures;      // 1 / (change . move)
  // of the step at work
  double loss = 0, slope = 0;
  Tensor grad;
};

namespace {
double product(const Tensor& a, const Tensor& b) { return sum(mul(a, b)).item<double>(); }
double largest(const Tensor& t) { return max(abs(t)).item<double>(); }
}  // namespace

LBFGS::LBFGS(std::vector<OptimizerParamGroup> groups, LBFGSOptions defaults)
    : Optimizer(std::move(groups), std::make_unique<LBFGSOptions>(std::move(defaults))), memory_(std::make_unique<Memory>()) {
  BOLIDE_CHECK_AS(ValueError, groups_.size() == 1, "LBFGS doesn't support per-parameter options (parameter groups)");
  const auto& o = static_cast<const LBFGSOptions&>(groups_[0].options());
  BOLIDE_CHECK_AS(ValueError, o.lr() >= 0, "Invalid learning rate: ", o.lr());
  BOLIDE_CHECK(o.line_search_fn().empty() || o.line_search_fn() == "strong_wolfe", "only 'strong_wolfe' is supported");
}
LBFGS::LBFGS(std::vector<Tensor> params, LBFGSOptions defaults) : LBFGS(one_group(std::move(params)), std::move(defaults)) {}
LBFGSOptions::LBFGSOptions(double lr) : lr_(lr) {}
LBFGS::~LBFGS() = default;

void LBFGSOptions::each(OptionVisitor& v) {
  int64_t evaluations_ = evaluations();
  v.number("lr", lr_), v.integer("max_iter", max_iter_), v.integer("max_eval", evaluations_);
  if (evaluations_ != evaluations()) max_eval_ = evaluations_;
  v.number("tolerance_grad", tolerance_grad_), v.number("tolerance_change", tolerance_change_), v.integer("history_size", history_size_);
  v.text("line_search_fn", line_search_fn_);
}
std::span<const char* const> LBFGS::state_names() const { return {}; }
void LBFGS::step_group(OptimizerParamGroup&) {}

Tensor LBFGS::flat_grad() const {
  std::vector<Tensor> parts;
  for (const Tensor& p : groups_[0].params()) {
    const Tensor g = p.grad();
    parts.push_back(g.defined() ? reshape(g, {-1}) : zeros({p.numel()}, p.dtype(), p.device()));
  }
  return cat(parts);
}
void LBFGS::move(double t, const Tensor& direction) const {
  int64_t at = 0;
  for (const Tensor& p : groups_[0].params()) {
    add_(p, view(narrow(direction, 0, at, p.numel()), p.sizes()), t);
    at += p.numel();
  }
}

// ---- line search -------------------------------------------------------------------------------
/// A trial step: its length, loss, gradient, and slope along the direction.
struct LBFGS::Point {
  double t, loss;
  Tensor grad;
  double slope;
};

namespace {

/// Where the cubic through two points with slopes is least, within [low, high].
template <class P>
double cubic_minimum(const P& a, const P& b, double low, double high) {
  const double d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t), square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const double best = a.t <= b.t ? b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
                                 : a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2));
  return std::min(std::max(best, low), high);
}

constexpr double kSufficient = 1e-4, kCurvature = 0.9, kTolerance = 1e-9;
constexpr int kMaxTries = 25;

/// Shrinks a bracket around a point that meets the strong Wolfe conditions.
template <class P, class Trial>
P zoom(const P& start, P a, P b, double scale, int tries, const Trial& trial) {
  bool stalled = false;
  if (b.loss < a.loss) std::swap(a, b);  // a is the better one
  for (; tries < kMaxTries && std::fabs(b.t - a.t) * scale >= kTolerance; ++tries) {
    const double low = std::min(a.t, b.t), high = std::max(a.t, b.t), margin = 0.1 * (high - low);
    double t = cubic_minimum(a, b, low, high);
    if (std::min(high - t, t - low) < margin) {  // too near an end: step inwards, at once if it happens again
      if (stalled || t >= high || t <= low) {
        t = std::fabs(t - high) < std::fabs(t - low) ? high - margin : low + margin;
        stalled = false;
      } else {
        stalled = true;
      }
    } else {
      stalled = false;
    }
    P point = trial(t);
    if (point.loss > start.loss + kSufficient * t * start.slope || point.loss >= a.loss) {
      b = std::move(point);
      if (b.loss < a.loss) std::swap(a, b);
      continue;
    }
    if (std::fabs(point.slope) <= -kCurvature * start.slope) return point;
    if (point.slope * (b.t - a.t) >= 0) b = a;
    a = std::move(point);
  }
  return a;
}

/// A step that meets the strong Wolfe conditions, or the best one tried.
template <class P, class Trial>
P strong_wolfe(const P& start, double t, double scale, const Trial& trial) {
  P before = start, point = trial(t);
  int tries = 0;
  for (; tries < kMaxTries; ++tries) {
    if (point.loss > start.loss + kSufficient * point.t * start.slope || (tries > 1 && point.loss >= before.loss)) break;
    if (std::fabs(point.slope) <= -kCurvature * start.slope) return point;
    if (point.slope >= 0) break;
    t = cubic_minimum(before, point, point.t + 0.01 * (point.t - before.t), point.t * 10);
    before = std::exchange(point, trial(t));
  }
  return tries == kMaxTries ? zoom(start, start, point, scale, tries, trial) : zoom(start, before, point, scale, tries, trial);
}

}  // namespace

int64_t LBFGS::search(const LossClosure& closure) {
  Memory& m = *memory_;
  std::vector<Tensor> kept;
  for (const Tensor& p : groups_[0].params()) kept.push_back(p.detach().clone());
  int64_t calls = 0;
  const auto trial = [&](double t) {
    move(t, m.direction);
    const double loss = closure().item<double>();
    Tensor grad = flat_grad();
    for (size_t i = 0; i < kept.size(); ++i) copy_(groups_[0].params()[i], kept[i]);
    ++calls;
    const double slope = product(grad, m.direction);
    return Point{t, loss, std::move(grad), slope};
  };
  const Point best = strong_wolfe(Point{0, m.loss, m.grad, m.slope}, m.t, largest(m.direction), trial);
  m.loss = best.loss, m.grad = best.grad, m.t = best.t;
  move(best.t, m.direction);
  return calls;
}

// ---- directions --------------------------------------------------------------------------------
namespace {

void remember(LBFGS::Memory& m, size_t history) {
  const Tensor change = sub(m.grad, m.previous_grad), moved = mul(m.direction, m.t);
  const double curvature = product(change, moved);
  if (curvature <= 1e-10) return;
  if (m.changes.size() == history) m.changes.pop_front(), m.moves.pop_front(), m.curvatures.pop_front();
  m.changes.push_back(change), m.moves.push_back(moved), m.curvatures.push_back(1 / curvature);
  m.scale = curvature / product(change, change);
}

/// -H grad, H being the inverse Hessian that the remembered changes imply.
Tensor two_loops(const LBFGS::Memory& m) {
  std::vector<double> weights(m.changes.size());
  Tensor q = neg(m.grad);
  for (size_t i = m.changes.size(); i-- > 0;) {
    weights[i] = product(m.moves[i], q) * m.curvatures[i];
    add_(q, m.changes[i], -weights[i]);
  }
  q = mul(q, m.scale);
  for (size_t i = 0; i < m.changes.size(); ++i) add_(q, m.moves[i], weights[i] - product(m.changes[i], q) * m.curvatures[i]);
  return q;
}

void turn(LBFGS::Memory& m, const LBFGSOptions& o) {
  if (m.n_iter == 1) {
    m.direction = neg(m.grad);
    m.changes.clear(), m.moves.clear(), m.curvatures.clear(), m.scale = 1;
  } else {
    remember(m, static_cast<size_t>(o.history_size()));
    m.direction = two_loops(m);
  }
  m.previous_grad = m.grad.clone();
  m.previous_loss = m.loss;
  m.t = m.n_iter == 1 ? std::min(1.0, 1 / sum(abs(m.grad)).item<double>()) * o.lr() : o.lr();
  m.slope = product(m.grad, m.direction);
}

}  // namespace

// ---- step --------------------------------------------------------------------------------------
int64_t LBFGS::advance(const LossClosure& closure, int64_t iteration, bool& flat) {
  Memory& m = *memory_;
  const auto& o = static_cast<const LBFGSOptions&>(groups_[0].options());
  int64_t calls = 0;
  if (!o.line_search_fn().empty()) {
    calls = search(closure);
  } else {
    move(m.t, m.direction);
    if (iteration == o.max_iter()) return 0;  // the loss there would not be used
    m.loss = closure().item<double>();
    m.grad = flat_grad();
    calls = 1;
  }
  flat = largest(m.grad) <= o.tolerance_grad();
  return calls;
}

Tensor LBFGS::step(const LossClosure& given) {
  BOLIDE_CHECK(given, "LBFGS requires a closure function");
  const NoGradGuard no_grad;
  const LossClosure closure = [&] {
    const EnableGradGuard with_grad;
    return given();
  };
  Memory& m = *memory_;
  const auto& o = static_cast<const LBFGSOptions&>(groups_[0].options());
  const Tensor first = closure();
  m.loss = first.item<double>();
  m.grad = flat_grad();
  ++m.func_evals;
  if (largest(m.grad) <= o.tolerance_grad()) return first;
  int64_t evaluations = 1;
  for (int64_t i = 1; i <= o.max_iter(); ++i) {
    ++m.n_iter;
    turn(m, o);
    if (m.slope > -o.tolerance_change()) break;
    bool flat = false;
    const int64_t used = advance(closure, i, flat);
    evaluations += used, m.func_evals += used;
    if (evaluations >= o.evaluations() || flat || largest(m.direction) * std::fabs(m.t) <= o.tolerance_change() ||
        std::fabs(m.loss - m.previous_loss) < o.tolerance_change())
      break;
  }
  return first;
}

// ---- state dicts, with Python's names ----------------------------------------------------------
IValue LBFGS::state_dict() const {
  IValue all = Optimizer::state_dict();
  const Memory& m = *memory_;
  if (m.func_evals == 0) return all;
  IValue s = IValue::dict();
  s.insert("func_evals", m.func_evals), s.insert("n_iter", m.n_iter);
  if (m.n_iter) {
    const auto list = [](const auto& d) { return std::vector<IValue>(d.begin(), d.end()); };
    s.insert("d", m.direction), s.insert("t", m.t), s.insert("old_dirs", list(m.changes)), s.insert("old_stps", list(m.moves));
    s.insert("ro", list(m.curvatures)), s.insert("H_diag", m.scale), s.insert("prev_flat_grad", m.previous_grad);
    s.insert("prev_loss", m.previous_loss), s.insert("al", std::vector<IValue>(m.changes.size(), IValue(0.0)));
  }
  IValue states = IValue::dict();
  states.insert(0, s);
  all.insert("state", states);
  return all;
}

void LBFGS::load_state_dict(const IValue& state) {
  Optimizer::load_state_dict(state);
  Memory& m = *memory_ = Memory();
  const IValue* s = state.at("state").find(int64_t{0});
  if (!s) return;
  m.func_evals = s->at("func_evals").toInt(), m.n_iter = s->at("n_iter").toInt();
  if (!s->find("d") || s->at("d").isNone()) return;
  m.direction = s->at("d").toTensor().clone(), m.t = s->at("t").toDouble();
  for (const Tensor& t : s->at("old_dirs").toTensorVector()) m.changes.push_back(t.clone());
  for (const Tensor& t : s->at("old_stps").toTensorVector()) m.moves.push_back(t.clone());
  for (const double v : s->at("ro").toDoubleVector()) m.curvatures.push_back(v);
  m.scale = s->at("H_diag").toDouble(), m.previous_grad = s->at("prev_flat_grad").toTensor().clone();
  m.previous_loss = s->at("prev_loss").toDouble();
}

}  // namespace bolide::optim
