// Trains the network of examples/fashion_mnist.py in C++ and saves it for either language.
//   train FOLDER [EPOCHS [MODEL [DEVICE]]]     FOLDER holds the four IDX files, compressed or not
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>

#include "fashion_mnist.h"

namespace {

using bolide::Device;

/// One pass over the training images; returns the mean loss.
double train_epoch(fashion::SmallCNN& model, auto& loader, bolide::optim::Optimizer& optimizer, Device device) {
  model->train();
  double total = 0;
  for (auto& batch : loader) {
    optimizer.zero_grad();
    auto loss = bolide::nn::functional::cross_entropy(model(batch.data.to(device)), batch.target.to(device));
    loss.backward();
    optimizer.step();
    total += loss.template item<double>();
  }
  return total / static_cast<double>(loader.size());
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: train FOLDER [EPOCHS [MODEL [DEVICE]]]\n";
    return 2;
  }
  const int epochs = argc > 2 ? std::stoi(argv[2]) : 3;
  const Device device(argc > 4 ? argv[4] : "cpu");
  bolide::manual_seed(0);
  auto loader = bolide::data::make_data_loader(fashion::images(argv[1], bolide::data::datasets::MNIST::Mode::kTrain),
                                               bolide::data::DataLoaderOptions(64).shuffle(true));
  fashion::SmallCNN model;
  model->to(device);
  bolide::optim::Adam optimizer(model->parameters(), 1e-3);
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    const double loss = train_epoch(model, *loader, optimizer, device);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("epoch %d/%d  loss %.4f  (%.1f s)\n", epoch, epochs, loss, seconds.count());
    std::fflush(stdout);
  }
  std::cout << fashion::test_accuracy(model, argv[1], device) << "\n";
  if (argc > 3) bolide::save(model, argv[3]);
} catch (const std::exception& error) {
  std::cerr << "train: " << error.what() << "\n";
  return 1;
}
