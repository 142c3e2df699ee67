// Autograd for Python: backward and grad, edges, grad modes, hooks of tensors, saved-tensor hooks; small settings of the module.
#include "autograd.h"
#include "core/allocator.h"
#include "core/rng.h"
#include "cpu/pool.h"
#include "iter/plan.h"

namespace bolide::python {

// ---- backward and grad -------------------------------------------------------------------------

namespace {

/// An output of the graph: a tensor, or a GradientEdge(node, output_nr).
struct Place {
  Edge edge;
  TensorMeta meta;
  Tensor tensor;  // where it is one
};

bool read_gradient_edge(PyObject* o, Place& p) {
  if (!PyTuple_Check(o) || PyTuple_GET_SIZE(o) < 2 || !is_node(PyTuple_GET_ITEM(o, 0))) return false;
  p.edge.node = node_of(PyTuple_GET_ITEM(o, 0));
  const long slot = PyLong_AsLong(PyTuple_GET_ITEM(o, 1));
  if (slot == -1 && PyErr_Occurred()) throw PythonError{};
  BOLIDE_CHECK_AS(IndexError, slot >= 0 && static_cast<uint32_t>(slot) < p.edge.node->output_count, "a GradientEdge names output ", slot,
                  " of ", p.edge.node->name(), ", which has ", p.edge.node->output_count);
  p.edge.slot = static_cast<uint32_t>(slot);
  p.meta = p.edge.node->outputs_[p.edge.slot];
  return true;
}

autograd::Request read_roots(PyObject* outputs, PyObject* grads) {
  const Py_ssize_t n = PyTuple_GET_SIZE(outputs);
  BOLIDE_CHECK(PyTuple_GET_SIZE(grads) == n, "got ", n, " tensors and ", PyTuple_GET_SIZE(grads), " gradients");
  autograd::Request r;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject *o = PyTuple_GET_ITEM(outputs, i), *g = PyTuple_GET_ITEM(grads, i);
    BOLIDE_CHECK_AS(TypeError, g == Py_None || is_tensor(g), "gradients can be either Tensors or None, but got ", Py_TYPE(g)->tp_name);
    Place p;
    if (!read_gradient_edge(o, p)) {
      BOLIDE_CHECK_AS(TypeError, is_tensor(o), "element ", i, " of tensors tuple is not a Tensor");
      p.tensor = unwrap(o);
      p.meta = TensorMeta::of(p.tensor);
      if (g != Py_None || p.tensor.requires_grad())
        r.grads.push_back(autograd::first_gradient(p.meta, g == Py_None ? Tensor() : unwrap(g), static_cast<size_t>(i)));
      BOLIDE_CHECK(p.tensor.requires_grad(), "element ", i, " of tensors does not require grad and does not have a grad_fn");
      p.edge = gradient_edge(p.tensor);
      BOLIDE_CHECK(p.edge.node, "element ", i, " of tensors does not require grad and does not have a grad_fn");
    } else {
      r.grads.push_back(autograd::first_gradient(p.meta, g == Py_None ? Tensor() : unwrap(g), static_cast<size_t>(i)));
    }
    r.roots.push_back(std::move(p.edge));
  }
  return r;
}

void read_inputs(PyObject* inputs, autograd::Request& r) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inputs); ++i) {
    PyObject* o = PyTuple_GET_ITEM(inputs, i);
    Place p;
    if (!read_gradient_edge(o, p)) {
      BOLIDE_CHECK(is_tensor(o), "all inputs have to be Tensors or GradientEdges, but got ", Py_TYPE(o)->tp_name);
      const Tensor& t = unwrap(o);
      BOLIDE_CHECK(t.requires_grad(), "One of the differentiated Tensors does not require grad");
      if (r.accumulate) t.retain_grad();
      p.edge = gradient_edge(t);
    }
    r.inputs.push_back(std::move(p.edge));
  }
}

