// The Tensor type: identity of Python objects, attributes, operators. Ops arrive as methods from the binder.
#include "autograd/meta.h"
#include "python.h"

#include <structmember.h>
#include "python.h"

namespace bolide::python {

PyTypeObject* parameter_type = nullptr;

// ---- identity --------------------------------------------------------------------------------
// A Python object owns its TensorImpl. When the object would die while C++ still holds the tensor and the object
// carries something (attributes, weak references, a subclass), ownership turns round: the tensor keeps the object.

namespace {

PyTypeObject TensorMeta = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide._C._TensorMeta", .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE};

constexpr int kFree = 64;
PyTensor* g_free[kFree];
int g_free_count = 0;

PyTensor* new_object(PyTypeObject* type) {
  if (type == &TensorType && g_free_count) {
    PyTensor* o = g_free[--g_free_count];
    PyObject_Init(reinterpret_cast<PyObject*>(o), type);
    PyObject_GC_Track(o);
    return o;
  }
  auto* o = reinterpret_cast<PyTensor*>(check(type->tp_alloc(type, 0)));
  return o;
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

void clear_slots(PyTypeObject* type, PyObject* self) {
  for (; type && type != &TensorType; type = type->tp_base) {
    PyMemberDef* m = reinterpret_cast<PyMemberDef*>(reinterpret_cast<char*>(type) + Py_TYPE(type)->tp_basicsize);
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) continue;
    for (Py_ssize_t i = 0; i < Py_SIZE(type); ++i, ++m)
      if (m->type == T_OBJECT_EX && !(m->flags & READONLY)) {
        PyObject** p = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) + m->offset);
        Py_CLEAR(*p);
      }
  }
}

void tensor_dealloc(PyObject* self) {
  auto* o = reinterpret_cast<PyTensor*>(self);
  if (keep_alive(o)) return;
  PyTypeObject* type = Py_TYPE(self);
  if (type->tp_finalize || type->tp_del) {
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
  }
  PyObject_GC_UnTrack(self);
  if (o->weakrefs) PyObject_ClearWeakRefs(self);
  if (type != &TensorType) clear_slots(type, self);
  Py_CLEAR(o->dict);
  if (TensorImpl* t = std::exchange(o->impl, nullptr)) {
    t->python = nullptr;
    Tensor drop{Ref<TensorImpl>::adopt(t)};
  }
  if (type == &TensorType && g_free_count < kFree) {
    g_free[g_free_count++] = o;
    return;
  }
  type->tp_free(self);
  if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_DECREF(type);
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
  return 0;
}
int tensor_clear(PyObject* self) {
  auto* o = reinterpret_cast<PyTensor*>(self);
  Py_CLEAR(o->dict);
  return 0;
}
int meta_init(PyObject* cls, PyObject* args, PyObject* kw) {
  if (PyType_Type.tp_init(cls, args, kw) < 0) return -1;
  reinterpret_cast<PyTypeObject*>(cls)->tp_dealloc = tensor_dealloc;
  return 0;
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

PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject* kw) {
  return guard([&]() -> PyObject* {
    const Py_ssize_t n = PyTuple_GET_SIZE(args);
    Tensor t;
    if (n == 0) t = empty({0});
    else if (n == 1 && is_tensor(PyTuple_GET_ITEM(args, 0))) t = unwrap(PyTuple_GET_ITEM(args, 0)).alias();
    else if (PyLong_Check(PyTuple_GET_ITEM(args, 0)) || Py_TYPE(PyTuple_GET_ITEM(args, 0)) == &SizeType)
      t = bolide::empty(n == 1 ? ints_of(PyTuple_GET_ITEM(args, 0)) : ints_of(args));
    else t = tensor_from(PyTuple_GET_ITEM(args, 0), default_dtype(), std::nullopt);
    (void)kw;
    return wrap_as(type, t);
  });
}

