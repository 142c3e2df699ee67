// __torch_function__: how classes and modes take over calls made from Python. State of a thread | who overrides |
// the call | the default of Tensor, which keeps the class of subclasses | what bolide.overrides uses.
#include "binder.h"

namespace bolide::python {

namespace {

// ---- state of a thread -------------------------------------------------------------------------

enum Disabled : uint8_t { kNothing, kSubclasses, kAll };
struct OverrideState {
  Disabled disabled = kNothing;
  std::vector<PyObject*> modes;  // owned; the last one is asked first
};
thread_local OverrideState t_override;

void refresh_bit() {
  const bool on = !t_override.modes.empty() && t_override.disabled != kAll;
  if (on) state().modes |= State::kTorchFunction;
  else state().modes &= ~static_cast<uint32_t>(State::kTorchFunction);
}
struct Disable {
  Disabled before = t_override.disabled;
  explicit Disable(Disabled d) { t_override.disabled = std::max(before, d), refresh_bit(); }
  ~Disable() { t_override.disabled = before, refresh_bit(); }
};

// ---- who overrides -----------------------------------------------------------------------------

PyObject* g_hook_name;      // "__torch_function__"
PyObject* g_disabled_hook;  // what a class sets to opt out
PyObject* g_default_hook;   // Tensor's own

PyObject* hook_of_type(PyTypeObject* type) {
  PyObject* hook = _PyType_Lookup(type, g_hook_name);
  return hook == g_disabled_hook ? nullptr : hook;
}
bool is_basic(PyTypeObject* t) {
  return t == &PyLong_Type || t == &PyFloat_Type || t == &PyBool_Type || t == &PyUnicode_Type || t == &PyTuple_Type || t == &PyList_Type ||
         t == &PyDict_Type || t == Py_TYPE(Py_None) || t == &TensorType || t == &DTypeType || t == &DeviceType_ || t == &PySlice_Type;
}

/// Adds an argument that overrides, a subclass before its bases, each class once.
void add(std::vector<PyObject*>& found, PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  if (is_basic(type) || type == parameter_type || !hook_of_type(type)) return;
  size_t at = found.size();
  for (size_t i = found.size(); i-- > 0;) {
    if (Py_TYPE(found[i]) == type) return;
    if (PyType_IsSubtype(type, Py_TYPE(found[i]))) at = i;
  }
  found.insert(found.begin() + static_cast<std::ptrdiff_t>(at), o);
}
std::vector<PyObject*> overloaded(const Given& g) {
  std::vector<PyObject*> found;
  for (size_t i = 0; i < g.n + g.keywords(); ++i) {
    PyObject* o = g.args[i];
    if (!PyTuple_CheckExact(o) && !PyList_CheckExact(o)) {
      add(found, o);
      continue;
    }
    for (Py_ssize_t k = 0; k < PySequence_Fast_GET_SIZE(o); ++k) add(found, PySequence_Fast_GET_ITEM(o, k));
  }
  return found;
}

// ---- the call ----------------------------------------------------------------------------------

Object tuple_of(PyObject* const* items, size_t n) {
  Object t(check(PyTuple_New(static_cast<Py_ssize_t>(n))));
  for (size_t i = 0; i < n; ++i) PyTuple_SET_ITEM(t.get(), i, Py_NewRef(items[i]));
  return t;
}
Object keywords_of(const Given& g) {
  if (!g.keywords()) return {};
  Object d(check(PyDict_New()));
  for (size_t k = 0; k < g.keywords(); ++k) check(PyDict_SetItem(d.get(), g.keyword(k), g.keyword_value(k)));
  return d;
}

struct Request {  // func, types, args[, kwargs]
  Object func, types, args, kwargs;
  PyObject* ask(PyObject* hook) const {
    PyObject* all[] = {func.get(), types.get(), args.get(), kwargs.get()};
    return check(PyObject_Vectorcall(hook, all, kwargs ? 4 : 3, nullptr));
  }
};

/// The innermost mode is asked with itself off the stack, so that what it calls goes to the outer ones.
PyObject* ask_mode(const Request& r) {
  auto& modes = t_override.modes;
  Object mode(modes.back());
  modes.pop_back();
  refresh_bit();
  Object result(guard([&] { return r.ask(Object(check(PyObject_GetAttr(mode.get(), g_hook_name))).get()); }));
  modes.push_back(mode.release());
  refresh_bit();
  return check(result.release());
}

PyObject* func_name(PyObject* func) { return PyObject_GetAttrString(func, "__name__"); }

}  // namespace

bool overrides(PyObject* o) {
  if (t_override.disabled != kNothing || Py_TYPE(o) == parameter_type) return false;
  return hook_of_type(Py_TYPE(o));
}

PyObject* call_override(PyObject* func, const Given& g, bool& called) {
  called = false;
  if (t_override.disabled == kAll) return nullptr;
  const std::vector<PyObject*> found = t_override.disabled == kNothing ? overloaded(g) : std::vector<PyObject*>();
  if (found.empty() && t_override.modes.empty()) return nullptr;
  called = true;
  Request r;
  r.func = Object::borrow(func);
  r.types = Object(check(PyTuple_New(static_cast<Py_ssize_t>(found.size()))));
  for (size_t i = 0; i < found.size(); ++i)
    PyTuple_SET_ITEM(r.types.get(), i, Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(found[i]))));
  r.args = tuple_of(g.args, g.n);
  r.kwargs = keywords_of(g);
  if (!t_override.modes.empty()) {
    Object result(ask_mode(r));
    if (result.get() != Py_NotImplemented) return result.release();
  }
  for (PyObject* o : found) {
    Object hook(check(PyObject_GetAttr(o, g_hook_name)));
    Object result(r.ask(hook.get()));
    if (result.get() != Py_NotImplemented) return result.release();
  }
  Object name(func_name(func));
  PyErr_Clear();
  PyErr_Format(PyExc_TypeError, "no implementation found for '%S' on types that implement __torch_function__: %R",
               name ? name.get() : func, Object(PySequence_List(r.types.get())).get());
  return nullptr;
}

