// The base of nn.Module: attribute access and calls, which Python code would make the larger part of a small layer's time.
//
// Map: names | attributes | call | what a subclass inherits | registration
//
// The type has no fields, so that modules may have other bases too; everything lies in the instance's dictionary, as PyTorch
// has it. Python does what is rare: registration of parameters, buffers and modules, and calls with hooks.
#include <tuple>

#include "python.h"

namespace bolide::python {
namespace {

// ---- names -------------------------------------------------------------------------------------

struct Names {
  PyObject *parameters, *buffers, *modules, *forward, *call_hooked, *getattr;
  PyObject* hooks[4];
};
Names names;
PyTypeObject* module_type;      // the Python class nn.Module
PyObject* error_hook;           // called with a module and the exception that left its forward
bool global_hooks;              // whether hooks on all modules are set

void intern_names() {
  auto intern = [](const char* s) { return check(PyUnicode_InternFromString(s)); };
  names = {intern("_parameters"), intern("_buffers"), intern("_modules"), intern("forward"), intern("_call_hooked"),
           intern("__getattr__"),
           {intern("_backward_hooks"), intern("_backward_pre_hooks"), intern("_forward_hooks"), intern("_forward_pre_hooks")}};
}

/// The instance's dictionary (borrowed), or null before the first attribute.
PyObject* dict_of(PyObject* self) {
  PyObject** p = _PyObject_GetDictPtr(self);
  return p ? *p : nullptr;
}

/// dict[key] borrowed; null with or without an error set.
PyObject* item(PyObject* dict, PyObject* key) { return dict ? PyDict_GetItemWithError(dict, key) : nullptr; }

// ---- attributes --------------------------------------------------------------------------------

/// The parameter, buffer or submodule of that name, a new reference; null without an error when there is none.
PyObject* registered(PyObject* dict, PyObject* name) {
  for (PyObject* home : {names.parameters, names.buffers, names.modules}) {
    PyObject* held = item(dict, home);
    if (!held) {
      if (PyErr_Occurred()) return nullptr;
      continue;
    }
    if (PyDict_Check(held)) {
      if (PyObject* found = PyDict_GetItemWithError(held, name)) return Py_NewRef(found);
      if (PyErr_Occurred()) return nullptr;
    } else if (int has = PySequence_Contains(held, name); has != 0) {
      return has < 0 ? nullptr : PyObject_GetItem(held, name);
    }
  }
  return nullptr;
}

PyObject* no_attribute(PyObject* self, PyObject* name) {
  PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute '%U'", Py_TYPE(self)->tp_name, name);
  return nullptr;
}

/// Module.__getattr__, for those who call it themselves.
PyObject* module_getattr(PyObject* self, PyObject* name) {
  if (PyObject* found = registered(dict_of(self), name)) return found;
  return PyErr_Occurred() ? nullptr : no_attribute(self, name);
}

/// After a property raised AttributeError: what is registered under its name, else an error that tells of the first one.
PyObject* after_property(PyObject* self, PyObject* name) {
  if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return nullptr;
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  if (trace) PyException_SetTraceback(value, trace);
  Object held_type(type), held(value), held_trace(trace);
  PyObject* found = module_getattr(self, name);
  if (found) return found;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  PyException_SetContext(value, held.release());
  PyErr_Restore(type, value, trace);
  return nullptr;
}

PyObject* module_getattro(PyObject* self, PyObject* name) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject* on_type = _PyType_Lookup(type, name);  // borrowed
  descrgetfunc get = on_type ? Py_TYPE(on_type)->tp_descr_get : nullptr;
  if (get && Py_TYPE(on_type)->tp_descr_set) {  // a property goes before the instance
    Object held = Object::borrow(on_type);
    PyObject* result = get(on_type, self, reinterpret_cast<PyObject*>(type));
    return result ? result : after_property(self, name);
  }
  PyObject* dict = dict_of(self);
  if (PyObject* own = item(dict, name)) return Py_NewRef(own);
  if (PyErr_Occurred()) return nullptr;
  if (get) {
    Object held = Object::borrow(on_type);
    PyObject* result = get(on_type, self, reinterpret_cast<PyObject*>(type));
    return result ? result : after_property(self, name);
  }
  if (on_type) return Py_NewRef(on_type);
  if (PyObject* found = registered(dict, name)) return found;
  return PyErr_Occurred() ? nullptr : no_attribute(self, name);
}

/// Whether one of the three dictionaries has the name, hence Python decides what the assignment means.
bool has_registered(PyObject* dict, PyObject* name) {
  for (PyObject* home : {names.parameters, names.buffers, names.modules}) {
    PyObject* held = item(dict, home);
    if (held && (!PyDict_Check(held) || PyDict_Contains(held, name) != 0)) return true;
  }
  return false;
}

/// Whether the value is of a kind that modules register. Tensor classes of users may call themselves parameters.
bool may_register(PyObject* value) {
  PyTypeObject* type = Py_TYPE(value);
  return PyType_IsSubtype(type, module_type) || (type != &TensorType && PyType_IsSubtype(type, &TensorType)) ||
         (type == &TensorType && reinterpret_cast<PyTensor*>(value)->dict);
}

/// _set_plain(module, name, value): sets an attribute that has nothing to do with registration and returns True; else False.
/// (A C slot for assignment itself would forbid `object.__setattr__(module, ...)`, by which programs go past registration.)
PyObject* set_plain(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 3) return PyErr_Format(PyExc_TypeError, "_set_plain() takes 3 arguments (%zd given)", count);
  auto [self, name, value] = std::tuple(args[0], args[1], args[2]);
  bool plain = module_type && !has_registered(dict_of(self), name) && !may_register(value);
  if (PyErr_Occurred()) return nullptr;
  if (plain && PyObject_GenericSetAttr(self, name, value) < 0) return nullptr;
  return PyBool_FromLong(plain);
}