PyObject* make_subclass(PyObject*, PyObject* args, PyObject* kw) {
  return guard([&]() -> PyObject* {
    PyObject *cls, *data;
    int requires_grad = 0;
    static const char* names[] = {"cls", "data", "require_grad", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kw, "OO|p", const_cast<char**>(names), &cls, &data, &requires_grad)) return nullptr;
    BOLIDE_CHECK_AS(TypeError, PyType_Check(cls) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(cls), &TensorType), "cls must be a Tensor type");
    BOLIDE_CHECK_AS(TypeError, is_tensor(data), "_make_subclass(): argument 'data' must be Tensor, not ", Py_TYPE(data)->tp_name);
    Tensor t = unwrap(data).alias();
    if (requires_grad) t.set_requires_grad(true);
    return wrap_as(reinterpret_cast<PyTypeObject*>(cls), t);
  });
}
PyObject* as_subclass(PyObject* self, PyObject* cls) {
  return guard([&]() -> PyObject* {
    BOLIDE_CHECK_AS(TypeError, PyType_Check(cls) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(cls), &TensorType), "cls must be a Tensor type");
    Tensor t = unwrap(self).alias();
    if (Ref<Node> fn = unwrap(self).grad_fn()) {
      t->flags |= TensorImpl::kRequiresGrad;
      AutogradMeta& m = meta_of(t.impl());
      m.grad_fn = fn, m.slot = unwrap(self)->autograd->slot, m.view_version = t.version();
    } else if (unwrap(self).requires_grad()) {
      t.set_requires_grad(true);
    }
    return wrap_as(reinterpret_cast<PyTypeObject*>(cls), t);
  });
}

// ---- attributes ------------------------------------------------------------------------------

