// Memory shared with other Python objects. Map: buffer formats | buffers as tensors (from_numpy, frombuffer) | tensors as
// buffers, which is how NumPy gets its arrays.
#include "python.h"

namespace bolide::python {

// ---- buffer formats ----------------------------------------------------------------------------

OptDType dtype_of_format(const char* f, Py_ssize_t size) {
  if (!f) return DType::UInt8;
  while (*f == '@' || *f == '=' || *f == '<') ++f;
  if (f[0] == 'Z') return f[1] == 'f' ? DType::Complex64 : f[1] == 'd' ? OptDType(DType::Complex128) : std::nullopt;
  switch (*f) {
    case '?': return DType::Bool;
    case 'B': return DType::UInt8;
    case 'b': return DType::Int8;
    case 'h': return DType::Int16;
    case 'H': return DType::UInt16;
    case 'i': case 'l': case 'q': return size == 4 ? DType::Int32 : DType::Int64;
    case 'I': case 'L': case 'Q': return size == 4 ? DType::UInt32 : DType::UInt64;
    case 'e': return DType::Float16;
    case 'f': return DType::Float32;
    case 'd': return DType::Float64;
    default: return {};
  }
}

namespace {

const char* format_of_dtype(DType t) {
  switch (t) {
    case DType::UInt8: return "B";
    case DType::Int8: return "b";
    case DType::Int16: return "h";
    case DType::Int32: return "i";
    case DType::Int64: return "l";
    case DType::UInt16: return "H";
    case DType::UInt32: return "I";
    case DType::UInt64: return "L";
    case DType::Float16: return "e";
    case DType::Float32: return "f";
    case DType::Float64: return "d";
    case DType::Complex64: return "Zf";
    case DType::Complex128: return "Zd";
    case DType::Bool: return "?";
    default: return nullptr;
  }
}

// ---- buffers as tensors ------------------------------------------------------------------------

void release_buffer(void* p) {
  const PyGILState_STATE gil = PyGILState_Ensure();
  PyBuffer_Release(static_cast<Py_buffer*>(p));
  delete static_cast<Py_buffer*>(p);
  PyGILState_Release(gil);
}
using Buffer = std::unique_ptr<Py_buffer, void (*)(void*)>;

/// The object's buffer, writable where it can be; null, with the exception set, when it has none of that form.
Buffer open_buffer(PyObject* o, int form) {
  auto* view = new Py_buffer;
  if (PyObject_GetBuffer(o, view, form | PyBUF_WRITABLE) < 0) {
    PyErr_Clear();
    if (PyObject_GetBuffer(o, view, form) < 0) {
      delete view;
      view = nullptr;
    }
  }
  return Buffer(view, release_buffer);
}

[[noreturn]] void fail_format(PyObject* o, const Py_buffer& view) {
  if (view.format && (*view.format == '>' || *view.format == '!') && dtype_of_format(view.format + 1, view.itemsize))
    fail<ValueError>("given numpy array has byte order different from the native byte order. Conversion between byte orders is currently "
                     "not supported.");
  Object dtype(PyObject_GetAttrString(o, "dtype")), type(dtype ? PyObject_GetAttrString(dtype.get(), "type") : nullptr);
  PyErr_Clear();
  const char* name = type && PyType_Check(type.get()) ? reinterpret_cast<PyTypeObject*>(type.get())->tp_name : view.format;
  fail<TypeError>("can't convert np.ndarray of type ", name, ". The only supported types are: float64, float32, float16, complex64, "
                  "complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool.");
}
void check_strides(const Py_buffer& view) {
  for (int d = 0; d < view.ndim; ++d) {
    BOLIDE_CHECK_AS(ValueError, view.strides[d] >= 0, "At least one stride in the given numpy array is negative, and tensors with negative "
                    "strides are not currently supported. (You can probably work around this by making a copy of your array  with "
                    "array.copy().) ");
    BOLIDE_CHECK_AS(ValueError, view.strides[d] % view.itemsize == 0, "given numpy array strides not a multiple of the element byte size. "
                    "Copy the numpy array to reallocate the memory.");
  }
}

Tensor tensor_of(DType dtype, Dims sizes, Dims strides, void* data, size_t bytes, Buffer owner) {
  Tensor t(new TensorImpl);
  t->storage = Storage::borrow(data, bytes, Device(), release_buffer, owner.get());
  owner.release();
  t->dtype = dtype;
  t->sizes = std::move(sizes), t->strides = std::move(strides);
  t->refresh();
  return t;
}

PyObject* from_numpy(PyObject*, PyObject* o) {
  return guard([&]() -> PyObject* {
    const PyMappingMethods* m = Py_TYPE(o)->tp_as_mapping;  // NumPy scalars have the interface, too, but no elements to assign
    BOLIDE_CHECK_AS(TypeError, m && m->mp_ass_subscript && PyObject_CheckBuffer(o) && PyObject_HasAttrString(o, "__array_interface__"),
                    "expected np.ndarray (got ", Py_TYPE(o)->tp_name, ")");
    bool read_only;
    Tensor t = from_buffer(o, &read_only);
    if (read_only) warn_read_only("NumPy array");
    return wrap(std::move(t));
  });
}

/// The number of elements that frombuffer reads.
int64_t counted(int64_t bytes, int64_t item, int64_t count, int64_t offset) {
  BOLIDE_CHECK_AS(ValueError, bytes && count, "both buffer length (", bytes, ") and count (", count, ") must not be 0");
  BOLIDE_CHECK_AS(ValueError, offset >= 0 && offset < bytes, "offset (", offset, " bytes) must be non-negative and no greater than buffer "
                  "length (", bytes, " bytes) minus 1");
  const int64_t rest = bytes - offset;
  BOLIDE_CHECK_AS(ValueError, count > 0 || rest % item == 0, "buffer length (", rest, " bytes) after offset (", offset,
                  " bytes) must be a multiple of element size (", item, ")");
  BOLIDE_CHECK_AS(ValueError, count <= 0 || count <= rest / item, "requested buffer length (", count, " * ", item, " bytes) after offset (",
                  offset, " bytes) must not be greater than actual buffer length (", bytes, " bytes)");
  return count > 0 ? count : rest / item;
}
PyObject* frombuffer(PyObject*, PyObject* args, PyObject* kw) {
  return guard([&]() -> PyObject* {
    PyObject *o = nullptr, *dtype = nullptr;
    long long count = -1, offset = 0;
    int requires_grad = 0;
    static const char* names[] = {"buffer", "dtype", "count", "offset", "requires_grad", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kw, "O|$OLLp:frombuffer", const_cast<char**>(names), &o, &dtype, &count, &offset, &requires_grad))
      return nullptr;
    BOLIDE_CHECK_AS(TypeError, dtype, "frombuffer() missing 1 required positional arguments: \"dtype\"");
    BOLIDE_CHECK_AS(TypeError, is_dtype(dtype), "frombuffer(): argument 'dtype' must be torch.dtype, not ", type_name(dtype));
    const DType t = dtype_of(dtype);
    BOLIDE_CHECK(!requires_grad || is_differentiable(t), "Only Tensors of floating point and complex dtype can require gradients");
    BOLIDE_CHECK_AS(ValueError, PyObject_CheckBuffer(o), "object does not implement Python buffer protocol.");
    Buffer view = open_buffer(o, PyBUF_SIMPLE);
    if (!view) {
      PyErr_Clear();
      fail<Error>("could not retrieve buffer from object");
    }
    const int64_t n = counted(view->len, item_size(t), count, offset);
    if (view->readonly) warn_read_only("buffer");
    void* data = static_cast<char*>(view->buf) + offset;
    Tensor r = tensor_of(t, {n}, {1}, data, static_cast<size_t>(n * item_size(t)), std::move(view));
    if (requires_grad) r.set_requires_grad(true);
    return wrap(std::move(r));
  });
}

// ---- tensors as buffers ------------------------------------------------------------------------

struct PyView { PyObject_HEAD PyObject* tensor; };
struct ViewShape { Py_ssize_t sizes[32], strides[32]; };

int view_get(PyObject* self, Py_buffer* b, int) {
  const Tensor& t = unwrap(reinterpret_cast<PyView*>(self)->tensor);
  const char* format = format_of_dtype(t.dtype());
  if (!format || t.dim() > 32) {
    PyErr_Format(PyExc_BufferError, format ? "a buffer has at most 32 dimensions" : "no buffer holds elements of type %s", legacy_name(t.dtype()));
    return -1;
  }
  auto* s = new ViewShape;
  for (size_t d = 0; d < t.sizes().size(); ++d) s->sizes[d] = t.sizes()[d], s->strides[d] = t.strides()[d] * t.itemsize();
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

PyObject* buffer_view(PyObject*, PyObject* t) {
  return guard([&]() -> PyObject* {
    BOLIDE_CHECK_AS(TypeError, is_tensor(t), "expected a Tensor, not ", type_name(t));
    BOLIDE_CHECK_AS(TypeError, format_of_dtype(unwrap(t).dtype()), "Got unsupported ScalarType ", legacy_name(unwrap(t).dtype()));
    auto* v = PyObject_New(PyView, &ViewType);
    if (!v) return nullptr;
    v->tensor = Py_NewRef(t);
    return reinterpret_cast<PyObject*>(v);
  });
}

PyMethodDef functions[] = {
    {"from_numpy", from_numpy, METH_O, "from_numpy(ndarray): a tensor that shares memory with the array."},
    {"frombuffer", reinterpret_cast<PyCFunction>(frombuffer), METH_VARARGS | METH_KEYWORDS,
     "frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False): a 1-d tensor that shares the buffer's memory; `count` "
     "elements (all when negative) from the byte `offset` on."},
    {"_buffer_view", buffer_view, METH_O, nullptr}, {}};

}  // namespace

void warn_read_only(const char* what) {
  static bool warned = false;
  if (std::exchange(warned, true)) return;
  const std::string text = str("The given ", what, " is not writable, and PyTorch does not support non-writable tensors: writing to this "
                               "tensor changes memory that others take to be constant. Copy the data to be safe. Said once.");
  check(PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 1));
}

Tensor from_buffer(PyObject* o, bool* read_only) {
  Buffer view = open_buffer(o, PyBUF_STRIDED_RO | PyBUF_FORMAT);
  if (!view) throw PythonError{};
  const OptDType dtype = dtype_of_format(view->format, view->itemsize);
  if (!dtype) fail_format(o, *view);
  check_strides(*view);
  if (read_only) *read_only = view->readonly;
  Dims sizes, strides;
  int64_t span = view->itemsize;
  for (int d = 0; d < view->ndim; ++d) {
    sizes.push_back(view->shape[d]);
    strides.push_back(view->strides[d] / view->itemsize);
    if (view->shape[d]) span += (view->shape[d] - 1) * view->strides[d];
  }
  void* data = view->buf;
  const size_t bytes = view->len ? static_cast<size_t>(span) : 0;
  return tensor_of(*dtype, std::move(sizes), std::move(strides), data, bytes, std::move(view));
}

void init_buffers(PyObject* m) {
  check(PyType_Ready(&ViewType));
  check(PyModule_AddFunctions(m, functions));
}

}  // namespace bolide::python
