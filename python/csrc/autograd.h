// What the files about autograd share: holding the GIL or not, Python objects inside the graph, hooks kept in dictionaries.
#pragma once
#include "autograd/call.h"
#include "autograd/engine.h"
#include "autograd/meta.h"
#include "python.h"

namespace bolide::python {

// ---- the GIL and the caller ----------------------------------------------------------------------

/// Python code called this: steps recorded within know its line. Every entry that records holds one.
class FromPython {
 public:
  FromPython() : before_(state().caller) { state().caller = State::Caller::Python; }
  ~FromPython() { state().caller = before_; }
  FromPython(const FromPython&) = delete;

 private:
  State::Caller before_;
};
/// For callbacks from the core, which may run in any thread.
class WithGil {
 public:
  WithGil() : gil_(PyGILState_Ensure()) {}
  ~WithGil() { PyGILState_Release(gil_); }
  WithGil(const WithGil&) = delete;

 private:
  PyGILState_STATE gil_;
};
/// Lets other Python threads run while the core works.
class WithoutGil {
 public:
  WithoutGil() : before_(state().caller), thread_(PyEval_SaveThread()) { state().caller = State::Caller::Native; }
  ~WithoutGil() {
    PyEval_RestoreThread(thread_);
    state().caller = before_;
  }
  WithoutGil(const WithoutGil&) = delete;

 private:
  State::Caller before_;
  PyThreadState* thread_;
};

/// A reference that may be copied and dropped without the GIL.
using Shared = std::shared_ptr<PyObject>;
Shared share(PyObject* borrowed);
inline PyObject* shared_object(const std::shared_ptr<void>& p) { return static_cast<PyObject*>(p.get()); }

/// A Python exception on its way through the core, perhaps to another thread.
struct StoredError {
  Shared type, value, trace;
  void restore() const;
};
/// Runs Python code from within the core: takes the GIL, and makes its exceptions travel.
[[noreturn]] void throw_stored();
template <class F>
auto in_python(F&& f) {
  const WithGil gil;
  try {
    return f();
  } catch (const PythonError&) {
    throw_stored();
  }
}

// ---- nodes ---------------------------------------------------------------------------------------

/// What Python hangs on a node (NodeExtra::python).
struct NodeState {
  PyObject* object = nullptr;         // the Python object that stands for the node, borrowed
  Shared metadata;                    // grad_fn.metadata
  Shared pre_hooks, post_hooks;       // dictionaries behind the handles
  std::vector<Shared> tensor_hooks;   // of the node's outputs
};
NodeState& state_of(Node& n);

extern PyTypeObject NodeType;
bool is_node(PyObject* o);
Ref<Node> node_of(PyObject* o);
/// The object of a node that is a user-defined function, a new reference; null for other nodes.
PyObject* function_object(Node& n);
/// The same object where only the node keeps it alive, borrowed; else null.
PyObject* owned_function_object(Node& n);
/// The node of a user-defined function's object; empty for other objects.
Ref<Node> function_node(PyObject* o);

/// Calls all hooks of a dictionary with one gradient, which they may replace.
void call_tensor_hooks(PyObject* dict, Tensor& grad);
/// Registers the dictionary of a tensor's hooks, where its gradient will pass.
void attach_tensor_hooks(const Tensor& t, PyObject* dict);

/// A node's saved tensor as an object: bolide._C.SavedTensor.
PyObject* wrap_saved(Ref<Node> owner, SavedTensor* saved, const Edge* made_by);
/// The tensor's part of the graph, for the garbage collector: what only this tensor keeps alive.
int visit_graph(TensorImpl* t, visitproc visit, void* arg);
int visit_node(Node& n, visitproc visit, void* arg);

std::shared_ptr<SavedTensorHooks> python_saved_hooks(PyObject* pack, PyObject* unpack);

void init_nodes(PyObject* m);
void init_functions(PyObject* m);
void init_sites(PyObject* m);

}  // namespace bolide::python
