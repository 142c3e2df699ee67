// Sums, means, products, extremes and their positions, all/any, variance.
#include <cmath>

#include "iter/reduce.h"
#include "ops/unary.h"

namespace bolide {

namespace {

using iter::ReducePlan;
template <class T> using Accumulator = std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float,
    std::conditional_t<std::is_integral_v<T>, int64_t, T>>;

/// Sum of a run in eight lanes, blocks of 512 added up apart: the error grows with the blocks, not the elements.
template <class A, class T>
A sum_run(const T* p, int64_t n, int64_t stride) {
  A total = A(0);
  for (int64_t b = 0; b < n; b += 512) {
    const int64_t m = std::min<int64_t>(512, n - b);
    const T* q = p + b * stride;
    A lane[8] = {};
    int64_t i = 0;
    if (stride == 1)
      for (; i + 8 <= m; i += 8)
        for (int k = 0; k < 8; ++k) lane[k] += A(q[i + k]);
    for (; i < m; ++i) lane[0] += A(q[i * stride]);
    total += ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
  }
  return total;
}

template <class T, class R, class F>
void each_result(const ReducePlan& p, const Tensor& self, const Tensor& out, F&& one) {
  const T* base = self.data<T>();
  R* o = out.data<R>();
  const bool dense = out.is_contiguous();
  BOLIDE_CHECK(dense, "reductions write contiguous outputs only");
  parallel_for(0, p.results, std::max<int64_t>(1, 16384 / std::max<int64_t>(p.count, 1)), [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) o[i] = one(base + p.offset(i));
  });
}

template <class R, class A>
void store(const Tensor& r, A v) {
  if (r.dtype() == dtype_of<R>) *r.data<R>() = static_cast<R>(v);
  else iter::convert(r.dtype(), r.raw(), 0, dtype_of<A>, reinterpret_cast<const char*>(&v), 0, 1);
}

Tensor sum_impl(const char* op, Out out, const Tensor& self, std::optional<IntList> dims, bool keepdim, OptDType dtype) {
  const bool whole = !is_differentiable(self.dtype());
  const DType t = dtype ? *dtype : out.tensor && !whole ? out.tensor->dtype() : whole ? DType::Int64 : self.dtype();
  const Tensor x = (dtype && self.dtype() != t) ? cast(self, t) : self;
  const ReducePlan p(x, dims, keepdim);
  Tensor r = iter::reduce_output(op, out, p.out_sizes, t, x.device());
  if (r.device().is_meta() || !r.numel()) return r;
  dispatch<AllTypes>(op, x.dtype(), [&]<class T>(Tag<T>) {
    using A = Accumulator<T>;
    using R = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
    if (p.results == 1 && p.reduced_sizes.size() == 1 && p.count > 32768 && p.reduced_strides[0] == 1) {
      const int64_t chunk = 16384, n = (p.count + chunk - 1) / chunk;
      std::vector<A> part(static_cast<size_t>(n));
      parallel_for(0, n, 1, [&](int64_t b, int64_t e) {
        for (int64_t i = b; i < e; ++i) part[static_cast<size_t>(i)] = sum_run<A>(x.data<T>() + i * chunk, std::min(chunk, p.count - i * chunk), 1);
      });
      store<R>(r, sum_run<A>(part.data(), n, 1));
      return;
    }
    auto one = [&](const T* q) {
      A total = A(0);
      iter::for_runs(p, q, [&](const T* run, int64_t n, int64_t stride) { total += sum_run<A>(run, n, stride); });
      return total;
    };
    if (r.dtype() == dtype_of<R>) each_result<T, R>(p, x, r, [&](const T* q) { return static_cast<R>(one(q)); });
    else {  // bools summed into another integer type
      const Tensor wide = Tensor::make(p.out_sizes, dtype_of<R>);
      each_result<T, R>(p, x, wide, [&](const T* q) { return static_cast<R>(one(q)); });
      copy_(r, wide);
    }
  });
  return r;
}

/// Puts back the dimensions a reduction took, so that the gradient broadcasts.
Tensor restore(const Call& c, Tensor g, std::optional<IntList> dims, bool keepdim) {
  const int64_t n = static_cast<int64_t>(c.sizes(0).size());
  if (n == 0) return g;
  if (!keepdim && dims && !dims->empty()) {
    std::vector<int64_t> at;
    for (int64_t d : *dims) at.push_back(wrap_dim(d, n));
    std::sort(at.begin(), at.end());
    for (int64_t d : at) g = unsqueeze(g, d);
  }
  return expand(g, c.sizes(0));
}

}  // namespace