/// _run_backward(outputs, grads, retain_graph, create_graph, inputs, allow_unreachable, accumulate)
PyObject* run_backward(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject *outputs, *grads, *inputs;
    int retain, create, unreachable, accumulate;
    if (!PyArg_ParseTuple(args, "O!O!ppO!pp", &PyTuple_Type, &outputs, &PyTuple_Type, &grads, &retain, &create, &PyTuple_Type, &inputs,
                          &unreachable, &accumulate)) return nullptr;
    const FromPython here;
    autograd::Request r = read_roots(outputs, grads);
    r.keep_graph = retain, r.create_graph = create, r.accumulate = accumulate;
    read_inputs(inputs, r);
    std::vector<Tensor> result;
    {
      const WithoutGil free;
      result = autograd::run(std::move(r));
    }
    if (accumulate) Py_RETURN_NONE;
    Object t(check(PyTuple_New(static_cast<Py_ssize_t>(result.size()))));
    for (size_t i = 0; i < result.size(); ++i) {
      BOLIDE_CHECK(unreachable || result[i].defined(), "The differentiated Tensor at index ", i, " appears to not have been used in the graph. "
                   "Set allow_unused=True if this is the desired behavior.");
      PyTuple_SET_ITEM(t.get(), static_cast<Py_ssize_t>(i), wrap(result[i]));
    }
    return t.release();
  });
}

PyObject* gradient_edge_of(PyObject*, PyObject* o) {  // (node, output_nr) of a tensor that requires grad
  return guard([&] {
    const Edge e = gradient_edge(unwrap(o));
    return check(Py_BuildValue("(NI)", check(wrap_node(e.node)), e.slot));
  });
}
PyObject* current_run(PyObject*, PyObject*) { return PyLong_FromLongLong(autograd::current_run()); }
PyObject* current_node(PyObject*, PyObject*) {
  Node* n = autograd::current_node();
  return guard([&] { return wrap_node(Ref<Node>(n)); });
}
PyObject* will_execute(PyObject*, PyObject* o) {
  return guard([&] {
    BOLIDE_CHECK_AS(TypeError, is_node(o), "_will_engine_execute_node expects an grad_fn, but got ", Py_TYPE(o)->tp_name);
    return PyBool_FromLong(autograd::will_run(*node_of(o)));
  });
}
PyObject* queue_callback(PyObject*, PyObject* f) {
  return guard([&] {
    const Shared keep = share(f);
    autograd::at_end([keep] { in_python([&] { const Object done(check(PyObject_CallNoArgs(keep.get()))); }); });
    return Py_NewRef(Py_None);
  });
}

// ---- hooks of tensors ----------------------------------------------------------------------------

/// Where the dictionary of a tensor's hooks is kept: _backward_hooks.
PyObject* get_hooks(PyObject*, PyObject* t) {
  AutogradMeta* m = unwrap(t)->autograd;
  PyObject* dict = m && m->extra_ ? shared_object(m->extra_->python_hooks) : nullptr;
  return Py_NewRef(dict ? dict : Py_None);
}
PyObject* set_hooks(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject *t, *dict;
    if (!PyArg_ParseTuple(args, "O!O", &TensorType, &t, &dict)) return nullptr;
    if (dict == Py_None) {
      if (unwrap(t)->autograd && unwrap(t)->autograd->extra_) {
        unwrap(t)->autograd->extra_->hooks.clear();
        unwrap(t)->autograd->extra_->python_hooks = nullptr;
      }
    } else {
      attach_tensor_hooks(unwrap(t), dict);
    }
    Py_RETURN_NONE;
  });
}
PyObject* get_post_hooks(PyObject*, PyObject* t) {
  AutogradMeta* m = unwrap(t)->autograd;
  PyObject* dict = m && m->extra_ ? shared_object(m->extra_->python_post_hooks) : nullptr;
  return Py_NewRef(dict ? dict : Py_None);
}
void run_post_accumulate(PyObject* dict, const Tensor& variable) {
  in_python([&] {
    const Object hooks(check(PyMapping_Values(dict)));
    const Object arg(check(wrap(variable)));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(hooks.get()); ++i) {
      const Object r(check(PyObject_CallOneArg(PyList_GET_ITEM(hooks.get(), i), arg.get())));
      BOLIDE_CHECK_AS(TypeError, r.get() == Py_None || is_tensor(r.get()), "expected Variable, but hook returned '", type_name(r.get()), "'");
      BOLIDE_CHECK(r.get() == Py_None, "Tensor post accumulate grad hooks should return None.");
    }
  });
}
PyObject* set_post_hooks(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject *t, *dict;
    if (!PyArg_ParseTuple(args, "O!O", &TensorType, &t, &dict)) return nullptr;
    MetaExtra& extra = meta_of(unwrap(t).impl()).extra();
    extra.post_accumulate.clear();
    extra.python_post_hooks = nullptr;
    if (dict != Py_None) {
      const Shared keep = share(dict);
      extra.python_post_hooks = keep;
      extra.post_accumulate.emplace_back(next_hook_id(), [keep](const Tensor& v) { run_post_accumulate(keep.get(), v); });
    }
    Py_RETURN_NONE;
  });
}

