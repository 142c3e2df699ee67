// Python values as tensors and back. Map: elements | nested data | tensor, as_tensor, asarray | tolist.
#include "binder.h"
#include "iter/plan.h"

namespace bolide::python {

namespace {

// ---- elements ----------------------------------------------------------------------------------

[[noreturn]] void fail_range(DType t) { fail<Error>("value cannot be converted to type ", name(t), " without overflow"); }

/// What an integral type holds; unsigned ones also take negative numbers of their size, which wrap round.
void check_range(DType t, double v) {
  const int bits = static_cast<int>(item_size(t)) * 8 - is_signed(t);
  const double end = std::ldexp(1.0, bits), begin = is_signed(t) ? -end : 1 - end;
  if (!(v >= begin && v < end)) fail_range(t);
}
void check_range(DType t, int64_t v) {
  const int bits = static_cast<int>(item_size(t)) * 8 - is_signed(t);
  if (bits >= 63) return;
  const int64_t end = int64_t{1} << bits, begin = is_signed(t) ? -end : 1 - end;
  if (v < begin || v >= end) fail_range(t);
}

int64_t long_of(PyObject* o) {
  int overflow = 0;
  const long long v = PyLong_AsLongLongAndOverflow(o, &overflow);
  BOLIDE_CHECK_AS(ValueError, !overflow, "Overflow when unpacking long long");
  return v;
}
Scalar int_scalar(PyObject* o, DType t) {
  if (is_differentiable(t)) {
    const double d = PyLong_AsDouble(o);
    if (d == -1 && PyErr_Occurred()) throw PythonError{};
    return Scalar(d);
  }
  if (t == DType::UInt64) {
    const unsigned long long u = PyLong_AsUnsignedLongLong(o);
    if (PyErr_Occurred()) throw PythonError{};
    return Scalar(static_cast<int64_t>(u));
  }
  const int64_t v = long_of(o);
  if (t != DType::Bool) check_range(t, v);
  return Scalar(v);
}
/// A number as an element of type t; throws where t cannot hold it.
void store_number(PyObject* o, DType t, char* out) {
  if (PyLong_CheckExact(o)) return iter::store_scalar(t, out, int_scalar(o, t));
  const Scalar s = scalar_of(o);
  BOLIDE_CHECK_AS(TypeError, !s.is_complex() || is_complex(t) || t == DType::Bool, "must be real number, not complex: the dtype is ", name(t));
  if (s.is_float() && is_integral(t)) check_range(t, s.to_double());
  if (s.is_int() && !s.is_bool() && is_integral(t) && t != DType::UInt64) check_range(t, s.to_int());
  iter::store_scalar(t, out, s);
}
PyObject* element(DType t, const Scalar& s) {
  return t == DType::UInt64 ? PyLong_FromUnsignedLongLong(static_cast<uint64_t>(s.to_int())) : wrap(s);
}

// ---- nested data -------------------------------------------------------------------------------

bool is_text(PyObject* o) { return PyUnicode_Check(o) || PyBytes_Check(o); }
bool is_sequence(PyObject* o) {
  return PyList_Check(o) || PyTuple_Check(o) || (!is_text(o) && PySequence_Check(o) && !is_tensor(o) && !is_number(o));
}
/// NumPy arrays and what is like them; a NumPy scalar has the interface, too, but no elements to assign.
bool is_array(PyObject* o) {
  const PyMappingMethods* m = Py_TYPE(o)->tp_as_mapping;
  return m && m->mp_ass_subscript && !PyList_Check(o) && PyObject_CheckBuffer(o) && PyObject_HasAttrString(o, "__array_interface__");
}

void measure(PyObject* o, Dims& sizes, int depth = 0) {
  if (!is_sequence(o)) return;
  BOLIDE_CHECK_AS(ValueError, depth < 128, "too many dimensions '", Py_TYPE(o)->tp_name, "'");
  const Py_ssize_t n = PySequence_Size(o);
  if (n < 0) throw PythonError{};
  sizes.push_back(n);
  if (n) measure(Object(check(PySequence_GetItem(o, 0))).get(), sizes, depth + 1);
}

/// Joins the dtypes of all elements.
void widen(PyObject* o, OptDType& t, bool nested = false) {
  auto join = [&](DType d) { t = t ? promote(*t, d) : d; };
  if (PyFloat_CheckExact(o)) return join(default_dtype());
  if (PyBool_Check(o)) return join(DType::Bool);
  if (PyLong_Check(o)) return join(DType::Int64);
  if (PyComplex_CheckExact(o)) return join(complex_of(default_dtype()));
  if (is_tensor(o)) return join(unwrap(o).dtype());
  if (PyList_Check(o) || PyTuple_Check(o)) {
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i) widen(PySequence_Fast_GET_ITEM(o, i), t, true);
    return;
  }
  if (is_text(o) && nested) fail<ValueError>("too many dimensions '", Py_TYPE(o)->tp_name, "'");
  if (is_text(o)) fail<TypeError>("new(): invalid data type '", Py_TYPE(o)->tp_name, "'");
  if (PyObject_CheckBuffer(o) && PyObject_HasAttrString(o, "__array_interface__")) return join(from_buffer(o).dtype());
  if (is_sequence(o)) return widen(Object(check(PySequence_Tuple(o))).get(), t, true);
  if (PyFloat_Check(o)) return join(default_dtype());
  if (is_number(o)) return join(scalar_of(o).dtype());
  fail<Error>("Could not infer dtype of ", Py_TYPE(o)->tp_name);
}

void store(PyObject* o, const Dims& sizes, size_t d, DType t, char*& out) {
  if (d == sizes.size()) {
    BOLIDE_CHECK_AS(ValueError, !is_sequence(o) && (!is_tensor(o) || unwrap(o).numel() == 1),
                    "only one element tensors can be converted to Python scalars");
    store_number(o, t, out);
    out += item_size(t);
    return;
  }
  BOLIDE_CHECK_AS(TypeError, is_sequence(o), "not a sequence");
  Object seq(check(PySequence_Fast(o, "not a sequence")));
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(seq.get());
  BOLIDE_CHECK_AS(ValueError, n == sizes[d], "expected sequence of length ", sizes[d], " at dim ", d, " (got ", n, ")");
  for (Py_ssize_t i = 0; i < n; ++i) store(PySequence_Fast_GET_ITEM(seq.get(), i), sizes, d + 1, t, out);
}

Tensor from_array(PyObject* o) {
  bool read_only;
  Tensor t = from_buffer(o, &read_only);
  if (read_only) warn_read_only("NumPy array");
  return t;
}

}  // namespace

