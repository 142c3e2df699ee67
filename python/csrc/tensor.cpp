// The Tensor type: identity of Python objects, garbage collection, construction. Attributes, methods and operators are in
// tensor_attributes.cpp, tensor_methods.cpp and tensor_operators.cpp; ops arrive as methods from the binder.
#include "autograd.h"

namespace bolide::python {

PyTypeObject* parameter_type = nullptr;

// ---- identity --------------------------------------------------------------------------------
// A Python object owns its TensorImpl. When the object would die while C++ still holds the tensor and the object
// carries something (attributes, weak references, a subclass), ownership turns round: the tensor keeps the object.

namespace {

PyTypeObject TensorMeta = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide._C._TensorMeta",
                           .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE};

constexpr int kFree = 128;
PyTensor* g_free[kFree];
int g_free_count = 0;

PyTensor* new_object(PyTypeObject* type) {
  if (type == &TensorType && g_free_count) [[likely]] {
    PyTensor* o = g_free[--g_free_count];
    _Py_NewReference(reinterpret_cast<PyObject*>(o));
    PyObject_GC_Track(o);
    return o;
  }
  return reinterpret_cast<PyTensor*>(check(type->tp_alloc(type, 0)));
}

bool keep_alive(PyTensor* o) {
  TensorImpl* t = o->impl;
  if (!t || t->refs.load(std::memory_order_acquire) <= 1) return false;
  if (Py_TYPE(o) == &TensorType && !o->dict && !o->weakrefs) return false;
  t->flags |= TensorImpl::kOwnsPython;
  Py_SET_REFCNT(reinterpret_cast<PyObject*>(o), 1);  // the tensor's reference
  Tensor drop{Ref<TensorImpl>::adopt(t)};             // the object's reference becomes borrowed
  return true;
}

/// The slots of a subclass with __slots__.
void clear_slots(PyTypeObject* type, PyObject* self) {
  for (; type && type != &TensorType; type = type->tp_base) {
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) continue;
    auto* m = reinterpret_cast<PyMemberDef*>(reinterpret_cast<char*>(type) + Py_TYPE(type)->tp_basicsize);
    for (Py_ssize_t i = 0; i < Py_SIZE(type); ++i, ++m)
      if (m->type == T_OBJECT_EX && !(m->flags & READONLY)) {
        auto** p = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) + m->offset);
        Py_CLEAR(*p);
      }
  }
}

void drop_tensor(PyTensor* o) {
  if (TensorImpl* t = std::exchange(o->impl, nullptr)) {
    t->python = nullptr;
    Tensor drop{Ref<TensorImpl>::adopt(t)};
  }
}

void subclass_dealloc(PyObject* self) {
  auto* o = reinterpret_cast<PyTensor*>(self);
  PyTypeObject* type = Py_TYPE(self);
  if (type->tp_finalize || type->tp_del) {
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
  }
  PyObject_GC_UnTrack(self);
  if (o->weakrefs) PyObject_ClearWeakRefs(self);
  clear_slots(type, self);
  Py_CLEAR(o->dict);
  drop_tensor(o);
  type->tp_free(self);
  Py_DECREF(type);
}

