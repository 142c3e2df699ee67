// nn::init: fills tensors with initial values, with the random numbers that PyTorch draws for the same seed. Each writes
// its tensor in place, unrecorded, and returns it.
#pragma once
#include "bolide/nn/options.h"

namespace bolide {
class Generator;
}

namespace bolide::nn::init {

/// The factor by which `nonlinearity` (kReLU, kTanh, kLeakyReLU, ...) changes the scale of values; `param` is a slope.
double calculate_gain(const std::string& nonlinearity, double param = 0.01);

Tensor uniform_(Tensor tensor, double low = 0, double high = 1, Generator* generator = nullptr);
Tensor normal_(Tensor tensor, double mean = 0, double std = 1, Generator* generator = nullptr);
/// A normal distribution cut off outside of [a, b].
Tensor trunc_normal_(Tensor tensor, double mean = 0, double std = 1, double a = -2, double b = 2, Generator* generator = nullptr);
Tensor constant_(Tensor tensor, const Scalar& value);
Tensor ones_(Tensor tensor);
Tensor zeros_(Tensor tensor);
/// The identity matrix.
Tensor eye_(Tensor matrix);
/// Convolution weights that keep as many channels as there are, in each group.
Tensor dirac_(Tensor tensor, int64_t groups = 1);
Tensor xavier_uniform_(Tensor tensor, double gain = 1, Generator* generator = nullptr);
Tensor xavier_normal_(Tensor tensor, double gain = 1, Generator* generator = nullptr);
Tensor kaiming_uniform_(Tensor tensor, double a = 0, const std::string& mode = kFanIn, const std::string& nonlinearity = kLeakyReLU,
                        Generator* generator = nullptr);
Tensor kaiming_normal_(Tensor tensor, double a = 0, const std::string& mode = kFanIn, const std::string& nonlinearity = kLeakyReLU,
                       Generator* generator = nullptr);
/// Rows (or columns) that are orthonormal, times gain.
Tensor orthogonal_(Tensor tensor, double gain = 1, Generator* generator = nullptr);
/// In each column a share `sparsity` of zeros, the others normal.
Tensor sparse_(Tensor matrix, double sparsity, double std = 0.01, Generator* generator = nullptr);

}  // namespace bolide::nn::init
