// User-defined functions: the node behind autograd.Function, its context object (which is its grad_fn), and apply.
//
// The context owns its node while Python refers to it. When the last reference goes while the graph still holds the node,
// ownership turns round and the node keeps the context, until Python asks for it again.
#include "autograd.h"
#include "bolide/ops.h"

namespace bolide::python {

namespace {

struct PyFunctionNode;

struct PyFunction {
  PyObject_HEAD
  Ref<Node> node;        // empty while the node keeps this object; the layout begins as that of other nodes' objects
  PyFunctionNode* raw;
  PyObject *dict, *weakrefs;
  PyObject *to_save, *dirty, *constant, *needs_input_grad, *saved_for_forward;
  bool materialize;
};
PyFunction& self_of(PyObject* o) { return *reinterpret_cast<PyFunction*>(o); }

struct PyFunctionNode final : Node {
  PyFunction* object = nullptr;
  bool keeps_object = false;
  std::string label;
  std::vector<int> edge_of;        // of each argument of forward; -1: no tensor
  std::vector<SavedTensor> saved;
  std::vector<bool> is_tensor;     // of each output
  bool released = false;

  ~PyFunctionNode() override { drop_object(); }
  const char* name() const override { return label.c_str(); }
  bool wants_zeros() const override { return true; }
  void release() override {
    released = true;
    saved.clear();
  }
  void apply(std::span<Tensor> grads, std::span<Tensor> result, Wanted wanted) override;
  void drop_object() {
    if (!object) return;
    PyFunction* o = std::exchange(object, nullptr);
    o->raw = nullptr;
    if (!std::exchange(keeps_object, false) || !Py_IsInitialized()) return;
    const WithGil gil;
    Py_DECREF(reinterpret_cast<PyObject*>(o));
  }
};

// ---- backward ----------------------------------------------------------------------------------

Object backward_arguments(const PyFunctionNode& n, std::span<Tensor> grads) {
  Object args(check(PyTuple_New(static_cast<Py_ssize_t>(grads.size()))));
  for (size_t i = 0; i < grads.size(); ++i) {
    Tensor g = std::move(grads[i]);
    const TensorMeta& m = n.outputs_[i];
    if (!g.defined() && n.object->materialize && n.is_tensor[i]) g = zeros(m.sizes, m.dtype, m.device);
    PyTuple_SET_ITEM(args.get(), static_cast<Py_ssize_t>(i), check(wrap(std::move(g))));
  }
  return args;
}

void take_gradients(const PyFunctionNode& n, PyObject* tuple, std::span<Tensor> result) {
  Py_ssize_t count = PyTuple_GET_SIZE(tuple);
  const auto wanted = static_cast<Py_ssize_t>(n.edge_of.size());
  while (count > wanted && PyTuple_GET_ITEM(tuple, count - 1) == Py_None) --count;
  BOLIDE_CHECK(count == wanted, "function ", n.label, " returned an incorrect number of gradients (expected ", wanted, ", got ", count, ")");
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* g = PyTuple_GET_ITEM(tuple, i);
    const int edge = n.edge_of[static_cast<size_t>(i)];
    BOLIDE_CHECK(edge >= 0 || g == Py_None, "function ", n.label, " returned a gradient different than None at position ", i + 1,
                 ", but the corresponding forward input was not a Variable");
    if (g == Py_None) continue;
    BOLIDE_CHECK(python::is_tensor(g), "expected Variable or None (got ", Py_TYPE(g)->tp_name, ")");
    result[static_cast<size_t>(edge)] = unwrap(g);
  }
}

void PyFunctionNode::apply(std::span<Tensor> grads, std::span<Tensor> result, Wanted) {
  in_python([&] {
    const Object self(check(function_object(*this)));
    Object args = backward_arguments(*this, grads);
    Object method(check(PyObject_GetAttrString(self.get(), "apply")));
    Object r(check(PyObject_CallObject(method.get(), args.get())));
    args = Object();
    if (!PyTuple_Check(r.get())) r = Object(check(PyTuple_Pack(1, r.get())));
    take_gradients(*this, r.get(), result);
  });
}

// ---- the context object ------------------------------------------------------------------------

PyObject* function_new(PyTypeObject* type, PyObject*, PyObject*) {
  return guard([&] {
    auto* o = reinterpret_cast<PyFunction*>(check(type->tp_alloc(type, 0)));
    new (&o->node) Ref<Node>();
    const Object hold(reinterpret_cast<PyObject*>(o));
    o->raw = make_node<PyFunctionNode>();
    o->node = Ref<Node>(o->raw);
    o->raw->object = o;
    const char* name = type->tp_name;
    if (const char* dot = std::strrchr(name, '.')) name = dot + 1;
    o->raw->label = name;
    o->materialize = true;
    return Py_NewRef(reinterpret_cast<PyObject*>(o));
  });
}

int function_clear(PyObject* self) {
  PyFunction& o = self_of(self);
  Py_CLEAR(o.dict);
  Py_CLEAR(o.to_save);
  Py_CLEAR(o.dirty);
  Py_CLEAR(o.constant);
  Py_CLEAR(o.needs_input_grad);
  Py_CLEAR(o.saved_for_forward);
  return 0;
}
int function_traverse(PyObject* self, visitproc visit, void* arg) {
  PyFunction& o = self_of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(o.dict);
  Py_VISIT(o.to_save);
  Py_VISIT(o.dirty);
  Py_VISIT(o.constant);
  Py_VISIT(o.needs_input_grad);
  Py_VISIT(o.saved_for_forward);
  return o.node && o.node->refs.load() == 1 ? visit_node(*o.node, visit, arg) : 0;
}

/// The graph goes on holding the node, which from here on holds the object.
bool keep_alive(PyFunction& o) {
  if (!o.node || o.node->refs.load(std::memory_order_acquire) <= 1) return false;
  Py_SET_REFCNT(reinterpret_cast<PyObject*>(&o), 1);
  o.raw->keeps_object = true;
  const Ref<Node> drop = std::move(o.node);
  return true;
}

void function_dealloc(PyObject* self) {
  PyFunction& o = self_of(self);
  if (keep_alive(o)) return;
  PyTypeObject* type = Py_TYPE(self);
  if (type->tp_finalize && PyObject_CallFinalizerFromDealloc(self) < 0) return;
  PyObject_GC_UnTrack(self);
  if (o.weakrefs) PyObject_ClearWeakRefs(self);
  function_clear(self);
  if (o.raw) o.raw->object = nullptr;
  o.node.~Ref<Node>();
  type->tp_free(self);
  Py_DECREF(type);
}

/// Classes made in Python would take over deallocation; theirs is ours.
int meta_init(PyObject* cls, PyObject* args, PyObject* kw) {
  if (PyType_Type.tp_init(cls, args, kw) < 0) return -1;
  reinterpret_cast<PyTypeObject*>(cls)->tp_dealloc = function_dealloc;
  return 0;
}

// ---- the context's attributes --------------------------------------------------------------------

PyFunctionNode& live_node(PyObject* self) {
  PyFunctionNode* n = self_of(self).raw;
  BOLIDE_CHECK(n, "the step of this context is gone");
  return *n;
}

PyObject* saved_tuple(PyObject* self, bool raw) {
  PyFunction& o = self_of(self);
  PyFunctionNode& n = live_node(self);
  if (n.released) fail_released(n.name());
  if (n.saved.empty() && o.to_save && PyTuple_Check(o.to_save)) return Py_NewRef(o.to_save);  // forward is not over
  Object t(check(PyTuple_New(static_cast<Py_ssize_t>(n.saved.size()))));
  const FromPython here;
  for (size_t i = 0; i < n.saved.size(); ++i) {
    SavedTensor& s = n.saved[i];
    PyObject* one = raw ? wrap_saved(Ref<Node>(&n), &s, nullptr) : s.empty() ? Py_NewRef(Py_None) : wrap(s.unpack(n, nullptr, true));
    PyTuple_SET_ITEM(t.get(), static_cast<Py_ssize_t>(i), check(one));
  }
  return t.release();
}
PyObject* get_saved_tensors(PyObject* self, void*) { return guard([&] { return saved_tuple(self, false); }); }
PyObject* get_raw_saved(PyObject* self, void*) { return guard([&] { return saved_tuple(self, true); }); }
PyObject* get_saved_variables(PyObject* self, void*) {
  if (PyErr_WarnEx(PyExc_DeprecationWarning, "'saved_variables' is deprecated; use 'saved_tensors'", 1) < 0) return nullptr;
  return get_saved_tensors(self, nullptr);
}

template <PyObject* PyFunction::*field>
PyObject* get_field(PyObject* self, void*) {
  PyObject* v = self_of(self).*field;
  return Py_NewRef(v ? v : Py_None);
}
template <PyObject* PyFunction::*field>
int set_field(PyObject* self, PyObject* v, void*) {
  PyObject* old = std::exchange(self_of(self).*field, v == Py_None ? nullptr : Py_XNewRef(v));
  Py_XDECREF(old);
  return 0;
}
int set_materialize(PyObject* self, PyObject* v, void*) {
  return guard_int([&] {
    BOLIDE_CHECK_AS(TypeError, v && PyBool_Check(v), "set_materialize_grads received an invalid combination of arguments - got (",
                    v ? type_name(v) : "", "), but expected (bool)");
    self_of(self).materialize = v == Py_True;
    return 0;
  });
}
PyGetSetDef function_getset[] = {
    {"saved_tensors", get_saved_tensors, nullptr, "What save_for_backward was given, with history.", nullptr},
    {"saved_variables", get_saved_variables, nullptr, nullptr, nullptr}, {"_raw_saved_tensors", get_raw_saved, nullptr, nullptr, nullptr},
    {"to_save", get_field<&PyFunction::to_save>, set_field<&PyFunction::to_save>, nullptr, nullptr},
    {"dirty_tensors", get_field<&PyFunction::dirty>, set_field<&PyFunction::dirty>, nullptr, nullptr},
    {"non_differentiable", get_field<&PyFunction::constant>, set_field<&PyFunction::constant>, nullptr, nullptr},
    {"needs_input_grad", get_field<&PyFunction::needs_input_grad>, set_field<&PyFunction::needs_input_grad>,
     "For each argument of forward, whether its gradient is wanted.", nullptr},
    {"saved_for_forward", get_field<&PyFunction::saved_for_forward>, set_field<&PyFunction::saved_for_forward>, nullptr, nullptr},
    {"materialize_grads", nullptr, set_materialize, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr}, {}};

// ---- apply -------------------------------------------------------------------------------------

bool contains(PyObject* tuple, PyObject* o) {
  for (Py_ssize_t i = 0; tuple && i < PyTuple_GET_SIZE(tuple); ++i)
    if (PyTuple_GET_ITEM(tuple, i) == o) return true;
  return false;
}
void expect_tuple(PyObject* v, const char* name) {
  BOLIDE_CHECK(!v || PyTuple_Check(v), "autograd internal error: ", name, " attribute is expected to be a tuple but is ", v ? type_name(v) : "");
}

/// One call of Function.apply.
class Apply {
 public:
  Apply(PyObject* cls, PyObject* args) : cls_(cls), args_(args) {}
  PyObject* run();