#define SELF unwrap(self)
PyObject* get_shape(PyObject* self, void*) { return guard([&] { return wrap_size(SELF.sizes()); }); }
PyObject* get_dtype(PyObject* self, void*) { return wrap(SELF.dtype()); }
PyObject* get_device(PyObject* self, void*) { return wrap(SELF.device()); }
PyObject* get_layout(PyObject*, void*) { return layout_object(); }
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLongLong(SELF.dim()); }
PyObject* get_requires_grad(PyObject* self, void*) { return PyBool_FromLong(SELF.requires_grad()); }
int set_requires_grad(PyObject* self, PyObject* v, void*) {
  return guard_int([&] {
    BOLIDE_CHECK(v && PyBool_Check(v), "requires_grad must be a bool");
    const_cast<Tensor&>(SELF).set_requires_grad(v == Py_True);
    return 0;
  });
}
PyObject* get_grad(PyObject* self, void*) { return guard([&] { return wrap(SELF.grad()); }); }
int set_grad(PyObject* self, PyObject* v, void*) {
  return guard_int([&] {
    if (!v || v == Py_None) SELF.set_grad({});
    else {
      BOLIDE_CHECK_AS(TypeError, is_tensor(v), "assigned grad expected to be a Tensor or None but got grad of type", Py_TYPE(v)->tp_name);
      SELF.set_grad(unwrap(v));
    }
    return 0;
  });
}
PyObject* get_grad_fn(PyObject* self, void*) { return guard([&] { return wrap_node(SELF.grad_fn()); }); }
PyObject* get_is_leaf(PyObject* self, void*) { return guard([&] { return PyBool_FromLong(SELF.is_leaf()); }); }
PyObject* get_version(PyObject* self, void*) { return PyLong_FromUnsignedLong(SELF.version()); }
PyObject* get_itemsize(PyObject* self, void*) { return PyLong_FromLongLong(SELF.itemsize()); }
PyObject* get_nbytes(PyObject* self, void*) { return PyLong_FromLongLong(SELF.itemsize() * SELF.numel()); }
PyObject* get_data(PyObject* self, void*) { return guard([&] { return wrap(SELF.alias(false)); }); }
int set_data(PyObject* self, PyObject* v, void*) {
  return guard_int([&] {
    BOLIDE_CHECK_AS(TypeError, v && is_tensor(v), "Variable data has to be a tensor, but got ", v ? Py_TYPE(v)->tp_name : "nothing");
    TensorImpl& t = *SELF.impl();
    const TensorImpl& n = *unwrap(v).impl();
    t.storage = n.storage, t.sizes = n.sizes, t.strides = n.strides, t.offset = n.offset, t.dtype = n.dtype, t.device = n.device;
    t.refresh();
    return 0;
  });
}
PyObject* get_T(PyObject* self, void*) {
  return guard([&] {
    Dims order;
    for (int64_t d = SELF.dim(); d-- > 0;) order.push_back(d);
    return wrap(permute(SELF, order));
  });
}
PyObject* get_mT(PyObject* self, void*) {
  return guard([&] {
    BOLIDE_CHECK(SELF.dim() >= 2, "tensor.mT is only supported on matrices or batches of matrices. Got ", SELF.dim(), "-D tensor.");
    return wrap(transpose(SELF, -2, -1));
  });
}
PyObject* get_is_cuda(PyObject* self, void*) { return PyBool_FromLong(SELF.device().is_cuda()); }
PyObject* get_is_cpu(PyObject* self, void*) { return PyBool_FromLong(SELF.device().is_cpu()); }
PyObject* get_is_meta(PyObject* self, void*) { return PyBool_FromLong(SELF.device().is_meta()); }
PyObject* get_false(PyObject*, void*) { Py_RETURN_FALSE; }
PyObject* get_output_nr(PyObject* self, void*) { return PyLong_FromUnsignedLong(SELF->autograd ? SELF->autograd->slot : 0); }
PyObject* get_base(PyObject* self, void*) { return guard([&] { return wrap(Tensor(SELF->base)); }); }
PyObject* get_retains_grad(PyObject* self, void*) { return PyBool_FromLong(SELF->autograd && SELF->autograd->retains_grad); }
PyObject* get_real(PyObject* self, void*) { return guard([&] { return wrap(real(SELF)); }); }
PyGetSetDef getset[] = {
    {"shape", get_shape, nullptr, "The sizes.", nullptr}, {"dtype", get_dtype, nullptr, nullptr, nullptr},
    {"device", get_device, nullptr, nullptr, nullptr}, {"layout", get_layout, nullptr, nullptr, nullptr},
    {"ndim", get_ndim, nullptr, nullptr, nullptr}, {"requires_grad", get_requires_grad, set_requires_grad, nullptr, nullptr},
    {"grad", get_grad, set_grad, nullptr, nullptr}, {"grad_fn", get_grad_fn, nullptr, nullptr, nullptr},
    {"is_leaf", get_is_leaf, nullptr, nullptr, nullptr}, {"_version", get_version, nullptr, nullptr, nullptr},
    {"itemsize", get_itemsize, nullptr, nullptr, nullptr}, {"nbytes", get_nbytes, nullptr, nullptr, nullptr},
    {"data", get_data, set_data, nullptr, nullptr}, {"T", get_T, nullptr, nullptr, nullptr}, {"mT", get_mT, nullptr, nullptr, nullptr},
    {"is_cuda", get_is_cuda, nullptr, nullptr, nullptr}, {"is_cpu", get_is_cpu, nullptr, nullptr, nullptr},
    {"is_meta", get_is_meta, nullptr, nullptr, nullptr}, {"is_sparse", get_false, nullptr, nullptr, nullptr},
    {"is_quantized", get_false, nullptr, nullptr, nullptr}, {"is_mps", get_false, nullptr, nullptr, nullptr},
    {"is_nested", get_false, nullptr, nullptr, nullptr}, {"is_mkldnn", get_false, nullptr, nullptr, nullptr},
    {"is_xla", get_false, nullptr, nullptr, nullptr},
    {"is_sparse_csr", get_false, nullptr, nullptr, nullptr}, {"output_nr", get_output_nr, nullptr, nullptr, nullptr},
    {"_base", get_base, nullptr, nullptr, nullptr}, {"retains_grad", get_retains_grad, nullptr, nullptr, nullptr},
    {"real", get_real, nullptr, nullptr, nullptr}, {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr}, {}};

// ---- plain methods ---------------------------------------------------------------------------

