// Plan: building and walking. Also promotion of operand lists, broadcasting, element conversion.
#include "iter/plan.h"

#include <algorithm>

#include "bolide/ops.h"
#include "cpu/pool.h"

namespace bolide::iter {

DType result_type(std::span<const Operand> operands) {
  // groups: 0 tensors with dimensions, 1 zero-dimensional tensors, 2 numbers
  DType group[3];
  bool have[3] = {};
  for (const Operand& o : operands) {
    const int g = !o.tensor ? 2 : (*o.tensor)->has(TensorImpl::kWrappedNumber) ? 2 : o.tensor->dim() ? 0 : 1;
    const DType t = o.tensor ? o.tensor->dtype() : o.number.dtype();
    group[g] = have[g] ? promote(group[g], t) : t;
    have[g] = true;
  }
  auto combine = [](bool ha, DType hi, bool hb, DType lo) {
    if (!ha) return lo;
    if (!hb) return hi;
    const int ch = category(hi), cl = category(lo);
    if (ch == 3) return hi;
    if (ch == 2) return cl == 3 ? complex_of(hi) : hi;
    if (ch == 0 || cl >= 2) return promote(hi, lo);
    return hi;
  };
  const DType dz = combine(have[0], group[0], have[1], group[1]);
  return combine(have[0] || have[1], dz, have[2], group[2]);
}

Dims broadcast(IntList a, IntList b) {
  const size_t n = std::max(a.size(), b.size());
  Dims out;
  out.resize(n);
  for (size_t i = 0; i < n; ++i) {  // from the last dimension
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    BOLIDE_CHECK(x == y || x == 1 || y == 1, "The size of tensor a (", x, ") must match the size of tensor b (", y,
                 ") at non-singleton dimension ", n - 1 - i);
    out[n - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

void check_same_device(const char* op, std::span<const Operand> operands) {
  const Tensor* first = nullptr;
  for (const Operand& o : operands) {
    if (!o.tensor) continue;
    BOLIDE_CHECK_AS(TypeError, o.tensor->defined(), op, "(): a tensor is missing");
    if (o.tensor->dim() == 0 && o.tensor->device().is_cpu()) continue;
    if (first && !(first->device() == o.tensor->device()))
      fail("Expected all tensors to be on the same device, but found at least two devices, ", first->device(), " and ",
           o.tensor->device(), "! (in ", op, ")");
    first = o.tensor;
  }
}

void check_no_internal_overlap(const Tensor& t) {
  for (size_t i = 0; i < t.sizes().size(); ++i)
    BOLIDE_CHECK(t.sizes()[i] <= 1 || t.strides()[i] != 0, "unsupported operation: more than one element of the written-to tensor "
                 "refers to a single memory location. Please clone() the tensor before performing the operation.");
}

Plan::Plan(const char* op, Out out, DType result, std::span<const Operand> inputs) : in_(inputs) {
  bool first = true;
  for (const Operand& o : inputs) {
    if (!o.tensor) continue;
    if (first) shape_ = o.tensor->sizes();
    else if (!(shape_ == o.tensor->sizes())) shape_ = broadcast(shape_, o.tensor->sizes());
    first = false;
  }
  if (out.in_place) {  // inputs broadcast to what is written
    const Dims whole = broadcast(shape_, out.tensor->sizes());
    if (whole == out.tensor->sizes()) shape_ = whole;
  }
  BOLIDE_CHECK(shape_.size() <= kMaxDims, op, ": tensors of more than ", kMaxDims, " dimensions are not supported");
  check_same_device(op, inputs);
  choose_output(op, out, result);
}

void Plan::choose_output(const char* op, Out out, DType result) {
  if (out.tensor) {
    output = *out.tensor;
    BOLIDE_CHECK(can_cast(result, output.dtype()), "result type ", legacy_name(result),
                 " can't be cast to the desired output type ", legacy_name(output.dtype()));
    if (!(output.sizes() == shape_)) {
      BOLIDE_CHECK(!out.in_place, "output with shape ", output.sizes(), " doesn't match the broadcast shape ", shape_);
      resize_(output, shape_);
    }
    check_no_internal_overlap(output);
    return;
  }
  Device device;
  const Tensor* like = nullptr;
  bool contiguous = true;
  for (const Operand& o : in_) {
    if (!o.tensor) continue;
    if (!(o.tensor->dim() == 0 && o.tensor->device().is_cpu())) device = o.tensor->device();
    if (o.tensor->sizes() == shape_ && !like) like = o.tensor;
    contiguous &= o.tensor->is_contiguous();
  }
  (void)op;
  if (contiguous || !like || shape_.size() < 2) {
    output = Tensor::make(shape_, result, device);
    return;
  }
  // dimensions in the order of the inputs' strides, the output dense in that order
  const size_t n = shape_.size();
  int order[kMaxDims];
  for (size_t i = 0; i < n; ++i) order[i] = static_cast<int>(n - 1 - i);  // fastest first
  auto slower = [&](int a, int b) {  // 1: a is slower than b, -1: faster, 0: no opinion
    for (const Operand& o : in_) {
      if (!o.tensor) continue;
      const int off = static_cast<int>(n) - static_cast<int>(o.tensor->dim());
      const int64_t sa = a >= off ? o.tensor->strides()[static_cast<size_t>(a - off)] : 0;
      const int64_t sb = b >= off ? o.tensor->strides()[static_cast<size_t>(b - off)] : 0;
      if (sa == 0 || sb == 0) continue;
      if (sa != sb) return sa > sb ? 1 : -1;
      const int64_t za = shape_[static_cast<size_t>(a)], zb = shape_[static_cast<size_t>(b)];
      if (za > zb) return 1;
    }
    return 0;
  };
  for (size_t i = 1; i < n; ++i)
    for (size_t j = i; j > 0; --j) {
      const int c = slower(order[j - 1], order[j]);
      if (c > 0) std::swap(order[j - 1], order[j]);
      else if (c < 0) break;
    }
  Dims strides;
  strides.resize(n);
  int64_t step = 1;
  for (size_t i = 0; i < n; ++i) {
    strides[static_cast<size_t>(order[i])] = step;
    step *= std::max<int64_t>(shape_[static_cast<size_t>(order[i])], 1);
  }
  output = Tensor::make_strided(shape_, strides, result, device);
}

void Plan::layout() {
  const size_t n = shape_.size();
  ndim_ = static_cast<int>(n);
  count_ = static_cast<int>(in_.size()) + 1;
  for (size_t d = 0; d < n; ++d) size_[n - 1 - d] = shape_[d];  // dimension 0 is the fastest here
  auto set = [&](int k, const Tensor& t) {
    const int64_t item = t.itemsize();
    const size_t off = n - t.sizes().size();
    for (size_t d = 0; d < n; ++d) {
      const bool there = d >= off && t.sizes()[d - off] != 1;
      stride_[n - 1 - d][k] = there ? t.strides()[d - off] * item : 0;
    }
    base_[k] = t.raw();
    dtype_[k] = t.dtype();
  };
  set(0, output);
  for (int k = 1; k < count_; ++k) {
    const Operand& o = in_[static_cast<size_t>(k - 1)];
    if (o.tensor) {
      set(k, *o.tensor);
      continue;
    }
    for (size_t d = 0; d < n; ++d) stride_[d][k] = 0;
    base_[k] = number_[k];
  }
}

void Plan::coalesce() {
  // sort by the output's strides, then merge neighbours that continue each other in every operand
  for (int i = 1; i < ndim_; ++i)
    for (int j = i; j > 0 && stride_[j - 1][0] > stride_[j][0] && size_[j] > 1; --j) {
      std::swap(size_[j - 1], size_[j]);
      std::swap_ranges(stride_[j - 1], stride_[j - 1] + count_, stride_[j]);
    }
  int last = 0;
  for (int d = 1; d < ndim_; ++d) {
    bool merge = true;
    if (size_[last] != 1 && size_[d] != 1)
      for (int k = 0; k < count_; ++k) merge &= stride_[last][k] * size_[last] == stride_[d][k];
    if (merge) {
      if (size_[last] == 1) std::copy_n(stride_[d], count_, stride_[last]);
      size_[last] *= size_[d];
    } else {
      ++last;
      size_[last] = size_[d];
      std::copy_n(stride_[d], count_, stride_[last]);
    }
  }
  ndim_ = ndim_ ? last + 1 : 0;
  if (ndim_ == 0) {
    ndim_ = 1;
    size_[0] = 1;
    for (int k = 0; k < count_; ++k) stride_[0][k] = 0;
  }
}

void Plan::run(Loop loop, const void* f, DType written, DType compute) {
  if (output.device().is_meta() || output.numel() == 0) return;
  layout();
  bool convert = output.dtype() != written;
  for (int k = 1; k < count_; ++k) {
    if (!in_[static_cast<size_t>(k - 1)].tensor) {
      store_scalar(compute, number_[k], in_[static_cast<size_t>(k - 1)].number);
      dtype_[k] = compute;
    }
    convert |= dtype_[k] != compute;
  }
  coalesce();
  int64_t outer = 1;
  for (int d = 1; d < ndim_; ++d) outer *= size_[d];
  constexpr int64_t kGrain = 32768;
  if (outer == 1) {
    parallel_for(0, size_[0], kGrain, [&](int64_t b, int64_t e) {
      char* p[kMaxOperands];
      for (int k = 0; k < count_; ++k) p[k] = base_[k] + b * stride_[0][k];
      inner(loop, f, p, e - b, convert, written, compute);
    });
    return;
  }
  parallel_for(0, outer, std::max<int64_t>(1, kGrain / size_[0]),
               [&](int64_t b, int64_t e) { walk(loop, f, b, e, convert, written, compute); });
}

void Plan::walk(Loop loop, const void* f, int64_t begin, int64_t end, bool conv, DType written, DType compute) const {
  int64_t index[kMaxDims];
  char* p[kMaxOperands];
  std::copy_n(base_, count_, p);
  int64_t rest = begin;
  for (int d = 1; d < ndim_; ++d) {
    index[d] = rest % size_[d];
    rest /= size_[d];
    for (int k = 0; k < count_; ++k) p[k] += index[d] * stride_[d][k];
  }
  for (int64_t i = begin; i < end; ++i) {
    inner(loop, f, p, size_[0], conv, written, compute);
    for (int d = 1; d < ndim_; ++d) {
      for (int k = 0; k < count_; ++k) p[k] += stride_[d][k];
      if (++index[d] < size_[d]) break;
      for (int k = 0; k < count_; ++k) p[k] -= size_[d] * stride_[d][k];
      index[d] = 0;
    }
  }
}

void Plan::inner(Loop loop, const void* f, char* const* p, int64_t n, bool conv, DType written, DType compute) const {
  if (!conv) {
    loop(p, stride_[0], n, f);
    return;
  }
  // operands of other dtypes pass through blocks that stay in the first-level cache
  constexpr int64_t kBlock = 256;
  alignas(64) char buffer[kMaxOperands][kBlock * 16];
  const int64_t item = item_size(compute), out_item = item_size(written);
  for (int64_t b = 0; b < n; b += kBlock) {
    const int64_t m = std::min(kBlock, n - b);
    char* q[kMaxOperands];
    int64_t s[kMaxOperands];
    for (int k = 1; k < count_; ++k) {
      char* src = p[k] + b * stride_[0][k];
      if (dtype_[k] == compute) {
        q[k] = src, s[k] = stride_[0][k];
      } else {
        const bool same = stride_[0][k] == 0;
        convert(compute, buffer[k], item, dtype_[k], src, stride_[0][k], same ? 1 : m);
        q[k] = buffer[k], s[k] = same ? 0 : item;
      }
    }
    char* dst = p[0] + b * stride_[0][0];
    if (dtype_[0] == written) {
      q[0] = dst, s[0] = stride_[0][0];
      loop(q, s, m, f);
    } else {
      q[0] = buffer[0], s[0] = out_item;
      loop(q, s, m, f);
      convert(dtype_[0], dst, stride_[0][0], written, buffer[0], out_item, m);
    }
  }
}

}  // namespace bolide::iter