struct Sum {
  static constexpr auto schema = "sum(Tensor self, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(Out out, const Tensor& self, OptDType dtype) { return sum_impl("sum", out, self, {}, false, dtype); }
  static Grads backward(const Call& c, const Tensor& g) { return restore(c, g, {}, false); }
};
Tensor sum(const Tensor& self, OptDType dtype) { return call<Sum>(self, dtype); }
const Register<Sum> sum_op;

struct SumDim {
  static constexpr auto schema = "sum.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "SumBackward1";
  static Tensor forward(Out out, const Tensor& self, std::optional<IntList> dim, bool keepdim, OptDType dtype) {
    return sum_impl("sum", out, self, dim, keepdim, dtype);
  }
  static Grads backward(const Call& c, const Tensor& g) { return restore(c, g, c.value<std::optional<IntList>>(1), c.flag(2)); }
};
Tensor sum(const Tensor& self, std::optional<IntList> dim, bool keepdim, OptDType dtype) { return call<SumDim>(self, dim, keepdim, dtype); }
const Register<SumDim> sum_dim_op;

struct SumToSize {
  static constexpr auto schema = "sum_to_size(Tensor self, int[] size) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kMethod;
  static Tensor forward(const Tensor& self, IntList size) {
    if (IntList(self.sizes()) == size) return self;
    const int64_t extra = self.dim() - static_cast<int64_t>(size.size());
    bool ok = extra >= 0;
    std::vector<int64_t> dims;
    for (int64_t d = 0; ok && d < self.dim(); ++d) {
      if (d < extra) dims.push_back(d);
      else if (size[static_cast<size_t>(d - extra)] == 1 && self.size(d) != 1) dims.push_back(d);
      else ok = size[static_cast<size_t>(d - extra)] == self.size(d);
    }
    BOLIDE_CHECK(ok, "size {", size, "} is not expandable to size {", self.sizes(), "}.");
    Tensor r = dims.empty() ? self : sum(self, IntList(dims), true);
    return extra ? reshape(r, size) : r;
  }
};
Tensor sum_to_size(const Tensor& self, IntList size) { return SumToSize::forward(self, size); }
const Register<SumToSize> sum_to_size_op;

namespace {
void div_in_place(const Tensor& t, double by) {
  dispatch<Join<Floats, Complexes>>("mean", t.dtype(), [&]<class T>(Tag<T>) {
    if (t.device().is_meta()) return;
    T* p = t.data<T>();
    for (int64_t i = 0; i < t.numel(); ++i) p[i] /= T(by);
  });
}

Tensor mean_impl(Out out, const Tensor& self, std::optional<IntList> dims, bool keepdim, OptDType dtype) {
  const DType t = dtype ? *dtype : self.dtype();
  BOLIDE_CHECK(is_differentiable(t), "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
               "Got: ", legacy_name(self.dtype()));
  const ReducePlan p(self, dims, keepdim);
  // halves: the sum stays in float until it has been divided
  const DType wide = is_half(t) ? DType::Float32 : t;
  const Tensor total = sum_impl("mean", wide == t ? out : Out{}, cast(self, wide), dims, keepdim, {});
  div_in_place(total, static_cast<double>(p.count));
  if (wide == t) return total;
  Tensor r = iter::reduce_output("mean", out, p.out_sizes, t, self.device());
  copy_(r, total);
  return r;
}
}  // namespace

