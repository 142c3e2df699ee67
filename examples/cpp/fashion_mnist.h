// What both programs share: reading the images | the network of examples/fashion_mnist.py | its accuracy.
#pragma once
#include <bolide/bolide.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fashion {

using bolide::Tensor;
namespace nn = bolide::nn;

// ---- reading the images ------------------------------------------------------------------------
/// The bytes of an uncompressed IDX file: two zero bytes, the type (8 is uint8), the number of dimensions, each
/// size as a big-endian 32-bit number, then the elements.
inline Tensor read_idx(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be opened");
  unsigned char head[4] = {};
  file.read(reinterpret_cast<char*>(head), 4);
  if (!file || head[0] || head[1] || head[2] != 8) throw std::runtime_error(path + ": not an IDX file of bytes");
  std::vector<int64_t> sizes;
  for (int i = 0; i < head[3]; ++i) {
    unsigned char n[4] = {};
    file.read(reinterpret_cast<char*>(n), 4);
    sizes.push_back(int64_t{n[0]} << 24 | n[1] << 16 | n[2] << 8 | n[3]);
  }
  if (!file) throw std::runtime_error(path + ": ends within its header");
  Tensor data = bolide::empty(sizes, bolide::DType::UInt8);
  file.read(reinterpret_cast<char*>(data.data_ptr<uint8_t>()), data.numel());
  if (file.gcount() != data.numel()) throw std::runtime_error(path + ": truncated");
  return data;
}

struct Images {
  Tensor pixels;  // (N, 1, 28, 28), normalised as in training
  Tensor labels;  // (N), int64
};

/// `part` is "train" or "t10k".
inline Images load_images(const std::string& folder, const std::string& part) {
  constexpr double kMean = 0.2860, kStd = 0.3530;  // of the training pixels, scaled to [0, 1]
  Tensor bytes = read_idx(folder + "/" + part + "-images-idx3-ubyte");
  Tensor pixels = (bytes.unsqueeze(1).to(bolide::DType::Float32) / 255 - kMean) / kStd;
  return {pixels, read_idx(folder + "/" + part + "-labels-idx1-ubyte").to(bolide::DType::Int64)};
}

// ---- the network -------------------------------------------------------------------------------
/// Two convolutions and two linear layers; the names are those of the Python class, so files move between both.
struct SmallCNN : nn::Module {
  SmallCNN() {
    conv1 = register_module("conv1", nn::Conv2d(nn::Conv2dOptions(1, 16, 3).padding(1)));
    conv2 = register_module("conv2", nn::Conv2d(nn::Conv2dOptions(16, 32, 3).padding(1)));
    fc1 = register_module("fc1", nn::Linear(32 * 7 * 7, 128));
    fc2 = register_module("fc2", nn::Linear(128, 10));
  }
  Tensor forward(Tensor x) {
    x = bolide::max_pool2d(bolide::relu(conv1->forward(x)), 2);
    x = bolide::max_pool2d(bolide::relu(conv2->forward(x)), 2);
    x = bolide::relu(fc1->forward(x.flatten(1)));
    return fc2->forward(x);
  }
  nn::Conv2d conv1{nullptr}, conv2{nullptr};
  nn::Linear fc1{nullptr}, fc2{nullptr};
};

// ---- its accuracy ------------------------------------------------------------------------------
/// "test accuracy 90.12 % (9012 of 10000)", as the Python program writes it.
inline std::string test_accuracy(SmallCNN& model, const Images& test) {
  bolide::NoGradGuard no_grad;
  model.eval();
  constexpr int64_t kBatch = 500;
  const int64_t count = test.labels.size(0);
  int64_t right = 0;
  for (int64_t i = 0; i < count; i += kBatch) {
    Tensor predicted = model.forward(test.pixels.slice(0, i, i + kBatch)).argmax(1);
    right += predicted.eq(test.labels.slice(0, i, i + kBatch)).sum().item<int64_t>();
  }
  char text[80];
  std::snprintf(text, sizeof text, "test accuracy %.2f %% (%lld of %lld)", 100.0 * right / count,
                static_cast<long long>(right), static_cast<long long>(count));
  return text;
}

}  // namespace fashion
