// Optimizer steps: the table of tensors goes up in one copy, the step is one launch.
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "cuda/allocator.h"
#include "cuda/entries/shared.h"

namespace bolide::cuda {

BOLIDE_KERNEL_TEXT(optimizer);

namespace {

struct Row {  // as in the text
  void *p = nullptr, *first = nullptr, *second = nullptr, *top = nullptr;
  const void* g = nullptr;
  int64_t n = 0;
  double correction1 = 1, correction2 = 1;
};
struct Piece { int64_t row, begin; };
constexpr int64_t kPiece = 65536;

/// Rows and pieces of the tensors of one dtype, in device memory. Page-locked staging keeps the copy asynchronous.
class Table {
 public:
  std::vector<Row> rows;
  void upload(int device) {
    for (size_t r = 0; r < rows.size(); ++r)
      for (int64_t b = 0; b < rows[r].n; b += kPiece) pieces_.push_back({static_cast<int64_t>(r), b});
    const size_t head = rows.size() * sizeof(Row), bytes = head + pieces_.size() * sizeof(Piece);
    memory_ = Tensor::make({static_cast<int64_t>(bytes)}, DType::UInt8, Device(DeviceType::CUDA, device));
    char* staged = static_cast<char*>(allocate_host(bytes));
    std::memcpy(staged, rows.data(), head);
    std::memcpy(staged + head, pieces_.data(), pieces_.size() * sizeof(Piece));
    const Stream s = current_stream();
    check(driver().cuMemcpyHtoDAsync_v2(reinterpret_cast<Pointer>(memory_.raw()), staged, bytes, s.handle), "optimizer table");
    record_host(staged, s);
    release_host(staged);
  }
  const void* device_rows() const { return memory_.raw(); }
  const void* device_pieces() const { return memory_.raw() + rows.size() * sizeof(Row); }
  Grid grid() const { return {static_cast<unsigned>(pieces_.size())}; }
  int64_t pieces() const { return static_cast<int64_t>(pieces_.size()); }

 private:
  std::vector<Piece> pieces_;
  Tensor memory_;
};

std::string macros(DType t) { return scalar_macros(t) + (is_half(t) ? ";HALF=1" : ";HALF=0"); }
void* at(TensorList column, size_t i) { return column.empty() ? nullptr : column[i].raw(); }

/// Calls f(dtype, table) for the tensors of each dtype.
template <class F>
void by_dtype(TensorList list, F&& f, auto&& row_of) {
  std::map<DType, Table> tables;
  for (size_t i = 0; i < list.size(); ++i)
    if (list[i].numel()) tables[list[i].dtype()].rows.push_back(row_of(i));
  for (auto& [t, table] : tables) {
    table.upload(list[0].device().index);
    f(t, table);
  }
}

struct AdamArgs {
  double lr, beta1, beta2, eps, weight_decay;
  int32_t decoupled, maximize;
  int64_t piece;
};
void adam_entry(TensorList p, TensorList g, TensorList first, TensorList second, TensorList max_second, std::span<const double> steps,
                const Kernels::Adam& s) {
  if (p.empty()) return;
  DeviceGuard guard(p[0].device().index);
  const AdamArgs args{s.lr, s.beta1, s.beta2, s.eps, s.weight_decay, s.decoupled, s.maximize, kPiece};
  by_dtype(p, [&](DType t, const Table& table) {
    launch(get_function(optimizer_text, "adam", macros(t)), "adam", table.grid(), {256}, 0, table.device_rows(), table.device_pieces(), args);
  }, [&](size_t i) {
    return Row{at(p, i), at(first, i), at(second, i), at(max_second, i), at(g, i), p[i].numel(), 1 - std::pow(s.beta1, steps[i]),
               1 - std::pow(s.beta2, steps[i])};
  });
}

struct SgdArgs {
  double lr, momentum, dampening, weight_decay;
  int32_t nesterov, maximize, fresh;
  int64_t piece;
};
void sgd_entry(TensorList p, TensorList g, TensorList buffers, const Kernels::Sgd& s) {
  if (p.empty()) return;
  DeviceGuard guard(p[0].device().index);
  const SgdArgs args{s.lr, s.momentum, s.dampening, s.weight_decay, s.nesterov, s.maximize, s.first, kPiece};
  by_dtype(p, [&](DType t, const Table& table) {
    launch(get_function(optimizer_text, "sgd", macros(t)), "sgd", table.grid(), {256}, 0, table.device_rows(), table.device_pieces(), args);
  }, [&](size_t i) { return Row{at(p, i), at(buffers, i), nullptr, nullptr, at(g, i), p[i].numel()}; });
}

void sums_entry(TensorList x, const Tensor& sums) {
  if (x.empty()) return;
  DeviceGuard guard(x[0].device().index);
  kernels(sums).fill(sums, 0);
  std::map<DType, std::vector<size_t>> places;
  for (size_t i = 0; i < x.size(); ++i)
    if (x[i].numel()) places[x[i].dtype()].push_back(i);
  BOLIDE_CHECK(places.size() <= 1, "norms over tensors of several dtypes at once are not supported on CUDA");
  Table table;
  for (size_t i = 0; i < x.size(); ++i) table.rows.push_back({nullptr, nullptr, nullptr, nullptr, x[i].raw(), x[i].numel()});
  table.upload(x[0].device().index);
  if (!table.pieces()) return;
  const Tensor partial = Tensor::make({table.pieces()}, DType::Float64, sums.device());
  const std::string m = macros(x[0].dtype());
  launch(get_function(optimizer_text, "squares", m), "norm", table.grid(), {256}, 0, table.device_rows(), table.device_pieces(), kPiece,
         partial.raw());
  const auto rows = static_cast<int64_t>(x.size());
  launch(get_function(optimizer_text, "add_squares", m), "norm", blocks(rows, 128), {128}, 0, table.device_pieces(), table.pieces(),
         static_cast<const void*>(partial.raw()), rows, sums.raw());
}

const Provide provide_adam(DeviceType::CUDA, &Kernels::adam, &adam_entry);
const Provide provide_sgd(DeviceType::CUDA, &Kernels::sgd, &sgd_entry);
const Provide provide_sums(DeviceType::CUDA, &Kernels::sums_of_squares, &sums_entry);

}  // namespace
}  // namespace bolide::cuda
