// Python values to tensors and back: nested lists, numbers, buffers (NumPy arrays share memory), tolist.
#include "iter/plan.h"
#include "python.h"

namespace bolide::python {

// ---- buffers ---------------------------------------------------------------------------------

OptDType dtype_of_format(const char* f, Py_ssize_t size) {
  if (!f) return DType::UInt8;
  while (*f == '@' || *f == '=' || *f == '<') ++f;
  if (f[0] == 'Z') return f[1] == 'f' ? DType::Complex64 : f[1] == 'd' ? OptDType(DType::Complex128) : std::nullopt;
  switch (*f) {
    case '?': return DType::Bool;
    case 'B': return DType::UInt8;
    case 'b': return DType::Int8;
    case 'h': return DType::Int16;
    case 'i': case 'l': case 'q': return size == 4 ? DType::Int32 : DType::Int64;
    case 'e': return DType::Float16;
    case 'f': return DType::Float32;
    case 'd': return DType::Float64;
    default: return {};
  }
}

namespace {

/// A tensor that shares the memory of a buffer and keeps it alive.
Tensor from_buffer(PyObject* o, bool need_writable) {
  auto* view = new Py_buffer;
  if (PyObject_GetBuffer(o, view, PyBUF_STRIDED | PyBUF_FORMAT | (need_writable ? PyBUF_WRITABLE : 0)) < 0) {
    PyErr_Clear();
    if (PyObject_GetBuffer(o, view, PyBUF_STRIDED_RO | PyBUF_FORMAT) < 0) {
      delete view;
      throw PythonError{};
    }
  }
  auto release = [](void* p) {
    const PyGILState_STATE gil = PyGILState_Ensure();
    PyBuffer_Release(static_cast<Py_buffer*>(p));
    delete static_cast<Py_buffer*>(p);
    PyGILState_Release(gil);
  };
  const OptDType dtype = dtype_of_format(view->format, view->itemsize);
  std::string problem;
  Dims sizes, strides;
  int64_t span = view->itemsize;
  if (!dtype) problem = str("can't convert np.ndarray of type ", view->format, ". The only supported types are: float64, float32, float16, "
                            "complex64, complex128, int64, int32, int16, int8, uint8, and bool.");
  for (int d = 0; d < view->ndim && problem.empty(); ++d) {
    if (view->strides[d] < 0) problem = "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
                                        "currently supported. (You can probably work around this by making a copy of your array  with array.copy().) ";
    else if (view->strides[d] % view->itemsize) problem = "given numpy array strides not a multiple of the element byte size. Copy the numpy array to reallocate the memory.";
    sizes.push_back(view->shape[d]);
    strides.push_back(view->strides[d] / view->itemsize);
    if (view->shape[d]) span += (view->shape[d] - 1) * view->strides[d];
  }
  if (!problem.empty()) {
    release(view);
    if (!dtype) fail<TypeError>(problem);
    fail<ValueError>(problem);
  }
  Tensor t(new TensorImpl);
  t->storage = Storage::borrow(view->buf, static_cast<size_t>(view->len ? span : 0), Device(), release, view);
  t->dtype = *dtype;
  t->sizes = sizes, t->strides = strides;
  t->refresh();
  return t;
}

PyObject* from_numpy(PyObject*, PyObject* o) {
  return guard([&]() -> PyObject* {
    BOLIDE_CHECK_AS(TypeError, PyObject_CheckBuffer(o) && PyObject_HasAttrString(o, "__array_interface__"), "expected np.ndarray (got ",
                    Py_TYPE(o)->tp_name, ")");
    return wrap(from_buffer(o, true));
  });
}

// ---- nested data -----------------------------------------------------------------------------

struct Shape {
  Dims sizes;
  bool found = false;  // a leaf
};

bool is_sequence(PyObject* o) { return PyList_Check(o) || PyTuple_Check(o) || (!PyUnicode_Check(o) && !PyBytes_Check(o) && PySequence_Check(o) && !is_tensor(o) && !is_number(o)); }

void measure(PyObject* o, Dims& sizes, int depth = 0) {
  while (is_sequence(o)) {
    BOLIDE_CHECK_AS(ValueError, ++depth <= 128, "too many dimensions '", Py_TYPE(o)->tp_name, "'");
    const Py_ssize_t n = PySequence_Size(o);
    if (n < 0) throw PythonError{};
    sizes.push_back(n);
    if (n == 0) return;
    Object first(check(PySequence_GetItem(o, 0)));
    o = first.get();
    if (is_tensor(o)) {
      for (int64_t s : unwrap(o).sizes()) sizes.push_back(s);
      return;
    }
    if (!is_sequence(o)) return;
    Object keep = first;
    return measure(keep.get(), sizes, depth);
  }
}

void widen(PyObject* o, OptDType& t) {
  auto join = [&](DType d) { t = t ? promote(*t, d) : d; };
  if (PyFloat_Check(o) && !PyObject_HasAttrString(o, "dtype")) return join(default_dtype());
  if (PyBool_Check(o)) return join(DType::Bool);
  if (PyLong_Check(o)) return join(DType::Int64);
  if (PyComplex_Check(o) && !PyObject_HasAttrString(o, "dtype")) return join(complex_of(default_dtype()));
  if (is_tensor(o)) return join(unwrap(o).dtype());
  if (PyObject_CheckBuffer(o) && !PyBytes_Check(o)) return join(from_buffer(o, false).dtype());
  if (is_sequence(o)) {
    Object seq(check(PySequence_Fast(o, "expected a sequence")));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(seq.get()); ++i) widen(PySequence_Fast_GET_ITEM(seq.get(), i), t);
    return;
  }
  if (is_number(o)) return join(scalar_of(o).dtype());
  if (PyUnicode_Check(o)) fail<TypeError>("new(): invalid data type 'str'");
  fail<Error>("Could not infer dtype of ", Py_TYPE(o)->tp_name);
}

void store(PyObject* o, const Dims& sizes, size_t d, DType t, char*& out) {
  if (d == sizes.size() || is_tensor(o)) {
    if (is_tensor(o)) {
      const Tensor v = unwrap(o).detach().to(t).contiguous();
      std::memcpy(out, v.raw(), static_cast<size_t>(v.numel() * v.itemsize()));
      out += v.numel() * v.itemsize();
      return;
    }
    if (is_sequence(o)) fail<ValueError>("only one element tensors can be converted to Python scalars: the nesting of the data is uneven");
    const Scalar s = scalar_of(o);
    BOLIDE_CHECK_AS(TypeError, !s.is_complex() || is_complex(t), "can't convert complex to ", name(t));
    if (s.is_int() && !s.is_bool() && is_integral(t) && t != DType::Int64) {
      const int64_t v = s.to_int(), bits = item_size(t) * 8;
      const int64_t lo = t == DType::UInt8 ? -255 : -(int64_t{1} << (bits - 1)), hi = t == DType::UInt8 ? 255 : (int64_t{1} << (bits - 1)) - 1;
      BOLIDE_CHECK(v >= lo && v <= hi, "value cannot be converted to type ", name(t), " without overflow");
    }
    iter::store_scalar(t, out, s);
    out += item_size(t);
    return;
  }
  BOLIDE_CHECK_AS(TypeError, is_sequence(o), "not a sequence");
  Object seq(check(PySequence_Fast(o, "not a sequence")));
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(seq.get());
  BOLIDE_CHECK_AS(ValueError, n == sizes[d], "expected sequence of length ", sizes[d], " at dim ", d, " (got ", n, ")");
  for (Py_ssize_t i = 0; i < n; ++i) store(PySequence_Fast_GET_ITEM(seq.get(), i), sizes, d + 1, t, out);
}

}  // namespace

