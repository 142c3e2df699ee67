// Recurrent networks and their cells, and sequences of unequal length (packed).
#pragma once
#include "bolide/nn/plain.h"
#include "bolide/nn/utils_rnn.h"

namespace bolide::nn {

// ---- options -----------------------------------------------------------------------------------
#define BOLIDE_RNN_ARGS(Name)                                                                           \
  Name(int64_t input_size, int64_t hidden_size) : input_size_(input_size), hidden_size_(hidden_size) {} \
  BOLIDE_ARG(int64_t, input_size);                                                                      \
  BOLIDE_ARG(int64_t, hidden_size);                                                                     \
  BOLIDE_ARG(int64_t, num_layers) = 1;                                                                  \
  BOLIDE_ARG(bool, bias) = true;                                                                        \
  BOLIDE_ARG(bool, batch_first) = false;                                                                \
  BOLIDE_ARG(double, dropout) = 0.0;                                                                    \
  BOLIDE_ARG(bool, bidirectional) = false

struct RNNOptions {
  BOLIDE_RNN_ARGS(RNNOptions);
  /// kTanh or kReLU.
  BOLIDE_ARG(std::string, nonlinearity) = kTanh;
};
struct LSTMOptions {
  BOLIDE_RNN_ARGS(LSTMOptions);
  /// Above 0: the hidden state is projected to this size.
  BOLIDE_ARG(int64_t, proj_size) = 0;
};
struct GRUOptions {
  BOLIDE_RNN_ARGS(GRUOptions);
};
struct RNNCellOptions {
  RNNCellOptions(int64_t input_size, int64_t hidden_size) : input_size_(input_size), hidden_size_(hidden_size) {}
  BOLIDE_ARG(int64_t, input_size);
  BOLIDE_ARG(int64_t, hidden_size);
  BOLIDE_ARG(bool, bias) = true;
  BOLIDE_ARG(std::string, nonlinearity) = kTanh;
};
struct GatedCellOptions {
  GatedCellOptions(int64_t input_size, int64_t hidden_size) : input_size_(input_size), hidden_size_(hidden_size) {}
  BOLIDE_ARG(int64_t, input_size);
  BOLIDE_ARG(int64_t, hidden_size);
  BOLIDE_ARG(bool, bias) = true;
};
using LSTMCellOptions = GatedCellOptions;
using GRUCellOptions = GatedCellOptions;

// ---- networks ----------------------------------------------------------------------------------
/// What RNN, LSTM and GRU share: layers, directions, weights. Weights are named as in Python: weight_ih_l0,
/// weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_hr_l0, weight_ih_l0_reverse, ...
class RNNImplBase : public Module {
 public:
  struct Options {
    std::string mode;  // "RNN_TANH", "RNN_RELU", "LSTM", "GRU"
    int64_t input_size, hidden_size, num_layers, proj_size;
    bool bias, batch_first, bidirectional;
    double dropout;
  };
  explicit RNNImplBase(Options base) : base_(std::move(base)) {}
  void reset_parameters();
  /// Weights in the order of the cells: for each layer, for each direction.
  std::vector<Tensor> flat_weights() const;
  std::vector<std::vector<Tensor>> all_weights() const;
  /// There is nothing to flatten; kept for programs that call it.
  void flatten_parameters() {}
  std::string extra_repr() const override;

 protected:
  using States = std::vector<Tensor>;
  void register_all();
  /// Output and final states; `hx` may be empty (zeros). Unbatched inputs are 2-d.
  std::pair<Tensor, States> run(const Tensor& input, States hx) const;
  std::pair<utils::rnn::PackedSequence, States> run_packed(const utils::rnn::PackedSequence& input, States hx) const;
  Options base_;