// ---- saved tensors -------------------------------------------------------------------------------

PyObject* push_hooks(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject *pack, *unpack;
    if (!PyArg_ParseTuple(args, "OO", &pack, &unpack)) return nullptr;
    push_saved_hooks(python_saved_hooks(pack, unpack));
    Py_RETURN_NONE;
  });
}
PyObject* pop_hooks(PyObject*, PyObject*) {
  return guard([&] {
    pop_saved_hooks();
    return Py_NewRef(Py_None);
  });
}
PyObject* disable_hooks(PyObject*, PyObject* message) {  // None: enables them; returns the message before
  return guard([&]() -> PyObject* {
    std::optional<std::string> text;
    if (message != Py_None) {
      const char* s = PyUnicode_AsUTF8(message);
      if (!s) throw PythonError{};
      text = s;
    }
    const auto before = disable_saved_hooks(std::move(text));
    return before ? PyUnicode_FromString(before->c_str()) : Py_NewRef(Py_None);
  });
}
PyObject* disabled_message(PyObject*, PyObject*) {
  const auto m = saved_hooks_disabled();
  return m ? PyUnicode_FromString(m->c_str()) : Py_NewRef(Py_None);
}
PyObject* bump_version(PyObject*, PyObject* t) {
  return guard([&] {
    BOLIDE_CHECK_AS(TypeError, is_tensor(t), "increment_version expects each element of the iterable to be a tensor");
    BOLIDE_CHECK(!unwrap(t)->has(TensorImpl::kInference), "Cannot bump the version of an inference tensor outside of inference mode.");
    const FromPython here;
    unwrap(t)->bump();
    return Py_NewRef(Py_None);
  });
}
PyObject* grad_dtype(PyObject*, PyObject* t) {
  const AutogradMeta* m = unwrap(t)->autograd;
  const int d = m && m->extra_ ? m->extra_->grad_dtype : MetaExtra::kSameDType;
  if (d == MetaExtra::kAnyDType) Py_RETURN_NONE;
  return wrap(d == MetaExtra::kSameDType ? unwrap(t).dtype() : static_cast<DType>(d));
}
PyObject* set_grad_dtype(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject *t, *d;
    if (!PyArg_ParseTuple(args, "O!O", &TensorType, &t, &d)) return nullptr;
    BOLIDE_CHECK_AS(TypeError, d == Py_None || is_dtype(d), "grad_dtype must be a dtype or None");
    BOLIDE_CHECK(unwrap(t).is_leaf(), "grad_dtype can only be set on leaf tensors.");
    meta_of(unwrap(t).impl()).extra().grad_dtype = d == Py_None ? MetaExtra::kAnyDType : static_cast<int>(dtype_of(d));
    Py_RETURN_NONE;
  });
}

// ---- modes -----------------------------------------------------------------------------------