struct Mean {
  static constexpr auto schema = "mean(Tensor self, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(Out out, const Tensor& self, OptDType dtype) { return mean_impl(out, self, {}, false, dtype); }
  static Grads backward(const Call& c, const Tensor& g) {
    return div(restore(c, g, {}, false), static_cast<double>(checked_numel(c.sizes(0))));
  }
};
Tensor mean(const Tensor& self, OptDType dtype) { return call<Mean>(self, dtype); }
const Register<Mean> mean_op;

struct MeanDim {
  static constexpr auto schema = "mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "MeanBackward1";
  static Tensor forward(Out out, const Tensor& self, std::optional<IntList> dim, bool keepdim, OptDType dtype) {
    return mean_impl(out, self, dim, keepdim, dtype);
  }
  static Grads backward(const Call& c, const Tensor& g) {
    const double n = static_cast<double>(checked_numel(c.sizes(0))) / static_cast<double>(std::max<int64_t>(g.numel(), 1));
    return div(restore(c, g, c.value<std::optional<IntList>>(1), c.flag(2)), n);
  }
};
Tensor mean(const Tensor& self, std::optional<IntList> dim, bool keepdim, OptDType dtype) { return call<MeanDim>(self, dim, keepdim, dtype); }
const Register<MeanDim> mean_dim_op;

// ---- extremes --------------------------------------------------------------------------------

namespace {
template <class T> auto float_of(T v) { if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) return float(v); else return v; }
template <class T, bool Max>
bool better(T a, T b) {  // a replaces b; NaN wins once
  if constexpr (std::is_integral_v<T>) return Max ? a > b : a < b;
  else return (Max ? float_of(a) > float_of(b) : float_of(a) < float_of(b)) || (fn::is_nan(float_of(a)) && !fn::is_nan(float_of(b)));
}
template <bool Max>
Tensor extreme(const char* op, Out out, const Tensor& self, std::optional<IntList> dims, bool keepdim) {
  const ReducePlan p(self, dims, keepdim);
  BOLIDE_CHECK_AS(IndexError, p.count || !p.results, op, "(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                  "reduction dim with the 'dim' argument.");
  Tensor r = iter::reduce_output(op, out, p.out_sizes, self.dtype(), self.device());
  if (r.device().is_meta() || !r.numel()) return r;
  dispatch<RealTypes>(op, self.dtype(), [&]<class T>(Tag<T>) {
    each_result<T, T>(p, self, r, [&](const T* q) {
      T best = *q;
      iter::for_runs(p, q, [&](const T* run, int64_t n, int64_t stride) {
        for (int64_t i = 0; i < n; ++i) if (better<T, Max>(run[i * stride], best)) best = run[i * stride];
      });
      return best;
    });
  });
  return r;
}
template <bool Max>
void extreme_index(const char* op, const Tensor& self, std::optional<int64_t> dim, bool keepdim, Tensor& values, Tensor& indices) {
  Tensor flat = dim ? self : reshape(self, {-1});
  if (!dim) BOLIDE_CHECK_AS(IndexError, self.numel(), op, "(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.");
  const int64_t d = dim ? wrap_dim(*dim, self.dim()) : 0;
  const ReducePlan p(flat, flat.dim() ? std::optional<IntList>(IntList(&d, 1)) : std::nullopt, keepdim && dim);
  BOLIDE_CHECK_AS(IndexError, p.count || !p.results, op, "(): Expected reduction dim ", d, " to have non-zero size.");
  if (!values.defined()) values = Tensor::make(p.out_sizes, self.dtype(), self.device());
  if (!indices.defined()) indices = Tensor::make(p.out_sizes, DType::Int64, self.device());
  if (self.device().is_meta() || !p.results) return;
  dispatch<RealTypes>(op, self.dtype(), [&]<class T>(Tag<T>) {
    int64_t* at = indices.data<int64_t>();
    const T* base = flat.data<T>();
    each_result<T, T>(p, flat, values, [&](const T* q) {
      T best = *q;
      int64_t where = 0, k = 0;
      iter::for_runs(p, q, [&](const T* run, int64_t n, int64_t stride) {
        for (int64_t i = 0; i < n; ++i, ++k) if (better<T, Max>(run[i * stride], best)) best = run[i * stride], where = k;
      });
      (void)base, (void)at;
      return best;
    });
    parallel_for(0, p.results, std::max<int64_t>(1, 16384 / p.count), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        const T* q = base + p.offset(i);
        T best = *q;
        int64_t where = 0;
        const int64_t stride = p.reduced_strides.empty() ? 0 : p.reduced_strides[0];
        for (int64_t k = 1; k < p.count; ++k) if (better<T, Max>(q[k * stride], best)) best = q[k * stride], where = k;
        at[i] = where;
      }
    });
  });
}
/// Gradient of values picked along a dimension.
Tensor index_backward(const Call& c, const Tensor& g, const Tensor& indices, int64_t dim, bool keepdim) {
  const Tensor zero = zeros(c.sizes(0), g.dtype(), g.device());
  if (c.sizes(0).empty()) return g;
  return scatter_add(zero, dim, keepdim ? indices : unsqueeze(indices, dim), keepdim ? g : unsqueeze(g, dim));
}
/// Gradient of extremes: shared evenly among the places that tie.
Tensor even_backward(const Call& c, const Tensor& g, std::optional<IntList> dims, bool keepdim) {
  const Tensor x = c.in(0), hit = eq(x, restore(c, c.out(), dims, keepdim));
  const Tensor n = dims && !dims->empty() ? sum(hit, dims, true) : sum(hit);
  return div(mul(restore(c, g, dims, keepdim), hit), n);
}
}  // namespace

