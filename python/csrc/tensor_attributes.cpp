// Attributes of Tensor: layout, dtype and device | autograd | views | flags. One table; every read and write passes
// get_attribute / set_attribute, where subclasses may take over.
#include "autograd/meta.h"
#include "binder.h"

namespace bolide::python {

namespace {

#define SELF unwrap(self)

// ---- layout, dtype, device ---------------------------------------------------------------------

PyObject* get_shape(PyObject* self) { return wrap_size(SELF.sizes()); }
PyObject* get_dtype(PyObject* self) { return wrap(SELF.dtype()); }
PyObject* get_device(PyObject* self) { return wrap(SELF.device()); }
PyObject* get_layout(PyObject*) { return layout_object(); }
PyObject* get_ndim(PyObject* self) { return PyLong_FromLongLong(SELF.dim()); }
PyObject* get_itemsize(PyObject* self) { return PyLong_FromLongLong(SELF.itemsize()); }
PyObject* get_nbytes(PyObject* self) { return PyLong_FromLongLong(SELF.itemsize() * SELF.numel()); }
PyObject* get_is_cuda(PyObject* self) { return PyBool_FromLong(SELF.device().is_cuda()); }
PyObject* get_is_cpu(PyObject* self) { return PyBool_FromLong(SELF.device().is_cpu()); }
PyObject* get_is_meta(PyObject* self) { return PyBool_FromLong(SELF.device().is_meta()); }
PyObject* get_false(PyObject*) { Py_RETURN_FALSE; }
PyObject* get_none(PyObject*) { Py_RETURN_NONE; }
PyObject* get_cdata(PyObject* self) { return PyLong_FromVoidPtr(SELF.impl()); }

// ---- autograd ----------------------------------------------------------------------------------

PyObject* get_requires_grad(PyObject* self) { return PyBool_FromLong(SELF.requires_grad()); }
void set_requires_grad(PyObject* self, PyObject* v) {
  BOLIDE_CHECK(v && PyBool_Check(v), "requires_grad must be a bool");
  BOLIDE_CHECK(v == Py_False || is_differentiable(SELF.dtype()), "only Tensors of floating point and complex dtype can require gradients");
  const_cast<Tensor&>(SELF).set_requires_grad(v == Py_True);
}
PyObject* get_grad(PyObject* self) {
  const Tensor& t = SELF;
  if (Tensor g = t.grad(); g.defined() || !t.requires_grad() || t.retains_grad() || t.is_leaf()) return wrap(std::move(g));
  const int failed = PyErr_WarnEx(PyExc_UserWarning, "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad "
                                  "attribute won't be populated during autograd.backward(). If you indeed want the .grad field to be populated "
                                  "for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by "
                                  "mistake, make sure you access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more "
                                  "information.", 1);
  if (failed) throw PythonError{};
  Py_RETURN_NONE;
}
void set_grad(PyObject* self, PyObject* v) {
  if (!v || v == Py_None) return SELF.set_grad({});
  BOLIDE_CHECK_AS(TypeError, is_tensor(v), "assigned grad expected to be a Tensor or None but got grad of type ", type_name(v));
  BOLIDE_CHECK(v != self, "can't assign Variable as its own grad");
  SELF.set_grad(unwrap(v));
}
PyObject* get_grad_fn(PyObject* self) { return wrap_node(SELF.grad_fn()); }
PyObject* get_is_leaf(PyObject* self) { return PyBool_FromLong(SELF.is_leaf()); }
PyObject* get_version(PyObject* self) {
  BOLIDE_CHECK(!SELF->has(TensorImpl::kInference), "Inference tensors do not track version counter.");
  return PyLong_FromUnsignedLong(SELF.version());
}
PyObject* get_output_nr(PyObject* self) { return PyLong_FromUnsignedLong(SELF->autograd ? SELF->autograd->slot : 0); }
PyObject* get_retains_grad(PyObject* self) { return PyBool_FromLong(SELF->autograd && SELF->autograd->retains_grad); }
PyObject* get_data(PyObject* self) { return wrap(SELF.alias(false)); }
void set_data(PyObject* self, PyObject* v) {
  BOLIDE_CHECK_AS(TypeError, v && is_tensor(v), "Variable data has to be a tensor, but got ", v ? type_name(v) : "nothing");
  TensorImpl& t = *SELF.impl();
  const Tensor keep = unwrap(v);
  const TensorImpl& n = *keep.impl();
  t.storage = n.storage, t.sizes = n.sizes, t.strides = n.strides, t.offset = n.offset, t.dtype = n.dtype, t.device = n.device;
  t.refresh();
  layout_changed(&t);
}

// ---- views -------------------------------------------------------------------------------------

PyObject* get_base(PyObject* self) { return wrap(Tensor(SELF->base)); }
PyObject* get_T(PyObject* self) {
  Dims order;
  for (int64_t d = SELF.dim(); d-- > 0;) order.push_back(d);
  return wrap(permute(SELF, order));
}
Tensor matrix_transpose(const Tensor& t, const char* name) {
  BOLIDE_CHECK(t.dim() >= 2, "tensor.", name, " is only supported on matrices or batches of matrices. Got ", t.dim(), "-D tensor.");
  return transpose(t, -2, -1);
}
PyObject* get_mT(PyObject* self) { return wrap(matrix_transpose(SELF, "mT")); }
PyObject* get_mH(PyObject* self) {
  const Tensor t = matrix_transpose(SELF, "mH");
  return wrap(is_complex(t.dtype()) ? conj(t) : t);
}
PyObject* get_H(PyObject* self) {
  BOLIDE_CHECK(SELF.dim() == 2 || SELF.dim() == 0, "tensor.H is only supported on matrices (2-D tensors). Got ", SELF.dim(), "-D tensor.",
               SELF.dim() > 2 ? " For batches of matrices, consider using tensor.mH" : "");
  const Tensor t = SELF.dim() == 0 ? SELF : transpose(SELF, 0, 1);
  return wrap(is_complex(t.dtype()) ? conj(t) : t);
}
PyObject* get_real(PyObject* self) { return wrap(real(SELF)); }
PyObject* get_imag(PyObject* self) {
  static OpRef imag{"imag"};
  return check(imag(self));
}
void assign_part(PyObject* self, PyObject* v, PyObject* (*part)(PyObject*)) {
  Object target(part(self));
  static OpRef copy{"copy_"}, fill{"fill_"};
  Object done(check(is_tensor(v) ? copy(target.get(), v) : fill(target.get(), v)));
}
void set_real(PyObject* self, PyObject* v) { assign_part(self, v, get_real); }
void set_imag(PyObject* self, PyObject* v) { assign_part(self, v, get_imag); }

// ---- the table ---------------------------------------------------------------------------------

struct Attribute {
  const char* name;
  PyObject* (*get)(PyObject*);
  void (*set)(PyObject*, PyObject*) = nullptr;
  const char* doc = nullptr;
};
constexpr Attribute kAttributes[] = {
    {"shape", get_shape, nullptr, "The sizes."}, {"dtype", get_dtype}, {"device", get_device}, {"layout", get_layout},
    {"ndim", get_ndim}, {"itemsize", get_itemsize}, {"nbytes", get_nbytes},
    {"requires_grad", get_requires_grad, set_requires_grad, "Whether gradients are wanted for this tensor."},
    {"grad", get_grad, set_grad, "The accumulated gradient, or None."}, {"_grad", get_grad, set_grad}, {"grad_fn", get_grad_fn},
    {"_grad_fn", get_grad_fn},
    {"is_leaf", get_is_leaf}, {"_version", get_version}, {"output_nr", get_output_nr}, {"retains_grad", get_retains_grad},
    {"data", get_data, set_data, "The same memory without history."}, {"_base", get_base}, {"T", get_T}, {"mT", get_mT}, {"H", get_H},
    {"mH", get_mH}, {"real", get_real, set_real}, {"imag", get_imag, set_imag}, {"_cdata", get_cdata}, {"name", get_none},
    {"is_cuda", get_is_cuda}, {"is_cpu", get_is_cpu}, {"is_meta", get_is_meta}, {"volatile", get_false},
    {"is_sparse", get_false}, {"is_sparse_csr", get_false}, {"is_quantized", get_false}, {"is_nested", get_false}, {"is_mkldnn", get_false},
    {"is_mps", get_false}, {"is_xla", get_false}, {"is_xpu", get_false}, {"is_ipu", get_false}, {"is_vulkan", get_false},
    {"is_maia", get_false}, {"is_mtia", get_false}, {"is_hpu", get_false}};

bool unusual(PyObject* self) {
  return (Py_TYPE(self) != &TensorType && overrides(self)) || state().modes & State::kTorchFunction;
}
/// Tensor.shape.__get__, as overrides see a read.
Object accessor(const char* name, const char* which) {
  Object descriptor(check(PyObject_GetAttrString(reinterpret_cast<PyObject*>(&TensorType), name)));
  return Object(check(PyObject_GetAttrString(descriptor.get(), which)));
}
[[gnu::noinline]] PyObject* get_unusual(PyObject* self, const Attribute& a) {
  bool called;
  PyObject* r = call_override(accessor(a.name, "__get__").get(), Given{&self, 1, nullptr}, called);
  return called ? check(r) : a.get(self);
}

PyObject* get_attribute(PyObject* self, void* closure) {
  const Attribute& a = *static_cast<const Attribute*>(closure);
  return guard([&] { return unusual(self) ? get_unusual(self, a) : a.get(self); });
}
int set_attribute(PyObject* self, PyObject* value, void* closure) {
  const Attribute& a = *static_cast<const Attribute*>(closure);
  return guard_int([&] {
    if (value && unusual(self)) {
      PyObject* both[] = {self, value};
      bool called;
      Object r(call_override(accessor(a.name, "__set__").get(), Given{both, 2, nullptr}, called));
      if (called) return check(r.get()), 0;
    }
    a.set(self, value);
    return 0;
  });
}

PyGetSetDef getset[std::size(kAttributes) + 2];

}  // namespace

bool keeps_plain(PyObject* func) {
  if (std::strcmp(Py_TYPE(func)->tp_name, "method-wrapper")) return false;
  for (const char* name : {"grad", "_grad", "_base"}) {
    const int same = PyObject_RichCompareBool(func, accessor(name, "__get__").get(), Py_EQ);
    check(same);
    if (same) return true;
  }
  return false;
}

void init_attributes(PyObject*) {
  size_t i = 0;
  for (const Attribute& a : kAttributes)
    getset[i++] = {a.name, get_attribute, a.set ? set_attribute : nullptr, a.doc, const_cast<Attribute*>(&a)};
  getset[i] = {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr};
  TensorType.tp_getset = getset;
}

}  // namespace bolide::python
