// Files of values, modules and optimizers.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "bolide/bolide.h"

using namespace bolide;

namespace {
struct File {
  std::string path = (std::filesystem::temp_directory_path() / ("bolide_io_" + std::to_string(::getpid()) + ".pth")).string();
  ~File() { std::filesystem::remove(path); }
};
}  // namespace

TEST_CASE("any value there and back") {
  const File file;
  IValue v = IValue::dict();
  v.insert("epoch", 3), v.insert("rate", 0.25), v.insert("done", true), v.insert("name", "net"), v.insert("none", IValue());
  v.insert("list", std::vector<IValue>{1, 2.5, IValue::tuple({IValue("a"), IValue()}), std::vector<IValue>{}});
  v.insert(7, complex128(1, -2));
  const Tensor t = arange(0, 6);
  v.insert("tensor", reshape(t, {2, 3})), v.insert("same memory", t);
  save(v, file.path);
  const IValue back = load_ivalue(file.path);
  std::ostringstream a, b;
  a << v, b << back;
  CHECK(a.str() == b.str());
  CHECK(equal(back.at("tensor").toTensor(), reshape(t, {2, 3})));
  CHECK(back.at("tensor").toTensor().storage() == back.at("same memory").toTensor().storage());
  CHECK(back.find(int64_t{7})->toComplexDouble() == complex128(1, -2));
  CHECK_THROWS_AS(back.at("absent"), IndexError);
  CHECK_THROWS_AS(back.at("name").toInt(), TypeError);
  const IValue again = pickle_load(pickle_save(v));
  CHECK(again.at("epoch").toInt() == 3);
  IValue loop = std::vector<IValue>();
  loop.toList().push_back(loop);
  CHECK_THROWS_AS(save(loop, file.path), ValueError);
  loop.toList().clear();
}

TEST_CASE("tensors, lists and dictionaries by torch's names") {
  const File file;
  save(ones({2}), file.path);
  Tensor t;
  load(t, file.path);
  CHECK(equal(t, ones({2})));
  save(std::vector<Tensor>{ones({1}), zeros({3})}, file.path);
  std::vector<Tensor> list;
  load(list, file.path);
  CHECK(list.size() == 2);
  CHECK_THROWS_AS(load(t, file.path), Error);
  save(TensorDict{{"a", ones({1})}}, file.path);
  TensorDict dict;
  load(dict, file.path);
  CHECK(dict.contains("a"));
}

TEST_CASE("modules and optimizers there and back") {
  const File file;
  const auto make = [] { return nn::Sequential{nn::Linear(3, 4), nn::BatchNorm1d(4), nn::Linear(4, 1)}; };
  nn::Sequential from = make(), to = make();
  save(from, file.path);
  load(to, file.path);
  for (const auto& [name, value] : from->state_dict()) CHECK(equal(value, to->state_dict()[name]));
  CHECK(load_dict(file.path).keys() == from->state_dict().keys());
  nn::Linear other(2, 2);
  CHECK_THROWS_WITH_AS(load(other, file.path), doctest::Contains("Missing key(s) in state_dict: \"weight\", \"bias\""), Error);

  optim::Adam first(from->parameters(), 0.5), second(to->parameters(), 0.1);
  sum(from[0]->as<nn::Linear>()->forward(ones({1, 3}))).backward();
  first.step();
  save(first, file.path);
  load(second, file.path);
  CHECK(second.param_groups()[0].options().get_lr() == 0.5);
  CHECK(equal(second.state(to->parameters()[0], "exp_avg"), first.state(from->parameters()[0], "exp_avg")));
}
