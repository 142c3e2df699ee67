// dtype, device, layout, memory_format, Size and Generator objects; numbers; error translation.
#include <cstring>

#include "core/allocator.h"
#include "core/rng.h"
#include "autograd.h"
#include "python.h"

namespace bolide::python {

void set_error() noexcept {
  try {
    throw;
  } catch (const PythonError&) {
  } catch (const StoredError& e) { e.restore();
  } catch (const IndexError& e) { PyErr_SetString(PyExc_IndexError, e.what());
  } catch (const ValueError& e) { PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const TypeError& e) { PyErr_SetString(PyExc_TypeError, e.what());
  } catch (const NotImplementedError& e) { PyErr_SetString(PyExc_NotImplementedError, e.what());
  } catch (const std::exception& e) { PyErr_SetString(PyExc_RuntimeError, e.what());
  } catch (...) { PyErr_SetString(PyExc_RuntimeError, "unknown C++ exception"); }
}

#define TYPE(var, py_name, struct_, doc) \
  PyTypeObject var = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = py_name, .tp_basicsize = sizeof(struct_), \
                      .tp_flags = Py_TPFLAGS_DEFAULT, .tp_doc = doc}
TYPE(DTypeType, "bolide.dtype", PyDType, "The type of a tensor's elements.");
TYPE(DeviceType_, "bolide.device", PyDevice, "device('cuda', 1) or device('cuda:1'): where a tensor lives.");
TYPE(LayoutType, "bolide.layout", PyLayout, "How a tensor's elements are stored.");
TYPE(FormatType, "bolide.memory_format", PyFormat, "The order of a tensor's dimensions in memory.");
TYPE(GeneratorType, "bolide.Generator", PyGenerator, "A stream of random numbers of its own.");
PyTypeObject SizeType = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide.Size", .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                         .tp_doc = "The sizes of a tensor: a tuple of ints."};

// ---- dtype -----------------------------------------------------------------------------------

namespace {
PyObject* g_dtypes[kDTypeSlots];

PyObject* dtype_repr(PyObject* o) { return PyUnicode_FromFormat("torch.%s", name(reinterpret_cast<PyDType*>(o)->value)); }
PyObject* dtype_reduce(PyObject* o, PyObject*) { return PyUnicode_FromString(name(reinterpret_cast<PyDType*>(o)->value)); }
PyObject* dtype_is_float(PyObject* o, void*) { return PyBool_FromLong(is_floating(reinterpret_cast<PyDType*>(o)->value)); }
PyObject* dtype_is_complex(PyObject* o, void*) { return PyBool_FromLong(is_complex(reinterpret_cast<PyDType*>(o)->value)); }
PyObject* dtype_is_signed(PyObject* o, void*) {
  return guard([&] {
    const DType t = reinterpret_cast<PyDType*>(o)->value;
    BOLIDE_CHECK(!(t >= DType::Bits1x8 && t <= DType::Bits16), "Bits types are undefined");
    return PyBool_FromLong(is_signed(t) && !(t >= DType::UInt1 && t <= DType::UInt7) && t != DType::QUInt8);
  });
}
PyObject* dtype_itemsize(PyObject* o, void*) { return PyLong_FromLongLong(item_size(reinterpret_cast<PyDType*>(o)->value)); }
PyObject* dtype_to_real(PyObject* o, PyObject*) { return wrap(real_of(reinterpret_cast<PyDType*>(o)->value)); }
PyObject* dtype_to_complex(PyObject* o, PyObject*) {
  return guard([&] {
    const DType t = reinterpret_cast<PyDType*>(o)->value;
    BOLIDE_CHECK(is_complex(t) || (is_floating(t) && item_size(t) > 1), "Unknown Complex ScalarType for ", legacy_name(t));
    return wrap(complex_of(t));
  });
}
/// f32, i8, u16: as graphs are printed.
PyObject* dtype_abbr(PyObject* o, void*) {
  const DType t = reinterpret_cast<PyDType*>(o)->value;
  if (t == DType::Bool) return PyUnicode_FromString("b8");
  if (t == DType::BFloat16) return PyUnicode_FromString("bf16");
  const char kind = is_complex(t) ? 'c' : is_floating(t) ? 'f' : is_signed(t) ? 'i' : 'u';
  return PyUnicode_FromFormat("%c%d", kind, static_cast<int>(item_size(t) * 8));
}
PyGetSetDef dtype_getset[] = {{"is_floating_point", dtype_is_float, nullptr, nullptr, nullptr},
                              {"is_complex", dtype_is_complex, nullptr, nullptr, nullptr},
                              {"is_signed", dtype_is_signed, nullptr, nullptr, nullptr},
                              {"itemsize", dtype_itemsize, nullptr, nullptr, nullptr},
                              {"abbr", dtype_abbr, nullptr, nullptr, nullptr}, {}};
PyMethodDef dtype_methods[] = {{"__reduce__", dtype_reduce, METH_NOARGS, nullptr},
                               {"to_real", dtype_to_real, METH_NOARGS, nullptr},
                               {"to_complex", dtype_to_complex, METH_NOARGS, nullptr}, {}};
}  // namespace

