// Map: engine, stream, buffers of a thread | a step with its reorders | the cache of made operations
#pragma once

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <utility>

#include "cpu/dnnl_table.h"

extern "C" void omp_set_num_threads(int);

namespace bolide::plugin {

using dnnl::memory;
using Dims = memory::dims;

inline const dnnl::engine& engine() {
  static const dnnl::engine one(dnnl::engine::kind::cpu, 0);
  return one;
}

inline dnnl::stream& stream() {
  static thread_local dnnl::stream one(engine());
  return one;
}

// Blocked copies and working memory of the calling thread, kept between calls.
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }
  void* get(size_t bytes) {
    if (bytes > size_) {
      std::free(data_);
      size_ = 0;
      const size_t rounded = (bytes + 4095) / 4096 * 4096;
      data_ = std::aligned_alloc(64, rounded);
      if (data_ == nullptr) throw std::bad_alloc();
      size_ = rounded;
    }
    return data_;
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

enum Slot : int { kX, kW, kY, kWork, kBias, kSlots };

inline Buffer& buffer(Slot slot) {
  static thread_local Buffer buffers[kSlots];
  return buffers[slot];
}

inline memory::data_type data_type(int32_t type) {
  return type == kBolideDnnlBf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

// An argument as the user holds it and as the operation wants it, with the reorder between them if they
// differ.
struct Operand {
  memory::desc user, inner;
  dnnl::reorder step;
  bool reorders = false;

  void set(const memory::desc& from, const memory::desc& wanted, bool output) {
    user = from;
    inner = wanted;
    reorders = user != inner;
    if (!reorders) return;
    const auto pd = output ? dnnl::reorder::primitive_desc(engine(), inner, engine(), user)
                           : dnnl::reorder::primitive_desc(engine(), user, engine(), inner);
    step = dnnl::reorder(pd);
  }

  memory input(const void* data, Slot slot) const {
    memory given(user, engine(), const_cast<void*>(data));
    if (!reorders) return given;
    memory copy(inner, engine(), buffer(slot).get(inner.get_size()));
    step.execute(stream(), given, copy);
    return copy;
  }
  memory output(void* data, Slot slot) const {
    if (!reorders) return memory(user, engine(), data);
    return memory(inner, engine(), buffer(slot).get(inner.get_size()));
  }
  void finish(memory& result, void* data) const {
    if (!reorders) return;
    memory wanted(user, engine(), data);
    step.execute(stream(), result, wanted);
  }
};

// Working memory comes from the calling thread, so one operation can run on many threads at once.
inline dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

inline memory working_memory(const memory::desc& desc) {
  return memory(desc, engine(), buffer(kWork).get(desc.get_size() + 64));
}

// Keys are plain structs without padding bytes, compared as bytes.
template <class Key>
struct BytesHash {
  size_t operator()(const Key& key) const {
    uint64_t hash = 1469598103934665603u;
    const unsigned char* bytes = reinterpret_cast<const unsigned char*>(&key);
    for (size_t i = 0; i < sizeof(Key); ++i) hash = (hash ^ bytes[i]) * 1099511628211u;
    return size_t(hash);
  }
};
template <class Key>
struct BytesEqual {
  bool operator()(const Key& a, const Key& b) const { return std::memcmp(&a, &b, sizeof(Key)) == 0; }
};

// Operations by shape. A null entry remembers that oneDNN has none. The cache starts anew when it is full:
// programs whose shapes never repeat must not fill the memory.
template <class Key, class Made>
class Cache {
 public:
  std::shared_ptr<const Made> get(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto found = made_.find(key);
    if (found != made_.end()) return found->second;
    if (made_.size() >= kMost) made_.clear();
    std::shared_ptr<const Made> one;
    try {
      one = std::make_shared<const Made>(key);
    } catch (const dnnl::error&) {
    }
    made_.emplace(key, one);
    return one;
  }

 private:
  static constexpr size_t kMost = 512;
  std::mutex mutex_;
  std::unordered_map<Key, std::shared_ptr<const Made>, BytesHash<Key>, BytesEqual<Key>> made_;
};

// Runs f on this thread alone; 0 when it did.
template <class F>
int guarded(F f) {
  try {
    omp_set_num_threads(1);
    return f() ? 0 : 1;
  } catch (const dnnl::error&) {
    return 1;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

int conv_forward(const BolideDnnlConv* shape, const void* x, const void* w, const void* bias, void* y);
int conv_backward_data(const BolideDnnlConv* shape, const void* dy, const void* w, void* dx);
int conv_backward_weights(const BolideDnnlConv* shape, const void* x, const void* dy, void* dw, void* db);
int matmul(const BolideDnnlMatmul* shape, const void* a, const void* b, const void* bias, void* c);

}  // namespace bolide::plugin
