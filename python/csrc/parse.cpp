// Reading a call: Python arguments to boxed values, by an op's schema. No message is made here: a call that fits no
// overload is explained by mismatch.cpp. Map: numbers | lists | one argument | keywords | a whole call.
#include <cstring>

#include "binder.h"

namespace bolide::python {

// ---- numbers ---------------------------------------------------------------------------------

namespace {

bool read_long(PyObject* o, int64_t& out) {
  int overflow = 0;
  out = PyLong_AsLongLongAndOverflow(o, &overflow);
  if (overflow) fail<Error>("Overflow when unpacking long long");
  return true;
}

[[gnu::noinline]] bool read_other_int(PyObject* o, int64_t& out) {
  if (PyBool_Check(o) || PyFloat_Check(o)) return false;
  if (PyLong_Check(o)) return read_long(o, out);
  if (is_tensor(o)) {
    const Tensor& t = unwrap(o);
    if (t.numel() != 1 || !is_integral(t.dtype()) || t.requires_grad()) return false;
    out = t.item<int64_t>();
    return true;
  }
  if (!PyIndex_Check(o)) return false;
  Object whole(PyNumber_Index(o));
  if (!whole) {
    PyErr_Clear();
    return false;
  }
  return read_long(whole.get(), out);
}
/// An int, a 0-d integer tensor, or anything with __index__ (but no bool).
bool read_int(PyObject* o, int64_t& out) {
  return PyLong_CheckExact(o) ? read_long(o, out) : read_other_int(o, out);
}

bool read_scalar(PyObject* o, Value& v) {
  if (PyFloat_CheckExact(o)) {
    v.d[0] = PyFloat_AS_DOUBLE(o), v.tag = Value::Tag::Double;
    return true;
  }
  if (is_tensor(o)) {
    const Tensor& t = unwrap(o);
    if (t.dim() != 0 || t.requires_grad()) return false;
    v = box(t.item());
    return true;
  }
  if (!is_number(o)) return false;
  v = box(scalar_of(o));
  return true;
}

bool read_bool(PyObject* o, Value& v) {
  if (PyBool_Check(o)) {
    v = box(o == Py_True);
    return true;
  }
  if (is_tensor(o)) {
    const Tensor& t = unwrap(o);
    if (t.dtype() != DType::Bool || t.dim() != 0 || t.requires_grad()) return false;
    v = box(t.item<bool>());
    return true;
  }
  if (std::strncmp(Py_TYPE(o)->tp_name, "numpy.bool", 10)) return false;
  v = box(PyObject_IsTrue(o) == 1);
  return true;
}

// ---- lists -----------------------------------------------------------------------------------

[[noreturn, gnu::cold]] void fail_list_item(const char* op, const Arg& a, size_t at, PyObject* item) {
  fail<TypeError>(op, "(): argument '", PyUnicode_AsUTF8(a.name), "' failed to unpack the object at pos ", at + 1,
                  " with error \"type must be tuple of ints,but got ", type_name(item), "\"");
}

/// The first item decides whether this is a list of ints at all; a later one of another type is an error at once.
bool read_int_items(PyObject* const* items, size_t n, const Arg& a, Frame& frame, Value& v) {
  int64_t* p = frame.take_ints(n);
  for (size_t i = 0; i < n; ++i) {
    if (read_int(items[i], p[i])) [[likely]] continue;
    if (i == 0) return false;
    fail_list_item(frame.op, a, i, items[i]);
  }
  v = box(IntList(p, n));
  return true;
}

bool read_ints(PyObject* o, const Arg& a, Frame& frame, Value& v) {
  if (PyTuple_Check(o)) return read_int_items(&PyTuple_GET_ITEM(o, 0), static_cast<size_t>(PyTuple_GET_SIZE(o)), a, frame, v);
  if (PyList_Check(o))
    return read_int_items(&PyList_GET_ITEM(o, 0), static_cast<size_t>(PyList_GET_SIZE(o)), a, frame, v);
  int64_t one;
  if (!a.list_of_one || !read_int(o, one)) return false;
  const auto n = static_cast<size_t>(std::max(a.list_size, 1));
  int64_t* p = frame.take_ints(n);
  std::fill(p, p + n, one);
  v = box(IntList(p, n));
  return true;
}

bool read_floats(PyObject* o, Frame& frame, Value& v) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  const auto n = static_cast<size_t>(PySequence_Fast_GET_SIZE(o));
  auto* p = static_cast<double*>(frame.take_block(n * sizeof(double)));
  for (size_t i = 0; i < n; ++i) {
    Value one;
    if (!read_scalar(PySequence_Fast_GET_ITEM(o, static_cast<Py_ssize_t>(i)), one)) return false;
    p[i] = one.number();
  }
  v = box(std::span<const double>(p, n));
  return true;
}

bool read_bools(PyObject* o, Frame& frame, Value& v) {
  if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
  const auto n = static_cast<size_t>(PySequence_Fast_GET_SIZE(o));
  int64_t* p = frame.take_ints(n);
  for (size_t i = 0; i < n; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(o, static_cast<Py_ssize_t>(i));
    if (!PyBool_Check(item)) return false;
    p[i] = item == Py_True;
  }
  v = box(IntList(p, n));
  return true;
}

void note_tensor(PyObject* o, Frame& frame) {
  frame.needs_grad |= reinterpret_cast<PyTensor*>(o)->impl->requires_grad();
  if (Py_TYPE(o) != &TensorType && overrides(o)) [[unlikely]] frame.overridden = true;
}

bool read_tensors(PyObject* o, bool none_ok, Frame& frame, Value& v) {
  const bool tuple = PyTuple_Check(o);
  if (!tuple && !PyList_Check(o)) return false;
  const auto n = static_cast<size_t>(PySequence_Fast_GET_SIZE(o));
  TensorImpl** p = frame.take_tensors(n);
  for (size_t i = 0; i < n; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(o, static_cast<Py_ssize_t>(i));
    if (is_tensor(item)) {
      p[i] = reinterpret_cast<PyTensor*>(item)->impl;
      note_tensor(item, frame);
    } else if (none_ok && item == Py_None) {
      p[i] = nullptr;
    } else {
      return false;
    }
  }
  v = Value::of(Value::Tag::TensorList, p, n);
  return true;
}

// ---- one argument ----------------------------------------------------------------------------

bool read_tensor(PyObject* o, Frame& frame, Value& v) {
  if (!is_tensor(o)) return false;
  v.t = reinterpret_cast<PyTensor*>(o)->impl, v.tag = Value::Tag::Tensor;
  note_tensor(o, frame);
  return true;
}

bool read_str(PyObject* o, Value& v) {
  if (!PyUnicode_Check(o)) return false;
  Py_ssize_t n;
  const char* s = PyUnicode_AsUTF8AndSize(o, &n);
  if (!s) throw PythonError{};
  v = box(Str(s, static_cast<size_t>(n)));
  return true;
}

bool read_double(PyObject* o, Value& v) {
  if (PyFloat_CheckExact(o)) return read_scalar(o, v);
  if (PyComplex_Check(o) || !read_scalar(o, v)) return false;
  v = box(v.scalar().to_double());
  return true;
}

template <class Py, class F>
bool read_object(PyObject* o, PyTypeObject* type, Value& v, F&& get) {
  if (!PyObject_TypeCheck(o, type)) return false;
  v = box(get(*reinterpret_cast<Py*>(o)));
  return true;
}

bool optional(ArgType t) {
  switch (t) {
    case ArgType::OptTensor: case ArgType::OptScalar: case ArgType::OptInt: case ArgType::OptIntList: case ArgType::OptFloat:
    case ArgType::OptBool: case ArgType::OptStr: case ArgType::OptDType: case ArgType::OptDevice: case ArgType::OptLayout:
    case ArgType::OptFormat: case ArgType::OptGenerator: return true;
    default: return false;
  }
}

}  // namespace

