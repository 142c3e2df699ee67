// Map: promotion of operand lists | broadcasting | checks of devices and overlap | the output | merging dimensions
#include "iter/plan.h"

#include <algorithm>

#include "bolide/ops.h"

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

namespace {

/// Where a tensor's memory begins and ends, when it is one block without holes.
struct Extent { const char *begin, *end; };
std::optional<Extent> extent(const Tensor& t) {
  if (t.is_contiguous()) return Extent{t.raw(), t.raw() + t.numel() * t.itemsize()};
  int64_t reach = 1;
  for (size_t i = 0; i < t.sizes().size(); ++i) reach += (t.sizes()[i] - 1) * t.strides()[i];
  if (reach != t.numel()) return {};
  return Extent{t.raw(), t.raw() + reach * t.itemsize()};
}

}  // namespace

void check_no_partial_overlap(const Tensor& target, const Tensor& input) {
  if (target.storage() == input.storage() && !target.is_same(input) && target.numel() && input.numel() && !target.device().is_meta()) {
    const auto a = extent(target), b = extent(input);
    if (!a || !b || a->begin >= b->end || b->begin >= a->end) return;
    BOLIDE_CHECK(a->begin == b->begin && a->end == b->end && target.strides() == input.strides(),
                 "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
                 "location. Please clone() the tensor before performing the operation.");
  }
}

Plan::Plan(const char* op, Out out, DType result, std::span<const Operand> inputs) : in_(inputs) {
  bool first = true;
  for (const Operand& o : inputs) {
    if (!o.tensor) continue;
    if (first) shape_ = o.tensor->sizes();
    else if (!(shape_ == o.tensor->sizes())) shape_ = broadcast(shape_, o.tensor->sizes());
    first = false;
  }
  if (out.in_place || first) {  // inputs broadcast to what is written
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
    for (const Operand& o : in_) {
      if (!o.tensor || (o.tensor->dim() == 0 && o.tensor->device().is_cpu())) continue;
      BOLIDE_CHECK(o.tensor->device() == output.device(), "Expected all tensors to be on the same device, but found at least two "
                   "devices, ", output.device(), " and ", o.tensor->device(), "! (in ", op, ")");
    }
    if (!(output.sizes() == shape_)) {
      BOLIDE_CHECK(!out.in_place, "output with shape ", output.sizes(), " doesn't match the broadcast shape ", shape_);
      resize_(output, shape_);
    }
    check_no_internal_overlap(output);
    for (const Operand& o : in_)
      if (o.tensor) check_no_partial_overlap(output, *o.tensor);
    return;
  }
  Device device;
  bool contiguous = true, like = false;
  for (const Operand& o : in_) {
    if (!o.tensor) continue;
    if (!(o.tensor->dim() == 0 && o.tensor->device().is_cpu())) device = o.tensor->device();
    like |= o.tensor->sizes() == shape_;
    contiguous &= o.tensor->is_contiguous();
  }
  if (contiguous || !like || shape_.size() < 2) output = Tensor::make(shape_, result, device);
  else output = Tensor::make_strided(shape_, strides_like_inputs(), result, device);
}

/// Dimensions in the order of the inputs' strides, dense in that order.
Dims Plan::strides_like_inputs() const {
  const size_t n = shape_.size();
  auto slower = [&](size_t a, size_t b) {  // 1: a is slower than b, -1: faster, 0: no opinion
    for (const Operand& o : in_) {
      if (!o.tensor) continue;
      const size_t off = n - o.tensor->sizes().size();
      const int64_t sa = a >= off ? o.tensor->strides()[a - off] : 0, sb = b >= off ? o.tensor->strides()[b - off] : 0;
      if (sa == 0 || sb == 0) continue;
      if (sa != sb) return sa > sb ? 1 : -1;
      if (shape_[a] > shape_[b]) return 1;
    }
    return 0;
  };
  size_t order[kMaxDims];
  for (size_t i = 0; i < n; ++i) order[i] = n - 1 - i;  // fastest first
  for (size_t i = 1; i < n; ++i)
    for (size_t j = i; j > 0; --j) {
      const int c = slower(order[j - 1], order[j]);
      if (c > 0) std::swap(order[j - 1], order[j]);
      else if (c < 0) break;
    }
  Dims strides(n, 1);
  int64_t step = 1;
  for (size_t i = 0; i < n; ++i) {
    strides[order[i]] = step;
    step *= std::max<int64_t>(shape_[order[i]], 1);
  }
  return strides;
}

void Plan::lay_out(const DType* reads) {
  const size_t n = shape_.size();
  ndim = static_cast<int>(n);
  count = static_cast<int>(in_.size()) + 1;
  for (size_t d = 0; d < n; ++d) size[n - 1 - d] = shape_[d];
  auto set = [&](int k, const Tensor& t) {
    const int64_t item = t.itemsize();
    const size_t off = n - t.sizes().size();
    for (size_t d = 0; d < n; ++d) {
      const bool there = d >= off && t.sizes()[d - off] != 1;
      stride[n - 1 - d][k] = there ? t.strides()[d - off] * item : 0;
    }
    base[k] = t.raw();
    dtype[k] = t.dtype();
    on_host[k] = t.dim() == 0 && t.device().is_cpu() && !output.device().is_cpu();
  };
  set(0, output);
  for (int k = 1; k < count; ++k) {
    const Operand& o = in_[static_cast<size_t>(k - 1)];
    if (o.tensor) {
      set(k, *o.tensor);
      continue;
    }
    for (size_t d = 0; d < n; ++d) stride[d][k] = 0;
    base[k] = number[k];
    dtype[k] = reads[k - 1];
    on_host[k] = true;
    store_scalar(dtype[k], number[k], o.number);
  }
  merge_dimensions();
}

/// Sorts by the output's strides, then merges neighbours that continue each other in every operand.
void Plan::merge_dimensions() {
  for (int i = 1; i < ndim; ++i)
    for (int j = i; j > 0 && stride[j - 1][0] > stride[j][0] && size[j] > 1; --j) {
      std::swap(size[j - 1], size[j]);
      std::swap_ranges(stride[j - 1], stride[j - 1] + count, stride[j]);
    }
  int last = 0;
  for (int d = 1; d < ndim; ++d) {
    bool merge = true;
    if (size[last] != 1 && size[d] != 1)
      for (int k = 0; k < count; ++k) merge &= stride[last][k] * size[last] == stride[d][k];
    if (!merge) ++last;
    if (!merge || size[last] == 1) {
      if (!merge) size[last] = size[d];
      else size[last] *= size[d];
      std::copy_n(stride[d], count, stride[last]);
    } else {
      size[last] *= size[d];
    }
  }
  ndim = last + 1;
  if (shape_.size() == 0) {
    size[0] = 1;
    std::fill_n(stride[0], count, 0);
  }
}

}  // namespace bolide::iter