bool call_override_of(const char* name, std::initializer_list<PyObject*> args, PyObject*& r) noexcept {
  bool called = true;
  r = guard([&]() -> PyObject* {
    Object func(check(PyObject_GetAttrString(reinterpret_cast<PyObject*>(&TensorType), name)));
    return call_override(func.get(), Given{args.begin(), args.size(), nullptr}, called);
  });
  return called;
}

// ---- the default ---------------------------------------------------------------------------------

namespace {

/// Tensors in a result become `cls`, unless they are already.
PyObject* keep_class(PyObject* r, PyTypeObject* cls) {
  if (cls == &TensorType) return Py_NewRef(r);
  if (is_tensor(r)) return PyObject_TypeCheck(r, cls) ? Py_NewRef(r) : check(as_subclass(r, reinterpret_cast<PyObject*>(cls)));
  if (!PyTuple_Check(r) && !PyList_Check(r)) return Py_NewRef(r);
  Object list(check(PyList_New(PySequence_Fast_GET_SIZE(r))));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(r); ++i)
    PyList_SET_ITEM(list.get(), i, keep_class(PySequence_Fast_GET_ITEM(r, i), cls));
  if (PyList_CheckExact(r)) return list.release();
  return check(PyObject_CallOneArg(reinterpret_cast<PyObject*>(Py_TYPE(r)), list.get()));
}

PyObject* run_plain(PyObject* func, PyObject* args, PyObject* kwargs) {
  Disable off(kSubclasses);
  return check(PyObject_Call(func, args, kwargs));
}

bool read_request(const char* format, PyObject* args, PyObject* kw, PyObject*& func, PyObject*& types, PyObject*& a, PyObject*& k) {
  static const char* names[] = {"func", "types", "args", "kwargs", nullptr};
  a = k = nullptr;
  return PyArg_ParseTupleAndKeywords(args, kw, format, const_cast<char**>(names), &func, &types, &a, &k);
}

