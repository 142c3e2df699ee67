// Steps of the graph as Python objects: grad_fn, its attributes and hooks; saved tensors; the garbage collector's view.
#include "autograd.h"

#include <cstring>
#include <deque>
#include <unordered_map>

namespace bolide::python {

// ---- references and errors that travel ---------------------------------------------------------

Shared share(PyObject* borrowed) {
  return Shared(Py_NewRef(borrowed), [](PyObject* o) {
    if (!Py_IsInitialized()) return;  // the interpreter took it along
    if (PyGILState_Check()) {
      Py_DECREF(o);
      return;
    }
    const WithGil gil;
    Py_DECREF(o);
  });
}

void StoredError::restore() const {
  auto ref = [](const Shared& s) { return s ? Py_NewRef(s.get()) : nullptr; };
  PyErr_Restore(ref(type), ref(value), ref(trace));
}
void throw_stored() {
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  const Object t(type), v(value), tb(trace);
  auto keep = [](const Object& o) { return o ? share(o.get()) : Shared(); };
  throw StoredError{keep(t), keep(v), keep(tb)};
}

// ---- objects -----------------------------------------------------------------------------------

namespace {

struct PyNode { PyObject_HEAD Ref<Node> node; };

PyNode& self_of(PyObject* o) { return *reinterpret_cast<PyNode*>(o); }

void node_dealloc(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  PyObject_GC_UnTrack(o);
  if (Node* n = self_of(o).node.get()) state_of(*n).object = nullptr;
  self_of(o).node.~Ref<Node>();
  type->tp_free(o);
  if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_DECREF(type);
}
int node_traverse(PyObject* o, visitproc visit, void* arg) {
  if (Py_TYPE(o)->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_VISIT(Py_TYPE(o));
  Node* n = self_of(o).node.get();
  return n && n->refs.load() == 1 ? visit_node(*n, visit, arg) : 0;
}

PyTypeObject* type_for(const char* name, PyGetSetDef* getset);

}  // namespace

NodeState& state_of(Node& n) {
  std::shared_ptr<void>& p = n.extra().python;
  if (!p) p = std::make_shared<NodeState>();
  return *static_cast<NodeState*>(p.get());
}
static NodeState* state_if_any(const Node& n) {
  return n.extra_ ? static_cast<NodeState*>(n.extra_->python.get()) : nullptr;
}

bool is_node(PyObject* o) { return PyObject_TypeCheck(o, &NodeType); }
Ref<Node> node_of(PyObject* o) {
  if (Ref<Node> n = function_node(o)) return n;
  return self_of(o).node;
}

// ---- attributes --------------------------------------------------------------------------------

namespace {

PyObject* node_name(PyObject* o, PyObject*) { return PyUnicode_FromString(node_of(o)->name()); }

PyObject* node_next(PyObject* o, void*) {
  return guard([&] {
    const Ref<Node> n = node_of(o);
    Object t(check(PyTuple_New(n->next_count)));
    for (uint32_t i = 0; i < n->next_count; ++i) {
      const Edge& e = n->next_[i];
      PyTuple_SET_ITEM(t.get(), i, check(Py_BuildValue("(NI)", check(wrap_node(e.node)), e.slot)));
    }
    return t.release();
  });
}
PyObject* node_metadata(PyObject* o, void*) {
  return guard([&] {
    Shared& dict = state_of(*node_of(o)).metadata;
    if (!dict) dict = share(Object(check(PyDict_New())).get());
    return Py_NewRef(dict.get());
  });
}
PyObject* node_true(PyObject*, void*) { Py_RETURN_TRUE; }
PyObject* node_sequence(PyObject* o, PyObject*) { return PyLong_FromUnsignedLongLong(node_of(o)->sequence); }
PyObject* node_set_sequence(PyObject* o, PyObject* v) {
  const unsigned long long s = PyLong_AsUnsignedLongLong(v);
  if (PyErr_Occurred()) return nullptr;
  node_of(o)->sequence = s;
  Py_RETURN_NONE;
}
/// One (shape, dtype, device) for each output.
PyObject* node_input_metadata(PyObject* o, void*) {
  return guard([&] {
    static PyTypeObject* type = [] {
      static PyStructSequence_Field fields[] = {{"shape", nullptr}, {"dtype", nullptr}, {"device", nullptr}, {}};
      static PyStructSequence_Desc d{"bolide._C._InputMetadata", "What a node's gradient looks like.", fields, 3};
      return PyStructSequence_NewType(&d);
    }();
    const Ref<Node> n = node_of(o);
    Object t(check(PyTuple_New(n->output_count)));
    for (uint32_t i = 0; i < n->output_count; ++i) {
      const TensorMeta& m = n->outputs_[i];
      PyObject* one = check(PyStructSequence_New(type));
      PyTuple_SET_ITEM(t.get(), i, one);
      PyStructSequence_SET_ITEM(one, 0, wrap_size(m.sizes));
      PyStructSequence_SET_ITEM(one, 1, wrap(m.dtype));
      PyStructSequence_SET_ITEM(one, 2, wrap(m.device));
    }
    return t.release();
  });
}
PyObject* leaf_variable(PyObject* o, void*) {
  return wrap(Tensor(static_cast<AccumulateGrad&>(*node_of(o)).variable));
}

/// grad_fn(*grads): the step's gradients.
PyObject* node_call(PyObject* o, PyObject* args, PyObject*) {
  return guard([&] {
    const Ref<Node> n = node_of(o);
    const Py_ssize_t count = PyTuple_GET_SIZE(args);
    std::vector<Tensor> grads(std::max<size_t>(n->output_count, static_cast<size_t>(count)));
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyObject* g = PyTuple_GET_ITEM(args, i);
      BOLIDE_CHECK_AS(TypeError, g == Py_None || is_tensor(g), "expected Variable or None (got ", Py_TYPE(g)->tp_name, ")");
      if (g != Py_None) grads[static_cast<size_t>(i)] = unwrap(g);
    }
    std::vector<Tensor> result(n->next_count);
    {
      const FromPython here;
      n->apply(grads, result, nullptr);
    }
    if (result.empty()) return Py_NewRef(Py_None);
    if (result.size() == 1) return wrap(result[0]);
    Object t(check(PyTuple_New(static_cast<Py_ssize_t>(result.size()))));
    for (size_t i = 0; i < result.size(); ++i) PyTuple_SET_ITEM(t.get(), i, wrap(result[i]));
    return t.release();
  });
}

// ---- hooks -------------------------------------------------------------------------------------

std::string hook_name(PyObject* hook) {
  Object name(PyObject_GetAttrString(hook, "__name__"));
  if (!name) PyErr_Clear();
  return name && PyUnicode_Check(name.get()) ? PyUnicode_AsUTF8(name.get()) : Py_TYPE(hook)->tp_name;
}
std::string type_text(const Tensor& t) {
  return str("torch.", t.device().is_cuda() ? "cuda." : "", legacy_name(t.dtype()), "Tensor");
}

/// A hook's replacement for `old`, checked.
Tensor replacement(PyObject* given, const Tensor& old, PyObject* hook) {
  BOLIDE_CHECK_AS(TypeError, is_tensor(given) || given == Py_None, "expected Variable, but hook returned '", Py_TYPE(given)->tp_name, "'");
  if (given == Py_None) return {};
  BOLIDE_CHECK(old.defined(), "can't replace a None gradient with a non-None value");
  const Tensor& fresh = unwrap(given);
  BOLIDE_CHECK(fresh.dtype() == old.dtype() && fresh.device().type == old.device().type, "hook '", hook_name(hook),
               "' has changed the type of value (was ", type_text(old), " got ", type_text(fresh), ")");
  BOLIDE_CHECK(fresh.sizes() == old.sizes(), "hook '", hook_name(hook), "' has changed the size of value");
  return fresh;
}

Object values_of(PyObject* dict) { return Object(check(PyMapping_Values(dict))); }

Object tuple_of(std::span<const Tensor> all) {
  Object t(check(PyTuple_New(static_cast<Py_ssize_t>(all.size()))));
  for (size_t i = 0; i < all.size(); ++i) PyTuple_SET_ITEM(t.get(), static_cast<Py_ssize_t>(i), check(wrap(all[i])));
  return t;
}
/// Takes what a node's hook returned for `all`.
void take_tuple(PyObject* r, std::vector<Tensor>& all, PyObject* hook) {
  if (r == Py_None) return;
  BOLIDE_CHECK_AS(TypeError, PyTuple_Check(r), "expected tuple, but hook returned '", type_name(r), "'");
  BOLIDE_CHECK(static_cast<size_t>(PyTuple_GET_SIZE(r)) == all.size(), "hook '", hook_name(hook), "' has returned an incorrect number of "
               "values (got ", PyTuple_GET_SIZE(r), ", but expected ", all.size(), ")");
  for (size_t i = 0; i < all.size(); ++i) {
    PyObject* item = PyTuple_GET_ITEM(r, static_cast<Py_ssize_t>(i));
    all[i] = replacement(item, all[i], hook);
  }
}

void run_pre_hooks(PyObject* dict, std::vector<Tensor>& grads) {
  in_python([&] {
    const Object hooks = values_of(dict);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(hooks.get()); ++i) {
      PyObject* hook = PyList_GET_ITEM(hooks.get(), i);
      const Object r(check(PyObject_CallOneArg(hook, tuple_of(grads).get())));
      take_tuple(r.get(), grads, hook);
    }
  });
}
void run_post_hooks(PyObject* dict, std::vector<Tensor>& result, const std::vector<Tensor>& grads) {
  in_python([&] {
    const Object hooks = values_of(dict);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(hooks.get()); ++i) {
      PyObject* hook = PyList_GET_ITEM(hooks.get(), i);
      const Object r(check(PyObject_CallFunctionObjArgs(hook, tuple_of(result).get(), tuple_of(grads).get(), nullptr)));
      take_tuple(r.get(), result, hook);
    }
  });
}

