// Methods of Tensor that are no ops: sizes and memory | values | conversions of dtype, device and format | autograd |
// subclasses. Each is a NativeCall; the table at the end names them.
#include "autograd/meta.h"
#include "binder.h"

namespace bolide::python {

namespace {

#define SELF unwrap(self)

// ---- sizes and memory --------------------------------------------------------------------------

int64_t int_of(const char* function, const char* name, PyObject* o) {
  BOLIDE_CHECK_AS(TypeError, is_plain_int(o), function, "(): argument '", name, "' (position 1) must be int, not ", type_name(o));
  if (is_tensor(o)) return unwrap(o).item<int64_t>();
  const long long v = PyLong_AsLongLong(Object(check(PyNumber_Index(o))).get());
  if (v == -1 && PyErr_Occurred()) throw PythonError{};
  return v;
}
PyObject* m_size(PyObject* self, const Given& g) {
  const Params p = read_params("size", g, {"dim"});
  if (!p.has(0)) return wrap_size(SELF.sizes());
  const int64_t d = int_of("size", "dim", p[0]);
  if (SELF.dim() == 0) fail<IndexError>("Dimension specified as ", d, " but tensor has no dimensions");
  return PyLong_FromLongLong(SELF.size(d));
}
PyObject* m_stride(PyObject* self, const Given& g) {
  const Params p = read_params("stride", g, {"dim"});
  if (p.has(0)) {
    const int64_t d = int_of("stride", "dim", p[0]);
    if (SELF.dim() == 0) fail<IndexError>("Dimension specified as ", d, " but tensor has no dimensions");
    return PyLong_FromLongLong(SELF.stride(d));
  }
  PyObject* t = check(PyTuple_New(SELF.dim()));
  for (int64_t d = 0; d < SELF.dim(); ++d) PyTuple_SET_ITEM(t, d, PyLong_FromLongLong(SELF.strides()[static_cast<size_t>(d)]));
  return t;
}
void no_arguments(const char* name, const Given& g) {
  BOLIDE_CHECK_AS(TypeError, !g.n && !g.keywords(), "TensorBase.", name, "() takes no arguments (", g.n + g.keywords(), " given)");
}
#define PLAIN(name, value)                        \
  PyObject* m_##name(PyObject* self, const Given& g) { \
    no_arguments(#name, g);                       \
    return value;                                 \
  }
PLAIN(dim, PyLong_FromLongLong(SELF.dim()))
PLAIN(numel, PyLong_FromLongLong(SELF.numel()))
PLAIN(element_size, PyLong_FromLongLong(SELF.itemsize()))
PLAIN(storage_offset, PyLong_FromLongLong(SELF.storage_offset()))
PLAIN(data_ptr, PyLong_FromVoidPtr(SELF.device().is_meta() || !SELF.storage()->bytes ? nullptr : SELF.raw()))
PLAIN(_storage_ptr, PyLong_FromVoidPtr(SELF.storage()->data))
PLAIN(_storage_bytes, PyLong_FromSize_t(SELF.storage()->bytes))
PLAIN(is_floating_point, PyBool_FromLong(is_floating(SELF.dtype())))
PLAIN(is_complex, PyBool_FromLong(is_complex(SELF.dtype())))
PLAIN(is_signed, PyBool_FromLong(is_signed(SELF.dtype())))
PLAIN(is_inference, PyBool_FromLong(SELF->has(TensorImpl::kInference)))
PLAIN(get_device, PyLong_FromLong(SELF.device().is_cuda() ? std::max<int>(SELF.device().index, 0) : -1))
PLAIN(_is_view, PyBool_FromLong(bool(SELF->base)))
PyObject* m_false(PyObject*, const Given&) { Py_RETURN_FALSE; }
PyObject* m_self(PyObject* self, const Given&) { return Py_NewRef(self); }

MemoryFormat format_of(const char* function, PyObject* o) {
  BOLIDE_CHECK_AS(TypeError, Py_TYPE(o) == &FormatType, function, "(): argument 'memory_format' must be torch.memory_format, not ",
                  type_name(o));
  return reinterpret_cast<PyFormat*>(o)->value;
}
PyObject* m_is_contiguous(PyObject* self, const Given& g) {
  const Params p = read_params("is_contiguous", g, {"*", "memory_format"});
  return PyBool_FromLong(p.has(0) ? SELF.is_contiguous(format_of("is_contiguous", p[0])) : SELF.is_contiguous());
}
PyObject* m_is_set_to(PyObject* self, const Given& g) {
  const Params p = read_params("is_set_to", g, {"tensor"}, 1);
  BOLIDE_CHECK_AS(TypeError, is_tensor(p[0]), "is_set_to(): argument 'tensor' (position 1) must be Tensor, not ", type_name(p[0]));
  const Tensor &a = SELF, &b = unwrap(p[0]);
  return PyBool_FromLong(a.storage() == b.storage() && a.storage_offset() == b.storage_offset() && a.sizes() == b.sizes() &&
                         a.strides() == b.strides());
}
PyObject* m_is_same_size(PyObject* self, const Given& g) {
  const Params p = read_params("is_same_size", g, {"other"}, 1);
  BOLIDE_CHECK_AS(TypeError, is_tensor(p[0]), "is_same_size(): argument 'other' (position 1) must be Tensor, not ", type_name(p[0]));
  return PyBool_FromLong(SELF.sizes() == unwrap(p[0]).sizes());
}

// ---- values ------------------------------------------------------------------------------------

PyObject* m_item(PyObject* self, const Given& g) {
  no_arguments("item", g);
  return item_of(SELF);
}
PyObject* m_tolist(PyObject* self, const Given& g) {
  no_arguments("tolist", g);
  return to_list(SELF);
}
PyObject* m_complex(PyObject* self, const Given&) {
  BOLIDE_CHECK_AS(ValueError, SELF.numel() == 1, "only one element tensors can be converted to Python scalars");
  const auto c = SELF.item().to<complex128>();
  return PyComplex_FromDoubles(c.real(), c.imag());
}
PyObject* m_new(PyObject* self, const Given& g) {
  Object args(check(PyTuple_New(static_cast<Py_ssize_t>(g.n)))), kw(check(PyDict_New()));
  for (size_t i = 0; i < g.n; ++i) PyTuple_SET_ITEM(args.get(), i, Py_NewRef(g.args[i]));
  for (size_t k = 0; k < g.keywords(); ++k) check(PyDict_SetItem(kw.get(), g.keyword(k), g.keyword_value(k)));
  return wrap(legacy_tensor("new", SELF.dtype(), SELF.device(), args.get(), kw.get()));
}

// ---- conversions -------------------------------------------------------------------------------

PyObject* convert(PyObject* self, OptDType dtype, std::optional<Device> device, bool copy, std::optional<MemoryFormat> format) {
  const Tensor& t = SELF;
  const bool nothing = !copy && (!dtype || *dtype == t.dtype()) && (!device || *device == t.device()) && (!format || *format == MemoryFormat::Preserve);
  if (nothing) return Py_NewRef(self);
  Tensor r = to(t, dtype, device, copy);
  if (format && *format != MemoryFormat::Preserve) r = contiguous(r, *format);
  return wrap(std::move(r));
}

[[noreturn]] void fail_to(const Given& g) {
  std::string got;
  for (size_t i = 0; i < g.n; ++i) got += (i ? ", " : "") + type_name(g.args[i]);
  for (size_t k = 0; k < g.keywords(); ++k)
    got += (k || g.n ? ", " : "") + std::string(PyUnicode_AsUTF8(g.keyword(k))) + "=" + type_name(g.keyword_value(k));
  const char* rest = "bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)\n";
  fail<TypeError>("to() received an invalid combination of arguments - got (", got, "), but expected one of:\n",
                  " * (torch.device device = None, torch.dtype dtype = None, ", rest, " * (torch.dtype dtype, ", rest, " * (Tensor tensor, ", rest);
}

struct Target {
  OptDType dtype;
  std::optional<Device> device;
  std::optional<MemoryFormat> format;
  bool copy = false;
};

bool read_target_keyword(std::string_view key, PyObject* v, Target& t) {
  if (key == "non_blocking") return true;
  if (key == "copy") return t.copy = PyObject_IsTrue(v) == 1, true;
  if (v == Py_None) return key == "device" || key == "dtype" || key == "memory_format";
  if (key == "dtype" && is_dtype(v)) return t.dtype = dtype_of(v), true;
  if (key == "device") return t.device = device_of(v), true;
  if (key == "memory_format" && Py_TYPE(v) == &FormatType) return t.format = reinterpret_cast<PyFormat*>(v)->value, true;
  if ((key == "tensor" || key == "other") && is_tensor(v)) return t.dtype = unwrap(v).dtype(), t.device = unwrap(v).device(), true;
  return false;
}
/// to(device, dtype, non_blocking, copy), to(dtype, ...), to(tensor, ...)
Target read_target(const Given& g) {
  Target t;
  size_t i = 0;
  if (i < g.n) {
    PyObject* a = g.args[i++];
    if (is_tensor(a)) t.dtype = unwrap(a).dtype(), t.device = unwrap(a).device();
    else if (is_dtype(a)) t.dtype = dtype_of(a);
    else if (PyFloat_Check(a)) t.dtype = DType::Float64;
    else if (a == Py_None || Py_TYPE(a) == &DeviceType_ || PyUnicode_Check(a) || is_plain_int(a)) {
      if (a != Py_None) t.device = device_of(a);
      if (i < g.n && (is_dtype(g.args[i]) || g.args[i] == Py_None)) {
        if (g.args[i] != Py_None) t.dtype = dtype_of(g.args[i]);
        ++i;
      }
    } else fail_to(g);
  }
  for (size_t flag = 0; i < g.n; ++i, ++flag) {
    if (!PyBool_Check(g.args[i]) || flag > 1) fail_to(g);
    if (flag == 1) t.copy = g.args[i] == Py_True;
  }
  for (size_t k = 0; k < g.keywords(); ++k)
    if (!read_target_keyword(PyUnicode_AsUTF8(g.keyword(k)), g.keyword_value(k), t)) fail_to(g);
  return t;
}
PyObject* m_to(PyObject* self, const Given& g) {
  const Target t = read_target(g);
  return convert(self, t.dtype, t.device, t.copy, t.format);
}
template <DType dtype>
PyObject* m_as(PyObject* self, const Given& g) {
  const Params p = read_params(name(dtype), g, {"memory_format"});
  return convert(self, dtype, {}, false, p.has(0) ? std::optional(format_of(name(dtype), p[0])) : std::nullopt);
}
PyObject* m_cpu(PyObject* self, const Given& g) {
  const Params p = read_params("cpu", g, {"memory_format"});
  return convert(self, {}, Device(), false, p.has(0) ? std::optional(format_of("cpu", p[0])) : std::nullopt);
}
PyObject* m_cuda(PyObject* self, const Given& g) {
  const Params p = read_params("cuda", g, {"device", "non_blocking", "memory_format"});
  const Device d = p.has(0) ? device_of(p[0]) : Device(DeviceType::CUDA);
  BOLIDE_CHECK(d.is_cuda(), "Invalid device, must be cuda device");
  return convert(self, {}, d, false, p.has(2) ? std::optional(format_of("cuda", p[2])) : std::nullopt);
}
PyObject* m_type_as(PyObject* self, const Given& g) {
  const Params p = read_params("type_as", g, {"other"}, 1);
  BOLIDE_CHECK_AS(TypeError, is_tensor(p[0]), "type_as(): argument 'other' (position 1) must be Tensor, not ", type_name(p[0]));
  return convert(self, unwrap(p[0]).dtype(), unwrap(p[0]).device(), false, {});
}

// ---- autograd ----------------------------------------------------------------------------------

PyObject* m_requires_grad_(PyObject* self, const Given& g) {
  const Params p = read_params("requires_grad_", g, {"requires_grad"});
  const_cast<Tensor&>(SELF).set_requires_grad(p.flag(0, true));
  return Py_NewRef(self);
}
PyObject* m_detach_(PyObject* self, const Given& g) {
  no_arguments("detach_", g);
  const_cast<Tensor&>(SELF).detach_();
  return Py_NewRef(self);
}
PyObject* m_retain_grad(PyObject* self, const Given& g) {
  no_arguments("retain_grad", g);
  SELF.retain_grad();
  Py_RETURN_NONE;
}
PyObject* m_set_wrapped_number(PyObject* self, const Given& g) {
  const Params p = read_params("_set_wrapped_number", g, {"value"}, 1);
  if (p.flag(0)) SELF->flags |= TensorImpl::kWrappedNumber;
  Py_RETURN_NONE;
}

// ---- subclasses --------------------------------------------------------------------------------

PyObject* m_as_subclass(PyObject* self, const Given& g) {
  const Params p = read_params("as_subclass", g, {"cls"}, 1);
  return as_subclass(self, p[0]);
}

struct Method {
  const char* name;
  NativeCall call;
  const char* doc = nullptr;
};
constexpr Method kMethods[] = {
    {"size", m_size, "size(dim=None): the sizes, or one of them."}, {"stride", m_stride, "stride(dim=None): steps in elements."},
    {"dim", m_dim, "The number of dimensions."}, {"ndimension", m_dim}, {"numel", m_numel, "The number of elements."}, {"nelement", m_numel},
    {"element_size", m_element_size, "Bytes of one element."}, {"storage_offset", m_storage_offset}, {"data_ptr", m_data_ptr},
    {"_storage_ptr", m__storage_ptr}, {"_storage_bytes", m__storage_bytes}, {"is_floating_point", m_is_floating_point},
    {"is_complex", m_is_complex}, {"is_signed", m_is_signed}, {"is_inference", m_is_inference}, {"get_device", m_get_device},
    {"_is_view", m__is_view}, {"is_conj", m_false}, {"is_neg", m_false}, {"_is_zerotensor", m_false}, {"is_distributed", m_false},
    {"is_pinned", m_false}, {"has_names", m_false}, {"is_coalesced", m_false}, {"resolve_conj", m_self}, {"resolve_neg", m_self},
    {"is_contiguous", m_is_contiguous}, {"is_set_to", m_is_set_to}, {"is_same_size", m_is_same_size},
    {"item", m_item, "The value of a one-element tensor."}, {"tolist", m_tolist, "The values as nested lists."}, {"__complex__", m_complex},
    {"new", m_new, "new(*sizes), new(data): a tensor of this dtype and device."},
    {"to", m_to, "to(dtype), to(device), to(device, dtype), to(other): self where nothing changes, else a copy."},
    {"float", m_as<DType::Float32>}, {"double", m_as<DType::Float64>}, {"half", m_as<DType::Float16>}, {"bfloat16", m_as<DType::BFloat16>},
    {"int", m_as<DType::Int32>}, {"long", m_as<DType::Int64>}, {"short", m_as<DType::Int16>}, {"char", m_as<DType::Int8>},
    {"byte", m_as<DType::UInt8>}, {"bool", m_as<DType::Bool>}, {"cfloat", m_as<DType::Complex64>}, {"cdouble", m_as<DType::Complex128>},
    {"cpu", m_cpu, "The tensor in the computer's own memory."}, {"cuda", m_cuda, "A copy on a CUDA device."},
    {"type_as", m_type_as, "The values in the dtype and on the device of `other`."}, {"requires_grad_", m_requires_grad_},
    {"detach_", m_detach_}, {"retain_grad", m_retain_grad}, {"_set_wrapped_number", m_set_wrapped_number},
    {"as_subclass", m_as_subclass, "as_subclass(cls): the same tensor as an object of a subclass."}};

}  // namespace

void init_methods(PyObject*) {
  check(PyType_Ready(&OpType));
  for (const Method& m : kMethods) {
    Object o(make_native(m.name, m.call, true, m.doc));
    check(PyDict_SetItemString(TensorType.tp_dict, m.name, o.get()));
  }
  PyType_Modified(&TensorType);
}

}  // namespace bolide::python
