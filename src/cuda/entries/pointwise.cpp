// Pointwise expressions, copies and fills: one text, compiled for each expression and combination of dtypes. And iota.
#include <cctype>
#include <cstring>
#include <unordered_set>

#include "cuda/entries/shared.h"
#include "iter/pointwise.h"

namespace bolide::cuda {

BOLIDE_KERNEL_TEXT(pointwise);
BOLIDE_KERNEL_TEXT(iota);

namespace {

constexpr int kThreads = 256, kMaxDims = 12;
struct Pointers { char* p[5]; };
struct Parameters { alignas(16) char bytes[96]; };
struct Numbers { alignas(16) char of[4][16]; };
struct Strides {
  int32_t dims;
  int64_t size[kMaxDims];
  int64_t stride[kMaxDims][5];
};
struct Args {
  Pointers pointers{};
  Parameters parameters{};
  Numbers numbers{};
  Strides strides{};
  int64_t n = 1;
};

enum Kind { kVector, kDense, kStrided };
const char* const kNames[] = {"pointwise_vector", "pointwise_dense", "pointwise_strided"};

std::string macros(const iter::Typed& t, const DType* stored, Kind kind) {
  std::string m = str("KIND=", static_cast<int>(kind), ";ARITY=", static_cast<int>(t.arity), ";COMPUTE=", type_name(t.compute),
                      ";WRITTEN=", type_name(t.written), ";OUT=", type_name(stored[0]));
  for (int k = 0; k < t.arity; ++k) m += str(";IN", k, "=", type_name(stored[k + 1]), ";READS", k, "=", type_name(t.reads[k]));
  return m;
}

/// How the operands lie: all of them one run (perhaps aligned for vectors), or strided.
Kind kind_of(const Args& a, const DType* stored, int count) {
  if (a.strides.dims > 1) return kStrided;
  const int64_t item = item_size(stored[0]);
  bool aligned = a.n % 4 == 0 && item * 4 <= 16;
  for (int k = 0; k < count; ++k) {
    const int64_t step = a.strides.stride[0][k];
    if (step == 0 && k) continue;
    if (step != item_size(stored[k])) return a.strides.dims <= 1 ? kDense : kStrided;
    aligned = aligned && item_size(stored[k]) == item && reinterpret_cast<uintptr_t>(a.pointers.p[k]) % static_cast<uintptr_t>(4 * item) == 0;
  }
  return aligned ? kVector : kDense;
}

/// Throws for an expression that calls a function which the device's prelude does not have.
void check_functions(const iter::Expression& e) {
  thread_local std::unordered_set<const char*> known;
  if (!known.insert(e.text).second) return;
  const std::string_view text = e.text, prelude = kernel_text("prelude").text();
  auto in_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t at = text.find("fn::"); at != text.npos; at = text.find("fn::", at + 4)) {
    size_t end = at + 4;
    while (end < text.size() && in_name(text[end])) ++end;
    const std::string_view name = text.substr(at + 4, end - at - 4);
    bool found = false;
    for (size_t p = prelude.find(name); p != prelude.npos && !found; p = prelude.find(name, p + 1))
      found = !in_name(prelude[p - 1]) && !in_name(prelude[p + name.size()]);
    if (found) continue;
    known.erase(e.text);
    fail<NotImplementedError>(e.op, "(): the function '", name, "' is not implemented for the 'cuda' device");
  }
}

void pointwise_entry(const iter::Plan& plan, const iter::Expression& e) {
  const iter::Typed& t = *e.typed;
  BOLIDE_CHECK(plan.ndim <= kMaxDims, e.op, "(): CUDA tensors of more than ", kMaxDims, " dimensions that cannot be merged are not supported");
  check_functions(e);
  Args a;
  a.strides.dims = plan.ndim;
  for (int d = 0; d < plan.ndim; ++d) {
    a.n *= a.strides.size[d] = plan.size[d];
    for (int k = 0; k < plan.count; ++k) a.strides.stride[d][k] = plan.on_host[k] ? 0 : plan.stride[d][k];
  }
  for (int k = 0; k < plan.count; ++k) {
    if (!plan.on_host[k]) a.pointers.p[k] = plan.base[k];
    else std::memcpy(a.numbers.of[k - 1], plan.base[k], static_cast<size_t>(item_size(plan.dtype[k])));
  }
  if (e.parameter_bytes) std::memcpy(a.parameters.bytes, e.parameters, static_cast<size_t>(e.parameter_bytes));
  const Kind kind = kind_of(a, plan.dtype, plan.count);
  const std::string extra = str("template <class T> struct Expression { ", e.text, " };");
  DeviceGuard guard(plan.output.device().index);
  const Function f = get_function(pointwise_text, kNames[kind], macros(t, plan.dtype, kind), extra);
  const int64_t work = kind == kVector ? a.n / 4 : a.n;
  launch(f, e.op, blocks(work, kThreads), {kThreads}, 0, a.pointers, a.numbers, a.parameters, a.n, a.strides);
}
/// What copies and fills run: the value as it is, converted on the way out.
void run_identity(const Tensor& dst, DType from, std::span<const Operand> in, const char* op) {
  const iter::Typed t{from, from, {from}, 1, {}};
  const iter::Expression e{op, "T operator()(T x) const { return x; }", &t, nullptr, 0};
  iter::Plan plan(dst, in);
  plan.lay_out(t.reads);
  pointwise_entry(plan, e);
}
void copy_entry(const Tensor& dst, const Tensor& src) {
  const Operand in[] = {src};
  if (dst.dtype() == src.dtype() && dst.is_contiguous() && src.is_contiguous()) {
    DeviceGuard guard(dst.device().index);
    check(driver().cuMemcpyDtoDAsync_v2(reinterpret_cast<Pointer>(dst.raw()), reinterpret_cast<Pointer>(src.raw()),
                                        static_cast<size_t>(dst.numel() * dst.itemsize()), current_stream().handle), "copy_");
    return;
  }
  run_identity(dst, src.dtype(), in, "copy_");
}
void fill_entry(const Tensor& self, const Scalar& value) {
  const Operand in[] = {value};
  if (self.is_contiguous() && value.equal(0) && !value.is_complex()) {
    DeviceGuard guard(self.device().index);
    check(driver().cuMemsetD8Async(reinterpret_cast<Pointer>(self.raw()), 0, static_cast<size_t>(self.numel() * self.itemsize()),
                                   current_stream().handle), "zero_");
    return;
  }
  run_identity(self, self.dtype(), in, "fill_");
}

void iota_entry(const Tensor& self) {
  DeviceGuard guard(self.device().index);
  launch(get_function(iota_text, "iota", ""), "arange", blocks(self.numel(), kThreads), {kThreads}, 0, self.data<int64_t>(), self.numel());
}

const Provide provide_iota(DeviceType::CUDA, &Kernels::iota, &iota_entry);
const Provide provide_copy(DeviceType::CUDA, &Kernels::copy, &copy_entry);
const Provide provide_fill(DeviceType::CUDA, &Kernels::fill, &fill_entry);
const Provide provide_pointwise(DeviceType::CUDA, &Kernels::pointwise, &pointwise_entry);

}  // namespace
}  // namespace bolide::cuda