/// The dictionary behind a node's pre or post hooks, made at first use.
PyObject* hooks_of(Node& n, bool pre) {
  NodeState& s = state_of(n);
  Shared& dict = pre ? s.pre_hooks : s.post_hooks;
  if (dict) return dict.get();
  Object collections(check(PyImport_ImportModule("collections")));
  dict = share(Object(check(PyObject_CallMethod(collections.get(), "OrderedDict", nullptr))).get());
  const Shared keep = dict;
  if (pre) n.extra().pre.emplace_back(next_hook_id(), [keep](std::vector<Tensor>& grads) { run_pre_hooks(keep.get(), grads); });
  else n.extra().post.emplace_back(next_hook_id(), [keep](std::vector<Tensor>& result, const std::vector<Tensor>& grads) {
    run_post_hooks(keep.get(), result, grads);
  });
  return dict.get();
}
PyObject* handle_for(PyObject* dict, PyObject* hook) {
  static PyObject* make = nullptr;
  if (!make) {
    Object hooks(check(PyImport_ImportModule("bolide.utils.hooks")));
    make = check(PyObject_GetAttrString(hooks.get(), "RemovableHandle"));
  }
  Object handle(check(PyObject_CallOneArg(make, dict)));
  Object id(check(PyObject_GetAttrString(handle.get(), "id")));
  check(PyObject_SetItem(dict, id.get(), hook));
  return handle.release();
}
PyObject* node_register_hook(PyObject* o, PyObject* hook) {
  return guard([&] { return handle_for(hooks_of(*node_of(o), false), hook); });
}
PyObject* node_register_prehook(PyObject* o, PyObject* hook) {
  return guard([&] { return handle_for(hooks_of(*node_of(o), true), hook); });
}
/// _register_hook_dict(tensor): the tensor's hooks see its gradient here.
PyObject* node_register_hook_dict(PyObject* o, PyObject* t) {
  return guard([&]() -> PyObject* {
    BOLIDE_CHECK_AS(TypeError, is_tensor(t), "_register_hook_dict expected a Tensor, but got ", Py_TYPE(t)->tp_name);
    Object dict(check(PyObject_GetAttrString(t, "_backward_hooks")));
    (void)o;
    if (dict.get() != Py_None) attach_tensor_hooks(unwrap(t), dict.get());
    Py_RETURN_NONE;
  });
}