 private:
  void make_context();
  void take_inputs();
  Object call_forward();
  void check_marks(PyObject* outputs);
  PyObject* finish_output(PyObject* o, uint32_t slot);
  void finish_modified(Tensor& t, uint32_t slot);
  void save();

  PyObject *cls_, *args_;
  Object context_;
  PyFunctionNode* node_ = nullptr;
  bool executable_ = false;
  Py_ssize_t output_count_ = 0;
};

void Apply::make_context() {
  Object backward(check(PyObject_GetAttrString(cls_, "_backward_cls")));
  context_ = Object(check(PyObject_CallNoArgs(backward.get())));
  BOLIDE_CHECK_AS(TypeError, function_node(context_.get()), "_backward_cls of ", reinterpret_cast<PyTypeObject*>(cls_)->tp_name,
                  " is no function class");
  node_ = self_of(context_.get()).raw;
}

void Apply::take_inputs() {
  std::vector<Edge> edges;
  const Py_ssize_t n = PyTuple_GET_SIZE(args_);
  Object needs(check(PyTuple_New(n)));
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* o = PyTuple_GET_ITEM(args_, i);
    const bool tensor = is_tensor(o), one = tensor && unwrap(o).requires_grad();
    node_->edge_of.push_back(tensor ? static_cast<int>(edges.size()) : -1);
    if (tensor) edges.push_back(one && grad_enabled() ? gradient_edge(unwrap(o)) : Edge{});
    executable_ |= one && grad_enabled();
    PyTuple_SET_ITEM(needs.get(), i, Py_NewRef(one ? Py_True : Py_False));
  }
  node_->set_next(edges);
  self_of(context_.get()).needs_input_grad = needs.release();
}