bool is_plain_int(PyObject* o) { return (PyLong_Check(o) && !PyBool_Check(o)) || (!PyFloat_Check(o) && !is_tensor(o) && PyIndex_Check(o)) || (is_tensor(o) && unwrap(o).numel() == 1 && is_integral(unwrap(o).dtype())); }

/// Reads `o` as the schema's type; false when it is of another type.
bool read(PyObject* o, const Arg& a, Frame& frame, Value& v) {
  if (o == Py_None && (optional(a.type) || (a.has_default && a.fallback.none()))) {
    v = Value();
    return true;
  }
  switch (a.type) {
    case ArgType::OptTensor: case ArgType::Tensor: return read_tensor(o, frame, v);
    case ArgType::Operand: return read_tensor(o, frame, v) || read_scalar(o, v);
    case ArgType::OptScalar: case ArgType::Scalar: return read_scalar(o, v);
    case ArgType::OptInt: case ArgType::Int: {
      int64_t i;
      if (!read_int(o, i)) return false;
      v = box(i);
      return true;
    }
    case ArgType::OptIntList: case ArgType::IntList: return read_ints(o, a, frame, v);
    case ArgType::OptFloat: case ArgType::Float: return read_double(o, v);
    case ArgType::FloatList: return read_floats(o, frame, v);
    case ArgType::OptBool: case ArgType::Bool: return read_bool(o, v);
    case ArgType::OptStr: case ArgType::Str: return read_str(o, v);
    case ArgType::OptDType: case ArgType::DType:
      if (!is_dtype(o)) return false;
      v = box(dtype_of(o));
      return true;
    case ArgType::OptDevice:
      if (Py_TYPE(o) != &DeviceType_ && !PyUnicode_Check(o) && !is_plain_int(o)) return false;
      v = box(device_of(o));
      return true;
    case ArgType::OptLayout: return read_object<PyLayout>(o, &LayoutType, v, [](auto& p) { return p.value; });
    case ArgType::OptFormat: return read_object<PyFormat>(o, &FormatType, v, [](auto& p) { return p.value; });
    case ArgType::OptGenerator: return read_object<PyGenerator>(o, &GeneratorType, v, [](auto& p) { return p.value; });
    case ArgType::BoolList: return read_bools(o, frame, v);
    case ArgType::TensorList: return read_tensors(o, false, frame, v);
    case ArgType::OptTensorList: return read_tensors(o, true, frame, v);
  }
  return false;
}