Tensor tensor_from(PyObject* data, OptDType dtype, std::optional<Device> device) {
  if (is_tensor(data)) return to(unwrap(data).detach(), dtype, device, true);
  if (is_array(data)) {
    const Tensor b = from_buffer(data);
    Tensor t = empty(b.sizes(), dtype ? *dtype : b.dtype());
    copy_(t, b);
    return to(t, {}, device);
  }
  Dims sizes;
  measure(data, sizes);
  OptDType t = dtype;
  if (!t) widen(data, t);
  Tensor r = empty(sizes, t ? *t : default_dtype());
  if (r.numel()) {
    char* out = r.raw();
    store(data, sizes, 0, r.dtype(), out);
  }
  return to(r, {}, device);
}

// ---- tensor, as_tensor, asarray ----------------------------------------------------------------

namespace {

struct Wanted {
  OptDType dtype;
  std::optional<Device> device;
};
/// The dtype and device arguments at positions i and i + 1.
Wanted read_wanted(const char* function, const Params& p, size_t i) {
  BOLIDE_CHECK_AS(TypeError, !p.has(i) || is_dtype(p[i]), function, "(): argument 'dtype' must be torch.dtype, not ", type_name(p[i]));
  Wanted w;
  if (p.has(i)) w.dtype = dtype_of(p[i]);
  if (p.has(i + 1)) w.device = device_of(p[i + 1]);
  else if (const Device* d = default_device()) w.device = *d;
  return w;
}
void want_gradient(Tensor& t) {
  BOLIDE_CHECK(is_differentiable(t.dtype()), "Only Tensors of floating point and complex dtype can require gradients");
  t.set_requires_grad(true);
}

PyObject* n_tensor(PyObject*, const Given& g) {
  const Params p = read_params("tensor", g, {"data", "*", "dtype", "device", "requires_grad", "pin_memory"}, 1);
  const Wanted w = read_wanted("tensor", p, 1);
  Tensor t = tensor_from(p[0], w.dtype, w.device);
  if (p.flag(3)) want_gradient(t);
  return wrap(std::move(t));
}
PyObject* n_as_tensor(PyObject*, const Given& g) {
  const Params p = read_params("as_tensor", g, {"data", "dtype", "device"}, 1);
  const Wanted w = read_wanted("as_tensor", p, 1);
  if (is_tensor(p[0])) return wrap(to(unwrap(p[0]), w.dtype, w.device));
  if (is_array(p[0])) return wrap(to(from_array(p[0]), w.dtype, w.device));
  return wrap(tensor_from(p[0], w.dtype, w.device));
}

/// A tensor on the memory of tensors, arrays, DLPack objects, storages and other buffers; undefined for other values.
Tensor alias_of(PyObject* o, DType otherwise) {
  if (is_tensor(o)) return unwrap(o);
  if (is_array(o)) return from_array(o);
  if (PyCapsule_CheckExact(o) || (PyObject_HasAttrString(o, "__dlpack__") && PyObject_HasAttrString(o, "__dlpack_device__"))) {
    Object module(check(PyImport_ImportModule("bolide.utils.dlpack")));
    return unwrap(Object(check(PyObject_CallMethod(module.get(), "from_dlpack", "O", o))).get());
  }
  if (PyObject_HasAttrString(o, "_untyped_storage_tensor"))
    return unwrap(Object(check(PyObject_CallMethod(o, "_untyped_storage_tensor", "O", Object(wrap(otherwise)).get()))).get());
  if (!PyObject_CheckBuffer(o) || is_number(o)) return {};
  Object f(check(PyObject_GetAttrString(Object(check(PyImport_ImportModule("bolide._C"))).get(), "frombuffer")));
  Object args(check(Py_BuildValue("(O)", o))), kw(check(Py_BuildValue("{sN}", "dtype", wrap(otherwise))));
  return unwrap(Object(check(PyObject_Call(f.get(), args.get(), kw.get()))).get());
}
/// t as asked for; a copy when `copy` says so or a conversion needs one, which copy=False forbids.
Tensor converted(const Tensor& t, const Wanted& w, bool must_copy, bool may_copy) {
  BOLIDE_CHECK_AS(ValueError, may_copy || !w.device || *w.device == t.device(), "can't alias tensor from device '", t.device(), "' to '",
                  w.device.value_or(Device()), "'.");
  BOLIDE_CHECK_AS(ValueError, may_copy || !w.dtype || *w.dtype == t.dtype(), "can't alias tensor with dtype '", legacy_name(t.dtype()),
                  "' into dtype '", legacy_name(w.dtype.value_or(t.dtype())), "'.");
  const Tensor r = to(t, w.dtype, w.device);
  return must_copy && r.storage() == t.storage() ? clone(r) : r;
}
PyObject* n_asarray(PyObject*, const Given& g) {
  const Params p = read_params("asarray", g, {"obj", "*", "dtype", "device", "copy", "requires_grad"}, 1);
  const Wanted w = read_wanted("asarray", p, 1);
  const bool must_copy = p.has(3) && p.flag(3), may_copy = !p.has(3) || must_copy;
  Tensor t = alias_of(p[0], w.dtype.value_or(default_dtype()));
  if (t.defined()) {
    t = converted(t, w, must_copy, may_copy);
  } else {
    BOLIDE_CHECK_AS(ValueError, may_copy || !is_sequence(p[0]), "can't alias arbitrary sequence into a tensor.");
    t = tensor_from(p[0], w.dtype, w.device);
  }
  if (p.has(4) && !p.flag(4) && t.requires_grad()) t = t.detach();
  if (p.flag(4) && !t.requires_grad()) want_gradient(t);
  return wrap(std::move(t));
}

struct Function {
  const char* name;
  NativeCall call;
  const char* doc;
};
constexpr Function kFunctions[] = {
    {"tensor", n_tensor, "tensor(data, *, dtype=None, device=None, requires_grad=False): a new tensor with a copy of the data."},
    {"as_tensor", n_as_tensor, "as_tensor(data, dtype=None, device=None): shares memory where it can."},
    {"asarray", n_asarray,
     "asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=None): a tensor of a tensor, array, DLPack object, buffer, number "
     "or sequence. It shares memory where it can; copy=True never does, and copy=False raises where it would not."}};

// ---- tolist ------------------------------------------------------------------------------------

PyObject* list_level(const Tensor& t, size_t d, const char* p) {
  if (d == t.sizes().size()) return element(t.dtype(), iter::load_scalar(t.dtype(), p));
  const int64_t n = t.sizes()[d], step = t.strides()[d] * t.itemsize();
  PyObject* l = check(PyList_New(n));
  for (int64_t i = 0; i < n; ++i) PyList_SET_ITEM(l, i, list_level(t, d + 1, p + i * step));
  return l;
}

}  // namespace

PyObject* to_list(const Tensor& t) {
  if (t.device().is_cuda()) return to_list(t.to(Device()));
  BOLIDE_CHECK_AS(NotImplementedError, !t.device().is_meta(), "Cannot copy out of meta tensor; no data!");
  return list_level(t, 0, t.numel() ? t.raw() : nullptr);
}
PyObject* item_of(const Tensor& t) { return element(t.dtype(), t.item()); }

void init_convert(PyObject* m) {
  for (const Function& f : kFunctions) check(PyModule_AddObjectRef(m, f.name, Object(make_native(f.name, f.call, false, f.doc)).get()));
}

}  // namespace bolide::python
