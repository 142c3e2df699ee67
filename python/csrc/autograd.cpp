// Autograd for Python: backward and grad, modes, hooks, graph nodes as objects, user-defined functions.
#include <unordered_map>

#include "autograd/call.h"
#include "autograd/meta.h"
#include "core/allocator.h"
#include "core/rng.h"
#include "cpu/pool.h"
#include "iter/plan.h"
#include "python.h"

namespace bolide::python {

namespace {

std::vector<Tensor> tensors_of(PyObject* o, bool none_ok) {
  std::vector<Tensor> v;
  if (o == Py_None || !o) return v;
  if (is_tensor(o)) return {unwrap(o)};
  Object seq(check(PySequence_Fast(o, "expected a Tensor or a sequence of Tensors")));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(seq.get()); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(seq.get(), i);
    if (is_tensor(item)) v.push_back(unwrap(item));
    else if (none_ok && item == Py_None) v.emplace_back();
    else fail<TypeError>("expected Tensor or None, but got ", Py_TYPE(item)->tp_name);
  }
  return v;
}

PyObject* run_backward(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject *outputs, *grads, *inputs;
    int retain, create;
    if (!PyArg_ParseTuple(args, "OOppO", &outputs, &grads, &retain, &create, &inputs)) return nullptr;
    const auto out = tensors_of(outputs, false), in = tensors_of(inputs, false);
    autograd::backward(out, tensors_of(grads, true), retain, create, in);
    Py_RETURN_NONE;
  });
}
PyObject* run_grad(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject *outputs, *inputs, *grads;
    int retain, create, unused;
    if (!PyArg_ParseTuple(args, "OOOppp", &outputs, &inputs, &grads, &retain, &create, &unused)) return nullptr;
    const auto r = autograd::grad(tensors_of(outputs, false), tensors_of(inputs, false), tensors_of(grads, true), {bool(retain), bool(create), bool(unused)});
    PyObject* t = check(PyTuple_New(static_cast<Py_ssize_t>(r.size())));
    for (size_t i = 0; i < r.size(); ++i) PyTuple_SET_ITEM(t, i, wrap(r[i]));
    return t;
  });
}

// ---- hooks -----------------------------------------------------------------------------------

GradHook python_hook(PyObject* f) {
  Object keep = Object::borrow(f);
  return [keep](const Tensor& g) -> Tensor {
    Object arg(wrap(g));
    Object r(check(PyObject_CallOneArg(keep.get(), arg.get())));
    if (r.get() == Py_None) return {};
    BOLIDE_CHECK_AS(TypeError, is_tensor(r.get()), "hook must return None or a Tensor, not ", Py_TYPE(r.get())->tp_name);
    return unwrap(r.get());
  };
}
PyObject* register_hook(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject *t, *f;
    if (!PyArg_ParseTuple(args, "OO", &t, &f)) return nullptr;
    return PyLong_FromUnsignedLongLong(autograd::register_hook(unwrap(t), python_hook(f)));
  });
}
PyObject* register_post_hook(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject *t, *f;
    if (!PyArg_ParseTuple(args, "OO", &t, &f)) return nullptr;
    Object keep = Object::borrow(f);
    return PyLong_FromUnsignedLongLong(autograd::register_post_accumulate_hook(unwrap(t), [keep](const Tensor& v) {
      Object arg(wrap(v));
      Object r(check(PyObject_CallOneArg(keep.get(), arg.get())));
      BOLIDE_CHECK(r.get() == Py_None, "Tensor post accumulate grad hooks should return None.");
    }));
  });
}
PyObject* remove_hook(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject* t;
    unsigned long long id;
    if (!PyArg_ParseTuple(args, "OK", &t, &id)) return nullptr;
    autograd::remove_hook(unwrap(t), id);
    Py_RETURN_NONE;
  });
}

// ---- nodes as objects ------------------------------------------------------------------------