struct Amax {
  static constexpr auto schema = "amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(Out out, const Tensor& self, IntList dim, bool keepdim) { return extreme<true>("amax", out, self, dim, keepdim); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return even_backward(c, g, c.ints(1), c.flag(2)); }
};
Tensor amax(const Tensor& self, IntList dim, bool keepdim) { return call<Amax>(self, dim, keepdim); }
const Register<Amax> amax_op;
struct Amin {
  static constexpr auto schema = "amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static Tensor forward(Out out, const Tensor& self, IntList dim, bool keepdim) { return extreme<false>("amin", out, self, dim, keepdim); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return even_backward(c, g, c.ints(1), c.flag(2)); }
};
Tensor amin(const Tensor& self, IntList dim, bool keepdim) { return call<Amin>(self, dim, keepdim); }
const Register<Amin> amin_op;

struct MaxAll {
  static constexpr auto schema = "max(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "MaxBackward1";
  static Tensor forward(Out out, const Tensor& self) { return extreme<true>("max", out, self, {}, false); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return even_backward(c, g, {}, false); }
};
const Register<MaxAll> max_all_op;
struct MaxDim {
  static constexpr auto schema = "max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static std::tuple<Tensor, Tensor> forward(const Tensor& self, int64_t dim, bool keepdim) {
    Tensor v, i;
    extreme_index<true>("max", self, dim, keepdim, v, i);
    return {v, i};
  }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return index_backward(c, g, c.out(1), c.integer(1), c.flag(2)); }
};
std::tuple<Tensor, Tensor> max(const Tensor& self, int64_t dim, bool keepdim) { return call<MaxDim>(self, dim, keepdim); }
const Register<MaxDim> max_dim_op;
struct MaxOther {
  static constexpr auto schema = "max.other(Tensor self, Tensor other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, const Tensor& other) { return maximum(self, other); }
};
const Register<MaxOther> max_other_op;
struct MinAll {
  static constexpr auto schema = "min(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr auto node = "MinBackward1";
  static Tensor forward(Out out, const Tensor& self) { return extreme<false>("min", out, self, {}, false); }
  static constexpr auto saved = saves(in<0>, out<0>);
  static Grads backward(const Call& c, const Tensor& g) { return even_backward(c, g, {}, false); }
};
const Register<MinAll> min_all_op;
struct MinDim {
  static constexpr auto schema = "min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)";
  static constexpr auto kind = Kind::Reduction;
  static std::tuple<Tensor, Tensor> forward(const Tensor& self, int64_t dim, bool keepdim) {
    Tensor v, i;
    extreme_index<false>("min", self, dim, keepdim, v, i);
    return {v, i};
  }
  static constexpr auto saved = saves(out<1>);
  static Grads backward(const Call& c, const Tensor& g) { return index_backward(c, g, c.out(1), c.integer(1), c.flag(2)); }
};
std::tuple<Tensor, Tensor> min(const Tensor& self, int64_t dim, bool keepdim) { return call<MinDim>(self, dim, keepdim); }
const Register<MinDim> min_dim_op;
struct MinOther {
  static constexpr auto schema = "min.other(Tensor self, Tensor other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& self, const Tensor& other) { return minimum(self, other); }
};
const Register<MinOther> min_other_op;