PyMethodDef node_methods[] = {
    {"name", node_name, METH_NOARGS, "The name of the step, such as AddBackward0."},
    {"register_hook", node_register_hook, METH_O, "Calls hook(grad_inputs, grad_outputs) after the step; a tuple it returns replaces grad_inputs."},
    {"register_prehook", node_register_prehook, METH_O, "Calls hook(grad_outputs) before the step; a tuple it returns replaces them."},
    {"_register_hook_dict", node_register_hook_dict, METH_O, nullptr},
    {"_sequence_nr", node_sequence, METH_NOARGS, "The step's number in the order of recording."},
    {"_set_sequence_nr", node_set_sequence, METH_O, nullptr}, {}};
PyGetSetDef node_getset[] = {
    {"next_functions", node_next, nullptr, "The steps that its gradients go to, with output numbers.", nullptr},
    {"metadata", node_metadata, nullptr, "A dictionary for the user's notes.", nullptr},
    {"requires_grad", node_true, nullptr, nullptr, nullptr}, {"_input_metadata", node_input_metadata, nullptr, nullptr, nullptr}, {}};
PyGetSetDef leaf_getset[] = {{"variable", leaf_variable, nullptr, "The leaf whose .grad this step adds to.", nullptr}, {}};

}  // namespace

PyTypeObject NodeType = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide.autograd.graph.Node",
                         .tp_basicsize = sizeof(PyNode), .tp_doc = "A recorded step of the autograd graph."};

