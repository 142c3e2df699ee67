// Deflate and gzip decompression. Output never exceeds what the caller allows; damage is an InflateError.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace bolide::io {

struct InflateError : std::runtime_error { using std::runtime_error::runtime_error; };

/// Expands a raw deflate stream into exactly `size` bytes; returns how many input bytes it took.
size_t inflate(const uint8_t* in, size_t n, uint8_t* out, size_t size);

/// Expands a gzip file (all its members) of at most `limit` bytes; checks lengths and checksums.
std::string gunzip(const uint8_t* in, size_t n, size_t limit);

}  // namespace bolide::io