PyObject* wrap(DType t) { return Py_NewRef(g_dtypes[static_cast<int>(t)]); }
bool is_dtype(PyObject* o) {
  return Py_TYPE(o) == &DTypeType || o == reinterpret_cast<PyObject*>(&PyFloat_Type) || o == reinterpret_cast<PyObject*>(&PyLong_Type) ||
         o == reinterpret_cast<PyObject*>(&PyBool_Type) || o == reinterpret_cast<PyObject*>(&PyComplex_Type);
}
DType dtype_of(PyObject* o) {
  if (Py_TYPE(o) == &DTypeType) return reinterpret_cast<PyDType*>(o)->value;
  if (o == reinterpret_cast<PyObject*>(&PyFloat_Type)) return DType::Float64;
  if (o == reinterpret_cast<PyObject*>(&PyLong_Type)) return DType::Int64;
  if (o == reinterpret_cast<PyObject*>(&PyBool_Type)) return DType::Bool;
  return DType::Complex128;
}

// ---- device ----------------------------------------------------------------------------------

namespace {
thread_local std::optional<Device> t_default_device;
Device device_value(PyObject* o) { return reinterpret_cast<PyDevice*>(o)->value; }
PyObject* device_new(PyTypeObject*, PyObject* args, PyObject* kw) {
  return guard([&]() -> PyObject* {
    PyObject *kind = nullptr, *index = nullptr;
    static const char* names[] = {"type", "index", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kw, "O|O", const_cast<char**>(names), &kind, &index)) return nullptr;
    Device d = device_of(kind);
    if (index && index != Py_None) {
      BOLIDE_CHECK(d.index < 0, "type (string) must not include an index because index was passed explicitly: ", d);
      const long i = PyLong_AsLong(index);
      if (i == -1 && PyErr_Occurred()) return nullptr;
      BOLIDE_CHECK(i >= 0 && i < 128, "Device index must not be negative");
      d.index = static_cast<int8_t>(i);
    }
    return wrap(d);
  });
}
PyObject* device_repr(PyObject* o) {
  const Device d = device_value(o);
  return d.index < 0 ? PyUnicode_FromFormat("device(type='%s')", name(d.type))
                     : PyUnicode_FromFormat("device(type='%s', index=%d)", name(d.type), int(d.index));
}
PyObject* device_str(PyObject* o) { return PyUnicode_FromString(device_value(o).str().c_str()); }
PyObject* device_compare(PyObject* a, PyObject* b, int op) {
  if (Py_TYPE(b) != &DeviceType_ || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong((device_value(a) == device_value(b)) == (op == Py_EQ));
}
Py_hash_t device_hash(PyObject* o) { return 1 + static_cast<int>(device_value(o).type) * 256 + device_value(o).index; }
PyObject* device_type(PyObject* o, void*) { return PyUnicode_FromString(name(device_value(o).type)); }
PyObject* device_index(PyObject* o, void*) {
  if (device_value(o).index < 0) Py_RETURN_NONE;
  return PyLong_FromLong(device_value(o).index);
}
PyObject* device_reduce(PyObject* o, PyObject*) {
  const Device d = device_value(o);
  if (d.index < 0) return Py_BuildValue("(O(s))", &DeviceType_, name(d.type));
  return Py_BuildValue("(O(si))", &DeviceType_, name(d.type), int(d.index));
}
PyGetSetDef device_getset[] = {{"type", device_type, nullptr, nullptr, nullptr}, {"index", device_index, nullptr, nullptr, nullptr}, {}};
std::vector<std::optional<Device>>& device_stack() {
  static thread_local std::vector<std::optional<Device>> stack;
  return stack;
}
/// `with device:` makes it the device of factories that name none.
PyObject* device_enter(PyObject* o, PyObject*) {
  device_stack().push_back(t_default_device);
  t_default_device = device_value(o);
  return Py_NewRef(o);
}
PyObject* device_exit(PyObject*, PyObject*) {
  if (!device_stack().empty()) {
    t_default_device = device_stack().back();
    device_stack().pop_back();
  }
  Py_RETURN_NONE;
}
/// A device as a decorator: the function runs inside of it.
PyObject* device_call(PyObject* self, PyObject* args, PyObject*) {
  PyObject* function;
  if (!PyArg_ParseTuple(args, "O", &function)) return nullptr;
  Object wrap_with(PyObject_GetAttrString(Object(PyImport_ImportModule("bolide._modes")).get(), "_inside"));
  return wrap_with ? PyObject_CallFunctionObjArgs(wrap_with.get(), self, function, nullptr) : nullptr;
}
PyMethodDef device_methods[] = {{"__reduce__", device_reduce, METH_NOARGS, nullptr}, {"__enter__", device_enter, METH_NOARGS, nullptr},
                                {"__exit__", device_exit, METH_VARARGS, nullptr}, {}};

/// _set_default_device(device or None) and _get_default_device()
PyObject* set_default(PyObject*, PyObject* d) {
  return guard([&]() -> PyObject* {
    if (d == Py_None) t_default_device = std::nullopt;
    else t_default_device = device_of(d);
    if (t_default_device && t_default_device->is_cpu()) t_default_device = std::nullopt;
    Py_RETURN_NONE;
  });
}
PyObject* get_default(PyObject*, PyObject*) { return wrap(t_default_device ? *t_default_device : Device()); }
PyMethodDef device_functions[] = {{"_set_default_device", set_default, METH_O, nullptr},
                                  {"get_default_device", get_default, METH_NOARGS, "The device of factories that name none."}, {}};
}  // namespace

