// data: datasets, transforms, samplers in PyTorch's order, the loader with and without workers.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bolide/data.h"

using namespace bolide;
using namespace bolide::data;

namespace {

std::vector<int64_t> numbers(const Tensor& t) {
  const Tensor whole = t.to(DType::Int64).contiguous();
  return {whole.data<int64_t>(), whole.data<int64_t>() + whole.numel()};
}
using Lists = std::vector<std::vector<int64_t>>;
template <class Loader>
Lists epoch(Loader& loader) {
  Lists all;
  for (auto& batch : loader) all.push_back(numbers(batch.data));
  return all;
}
TensorDataset seven() { return TensorDataset(arange(0, 7)); }

struct Squares : Dataset<Squares> {
  Example<> get(size_t i) override { return {full({2}, static_cast<double>(i)), full({}, static_cast<double>(i * i))}; }
  std::optional<size_t> size() const override { return 5; }
};

}  // namespace

TEST_CASE("a loader gives batches in order") {
  auto loader = make_data_loader(seven(), 3);
  CHECK(loader->size() == 3);
  CHECK(epoch(*loader) == Lists{{0, 1, 2}, {3, 4, 5}, {6}});
  CHECK(epoch(*loader) == Lists{{0, 1, 2}, {3, 4, 5}, {6}});
  auto whole = make_data_loader(seven(), DataLoaderOptions(3).drop_last(true));
  CHECK(whole->size() == 2);
  CHECK(epoch(*whole) == Lists{{0, 1, 2}, {3, 4, 5}});
  CHECK_THROWS_AS(make_data_loader(seven(), 0), ValueError);
}

TEST_CASE("shuffling is PyTorch's for the same seed, with any number of workers") {
  for (const size_t workers : {0, 1, 3}) {
    manual_seed(3);
    auto loader = make_data_loader(seven(), DataLoaderOptions(3).shuffle(true).workers(workers));
    CHECK(epoch(*loader) == Lists{{3, 2, 5}, {4, 1, 0}, {6}});
    CHECK(epoch(*loader) == Lists{{3, 1, 6}, {0, 2, 4}, {5}});
  }
  auto loader = make_data_loader(seven(), DataLoaderOptions(4).shuffle(true).generator(make_generator(5)).drop_last(true));
  CHECK(epoch(*loader) == Lists{{2, 4, 3, 5}});
  CHECK(epoch(*loader) == Lists{{4, 1, 0, 2}});
}

TEST_CASE("splits and samplers are PyTorch's for the same seed") {
  manual_seed(1);
  const auto parts = random_split(seven(), {4, 3});
  CHECK(parts[0].indices() == std::vector<size_t>{0, 6, 1, 3});
  CHECK(parts[1].indices() == std::vector<size_t>{5, 2, 4});
  samplers::SubsetRandomSampler subset({3, 5, 9});
  CHECK(subset.next(5) == std::vector<size_t>{9, 3, 5});
  CHECK(!subset.next(5));
  samplers::DistributedSampler distributed(7, 3, 1, true, 4);
  CHECK(distributed.next(9) == std::vector<size_t>{1, 2, 3});
  CHECK_THROWS_AS(random_split(seven(), {4, 4}), ValueError);
  CHECK_THROWS_AS(samplers::DistributedSampler(7, 3, 3), ValueError);
}

TEST_CASE("datasets of one's own, transforms, stacking") {
  auto plain = make_data_loader<samplers::SequentialSampler>(Squares(), 2);
  size_t count = 0;
  for (std::vector<Example<>>& batch : *plain) count += batch.size();
  CHECK(count == 5);

  auto loader = make_data_loader(Squares().map(transforms::Normalize<>(1.0, 2.0)).map(transforms::Stack<>()), 2);
  auto batch = *loader->begin();
  CHECK(batch.data.sizes() == Dims{2, 2});
  CHECK(batch.data.data<float>()[0] == -0.5f);
  CHECK(batch.target.data<float>()[1] == 1);

  auto doubled = Squares().map(transforms::Lambda<Example<>>([](Example<> e) { return Example<>{mul(e.data, 2), e.target}; }));
  const size_t rows[] = {3};
  CHECK(doubled.get_batch(rows)[0].data.data<float>()[0] == 6);
  auto images = TensorDataset(ones({4, 3, 2, 2})).map(transforms::Normalize<>(std::vector{0.0, 1.0, 2.0}, std::vector{1.0, 1.0, 2.0}));
  const Tensor normal = images.get_batch(rows).data;
  CHECK(normal.sizes() == Dims{1, 3, 2, 2});
  CHECK(numbers(normal[0].sum({1, 2})) == std::vector<int64_t>{4, 0, -2});
}

