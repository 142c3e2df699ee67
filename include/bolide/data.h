// Data: datasets, transforms, samplers, and the loader that puts batches together, ahead of time in worker threads.
// Map: Example | datasets | transforms | samplers | DataLoader
#pragma once
#include <functional>
#include <iterator>

#include "bolide/nn/options.h"
#include "bolide/ops.h"
#include "bolide/random.h"

namespace bolide::data {

/// One sample, or a batch of stacked ones.
template <class Data = Tensor, class Target = Tensor>
struct Example {
  using DataType = Data;
  using TargetType = Target;
  Data data;
  Target target;
};

// ---- datasets ----------------------------------------------------------------------------------
namespace datasets {

template <class Source, class Transform> class MapDataset;

/// What a loader asks: samples by number, in batches. `Batch` is what a batch is: a list of samples, or something stacked.
template <class Self, class Single, class Batch = std::vector<Single>>
class BatchDataset {
 public:
  using ExampleType = Single;
  using BatchType = Batch;
  virtual ~BatchDataset() = default;
  /// Called from several threads at once when the loader has workers.
  virtual Batch get_batch(std::span<const size_t> indices) = 0;
  virtual std::optional<size_t> size() const = 0;
  template <class Transform>
  MapDataset<Self, Transform> map(Transform transform) const& { return {static_cast<const Self&>(*this), std::move(transform)}; }
  template <class Transform>
  MapDataset<Self, Transform> map(Transform transform) && { return {std::move(static_cast<Self&>(*this)), std::move(transform)}; }
};

/// For datasets of one's own: `struct Mine : Dataset<Mine> { Example<> get(size_t) override; optional<size_t> size() ... }`.
template <class Self, class Single = Example<>>
class Dataset : public BatchDataset<Self, Single> {
 public:
  virtual Single get(size_t index) = 0;
  std::vector<Single> get_batch(std::span<const size_t> indices) override {
    std::vector<Single> batch;
    batch.reserve(indices.size());
    for (const size_t i : indices) batch.push_back(get(i));
    return batch;
  }
};

template <class Source, class Transform>
class MapDataset : public BatchDataset<MapDataset<Source, Transform>, typename Source::ExampleType,
                                       decltype(std::declval<Transform&>().apply_batch(std::declval<typename Source::BatchType>()))> {
 public:
  using BatchType = decltype(std::declval<Transform&>().apply_batch(std::declval<typename Source::BatchType>()));
  MapDataset(Source source, Transform transform) : source_(std::move(source)), transform_(std::move(transform)) {}
  BatchType get_batch(std::span<const size_t> indices) override { return transform_.apply_batch(source_.get_batch(indices)); }
  std::optional<size_t> size() const override { return source_.size(); }
  const Source& dataset() const { return source_; }
  const Transform& transform() const { return transform_; }

 private:
  Source source_;
  Transform transform_;
};

/// Rows of tensors of one length; batches are gathered at once and need no stacking.
class TensorDataset : public BatchDataset<TensorDataset, Example<>, Example<>> {
 public:
  explicit TensorDataset(Tensor data, Tensor target = {});
  Example<> get(size_t index) const;
  Example<> get_batch(std::span<const size_t> indices) override;
  std::optional<size_t> size() const override { return static_cast<size_t>(data_.size(0)); }
  const Tensor& data() const { return data_; }
  const Tensor& target() const { return target_; }

 private:
  Tensor data_, target_;
};

/// MNIST and its kin from their four IDX files, compressed or not: images as floats in [0, 1] (N, 1, 28, 28), classes.
class MNIST : public TensorDataset {
 public:
  enum class Mode { kTrain, kTest };
  explicit MNIST(const std::string& folder, Mode mode = Mode::kTrain);
  bool is_train() const { return mode_ == Mode::kTrain; }
  const Tensor& images() const { return data(); }
  const Tensor& targets() const { return target(); }

 private:
  Mode mode_;
};
using FashionMNIST = MNIST;

/// Some samples of another dataset.
template <class Source>
class Subset : public BatchDataset<Subset<Source>, typename Source::ExampleType, typename Source::BatchType> {
 public:
  Subset(std::shared_ptr<Source> source, std::vector<size_t> indices) : source_(std::move(source)), indices_(std::move(indices)) {}
  typename Source::BatchType get_batch(std::span<const size_t> indices) override {
    std::vector<size_t> own;
    for (const size_t i : indices) own.push_back(indices_.at(i));
    return source_->get_batch(own);
  }
  std::optional<size_t> size() const override { return indices_.size(); }
  const std::vector<size_t>& indices() const { return indices_; }