struct Argmax {
  static constexpr auto schema = "argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, std::optional<int64_t> dim, bool keepdim) {
    Tensor v, i;
    extreme_index<true>("argmax", self, dim, keepdim, v, i);
    return i;
  }
};
Tensor argmax(const Tensor& self, std::optional<int64_t> dim, bool keepdim) { return call<Argmax>(self, dim, keepdim); }
const Register<Argmax> argmax_op;
struct Argmin {
  static constexpr auto schema = "argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, std::optional<int64_t> dim, bool keepdim) {
    Tensor v, i;
    extreme_index<false>("argmin", self, dim, keepdim, v, i);
    return i;
  }
};
Tensor argmin(const Tensor& self, std::optional<int64_t> dim, bool keepdim) { return call<Argmin>(self, dim, keepdim); }
const Register<Argmin> argmin_op;

// ---- all, any --------------------------------------------------------------------------------

namespace {
template <bool All>
Tensor truth(const char* op, Out out, const Tensor& self, std::optional<IntList> dims, bool keepdim) {
  const ReducePlan p(self, dims, keepdim);
  Tensor r = iter::reduce_output(op, out, p.out_sizes, self.dtype() == DType::UInt8 ? DType::UInt8 : DType::Bool, self.device());
  if (r.device().is_meta() || !r.numel()) return r;
  dispatch<AllTypes>(op, self.dtype(), [&]<class T>(Tag<T>) {
    each_result<T, uint8_t>(p, self, r, [&](const T* q) {
      bool v = All;
      iter::for_runs(p, q, [&](const T* run, int64_t n, int64_t stride) {
        for (int64_t i = 0; i < n && v == All; ++i) v = run[i * stride] != T(0);
      });
      return static_cast<uint8_t>(v);
    });
  });
  return r;
}
}  // namespace

struct All {
  static constexpr auto schema = "all(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self) { return truth<true>("all", out, self, {}, false); }
};
Tensor all(const Tensor& self) { return call<All>(self); }
const Register<All> all_op;
struct AllDim {
  static constexpr auto schema = "all.dim(Tensor self, int[1]? dim, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self, std::optional<IntList> dim, bool keepdim) { return truth<true>("all", out, self, dim, keepdim); }
};
const Register<AllDim> all_dim_op;
struct Any {
  static constexpr auto schema = "any(Tensor self) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self) { return truth<false>("any", out, self, {}, false); }
};
Tensor any(const Tensor& self) { return call<Any>(self); }
const Register<Any> any_op;
struct AnyDim {
  static constexpr auto schema = "any.dim(Tensor self, int[1]? dim, bool keepdim=False) -> Tensor";
  static constexpr auto kind = Kind::Reduction;
  static constexpr bool differentiable = false;
  static Tensor forward(Out out, const Tensor& self, std::optional<IntList> dim, bool keepdim) { return truth<false>("any", out, self, dim, keepdim); }
};
const Register<AnyDim> any_dim_op;

Tensor Tensor::sum() const { return bolide::sum(*this); }
Tensor Tensor::sum(IntList dims, bool keepdim) const { return bolide::sum(*this, std::optional<IntList>(dims), keepdim); }
Tensor Tensor::mean() const { return bolide::mean(*this); }
Tensor Tensor::argmax(std::optional<int64_t> d, bool keepdim) const { return bolide::argmax(*this, d, keepdim); }

}  // namespace bolide