// ---- call --------------------------------------------------------------------------------------

/// 1 when the module or all modules have hooks, 0 when not, -1 with an error for a module without its dictionaries.
int hooked(PyObject* self, PyObject* dict) {
  bool any = global_hooks;
  for (PyObject* name : names.hooks) {
    PyObject* hooks = item(dict, name);
    if (!hooks) {
      if (!PyErr_Occurred()) no_attribute(self, name);
      return -1;
    }
    any |= !PyDict_Check(hooks) || PyDict_GET_SIZE(hooks) != 0;
  }
  return any;
}

/// forward(self, *args) of a plain function, without a bound method in between.
PyObject* call_function(PyObject* function, PyObject* self, PyObject* args) {
  constexpr Py_ssize_t kMost = 7;
  Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n > kMost) {
    Object bound(PyMethod_New(function, self));
    return bound ? PyObject_Call(bound.get(), args, nullptr) : nullptr;
  }
  PyObject* stack[kMost + 1] = {self};
  for (Py_ssize_t i = 0; i < n; ++i) stack[i + 1] = PyTuple_GET_ITEM(args, i);
  return PyObject_Vectorcall(function, stack, n + 1, nullptr);
}

PyObject* call_forward(PyObject* self, PyObject* dict, PyObject* args, PyObject* kwargs) {
  PyObject* own = item(dict, names.forward);
  if (!own && PyErr_Occurred()) return nullptr;
  PyObject* on_type = own ? nullptr : _PyType_Lookup(Py_TYPE(self), names.forward);
  bool no_keywords = !kwargs || PyDict_GET_SIZE(kwargs) == 0;
  if (on_type && PyFunction_Check(on_type) && no_keywords) {
    Object held = Object::borrow(on_type);
    return call_function(on_type, self, args);
  }
  Object forward(own ? Py_NewRef(own) : PyObject_GetAttr(self, names.forward));
  return forward ? PyObject_Call(forward.get(), args, kwargs) : nullptr;
}

/// Lets Python note on the exception which module it left.
void note_error(PyObject* self) {
  if (!error_hook || !PyErr_ExceptionMatches(PyExc_Exception)) return;
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  Object done(PyObject_CallFunctionObjArgs(error_hook, self, value, nullptr));
  if (!done) PyErr_Clear();
  PyErr_Restore(type, value, trace);
}

