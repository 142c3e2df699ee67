// TensorDataset, MNIST, random splits, IDX files.
#include <cstring>
#include <filesystem>
#include <numeric>

#include "bolide/data.h"
#include "core/named_op.h"
#include "io/idx.h"

namespace bolide::data {

namespace datasets {

TensorDataset::TensorDataset(Tensor data, Tensor target) : data_(std::move(data)), target_(std::move(target)) {
  BOLIDE_CHECK(data_.defined() && data_.dim() > 0, "TensorDataset needs a tensor with at least one dimension");
  BOLIDE_CHECK(!target_.defined() || (target_.dim() > 0 && target_.size(0) == data_.size(0)), "Size mismatch between tensors");
}

Example<> TensorDataset::get(size_t index) const {
  const auto i = static_cast<int64_t>(index);
  return {data_[i], target_.defined() ? target_[i] : Tensor()};
}

Example<> TensorDataset::get_batch(std::span<const size_t> indices) {
  Tensor rows = empty({static_cast<int64_t>(indices.size())}, DType::Int64);
  std::copy(indices.begin(), indices.end(), rows.data<int64_t>());
  const auto pick = [&](const Tensor& t) { return t.defined() ? index_select(t, 0, rows) : t; };
  return {pick(data_), pick(target_)};
}

namespace {

std::string idx_path(const std::string& folder, const std::string& name) {
  const std::string plain = folder + "/" + name;
  return std::filesystem::exists(plain) ? plain : plain + ".gz";
}
std::pair<Tensor, Tensor> load_mnist(const std::string& folder, bool train) {
  const std::string part = train ? "train" : "t10k";
  const Tensor images = read_idx(idx_path(folder, part + "-images-idx3-ubyte")), labels = read_idx(idx_path(folder, part + "-labels-idx1-ubyte"));
  return {div(unsqueeze(images, 1).to(DType::Float32), 255), labels.to(DType::Int64)};
}

}  // namespace

MNIST::MNIST(const std::string& folder, Mode mode)
    : TensorDataset([&] {
        auto [images, labels] = load_mnist(folder, mode == Mode::kTrain);
        return TensorDataset(std::move(images), std::move(labels));
      }()),
      mode_(mode) {}

std::vector<std::vector<size_t>> split_positions(size_t size, std::span<const size_t> lengths, Generator* generator) {
  BOLIDE_CHECK_AS(ValueError, std::accumulate(lengths.begin(), lengths.end(), size_t{0}) == size,
                  "Sum of input lengths does not equal the length of the input dataset!");
  static constexpr NamedOp randperm("randperm");
  const Tensor order = randperm(static_cast<int64_t>(size), generator);
  const int64_t* at = order.data<int64_t>();
  std::vector<std::vector<size_t>> parts;
  for (const size_t n : lengths) {
    parts.emplace_back(at, at + n);
    at += n;
  }
  return parts;
}

}  // namespace datasets

Tensor read_idx(const std::string& path) {
  const io::IdxData d = io::read_idx(path);
  Tensor t = empty(d.shape, d.dtype);
  std::memcpy(t.raw(), d.bytes.data(), d.bytes.size());
  return t;
}

}  // namespace bolide::data