bool has_own_setup(PyObject* cls) {
  static PyObject* plain = nullptr;
  if (!plain) {
    Object module(check(PyImport_ImportModule("bolide.autograd.function")));
    Object base(check(PyObject_GetAttrString(module.get(), "_SingleLevelFunction")));
    plain = check(PyObject_GetAttrString(base.get(), "setup_context"));
  }
  const Object own(check(PyObject_GetAttrString(cls, "setup_context")));
  return own.get() != plain;
}

Object Apply::call_forward() {
  const NoGrad off;
  Object forward(check(PyObject_GetAttrString(cls_, "forward")));
  if (has_own_setup(cls_)) {
    Object out(check(PyObject_CallObject(forward.get(), args_)));
    Object setup(check(PyObject_GetAttrString(cls_, "setup_context")));
    Object done(check(PyObject_CallFunctionObjArgs(setup.get(), context_.get(), args_, out.get(), nullptr)));
    return out;
  }
  const Py_ssize_t n = PyTuple_GET_SIZE(args_);
  Object all(check(PyTuple_New(n + 1)));
  PyTuple_SET_ITEM(all.get(), 0, Py_NewRef(context_.get()));
  for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(all.get(), i + 1, Py_NewRef(PyTuple_GET_ITEM(args_, i)));
  return Object(check(PyObject_CallObject(forward.get(), all.get())));
}