 private:
  std::shared_ptr<Source> source_;
  std::vector<size_t> indices_;
};

/// Positions in random order, cut into lengths that sum to `size`.
std::vector<std::vector<size_t>> split_positions(size_t size, std::span<const size_t> lengths, Generator* generator);
/// Parts of a dataset drawn at random, of the given lengths: the same as Python's for the same seed.
template <class Source>
std::vector<Subset<Source>> random_split(Source source, const std::vector<size_t>& lengths, Generator* generator = nullptr) {
  const auto shared = std::make_shared<Source>(std::move(source));
  std::vector<Subset<Source>> parts;
  for (auto& positions : split_positions(shared->size().value(), lengths, generator)) parts.emplace_back(shared, std::move(positions));
  return parts;
}

}  // namespace datasets
using datasets::Dataset;
using datasets::random_split;
using datasets::TensorDataset;

/// The contents of an IDX file (the format of MNIST), compressed or not.
Tensor read_idx(const std::string& path);

// ---- transforms --------------------------------------------------------------------------------
namespace transforms {

/// Changes the data of every sample, or of a stacked batch; targets stay.
template <class Target = Tensor>
struct TensorTransform {
  virtual ~TensorTransform() = default;
  virtual Tensor operator()(Tensor input) = 0;
  std::vector<Example<Tensor, Target>> apply_batch(std::vector<Example<Tensor, Target>> batch) {
    for (auto& e : batch) e.data = (*this)(std::move(e.data));
    return batch;
  }
  Example<Tensor, Target> apply_batch(Example<Tensor, Target> stacked) {
    stacked.data = (*this)(std::move(stacked.data));
    return stacked;
  }
};

/// (x - mean) / stddev: one number each, or one for each channel.
template <class Target = Tensor>
struct Normalize : TensorTransform<Target> {
  Normalize(double mean, double stddev) : Normalize(std::vector{mean}, std::vector{stddev}) {}
  Normalize(const std::vector<double>& mean, const std::vector<double>& stddev) : mean_(channels(mean)), stddev_(channels(stddev)) {}
  Tensor operator()(Tensor input) override { return div(sub(input, mean_), stddev_); }

 private:
  static Tensor channels(const std::vector<double>& v) {
    if (v.size() == 1) return full({}, v[0], DType::Float32);
    Tensor t = empty({static_cast<int64_t>(v.size()), 1, 1}, DType::Float32);
    for (size_t i = 0; i < v.size(); ++i) t.data<float>()[i] = static_cast<float>(v[i]);
    return t;
  }
  Tensor mean_, stddev_;
};

template <class Target = Tensor>
struct TensorLambda : TensorTransform<Target> {
  explicit TensorLambda(std::function<Tensor(Tensor)> f) : f_(std::move(f)) {}
  Tensor operator()(Tensor input) override { return f_(std::move(input)); }

 private:
  std::function<Tensor(Tensor)> f_;
};

/// A function of one sample.
template <class Input, class Output = Input>
struct Lambda {
  explicit Lambda(std::function<Output(Input)> f) : f_(std::move(f)) {}
  std::vector<Output> apply_batch(std::vector<Input> batch) {
    std::vector<Output> out;
    for (Input& e : batch) out.push_back(f_(std::move(e)));
    return out;
  }

 private:
  std::function<Output(Input)> f_;
};

/// Makes one sample with tensors of one dimension more out of a list of samples.
template <class Single = Example<>>
struct Stack {
  Example<> apply_batch(std::vector<Example<>> batch) {
    std::vector<Tensor> data, target;
    for (Example<>& e : batch) {
      data.push_back(std::move(e.data));
      if (e.target.defined()) target.push_back(std::move(e.target));
    }
    return {stack(data), target.empty() ? Tensor() : stack(target)};
  }
  Example<> apply_batch(Example<> stacked) { return stacked; }
};

}  // namespace transforms

// ---- samplers ----------------------------------------------------------------------------------
namespace samplers {

/// Gives the numbers of the samples of an epoch, a batch at a time.
class Sampler {
 public:
  virtual ~Sampler() = default;
  /// Starts an epoch, over `size` samples where that is given.
  virtual void reset(std::optional<size_t> size = {}) = 0;
  /// The next numbers, at most `count`; nothing at the end.
  virtual std::optional<std::vector<size_t>> next(size_t count) = 0;
  /// How many an epoch has.
  virtual size_t length() const = 0;
};

/// Samplers that know the whole epoch at its start.
class ListSampler : public Sampler {
 public:
  void reset(std::optional<size_t> size = {}) override;
  std::optional<std::vector<size_t>> next(size_t count) override;
  size_t length() const override { return size_; }