PyObject* m_size(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return guard([&]() -> PyObject* {
    if (n == 0 || args[0] == Py_None) return wrap_size(SELF.sizes());
    const long long d = PyLong_AsLongLong(args[0]);
    if (d == -1 && PyErr_Occurred()) return nullptr;
    if (SELF.dim() == 0) fail<IndexError>("Dimension specified as ", d, " but tensor has no dimensions");
    return PyLong_FromLongLong(SELF.size(d));
  });
}
PyObject* m_stride(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return guard([&]() -> PyObject* {
    if (n) return PyLong_FromLongLong(SELF.stride(PyLong_AsLongLong(args[0])));
    PyObject* t = check(PyTuple_New(SELF.dim()));
    for (int64_t d = 0; d < SELF.dim(); ++d) PyTuple_SET_ITEM(t, d, PyLong_FromLongLong(SELF.strides()[static_cast<size_t>(d)]));
    return t;
  });
}
PyObject* m_dim(PyObject* self, PyObject*) { return PyLong_FromLongLong(SELF.dim()); }
PyObject* m_numel(PyObject* self, PyObject*) { return PyLong_FromLongLong(SELF.numel()); }
PyObject* m_element_size(PyObject* self, PyObject*) { return PyLong_FromLongLong(SELF.itemsize()); }
PyObject* m_storage_offset(PyObject* self, PyObject*) { return PyLong_FromLongLong(SELF.storage_offset()); }
PyObject* m_data_ptr(PyObject* self, PyObject*) { return PyLong_FromVoidPtr(SELF.device().is_meta() ? nullptr : SELF.raw()); }
PyObject* m_storage_ptr(PyObject* self, PyObject*) { return PyLong_FromVoidPtr(SELF.storage()->data); }
PyObject* m_storage_bytes(PyObject* self, PyObject*) { return PyLong_FromSize_t(SELF.storage()->bytes); }
PyObject* m_item(PyObject* self, PyObject*) { return guard([&] { return wrap(SELF.item()); }); }
PyObject* m_tolist(PyObject* self, PyObject*) { return guard([&] { return to_list(SELF); }); }
PyObject* m_is_floating_point(PyObject* self, PyObject*) { return PyBool_FromLong(is_floating(SELF.dtype())); }
PyObject* m_is_complex(PyObject* self, PyObject*) { return PyBool_FromLong(is_complex(SELF.dtype())); }
PyObject* m_is_inference(PyObject* self, PyObject*) { return PyBool_FromLong(SELF->has(TensorImpl::kInference)); }
PyObject* m_false(PyObject*, PyObject*) { Py_RETURN_FALSE; }
PyObject* m_self(PyObject* self, PyObject*) { return Py_NewRef(self); }
PyObject* m_is_contiguous(PyObject* self, PyObject* args, PyObject* kw) {
  PyObject* f = nullptr;
  static const char* names[] = {"memory_format", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kw, "|O", const_cast<char**>(names), &f)) return nullptr;
  return PyBool_FromLong(f && Py_TYPE(f) == &FormatType ? SELF.is_contiguous(reinterpret_cast<PyFormat*>(f)->value) : SELF.is_contiguous());
}
PyObject* m_requires_grad_(PyObject* self, PyObject* args, PyObject* kw) {
  return guard([&]() -> PyObject* {
    int v = 1;
    static const char* names[] = {"requires_grad", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kw, "|p", const_cast<char**>(names), &v)) return nullptr;
    const_cast<Tensor&>(SELF).set_requires_grad(v);
    return Py_NewRef(self);
  });
}
PyObject* m_detach_(PyObject* self, PyObject*) {
  return guard([&] {
    BOLIDE_CHECK(!SELF->base, "Can't detach views in-place. Use detach() instead.");
    SELF->flags &= static_cast<uint16_t>(~TensorImpl::kRequiresGrad);
    if (SELF->autograd) SELF->autograd->grad_fn = {};
    return Py_NewRef(self);
  });
}
PyObject* m_retain_grad(PyObject* self, PyObject*) { return guard([&] { SELF.retain_grad(); Py_RETURN_NONE; }); }
PyObject* m_set_flag(PyObject* self, PyObject* v) {
  return guard([&] { if (PyObject_IsTrue(v)) SELF->flags |= TensorImpl::kWrappedNumber; Py_RETURN_NONE; });
}
PyMethodDef methods[] = {
    {"size", reinterpret_cast<PyCFunction>(m_size), METH_FASTCALL, "size(dim=None): the sizes, or one of them."},
    {"stride", reinterpret_cast<PyCFunction>(m_stride), METH_FASTCALL, "stride(dim=None): steps in elements."},
    {"dim", m_dim, METH_NOARGS, "The number of dimensions."}, {"ndimension", m_dim, METH_NOARGS, nullptr},
    {"numel", m_numel, METH_NOARGS, "The number of elements."}, {"nelement", m_numel, METH_NOARGS, nullptr},
    {"element_size", m_element_size, METH_NOARGS, nullptr}, {"storage_offset", m_storage_offset, METH_NOARGS, nullptr},
    {"data_ptr", m_data_ptr, METH_NOARGS, nullptr}, {"_storage_ptr", m_storage_ptr, METH_NOARGS, nullptr},
    {"_storage_bytes", m_storage_bytes, METH_NOARGS, nullptr}, {"item", m_item, METH_NOARGS, "The value of a one-element tensor."},
    {"tolist", m_tolist, METH_NOARGS, "The values as nested lists."}, {"is_floating_point", m_is_floating_point, METH_NOARGS, nullptr},
    {"is_complex", m_is_complex, METH_NOARGS, nullptr}, {"is_inference", m_is_inference, METH_NOARGS, nullptr},
    {"is_conj", m_false, METH_NOARGS, nullptr}, {"is_neg", m_false, METH_NOARGS, nullptr}, {"resolve_conj", m_self, METH_NOARGS, nullptr},
    {"resolve_neg", m_self, METH_NOARGS, nullptr},
    {"is_contiguous", reinterpret_cast<PyCFunction>(m_is_contiguous), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"requires_grad_", reinterpret_cast<PyCFunction>(m_requires_grad_), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"detach_", m_detach_, METH_NOARGS, nullptr}, {"retain_grad", m_retain_grad, METH_NOARGS, nullptr},
    {"_set_wrapped_number", m_set_flag, METH_O, nullptr},
    {"_make_subclass", reinterpret_cast<PyCFunction>(make_subclass), METH_VARARGS | METH_KEYWORDS | METH_STATIC, nullptr},
    {"as_subclass", as_subclass, METH_O, nullptr}, {}};