struct PyNode { PyObject_HEAD Ref<Node> node; };
PyTypeObject NodeType = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide.autograd.graph.Node", .tp_basicsize = sizeof(PyNode)};
Node& node_of(PyObject* o) { return *reinterpret_cast<PyNode*>(o)->node; }
void node_dealloc(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  reinterpret_cast<PyNode*>(o)->node.~Ref<Node>();
  type->tp_free(o);
  if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_DECREF(type);
}
PyObject* node_name(PyObject* o, PyObject*) { return guard([&] { return PyUnicode_FromString(node_of(o).name().c_str()); }); }
PyObject* node_next(PyObject* o, void*) {
  return guard([&] {
    const Node& n = node_of(o);
    PyObject* t = check(PyTuple_New(static_cast<Py_ssize_t>(n.next.size())));
    for (size_t i = 0; i < n.next.size(); ++i)
      PyTuple_SET_ITEM(t, i, Py_BuildValue("(NI)", wrap_node(n.next[i].node), n.next[i].slot));
    return t;
  });
}
PyObject* node_variable(PyObject* o, void*) {
  return guard([&]() -> PyObject* {
    auto* a = dynamic_cast<AccumulateGrad*>(&node_of(o));
    if (!a) {
      PyErr_SetString(PyExc_AttributeError, "variable");
      return nullptr;
    }
    return wrap(a->variable);
  });
}
PyObject* node_hash_(PyObject* o, PyObject* b, int op) {
  if (Py_TYPE(b)->tp_dealloc != node_dealloc || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong((&node_of(o) == &node_of(b)) == (op == Py_EQ));
}
Py_hash_t node_hash(PyObject* o) { return _Py_HashPointer(&node_of(o)); }
PyMethodDef node_methods[] = {{"name", node_name, METH_NOARGS, "The name of the step, such as AddBackward0."}, {}};
PyGetSetDef node_getset[] = {{"next_functions", node_next, nullptr, nullptr, nullptr}, {"variable", node_variable, nullptr, nullptr, nullptr}, {}};

// ---- user-defined functions ------------------------------------------------------------------

struct PyFunctionNode final : Node {
  std::string label;
  Object backward;               // callable(grads tuple) -> tuple or tensor, bound to its context
  std::vector<int> input_index;  // position among forward's arguments of each entry of `next`
  Py_ssize_t arguments = 0;
  std::vector<TensorMeta> metas;
  bool materialize = true;
  bool released = false;
  Object on_release;
  std::string name() const override { return label; }
  void release() override {
    released = true;
    if (on_release) Py_XDECREF(PyObject_CallNoArgs(on_release.get()));
    PyErr_Clear();
  }
  void apply(std::span<const Tensor> grads, std::vector<Tensor>& result) override {
    if (released) fail_released(label);
    Object t(check(PyTuple_New(static_cast<Py_ssize_t>(outputs.size()))));
    for (size_t i = 0; i < outputs.size(); ++i) {
      Tensor g = i < grads.size() ? grads[i] : Tensor();
      if (!g.defined() && materialize) g = zeros(outputs[i].sizes, outputs[i].dtype, outputs[i].device);
      PyTuple_SET_ITEM(t.get(), i, wrap(g));
    }
    Object r(check(PyObject_CallOneArg(backward.get(), t.get())));
    if (!PyTuple_Check(r.get())) r = Object(check(PyTuple_Pack(1, r.get())));
    Py_ssize_t n = PyTuple_GET_SIZE(r.get());
    while (n > arguments && PyTuple_GET_ITEM(r.get(), n - 1) == Py_None) --n;
    BOLIDE_CHECK(n == arguments, "function ", label, " returned an incorrect number of gradients (expected ", arguments, ", got ", n, ")");
    for (size_t i = 0; i < next.size(); ++i) {
      PyObject* g = PyTuple_GET_ITEM(r.get(), input_index[i]);
      BOLIDE_CHECK_AS(TypeError, g == Py_None || is_tensor(g), "expected Variable or None (got ", Py_TYPE(g)->tp_name, ")");
      Tensor v = g == Py_None ? Tensor() : unwrap(g);
      if (v.defined() && !(v.sizes() == metas[i].sizes)) {
        try {
          v = sum_to_size(v, metas[i].sizes);
        } catch (const Error&) {
          fail("Function ", label, " returned an invalid gradient at index ", input_index[i], " - got ", v.sizes(),
               " but expected shape compatible with ", metas[i].sizes);
        }
      }
      if (v.defined() && v.dtype() != metas[i].dtype) v = v.to(metas[i].dtype);
      result.push_back(v);
    }
  }
};

/// _record_function(name, args, outputs, backward, non_differentiable, dirty, materialize, on_release)
PyObject* record_function(PyObject*, PyObject* a) {
  return guard([&]() -> PyObject* {
    const char* name;
    PyObject *args, *outputs, *backward, *plain, *dirty, *on_release;
    int materialize;
    if (!PyArg_ParseTuple(a, "sOOOOOpO", &name, &args, &outputs, &backward, &plain, &dirty, &materialize, &on_release)) return nullptr;
    auto* node = new PyFunctionNode;
    Ref<Node> owner(node);
    node->label = name;
    node->backward = Object::borrow(backward);
    node->on_release = Object::borrow(on_release);
    node->materialize = materialize;
    node->arguments = PyTuple_GET_SIZE(args);
    for (Py_ssize_t i = 0; i < node->arguments; ++i) {
      PyObject* o = PyTuple_GET_ITEM(args, i);
      if (!is_tensor(o) || !unwrap(o).requires_grad()) continue;
      node->next.push_back(gradient_edge(unwrap(o)));
      node->input_index.push_back(static_cast<int>(i));
      node->metas.push_back(TensorMeta::of(unwrap(o)));
    }
    PyObject* result = check(PyTuple_New(PyTuple_GET_SIZE(outputs)));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(outputs); ++i) {
      PyObject* o = PyTuple_GET_ITEM(outputs, i);
      PyTuple_SET_ITEM(result, i, Py_NewRef(o));
      if (!is_tensor(o)) {
        node->outputs.emplace_back();
        continue;
      }
      const bool skip = PySequence_Contains(plain, PyLong_FromVoidPtr(o)) == 1;
      const bool written = PySequence_Contains(dirty, PyLong_FromVoidPtr(o)) == 1;
      Tensor t = unwrap(o);
      if (skip || !is_differentiable(t.dtype())) {
        node->outputs.push_back(TensorMeta::of(t));
        continue;
      }
      if (written) {
        check_in_place(t, name);
        node->outputs.push_back(TensorMeta::of(t));
        rebase_history(t, owner);
        t->autograd->slot = static_cast<uint32_t>(i);
        continue;
      }
      bool is_input = false;
      for (Py_ssize_t k = 0; k < node->arguments; ++k) is_input |= PyTuple_GET_ITEM(args, k) == o;
      if (is_input || t->base) {  // an input returned as it is: a view of its own
        t = t.alias();
        PyTuple_SetItem(result, i, wrap(t));
      }
      set_history(t, owner);
    }
    return result;
  });
}