PyObject* wrap(Device d) {
  auto* o = PyObject_New(PyDevice, &DeviceType_);
  if (o) o->value = d;
  return reinterpret_cast<PyObject*>(o);
}
Device device_of(PyObject* o) {
  if (Py_TYPE(o) == &DeviceType_) return device_value(o);
  if (PyUnicode_Check(o)) return Device(std::string_view(PyUnicode_AsUTF8(o)));
  if (PyLong_Check(o)) return Device(DeviceType::CUDA, static_cast<int>(PyLong_AsLong(o)));
  fail<TypeError>("device(): argument 'type' must be str or device, not ", Py_TYPE(o)->tp_name);
}

// ---- layout, memory format -------------------------------------------------------------------

namespace {
constexpr const char* kLayouts[] = {"strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc", "_mkldnn", "jagged"};
PyObject* layout_reduce(PyObject* o, PyObject*) {
  return PyUnicode_FromString(kLayouts[static_cast<int>(reinterpret_cast<PyLayout*>(o)->value)]);
}
PyMethodDef layout_methods[] = {{"__reduce__", layout_reduce, METH_NOARGS, nullptr}, {}};
PyObject* layout_repr(PyObject* o) {
  return PyUnicode_FromFormat("torch.%s", kLayouts[static_cast<int>(reinterpret_cast<PyLayout*>(o)->value)]);
}
PyObject* g_strided;
const char* format_name(MemoryFormat f) {
  constexpr const char* names[] = {"contiguous_format", "preserve_format", "channels_last", "channels_last_3d"};
  return names[static_cast<int>(f)];
}
PyObject* format_repr(PyObject* o) { return PyUnicode_FromFormat("torch.%s", format_name(reinterpret_cast<PyFormat*>(o)->value)); }
PyObject* format_reduce(PyObject* o, PyObject*) { return PyUnicode_FromString(format_name(reinterpret_cast<PyFormat*>(o)->value)); }
PyMethodDef format_methods[] = {{"__reduce__", format_reduce, METH_NOARGS, nullptr}, {}};
}  // namespace
PyObject* layout_object() { return Py_NewRef(g_strided); }

