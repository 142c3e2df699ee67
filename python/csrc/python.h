// What the files of the extension share: reference holder, error translation, the Python types of the core's values.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "autograd/node.h"
#include "bolide/autograd.h"
#include "bolide/io.h"
#include "bolide/ops.h"
#include "core/registry.h"

namespace bolide::python {

/// An owned reference.
class Object {
 public:
  Object() = default;
  explicit Object(PyObject* p) : p_(p) {}
  Object(const Object& o) : p_(o.p_) { Py_XINCREF(p_); }
  Object(Object&& o) noexcept : p_(o.release()) {}
  ~Object() { Py_XDECREF(p_); }
  Object& operator=(Object o) noexcept { std::swap(p_, o.p_); return *this; }
  static Object borrow(PyObject* p) { Py_XINCREF(p); return Object(p); }
  PyObject* get() const { return p_; }
  PyObject* release() { PyObject* p = p_; p_ = nullptr; return p; }
  explicit operator bool() const { return p_; }

 private:
  PyObject* p_ = nullptr;
};

/// A Python exception is set; unwinds to the nearest guard().
struct PythonError {};
inline PyObject* check(PyObject* p) { if (!p) throw PythonError{}; return p; }
inline void check(int status) { if (status < 0) throw PythonError{}; }
/// Sets the Python exception for the C++ exception in flight.
void set_error() noexcept;
template <class F>
PyObject* guard(F&& f) noexcept {
  try { return f(); } catch (...) { set_error(); return nullptr; }
}
template <class F>
int guard_int(F&& f) noexcept {
  try { return f(); } catch (...) { set_error(); return -1; }
}

struct PyTensor {
  PyObject_HEAD
  TensorImpl* impl;
  PyObject* dict;
  PyObject* weakrefs;
};
extern PyTypeObject TensorType;
extern PyTypeObject* parameter_type;  // set by nn: its instances are plain for dispatch
inline bool is_tensor(PyObject* o) { return Py_TYPE(o) == &TensorType || PyObject_TypeCheck(o, &TensorType); }
inline const Tensor& unwrap(PyObject* o) { return reinterpret_cast<const Tensor&>(reinterpret_cast<PyTensor*>(o)->impl); }
/// The Python object of a tensor: the one it has, or a new one. None when undefined.
PyObject* wrap(Tensor t);
PyObject* wrap_as(PyTypeObject* type, Tensor t);

struct PyDType { PyObject_HEAD DType value; };
struct PyDevice { PyObject_HEAD Device value; };
struct PyLayout { PyObject_HEAD LayoutKind value; };
struct PyFormat { PyObject_HEAD MemoryFormat value; };
struct PyGenerator { PyObject_HEAD Generator* value; bool owned; };
extern PyTypeObject DTypeType, DeviceType_, LayoutType, FormatType, SizeType, GeneratorType;
PyObject* wrap(DType t);
PyObject* wrap(Device d);
PyObject* wrap_size(IntList sizes);
PyObject* wrap(const Scalar& s);
PyObject* wrap_node(const Ref<Node>& n);
PyObject* layout_object();
Device device_of(PyObject* o);      // device object, "cuda:1", 0
bool is_dtype(PyObject* o);         // dtype object or float, int, bool, complex
DType dtype_of(PyObject* o);
bool is_number(PyObject* o);        // bool, int, float, complex, NumPy scalars
Scalar scalar_of(PyObject* o);
std::vector<int64_t> ints_of(PyObject* o);

/// torch.tensor(data): nested sequences, numbers, buffers (NumPy arrays), tensors.
Tensor tensor_from(PyObject* data, OptDType dtype, std::optional<Device> device);
PyObject* to_list(const Tensor& t);
PyObject* get_item(PyObject* self, PyObject* index);
int set_item(PyObject* self, PyObject* index, PyObject* value);

/// Sets the Python exception of a file that cannot be read, written or mapped.
void set_file_error(const FileError& e);

/// Calls the ops of that name with Python arguments.
PyObject* call_op(std::string_view name, PyObject* const* args, size_t count, PyObject* kwnames = nullptr);
template <class... A>
PyObject* call_op_with(std::string_view name, A... args) {
  PyObject* all[] = {args...};
  return call_op(name, all, sizeof...(args));
}

void init_types(PyObject* m);
void init_tensor(PyObject* m);
void init_binder(PyObject* m);
void init_convert(PyObject* m);
void init_autograd(PyObject* m);
void init_io(PyObject* m);
void init_cuda(PyObject* m);
void init_modules(PyObject* m);
void init_storage(PyObject* m);
void init_optim(PyObject* m);

}  // namespace bolide::python