// ---- modes -----------------------------------------------------------------------------------

PyObject* is_grad_enabled(PyObject*, PyObject*) { return PyBool_FromLong(grad_enabled()); }
PyObject* set_grad(PyObject*, PyObject* v) {
  bolide::set_grad_enabled(PyObject_IsTrue(v));
  Py_RETURN_NONE;
}
PyObject* is_inference(PyObject*, PyObject*) { return PyBool_FromLong(inference_mode_enabled()); }
PyObject* set_inference(PyObject*, PyObject* v) {
  if (PyObject_IsTrue(v)) state().modes |= State::kInference;
  else state().modes &= ~static_cast<uint32_t>(State::kInference);
  Py_RETURN_NONE;
}

// ---- settings and small functions of the module ----------------------------------------------

PyObject* get_default_dtype(PyObject*, PyObject*) { return wrap(default_dtype()); }
PyObject* set_default_dtype_(PyObject*, PyObject* t) {
  return guard([&]() -> PyObject* {
    BOLIDE_CHECK_AS(TypeError, is_dtype(t), "invalid dtype object: ", Py_TYPE(t)->tp_name);
    set_default_dtype(dtype_of(t));
    Py_RETURN_NONE;
  });
}
PyObject* get_threads(PyObject*, PyObject*) { return PyLong_FromLong(num_threads()); }
PyObject* set_threads(PyObject*, PyObject* n) {
  return guard([&]() -> PyObject* {
    const long v = PyLong_AsLong(n);
    if (v == -1 && PyErr_Occurred()) return nullptr;
    BOLIDE_CHECK(v > 0, "set_num_threads expects a positive integer");
    set_num_threads(static_cast<int>(v));
    Py_RETURN_NONE;
  });
}
PyObject* promote_types(PyObject*, PyObject* args) {
  PyObject *a, *b;
  if (!PyArg_ParseTuple(args, "O!O!", &DTypeType, &a, &DTypeType, &b)) return nullptr;
  return wrap(promote(dtype_of(a), dtype_of(b)));
}
PyObject* can_cast_(PyObject*, PyObject* args, PyObject* kw) {
  PyObject *a, *b;
  static const char* names[] = {"from_", "to", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kw, "O!O!", const_cast<char**>(names), &DTypeType, &a, &DTypeType, &b)) return nullptr;
  return PyBool_FromLong(can_cast(dtype_of(a), dtype_of(b)));
}
PyObject* result_type_(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    std::vector<Operand> all;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
      PyObject* o = PyTuple_GET_ITEM(args, i);
      if (is_tensor(o)) all.emplace_back(unwrap(o));
      else all.emplace_back(scalar_of(o));
    }
    return wrap(iter::result_type(all));
  });
}
PyObject* broadcast_shapes(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    Dims shape;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) shape = iter::broadcast(shape, ints_of(PyTuple_GET_ITEM(args, i)));
    return wrap_size(shape);
  });
}
PyObject* list_ops(PyObject*, PyObject*) {
  PyObject* l = PyList_New(0);
  for (const OpInfo* op : all_ops()) {
    Object t(PyUnicode_FromStringAndSize(op->schema.text.data(), static_cast<Py_ssize_t>(op->schema.text.size())));
    PyList_Append(l, t.get());
  }
  return l;
}
PyObject* to_device_dtype(PyObject*, PyObject* args) {  // _to(tensor, dtype, device, copy, memory_format)
  return guard([&]() -> PyObject* {
    PyObject *t, *dtype, *device, *format;
    int copy;
    if (!PyArg_ParseTuple(args, "OOOpO", &t, &dtype, &device, &copy, &format)) return nullptr;
    const OptDType d = dtype == Py_None ? std::nullopt : OptDType(dtype_of(dtype));
    const auto where = device == Py_None ? std::nullopt : std::optional<Device>(device_of(device));
    Tensor r = to(unwrap(t), d, where, copy);
    if (format != Py_None && reinterpret_cast<PyFormat*>(format)->value != MemoryFormat::Preserve)
      r = contiguous(r, reinterpret_cast<PyFormat*>(format)->value);
    return wrap(r);
  });
}
PyObject* empty_cache_(PyObject*, PyObject*) {
  bolide::empty_cache();
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"_run_backward", run_backward, METH_VARARGS, nullptr}, {"_run_grad", run_grad, METH_VARARGS, nullptr},
    {"_register_hook", register_hook, METH_VARARGS, nullptr}, {"_register_post_hook", register_post_hook, METH_VARARGS, nullptr},
    {"_remove_hook", remove_hook, METH_VARARGS, nullptr}, {"_record_function", record_function, METH_VARARGS, nullptr},
    {"is_grad_enabled", is_grad_enabled, METH_NOARGS, "Whether operations are recorded."}, {"_set_grad_enabled", set_grad, METH_O, nullptr},
    {"is_inference_mode_enabled", is_inference, METH_NOARGS, nullptr}, {"_set_inference_mode", set_inference, METH_O, nullptr},
    {"get_default_dtype", get_default_dtype, METH_NOARGS, nullptr}, {"set_default_dtype", set_default_dtype_, METH_O, nullptr},
    {"get_num_threads", get_threads, METH_NOARGS, nullptr}, {"set_num_threads", set_threads, METH_O, nullptr},
    {"promote_types", promote_types, METH_VARARGS, nullptr},
    {"can_cast", reinterpret_cast<PyCFunction>(can_cast_), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"result_type", result_type_, METH_VARARGS, nullptr}, {"broadcast_shapes", broadcast_shapes, METH_VARARGS, nullptr},
    {"_list_ops", list_ops, METH_NOARGS, nullptr}, {"_to", to_device_dtype, METH_VARARGS, nullptr},
    {"_empty_cache", empty_cache_, METH_NOARGS, nullptr}, {}};

}  // namespace