// ---- Size ------------------------------------------------------------------------------------

PyObject* wrap_size(IntList sizes) {
  PyObject* t = check(SizeType.tp_alloc(&SizeType, static_cast<Py_ssize_t>(sizes.size())));
  for (size_t i = 0; i < sizes.size(); ++i) PyTuple_SET_ITEM(t, i, PyLong_FromLongLong(sizes[i]));
  return t;
}
namespace {
PyObject* as_size(PyObject* tuple) {
  if (!tuple || !PyTuple_Check(tuple)) return tuple;
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  PyObject* s = SizeType.tp_alloc(&SizeType, n);
  for (Py_ssize_t i = 0; s && i < n; ++i) PyTuple_SET_ITEM(s, i, Py_NewRef(PyTuple_GET_ITEM(tuple, i)));
  Py_DECREF(tuple);
  return s;
}
PyObject* size_new(PyTypeObject*, PyObject* args, PyObject*) {
  PyObject* t = PyTuple_Type.tp_new(&PyTuple_Type, args, nullptr);
  if (!t) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(t);
  PyObject* s = SizeType.tp_alloc(&SizeType, n);
  for (Py_ssize_t i = 0; s && i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(t, i);
    PyObject* whole = is_tensor(item) ? PyNumber_Long(item) : PyNumber_Index(item);
    if (!whole) {
      PyErr_Format(PyExc_TypeError, "torch.Size() takes an iterable of 'int' (item %zd is '%s')", i, Py_TYPE(item)->tp_name);
      Py_DECREF(t), Py_DECREF(s);
      return nullptr;
    }
    PyTuple_SET_ITEM(s, i, whole);
  }
  Py_DECREF(t);
  return s;
}
PyObject* size_repr(PyObject* o) {
  Object list(PySequence_List(o));
  return list ? PyUnicode_FromFormat("torch.Size(%R)", list.get()) : nullptr;
}
PyObject* size_concat(PyObject* a, PyObject* b) { return as_size(PyTuple_Type.tp_as_sequence->sq_concat(a, b)); }
/// Size + tuple and tuple + Size give a Size.
PyObject* size_add(PyObject* a, PyObject* b) {
  if (!PyTuple_Check(a) || !PyTuple_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return size_concat(a, b);
}
PyNumberMethods size_number = {.nb_add = size_add};
PyObject* size_repeat(PyObject* a, Py_ssize_t n) { return as_size(PyTuple_Type.tp_as_sequence->sq_repeat(a, n)); }
PyObject* size_subscript(PyObject* a, PyObject* k) {
  PyObject* r = PyTuple_Type.tp_as_mapping->mp_subscript(a, k);
  return PySlice_Check(k) ? as_size(r) : r;
}
PyObject* size_numel(PyObject* o, PyObject*) {
  long long n = 1;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(o); ++i) n *= PyLong_AsLongLong(PyTuple_GET_ITEM(o, i));
  return PyLong_FromLongLong(n);
}
PyObject* size_reduce(PyObject* o, PyObject*) {
  Object t(PyList_AsTuple(Object(PySequence_List(o)).get()));
  return Py_BuildValue("(O(O))", &SizeType, t.get());
}
PyMethodDef size_methods[] = {{"numel", size_numel, METH_NOARGS, "The product of the sizes."},
                              {"__reduce__", size_reduce, METH_NOARGS, nullptr}, {}};
PySequenceMethods size_sequence;
PyMappingMethods size_mapping;
}  // namespace

