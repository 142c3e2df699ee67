// Packed and padded sequences.
#include "bolide/nn/utils_rnn.h"

#include <algorithm>
#include <numeric>

#include "bolide/ops.h"

namespace bolide::nn::utils::rnn {
namespace {

std::vector<int64_t> numbers(const Tensor& t) {
  const Tensor whole = contiguous(bolide::to(t, DType::Int64, Device()));
  return {whole.data<int64_t>(), whole.data<int64_t>() + whole.numel()};
}
Tensor from_numbers(IntList v) {
  Tensor t = empty({static_cast<int64_t>(v.size())}, DType::Int64);
  std::copy(v.begin(), v.end(), t.data<int64_t>());
  return t;
}

}  // namespace

Tensor invert_permutation(const Tensor& permutation) {
  if (!permutation.defined()) return {};
  const auto p = numbers(permutation);
  std::vector<int64_t> inverse(p.size());
  for (size_t i = 0; i < p.size(); ++i) {
    BOLIDE_CHECK_AS(IndexError, p[i] >= 0 && static_cast<size_t>(p[i]) < p.size(), "invert_permutation: ", p[i], " is no position in ", p.size());
    inverse[static_cast<size_t>(p[i])] = static_cast<int64_t>(i);
  }
  return bolide::to(from_numbers(inverse), DType::Int64, permutation.device());
}

PackedSequence::PackedSequence(Tensor data, Tensor batch_sizes, Tensor sorted, Tensor unsorted)
    : data_(std::move(data)), batch_sizes_(std::move(batch_sizes)), sorted_(std::move(sorted)), unsorted_(std::move(unsorted)) {
  if (!unsorted_.defined()) unsorted_ = invert_permutation(sorted_);
  BOLIDE_CHECK_AS(ValueError, batch_sizes_.device().is_cpu(), "batch_sizes should always be on CPU. Instances of PackedSequence should never be "
                  "created manually.");
}
PackedSequence PackedSequence::to(Device device) const {
  const auto move = [&](const Tensor& t) { return t.defined() ? t.to(device) : t; };
  return PackedSequence(move(data_), batch_sizes_, move(sorted_), move(unsorted_));
}
PackedSequence PackedSequence::to(DType dtype) const { return PackedSequence(data_.to(dtype), batch_sizes_, sorted_, unsorted_); }

PackedSequence pack_padded_sequence(const Tensor& given, const Tensor& lengths, bool batch_first, bool enforce_sorted) {
  BOLIDE_CHECK(lengths.device().is_cpu(), "'lengths' argument should be a 1D CPU int64 tensor, but got a tensor on ", lengths.device());
  BOLIDE_CHECK(lengths.dim() == 1 && lengths.dtype() == DType::Int64, "'lengths' argument should be a 1D CPU int64 tensor, but got ", lengths.dim(),
               "D ", lengths.device(), " ", legacy_name(lengths.dtype()), " tensor");
  Tensor x = batch_first ? transpose(given, 0, 1) : given;
  auto n = numbers(lengths);
  BOLIDE_CHECK(x.numel() > 0, "Cannot pack empty tensors.");
  BOLIDE_CHECK(static_cast<int64_t>(n.size()) == x.size(1), "Expected `len(lengths)` to be equal to batch_size, but got ", n.size(), " (batch_size=", x.size(1), ")");
  for (const int64_t length : n)
    BOLIDE_CHECK(length > 0 && length <= x.size(0), "Length of all samples has to be greater than 0 and at most ", x.size(0), ", but found an element in 'lengths' that is ", length);
  Tensor sorted;
  if (!enforce_sorted) {
    std::vector<int64_t> order(n.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return n[static_cast<size_t>(a)] > n[static_cast<size_t>(b)]; });
    std::vector<int64_t> in_order;
    for (const int64_t i : order) in_order.push_back(n[static_cast<size_t>(i)]);
    n = std::move(in_order);
    sorted = bolide::to(from_numbers(order), DType::Int64, x.device());
    x = index_select(x, 1, sorted);
  }
  BOLIDE_CHECK(std::is_sorted(n.rbegin(), n.rend()), "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
               "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not need ONNX exportability.");
  // runs of steps with the same number of sequences are cut out at once
  std::vector<Tensor> steps;
  std::vector<int64_t> batch_sizes;
  for (int64_t t = 0, alive = static_cast<int64_t>(n.size()); alive > 0;) {
    const int64_t end = n[static_cast<size_t>(alive) - 1];
    if (end > t) {
      const Tensor run = narrow(narrow(x, 0, t, end - t), 1, 0, alive);
      Dims flat{(end - t) * alive};
      for (int64_t d = 2; d < x.dim(); ++d) flat.push_back(x.size(d));
      steps.push_back(reshape(run, flat));
      batch_sizes.insert(batch_sizes.end(), static_cast<size_t>(end - t), alive);
      t = end;
    }
    while (alive > 0 && n[static_cast<size_t>(alive) - 1] <= t) --alive;
  }
  return PackedSequence(cat(steps), from_numbers(batch_sizes), sorted);
}

