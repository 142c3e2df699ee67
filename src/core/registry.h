// Registry: every op, declared once. Out | Kind | OpInfo | Register (op block -> OpInfo) | State (the one
// thread-local word) | the one door: call<Op>(...) from C++, call_boxed(...) from everywhere else.
#pragma once
#include "core/value.h"

namespace bolide {

/// Where a result goes: nowhere yet (allocate), into the caller's out= tensor, or into self (in place).
struct Out {
  const Tensor* tensor = nullptr;
  bool in_place = false;
  size_t count = 1;  // tensors of out=
};

/// What an op does to shapes and history; generic rules act on kinds, never on lists of names. Layer: what networks
/// are built of beyond the rest (softmax, convolution, pooling, normalisation, losses), each with a shape rule of its own.
enum class Kind : uint8_t { Pointwise, Reduction, View, Index, Matrix, Composed, Random, Creation, DataDependent, Layer };
/// Where Python finds an op: as a function of the module, as a Tensor method, or only in `_C._ops`.
enum Home : uint8_t { kFunction = 1, kMethod = 2, kInternal = 4 };
enum Variant : uint8_t { kInPlace = 1, kOut = 2 };

struct SaveSpec {
  enum What : int8_t { In, Output, List } what = In;
  int8_t index = 0;
  int8_t needed_by = -1;  // only when that argument needs a gradient; -1: always
};
/// saves(in<0>, out<0>, in_for<1, 0>): input 0, output 0, and input 1 where input 0 needs a gradient.
template <int I> inline constexpr SaveSpec in{SaveSpec::In, I, -1};
template <int I, int For> inline constexpr SaveSpec in_for{SaveSpec::In, I, For};
/// All tensors of list argument I.
template <int I> inline constexpr SaveSpec in_list{SaveSpec::List, I, -1};
template <int I> inline constexpr SaveSpec out{SaveSpec::Output, I, -1};
struct SaveList {
  std::array<SaveSpec, 6> specs{};
  int count = 0;
};
template <class... S>
constexpr SaveList saves(S... s) {
  return SaveList{{s...}, sizeof...(S)};
}

class Call;   // what backward sees of the recorded call, autograd/call.h
struct Grads; // gradients of the tensor inputs, autograd/call.h

struct OpInfo {
  Schema schema;
  Kind kind = Kind::Pointwise;
  uint8_t home = kFunction | kMethod;
  uint8_t variants = 0;
  bool in_place = false;      // the op itself writes its first argument (name ends in _)
  bool takes_out = false;     // forward has an Out parameter
  bool differentiable = true; // false: results never have a history (comparisons, argmax)
  std::string node_name;      // "AddBackward0"
  SaveList saved;
  uint32_t gradient_outputs = ~0u;  // bits of results that have a history
  uint32_t no_grad = 0;       // bits of arguments that must not require a gradient, as PyTorch's weights of nll_loss
  uint32_t tensor_args = 0, list_args = 0;  // bit i: argument i may be a tensor, is a list of tensors
  void (*invoke)(const OpInfo&, const Value* args, Out out, Result& r) = nullptr;
  void (*backward)(const Call&, std::span<const Tensor> grads, Grads& result) = nullptr;
  const void* forward = nullptr;
  std::string_view name() const { return schema.name; }
};

/// All ops in order of registration; overloads of a name follow each other in `find`.
const std::vector<OpInfo*>& all_ops();
std::vector<const OpInfo*> find_ops(std::string_view name);
/// The op of that full name ("max.dim"); throws when there is none.
const OpInfo& find_op(std::string_view full_name);
void register_op(OpInfo* op);
/// "log_softmax" -> "LogSoftmaxBackward0".
std::string node_name_of(std::string_view op);

// ---- the thread's modes ------------------------------------------------------------------------

struct State {
  enum Mode : uint32_t { kAutocast = 4, kTracing = 8, kTorchFunction = 16, kSavedHooks = 32 };
  enum class Caller : uint8_t { Native, Python, Engine };
  uint32_t modes = 0;  // zero: nothing besides recording looks at calls
  bool grad = true;
  bool inference = false;  // what is made now can never take part in autograd
  Caller caller = Caller::Native;  // who may be asked where in the user's program this call stands
};
static_assert(sizeof(State) == 8);
extern thread_local State t_state [[gnu::tls_model("initial-exec")]];
inline State& state() { return t_state; }

/// Inside an op's forward nothing is recorded and no mode looks.
class Below {
 public:
  Below() : saved_(state()) { state().modes = 0, state().grad = false; }
  ~Below() { state() = saved_; }

