// Evaluates a network that examples/fashion_mnist.py (or train.cpp) saved.
//   evaluate MODEL FOLDER [DEVICE]     FOLDER holds the IDX files of the test images
#include <exception>
#include <iostream>

#include "fashion_mnist.h"

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::cerr << "usage: evaluate MODEL FOLDER [DEVICE]\n";
    return 2;
  }
  const bolide::Device device(argc > 3 ? argv[3] : "cpu");
  fashion::SmallCNN model;
  bolide::load(model, argv[1]);
  model->to(device);
  std::cout << fashion::test_accuracy(model, argv[2], device) << "\n";
} catch (const std::exception& error) {
  std::cerr << "evaluate: " << error.what() << "\n";
  return 1;
}