// ---- keywords --------------------------------------------------------------------------------

namespace {
// NumPy's names for PyTorch's arguments
constexpr std::pair<const char*, const char*> kAliases[] = {{"axis", "dim"}, {"keepdims", "keepdim"}, {"x", "input"}, {"a", "input"},
                                                            {"x1", "input"}, {"x2", "other"}, {"self", "input"}};

int find_name(const Overload& o, const char* text, size_t first) {
  for (size_t i = first; i < o.args.size(); ++i)
    if (!PyUnicode_CompareWithASCIIString(o.args[i].name, text)) return static_cast<int>(i);
  return -1;
}
}  // namespace

int find_keyword(const Overload& o, PyObject* key, bool method) {
  const size_t first = method;
  for (size_t i = first; i < o.args.size(); ++i)
    if (o.args[i].name == key) return static_cast<int>(i);
  const char* text = PyUnicode_AsUTF8(key);
  if (!text) throw PythonError{};
  int found = find_name(o, text, first);
  for (auto [from, to] : kAliases)
    if (found < 0 && !std::strcmp(from, text)) found = find_name(o, to, first);
  return found;
}

// ---- a whole call ----------------------------------------------------------------------------

bool takes_varargs(const Overload& o, bool method) {
  if (o.positional != 1 + method) return false;
  const ArgType t = o.args[static_cast<size_t>(method)].type;
  return t == ArgType::IntList || t == ArgType::OptIntList;
}

