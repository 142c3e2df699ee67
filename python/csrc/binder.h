// What the binder's files share: ops as Python sees them (Arg, Overload, Family, PyOp), a call being read (Given, Frame).
#pragma once
#include <deque>

#include "python.h"

namespace bolide::python {

struct Arg {
  ArgType type;
  bool keyword_only, has_default, list_of_one;
  int list_size;
  PyObject* name;  // interned; functions call self "input"
  Value fallback;
  std::string_view default_text;
};
struct Overload {
  const OpInfo* op;
  std::vector<Arg> args;
  int positional = 0;      // how many may come by position, self included
  int required = 0;        // how many have no default
  int device = -1;         // which one is a factory's device
  bool takes_out = false;
  PyTypeObject* named_result = nullptr;
};
/// All overloads of one name, in one of its forms (the functional one, or the one that writes self).
struct Family {
  std::string name;
  bool in_place = false;  // the name ends in _ and the op itself is functional
  std::deque<Overload> overloads;
  PyObject* function = nullptr;
  PyObject* method = nullptr;
};

/// Arguments as Python hands them over: `n` by position, then one for each name in `kwnames`.
struct Given {
  PyObject* const* args;
  size_t n;
  PyObject* kwnames;
  size_t keywords() const { return kwnames ? static_cast<size_t>(PyTuple_GET_SIZE(kwnames)) : 0; }
  PyObject* keyword(size_t i) const { return PyTuple_GET_ITEM(kwnames, static_cast<Py_ssize_t>(i)); }
  PyObject* keyword_value(size_t i) const { return args[n + i]; }
};

using NativeCall = PyObject* (*)(PyObject* self, const Given& rest);
/// A callable of the module or of Tensor: an op's family, or a function written by hand.
struct PyOp {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  Family* family;
  NativeCall native;  // when there is no family
  bool method;
  const char* name;
  const char* doc;
};
extern PyTypeObject OpType;
PyObject* call_native(PyObject* op, const Given& g);
PyObject* make_native(const char* name, NativeCall call, bool method, const char* doc);
/// The arguments of a function written by hand, by the order of `names` ("*" begins those by keyword only); null: not given.
struct Params {
  PyObject* v[10] = {};
  PyObject* operator[](size_t i) const { return v[i]; }
  bool has(size_t i) const { return v[i] && v[i] != Py_None; }
  bool flag(size_t i, bool otherwise = false) const { return v[i] ? PyObject_IsTrue(v[i]) == 1 : otherwise; }
};
Params read_params(const char* function, const Given& g, std::initializer_list<const char*> names, size_t required = 0);

/// The boxed arguments of one call and room for its lists. Nothing is zeroed: reading writes what is used.
class Frame {
 public:
  Frame() {}
  Frame(const Frame&) = delete;
  ~Frame() { if (blocks_) [[unlikely]] free_blocks(); }
  Value* values() { return reinterpret_cast<Value*>(room_); }
  void restart() { out = nullptr, needs_grad = overridden = false, used_ints_ = used_tensors_ = 0; }
  int64_t* take_ints(size_t n) {
    if (used_ints_ + n <= kInts) [[likely]] { used_ints_ += static_cast<uint32_t>(n); return ints_ + used_ints_ - n; }
    return static_cast<int64_t*>(take_block(n * sizeof(int64_t)));
  }
  TensorImpl** take_tensors(size_t n) {
    if (used_tensors_ + n <= kTensors) [[likely]] { used_tensors_ += static_cast<uint32_t>(n); return tensors_ + used_tensors_ - n; }
    return static_cast<TensorImpl**>(take_block(n * sizeof(void*)));
  }
  void* take_block(size_t bytes);

  const char* op = "";       // the name for messages
  PyObject* out = nullptr;   // the out= argument
  bool needs_grad = false;   // a tensor that was read requires grad
  bool overridden = false;   // a tensor's class overrides __torch_function__

 private:
  static constexpr uint32_t kInts = 32, kTensors = 16;
  void free_blocks();
  void* blocks_ = nullptr;
  uint32_t used_ints_ = 0, used_tensors_ = 0;
  int64_t ints_[kInts];
  TensorImpl* tensors_[kTensors];
  alignas(Value) std::byte room_[sizeof(Value) * (kMaxArgs + 1)];
};

// parse.cpp
bool read(PyObject* o, const Arg& a, Frame& frame, Value& v);
/// Reads a call by one overload; false when it does not fit. `method`: the first argument is self, given by position.
bool parse(const Overload& o, const Given& g, bool method, Frame& frame);
/// The argument a keyword means (axis is dim, x is input ...), or -1.
int find_keyword(const Overload& o, PyObject* key, bool method);
/// Whether all positions together may be one list of ints: x.view(2, 3), zeros(2, 3).
bool takes_varargs(const Overload& o, bool method);
bool is_plain_int(PyObject* o);

// mismatch.cpp: raises the TypeError of a call that fits no overload
[[noreturn]] void fail_arguments(const Family& f, const Given& g, bool method);

// override.cpp: __torch_function__
/// The call's override, where a mode or an argument asks for one; null where none does (no exception set then).
PyObject* call_override(PyObject* func, const Given& g, bool& called);

}  // namespace bolide::python