/// An object whose type carries the node's name: type(t.grad_fn).__name__ is "AddBackward0".
PyObject* wrap_node(const Ref<Node>& n) {
  if (!n) Py_RETURN_NONE;
  static std::unordered_map<std::string, PyTypeObject*> types;
  const std::string name = n->name();
  PyTypeObject*& type = types[name];
  if (!type) {
    auto* kept = new std::string(name);
    PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)}, {0, nullptr}};
    PyType_Spec spec{kept->c_str(), sizeof(PyNode), 0, Py_TPFLAGS_DEFAULT, slots};
    type = reinterpret_cast<PyTypeObject*>(check(PyType_FromSpecWithBases(&spec, reinterpret_cast<PyObject*>(&NodeType))));
  }
  auto* o = reinterpret_cast<PyNode*>(check(type->tp_alloc(type, 0)));
  new (&o->node) Ref<Node>(n);
  return reinterpret_cast<PyObject*>(o);
}

void init_autograd(PyObject* m) {
  NodeType.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
  NodeType.tp_dealloc = node_dealloc;
  NodeType.tp_methods = node_methods, NodeType.tp_getset = node_getset;
  NodeType.tp_richcompare = node_hash_, NodeType.tp_hash = node_hash;
  check(PyType_Ready(&NodeType));
  check(PyModule_AddObjectRef(m, "Node", reinterpret_cast<PyObject*>(&NodeType)));
  check(PyModule_AddFunctions(m, functions));
}

}  // namespace bolide::python