// ---- operators -------------------------------------------------------------------------------

bool operand(PyObject* o) { return is_tensor(o) || is_number(o); }
/// a op b; `reflected` is called with (b, a) when only b is a tensor.
PyObject* binary(const char* name, const char* reflected, PyObject* a, PyObject* b) {
  if (is_tensor(a)) {
    if (!operand(b)) {
      if (!PyObject_CheckBuffer(b)) Py_RETURN_NOTIMPLEMENTED;
      Object t(guard([&] { return wrap(tensor_from(b, {}, {})); }));  // an ndarray
      return t ? call_op_with(name, a, t.get()) : nullptr;
    }
    return call_op_with(name, a, b);
  }
  if (!operand(a)) Py_RETURN_NOTIMPLEMENTED;
  if (reflected) return call_op_with(reflected, b, a);
  return guard([&]() -> PyObject* {
    const Tensor& t = unwrap(b);
    const Scalar s = scalar_of(a);
    Tensor n = scalar_tensor(s, s.dtype(), t.device());
    n->flags |= TensorImpl::kWrappedNumber;
    Object left(wrap(n));
    return call_op_with(name, left.get(), b);
  });
}
PyObject* in_place(const char* name, PyObject* a, PyObject* b) {
  if (!operand(b)) Py_RETURN_NOTIMPLEMENTED;
  return call_op_with(name, a, b);
}
#define BINARY(fn, op, refl) PyObject* fn(PyObject* a, PyObject* b) { return binary(op, refl, a, b); }
BINARY(nb_add, "add", "add") BINARY(nb_sub, "sub", "rsub") BINARY(nb_mul, "mul", "mul") BINARY(nb_div, "div", nullptr)
BINARY(nb_mod, "remainder", nullptr) BINARY(nb_floordiv, "floor_divide", nullptr)
BINARY(nb_and, "bitwise_and", "bitwise_and") BINARY(nb_or, "bitwise_or", "bitwise_or") BINARY(nb_xor, "bitwise_xor", "bitwise_xor")
BINARY(nb_lshift, "bitwise_left_shift", nullptr) BINARY(nb_rshift, "bitwise_right_shift", nullptr)
#define INPLACE(fn, op) PyObject* fn(PyObject* a, PyObject* b) { return in_place(op, a, b); }
INPLACE(nb_iadd, "add_") INPLACE(nb_isub, "sub_") INPLACE(nb_imul, "mul_") INPLACE(nb_idiv, "div_") INPLACE(nb_imod, "remainder_")
INPLACE(nb_ifloordiv, "floor_divide_") INPLACE(nb_iand, "bitwise_and_") INPLACE(nb_ior, "bitwise_or_") INPLACE(nb_ixor, "bitwise_xor_")
INPLACE(nb_ilshift, "bitwise_left_shift_") INPLACE(nb_irshift, "bitwise_right_shift_")
PyObject* nb_matmul(PyObject* a, PyObject* b) {
  if (!is_tensor(a) || !is_tensor(b)) Py_RETURN_NOTIMPLEMENTED;
  return call_op_with("matmul", a, b);
}
PyObject* nb_pow(PyObject* a, PyObject* b, PyObject*) {
  if (!is_tensor(a)) {
    if (!is_number(a)) Py_RETURN_NOTIMPLEMENTED;
    return call_op_with("_rpow", b, a);
  }
  if (!operand(b)) Py_RETURN_NOTIMPLEMENTED;
  return call_op_with("pow", a, b);
}
PyObject* nb_ipow(PyObject* a, PyObject* b, PyObject*) { return in_place("pow_", a, b); }
PyObject* nb_neg(PyObject* a) { return call_op_with("neg", a); }
PyObject* nb_pos(PyObject* a) { return Py_NewRef(a); }
PyObject* nb_abs(PyObject* a) { return call_op_with("abs", a); }
PyObject* nb_invert(PyObject* a) { return call_op_with("bitwise_not", a); }
int nb_bool(PyObject* self) {
  return guard_int([&] {
    const Tensor& t = SELF;
    BOLIDE_CHECK(t.numel() != 0, "Boolean value of Tensor with no values is ambiguous");
    BOLIDE_CHECK(t.numel() == 1, "Boolean value of Tensor with more than one value is ambiguous");
    return int(t.item().to<bool>());
  });
}
Scalar only_value(PyObject* self) {
  BOLIDE_CHECK_AS(ValueError, SELF.numel() == 1, "only one element tensors can be converted to Python scalars");
  return SELF.item();
}
PyObject* nb_float(PyObject* self) { return guard([&] { return PyFloat_FromDouble(only_value(self).to_double()); }); }
PyObject* nb_int(PyObject* self) {
  return guard([&] {
    const Scalar s = only_value(self);
    return s.is_float() ? PyLong_FromDouble(s.to_double()) : PyLong_FromLongLong(s.to_int());
  });
}
PyObject* nb_index(PyObject* self) {
  return guard([&] {
    BOLIDE_CHECK_AS(TypeError, SELF.numel() == 1 && (is_integral(SELF.dtype()) || SELF.dtype() == DType::Bool),
                    "only integer tensors of a single element can be converted to an index");
    return PyLong_FromLongLong(SELF.item<int64_t>());
  });
}
PyObject* richcompare(PyObject* a, PyObject* b, int op) {
  static const char* names[] = {"lt", "le", "eq", "ne", "gt", "ge"};
  if (!operand(b)) {
    if (PyObject_CheckBuffer(b) && !PyBytes_Check(b)) {
      Object t(guard([&] { return wrap(tensor_from(b, {}, {})); }));
      return t ? call_op_with(names[op], a, t.get()) : nullptr;
    }
    Py_RETURN_NOTIMPLEMENTED;
  }
  return call_op_with(names[op], a, b);
}
Py_hash_t tensor_hash(PyObject* self) { return _Py_HashPointer(self); }
Py_ssize_t tensor_length(PyObject* self) {
  if (SELF.dim() == 0) {
    PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
    return -1;
  }
  return static_cast<Py_ssize_t>(SELF.sizes()[0]);
}
PyObject* tensor_iter(PyObject* self) {
  return guard([&]() -> PyObject* {
    BOLIDE_CHECK_AS(TypeError, SELF.dim() > 0, "iteration over a 0-d tensor");
    Object all(check(call_op_with("unbind", self)));
    return PyObject_GetIter(all.get());
  });
}
int tensor_contains(PyObject* self, PyObject* value) {
  if (!operand(value)) {
    PyErr_Format(PyExc_RuntimeError, "Tensor.__contains__ only supports Tensor or scalar, but you passed in a %s.", reinterpret_cast<PyObject*>(Py_TYPE(value)) ? Py_TYPE(value)->tp_name : "?");
    return -1;
  }
  Object hit(call_op_with("eq", self, value));
  if (!hit) return -1;
  Object some(call_op_with("any", hit.get()));
  return some ? PyObject_IsTrue(some.get()) : -1;
}
PyObject* tensor_subscript(PyObject* self, PyObject* k) { return get_item(self, k); }
int tensor_assign(PyObject* self, PyObject* k, PyObject* v) {
  if (!v) {
    PyErr_SetString(PyExc_TypeError, "Tensor does not support deleting items");
    return -1;
  }
  return set_item(self, k, v);
}
PyNumberMethods number = {
    .nb_add = nb_add, .nb_subtract = nb_sub, .nb_multiply = nb_mul, .nb_remainder = nb_mod, .nb_power = nb_pow, .nb_negative = nb_neg,
    .nb_positive = nb_pos, .nb_absolute = nb_abs, .nb_bool = nb_bool, .nb_invert = nb_invert, .nb_lshift = nb_lshift,
    .nb_rshift = nb_rshift, .nb_and = nb_and, .nb_xor = nb_xor, .nb_or = nb_or, .nb_int = nb_int, .nb_float = nb_float,
    .nb_inplace_add = nb_iadd, .nb_inplace_subtract = nb_isub, .nb_inplace_multiply = nb_imul, .nb_inplace_remainder = nb_imod,
    .nb_inplace_power = nb_ipow, .nb_inplace_lshift = nb_ilshift, .nb_inplace_rshift = nb_irshift, .nb_inplace_and = nb_iand,
    .nb_inplace_xor = nb_ixor, .nb_inplace_or = nb_ior, .nb_floor_divide = nb_floordiv, .nb_true_divide = nb_div,
    .nb_inplace_floor_divide = nb_ifloordiv, .nb_inplace_true_divide = nb_idiv, .nb_index = nb_index, .nb_matrix_multiply = nb_matmul};