TEST_CASE("workers hand over errors, keep order, and end early when asked") {
  struct Bad : Dataset<Bad> {
    Example<> get(size_t i) override {
      if (i == 3) throw ValueError("sample 3 is broken");
      std::this_thread::sleep_for(std::chrono::milliseconds(i % 2 ? 3 : 0));
      return {full({}, static_cast<double>(i)), {}};
    }
    std::optional<size_t> size() const override { return 40; }
  };
  auto loader = make_data_loader(Bad(), DataLoaderOptions(1).workers(2));
  std::vector<float> seen;
  CHECK_THROWS_WITH_AS([&] {
    for (auto& batch : *loader) seen.push_back(batch[0].data.item<float>());
  }(), "sample 3 is broken", ValueError);
  CHECK(seen == std::vector<float>{0, 1, 2});
  for (auto& batch : *loader) {
    CHECK(batch[0].data.item<float>() == 0);
    break;  // the workers stop with the loader
  }
  struct Slow : Dataset<Slow> {
    Example<> get(size_t) override {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      return {zeros({}), {}};
    }
    std::optional<size_t> size() const override { return 2; }
  };
  auto slow = make_data_loader(Slow(), DataLoaderOptions(1).workers(1).timeout(0.01));
  CHECK_THROWS_WITH_AS(slow->begin(), doctest::Contains("timed out"), Error);
}

TEST_CASE("random numbers of workers depend on the seed only") {
  struct Noise : Dataset<Noise> {
    Example<> get(size_t) override { return {rand({1}), {}}; }
    std::optional<size_t> size() const override { return 8; }
  };
  const auto draw = [] {
    manual_seed(9);
    auto loader = make_data_loader(Noise().map(transforms::Stack<>()), DataLoaderOptions(2).workers(2));
    std::vector<float> all;
    for (auto& batch : *loader)
      for (int i = 0; i < 2; ++i) all.push_back(batch.data.data<float>()[i]);
    return all;
  };
  const auto first = draw();
  CHECK(draw() == first);
  CHECK(first[0] != first[2]);  // two workers, two streams
}

TEST_CASE("MNIST is read from its IDX files") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("bolide_mnist_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const auto write = [&](const char* name, std::string bytes) { std::ofstream(folder / name, std::ios::binary) << bytes; };
  write("train-images-idx3-ubyte", std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02\x00\xff\x33\x66", 20));
  write("train-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x02\x07\x03", 10));
  const datasets::MNIST set(folder);
  CHECK(set.images().sizes() == Dims{2, 1, 1, 2});
  CHECK(set.images().data<float>()[1] == 1.0f);
  CHECK(numbers(set.targets()) == std::vector<int64_t>{7, 3});
  CHECK_THROWS_AS(datasets::MNIST(folder, datasets::MNIST::Mode::kTest), Error);
  fs::remove_all(folder);
}

TEST_CASE("states of generators") {
  manual_seed(4);
  const Tensor state = get_rng_state();
  const float a = rand({1}).item<float>();
  set_rng_state(state);
  CHECK(rand({1}).item<float>() == a);
  CHECK(initial_seed() == 4);
  const auto g = make_generator(4);
  CHECK(get_rng_state(*g).numel() == 5056);
  CHECK_THROWS_AS(set_rng_state(zeros({3}, DType::UInt8)), Error);
}