 protected:
  explicit ListSampler(size_t size) : size_(size) {}
  /// Called at the first `next` of an epoch: that is when Python draws.
  virtual std::vector<size_t> order() = 0;
  size_t size_;

 private:
  std::vector<size_t> order_;
  size_t at_ = 0;
  bool started_ = false;
};

class SequentialSampler : public ListSampler {
 public:
  explicit SequentialSampler(size_t size) : ListSampler(size) {}

 protected:
  std::vector<size_t> order() override;
};
/// PyTorch's order for the same seed. Without a generator each epoch draws a seed from the default one.
class RandomSampler : public ListSampler {
 public:
  explicit RandomSampler(size_t size, std::shared_ptr<Generator> generator = {}) : ListSampler(size), generator_(std::move(generator)) {}

 protected:
  std::vector<size_t> order() override;
  std::shared_ptr<Generator> generator_;
};
class SubsetRandomSampler : public ListSampler {
 public:
  explicit SubsetRandomSampler(std::vector<size_t> indices, std::shared_ptr<Generator> generator = {})
      : ListSampler(indices.size()), indices_(std::move(indices)), generator_(std::move(generator)) {}

 protected:
  std::vector<size_t> order() override;
  std::vector<size_t> indices_;
  std::shared_ptr<Generator> generator_;
};
class WeightedRandomSampler : public ListSampler {
 public:
  WeightedRandomSampler(const std::vector<double>& weights, size_t num_samples, bool replacement = true, std::shared_ptr<Generator> generator = {});

 protected:
  std::vector<size_t> order() override;
  Tensor weights_;
  bool replacement_;
  std::shared_ptr<Generator> generator_;
};
/// The share of one of `num_replicas` processes, shuffled by seed + epoch.
class DistributedSampler : public ListSampler {
 public:
  DistributedSampler(size_t size, size_t num_replicas, size_t rank, bool shuffle = true, uint64_t seed = 0, bool drop_last = false);
  void reset(std::optional<size_t> size = {}) override;
  void set_epoch(uint64_t epoch) { epoch_ = epoch; }
  size_t length() const override;

 protected:
  std::vector<size_t> order() override;
  size_t replicas_, rank_;
  bool shuffle_, drop_last_;
  uint64_t seed_, epoch_ = 0;
};

}  // namespace samplers

// ---- DataLoader --------------------------------------------------------------------------------
struct DataLoaderOptions {
  DataLoaderOptions(size_t batch_size = 1) : batch_size_(batch_size) {}
  BOLIDE_ARG(size_t, batch_size) = 1;
  BOLIDE_ARG(bool, shuffle) = false;
  /// Threads that make batches ahead of time; none: batches are made when asked for.
  BOLIDE_ARG(size_t, workers) = 0;
  /// Batches under way at most; twice the number of workers where not given.
  BOLIDE_ARG(std::optional<size_t>, max_jobs);
  /// Seconds to wait for a batch before an error; none: as long as it takes.
  BOLIDE_ARG(std::optional<double>, timeout);
  BOLIDE_ARG(bool, drop_last) = false;
  BOLIDE_ARG(std::shared_ptr<Generator>, generator);
};

namespace detail {

/// Runs jobs in worker threads and hands their results over in the order of the jobs. Errors come out where the result
/// would.
class Prefetcher {
 public:
  using Make = std::function<std::shared_ptr<void>(std::span<const size_t>)>;
  Prefetcher(Make make, size_t workers, std::optional<double> timeout, uint64_t base_seed);
  ~Prefetcher();
  void push(std::vector<size_t> indices);
  std::shared_ptr<void> pop();
  size_t pending() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};
/// A number from the generator (or the default one): what every epoch draws first.
uint64_t draw_seed(Generator* generator);
std::unique_ptr<samplers::Sampler> default_sampler(std::optional<size_t> size, const DataLoaderOptions& options);

}  // namespace detail

/// Batches of a dataset: `for (auto& batch : loader)`. Each loop is an epoch.
template <class Dataset>
class DataLoader {
 public:
  using Batch = typename Dataset::BatchType;
  DataLoader(Dataset dataset, std::unique_ptr<samplers::Sampler> sampler, DataLoaderOptions options)
      : dataset_(std::make_shared<Dataset>(std::move(dataset))), sampler_(std::move(sampler)), options_(std::move(options)) {
    BOLIDE_CHECK_AS(ValueError, options_.batch_size() > 0, "batch_size should be a positive integer value, but got batch_size=0");
  }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    using pointer = Batch*;
    using reference = Batch&;
    Batch& operator*() const { return *batch_; }
    Batch* operator->() const { return batch_.get(); }
    Iterator& operator++() {
      batch_ = loader_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& o) const { return batch_ == o.batch_; }

