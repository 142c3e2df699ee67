// The first program of a C++ user: tensors, a gradient, an error that is caught.
#include <bolide/bolide.h>

#include <iostream>

int main() {
  auto x = bolide::ones({2, 3});
  x.requires_grad_();
  auto y = (x * x).sum();
  y.backward();
  std::cout << "y = " << y.item<float>() << ", gradient = " << x.grad().sum().item<float>() << "\n";
  try {
    bolide::ones({2, 3}).matmul(bolide::ones({2, 3}));
  } catch (const bolide::Error& error) {
    std::cout << "caught\n";
  }
  return 0;
}