PyObject* is_grad_enabled(PyObject*, PyObject*) { return PyBool_FromLong(grad_enabled()); }
PyObject* set_grad(PyObject*, PyObject* v) {
  if (!PyBool_Check(v)) {
    PyErr_Format(PyExc_TypeError, "set_grad_enabled(): argument 'enabled' (position 1) must be bool, not %s", Py_TYPE(v)->tp_name);
    return nullptr;
  }
  set_grad_enabled(v == Py_True);
  Py_RETURN_NONE;
}
PyObject* is_inference(PyObject*, PyObject*) { return PyBool_FromLong(inference_mode_enabled()); }
PyObject* set_inference(PyObject*, PyObject* v) {
  set_inference_mode(PyObject_IsTrue(v) == 1);
  Py_RETURN_NONE;
}
PyObject* is_anomaly(PyObject*, PyObject*) { return PyBool_FromLong(anomaly_enabled()); }
PyObject* is_anomaly_check_nan(PyObject*, PyObject*) { return PyBool_FromLong(autograd::anomaly_checks_nan()); }
PyObject* set_anomaly_(PyObject*, PyObject* args) {
  int on, nan = 1;
  if (!PyArg_ParseTuple(args, "p|p", &on, &nan)) return nullptr;
  set_anomaly(on, nan);
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
  return guard([&] { return wrap(promote(dtype_of(a), dtype_of(b))); });
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
    {"_run_backward", run_backward, METH_VARARGS, nullptr}, {"_gradient_edge", gradient_edge_of, METH_O, nullptr},
    {"_current_graph_task_id", current_run, METH_NOARGS, nullptr}, {"_current_autograd_node", current_node, METH_NOARGS, nullptr},
    {"_will_engine_execute_node", will_execute, METH_O, nullptr}, {"_queue_callback", queue_callback, METH_O, nullptr},
    {"_get_hooks", get_hooks, METH_O, nullptr}, {"_set_hooks", set_hooks, METH_VARARGS, nullptr},
    {"_get_post_hooks", get_post_hooks, METH_O, nullptr}, {"_set_post_hooks", set_post_hooks, METH_VARARGS, nullptr},
    {"_push_saved_tensors_default_hooks", push_hooks, METH_VARARGS, nullptr}, {"_pop_saved_tensors_default_hooks", pop_hooks, METH_NOARGS, nullptr},
    {"_saved_tensors_hooks_disable", disable_hooks, METH_O, nullptr},
    {"_saved_tensors_hooks_get_disabled_error_message", disabled_message, METH_NOARGS, nullptr},
    {"_increment_version", bump_version, METH_O, nullptr}, {"_grad_dtype", grad_dtype, METH_O, nullptr},
    {"_set_grad_dtype", set_grad_dtype, METH_VARARGS, nullptr},
    {"is_grad_enabled", is_grad_enabled, METH_NOARGS, "Whether operations are recorded."}, {"_set_grad_enabled", set_grad, METH_O, nullptr},
    {"is_inference_mode_enabled", is_inference, METH_NOARGS, "Whether inference mode is on."},
    {"_set_inference_mode", set_inference, METH_O, nullptr},
    {"is_anomaly_enabled", is_anomaly, METH_NOARGS, "Whether anomaly detection is on."},
    {"is_anomaly_check_nan_enabled", is_anomaly_check_nan, METH_NOARGS, "Whether anomaly detection checks for NaN."},
    {"_set_anomaly_enabled", set_anomaly_, METH_VARARGS, nullptr},
    {"get_default_dtype", get_default_dtype, METH_NOARGS, nullptr}, {"set_default_dtype", set_default_dtype_, METH_O, nullptr},
    {"get_num_threads", get_threads, METH_NOARGS, nullptr}, {"set_num_threads", set_threads, METH_O, nullptr},
    {"promote_types", promote_types, METH_VARARGS, nullptr},
    {"can_cast", reinterpret_cast<PyCFunction>(can_cast_), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"result_type", result_type_, METH_VARARGS, nullptr}, {"broadcast_shapes", broadcast_shapes, METH_VARARGS, nullptr},
    {"_list_ops", list_ops, METH_NOARGS, nullptr}, {"_to", to_device_dtype, METH_VARARGS, nullptr},
    {"_empty_cache", empty_cache_, METH_NOARGS, nullptr}, {}};

}  // namespace

void init_autograd(PyObject* m) {
  init_nodes(m);
  init_functions(m);
  init_sites(m);
  check(PyModule_AddFunctions(m, functions));
}

}  // namespace bolide::python