   private:
    friend class DataLoader;
    Iterator() = default;
    explicit Iterator(DataLoader* loader) : loader_(loader), batch_(loader->next()) {}
    DataLoader* loader_ = nullptr;
    std::shared_ptr<Batch> batch_;
  };

  /// Starts an epoch; one that is under way ends.
  Iterator begin() {
    prefetcher_.reset();
    sampler_->reset();
    const uint64_t base_seed = detail::draw_seed(options_.generator().get());
    if (options_.workers() > 0) {
      prefetcher_ = std::make_unique<detail::Prefetcher>(
          [dataset = dataset_](std::span<const size_t> indices) -> std::shared_ptr<void> { return std::make_shared<Batch>(dataset->get_batch(indices)); },
          options_.workers(), options_.timeout(), base_seed);
      for (size_t i = options_.max_jobs().value_or(2 * options_.workers()); i > 0; --i) schedule();
    }
    return Iterator(this);
  }
  Iterator end() { return Iterator(); }
  /// Batches of an epoch.
  size_t size() const {
    const size_t n = sampler_->length(), b = options_.batch_size();
    return options_.drop_last() ? n / b : (n + b - 1) / b;
  }
  const Dataset& dataset() const { return *dataset_; }
  samplers::Sampler& sampler() { return *sampler_; }
  const DataLoaderOptions& options() const { return options_; }

 private:
  std::optional<std::vector<size_t>> next_indices() {
    auto indices = sampler_->next(options_.batch_size());
    if (indices && options_.drop_last() && indices->size() < options_.batch_size()) return {};
    return indices;
  }
  void schedule() {
    if (auto indices = next_indices()) prefetcher_->push(std::move(*indices));
  }
  std::shared_ptr<Batch> next() {
    if (prefetcher_) {
      if (prefetcher_->pending() == 0) return {};
      auto batch = std::static_pointer_cast<Batch>(prefetcher_->pop());
      schedule();
      return batch;
    }
    const auto indices = next_indices();
    return indices ? std::make_shared<Batch>(dataset_->get_batch(*indices)) : nullptr;
  }

  std::shared_ptr<Dataset> dataset_;
  std::unique_ptr<samplers::Sampler> sampler_;
  DataLoaderOptions options_;
  std::unique_ptr<detail::Prefetcher> prefetcher_;
};

/// A loader with the sampler that the options name.
template <class Dataset>
std::unique_ptr<DataLoader<Dataset>> make_data_loader(Dataset dataset, DataLoaderOptions options = {}) {
  auto sampler = detail::default_sampler(dataset.size(), options);
  return std::make_unique<DataLoader<Dataset>>(std::move(dataset), std::move(sampler), std::move(options));
}
/// A loader with a sampler of a given class: make_data_loader<samplers::SequentialSampler>(dataset, 64).
template <class Sampler, class Dataset>
std::unique_ptr<DataLoader<Dataset>> make_data_loader(Dataset dataset, DataLoaderOptions options = {}) {
  const auto size = dataset.size();
  BOLIDE_CHECK(size, "Expected the dataset to be sized in order to construct the Sampler");
  return std::make_unique<DataLoader<Dataset>>(std::move(dataset), std::make_unique<Sampler>(*size), std::move(options));
}
template <class Dataset, class Sampler>
  requires std::is_base_of_v<samplers::Sampler, Sampler>
std::unique_ptr<DataLoader<Dataset>> make_data_loader(Dataset dataset, std::unique_ptr<Sampler> sampler, DataLoaderOptions options = {}) {
  return std::make_unique<DataLoader<Dataset>>(std::move(dataset), std::move(sampler), std::move(options));
}

}  // namespace bolide::data
