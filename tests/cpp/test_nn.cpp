// nn: modules, containers, state dicts, copies, printing.
#include <doctest/doctest.h>

#include <sstream>

#include "bolide/autograd.h"
#include "bolide/nn.h"
#include "bolide/ops.h"

using namespace bolide;

namespace {

struct NetImpl : nn::Cloneable<NetImpl> {
  NetImpl() { reset(); }
  void reset() override {
    fc1 = register_module("fc1", nn::Linear(4, 8));
    norm = register_module("norm", nn::BatchNorm1d(8));
    fc2 = register_module("fc2", nn::Linear(nn::LinearOptions(8, 2).bias(false)));
    scale = register_parameter("scale", ones({2}));
    count = register_buffer("count", zeros({1}));
    scratch = register_buffer("scratch", zeros({1}), false);
  }
  Tensor forward(const Tensor& x) { return mul(fc2(relu(fc1(x))), scale); }
  nn::Linear fc1{nullptr}, fc2{nullptr};
  nn::BatchNorm1d norm{nullptr};
  Tensor scale, count, scratch;
};
BOLIDE_MODULE(Net);

std::string text(const auto& module) {
  std::ostringstream s;
  s << module;
  return s.str();
}

}  // namespace

TEST_CASE("modules name their tensors and modules as Python does") {
  Net net;
  CHECK(net->named_parameters().keys() == std::vector<std::string>{"scale", "fc1.weight", "fc1.bias", "norm.weight", "norm.bias", "fc2.weight"});
  CHECK(net->named_buffers().keys() == std::vector<std::string>{"count", "scratch", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked"});
  CHECK(net->state_dict().keys() == std::vector<std::string>{"scale", "count", "fc1.weight", "fc1.bias", "norm.weight", "norm.bias", "norm.running_mean",
                                                             "norm.running_var", "norm.num_batches_tracked", "fc2.weight"});
  CHECK(net->named_modules().keys() == std::vector<std::string>{"", "fc1", "norm", "fc2"});
  CHECK(net->get_parameter("fc1.weight").is_same(net->fc1->weight));
  CHECK(net->get_submodule("norm")->as<nn::BatchNorm1d>() == net->norm.get());
  CHECK(net->as<nn::Linear>() == nullptr);
  CHECK_THROWS_AS(net->get_submodule("fc9"), Error);
  CHECK_THROWS_AS(net->get_parameter("fc2.bias"), Error);
  CHECK(net->name() == "Net");
}

TEST_CASE("modules print as in Python") {
  CHECK(text(Net()) ==
        "Net(\n  (fc1): Linear(in_features=4, out_features=8, bias=True)\n"
        "  (norm): BatchNorm1d(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)\n"
        "  (fc2): Linear(in_features=8, out_features=2, bias=False)\n)");
  CHECK(text(nn::Sequential(nn::Linear(1, 2), nn::Sequential(nn::ReLU(true)))) ==
        "Sequential(\n  (0): Linear(in_features=1, out_features=2, bias=True)\n  (1): Sequential(\n    (0): ReLU(inplace=True)\n  )\n)");
  CHECK(text(nn::ModuleList(nn::Tanh(), nn::Tanh(), nn::Linear(1, 1))) ==
        "ModuleList(\n  (0-1): 2 x Tanh()\n  (2): Linear(in_features=1, out_features=1, bias=True)\n)");
  CHECK(text(nn::Conv2d(nn::Conv2dOptions(1, 2, {3, 5}).padding(1).dilation({1, 2}).groups(1).bias(false))) ==
        "Conv2d(1, 2, kernel_size=(3, 5), stride=(1, 1), padding=(1, 1), dilation=(1, 2), bias=False)");
  CHECK(text(nn::LeakyReLU(1e-5)) == "LeakyReLU(negative_slope=1e-05)");
}

TEST_CASE("registering checks names and tensors") {
  struct Bad : nn::Module {};
  Bad m;
  m.register_parameter("w", ones({1}));
  CHECK_THROWS_WITH_AS(m.register_parameter("a.b", ones({1})), doctest::Contains("can't contain"), Error);
  CHECK_THROWS_AS(m.register_parameter("w", ones({1})), Error);
  CHECK_THROWS_AS(m.register_buffer("w", ones({1})), Error);
  CHECK_THROWS_AS(m.register_module("", nn::Linear(1, 1)), Error);
  CHECK_THROWS_AS(m.register_parameter("ids", zeros({1}, DType::Int64)), Error);
  CHECK_THROWS_AS(m.register_module("none", std::shared_ptr<nn::Module>()), Error);
  CHECK_THROWS_AS(nn::Linear(nullptr)->forward(ones({1})), Error);
  CHECK_THROWS_AS(m.modules(), Error);  // no shared pointer holds it
  CHECK(m.modules(false).empty());
}

TEST_CASE("a parameter that modules share is one parameter, and two entries of the state dict") {
  nn::Linear a(3, 3), b(3, 3);
  b->weight = b->register_parameter("tied", a->weight);
  nn::Sequential both(a, b);
  CHECK(both->parameters().size() == 4);
  CHECK(both->state_dict().size() == 5);
}

TEST_CASE("load_state_dict copies, and lists all that does not fit") {
  Net from, to;
  to->fc1->weight.set_requires_grad(true);
  const Tensor kept = to->fc1->weight;
  const auto keys = to->load_state_dict(from->state_dict());
  CHECK(keys.missing_keys.empty());
  CHECK(equal(kept, from->fc1->weight));
  CHECK(!kept.is_same(from->fc1->weight));

  TensorDict broken = from->state_dict();
  broken.erase("scale");
  broken.set("fc2.weight", ones({3, 3}));
  broken.set("extra", ones({1}));
  try {
    to->load_state_dict(broken);
    FAIL("loaded");
  } catch (const Error& e) {
    CHECK(std::string(e.what()) ==
          "Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: \"scale\". \n\tUnexpected key(s) in state_dict: \"extra\". "
          "\n\tsize mismatch for fc2.weight: copying a param with shape torch.Size([3, 3]) from checkpoint, the shape in current model is torch.Size([2, 8]).");
  }
  broken.erase("fc2.weight");
  const auto amiss = to->load_state_dict(broken, false);
  CHECK(amiss.missing_keys == std::vector<std::string>{"scale", "fc2.weight"});
  CHECK(amiss.unexpected_keys == std::vector<std::string>{"extra"});
  TensorDict old = from->state_dict();
  old.erase("norm.num_batches_tracked");  // files of before it existed
  CHECK_NOTHROW(to->load_state_dict(old));
}

TEST_CASE("clone is deep, draws no random numbers, and keeps modes") {
  Net net;
  net->eval();
  manual_seed(5);
  const Tensor expected = rand({3});
  manual_seed(5);
  const auto copy = std::dynamic_pointer_cast<NetImpl>(net->clone());
  CHECK(equal(rand({3}), expected));
  CHECK(!copy->is_training());
  CHECK(equal(copy->fc1->weight, net->fc1->weight));
  CHECK(copy->fc1->weight.requires_grad());
  {
    const NoGradGuard no_grad;
    fill_(copy->fc1->weight, 0);
  }
  CHECK(!equal(copy->fc1->weight, net->fc1->weight));
  CHECK(copy->parameters()[1].is_same(copy->fc1->weight));
  const auto list = nn::Sequential(nn::Linear(2, 2), nn::Tanh())->clone();
  CHECK(text(*list) == text(nn::Sequential(nn::Linear(2, 2), nn::Tanh())));
  struct Plain : nn::Module {};
  CHECK_THROWS_AS(Plain().clone(), NotImplementedError);
}

TEST_CASE("train, requires_grad_, zero_grad, to, apply reach everything below") {
  Net net;
  net->train(false);
  CHECK(!net->norm->is_training());
  net->requires_grad_(false);
  CHECK(!net->fc2->weight.requires_grad());
  net->requires_grad_(true);
  sum(net->forward(ones({2, 4}))).backward();
  CHECK(net->fc1->weight.grad().defined());
  const Tensor weight = net->fc1->weight;
  net->to(DType::Float64);
  CHECK(weight.dtype() == DType::Float64);  // the same tensor, converted
  CHECK(weight.grad().dtype() == DType::Float64);
  CHECK(net->norm->num_batches_tracked.dtype() == DType::Int64);
  net->zero_grad(false);
  CHECK(sum(weight.grad()).item<double>() == 0);
  net->zero_grad();
  CHECK(!weight.grad().defined());
  CHECK_THROWS_AS(net->to(DType::Int32), TypeError);
  std::vector<std::string> order;
  net->apply([&](const std::string& path, nn::Module&) { order.push_back(path); });
  CHECK(order == std::vector<std::string>{"fc1", "norm", "fc2", ""});
}

TEST_CASE("Sequential passes on whatever its modules give") {
  struct TwoImpl : nn::Module {
    std::tuple<Tensor, Tensor> forward(const Tensor& x, double by = 2) { return {x, mul(x, by)}; }
  };
  struct SumImpl : nn::Module {
    Tensor forward(const std::tuple<Tensor, Tensor>& pair) { return add(std::get<0>(pair), std::get<1>(pair)); }
  };
  nn::Sequential chain(std::make_shared<TwoImpl>(), std::make_shared<SumImpl>(), nn::ReLU());
  CHECK(sum(chain->forward(ones({3}))).item<float>() == 9);
  CHECK(sum(chain->forward(ones({3}), 4.0)).item<float>() == 15);
  CHECK_THROWS_WITH_AS(chain->forward(1), doctest::Contains("Expected argument #0 to be of type Tensor"), Error);
  CHECK_THROWS_AS(chain->forward(ones({1}), 1.0, 2.0), Error);
  nn::Sequential wrong(nn::ReLU(), std::make_shared<SumImpl>());
  CHECK_THROWS_AS(wrong->forward(ones({1})), Error);
  nn::Sequential pair(std::make_shared<TwoImpl>());
  const auto [one, two] = pair->forward<std::tuple<Tensor, Tensor>>(ones({1}));
  CHECK(two.item<float>() == 2);
  CHECK_THROWS_AS(pair->forward(ones({1})), Error);
  CHECK_THROWS_AS(nn::Sequential()->forward(1), Error);

  nn::Sequential named({{"first", nn::Linear(2, 3)}, {"act", nn::Tanh()}});
  named->push_back("last", nn::Linear(3, 1));
  CHECK(named->named_children().keys() == std::vector<std::string>{"first", "act", "last"});
  CHECK(named->at<nn::Linear>(0).options.out_features() == 3);
  CHECK_THROWS_AS(named->at<nn::Linear>(1), Error);
  CHECK_THROWS_AS(named[7], IndexError);
  CHECK(named(ones({2})).sizes() == Dims{1});
}

TEST_CASE("lists and dictionaries of modules and parameters") {
  nn::ModuleList list(nn::Linear(1, 2), nn::Tanh());
  list->insert(1, nn::ReLU());
  CHECK(list->size() == 3);
  CHECK(list[1]->name() == "ReLU");
  CHECK(list->named_children().keys() == std::vector<std::string>{"0", "1", "2"});
  CHECK(list->state_dict().keys() == std::vector<std::string>{"0.weight", "0.bias"});

  nn::ModuleDict dict;
  dict->insert("a", nn::Linear(1, 2));
  dict->insert("b", nn::Tanh());
  CHECK(dict->at<nn::Linear>("a").options.in_features() == 1);
  CHECK(dict->contains("b"));
  CHECK(dict->pop("a")->name() == "Linear");
  CHECK_THROWS_AS(dict["a"], IndexError);

  nn::ParameterList parameters(ones({2, 3}), ones({4}));
  CHECK(text(parameters) == "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2x3]\n    (1): Parameter containing: [torch.float32 of size 4]\n)");
  CHECK(parameters->at(1).numel() == 4);
  CHECK_THROWS_AS(parameters->at(2), IndexError);
}

TEST_CASE("a functional module binds arguments") {
  nn::Functional leaky([](const Tensor& x, double slope) { return leaky_relu(x, slope); }, 0.5);
  CHECK(leaky(full({1}, -2.0)).item<float>() == -1);
  CHECK(nn::Sequential(nn::Functional(bolide::neg), nn::Identity(54, "ignored"))->forward(ones({1})).item<float>() == -1);
}

TEST_CASE("initial values are PyTorch's for the same seed") {
  manual_seed(0);
  const nn::Linear linear(3, 2);
  const float weight[] = {-0x1.1b47dp-8f, 0x1.3d2626p-2f, -0x1.e696fcp-2f, -0x1.b31792p-2f, -0x1.c76962p-3f, 0x1.3d12a6p-3f};
  const float bias[] = {-0x1.76d68p-7f, 0x1.d4c2f4p-2f};
  for (int i = 0; i < 6; ++i) CHECK(linear->weight.data<float>()[i] == weight[i]);
  for (int i = 0; i < 2; ++i) CHECK(linear->bias.data<float>()[i] == bias[i]);
  manual_seed(3);
  const Tensor before = rand({1});
  manual_seed(3);
  nn::utils::skip_init<nn::Linear>(30, 20);
  CHECK(equal(rand({1}), before));
}