void tensor_dealloc(PyObject* self) {
  auto* o = reinterpret_cast<PyTensor*>(self);
  if (keep_alive(o)) return;
  if (Py_TYPE(self) != &TensorType) return subclass_dealloc(self);
  PyObject_GC_UnTrack(self);
  if (o->weakrefs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(o->dict);
  drop_tensor(o);
  if (g_free_count < kFree) g_free[g_free_count++] = o;
  else PyObject_GC_Del(self);
}

void release_object(TensorImpl* t) {  // the tensor dies and owned the object
  if (!(t->flags & TensorImpl::kOwnsPython)) return;
  const PyGILState_STATE gil = PyGILState_Ensure();
  auto* o = static_cast<PyTensor*>(t->python);
  o->impl = nullptr;
  t->python = nullptr;
  Py_DECREF(reinterpret_cast<PyObject*>(o));
  PyGILState_Release(gil);
}

int tensor_traverse(PyObject* self, visitproc visit, void* arg) {
  auto* o = reinterpret_cast<PyTensor*>(self);
  Py_VISIT(o->dict);
  if (Py_TYPE(self)->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_VISIT(Py_TYPE(self));
  return o->impl && o->impl->autograd ? visit_graph(o->impl, visit, arg) : 0;
}
int tensor_clear(PyObject* self) {
  auto* o = reinterpret_cast<PyTensor*>(self);
  Py_CLEAR(o->dict);
  return 0;
}

PyObject* g_on_override;  // called when a class defines its own __torch_function__

int meta_init(PyObject* cls, PyObject* args, PyObject* kw) {
  if (PyType_Type.tp_init(cls, args, kw) < 0) return -1;
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  type->tp_dealloc = tensor_dealloc;
  if (g_on_override && is_custom_hook(PyDict_GetItemString(type->tp_dict, "__torch_function__"))) {
    Object done(PyObject_CallNoArgs(g_on_override));
    if (!done) return -1;
  }
  return 0;
}

// The type is called Tensor in messages, as PyTorch's is; its module is a matter of the metaclass.
PyObject* meta_get_module(PyObject* cls, void*) {
  if (cls == reinterpret_cast<PyObject*>(&TensorType)) return PyUnicode_FromString("bolide");
  PyObject* m = PyDict_GetItemString(reinterpret_cast<PyTypeObject*>(cls)->tp_dict, "__module__");
  return m ? Py_NewRef(m) : PyUnicode_FromString("builtins");
}
int meta_set_module(PyObject* cls, PyObject* value, void*) {
  if (!value) {
    PyErr_SetString(PyExc_TypeError, "a class has a module");
    return -1;
  }
  PyType_Modified(reinterpret_cast<PyTypeObject*>(cls));
  return PyDict_SetItemString(reinterpret_cast<PyTypeObject*>(cls)->tp_dict, "__module__", value);
}
PyGetSetDef meta_getset[] = {{"__module__", meta_get_module, meta_set_module, nullptr, nullptr}, {}};
PyObject* meta_repr(PyObject* cls) {
  if (cls == reinterpret_cast<PyObject*>(&TensorType)) return PyUnicode_FromString("<class 'torch.Tensor'>");
  return PyType_Type.tp_repr(cls);
}

}  // namespace

PyObject* wrap_as(PyTypeObject* type, Tensor t) {
  PyTensor* o = new_object(type);
  o->dict = o->weakrefs = nullptr;
  o->impl = t.release();
  o->impl->python = o;
  return reinterpret_cast<PyObject*>(o);
}
PyObject* wrap(Tensor t) {
  if (!t.defined()) Py_RETURN_NONE;
  if (void* existing = t->python) {
    auto* o = static_cast<PyTensor*>(existing);
    if (t->flags & TensorImpl::kOwnsPython) {
      t->flags &= static_cast<uint16_t>(~TensorImpl::kOwnsPython);
      o->impl = t.release();                   // the object owns the tensor again
      return reinterpret_cast<PyObject*>(o);   // with the reference the tensor held
    }
    return Py_NewRef(reinterpret_cast<PyObject*>(o));
  }
  return wrap_as(&TensorType, std::move(t));
}

// ---- construction ----------------------------------------------------------------------------

namespace {

bool is_size(PyObject* o) { return PyLong_Check(o) && !PyBool_Check(o); }
bool all_sizes(PyObject* args) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i)
    if (!is_size(PyTuple_GET_ITEM(args, i)) && !(is_tensor(PyTuple_GET_ITEM(args, i)) && PyTuple_GET_SIZE(args) > 1)) return false;
  return true;
}

Tensor legacy_alias(const char* name, const Tensor& t, DType dtype) {
  BOLIDE_CHECK_AS(TypeError, t.dtype() == dtype, "expected ", legacy_name(dtype), " (got ", legacy_name(t.dtype()), ")");
  (void)name;
  return t.detach();
}

PyTypeObject* tensor_class(PyObject* cls) {
  BOLIDE_CHECK_AS(TypeError, PyType_Check(cls), "cls must be a type (got ", type_name(cls), ")");
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  BOLIDE_CHECK_AS(TypeError, PyType_IsSubtype(type, &TensorType), "Creating a Tensor subclass from a class that does not inherit from "
                  "Tensor is not possible. Make sure your class inherits from Tensor.");
  return type;
}

PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kw) {
  return guard([&]() -> PyObject* {
    const Device* device = default_device();
    Tensor t = legacy_tensor("new", default_dtype(), device ? *device : Device(), args, kw);
    if (t->python) t = t.alias();
    return wrap_as(type, std::move(t));
  });
}

PyObject* make_subclass(PyObject*, PyObject* args, PyObject* kw) {
  return guard([&]() -> PyObject* {
    PyObject *cls, *data;
    int requires_grad = 0;
    static const char* names[] = {"cls", "data", "require_grad", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kw, "OO|p:_make_subclass", const_cast<char**>(names), &cls, &data, &requires_grad)) return nullptr;
    PyTypeObject* type = tensor_class(cls);
    BOLIDE_CHECK_AS(TypeError, is_tensor(data), "_make_subclass(): argument 'data' (position 2) must be Tensor, not ", type_name(data));
    Tensor t = unwrap(data).alias();
    BOLIDE_CHECK(!requires_grad || is_differentiable(t.dtype()), "Only Tensors of floating point and complex dtype can require gradients");
    if (requires_grad) t.set_requires_grad(true);
    return wrap_as(type, std::move(t));
  });
}
PyMethodDef construction[] = {
    {"_make_subclass", reinterpret_cast<PyCFunction>(make_subclass), METH_VARARGS | METH_KEYWORDS | METH_STATIC,
     "_make_subclass(cls, data, require_grad=False): a leaf of class cls that shares data's memory."}, {}};

}  // namespace