PyObject* module_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* dict = dict_of(self);
  int slow = hooked(self, dict);
  if (slow < 0) return nullptr;
  PyObject* result;
  if (slow) {
    Object keywords(kwargs ? Py_NewRef(kwargs) : PyDict_New());
    result = keywords ? PyObject_CallMethodObjArgs(self, names.call_hooked, args, keywords.get(), nullptr) : nullptr;
  } else {
    result = call_forward(self, dict, args, kwargs);
  }
  if (!result) note_error(self);
  return result;
}

// ---- what a subclass inherits ------------------------------------------------------------------

PyTypeObject* base_type();

/// A class that inherits `__getattr__` gets a slot that looks in two steps, by name. Where it is the one of this file, one
/// step does both. Assigning another `__getattr__` to the class later puts Python's slot back.
PyObject* init_subclass(PyObject* cls, PyObject* args, PyObject* kwargs) {
  Object super(PyObject_CallFunction(reinterpret_cast<PyObject*>(&PySuper_Type), "OO", base_type(), cls));
  if (!super) return nullptr;
  Object next(PyObject_GetAttrString(super.get(), "__init_subclass__"));
  if (!next) return nullptr;
  Object done(PyObject_Call(next.get(), args, kwargs));
  if (!done) return nullptr;
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  static PyObject* getattribute = PyUnicode_InternFromString("__getattribute__");
  bool same = _PyType_Lookup(type, names.getattr) == _PyType_Lookup(base_type(), names.getattr) &&
              _PyType_Lookup(type, getattribute) == _PyType_Lookup(base_type(), getattribute);
  if (same) type->tp_getattro = module_getattro;
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"__getattr__", module_getattr, METH_O, "The parameter, buffer or submodule of that name."},
    {"__init_subclass__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(init_subclass)), METH_CLASS | METH_VARARGS | METH_KEYWORDS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyTypeObject ModuleBaseType = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0).tp_name = "bolide._C._ModuleBase",
    .tp_call = module_call,
    .tp_getattro = module_getattro,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "The base of nn.Module: attribute access and calls.",
    .tp_methods = methods,
};

PyTypeObject* base_type() { return &ModuleBaseType; }

// ---- registration ------------------------------------------------------------------------------

PyObject* set_module_class(PyObject*, PyObject* args) {
  PyObject *cls, *hook;
  if (!PyArg_ParseTuple(args, "O!O", &PyType_Type, &cls, &hook)) return nullptr;
  module_type = reinterpret_cast<PyTypeObject*>(Py_NewRef(cls));
  error_hook = Py_NewRef(hook);
  Py_RETURN_NONE;
}

PyObject* set_global_hooks(PyObject*, PyObject* value) {
  int on = PyObject_IsTrue(value);
  if (on < 0) return nullptr;
  global_hooks = on;
  Py_RETURN_NONE;
}

/// _become_tensor(t): an object of a subclass of Tensor gets the class Tensor itself, which Python forbids for static types.
/// Subclasses add nothing to the object, so that only the type pointer differs.
PyObject* become_tensor(PyObject*, PyObject* t) {
  PyTypeObject* type = Py_TYPE(t);
  if (!PyType_IsSubtype(type, &TensorType)) return PyErr_Format(PyExc_TypeError, "expected a Tensor, got %s", type->tp_name);
  if (type->tp_basicsize != TensorType.tp_basicsize || !PyType_IS_GC(type))
    return PyErr_Format(PyExc_TypeError, "%s has fields of its own, it cannot become a Tensor", type->tp_name);
  if (type != &TensorType) {
    Py_SET_TYPE(t, &TensorType);
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE) Py_DECREF(type);
  }
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"_set_module_class", set_module_class, METH_VARARGS, "Names nn.Module, and what to call with an exception that leaves one."},
    {"_set_plain", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(set_plain)), METH_FASTCALL,
     "Sets an attribute of a module that has nothing to do with registration; whether it did."},
    {"_become_tensor", become_tensor, METH_O, "Gives an object of a subclass of Tensor the class Tensor itself."},
    {"_set_module_hooks", set_global_hooks, METH_O, "Whether hooks on the calls of all modules are set."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

void init_modules(PyObject* m) {
  intern_names();
  check(PyType_Ready(&ModuleBaseType));
  check(PyModule_AddObjectRef(m, "_ModuleBase", reinterpret_cast<PyObject*>(&ModuleBaseType)));
  check(PyModule_AddFunctions(m, functions));
}

}  // namespace bolide::python
