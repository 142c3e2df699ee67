// Shared memory for bolide/multiprocessing and the data loader: storages as uint8 tensors, descriptors, names, leases.
#include "io/file.h"
#include "io/shared_memory.h"
#include "python.h"

namespace bolide::python {
namespace {

PyObject* bytes_tensor(const Ref<Storage>& s) {
  Tensor t(new TensorImpl);
  t->dtype = DType::UInt8;
  t->storage = s;
  t->sizes = Dims{static_cast<int64_t>(s->bytes)};
  t->strides = Dims{1};
  t->refresh();
  return wrap(t);
}

template <class F>
PyObject* shared_guard(F&& f) noexcept {
  return guard([&]() -> PyObject* {
    try {
      return f();
    } catch (const FileError& e) {
      if (!e.error_number) throw;
      const Object args(Py_BuildValue("(is)", e.error_number, e.what()));
      if (args) PyErr_SetObject(PyExc_OSError, args.get());
      return nullptr;
    }
  });
}

Storage& storage_of(PyObject* o) {
  if (!is_tensor(o)) fail<TypeError>("expected a tensor, got ", Py_TYPE(o)->tp_name);
  const Ref<Storage>& s = unwrap(o).storage();
  BOLIDE_CHECK(s, "the tensor has no storage");
  return *s;
}

size_t size_argument(long long n) {
  BOLIDE_CHECK_AS(ValueError, n >= 0, "a size must not be negative, got ", n);
  return static_cast<size_t>(n);
}

// _shared_new(nbytes, named) -> its bytes
PyObject* shared_new(PyObject*, PyObject* args) {
  return shared_guard([&]() -> PyObject* {
    long long bytes;
    int named;
    if (!PyArg_ParseTuple(args, "Lp", &bytes, &named)) throw PythonError{};
    return bytes_tensor(io::make_shared(size_argument(bytes), named));
  });
}

// _shared_attach(descriptor, nbytes, keep) -> its bytes; the descriptor is taken over
PyObject* shared_attach(PyObject*, PyObject* args) {
  return shared_guard([&]() -> PyObject* {
    int fd, keep;
    long long bytes;
    if (!PyArg_ParseTuple(args, "iLp", &fd, &bytes, &keep)) throw PythonError{};
    return bytes_tensor(io::attach_shared(fd, size_argument(bytes), keep));
  });
}

// _shared_open(name, nbytes) -> its bytes
PyObject* shared_open(PyObject*, PyObject* args) {
  return shared_guard([&]() -> PyObject* {
    const char* name;
    long long bytes;
    if (!PyArg_ParseTuple(args, "sL", &name, &bytes)) throw PythonError{};
    return bytes_tensor(io::open_shared(name, size_argument(bytes)));
  });
}

// _share(tensor, named): moves its storage into shared memory
PyObject* share(PyObject*, PyObject* args) {
  return shared_guard([&]() -> PyObject* {
    PyObject* t;
    int named;
    if (!PyArg_ParseTuple(args, "Op", &t, &named)) throw PythonError{};
    io::share(storage_of(t), named);
    Py_RETURN_NONE;
  });
}

// _shared_info(tensor) -> None, or (descriptor or -1, name or "")
PyObject* shared_info(PyObject*, PyObject* o) {
  return shared_guard([&]() -> PyObject* {
    const Storage& s = storage_of(o);
    if (!io::is_shared(s)) Py_RETURN_NONE;
    return check(Py_BuildValue("(is)", io::shared_descriptor(s), io::shared_name(s).c_str()));
  });
}

PyObject* shared_expect(PyObject*, PyObject* o) {
  return shared_guard([&]() -> PyObject* {
    io::expect_user(storage_of(o));
    Py_RETURN_NONE;
  });
}
// _shared_lend(tensor, change): counts how often a block was sent away
PyObject* shared_lend(PyObject*, PyObject* args) {
  return shared_guard([&]() -> PyObject* {
    PyObject* t;
    int change;
    if (!PyArg_ParseTuple(args, "Oi", &t, &change)) throw PythonError{};
    io::lend(storage_of(t), change);
    Py_RETURN_NONE;
  });
}
// _shared_unused(tensor): nobody else holds the block, here or where it was sent
PyObject* shared_unused(PyObject*, PyObject* o) {
  return shared_guard([&]() -> PyObject* {
    const Storage& s = storage_of(o);
    return PyBool_FromLong(s.refs.load(std::memory_order_acquire) == 1 && io::times_lent(s) == 0);
  });
}
// _shared_lease(tensor, nbytes) -> its first bytes; when the last tensor on them dies the block is given back
PyObject* shared_lease(PyObject*, PyObject* args) {
  return shared_guard([&]() -> PyObject* {
    PyObject* t;
    long long bytes;
    if (!PyArg_ParseTuple(args, "OL", &t, &bytes)) throw PythonError{};
    storage_of(t);
    return bytes_tensor(io::lease(unwrap(t).storage(), size_argument(bytes)));
  });
}

PyMethodDef functions[] = {
    {"_shared_new", shared_new, METH_VARARGS, nullptr},
    {"_shared_attach", shared_attach, METH_VARARGS, nullptr},
    {"_shared_open", shared_open, METH_VARARGS, nullptr},
    {"_share", share, METH_VARARGS, nullptr},
    {"_shared_info", shared_info, METH_O, nullptr},
    {"_shared_expect", shared_expect, METH_O, "Counts a process that will open the name."},
    {"_shared_lend", shared_lend, METH_VARARGS, nullptr},
    {"_shared_unused", shared_unused, METH_O, nullptr},
    {"_shared_lease", shared_lease, METH_VARARGS, nullptr},
    {}};

}  // namespace

void init_shared(PyObject* m) { check(PyModule_AddFunctions(m, functions)); }

}  // namespace bolide::python
