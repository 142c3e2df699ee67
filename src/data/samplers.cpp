// Samplers. Draws, and when they happen, are PyTorch's.
#include <algorithm>
#include <numeric>

#include "bolide/data.h"
#include "core/named_op.h"
#include "core/rng.h"

namespace bolide::data {
namespace {

std::vector<size_t> numbers(const Tensor& t) { return {t.data<int64_t>(), t.data<int64_t>() + t.numel()}; }
std::vector<size_t> permutation(size_t n, Generator* g) {
  static constexpr NamedOp randperm("randperm");
  return numbers(randperm(static_cast<int64_t>(n), g));
}

}  // namespace

uint64_t detail::draw_seed(Generator* generator) {
  Generator& g = generator ? *generator : default_generator();
  const std::lock_guard lock(g.mutex());
  return g.word64() & (~uint64_t{0} >> 1);
}

std::unique_ptr<samplers::Sampler> detail::default_sampler(std::optional<size_t> size, const DataLoaderOptions& options) {
  BOLIDE_CHECK(size, "Expected the dataset to be sized in order to construct the Sampler");
  if (options.shuffle()) return std::make_unique<samplers::RandomSampler>(*size, options.generator());
  return std::make_unique<samplers::SequentialSampler>(*size);
}

namespace samplers {

void ListSampler::reset(std::optional<size_t> size) {
  if (size) size_ = *size;
  started_ = false;
  at_ = 0;
}
std::optional<std::vector<size_t>> ListSampler::next(size_t count) {
  if (!started_) order_ = order(), started_ = true;
  const size_t n = std::min(count, order_.size() - at_);
  if (n == 0) return {};
  std::vector<size_t> some(order_.begin() + static_cast<std::ptrdiff_t>(at_), order_.begin() + static_cast<std::ptrdiff_t>(at_ + n));
  at_ += n;
  return some;
}

std::vector<size_t> SequentialSampler::order() {
  std::vector<size_t> all(size_);
  std::iota(all.begin(), all.end(), size_t{0});
  return all;
}

std::vector<size_t> RandomSampler::order() {
  std::shared_ptr<Generator> own = generator_;
  const bool given = own != nullptr;
  if (!given) own = make_generator(detail::draw_seed(nullptr));
  auto all = permutation(size_, own.get());
  if (given) permutation(size_, own.get());  // Python draws a second one, of which it needs nothing
  return all;
}

std::vector<size_t> SubsetRandomSampler::order() {
  std::vector<size_t> all;
  for (const size_t i : permutation(indices_.size(), generator_.get())) all.push_back(indices_[i]);
  return all;
}

WeightedRandomSampler::WeightedRandomSampler(const std::vector<double>& weights, size_t num_samples, bool replacement, std::shared_ptr<Generator> generator)
    : ListSampler(num_samples), replacement_(replacement), generator_(std::move(generator)) {
  BOLIDE_CHECK_AS(ValueError, num_samples > 0, "num_samples should be a positive integer value, but got num_samples=0");
  weights_ = empty({static_cast<int64_t>(weights.size())}, DType::Float64);
  std::copy(weights.begin(), weights.end(), weights_.data<double>());
}
std::vector<size_t> WeightedRandomSampler::order() {
  static constexpr NamedOp multinomial("multinomial");
  return numbers(multinomial(weights_, static_cast<int64_t>(size_), replacement_, generator_.get()));
}

DistributedSampler::DistributedSampler(size_t size, size_t replicas, size_t rank, bool shuffle, uint64_t seed, bool drop_last)
    : ListSampler(size), replicas_(replicas), rank_(rank), shuffle_(shuffle), drop_last_(drop_last), seed_(seed) {
  BOLIDE_CHECK_AS(ValueError, rank < replicas, "Invalid rank ", rank, ", rank should be in the interval [0, ", static_cast<int64_t>(replicas) - 1, "]");
}
void DistributedSampler::reset(std::optional<size_t> size) { ListSampler::reset(size); }
size_t DistributedSampler::length() const { return drop_last_ ? size_ / replicas_ : (size_ + replicas_ - 1) / replicas_; }
std::vector<size_t> DistributedSampler::order() {
  std::vector<size_t> all(size_);
  std::iota(all.begin(), all.end(), size_t{0});
  if (shuffle_) all = permutation(size_, make_generator(seed_ + epoch_).get());
  const size_t total = length() * replicas_;
  for (size_t i = 0; all.size() < total && size_ > 0; ++i) all.push_back(all[i]);  // the first ones again
  all.resize(total);
  std::vector<size_t> own;
  for (size_t i = rank_; i < total; i += replicas_) own.push_back(all[i]);
  return own;
}

}  // namespace samplers
}  // namespace bolide::data