void Apply::check_marks(PyObject* outputs) {
  const PyFunction& c = self_of(context_.get());
  expect_tuple(c.dirty, "dirty_tensors");
  expect_tuple(c.constant, "non_differentiable");
  expect_tuple(c.to_save, "to_save");
  for (Py_ssize_t i = 0; c.dirty && i < PyTuple_GET_SIZE(c.dirty); ++i) {
    PyObject* o = PyTuple_GET_ITEM(c.dirty, i);
    BOLIDE_CHECK(is_tensor(o), "mark_dirty can only accept variables, but argument ", i, " is of type ", type_name(o));
    BOLIDE_CHECK(contains(outputs, o), "Some elements marked as dirty during the forward method were not returned as output. The inputs "
                 "that are modified inplace must all be outputs of the Function.");
    unwrap(o)->bump();
  }
  for (Py_ssize_t i = 0; c.constant && i < PyTuple_GET_SIZE(c.constant); ++i)
    BOLIDE_CHECK(is_tensor(PyTuple_GET_ITEM(c.constant, i)), "mark_non_differentiable only accepts variable arguments, but got ",
                 type_name(PyTuple_GET_ITEM(c.constant, i)));
}

void Apply::finish_modified(Tensor& t, uint32_t slot) {
  BOLIDE_CHECK(!(t.requires_grad() && t.is_leaf()) || !grad_enabled(), "a leaf Variable that requires grad has been used in an in-place operation.");
  BOLIDE_CHECK(!t->base || output_count_ == 1, "If your Function modifies inplace an input that is a view of another Tensor, your Function "
               "cannot return more than one Tensor. This is not supported by the current autograd engine. You should either make sure the "
               "input is not a view (using .clone() for example) or make your Function only return one Tensor (potentially splitting it "
               "into two Functions: one doing the inplace that returns a single Tensor and a second one that does the other operations). "
               "You can ask on the forum https://discuss.pytorch.org/ if you need help to do this change.");
  uint32_t edge = 0;
  for (size_t i = 0; i < node_->edge_of.size(); ++i)
    if (PyTuple_GET_ITEM(args_, static_cast<Py_ssize_t>(i)) == static_cast<PyObject*>(t->python)) edge = static_cast<uint32_t>(node_->edge_of[i]);
  check_in_place(t);
  rebase_history(t, Ref<Node>(node_), slot, edge);
}

/// An output as the caller gets it: with history, or an alias where forward returned an input.
PyObject* Apply::finish_output(PyObject* o, uint32_t slot) {
  node_->is_tensor.push_back(is_tensor(o));
  if (!is_tensor(o)) return Py_NewRef(o);
  const PyFunction& c = self_of(context_.get());
  Tensor t = unwrap(o);
  node_->outputs_[slot] = TensorMeta::of(t);
  const bool input = contains(args_, o), modified = contains(c.dirty, o);
  const bool differentiable = executable_ && !contains(c.constant, o) && is_differentiable(t.dtype());
  if (modified) {
    if (!input && PyErr_WarnEx(PyExc_UserWarning, "Only input Tensors should be given to ctx.mark_dirty(). If a Tensor is not an input, there "
                               "is no need to pass it to mark_dirty().", 1) < 0) throw PythonError{};
    if (differentiable) finish_modified(t, slot);
    return Py_NewRef(o);
  }
  if (input) {  // a view of its own
    const NoGrad off;
    t = t.view_as_layout(t.sizes(), t.strides(), t.storage_offset());
  }
  if (t->base) t->flags = static_cast<uint16_t>((t->flags & ~(TensorImpl::kNoGradView | TensorImpl::kMultiView)) | TensorImpl::kFunctionView);
  if (t->base && !executable_) t->flags |= TensorImpl::kNoGradView;
  if (differentiable) set_history(t, Ref<Node>(node_), slot);
  else if (!input && t.requires_grad() && executable_) t.detach_();
  return wrap(std::move(t));
}