 private:
  int64_t gates() const;
  int64_t directions() const { return base_.bidirectional ? 2 : 1; }
  int64_t state_size() const { return base_.proj_size > 0 ? base_.proj_size : base_.hidden_size; }
  std::vector<std::string> weight_names() const;
  void check_input(const Tensor& input, const Tensor& batch_sizes) const;
  void check_states(const States& hx, int64_t batch, bool batched) const;
  States call(const Tensor& input, const States& hx, const Tensor& batch_sizes) const;
  Tensor zeros(const Tensor& like, int64_t batch, int64_t size) const;
};

using RNNOutput = std::tuple<Tensor, Tensor>;
using LSTMState = std::tuple<Tensor, Tensor>;
using LSTMOutput = std::tuple<Tensor, LSTMState>;

/// Gives (output, final hidden state).
class RNNImpl : public Cloneable<RNNImpl, RNNImplBase> {
 public:
  RNNImpl(int64_t input_size, int64_t hidden_size) : RNNImpl(RNNOptions(input_size, hidden_size)) {}
  explicit RNNImpl(const RNNOptions& options);
  RNNOutput forward(const Tensor& input, const Tensor& hx = {}) const;
  std::tuple<utils::rnn::PackedSequence, Tensor> forward_with_packed_input(const utils::rnn::PackedSequence& input,
                                                                            const Tensor& hx = {}) const;
  void reset() override { register_all(); }
  RNNOptions options;
};
BOLIDE_MODULE(RNN);

/// Gives (output, (final hidden state, final cell state)).
class LSTMImpl : public Cloneable<LSTMImpl, RNNImplBase> {
 public:
  LSTMImpl(int64_t input_size, int64_t hidden_size) : LSTMImpl(LSTMOptions(input_size, hidden_size)) {}
  explicit LSTMImpl(const LSTMOptions& options);
  LSTMOutput forward(const Tensor& input, const std::optional<LSTMState>& hx = {}) const;
  std::tuple<utils::rnn::PackedSequence, LSTMState> forward_with_packed_input(const utils::rnn::PackedSequence& input,
                                                                               const std::optional<LSTMState>& hx = {}) const;
  void reset() override { register_all(); }
  LSTMOptions options;
};
BOLIDE_MODULE(LSTM);

class GRUImpl : public Cloneable<GRUImpl, RNNImplBase> {
 public:
  GRUImpl(int64_t input_size, int64_t hidden_size) : GRUImpl(GRUOptions(input_size, hidden_size)) {}
  explicit GRUImpl(const GRUOptions& options);
  RNNOutput forward(const Tensor& input, const Tensor& hx = {}) const;
  std::tuple<utils::rnn::PackedSequence, Tensor> forward_with_packed_input(const utils::rnn::PackedSequence& input,
                                                                            const Tensor& hx = {}) const;
  void reset() override { register_all(); }
  GRUOptions options;
};
BOLIDE_MODULE(GRU);

// ---- cells -------------------------------------------------------------------------------------
class RNNCellImplBase : public Module {
 public:
  RNNCellImplBase(int64_t input_size, int64_t hidden_size, bool bias, int64_t gates)
      : input_size_(input_size), hidden_size_(hidden_size), gates_(gates), bias_(bias) {}
  void reset_parameters();
  std::string extra_repr() const override;
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;

 protected:
  void register_all();
  /// The batched input, and `hx` or zeros, after checks.
  std::pair<Tensor, Tensor> prepare(const Tensor& input, const Tensor& hx, const char* name) const;
  int64_t input_size_, hidden_size_, gates_;
  bool bias_;
};

class RNNCellImpl : public Cloneable<RNNCellImpl, RNNCellImplBase> {
 public:
  RNNCellImpl(int64_t input_size, int64_t hidden_size) : RNNCellImpl(RNNCellOptions(input_size, hidden_size)) {}
  explicit RNNCellImpl(const RNNCellOptions& options);
  Tensor forward(const Tensor& input, const Tensor& hx = {}) const;
  void reset() override { register_all(); }
  std::string extra_repr() const override;
  RNNCellOptions options;
};
BOLIDE_MODULE(RNNCell);

class LSTMCellImpl : public Cloneable<LSTMCellImpl, RNNCellImplBase> {
 public:
  LSTMCellImpl(int64_t input_size, int64_t hidden_size) : LSTMCellImpl(LSTMCellOptions(input_size, hidden_size)) {}
  explicit LSTMCellImpl(const LSTMCellOptions& options);
  LSTMState forward(const Tensor& input, const std::optional<LSTMState>& hx = {}) const;
  void reset() override { register_all(); }
  LSTMCellOptions options;
};
BOLIDE_MODULE(LSTMCell);

class GRUCellImpl : public Cloneable<GRUCellImpl, RNNCellImplBase> {
 public:
  GRUCellImpl(int64_t input_size, int64_t hidden_size) : GRUCellImpl(GRUCellOptions(input_size, hidden_size)) {}
  explicit GRUCellImpl(const GRUCellOptions& options);
  Tensor forward(const Tensor& input, const Tensor& hx = {}) const;
  void reset() override { register_all(); }
  GRUCellOptions options;
};
BOLIDE_MODULE(GRUCell);

}  // namespace bolide::nn