void call_tensor_hooks(PyObject* dict, Tensor& grad) {
  in_python([&] {
    const Object hooks = values_of(dict);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(hooks.get()); ++i) {
      PyObject* hook = PyList_GET_ITEM(hooks.get(), i);
      const Object arg(check(wrap(grad)));
      const Object r(check(PyObject_CallOneArg(hook, arg.get())));
      if (r.get() != Py_None) grad = replacement(r.get(), grad, hook);
    }
  });
}

// The collector must meet the dictionary once for each reference: a leaf's meta has one, a node has one of its own.
void attach_tensor_hooks(const Tensor& t, PyObject* dict) {
  MetaExtra& extra = meta_of(t.impl()).extra();
  if (shared_object(extra.python_hooks) != dict) extra.python_hooks = share(dict);
  const Ref<Node> fn = t.grad_fn();
  const Shared keep = fn ? share(dict) : std::static_pointer_cast<PyObject>(extra.python_hooks);
  const auto run = [keep](Tensor& g) { call_tensor_hooks(keep.get(), g); };
  if (fn) {
    state_of(*fn).tensor_hooks.push_back(keep);
    fn->extra().tensor_hooks.push_back({next_hook_id(), t->autograd->slot, run});
  } else {
    extra.hooks = {{next_hook_id(), 0, run}};
  }
}

// ---- saved values ------------------------------------------------------------------------------

namespace {

struct PySaved { PyObject_HEAD Ref<Node> owner; SavedTensor* saved; const Edge* made_by; };
PySaved& saved_of(PyObject* o) { return *reinterpret_cast<PySaved*>(o); }

Tensor unpack(PySaved& s) {
  if (s.saved->empty()) return {};
  const FromPython here;
  return s.saved->unpack(*s.owner, s.made_by, true);
}

struct PythonHooks final : SavedTensorHooks {
  Shared pack_, unpack_;
  std::shared_ptr<void> pack(const Tensor& t) override {
    return in_python([&]() -> std::shared_ptr<void> {
      const Object arg(check(wrap(t)));
      const Object r(check(PyObject_CallOneArg(pack_.get(), arg.get())));
      return share(r.get());
    });
  }
  Tensor unpack(const std::shared_ptr<void>& p) override {
    return in_python([&] {
      const Object r(check(PyObject_CallOneArg(unpack_.get(), shared_object(p))));
      BOLIDE_CHECK_AS(TypeError, is_tensor(r.get()), "Output of saved tensor unpack_hook expected to be a Tensor but got result of type ",
                      type_name(r.get()));
      return unwrap(r.get());
    });
  }
};

PyObject* saved_register(PyObject* o, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject *pack, *unpack;
    if (!PyArg_ParseTuple(args, "OO", &pack, &unpack)) return nullptr;
    BOLIDE_CHECK(!saved_of(o).saved->empty(), "Calling register_hooks on a saved tensor after it has been freed. Saved intermediate values "
                 "of the graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to backward "
                 "through the graph a second time or if you need to access saved variables after calling backward.");
    saved_of(o).saved->set_hooks(python_saved_hooks(pack, unpack));
    Py_RETURN_NONE;
  });
}
PyObject* saved_unpack(PyObject* o, PyObject*) { return guard([&] { return wrap(unpack(saved_of(o))); }); }
PyObject* saved_data(PyObject* o, void*) {
  return guard([&]() -> PyObject* {
    const SavedTensor& s = *saved_of(o).saved;
    if (s.has_hooks()) return Py_NewRef(shared_object(s.packed_data()));
    return wrap(s.raw());
  });
}
void saved_dealloc(PyObject* o) {
  saved_of(o).owner.~Ref<Node>();
  Py_TYPE(o)->tp_free(o);
}
PyMethodDef saved_methods[] = {{"register_hooks", saved_register, METH_VARARGS, "register_hooks(pack, unpack): how this value is kept."},
                               {"unpack", saved_unpack, METH_NOARGS, "The value."}, {}};
