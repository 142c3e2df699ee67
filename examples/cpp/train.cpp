// Trains the network of examples/fashion_mnist.py in C++ and saves it for either language.
//   train FOLDER [EPOCHS [model.pth]]     FOLDER holds the four uncompressed IDX files
#include <chrono>
#include <exception>
#include <iostream>

#include "fashion_mnist.h"

namespace {

/// One pass over the training images; returns the mean loss.
template <class Loader>
double train_epoch(fashion::SmallCNN& model, Loader& loader, bolide::optim::Optimizer& optimizer) {
  model.train();
  double total = 0;
  int64_t steps = 0;
  for (auto& batch : loader) {
    optimizer.zero_grad();
    auto loss = bolide::nn::functional::cross_entropy(model.forward(batch.data), batch.target);
    loss.backward();
    optimizer.step();
    total += loss.template item<float>();
    ++steps;
  }
  return total / static_cast<double>(steps);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::cerr << "usage: train FOLDER [EPOCHS [model.pth]]\n";
    return 2;
  }
  const int epochs = argc > 2 ? std::stoi(argv[2]) : 3;
  bolide::manual_seed(0);
  const auto training = fashion::load_images(argv[1], "train"), test = fashion::load_images(argv[1], "t10k");
  fashion::SmallCNN model;
  bolide::optim::Adam optimizer(model.parameters(), bolide::optim::AdamOptions(1e-3));
  auto loader = bolide::data::make_data_loader(bolide::data::TensorDataset(training.pixels, training.labels),
                                               bolide::data::DataLoaderOptions().batch_size(64).shuffle(true));
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    const double loss = train_epoch(model, *loader, optimizer);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("epoch %d/%d  loss %.4f  (%.1f s)\n", epoch, epochs, loss, seconds.count());
    std::fflush(stdout);
  }
  std::cout << fashion::test_accuracy(model, test) << "\n";
  if (argc > 3) bolide::save(model.state_dict(), argv[3]);
} catch (const std::exception& error) {
  std::cerr << "train: " << error.what() << "\n";
  return 1;
}
