// Loads the model that examples/fashion_mnist.py saved and evaluates it on the test images.
//   evaluate model.pth FOLDER        FOLDER holds t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte
#include <exception>
#include <iostream>

#include "fashion_mnist.h"

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::cerr << "usage: evaluate model.pth FOLDER\n";
    return 2;
  }
  fashion::SmallCNN model;
  model.load_state_dict(bolide::load_dict(argv[1]));
  std::cout << fashion::test_accuracy(model, fashion::load_images(argv[2], "t10k")) << "\n";
} catch (const std::exception& error) {
  std::cerr << "evaluate: " << error.what() << "\n";
  return 1;
}