namespace {

/// Positions beyond what the overload has, or one int where it wants a list.
bool read_varargs(const Overload& o, const Given& g, bool method, Frame& frame) {
  const auto at = static_cast<size_t>(method);
  return takes_varargs(o, method) && g.n > at && is_plain_int(g.args[at]) &&
         read_int_items(g.args + at, g.n - at, o.args[at], frame, frame.values()[at]);
}

bool read_keywords(const Overload& o, const Given& g, bool method, Frame& frame, uint32_t& given) {
  for (size_t k = 0; k < g.keywords(); ++k) {
    PyObject* value = g.keyword_value(k);
    const int i = find_keyword(o, g.keyword(k), method);
    if (i < 0) {
      if (!o.takes_out || method || PyUnicode_CompareWithASCIIString(g.keyword(k), "out")) return false;
      if (value != Py_None) frame.out = value;
      continue;
    }
    const Arg& a = o.args[static_cast<size_t>(i)];
    if (given & (1u << i)) return false;
    given |= 1u << i;
    if (read(value, a, frame, frame.values()[i])) continue;
    int64_t one;
    const bool only = takes_varargs(o, method) && i == method && read_int(value, one);  // zeros(size=3)
    if (!only) return false;
    int64_t* p = frame.take_ints(1);
    *p = one;
    frame.values()[i] = box(IntList(p, 1));
  }
  return true;
}

}  // namespace

bool parse(const Overload& o, const Given& g, bool method, Frame& frame) {
  Value* values = frame.values();
  const Arg* args = o.args.data();
  size_t used = g.n;
  if (g.n > static_cast<size_t>(o.positional)) [[unlikely]] {
    if (!takes_varargs(o, method) || !read_varargs(o, g, method, frame)) return false;
    used = static_cast<size_t>(method);
    if (method && !read(g.args[0], args[0], frame, values[0])) return false;
    used = 1 + static_cast<size_t>(method);
  } else {
    for (size_t i = 0; i < used; ++i) {
      if (read(g.args[i], args[i], frame, values[i])) [[likely]] continue;
      if (i + 1 != used || i != static_cast<size_t>(method) || !read_varargs(o, g, method, frame)) return false;
    }
  }
  uint32_t given = (1u << used) - 1;
  if (g.kwnames && !read_keywords(o, g, method, frame, given)) return false;
  const size_t count = o.args.size();
  for (size_t i = used; i < count; ++i) {
    if (given & (1u << i)) continue;
    if (!args[i].has_default) return false;
    values[i] = args[i].fallback;
  }
  return true;
}

// ---- functions written by hand -----------------------------------------------------------------

Params read_params(const char* f, const Given& g, std::initializer_list<const char*> names, size_t required) {
  Params p;
  const char* plain[10];
  size_t count = 0, positional = SIZE_MAX;
  for (const char* n : names) {
    if (*n == '*') positional = count;
    else plain[count++] = n;
  }
  positional = std::min(positional, count);
  if (g.n > positional) {
    const char* plural = positional == 1 ? "" : "s";
    fail<TypeError>(f, "() takes ", required == positional ? "" : "from ", required == positional ? "" : std::to_string(required) + " to ",
                    positional, " positional argument", required == positional ? plural : "s", " but ", g.n, g.n == 1 ? " was given" : " were given");
  }
  for (size_t i = 0; i < g.n; ++i) p.v[i] = g.args[i];
  for (size_t k = 0; k < g.keywords(); ++k) {
    size_t i = 0;
    while (i < count && PyUnicode_CompareWithASCIIString(g.keyword(k), plain[i])) ++i;
    BOLIDE_CHECK_AS(TypeError, i < count, f, "() got an unexpected keyword argument '", PyUnicode_AsUTF8(g.keyword(k)), "'");
    BOLIDE_CHECK_AS(TypeError, !p.v[i], f, "() got multiple values for argument '", plain[i], "'");
    p.v[i] = g.keyword_value(k);
  }
  for (size_t i = 0; i < required; ++i)
    BOLIDE_CHECK_AS(TypeError, p.v[i], f, "() missing 1 required positional arguments: \"", plain[i], "\"");
  return p;
}

}  // namespace bolide::python