// ---- Generator -------------------------------------------------------------------------------

namespace {
Generator& gen(PyObject* o) { return *reinterpret_cast<PyGenerator*>(o)->value; }
PyObject* generator_new(PyTypeObject* type, PyObject* args, PyObject* kw) {
  return guard([&]() -> PyObject* {
    static const char* names[] = {"device", nullptr};
    PyObject* device = nullptr;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "|O", const_cast<char**>(names), &device)) return nullptr;
    if (device && device != Py_None) BOLIDE_CHECK(!device_of(device).is_cuda(), "Torch not compiled with CUDA enabled");
    auto* o = reinterpret_cast<PyGenerator*>(check(type->tp_alloc(type, 0)));
    o->value = new Generator;
    o->owned = true;
    return reinterpret_cast<PyObject*>(o);
  });
}
void generator_dealloc(PyObject* o) {
  auto* g = reinterpret_cast<PyGenerator*>(o);
  if (g->owned) delete g->value;
  Py_TYPE(o)->tp_free(o);
}
uint64_t seed_value(PyObject* o) {
  Object whole(PyNumber_Index(o));
  if (!whole) throw PythonError{};
  const unsigned long long u = PyLong_AsUnsignedLongLong(whole.get());
  if (!PyErr_Occurred()) return u;
  PyErr_Clear();
  const long long i = PyLong_AsLongLong(whole.get());
  if (PyErr_Occurred()) {
    PyErr_Clear();
    fail<Error>("Overflow when unpacking long long");
  }
  return static_cast<uint64_t>(i);
}
PyObject* generator_manual_seed(PyObject* o, PyObject* seed) {
  return guard([&] { gen(o).manual_seed(seed_value(seed)); return Py_NewRef(o); });
}
PyObject* generator_seed(PyObject* o, PyObject*) { return guard([&] { return PyLong_FromUnsignedLongLong(gen(o).seed()); }); }
PyObject* generator_initial_seed(PyObject* o, PyObject*) { return PyLong_FromUnsignedLongLong(gen(o).initial_seed()); }
PyObject* generator_get_state(PyObject* o, PyObject*) {
  return guard([&] {
    Tensor t = empty({5056}, DType::UInt8);
    gen(o).get_state(t.data<uint8_t>());
    return wrap(t);
  });
}
PyObject* generator_set_state(PyObject* o, PyObject* state) {
  return guard([&] {
    BOLIDE_CHECK_AS(TypeError, is_tensor(state) && unwrap(state).dtype() == DType::UInt8, "RNG state must be a torch.ByteTensor");
    const Tensor t = unwrap(state).contiguous();
    gen(o).set_state(t.data<uint8_t>(), static_cast<size_t>(t.numel()));
    return Py_NewRef(o);
  });
}
PyObject* generator_device(PyObject*, void*) { return wrap(Device()); }
// (type, (device,), (seed, offset, state)), as files have it
PyObject* generator_reduce(PyObject* o, PyObject*) {
  return guard([&]() -> PyObject* {
    const Object state(check(generator_get_state(o, nullptr)));
    return Py_BuildValue("(O(N)(KOO))", Py_TYPE(o), wrap(Device()), static_cast<unsigned long long>(gen(o).initial_seed()), Py_None,
                         state.get());
  });
}
PyObject* generator_setstate(PyObject* o, PyObject* saved) {
  return guard([&]() -> PyObject* {
    BOLIDE_CHECK_AS(TypeError, PyTuple_Check(saved) && PyTuple_GET_SIZE(saved) == 3, "a generator's state is (seed, offset, state)");
    const Object seeded(check(generator_manual_seed(o, PyTuple_GET_ITEM(saved, 0))));
    return generator_set_state(o, PyTuple_GET_ITEM(saved, 2));
  });
}
PyMethodDef generator_methods[] = {{"manual_seed", generator_manual_seed, METH_O, "Seeds the stream; returns the generator."},
                                   {"seed", generator_seed, METH_NOARGS, "Seeds from the operating system; returns the seed."},
                                   {"initial_seed", generator_initial_seed, METH_NOARGS, "The last seed."},
                                   {"get_state", generator_get_state, METH_NOARGS, "The state: uint8 tensor of 5056 bytes."},
                                   {"set_state", generator_set_state, METH_O, "Restores a state."},
                                   {"__reduce__", generator_reduce, METH_NOARGS, nullptr},
                                   {"__setstate__", generator_setstate, METH_O, nullptr}, {}};