std::tuple<Tensor, Tensor> pad_packed_sequence(const PackedSequence& s, bool batch_first, double padding_value, std::optional<int64_t> total_length) {
  const auto batch_sizes = numbers(s.batch_sizes());
  BOLIDE_CHECK(!batch_sizes.empty(), "pad_packed_sequence: the sequence is empty");
  const int64_t steps = static_cast<int64_t>(batch_sizes.size()), batch = batch_sizes[0], length = total_length.value_or(steps);
  BOLIDE_CHECK_AS(ValueError, length >= steps, "Expected total_length to be at least the length of the longest sequence in input, but got total_length=",
                  length, " and max sequence length being ", steps);
  // gather every step from the packed rows; missing places take one row of padding at the end
  const Tensor& data = s.data();
  Dims one = data.sizes();
  one[0] = 1;
  const Tensor rows = cat(std::array{data, full(one, padding_value, data.dtype(), data.device())});
  std::vector<int64_t> index, lengths(static_cast<size_t>(batch), 0);
  for (int64_t t = 0, at = 0; t < length; ++t) {
    const int64_t alive = t < steps ? batch_sizes[static_cast<size_t>(t)] : 0;
    for (int64_t b = 0; b < batch; ++b) {
      index.push_back(b < alive ? at + b : data.size(0));
      if (b < alive) ++lengths[static_cast<size_t>(b)];
    }
    at += alive;
  }
  Dims shape{length, batch};
  for (int64_t d = 1; d < data.dim(); ++d) shape.push_back(data.size(d));
  Tensor padded = reshape(index_select(rows, 0, bolide::to(from_numbers(index), DType::Int64, data.device())), shape);
  Tensor counts = from_numbers(lengths);
  if (s.unsorted_indices().defined()) {
    padded = index_select(padded, 1, s.unsorted_indices());
    counts = index_select(counts, 0, bolide::to(s.unsorted_indices(), DType::Int64, Device()));
  }
  return {batch_first ? transpose(padded, 0, 1) : padded, counts};
}

Tensor pad_sequence(TensorList sequences, bool batch_first, double padding_value, std::string_view side) {
  BOLIDE_CHECK(!sequences.empty(), "received an empty list of sequences");
  BOLIDE_CHECK(side == "left" || side == "right", "Expected padding_side to be one of left or right, but got ", side, ".");
  int64_t longest = 0;
  for (const Tensor& t : sequences) {
    BOLIDE_CHECK(t.dim() >= 1, "pad_sequence: a sequence has no dimension");
    longest = std::max(longest, t.size(0));
  }
  std::vector<Tensor> padded;
  for (const Tensor& t : sequences) {
    Dims rest = t.sizes();
    rest[0] = longest - t.size(0);
    if (rest[0] == 0) {
      padded.push_back(t);
      continue;
    }
    const Tensor fill = full(rest, padding_value, t.dtype(), t.device());
    padded.push_back(side == "left" ? cat(std::array{fill, t}) : cat(std::array{t, fill}));
  }
  return stack(padded, batch_first ? 0 : 1);
}

std::vector<Tensor> unpad_sequence(const Tensor& padded, const Tensor& lengths, bool batch_first) {
  const Tensor x = batch_first ? padded : transpose(padded, 0, 1);
  const auto n = numbers(lengths);
  BOLIDE_CHECK(static_cast<int64_t>(n.size()) == x.size(0), "unpad_sequence: ", n.size(), " lengths for ", x.size(0), " sequences");
  std::vector<Tensor> out;
  for (size_t i = 0; i < n.size(); ++i) out.push_back(narrow(x[static_cast<int64_t>(i)], 0, 0, n[i]));
  return out;
}

PackedSequence pack_sequence(TensorList sequences, bool enforce_sorted) {
  std::vector<int64_t> lengths;
  for (const Tensor& t : sequences) lengths.push_back(t.dim() ? t.size(0) : 0);
  return pack_padded_sequence(pad_sequence(sequences), from_numbers(lengths), false, enforce_sorted);
}

std::vector<Tensor> unpack_sequence(const PackedSequence& s) {
  const auto [padded, lengths] = pad_packed_sequence(s, true);
  return unpad_sequence(padded, lengths, true);
}

}  // namespace bolide::nn::utils::rnn