Tensor legacy_tensor(const char* name, DType dtype, Device device, PyObject* args, PyObject* kw) {
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  PyObject* first = n ? PyTuple_GET_ITEM(args, 0) : nullptr;
  if (kw && PyDict_GET_SIZE(kw)) {
    PyObject* where = PyDict_GetItemString(kw, "device");
    PyObject* size = PyDict_GetItemString(kw, "size");
    PyObject* data = PyDict_GetItemString(kw, "data");
    const Py_ssize_t known = (where != nullptr) + (size != nullptr) + (data != nullptr);
    BOLIDE_CHECK_AS(TypeError, known == PyDict_GET_SIZE(kw) && (!first || (!size && !data)), name,
                    "() received an invalid combination of arguments");
    if (where && where != Py_None) device = device_of(where);
    if (size) return empty(ints_of(size), dtype, device);
    if (data) return tensor_from(data, dtype, device);
  }
  if (!first) return empty({0}, dtype, device);
  if (n == 1 && is_tensor(first) && !(PyLong_Check(first))) return legacy_alias(name, unwrap(first), dtype);
  if (n == 1 && Py_TYPE(first) == &SizeType) return empty(ints_of(first), dtype, device);
  if (n == 1 && Py_TYPE(first) == &DeviceType_) return empty({0}, dtype, device_of(first));
  if (all_sizes(args)) return empty(ints_of(args), dtype, device);
  if (n == 1 && PyObject_HasAttrString(first, "_untyped_storage_tensor")) {  // a storage
    Object t(check(PyObject_CallMethod(first, "_untyped_storage_tensor", "O", Object(wrap(dtype)).get())));
    return unwrap(t.get());
  }
  BOLIDE_CHECK_AS(TypeError, n == 1 && !is_number(first), name, "(): data must be a sequence (got ", type_name(first), ")");
  return tensor_from(first, dtype, device);
}

PyObject* as_subclass(PyObject* self, PyObject* cls) {
  PyTypeObject* type = tensor_class(cls);
  static const OpInfo& alias = find_op("alias");
  const FromPython here;
  const Value args[] = {box(unwrap(self))};
  return wrap_as(type, std::move(call_boxed(alias, args).tensors[0]));
}

// ---- the type --------------------------------------------------------------------------------

namespace {

/// _add_method(name, function): Python code completes the type, which is static and so closed to setattr.
PyObject* add_method(PyObject*, PyObject* args) {
  const char* name;
  PyObject* value;
  if (!PyArg_ParseTuple(args, "sO", &name, &value)) return nullptr;
  if (PyDict_SetItemString(TensorType.tp_dict, name, value) < 0) return nullptr;
  PyType_Modified(&TensorType);
  Py_RETURN_NONE;
}
PyObject* g_repr = nullptr;
PyObject* tensor_repr(PyObject* self) { return PyObject_CallOneArg(g_repr, self); }
PyObject* set_repr(PyObject*, PyObject* f) {
  g_repr = Py_NewRef(f);
  Py_RETURN_NONE;
}
PyObject* set_on_override(PyObject*, PyObject* f) {
  g_on_override = f == Py_None ? nullptr : Py_NewRef(f);
  Py_RETURN_NONE;
}
PyObject* set_parameter_type(PyObject*, PyObject* type) {
  parameter_type = reinterpret_cast<PyTypeObject*>(Py_NewRef(type));
  Py_RETURN_NONE;
}
PyMethodDef module_methods[] = {{"_add_method", add_method, METH_VARARGS, nullptr}, {"_set_repr", set_repr, METH_O, nullptr},
                                {"_set_on_override", set_on_override, METH_O, nullptr},
                                {"_set_parameter_type", set_parameter_type, METH_O, nullptr}, {}};

}  // namespace

PyTypeObject TensorType = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "Tensor", .tp_basicsize = sizeof(PyTensor),
                           .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                           .tp_doc = "A multi-dimensional array of one dtype, with automatic differentiation."};

void init_tensor(PyObject* m) {
  TensorMeta.tp_base = &PyType_Type;
  TensorMeta.tp_init = meta_init;
  TensorMeta.tp_repr = meta_repr;
  TensorMeta.tp_getset = meta_getset;
  check(PyType_Ready(&TensorMeta));
  Py_SET_TYPE(&TensorType, &TensorMeta);
  TensorType.tp_new = tensor_new;
  TensorType.tp_dealloc = tensor_dealloc;
  TensorType.tp_traverse = tensor_traverse;
  TensorType.tp_clear = tensor_clear;
  TensorType.tp_repr = tensor_repr;
  TensorType.tp_methods = construction;
  TensorType.tp_dictoffset = offsetof(PyTensor, dict);
  TensorType.tp_weaklistoffset = offsetof(PyTensor, weakrefs);
  init_operators();
  init_attributes(m);
  check(PyType_Ready(&TensorType));
  TensorType.tp_flags &= ~Py_TPFLAGS_IMMUTABLETYPE;  // programs add methods: torch.Tensor.mine = f
  init_methods(m);
  check(PyModule_AddObjectRef(m, "Tensor", reinterpret_cast<PyObject*>(&TensorType)));
  check(PyModule_AddObjectRef(m, "_TensorMeta", reinterpret_cast<PyObject*>(&TensorMeta)));
  check(PyModule_AddFunctions(m, module_methods));
  release_python = release_object;
}

}  // namespace bolide::python
