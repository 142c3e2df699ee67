// What the files of the extension share: reference holder, error translation, the Python types of the core's values.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

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
extern PyTypeObject* parameter_type;  // nn.Parameter: asked for often, and plain for overrides
inline bool is_tensor(PyObject* o) { return Py_TYPE(o) == &TensorType || PyObject_TypeCheck(o, &TensorType); }
inline const Tensor& unwrap(PyObject* o) { return reinterpret_cast<const Tensor&>(reinterpret_cast<PyTensor*>(o)->impl); }
/// The Python object of a tensor: the one it has, or a new one. None when undefined.
PyObject* wrap(Tensor t);
PyObject* wrap_as(PyTypeObject* type, Tensor t);
/// The same tensor as an object of class `cls`, a subclass of Tensor; keeps its history.
PyObject* as_subclass(PyObject* self, PyObject* cls);
/// torch.Tensor(...), torch.FloatTensor(...), x.new(...): sizes, a sequence of values, or a tensor to alias.
Tensor legacy_tensor(const char* name, DType dtype, Device device, PyObject* args, PyObject* kw);

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
/// The value of a tensor of one element.
PyObject* item_of(const Tensor& t);
/// The dtype that a buffer's format stands for.
OptDType dtype_of_format(const char* format, Py_ssize_t item_size);
/// A tensor that shares the memory of an object with a buffer, and keeps it alive.
Tensor from_buffer(PyObject* o, bool* read_only = nullptr);
/// Says once in a process that memory which must not change now can be changed.
void warn_read_only(const char* what);
PyObject* get_item(PyObject* self, PyObject* index);
int set_item(PyObject* self, PyObject* index, PyObject* value);

/// Sets the Python exception of a file that cannot be read, written or mapped.
void set_file_error(const FileError& e);

/// A number as a 0-d tensor that promotes as a number.
PyObject* wrap_number(PyObject* number, Device device);
/// A type's name as messages give it: Tensor, int, numpy.ndarray.
std::string type_name(PyObject* o);
/// The device of factories that name none (set_default_device, `with device:`); null when it is the CPU.
const Device* default_device();

struct Family;
/// An op by name, looked up once: static OpRef add{"add"}; add(a, b) calls it as Tensor.add.
struct OpRef {
  const char* name;
  Family* family = nullptr;
  explicit OpRef(const char* n) : name(n) {}
  PyObject* call(PyObject* const* args, size_t n);
  template <class... A>
  PyObject* operator()(A... args) {
    PyObject* all[] = {args...};
    return call(all, sizeof...(args));
  }
};
/// Calls the ops of that name with Python arguments.
PyObject* call_op(std::string_view name, PyObject* const* args, size_t count, PyObject* kwnames = nullptr);
template <class... A>
PyObject* call_op_with(std::string_view name, A... args) {
  PyObject* all[] = {args...};
  return call_op(name, all, sizeof...(args));
}

/// Whether the class of a tensor that is no plain Tensor takes part in __torch_function__ now.
bool overrides(PyObject* o);
/// Offers the call Tensor.name(args...) to modes and classes; false when nobody takes it. `r` is null on an error.
bool call_override_of(const char* name, std::initializer_list<PyObject*> args, PyObject*& r) noexcept;
/// Whether a class attribute __torch_function__ is somebody's own.
bool is_custom_hook(PyObject* hook);
/// Whether the default override leaves results of `func` as they are (reading .grad or ._base).
bool keeps_plain(PyObject* func);

void init_types(PyObject* m);
void init_tensor(PyObject* m);
void init_attributes(PyObject* m);  // between TensorType's fields and PyType_Ready
void init_methods(PyObject* m);
void init_operators();
void init_override(PyObject* m);
void init_binder(PyObject* m);
void init_convert(PyObject* m);
void init_buffers(PyObject* m);
void init_dlpack(PyObject* m);
void init_autograd(PyObject* m);
void init_io(PyObject* m);
void init_cuda(PyObject* m);
void init_modules(PyObject* m);
void init_storage(PyObject* m);
void init_optim(PyObject* m);
void init_collate(PyObject* m);

}  // namespace bolide::python
