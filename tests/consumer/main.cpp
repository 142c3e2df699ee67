// The first program of a C++ user: tensors, a gradient, an error that is caught, a module that is trained and saved.
#include <bolide/bolide.h>

#include <cstdio>
#include <iostream>

namespace nn = bolide::nn;

struct NetImpl : nn::Module {
  NetImpl() {
    hidden = register_module("hidden", nn::Linear(2, 16));
    out = register_module("out", nn::Linear(16, 1));
  }
  bolide::Tensor forward(const bolide::Tensor& x) { return out(bolide::tanh(hidden(x))); }
  nn::Linear hidden{nullptr}, out{nullptr};
};
BOLIDE_MODULE(Net);

int main(int argc, char** argv) {
  auto x = bolide::ones({2, 3});
  x.requires_grad_();
  auto y = (x * x).sum();
  y.backward();
  std::cout << "y = " << y.item<float>() << ", gradient = " << x.grad() << "\n";
  try {
    bolide::ones({2, 3}).matmul(bolide::ones({2, 3}));
  } catch (const bolide::Error& error) {
    std::cout << "caught\n";
  }

  bolide::manual_seed(0);
  Net net;
  bolide::optim::Adam optimizer(net->parameters(), 1e-2);
  const auto input = bolide::randn({64, 2}), target = input.sum(1, true) * 0.5;
  float loss = 0;
  for (int step = 0; step < 100; ++step) {
    optimizer.zero_grad();
    auto l = nn::functional::mse_loss(net(input), target);
    l.backward();
    optimizer.step();
    loss = l.item<float>();
  }
  std::cout << (loss < 0.05f ? "trained\n" : "not trained\n");
  const std::string path = argc > 1 ? argv[1] : "net.pth";
  bolide::save(net, path);
  Net again;
  bolide::load(again, path);
  std::cout << (again(input).equal(net(input)) ? "the same\n" : "not the same\n") << again << "\n";
}