PyGetSetDef saved_getset[] = {{"data", saved_data, nullptr, "What is kept: the tensor, or what the pack hook returned.", nullptr}, {}};
PyTypeObject SavedType = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide._C._autograd.SavedTensor",
                          .tp_basicsize = sizeof(PySaved), .tp_dealloc = saved_dealloc, .tp_flags = Py_TPFLAGS_DEFAULT,
                          .tp_doc = "A tensor that a step keeps for backward.", .tp_methods = saved_methods, .tp_getset = saved_getset};

}  // namespace

PyObject* wrap_saved(Ref<Node> owner, SavedTensor* saved, const Edge* made_by) {
  auto* o = reinterpret_cast<PySaved*>(check(SavedType.tp_alloc(&SavedType, 0)));
  new (&o->owner) Ref<Node>(std::move(owner));
  o->saved = saved, o->made_by = made_by;
  return reinterpret_cast<PyObject*>(o);
}
std::shared_ptr<SavedTensorHooks> python_saved_hooks(PyObject* pack, PyObject* unpack) {
  auto h = std::make_shared<PythonHooks>();
  h->pack_ = share(pack), h->unpack_ = share(unpack);
  return h;
}

// ---- the types of ops' nodes: _saved_self, _raw_saved_self, _saved_dim ---------------------------

