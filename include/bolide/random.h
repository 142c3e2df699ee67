// Random numbers: seeds, states, and generators apart from the default one.
#pragma once
#include <memory>

#include "bolide/tensor.h"

namespace bolide {

class Generator;

/// Seeds the default generator.
void manual_seed(uint64_t seed);
/// Seeds the default generator from the operating system; gives the seed.
uint64_t seed();
uint64_t initial_seed();
/// The state of the default generator: 5056 bytes, as in PyTorch.
Tensor get_rng_state();
void set_rng_state(const Tensor& state);

/// A generator of its own, for functions that take one: `randperm(10, *make_generator(0))`.
std::shared_ptr<Generator> make_generator(uint64_t seed);
void manual_seed(Generator& generator, uint64_t seed);
Tensor get_rng_state(const Generator& generator);
void set_rng_state(Generator& generator, const Tensor& state);

}  // namespace bolide