 private:
  State saved_;
};
class GradMode {
 public:
  explicit GradMode(bool on) : saved_(state().grad) { state().grad = on; }
  ~GradMode() { state().grad = saved_; }

 private:
  bool saved_;
};
struct NoGrad : GradMode { NoGrad() : GradMode(false) {} };

// ---- the door ----------------------------------------------------------------------------------

/// Calls with modes and recording, in their fixed order. `args` are in schema order, complete.
Result call_boxed(const OpInfo& op, const Value* args, Out out = {});
/// Whether the direct path may be taken: no mode, and nothing to record.
inline bool plain(const OpInfo&, bool needs_grad) { return state().modes == 0 && !(state().grad && needs_grad); }
bool any_requires_grad(const OpInfo& op, const Value* args);
/// Copies results into out= tensors where forward takes no Out.
void store_out(const OpInfo& op, Result& r, Out out);

namespace detail {
inline bool requires_grad(const Tensor& t) { return t.defined() && t.requires_grad(); }
inline bool requires_grad(const Operand& o) { return o.tensor && o.tensor->requires_grad(); }
inline bool requires_grad(TensorList l) {
  for (const Tensor& t : l)
    if (requires_grad(t)) return true;
  return false;
}
template <class T> bool requires_grad(const T&) { return false; }

template <class F> struct Function;
template <class R, class... A>
struct Function<R (*)(A...)> {
  template <size_t... I>
  static void run(const void* f, const Value* v, Result& r, std::index_sequence<I...>) {
    auto fn = reinterpret_cast<R (*)(A...)>(const_cast<void*>(f));
    if constexpr (std::is_void_v<R>) fn(Unbox<std::remove_cvref_t<A>>::from(v[I])...);
    else give(r, fn(Unbox<std::remove_cvref_t<A>>::from(v[I])...));
  }
  static void invoke(const OpInfo& op, const Value* v, Out out, Result& r) {
    run(op.forward, v, r, std::index_sequence_for<A...>());
    if (out.tensor) [[unlikely]] store_out(op, r, out);
  }
  using Return = R;
  static constexpr size_t kSkip = 0;
};
template <class R, class... A>
struct Function<R (*)(Out, A...)> {
  template <size_t... I>
  static void run(const void* f, const Value* v, Out out, Result& r, std::index_sequence<I...>) {
    give(r, reinterpret_cast<R (*)(Out, A...)>(const_cast<void*>(f))(out, Unbox<std::remove_cvref_t<A>>::from(v[I])...));
  }
  static void invoke(const OpInfo& op, const Value* v, Out out, Result& r) {
    run(op.forward, v, out, r, std::index_sequence_for<A...>());
  }
  using Return = R;
  static constexpr size_t kSkip = 1;
};
}  // namespace detail

/// Registers the op block `Op`: {schema, forward, [kind], [home], [variants], [saved, backward], [node],
/// [differentiable]}. Fails to compile when the schema's text and forward's signature differ.
template <class Op>
struct Register {
  using F = detail::Function<decltype(&Op::forward)>;
  static_assert(schema::Signature<decltype(&Op::forward)>::template matches<F::kSkip>(schema::parse(Op::schema)),
                "schema and signature of forward differ");
  // constant-initialised, so that it exists before any registration runs
  static inline constinit OpInfo info{};
  Register() {
    info.schema = schema::parse(Op::schema);
    if constexpr (requires { Op::kind; }) info.kind = Op::kind;
    // ops that write lists of tensors count their versions themselves
    info.in_place = info.schema.name.size() > 1 && info.schema.name.ends_with('_') && !info.schema.name.ends_with("__") &&
                    info.schema.args[0].type == ArgType::Tensor;
    info.takes_out = F::kSkip == 1;
    if (!info.in_place && info.kind == Kind::Pointwise) info.variants = kInPlace | kOut;
    if (!info.in_place && (info.kind == Kind::Reduction || info.kind == Kind::Matrix || info.kind == Kind::Index)) info.variants = kOut;
    if constexpr (requires { Op::variants; }) info.variants = Op::variants;
    if (info.schema.count == 0 || info.schema.args[0].name != "self") info.home = kFunction;
    if constexpr (requires { Op::home; }) info.home = Op::home;
    if constexpr (requires { Op::differentiable; }) info.differentiable = Op::differentiable;
    if constexpr (requires { Op::node; }) info.node_name = Op::node;
    else info.node_name = node_name_of(info.schema.name);
    if constexpr (requires { Op::saved; }) info.saved = Op::saved;
    if constexpr (requires { Op::no_grad; }) info.no_grad = Op::no_grad;
    if constexpr (requires { Op::gradient_outputs; }) info.gradient_outputs = Op::gradient_outputs;
    if constexpr (requires(const Call& c, const Tensor& g) { Op::backward(c, g); })
      info.backward = [](const Call& c, std::span<const Tensor> g, Grads& r) {
        if (g[0].defined()) r = Op::backward(c, g[0]);
      };
    else if constexpr (requires(const Call& c, std::span<const Tensor> g) { Op::backward(c, g); })
      info.backward = [](const Call& c, std::span<const Tensor> g, Grads& r) { r = Op::backward(c, g); };
    info.forward = reinterpret_cast<const void*>(&Op::forward);
    info.invoke = &F::invoke;
    register_op(&info);
  }
};

/// Another name of a registered op: `const Alias<AbsOp> absolute_op("absolute");` after its Register.
template <class Op>
struct Alias {
  explicit Alias(std::string_view name) {
    const OpInfo& op = Register<Op>::info;
    auto* info = new OpInfo(op);  // lives as long as the registry
    auto* text = new std::string(std::string(name) + std::string(op.schema.overload.empty() ? "" : ".") +
                                 std::string(op.schema.overload) + std::string(op.schema.text.substr(op.schema.text.find('('))));
    info->schema = schema::parse(*text);
    register_op(info);
  }
};

/// The name in Op's schema, as a C string.
template <class Op>
struct NameOf {
  static constexpr auto text = [] {
    std::array<char, 64> a{};
    const std::string_view n = schema::parse(Op::schema).name;
    for (size_t i = 0; i < n.size(); ++i) a[i] = n[i];
    return a;
  }();
};
template <class Op>
constexpr const char* op_name() { return NameOf<Op>::text.data(); }

/// The door for typed C++ calls: `Tensor relu(const Tensor& self) { return call<Relu>(self); }`.
template <class Op, class... A>
auto call(const A&... args) {
  using F = typename Register<Op>::F;
  using R = typename F::Return;
  const OpInfo& op = Register<Op>::info;
  constexpr bool writes_self = schema::parse(Op::schema).name.ends_with('_');
  if (!writes_self && plain(op, (detail::requires_grad(args) || ...))) [[likely]] {
    if constexpr (F::kSkip) return Op::forward(Out{}, args...);
    else return Op::forward(args...);
  }
  const Value v[] = {box(args)..., Value()};
  Result r = call_boxed(op, v);
  return take<R>(r);
}
/// The in-place form of a functional op: writes the first argument.
template <class Op, class... A>
const Tensor& call_(const Tensor& self, const A&... args) {
  const Value v[] = {box(self), box(args)...};
  call_boxed(Register<Op>::info, v, Out{&self, true});
  return self;
}

}  // namespace bolide
