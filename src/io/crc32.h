// CRC-32 as ZIP and gzip use it (reflected 0xEDB88320), at memory speed.
#pragma once
#include <cstddef>
#include <cstdint>

namespace bolide::io {

/// The checksum of `before`'s bytes followed by these; start with 0.
uint32_t crc32(uint32_t before, const void* data, size_t n);

}  // namespace bolide::io