PyGetSetDef generator_getset[] = {{"device", generator_device, nullptr, nullptr, nullptr}, {}};
}  // namespace

std::string type_name(PyObject* o) {
  const std::string_view n = Py_TYPE(o)->tp_name;
  return std::string(n.starts_with("bolide.") ? n.substr(n.rfind('.') + 1) : n);
}
const Device* default_device() { return t_default_device ? &*t_default_device : nullptr; }

// ---- numbers ---------------------------------------------------------------------------------

bool is_number(PyObject* o) {
  if (PyFloat_Check(o) || PyLong_Check(o) || PyComplex_Check(o)) return true;  // bool is an int
  if (std::strncmp(Py_TYPE(o)->tp_name, "numpy.", 6)) return false;
  const PyNumberMethods* n = Py_TYPE(o)->tp_as_number;  // NumPy scalars, but no arrays
  return n && (n->nb_float || n->nb_index) && !PySequence_Check(o) && !PyObject_HasAttrString(o, "__setitem__");
}
Scalar scalar_of(PyObject* o) {
  if (PyBool_Check(o)) return Scalar(o == Py_True);
  if (PyFloat_Check(o)) return Scalar(PyFloat_AS_DOUBLE(o));
  if (PyLong_Check(o)) {
    int overflow = 0;
    const long long v = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (overflow) {
      const unsigned long long u = PyLong_AsUnsignedLongLong(o);
      if (PyErr_Occurred()) throw PythonError{};
      return Scalar(static_cast<int64_t>(u));
    }
    return Scalar(static_cast<int64_t>(v));
  }
  if (PyComplex_Check(o)) return Scalar(complex128(PyComplex_RealAsDouble(o), PyComplex_ImagAsDouble(o)));
  if (is_tensor(o)) return unwrap(o).item();
  Object item(PyObject_CallMethod(o, "item", nullptr));  // NumPy scalars
  if (item && item.get() != o && (PyFloat_Check(item.get()) || PyLong_Check(item.get()) || PyComplex_Check(item.get()))) return scalar_of(item.get());
  PyErr_Clear();
  Object whole(PyNumber_Index(o));
  if (whole) return scalar_of(whole.get());
  PyErr_Clear();
  const double d = PyFloat_AsDouble(o);
  if (PyErr_Occurred()) throw PythonError{};
  return Scalar(d);
}
PyObject* wrap(const Scalar& s) {
  if (s.is_bool()) return PyBool_FromLong(s.to_int() != 0);
  if (s.is_int()) return PyLong_FromLongLong(s.to_int());
  if (s.is_complex()) {
    const auto c = s.to<complex128>();
    return PyComplex_FromDoubles(c.real(), c.imag());
  }
  return PyFloat_FromDouble(s.to_double());
}
std::vector<int64_t> ints_of(PyObject* o) {
  if (PyLong_Check(o)) return {PyLong_AsLongLong(o)};
  Object seq(check(PySequence_Fast(o, "expected a sequence of ints")));
  std::vector<int64_t> v;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(seq.get()); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(seq.get(), i);
    v.push_back(is_tensor(item) ? unwrap(item).item<int64_t>() : PyLong_AsLongLong(Object(check(PyNumber_Index(item))).get()));
    if (PyErr_Occurred()) throw PythonError{};
  }
  return v;
}