/// Tensor.__torch_function__(cls, func, types, args, kwargs)
PyObject* default_hook(PyObject* cls, PyObject* all, PyObject* kw) {
  return guard([&]() -> PyObject* {
    PyObject *func, *types, *a, *k;
    if (!read_request("OO|OO:__torch_function__", all, kw, func, types, a, k)) return nullptr;
    Object list(check(PySequence_Tuple(types)));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list.get()); ++i) {
      const int ok = PyObject_IsSubclass(cls, PyTuple_GET_ITEM(list.get(), i));
      if (ok < 0) return nullptr;
      if (!ok) Py_RETURN_NOTIMPLEMENTED;
    }
    Object args(a && a != Py_None ? check(PySequence_Tuple(a)) : check(PyTuple_New(0)));
    Object result(run_plain(func, args.get(), k == Py_None ? nullptr : k));
    return keeps_plain(func) ? result.release() : keep_class(result.get(), reinterpret_cast<PyTypeObject*>(cls));
  });
}
PyMethodDef default_def = {"__torch_function__", reinterpret_cast<PyCFunction>(default_hook), METH_VARARGS | METH_KEYWORDS | METH_CLASS,
                           "Runs func on the plain tensors; results are of the subclass again."};

/// _disabled_torch_function_impl(cls, func, types, args, kwargs): a class that sets this gets plain tensors back.
PyObject* disabled_hook(PyObject*, PyObject* all, PyObject* kw) {
  return guard([&]() -> PyObject* {
    PyObject *func, *types, *a, *k;
    if (!read_request("OO|OO:_disabled_torch_function_impl", all, kw, func, types, a, k)) return nullptr;
    Object args(a && a != Py_None ? check(PySequence_Tuple(a)) : check(PyTuple_New(0)));
    return run_plain(func, args.get(), k == Py_None ? nullptr : k);
  });
}

// ---- what bolide.overrides uses ------------------------------------------------------------------

PyObject* push_mode(PyObject*, PyObject* mode) {
  t_override.modes.push_back(Py_NewRef(mode));
  refresh_bit();
  Py_RETURN_NONE;
}
PyObject* pop_mode(PyObject*, PyObject*) {
  if (t_override.modes.empty()) {
    PyErr_SetString(PyExc_RuntimeError, "the stack of torch function modes is empty");
    return nullptr;
  }
  PyObject* mode = t_override.modes.back();
  t_override.modes.pop_back();
  refresh_bit();
  return mode;
}
PyObject* mode_count(PyObject*, PyObject*) { return PyLong_FromSize_t(t_override.modes.size()); }
PyObject* mode_at(PyObject*, PyObject* index) {
  const Py_ssize_t i = PyLong_AsSsize_t(index);
  if (i == -1 && PyErr_Occurred()) return nullptr;
  if (i < 0 || static_cast<size_t>(i) >= t_override.modes.size()) {
    PyErr_SetString(PyExc_IndexError, "no torch function mode at that place");
    return nullptr;
  }
  return Py_NewRef(t_override.modes[static_cast<size_t>(i)]);
}

bool any_overrides(PyObject* const* args, size_t n) {
  if (t_override.disabled != kAll && !t_override.modes.empty()) return true;
  return t_override.disabled == kNothing && !overloaded(Given{args, n, nullptr}).empty();
}
PyObject* has_in_tuple(PyObject*, PyObject* args) {
  Object t(PySequence_Tuple(args));
  return t ? PyBool_FromLong(any_overrides(&PyTuple_GET_ITEM(t.get(), 0), static_cast<size_t>(PyTuple_GET_SIZE(t.get())))) : nullptr;
}
PyObject* has_unary(PyObject*, PyObject* o) { return PyBool_FromLong(any_overrides(&o, 1)); }
PyObject* has_variadic(PyObject*, PyObject* const* args, Py_ssize_t n) { return PyBool_FromLong(any_overrides(args, static_cast<size_t>(n))); }

/// _dispatch(func, original, args, kwargs): what Python functions become once somebody overrides (bolide.overrides).
PyObject* dispatch(PyObject*, PyObject* const* a, Py_ssize_t n) {
  return guard([&]() -> PyObject* {
    BOLIDE_CHECK_AS(TypeError, n == 4 && PyTuple_Check(a[2]) && PyDict_Check(a[3]), "_dispatch(func, original, args, kwargs)");
    if (t_override.disabled != kAll && (t_override.disabled == kNothing || !t_override.modes.empty())) {
      std::vector<PyObject*> all(&PyTuple_GET_ITEM(a[2], 0), &PyTuple_GET_ITEM(a[2], 0) + PyTuple_GET_SIZE(a[2]));
      const size_t count = all.size();
      Object names(check(PyTuple_New(PyDict_GET_SIZE(a[3]))));
      PyObject *key, *value;
      for (Py_ssize_t at = 0, i = 0; PyDict_Next(a[3], &at, &key, &value); ++i) {
        PyTuple_SET_ITEM(names.get(), i, Py_NewRef(key));
        all.push_back(value);
      }
      bool called;
      PyObject* r = call_override(a[0], Given{all.data(), count, names.get()}, called);
      if (called) return r;
    }
    return PyObject_Call(a[1], a[2], a[3]);
  });
}

