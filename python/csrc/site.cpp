// Where in the user's program a step was recorded: the line that is running, taken in a few nanoseconds and put into words
// only for an error. Also anomaly mode, which keeps whole stacks.
#include <unordered_map>

#include "autograd.h"

namespace bolide::python {

namespace {

// Code objects that ever stood for a site are kept for the life of the process (their instructions, not their values), so
// that a step can name one without counting references.
struct Known {
  PyCodeObject* code = nullptr;
  bool library = false;  // Bolide's own: the caller is meant
};
constexpr size_t kTable = 256;
Known g_recent[kTable];
std::string g_package;  // the folder of Bolide's Python files

[[gnu::noinline]] Known& learn(PyCodeObject* code) {
  static std::unordered_map<PyCodeObject*, bool> known;
  auto [at, fresh] = known.try_emplace(code, false);
  if (fresh) {
    Py_INCREF(code);
    Py_ssize_t n = 0;
    const char* file = PyUnicode_AsUTF8AndSize(code->co_filename, &n);
    if (file) at->second = std::string_view(file, static_cast<size_t>(n)).starts_with(g_package);
    else PyErr_Clear();
  }
  Known& k = g_recent[(reinterpret_cast<uintptr_t>(code) >> 5) % kTable];
  k = {code, at->second};
  return k;
}
Known& lookup(PyCodeObject* code) {
  Known& k = g_recent[(reinterpret_cast<uintptr_t>(code) >> 5) % kTable];
  return k.code == code ? k : learn(code);
}

constexpr int kDeepest = 24;  // frames of the library between an op and its user

#if PY_VERSION_HEX < 0x030C0000

/// The interpreter's own frame, as Python 3.11 lays it out.
struct Frame {
  PyObject *func, *globals, *builtins, *locals;
  PyCodeObject* code;
  PyFrameObject* object;
  Frame* previous;
  _Py_CODEUNIT* last;
};

Site python_site() {
  const auto* f = reinterpret_cast<const Frame*>(_PyThreadState_UncheckedGet()->cframe->current_frame);
  const Frame* first = f;
  for (int i = 0; f && i < kDeepest; ++i, f = f->previous)
    if (!lookup(f->code).library) break;
  if (!f) f = first;
  if (!f) return {};
  const auto* start = reinterpret_cast<const _Py_CODEUNIT*>(f->code->co_code_adaptive);
  return {f->code, static_cast<int32_t>((f->last - start) * static_cast<ptrdiff_t>(sizeof(_Py_CODEUNIT)))};
}

#else

Site python_site() {
  PyFrameObject* f = PyThreadState_GetFrame(PyThreadState_Get());
  Site found;
  for (int i = 0; f && i < kDeepest; ++i) {
    PyCodeObject* code = PyFrame_GetCode(f);
    if (!found || !lookup(code).library) found = {code, PyFrame_GetLasti(f)};
    const bool user = !lookup(code).library;
    Py_DECREF(code);
    PyFrameObject* back = user ? nullptr : PyFrame_GetBack(f);
    Py_DECREF(f);
    f = back;
  }
  Py_XDECREF(reinterpret_cast<PyObject*>(f));
  return found;
}

#endif

std::string describe(Site s) {
  const WithGil gil;
  auto* code = const_cast<PyCodeObject*>(static_cast<const PyCodeObject*>(s.code));
  const char *file = PyUnicode_AsUTF8(code->co_filename), *name = PyUnicode_AsUTF8(code->co_name);
  PyErr_Clear();
  return str(file ? file : "?", ":", PyCode_Addr2Line(code, s.at), " in ", name ? name : "?");
}

// ---- anomaly mode --------------------------------------------------------------------------------

/// Keeps the stack of the forward call, and the step whose backward recorded this one.
void note_stack(Node& n) {
  if (state().caller == State::Caller::Native) return;
  in_python([&] {
    Object module(check(PyImport_ImportModule("bolide.autograd.anomaly_mode")));
    Object stack(check(PyObject_CallMethod(module.get(), "_stack", nullptr)));
    Object dict(check(PyDict_New()));
    check(PyDict_SetItemString(dict.get(), "traceback_", stack.get()));
    if (Node* parent = autograd::current_node()) {
      Object p(check(wrap_node(Ref<Node>(parent))));
      check(PyDict_SetItemString(dict.get(), "parent_", p.get()));
    }
    state_of(n).metadata = share(dict.get());
  });
}

/// Warns with the stack of the forward call, keeping the error in flight.
void report(Node& n) {
  const WithGil gil;
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  Object module(PyImport_ImportModule("bolide.autograd.anomaly_mode"));
  const Shared& kept = state_of(n).metadata;
  Object done(module ? PyObject_CallMethod(module.get(), "_report", "sO", n.name(), kept ? kept.get() : Py_None) : nullptr);
  if (!done) PyErr_Clear();
  PyErr_Restore(type, value, trace);
}

PyObject* set_package(PyObject*, PyObject* folder) {
  const char* s = PyUnicode_AsUTF8(folder);
  if (!s) return nullptr;
  g_package = s;
  caller_site = python_site;
  describe_site = describe;
  Py_RETURN_NONE;
}
PyObject* here(PyObject*, PyObject*) {  // the site that a step recorded now would get
  return guard([&]() -> PyObject* {
    const FromPython in;
    const Site s = current_site();
    if (!s) Py_RETURN_NONE;
    return PyUnicode_FromString(describe(s).c_str());
  });
}
PyMethodDef functions[] = {{"_set_package", set_package, METH_O, nullptr}, {"_site", here, METH_NOARGS, nullptr}, {}};

}  // namespace

void init_sites(PyObject* m) {
  autograd::anomaly_note = note_stack;
  autograd::anomaly_report = report;
  check(PyModule_AddFunctions(m, functions));
}

}  // namespace bolide::python