Tensor tensor_from(PyObject* data, OptDType dtype, std::optional<Device> device) {
  if (is_tensor(data)) {
    Tensor t = to(unwrap(data).detach(), dtype, device, true);
    return t;
  }
  if (PyObject_CheckBuffer(data) && !PyBytes_Check(data)) {
    const Tensor b = from_buffer(data, false);
    Tensor t = empty(b.sizes(), dtype ? *dtype : b.dtype());
    copy_(t, b);
    return to(t, {}, device);
  }
  if (PyUnicode_Check(data)) fail<TypeError>("new(): invalid data type 'str'");
  Dims sizes;
  measure(data, sizes);
  OptDType t = dtype;
  if (!t) widen(data, t);
  Tensor r = empty(sizes, t ? *t : default_dtype());
  char* out = r.raw();
  if (r.numel() || !sizes.empty()) {
    if (r.numel()) store(data, sizes, 0, r.dtype(), out);
  }
  return to(r, {}, device);
}

namespace {
PyObject* list_level(const Tensor& t, size_t d, const char* p) {
  if (d == t.sizes().size()) return wrap(iter::load_scalar(t.dtype(), p));
  const int64_t n = t.sizes()[d], step = t.strides()[d] * t.itemsize();
  PyObject* l = check(PyList_New(n));
  for (int64_t i = 0; i < n; ++i) PyList_SET_ITEM(l, i, list_level(t, d + 1, p + i * step));
  return l;
}

PyObject* py_tensor(PyObject*, PyObject* args, PyObject* kw) {
  return guard([&]() -> PyObject* {
    PyObject *data, *dtype = nullptr, *device = nullptr;
    int requires_grad = 0, pin = 0;
    static const char* names[] = {"data", "dtype", "device", "requires_grad", "pin_memory", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kw, "O|$OOpp", const_cast<char**>(names), &data, &dtype, &device, &requires_grad, &pin)) return nullptr;
    BOLIDE_CHECK_AS(TypeError, !dtype || dtype == Py_None || is_dtype(dtype), "tensor(): argument 'dtype' must be torch.dtype, not ", dtype ? Py_TYPE(dtype)->tp_name : "");
    Tensor t = tensor_from(data, dtype && dtype != Py_None ? OptDType(dtype_of(dtype)) : std::nullopt,
                           device && device != Py_None ? std::optional<Device>(device_of(device)) : std::nullopt);
    BOLIDE_CHECK(!requires_grad || is_differentiable(t.dtype()), "Only Tensors of floating point and complex dtype can require gradients");
    if (requires_grad) t.set_requires_grad(true);
    return wrap(t);
  });
}
PyObject* py_as_tensor(PyObject*, PyObject* args, PyObject* kw) {
  return guard([&]() -> PyObject* {
    PyObject *data, *dtype = nullptr, *device = nullptr;
    static const char* names[] = {"data", "dtype", "device", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kw, "O|OO", const_cast<char**>(names), &data, &dtype, &device)) return nullptr;
    const OptDType t = dtype && dtype != Py_None ? OptDType(dtype_of(dtype)) : std::nullopt;
    const auto d = device && device != Py_None ? std::optional<Device>(device_of(device)) : std::nullopt;
    if (is_tensor(data)) return wrap(to(unwrap(data), t, d));
    if (PyObject_CheckBuffer(data) && PyObject_HasAttrString(data, "__array_interface__")) return wrap(to(from_buffer(data, true), t, d));
    return wrap(tensor_from(data, t, d));
  });
}