namespace {

struct SavedField {
  const OpInfo* op;
  int arg;        // of a saved input or a plain argument; -1: an output
  int output;
  bool raw;
  std::string name;
};

OpNode& op_node(PyObject* o) { return static_cast<OpNode&>(*node_of(o)); }

PyObject* plain_argument(const Value& v) {
  switch (v.tag) {
    case Value::Tag::None: Py_RETURN_NONE;
    case Value::Tag::Bool: return PyBool_FromLong(v.i != 0);
    case Value::Tag::Int: case Value::Tag::Double: case Value::Tag::Complex: return wrap(v.scalar());
    case Value::Tag::Str: return PyUnicode_FromStringAndSize(static_cast<const char*>(v.p), v.n);
    case Value::Tag::DType: return wrap(static_cast<DType>(v.i));
    case Value::Tag::IntList: {
      Object t(check(PyTuple_New(v.n)));
      for (uint32_t i = 0; i < v.n; ++i) PyTuple_SET_ITEM(t.get(), i, PyLong_FromLongLong(v.ints()[i]));
      return t.release();
    }
    default: Py_RETURN_NONE;
  }
}

PyObject* one_saved(const Ref<Node>& n, const SavedTensor& s, const Edge* made_by, bool raw) {
  if (raw) return wrap_saved(n, const_cast<SavedTensor*>(&s), made_by);
  const FromPython here;
  return s.empty() ? Py_NewRef(Py_None) : wrap(s.unpack(*n, made_by, true));
}

PyObject* get_saved(PyObject* o, void* closure) {
  const auto& f = *static_cast<const SavedField*>(closure);
  return guard([&]() -> PyObject* {
    OpNode& n = op_node(o);
    const Ref<Node> owner(&n);
    const bool tensor = f.arg < 0 || (n.op.tensor_args >> f.arg & 1), list = f.arg >= 0 && (n.op.list_args >> f.arg & 1);
    if (n.released && (tensor || list)) fail_released(n.name());
    if (list) {
      const std::span<const SavedTensor> all = n.saved_list(f.arg);
      Object t(check(PyTuple_New(static_cast<Py_ssize_t>(all.size()))));
      for (size_t i = 0; i < all.size(); ++i)
        PyTuple_SET_ITEM(t.get(), static_cast<Py_ssize_t>(i), check(one_saved(owner, all[i], &n.next_[n.edge_of(f.arg) + i], f.raw)));
      return t.release();
    }
    if (!tensor) return plain_argument(n.args[f.arg]);
    const SavedTensor* s = n.find_saved(f.arg < 0 ? SaveSpec::Output : SaveSpec::In, f.arg < 0 ? f.output : f.arg);
    if (!s) return f.arg >= 0 && n.args[f.arg].tag != Value::Tag::Tensor ? plain_argument(n.args[f.arg]) : Py_NewRef(Py_None);
    return one_saved(owner, *s, f.arg < 0 ? nullptr : &n.next_[n.edge_of(f.arg)], f.raw);
  });
}

/// "indices" for the second of "(Tensor values, Tensor indices)"; "result" where results have no names.
std::string output_name(const OpInfo& op, int output) {
  std::string_view rest = op.schema.returns;
  if (rest.empty() || rest.front() != '(' || rest.find(' ') == rest.npos) return output ? "result" + std::to_string(output) : "result";
  rest = rest.substr(1, rest.size() - 2);
  for (int i = 0; i < output; ++i) rest = rest.substr(rest.find(',') + 1);
  rest = rest.substr(0, rest.find(','));
  return std::string(rest.substr(rest.rfind(' ') + 1));
}

PyGetSetDef* saved_fields(const OpInfo& op) {
  static std::deque<SavedField> fields;
  static std::deque<std::vector<PyGetSetDef>> tables;
  std::vector<PyGetSetDef>& table = tables.emplace_back();
  auto add = [&](int arg, int output, bool raw, const std::string& name) {
    SavedField& f = fields.emplace_back(SavedField{&op, arg, output, raw, (raw ? "_raw_saved_" : "_saved_") + name});
    table.push_back({f.name.c_str(), get_saved, nullptr, nullptr, &f});
  };
  for (int i = 0; i < op.schema.count; ++i)
    if (!((op.tensor_args | op.list_args) >> i & 1)) add(i, 0, false, std::string(op.schema.args[static_cast<size_t>(i)].name));
  for (int k = 0; k < op.saved.count; ++k) {
    const SaveSpec& s = op.saved.specs[static_cast<size_t>(k)];
    const bool output = s.what == SaveSpec::Output;
    const std::string name = output ? output_name(op, s.index) : std::string(op.schema.args[static_cast<size_t>(s.index)].name);
    for (const bool raw : {false, true}) add(output ? -1 : s.index, output ? s.index : 0, raw, name);
  }
  table.push_back({});
  return table.data();
}

PyTypeObject* type_for(const char* name, PyGetSetDef* getset) {
  PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)}, {Py_tp_traverse, reinterpret_cast<void*>(node_traverse)},
                         {getset ? Py_tp_getset : 0, getset}, {0, nullptr}};
  const std::string* full = new std::string(std::string("builtins.") + name);  // the type points into it
  PyType_Spec spec{full->c_str(), sizeof(PyNode), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};
  auto* type = reinterpret_cast<PyTypeObject*>(check(PyType_FromSpecWithBases(&spec, reinterpret_cast<PyObject*>(&NodeType))));
  type->tp_name = full->c_str() + std::strlen("builtins.");
  return type;
}

