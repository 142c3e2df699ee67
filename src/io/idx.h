// IDX files, the format of MNIST and Fashion-MNIST: a small header, then the elements, big-endian; gzip or not.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "bolide/tensor.h"

namespace bolide::io {

struct IdxData {
  DType dtype = DType::UInt8;
  std::vector<int64_t> shape;
  std::string bytes;  // elements in this machine's byte order
};

/// Throws FileError when the file cannot be read, is damaged, or is longer or shorter than it says.
IdxData read_idx(const std::string& path);
/// The same from memory; `name` stands in errors.
IdxData read_idx(const void* data, size_t n, const std::string& name);

}  // namespace bolide::io
