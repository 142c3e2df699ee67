// Sequences of unequal length in one tensor: packed (no padding at all) or padded.
#pragma once
#include "bolide/tensor.h"

namespace bolide::nn::utils::rnn {

/// `data` holds all first elements, then all second ones, ...; `batch_sizes` how many there are of each. Sequences stand
/// longest first; the indices lead to that order and back.
class PackedSequence {
 public:
  PackedSequence() = default;
  explicit PackedSequence(Tensor data, Tensor batch_sizes, Tensor sorted_indices = {}, Tensor unsorted_indices = {});
  const Tensor& data() const { return data_; }
  const Tensor& batch_sizes() const { return batch_sizes_; }
  const Tensor& sorted_indices() const { return sorted_; }
  const Tensor& unsorted_indices() const { return unsorted_; }
  PackedSequence to(Device device) const;
  PackedSequence to(DType dtype) const;

 private:
  Tensor data_, batch_sizes_, sorted_, unsorted_;
};

/// Packs a padded (T, N, ...) tensor; `lengths` is int64 on the CPU. `enforce_sorted`: they must already decrease.
PackedSequence pack_padded_sequence(const Tensor& input, const Tensor& lengths, bool batch_first = false, bool enforce_sorted = true);
/// The padded tensor and the lengths.
std::tuple<Tensor, Tensor> pad_packed_sequence(const PackedSequence& sequence, bool batch_first = false, double padding_value = 0.0,
                                               std::optional<int64_t> total_length = {});
Tensor pad_sequence(TensorList sequences, bool batch_first = false, double padding_value = 0.0, std::string_view padding_side = "right");
std::vector<Tensor> unpad_sequence(const Tensor& padded, const Tensor& lengths, bool batch_first = false);
PackedSequence pack_sequence(TensorList sequences, bool enforce_sorted = true);
std::vector<Tensor> unpack_sequence(const PackedSequence& sequence);
/// The inverse of a permutation.
Tensor invert_permutation(const Tensor& permutation);

}  // namespace bolide::nn::utils::rnn