PyMappingMethods mapping = {tensor_length, tensor_subscript, tensor_assign};
PySequenceMethods sequence = {.sq_length = tensor_length, .sq_contains = tensor_contains};

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
PyObject* tensor_repr(PyObject* self) {
  if (!g_repr) return PyUnicode_FromString("<tensor>");
  return PyObject_CallOneArg(g_repr, self);
}
PyObject* set_repr(PyObject*, PyObject* f) {
  g_repr = Py_NewRef(f);
  Py_RETURN_NONE;
}
PyMethodDef module_methods[] = {{"_add_method", add_method, METH_VARARGS, nullptr}, {"_set_repr", set_repr, METH_O, nullptr}, {}};

}  // namespace

PyTypeObject TensorType = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide.Tensor", .tp_basicsize = sizeof(PyTensor),
                           .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                           .tp_doc = "A multi-dimensional array of one dtype, with automatic differentiation."};

void init_tensor(PyObject* m) {
  TensorMeta.tp_base = &PyType_Type;
  TensorMeta.tp_init = meta_init;
  check(PyType_Ready(&TensorMeta));
  Py_SET_TYPE(&TensorType, &TensorMeta);
  TensorType.tp_new = tensor_new;
  TensorType.tp_dealloc = tensor_dealloc;
  TensorType.tp_traverse = tensor_traverse;
  TensorType.tp_clear = tensor_clear;
  TensorType.tp_repr = tensor_repr;
  TensorType.tp_hash = tensor_hash;
  TensorType.tp_richcompare = richcompare;
  TensorType.tp_iter = tensor_iter;
  TensorType.tp_as_number = &number;
  TensorType.tp_as_mapping = &mapping;
  TensorType.tp_as_sequence = &sequence;
  TensorType.tp_methods = methods;
  TensorType.tp_getset = getset;
  TensorType.tp_dictoffset = offsetof(PyTensor, dict);
  TensorType.tp_weaklistoffset = offsetof(PyTensor, weakrefs);
  check(PyType_Ready(&TensorType));
  check(PyModule_AddObjectRef(m, "Tensor", reinterpret_cast<PyObject*>(&TensorType)));
  check(PyModule_AddObjectRef(m, "_TensorMeta", reinterpret_cast<PyObject*>(&TensorMeta)));
  check(PyModule_AddFunctions(m, module_methods));
  release_python = release_object;
}

}  // namespace bolide::python
