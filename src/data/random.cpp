// Seeds, states and generators for C++ users.
#include "bolide/random.h"

#include "bolide/ops.h"
#include "core/rng.h"

namespace bolide {

uint64_t seed() { return default_generator().seed(); }
uint64_t initial_seed() { return default_generator().initial_seed(); }

std::shared_ptr<Generator> make_generator(uint64_t seed) { return std::make_shared<Generator>(seed); }
void manual_seed(Generator& g, uint64_t seed) { g.manual_seed(seed); }

Tensor get_rng_state(const Generator& g) {
  Tensor state = empty({static_cast<int64_t>(Generator::kStateBytes)}, DType::UInt8);
  g.get_state(state.data<uint8_t>());
  return state;
}
void set_rng_state(Generator& g, const Tensor& state) {
  BOLIDE_CHECK_AS(TypeError, state.dtype() == DType::UInt8 && state.device().is_cpu(), "RNG state must be a torch.ByteTensor");
  const Tensor whole = contiguous(state);
  g.set_state(whole.data<uint8_t>(), static_cast<size_t>(whole.numel()));
}
Tensor get_rng_state() { return get_rng_state(default_generator()); }
void set_rng_state(const Tensor& state) { set_rng_state(default_generator(), state); }

}  // namespace bolide
