// What the two example programs share: the images, the network, its accuracy.
#pragma once
#include <bolide/bolide.h>

#include <cstdio>
#include <string>

namespace fashion {

namespace nn = bolide::nn;
namespace data = bolide::data;
using bolide::Tensor;

// ---- the images --------------------------------------------------------------------------------
/// Fashion-MNIST from a folder that holds its four IDX files, normalised as in training.
inline auto images(const std::string& folder, data::datasets::MNIST::Mode mode) {
  constexpr double kMean = 0.2860, kStd = 0.3530;  // of the training pixels, scaled to [0, 1]
  return data::datasets::FashionMNIST(folder, mode).map(data::transforms::Normalize<>(kMean, kStd));
}

// ---- the network -------------------------------------------------------------------------------
/// Two convolutions and two linear layers; the names are those of the Python class, so files move between both.
struct SmallCNNImpl : nn::Module {
  SmallCNNImpl() {
    conv1 = register_module("conv1", nn::Conv2d(nn::Conv2dOptions(1, 16, 3).padding(1)));
    conv2 = register_module("conv2", nn::Conv2d(nn::Conv2dOptions(16, 32, 3).padding(1)));
    fc1 = register_module("fc1", nn::Linear(32 * 7 * 7, 128));
    fc2 = register_module("fc2", nn::Linear(128, 10));
  }
  Tensor forward(Tensor x) {
    x = bolide::max_pool2d(bolide::relu(conv1(x)), 2);
    x = bolide::max_pool2d(bolide::relu(conv2(x)), 2);
    x = bolide::relu(fc1(x.flatten(1)));
    return fc2(x);
  }
  nn::Conv2d conv1{nullptr}, conv2{nullptr};
  nn::Linear fc1{nullptr}, fc2{nullptr};
};
BOLIDE_MODULE(SmallCNN);

// ---- its accuracy ------------------------------------------------------------------------------
/// "test accuracy 90.12 % (9012 of 10000)", as the Python program writes it.
inline std::string test_accuracy(const SmallCNN& model, const std::string& folder, bolide::Device device = {}) {
  const bolide::NoGradGuard no_grad;
  model->eval();
  auto loader = data::make_data_loader(images(folder, data::datasets::MNIST::Mode::kTest), 500);
  long long right = 0, count = 0;
  for (auto& batch : *loader) {
    const Tensor predicted = model(batch.data.to(device)).argmax(1);
    right += predicted.eq(batch.target.to(device)).sum().item<int64_t>();
    count += batch.target.size(0);
  }
  char text[80];
  std::snprintf(text, sizeof text, "test accuracy %.2f %% (%lld of %lld)", 100.0 * static_cast<double>(right) / static_cast<double>(count), right, count);
  return text;
}

}  // namespace fashion
