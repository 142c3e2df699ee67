// Recurrent networks. Map: weights | checks | running | RNN, LSTM, GRU | cells
#include "bolide/nn/rnn.h"

#include <cmath>

#include "bolide/nn/init.h"
#include "bolide/ops.h"
#include "core/named_op.h"
#include "nn/text.h"

namespace bolide::nn {

using detail::py;
using utils::rnn::PackedSequence;

// ---- weights -----------------------------------------------------------------------------------
int64_t RNNImplBase::gates() const { return base_.mode == "LSTM" ? 4 : base_.mode == "GRU" ? 3 : 1; }

std::vector<std::string> RNNImplBase::weight_names() const {
  std::vector<std::string> names;
  for (int64_t layer = 0; layer < base_.num_layers; ++layer)
    for (int64_t d = 0; d < directions(); ++d) {
      const std::string end = "_l" + std::to_string(layer) + (d ? "_reverse" : "");
      names.insert(names.end(), {"weight_ih" + end, "weight_hh" + end});
      if (base_.bias) names.insert(names.end(), {"bias_ih" + end, "bias_hh" + end});
      if (base_.proj_size > 0) names.push_back("weight_hr" + end);
    }
  return names;
}

void RNNImplBase::register_all() {
  const Options& o = base_;
  BOLIDE_CHECK_AS(ValueError, o.dropout >= 0 && o.dropout <= 1, "dropout should be a number in range [0, 1] representing the probability of an "
                  "element being zeroed");
  BOLIDE_CHECK_AS(ValueError, o.hidden_size > 0, "hidden_size must be greater than zero");
  BOLIDE_CHECK_AS(ValueError, o.num_layers > 0, "num_layers must be greater than zero");
  BOLIDE_CHECK_AS(ValueError, o.proj_size >= 0, "proj_size should be a positive integer or zero to disable projections");
  BOLIDE_CHECK_AS(ValueError, o.proj_size < o.hidden_size, "proj_size has to be smaller than hidden_size");
  const int64_t rows = gates() * o.hidden_size;
  for (const std::string& name : weight_names()) {
    const bool first = name.find("_l0") != name.npos;
    const int64_t below = first ? o.input_size : state_size() * directions();
    Tensor t = name.starts_with("weight_ih")   ? empty({rows, below})
               : name.starts_with("weight_hh") ? empty({rows, state_size()})
               : name.starts_with("weight_hr") ? empty({o.proj_size, o.hidden_size})
                                               : empty({rows});
    register_parameter(name, std::move(t));
  }
  reset_parameters();
}
void RNNImplBase::reset_parameters() {
  const double bound = 1 / std::sqrt(static_cast<double>(base_.hidden_size));
  for (const Tensor& w : parameters(false)) init::uniform_(w, -bound, bound);
}

std::vector<Tensor> RNNImplBase::flat_weights() const { return parameters(false); }
std::vector<std::vector<Tensor>> RNNImplBase::all_weights() const {
  const auto flat = flat_weights();
  const auto each = static_cast<std::ptrdiff_t>(2 + (base_.bias ? 2 : 0) + (base_.proj_size > 0 ? 1 : 0));
  std::vector<std::vector<Tensor>> all;
  for (auto at = flat.begin(); at != flat.end(); at += each) all.emplace_back(at, at + each);
  return all;
}

std::string RNNImplBase::extra_repr() const {
  const Options& o = base_;
  std::string s = py(o.input_size) + ", " + py(o.hidden_size);
  if (o.proj_size) s += ", proj_size=" + py(o.proj_size);
  if (o.num_layers != 1) s += ", num_layers=" + py(o.num_layers);
  if (!o.bias) s += ", bias=False";
  if (o.batch_first) s += ", batch_first=True";
  if (o.dropout != 0) s += ", dropout=" + py(o.dropout);
  if (o.bidirectional) s += ", bidirectional=True";
  return s;
}

// ---- checks ------------------------------------------------------------------------------------
void RNNImplBase::check_input(const Tensor& x, const Tensor& batch_sizes) const {
  if (batch_sizes.defined())
    BOLIDE_CHECK(x.dim() == 2, "input must have 2 dimensions, got ", x.dim());
  else
    BOLIDE_CHECK_AS(ValueError, x.dim() == 2 || x.dim() == 3, name(), ": Expected input to be 2D or 3D, got ", x.dim(), "D instead");
  BOLIDE_CHECK(x.size(-1) == base_.input_size, "input.size(-1) must be equal to input_size. Expected ", base_.input_size, ", got ", x.size(-1));
}
void RNNImplBase::check_states(const States& hx, int64_t batch, bool batched) const {
  const char* what[] = {"hidden[0]", "hidden[1]"};
  for (size_t i = 0; i < hx.size(); ++i) {
    const Dims want{base_.num_layers * directions(), batch, i == 1 ? base_.hidden_size : state_size()};
    BOLIDE_CHECK(hx[i].sizes() == want, "Expected ", hx.size() == 1 ? "hidden" : what[i], " size ", want, ", got ", hx[i].sizes(),
                 batched ? "" : " (for an unbatched input, with a batch of one)");
  }
}

// ---- running -----------------------------------------------------------------------------------
Tensor RNNImplBase::zeros(const Tensor& like, int64_t batch, int64_t size) const {
  return bolide::zeros({base_.num_layers * directions(), batch, size}, like.dtype(), like.device());
}

/// {output, final states...}.
RNNImplBase::States RNNImplBase::call(const Tensor& x, const States& hx, const Tensor& batch_sizes) const {
  static constexpr NamedOp lstm("lstm"), gru("gru"), tanh("rnn_tanh"), relu("rnn_relu");
  const Options& o = base_;
  const auto weights = flat_weights();
  const bool packed = batch_sizes.defined();
  if (o.mode == "LSTM") {
    using R = std::tuple<Tensor, Tensor, Tensor>;
    auto [out, h, c] = packed ? lstm.call<R>(x, batch_sizes, hx, weights, o.bias, o.num_layers, o.dropout, is_training(), o.bidirectional)
                              : lstm.call<R>(x, hx, weights, o.bias, o.num_layers, o.dropout, is_training(), o.bidirectional, o.batch_first);
    return {out, h, c};
  }
  using R = std::tuple<Tensor, Tensor>;
  const NamedOp& op = o.mode == "GRU" ? gru : o.mode == "RNN_TANH" ? tanh : relu;
  auto [out, h] = packed ? op.call<R>(x, batch_sizes, hx[0], weights, o.bias, o.num_layers, o.dropout, is_training(), o.bidirectional)
                         : op.call<R>(x, hx[0], weights, o.bias, o.num_layers, o.dropout, is_training(), o.bidirectional, o.batch_first);
  return {out, h};
}

std::pair<Tensor, RNNImplBase::States> RNNImplBase::run(const Tensor& input, States hx) const {
  check_input(input, {});
  const bool batched = input.dim() == 3;
  const int64_t batch_dim = base_.batch_first ? 0 : 1;
  const Tensor x = batched ? input : unsqueeze(input, batch_dim);
  const int64_t batch = x.size(batch_dim);
  for (Tensor& h : hx) {
    const int64_t want = batched ? 3 : 2;
    BOLIDE_CHECK(h.dim() == want, "For ", batched ? "batched 3-D" : "unbatched 2-D", " input, hx should also be ", want, "-D but got ", h.dim(), "-D tensor");
    if (!batched) h = unsqueeze(h, 1);
  }
  if (hx.empty()) {
    hx.push_back(zeros(x, batch, state_size()));
    if (base_.mode == "LSTM") hx.push_back(zeros(x, batch, base_.hidden_size));
  }
  check_states(hx, batch, batched);
  States out = call(x, hx, {});
  Tensor result = out[0];
  out.erase(out.begin());
  if (!batched) {
    result = squeeze(result, batch_dim);
    for (Tensor& h : out) h = squeeze(h, 1);
  }
  return {result, out};
}

std::pair<PackedSequence, RNNImplBase::States> RNNImplBase::run_packed(const PackedSequence& input, States hx) const {
  check_input(input.data(), input.batch_sizes());
  const int64_t batch = input.batch_sizes()[0].item<int64_t>();
  const auto reorder = [](States& states, const Tensor& order) {
    if (!order.defined()) return;
    for (Tensor& h : states) h = index_select(h, 1, order);
  };
  if (hx.empty()) {
    hx.push_back(zeros(input.data(), batch, state_size()));
    if (base_.mode == "LSTM") hx.push_back(zeros(input.data(), batch, base_.hidden_size));
  } else {
    reorder(hx, input.sorted_indices());
  }
  check_states(hx, batch, true);
  States out = call(input.data(), hx, input.batch_sizes());
  const Tensor data = out[0];
  out.erase(out.begin());
  reorder(out, input.unsorted_indices());
  return {PackedSequence(data, input.batch_sizes(), input.sorted_indices(), input.unsorted_indices()), out};
}

// ---- RNN, LSTM, GRU ----------------------------------------------------------------------------
namespace {

template <class O>
RNNImplBase::Options base_options(const O& o, std::string mode, int64_t proj_size = 0) {
  return {std::move(mode), o.input_size(), o.hidden_size(), o.num_layers(), proj_size, o.bias(), o.batch_first(), o.bidirectional(), o.dropout()};
}
std::string rnn_mode(const RNNOptions& o) {
  if (o.nonlinearity() == kTanh) return "RNN_TANH";
  BOLIDE_CHECK_AS(ValueError, o.nonlinearity() == kReLU, "Unknown nonlinearity '", o.nonlinearity(), "'. Select from 'tanh' or 'relu'.");
  return "RNN_RELU";
}
std::vector<Tensor> list(const Tensor& h) { return h.defined() ? std::vector{h} : std::vector<Tensor>{}; }
std::vector<Tensor> list(const std::optional<LSTMState>& s) {
  if (!s) return {};
  BOLIDE_CHECK(std::get<0>(*s).defined() && std::get<1>(*s).defined(), "LSTM: the states given are undefined");
  return {std::get<0>(*s), std::get<1>(*s)};
}

}  // namespace

RNNImpl::RNNImpl(const RNNOptions& o) : Cloneable(base_options(o, rnn_mode(o))), options(o) { reset(); }
RNNOutput RNNImpl::forward(const Tensor& input, const Tensor& hx) const {
  auto [out, states] = run(input, list(hx));
  return {out, states[0]};
}
std::tuple<PackedSequence, Tensor> RNNImpl::forward_with_packed_input(const PackedSequence& input, const Tensor& hx) const {
  auto [out, states] = run_packed(input, list(hx));
  return {out, states[0]};
}

LSTMImpl::LSTMImpl(const LSTMOptions& o) : Cloneable(base_options(o, "LSTM", o.proj_size())), options(o) { reset(); }
LSTMOutput LSTMImpl::forward(const Tensor& input, const std::optional<LSTMState>& hx) const {
  auto [out, states] = run(input, list(hx));
  return {out, {states[0], states[1]}};
}
std::tuple<PackedSequence, LSTMState> LSTMImpl::forward_with_packed_input(const PackedSequence& input, const std::optional<LSTMState>& hx) const {
  auto [out, states] = run_packed(input, list(hx));
  return {out, {states[0], states[1]}};
}

GRUImpl::GRUImpl(const GRUOptions& o) : Cloneable(base_options(o, "GRU")), options(o) { reset(); }
RNNOutput GRUImpl::forward(const Tensor& input, const Tensor& hx) const {
  auto [out, states] = run(input, list(hx));
  return {out, states[0]};
}
std::tuple<PackedSequence, Tensor> GRUImpl::forward_with_packed_input(const PackedSequence& input, const Tensor& hx) const {
  auto [out, states] = run_packed(input, list(hx));
  return {out, states[0]};
}

// ---- cells -------------------------------------------------------------------------------------
void RNNCellImplBase::register_all() {
  const int64_t rows = gates_ * hidden_size_;
  weight_ih = register_parameter("weight_ih", empty({rows, input_size_}));
  weight_hh = register_parameter("weight_hh", empty({rows, hidden_size_}));
  bias_ih = register_parameter("bias_ih", bias_ ? empty({rows}) : Tensor());
  bias_hh = register_parameter("bias_hh", bias_ ? empty({rows}) : Tensor());
  reset_parameters();
}
void RNNCellImplBase::reset_parameters() {
  const double bound = hidden_size_ > 0 ? 1 / std::sqrt(static_cast<double>(hidden_size_)) : 0;
  for (const Tensor& w : parameters(false)) init::uniform_(w, -bound, bound);
}
std::string RNNCellImplBase::extra_repr() const { return py(input_size_) + ", " + py(hidden_size_) + (bias_ ? "" : ", bias=False"); }

std::pair<Tensor, Tensor> RNNCellImplBase::prepare(const Tensor& input, const Tensor& hx, const char* what) const {
  BOLIDE_CHECK_AS(ValueError, input.dim() == 1 || input.dim() == 2, what, ": Expected input to be 1D or 2D, got ", input.dim(), "D instead");
  BOLIDE_CHECK_AS(ValueError, !hx.defined() || hx.dim() == 1 || hx.dim() == 2, what, ": Expected hidden to be 1D or 2D, got ", hx.defined() ? hx.dim() : 0, "D instead");
  const Tensor x = input.dim() == 1 ? unsqueeze(input, 0) : input;
  if (!hx.defined()) return {x, zeros({x.size(0), hidden_size_}, x.dtype(), x.device())};
  return {x, input.dim() == 1 ? unsqueeze(hx, 0) : hx};
}

RNNCellImpl::RNNCellImpl(const RNNCellOptions& o) : Cloneable(o.input_size(), o.hidden_size(), o.bias(), 1), options(o) { reset(); }
Tensor RNNCellImpl::forward(const Tensor& input, const Tensor& hx) const {
  static constexpr NamedOp tanh("rnn_tanh_cell"), relu("rnn_relu_cell");
  BOLIDE_CHECK(options.nonlinearity() == kTanh || options.nonlinearity() == kReLU, "Unknown nonlinearity: ", options.nonlinearity());
  const auto [x, h] = prepare(input, hx, "RNNCell");
  const Tensor out = (options.nonlinearity() == kTanh ? tanh : relu)(x, h, weight_ih, weight_hh, bias_ih, bias_hh);
  return input.dim() == 1 ? squeeze(out, 0) : out;
}
std::string RNNCellImpl::extra_repr() const {
  return RNNCellImplBase::extra_repr() + (options.nonlinearity() == kTanh ? "" : ", nonlinearity=" + options.nonlinearity());
}

LSTMCellImpl::LSTMCellImpl(const LSTMCellOptions& o) : Cloneable(o.input_size(), o.hidden_size(), o.bias(), 4), options(o) { reset(); }
LSTMState LSTMCellImpl::forward(const Tensor& input, const std::optional<LSTMState>& hx) const {
  static constexpr NamedOp op("lstm_cell");
  const auto [x, h] = prepare(input, hx ? std::get<0>(*hx) : Tensor(), "LSTMCell");
  const auto [same, c] = prepare(input, hx ? std::get<1>(*hx) : Tensor(), "LSTMCell");
  const std::vector<Tensor> states{h, c};
  auto [new_h, new_c] = op.call<LSTMState>(x, states, weight_ih, weight_hh, bias_ih, bias_hh);
  if (input.dim() == 1) return {squeeze(new_h, 0), squeeze(new_c, 0)};
  return {new_h, new_c};
}

GRUCellImpl::GRUCellImpl(const GRUCellOptions& o) : Cloneable(o.input_size(), o.hidden_size(), o.bias(), 3), options(o) { reset(); }
Tensor GRUCellImpl::forward(const Tensor& input, const Tensor& hx) const {
  static constexpr NamedOp op("gru_cell");
  const auto [x, h] = prepare(input, hx, "GRUCell");
  const Tensor out = op(x, h, weight_ih, weight_hh, bias_ih, bias_hh);
  return input.dim() == 1 ? squeeze(out, 0) : out;
}

}  // namespace bolide::nn
