// Printing of tensors: `std::cout << t` writes what Python's repr does.
#pragma once
#include <iosfwd>

#include "bolide/tensor.h"

namespace bolide {

struct PrintOptions {
  int precision = 4;             // digits after the point
  int64_t threshold = 1000;      // tensors with more elements are summarised
  int edgeitems = 3;             // shown at each end of a summarised dimension
  int linewidth = 80;
  std::optional<bool> sci_mode;  // scientific notation on or off; nullopt: the values decide
};
/// Applies to every thread; to be set before others print.
void set_printoptions(const PrintOptions& options);
PrintOptions get_printoptions();


}  // namespace bolide