void init_types(PyObject* m) {
  DTypeType.tp_repr = dtype_repr, DTypeType.tp_getset = dtype_getset, DTypeType.tp_methods = dtype_methods;
  DeviceType_.tp_new = device_new, DeviceType_.tp_repr = device_repr, DeviceType_.tp_str = device_str;
  DeviceType_.tp_richcompare = device_compare, DeviceType_.tp_hash = device_hash;
  DeviceType_.tp_call = device_call;
  check(PyModule_AddFunctions(m, device_functions));
  DeviceType_.tp_getset = device_getset, DeviceType_.tp_methods = device_methods;
  LayoutType.tp_repr = layout_repr, LayoutType.tp_methods = layout_methods;
  FormatType.tp_repr = format_repr, FormatType.tp_methods = format_methods;
  SizeType.tp_base = &PyTuple_Type, SizeType.tp_new = size_new, SizeType.tp_repr = size_repr, SizeType.tp_methods = size_methods;
  size_sequence.sq_concat = size_concat, size_sequence.sq_repeat = size_repeat;
  size_mapping.mp_subscript = size_subscript;
  SizeType.tp_as_number = &size_number;
  SizeType.tp_as_sequence = &size_sequence, SizeType.tp_as_mapping = &size_mapping;
  GeneratorType.tp_new = generator_new, GeneratorType.tp_dealloc = generator_dealloc;
  GeneratorType.tp_methods = generator_methods, GeneratorType.tp_getset = generator_getset;
  struct { const char* name; PyTypeObject* type; } types[] = {{"dtype", &DTypeType}, {"device", &DeviceType_}, {"layout", &LayoutType},
      {"memory_format", &FormatType}, {"Size", &SizeType}, {"Generator", &GeneratorType}};
  for (auto& t : types) {
    check(PyType_Ready(t.type));
    // instances find it here: without it pickle searches all modules for a dtype
    const Object module(check(PyUnicode_FromString("bolide")));
    check(PyDict_SetItemString(t.type->tp_dict, "__module__", module.get()));
    check(PyModule_AddObjectRef(m, t.name, reinterpret_cast<PyObject*>(t.type)));
  }
  for (int i = 0; i < kDTypeSlots; ++i) {
    const DType t = static_cast<DType>(i);
    auto* o = PyObject_New(PyDType, &DTypeType);
    o->value = t;
    g_dtypes[i] = reinterpret_cast<PyObject*>(o);
    check(PyModule_AddObjectRef(m, name(t), reinterpret_cast<PyObject*>(o)));
  }
  for (int i = 0; i < static_cast<int>(std::size(kLayouts)); ++i) {
    auto* o = PyObject_New(PyLayout, &LayoutType);
    o->value = static_cast<LayoutKind>(i);
    if (i == 0) g_strided = reinterpret_cast<PyObject*>(o);
    check(PyModule_AddObjectRef(m, kLayouts[i], reinterpret_cast<PyObject*>(o)));
  }
  for (auto f : {MemoryFormat::Contiguous, MemoryFormat::Preserve, MemoryFormat::ChannelsLast, MemoryFormat::ChannelsLast3d}) {
    auto* o = PyObject_New(PyFormat, &FormatType);
    o->value = f;
    check(PyModule_AddObjectRef(m, format_name(f), reinterpret_cast<PyObject*>(o)));
  }
  auto* g = PyObject_New(PyGenerator, &GeneratorType);
  g->value = &default_generator(), g->owned = false;
  check(PyModule_AddObjectRef(m, "default_generator", reinterpret_cast<PyObject*>(g)));
}

}  // namespace bolide::python