void Apply::save() {
  PyFunction& c = self_of(context_.get());
  if (!c.to_save) return;
  const Py_ssize_t n = PyTuple_GET_SIZE(c.to_save);
  node_->saved.resize(static_cast<size_t>(n));
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* o = PyTuple_GET_ITEM(c.to_save, i);
    if (o == Py_None) continue;
    BOLIDE_CHECK_AS(TypeError, is_tensor(o), "save_for_backward can only save variables, but argument ", i, " is of type ", type_name(o));
    if (!executable_) continue;
    const Tensor& t = unwrap(o);
    const bool output = t->autograd && t->autograd->grad_fn.get() == node_;
    node_->saved[static_cast<size_t>(i)].save(t, output, output ? t->autograd->slot : 0);
  }
  Py_CLEAR(c.to_save);
  Py_CLEAR(c.constant);
  Py_CLEAR(c.dirty);
}

PyObject* Apply::run() {
  make_context();
  take_inputs();
  const Object raw = call_forward();
  const bool single = !PyTuple_Check(raw.get());
  const Object outputs(single ? check(PyTuple_Pack(1, raw.get())) : Py_NewRef(raw.get()));
  output_count_ = PyTuple_GET_SIZE(outputs.get());
  check_marks(outputs.get());
  const std::vector<TensorMeta> metas(static_cast<size_t>(output_count_));
  node_->set_outputs(metas);
  Object result(check(PyTuple_New(output_count_)));
  int differentiable = 0;
  for (Py_ssize_t i = 0; i < output_count_; ++i) {
    PyObject* o = finish_output(PyTuple_GET_ITEM(outputs.get(), i), static_cast<uint32_t>(i));
    PyTuple_SET_ITEM(result.get(), i, check(o));
    differentiable += is_tensor(o) && unwrap(o)->autograd && unwrap(o)->autograd->grad_fn.get() == node_;
  }
  for (Py_ssize_t i = 0; differentiable > 1 && i < output_count_; ++i) {
    PyObject* o = PyTuple_GET_ITEM(result.get(), i);
    if (is_tensor(o) && unwrap(o)->base) unwrap(o)->flags |= TensorImpl::kMultiView;
  }
  save();
  return single ? Py_NewRef(PyTuple_GET_ITEM(result.get(), 0)) : result.release();
}

PyObject* function_apply(PyObject* cls, PyObject* args) {
  return guard([&] {
    const FromPython here;
    return Apply(cls, args).run();
  });
}
PyMethodDef function_methods[] = {{"apply", function_apply, METH_VARARGS | METH_CLASS, "Runs forward and records the step."}, {}};

PyTypeObject FunctionMeta = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide._C._FunctionMeta",
                             .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE};
PyTypeObject FunctionType = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "torch._C._FunctionBase",
                             .tp_basicsize = sizeof(PyFunction)};

}  // namespace

Ref<Node> function_node(PyObject* o) {
  return PyObject_TypeCheck(o, &FunctionType) ? Ref<Node>(self_of(o).raw) : Ref<Node>();
}
PyObject* owned_function_object(Node& n) {
  auto* f = dynamic_cast<PyFunctionNode*>(&n);
  return f && f->keeps_object ? reinterpret_cast<PyObject*>(f->object) : nullptr;
}
PyObject* function_object(Node& n) {
  auto* f = dynamic_cast<PyFunctionNode*>(&n);
  if (!f || !f->object) return nullptr;
  auto* o = reinterpret_cast<PyObject*>(f->object);
  if (!f->keeps_object) return Py_NewRef(o);
  f->keeps_object = false;
  f->object->node = Ref<Node>(f);  // the object owns the node again,
  return o;                        // with the reference that the node held
}

void init_functions(PyObject* m) {
  FunctionMeta.tp_base = &PyType_Type;
  FunctionMeta.tp_init = meta_init;
  check(PyType_Ready(&FunctionMeta));
  Py_SET_TYPE(&FunctionType, &FunctionMeta);
  FunctionType.tp_base = &NodeType;
  FunctionType.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC;
  FunctionType.tp_new = function_new;
  FunctionType.tp_dealloc = function_dealloc;
  FunctionType.tp_traverse = function_traverse;
  FunctionType.tp_clear = function_clear;
  FunctionType.tp_methods = function_methods;
  FunctionType.tp_getset = function_getset;
  FunctionType.tp_dictoffset = offsetof(PyFunction, dict);
  FunctionType.tp_weaklistoffset = offsetof(PyFunction, weakrefs);
  check(PyType_Ready(&FunctionType));
  check(PyModule_AddObjectRef(m, "_FunctionBase", reinterpret_cast<PyObject*>(&FunctionType)));
}

}  // namespace bolide::python