// ---- the buffer protocol of tensors, for NumPy ------------------------------------------------

struct PyView { PyObject_HEAD PyObject* tensor; };
struct ViewShape { Py_ssize_t sizes[32], strides[32]; };
int view_get(PyObject* self, Py_buffer* b, int) {
  const Tensor& t = unwrap(reinterpret_cast<PyView*>(self)->tensor);
  auto* s = new ViewShape;
  for (size_t d = 0; d < t.sizes().size() && d < 32; ++d) s->sizes[d] = t.sizes()[d], s->strides[d] = t.strides()[d] * t.itemsize();
  const char* format = nullptr;
  switch (t.dtype()) {
    case DType::UInt8: format = "B"; break;
    case DType::Int8: format = "b"; break;
    case DType::Int16: format = "h"; break;
    case DType::Int32: format = "i"; break;
    case DType::Int64: format = "l"; break;
    case DType::Float16: format = "e"; break;
    case DType::Float32: format = "f"; break;
    case DType::Float64: format = "d"; break;
    case DType::Complex64: format = "Zf"; break;
    case DType::Complex128: format = "Zd"; break;
    case DType::Bool: format = "?"; break;
    default: break;
  }
  if (!format) {
    delete s;
    PyErr_SetString(PyExc_TypeError, "Got unsupported ScalarType BFloat16");
    return -1;
  }
  static char nothing;
  *b = Py_buffer{.buf = t.numel() ? t.raw() : &nothing, .obj = Py_NewRef(self), .len = t.numel() * t.itemsize(), .itemsize = t.itemsize(), .readonly = 0,
                 .ndim = static_cast<int>(t.dim()), .format = const_cast<char*>(format), .shape = s->sizes, .strides = s->strides,
                 .suboffsets = nullptr, .internal = s};
  return 0;
}
void view_release(PyObject*, Py_buffer* b) { delete static_cast<ViewShape*>(b->internal); }
void view_dealloc(PyObject* self) {
  Py_DECREF(reinterpret_cast<PyView*>(self)->tensor);
  PyObject_Free(self);
}
PyBufferProcs view_buffer = {view_get, view_release};
PyTypeObject ViewType = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide._C._View", .tp_basicsize = sizeof(PyView),
                         .tp_dealloc = view_dealloc, .tp_as_buffer = &view_buffer, .tp_flags = Py_TPFLAGS_DEFAULT};
PyObject* py_view(PyObject*, PyObject* t) {
  auto* v = PyObject_New(PyView, &ViewType);
  v->tensor = Py_NewRef(t);
  return reinterpret_cast<PyObject*>(v);
}
PyObject* py_frombuffer(PyObject*, PyObject* o) { return guard([&] { return wrap(from_buffer(o, true)); }); }

PyMethodDef functions[] = {
    {"tensor", reinterpret_cast<PyCFunction>(py_tensor), METH_VARARGS | METH_KEYWORDS,
     "tensor(data, *, dtype=None, device=None, requires_grad=False): a new tensor with a copy of the data."},
    {"as_tensor", reinterpret_cast<PyCFunction>(py_as_tensor), METH_VARARGS | METH_KEYWORDS,
     "as_tensor(data, dtype=None, device=None): shares memory where it can."},
    {"from_numpy", from_numpy, METH_O, "A tensor that shares memory with the array."},
    {"_from_buffer", py_frombuffer, METH_O, nullptr}, {"_buffer_view", py_view, METH_O, nullptr}, {}};
}  // namespace

PyObject* to_list(const Tensor& t) {
  if (t.device().is_cuda()) return to_list(t.to(Device()));
  BOLIDE_CHECK_AS(NotImplementedError, !t.device().is_meta(), "Cannot copy out of meta tensor; no data!");
  return list_level(t, 0, t.numel() ? t.raw() : nullptr);
}

void init_convert(PyObject* m) {
  check(PyType_Ready(&ViewType));
  check(PyModule_AddFunctions(m, functions));
}

}  // namespace bolide::python
