// The quick way of optimizer steps: gathers parameters, gradients and states of a group from Python's lists and dicts,
// and calls the fused op. Says false, before anything has changed, where the group needs the general way.
#include "autograd/meta.h"
#include "python.h"

namespace bolide::python {
namespace {

/// Borrowed tensors, passed on as a TensorList.
class Column {
 public:
  void add(TensorImpl* t) { list_.push_back(t); }
  bool empty() const { return list_.empty(); }
  size_t size() const { return list_.size(); }
  TensorImpl* operator[](size_t i) const { return list_[i]; }
  operator TensorList() const { return {reinterpret_cast<const Tensor*>(list_.data()), list_.size()}; }

 private:
  std::vector<TensorImpl*> list_;
};

bool is_plain(const TensorImpl* t) { return t->dtype == DType::Float32 || t->dtype == DType::Float64; }
bool alike(const TensorImpl* a, const TensorImpl* p) {
  return a->dtype == p->dtype && a->device == p->device && a->sizes == p->sizes;
}

TensorImpl* gradient_of(const TensorImpl* p) { return p->autograd ? p->autograd->grad.impl() : nullptr; }

/// The tensor state[name] of a parameter; null when it is missing or of another kind.
TensorImpl* entry(PyObject* state, PyObject* name) {
  PyObject* value = PyDict_GetItemWithError(state, name);
  return value && is_tensor(value) ? reinterpret_cast<PyTensor*>(value)->impl : nullptr;
}

/// Parameters of a list that have gradients, with those and the named states. False where one does not fit.
bool gather(PyObject* params, PyObject* state, PyObject* const* names, Column* columns, size_t count) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(params); ++i) {
    PyObject* object = PyList_GET_ITEM(params, i);
    if (!is_tensor(object)) return false;
    TensorImpl* p = reinterpret_cast<PyTensor*>(object)->impl;
    TensorImpl* g = gradient_of(p);
    if (!g) continue;
    if (!is_plain(p) || !alike(g, p)) return false;
    columns[0].add(p);
    columns[1].add(g);
    if (!count) continue;
    PyObject* own = PyDict_GetItemWithError(state, object);
    if (!own || !PyDict_Check(own)) return false;
    for (size_t k = 0; k < count; ++k) {
      TensorImpl* t = entry(own, names[k]);
      if (!t) return false;
      columns[2 + k].add(t);
    }
  }
  return !PyErr_Occurred();
}

bool all_alike(const Column& c, const Column& p) {
  for (size_t i = 0; i < c.size(); ++i)
    if (!alike(c[i], p[i])) return false;
  return true;
}

PyObject* interned(const char* name) { return check(PyUnicode_InternFromString(name)); }

/// A number, or a one-element tensor.
double number(PyObject* o) {
  if (PyFloat_CheckExact(o)) return PyFloat_AS_DOUBLE(o);
  const double v = PyFloat_AsDouble(o);
  if (v == -1.0 && PyErr_Occurred()) throw PythonError{};
  return v;
}

// Steps are counted where they lie: 0-d float tensors on the CPU.
bool count_up(const Column& steps) {
  for (size_t i = 0; i < steps.size(); ++i)
    if (!is_plain(steps[i]) || steps[i]->numel != 1 || !steps[i]->device.is_cpu()) return false;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i]->dtype == DType::Float32) ++*reinterpret_cast<float*>(steps[i]->data());
    else ++*reinterpret_cast<double*>(steps[i]->data());
    steps[i]->bump();
  }
  return true;
}

// _adam_group(params, state, lr, betas, eps, weight_decay, amsgrad, maximize, decoupled) -> whether it was done
PyObject* adam_group(PyObject*, PyObject* const* args, Py_ssize_t n) {
  return guard([&]() -> PyObject* {
    static PyObject* const names[] = {interned("step"), interned("exp_avg"), interned("exp_avg_sq"), interned("max_exp_avg_sq")};
    if (n != 9 || !PyList_Check(args[0]) || !PyDict_Check(args[1]) || !PyTuple_Check(args[3]) || PyTuple_GET_SIZE(args[3]) != 2)
      Py_RETURN_FALSE;
    const bool amsgrad = PyObject_IsTrue(args[6]) == 1;
    Column c[6];
    if (!gather(args[0], args[1], names, c, amsgrad ? 4 : 3)) {
      if (PyErr_Occurred()) throw PythonError{};
      Py_RETURN_FALSE;
    }
    for (int k : {3, 4, 5})
      if (!all_alike(c[k], c[0])) Py_RETURN_FALSE;
    const AdamStep step{number(args[2]), number(PyTuple_GET_ITEM(args[3], 0)), number(PyTuple_GET_ITEM(args[3], 1)), number(args[4]),
                        number(args[5]), PyObject_IsTrue(args[8]) == 1, PyObject_IsTrue(args[7]) == 1};
    if (c[0].empty()) Py_RETURN_TRUE;
    if (!count_up(c[2])) Py_RETURN_FALSE;
    adam_step_(c[0], c[1], c[3], c[4], c[5], c[2], step);
    Py_RETURN_TRUE;
  });
}

// _sgd_group(params, state, lr, momentum, dampening, weight_decay, nesterov, maximize) -> whether it was done
PyObject* sgd_group(PyObject*, PyObject* const* args, Py_ssize_t n) {
  return guard([&]() -> PyObject* {
    static PyObject* const names[] = {interned("momentum_buffer")};
    if (n != 8 || !PyList_Check(args[0]) || !PyDict_Check(args[1])) Py_RETURN_FALSE;
    SgdStep step{number(args[2]), number(args[3]), number(args[4]), number(args[5]), PyObject_IsTrue(args[6]) == 1,
                 PyObject_IsTrue(args[7]) == 1, false};
    Column c[3];
    if (!gather(args[0], args[1], names, c, step.momentum == 0 ? 0 : 1) || !all_alike(c[2], c[0])) {
      if (PyErr_Occurred()) throw PythonError{};
      Py_RETURN_FALSE;
    }
    if (!c[0].empty()) sgd_step_(c[0], c[1], c[2], step);
    Py_RETURN_TRUE;
  });
}

PyMethodDef functions[] = {
    {"_adam_group", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(adam_group)), METH_FASTCALL, nullptr},
    {"_sgd_group", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(sgd_group)), METH_FASTCALL, nullptr},
    {}};

}  // namespace

void init_optim(PyObject* m) { check(PyModule_AddFunctions(m, functions)); }

}  // namespace bolide::python