/// type(t.grad_fn).__name__ is "AddBackward0": one type for each op, and for each kind of other nodes.
PyTypeObject* type_of(Node& n) {
  static std::unordered_map<const void*, PyTypeObject*> types;
  const auto* op = dynamic_cast<const OpNode*>(&n);
  PyTypeObject*& type = types[op ? static_cast<const void*>(&op->op) : static_cast<const void*>(n.name())];
  if (!type) type = type_for(n.name(), op ? saved_fields(op->op) : n.flags & Node::kLeaf ? leaf_getset : nullptr);
  return type;
}

}  // namespace

PyObject* wrap_node(const Ref<Node>& n) {
  if (!n) Py_RETURN_NONE;
  if (PyObject* function = function_object(*n)) return function;
  NodeState& s = state_of(*n);
  if (s.object) return Py_NewRef(s.object);
  PyTypeObject* type = type_of(*n);
  auto* o = reinterpret_cast<PyNode*>(check(type->tp_alloc(type, 0)));
  new (&o->node) Ref<Node>(n);
  return s.object = reinterpret_cast<PyObject*>(o);
}

// ---- the garbage collector's view ----------------------------------------------------------------

namespace {

/// Walks what one owner alone keeps alive, for a bounded number of steps.
class Visitor {
 public:
  Visitor(visitproc visit, void* arg) : visit_(visit), arg_(arg) {}
  int node(Node& n);
  int tensor(TensorImpl* t);

 private:
  int object(PyObject* o) { return o ? visit_(o, arg_) : 0; }
  int held(TensorImpl* t);
  visitproc visit_;
  void* arg_;
  int left_ = 200;
};

int Visitor::tensor(TensorImpl* t) {
  AutogradMeta* m = t->autograd;
  if (!m) return 0;
  if (m->extra_) {
    if (int r = object(shared_object(m->extra_->python_hooks))) return r;
    if (int r = object(shared_object(m->extra_->python_post_hooks))) return r;
  }
  if (m->grad.defined())
    if (int r = held(m->grad.impl())) return r;
  Node* n = m->grad_fn.get();
  return n && n->refs.load() == 1 ? node(*n) : 0;
}

/// A tensor that the graph holds.
int Visitor::held(TensorImpl* t) {
  if (--left_ < 0 || t->refs.load() != 1) return 0;
  if (t->has(TensorImpl::kOwnsPython)) return object(static_cast<PyObject*>(t->python));
  return tensor(t);
}

int Visitor::node(Node& n) {
  if (--left_ < 0) return 0;
  if (NodeState* s = state_if_any(n)) {
    for (const Shared* dict : {&s->metadata, &s->pre_hooks, &s->post_hooks})
      if (int r = object(dict->get())) return r;
    for (const Shared& dict : s->tensor_hooks)
      if (int r = object(dict.get())) return r;
  }
  if (int r = object(owned_function_object(n))) return r;
  if (auto* op = dynamic_cast<OpNode*>(&n))
    for (uint32_t k = 0; k < op->saved_count; ++k)
      if (!op->saved[k].has_hooks() && op->saved[k].raw().defined())
        if (int r = held(op->saved[k].raw().impl())) return r;
  for (const Edge& e : n.next())
    if (e.node && e.node->refs.load() == 1 && !(e.node->flags & Node::kLeaf))
      if (int r = node(*e.node)) return r;
  return 0;
}

}  // namespace

int visit_graph(TensorImpl* t, visitproc visit, void* arg) {
  return t->refs.load() == 1 ? Visitor(visit, arg).tensor(t) : 0;
}
int visit_node(Node& n, visitproc visit, void* arg) { return Visitor(visit, arg).node(n); }

// ---- setting up --------------------------------------------------------------------------------

void init_nodes(PyObject* m) {
  NodeType.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC;
  NodeType.tp_dealloc = node_dealloc;
  NodeType.tp_traverse = node_traverse;
  NodeType.tp_methods = node_methods, NodeType.tp_getset = node_getset;
  NodeType.tp_call = node_call;
  check(PyType_Ready(&NodeType));
  check(PyType_Ready(&SavedType));
  check(PyModule_AddObjectRef(m, "Node", reinterpret_cast<PyObject*>(&NodeType)));
  check(PyModule_AddObjectRef(m, "SavedTensor", reinterpret_cast<PyObject*>(&SavedType)));
}

}  // namespace bolide::python