template <Disabled kind>
struct Switch {  // a context manager
  PyObject_HEAD
  Disabled before;
  static PyObject* enter(PyObject* self, PyObject*) {
    reinterpret_cast<Switch*>(self)->before = t_override.disabled;
    t_override.disabled = std::max(t_override.disabled, kind);
    refresh_bit();
    Py_RETURN_NONE;
  }
  static PyObject* exit(PyObject* self, PyObject*) {
    t_override.disabled = reinterpret_cast<Switch*>(self)->before;
    refresh_bit();
    Py_RETURN_NONE;
  }
};
template <Disabled kind>
PyTypeObject* switch_type(const char* name) {
  static PyMethodDef methods[] = {{"__enter__", Switch<kind>::enter, METH_NOARGS, nullptr},
                                  {"__exit__", Switch<kind>::exit, METH_VARARGS, nullptr}, {}};
  static PyTypeObject type = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = name, .tp_basicsize = sizeof(Switch<kind>),
                              .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE};
  type.tp_methods = methods;
  type.tp_new = PyType_GenericNew;
  check(PyType_Ready(&type));
  return &type;
}

PyObject* is_enabled(PyObject*, PyObject*) { return PyBool_FromLong(t_override.disabled == kNothing); }
PyObject* is_mode_enabled(PyObject*, PyObject*) { return PyBool_FromLong(t_override.disabled != kAll && !t_override.modes.empty()); }
PyObject* is_all_disabled(PyObject*, PyObject*) { return PyBool_FromLong(t_override.disabled == kAll); }

PyMethodDef functions[] = {
    {"_disabled_torch_function_impl", reinterpret_cast<PyCFunction>(disabled_hook), METH_VARARGS | METH_KEYWORDS,
     "The __torch_function__ of classes that opt out."},
    {"_push_on_torch_function_stack", push_mode, METH_O, nullptr}, {"_pop_torch_function_stack", pop_mode, METH_NOARGS, nullptr},
    {"_len_torch_function_stack", mode_count, METH_NOARGS, nullptr}, {"_get_function_stack_at", mode_at, METH_O, nullptr},
    {"_has_torch_function", has_in_tuple, METH_O, nullptr}, {"_has_torch_function_unary", has_unary, METH_O, nullptr},
    {"_has_torch_function_variadic", reinterpret_cast<PyCFunction>(has_variadic), METH_FASTCALL, nullptr},
    {"_dispatch", reinterpret_cast<PyCFunction>(dispatch), METH_FASTCALL, nullptr},
    {"_is_torch_function_enabled", is_enabled, METH_NOARGS, nullptr},
    {"_is_torch_function_mode_enabled", is_mode_enabled, METH_NOARGS, nullptr},
    {"_is_torch_function_all_disabled", is_all_disabled, METH_NOARGS, nullptr}, {}};

}  // namespace

bool is_custom_hook(PyObject* hook) { return hook && hook != g_disabled_hook && hook != g_default_hook; }

void init_override(PyObject* m) {
  g_hook_name = check(PyUnicode_InternFromString("__torch_function__"));
  check(PyModule_AddFunctions(m, functions));
  g_disabled_hook = check(PyObject_GetAttrString(m, "_disabled_torch_function_impl"));
  g_default_hook = check(PyDescr_NewClassMethod(&TensorType, &default_def));
  check(PyDict_SetItem(TensorType.tp_dict, g_hook_name, g_default_hook));
  check(PyModule_AddObjectRef(m, "DisableTorchFunctionSubclass",
                              reinterpret_cast<PyObject*>(switch_type<kSubclasses>("bolide._C.DisableTorchFunctionSubclass"))));
  check(PyModule_AddObjectRef(m, "DisableTorchFunction", reinterpret_cast<PyObject*>(switch_type<kAll>("bolide._C.DisableTorchFunction"))));
}

}  // namespace bolide::python
