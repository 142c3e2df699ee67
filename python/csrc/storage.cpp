// Storages for bolide/storage.py: tensors on them, resizing, mapped files, and shared memory as uint8 tensors, descriptors
// and names. Map: helpers | tensors on storages | files | sharing | leases
#include "io/archive.h"
#include "io/shared_memory.h"
#include "python.h"

namespace bolide::python {
namespace {

// ---- helpers -----------------------------------------------------------------------------------

template <class F>
PyObject* storage_guard(F&& f) noexcept {
  try {
    return f();
  } catch (const FileError& e) {
    set_file_error(e);
  } catch (...) {
    set_error();
  }
  return nullptr;
}

PyObject* bytes_of(const Ref<Storage>& s) {
  const int64_t n = static_cast<int64_t>(s->bytes), one = 1;
  return wrap(io::view_storage("storage", s, DType::UInt8, 0, {n}, {one}));
}

const Ref<Storage>& storage_of(PyObject* o) {
  if (!is_tensor(o)) fail<TypeError>("expected a tensor, got ", Py_TYPE(o)->tp_name);
  const Ref<Storage>& s = unwrap(o).storage();
  BOLIDE_CHECK_AS(NotImplementedError, s, "Cannot access storage of a tensor that has none");
  return s;
}

size_t size_argument(long long n) {
  BOLIDE_CHECK_AS(ValueError, n >= 0, "a size must not be negative, got ", n);
  return static_cast<size_t>(n);
}

// ---- tensors on storages -----------------------------------------------------------------------

// _storage_view(tensor, dtype, offset, sizes, strides, file): another tensor on the same storage, checked
PyObject* storage_view(PyObject*, PyObject* args) {
  return storage_guard([&]() -> PyObject* {
    PyObject *base, *dtype, *sizes, *strides;
    long long offset;
    const char* file;
    if (!PyArg_ParseTuple(args, "O!O!LOOs", &TensorType, &base, &DTypeType, &dtype, &offset, &sizes, &strides, &file))
      throw PythonError{};
    const std::vector<int64_t> size = ints_of(sizes), stride = ints_of(strides);
    return wrap(io::view_storage(file, storage_of(base), reinterpret_cast<PyDType*>(dtype)->value, offset, size, stride));
  });
}

// _storage_bytes(tensor): its whole storage as a uint8 tensor
PyObject* storage_bytes(PyObject*, PyObject* o) {
  return storage_guard([&]() -> PyObject* { return bytes_of(storage_of(o)); });
}

// _extent(tensor) -> (id of its storage, first byte, bytes from there to its last element, bytes of an element)
PyObject* extent(PyObject*, PyObject* o) {
  return storage_guard([&]() -> PyObject* {
    const Ref<Storage>& s = storage_of(o);
    const Tensor& t = unwrap(o);
    const int64_t item = t.itemsize();
    int64_t span = t.numel() ? item : 0;
    for (size_t d = 0; t.numel() && d < t.sizes().size(); ++d) span += (t.sizes()[d] - 1) * t.strides()[d] * item;
    return check(Py_BuildValue("(NLLL)", PyLong_FromVoidPtr(s.get()), static_cast<long long>(t.storage_offset() * item),
                               static_cast<long long>(span), static_cast<long long>(item)));
  });
}

// _storage_id(tensor): a number that tensors on the same storage share while it lives
PyObject* storage_id(PyObject*, PyObject* o) {
  return storage_guard([&]() -> PyObject* { return check(PyLong_FromVoidPtr(storage_of(o).get())); });
}

PyObject* storage_resize(PyObject*, PyObject* args) {
  return storage_guard([&]() -> PyObject* {
    PyObject* t;
    long long bytes;
    if (!PyArg_ParseTuple(args, "OL", &t, &bytes)) throw PythonError{};
    Storage& s = *storage_of(t);
    BOLIDE_CHECK(s.resizable, "Trying to resize storage that is not resizable");
    s.resize(size_argument(bytes));
    Py_RETURN_NONE;
  });
}
PyObject* storage_resizable(PyObject*, PyObject* o) {
  return storage_guard([&]() -> PyObject* { return PyBool_FromLong(storage_of(o)->resizable); });
}

// _set_storage(tensor, source tensor, offset, sizes, strides or None): the tensor becomes a view of the source's storage,
// which grows where it is too small
PyObject* set_storage(PyObject*, PyObject* args) {
  return storage_guard([&]() -> PyObject* {
    PyObject *target, *source, *sizes, *strides;
    long long offset;
    if (!PyArg_ParseTuple(args, "O!O!LOO", &TensorType, &target, &TensorType, &source, &offset, &sizes, &strides))
      throw PythonError{};
    const Tensor& t = unwrap(target);
    const std::vector<int64_t> size = ints_of(sizes);
    const Dims stride = strides == Py_None ? contiguous_strides(size) : Dims(IntList(ints_of(strides)));
    BOLIDE_CHECK(offset >= 0, "Tensor: invalid storage offset ", offset);
    BOLIDE_CHECK(stride.size() == size.size(), "unequal size length (", size.size(), ") and stride length (", stride.size(), ")");
    const int64_t numel = checked_numel(size);
    int64_t last = offset;
    for (size_t d = 0; d < size.size(); ++d) {
      int64_t step;
      BOLIDE_CHECK(stride[d] >= 0, "as_strided: Negative strides are not supported at the moment, got strides: ", stride);
      const bool fits = !__builtin_mul_overflow(std::max<int64_t>(size[d] - 1, 0), stride[d], &step) &&
                        !__builtin_add_overflow(last, step, &last) && last < INT64_MAX / 32;
      BOLIDE_CHECK(fits, "Storage size calculation overflowed with sizes=", IntList(size), " and strides=", stride);
    }
    const Ref<Storage> storage = storage_of(source);
    const size_t need = numel ? static_cast<size_t>((last + 1) * t.itemsize()) : 0;
    if (need > storage->bytes) {
      BOLIDE_CHECK(storage->resizable, "Trying to resize storage that is not resizable");
      storage->resize(need);
    }
    t->storage = storage;
    t->sizes = Dims(IntList(size));
    t->strides = stride;
    t->offset = offset;
    t->refresh();
    t->bump();
    return Py_NewRef(target);
  });
}

// ---- files -------------------------------------------------------------------------------------

// _map_file(name, shared, nbytes) -> its bytes
PyObject* map_file(PyObject*, PyObject* args) {
  return storage_guard([&]() -> PyObject* {
    const char* name;
    int shared;
    long long bytes;
    if (!PyArg_ParseTuple(args, "spL", &name, &shared, &bytes)) throw PythonError{};
    return bytes_of(io::map_file(name, shared, size_argument(bytes)));
  });
}

// ---- sharing -----------------------------------------------------------------------------------

// _shared_new(nbytes, named) -> its bytes
PyObject* shared_new(PyObject*, PyObject* args) {
  return storage_guard([&]() -> PyObject* {
    long long bytes;
    int named;
    if (!PyArg_ParseTuple(args, "Lp", &bytes, &named)) throw PythonError{};
    return bytes_of(io::make_shared(size_argument(bytes), named));
  });
}

// _shared_attach(descriptor, nbytes, keep) -> its bytes; the descriptor is taken over
PyObject* shared_attach(PyObject*, PyObject* args) {
  return storage_guard([&]() -> PyObject* {
    int fd, keep;
    long long bytes;
    if (!PyArg_ParseTuple(args, "iLp", &fd, &bytes, &keep)) throw PythonError{};
    return bytes_of(io::attach_shared(fd, size_argument(bytes), keep));
  });
}

// _shared_open(name, nbytes) -> its bytes
PyObject* shared_open(PyObject*, PyObject* args) {
  return storage_guard([&]() -> PyObject* {
    const char* name;
    long long bytes;
    if (!PyArg_ParseTuple(args, "sL", &name, &bytes)) throw PythonError{};
    return bytes_of(io::open_shared(name, size_argument(bytes)));
  });
}

// _share(tensor, named): moves its storage into shared memory
PyObject* share(PyObject*, PyObject* args) {
  return storage_guard([&]() -> PyObject* {
    PyObject* t;
    int named;
    if (!PyArg_ParseTuple(args, "Op", &t, &named)) throw PythonError{};
    io::share(*storage_of(t), named);
    Py_RETURN_NONE;
  });
}

// _shared_info(tensor) -> None, or (descriptor or -1, name or "")
PyObject* shared_info(PyObject*, PyObject* o) {
  return storage_guard([&]() -> PyObject* {
    const Storage& s = *storage_of(o);
    if (!io::is_shared(s)) Py_RETURN_NONE;
    return check(Py_BuildValue("(is)", io::shared_descriptor(s), io::shared_name(s).c_str()));
  });
}

PyObject* shared_expect(PyObject*, PyObject* o) {
  return storage_guard([&]() -> PyObject* {
    io::expect_user(*storage_of(o));
    Py_RETURN_NONE;
  });
}

// ---- leases ------------------------------------------------------------------------------------

// _shared_lend(tensor, change): counts how often a block was sent away
PyObject* shared_lend(PyObject*, PyObject* args) {
  return storage_guard([&]() -> PyObject* {
    PyObject* t;
    int change;
    if (!PyArg_ParseTuple(args, "Oi", &t, &change)) throw PythonError{};
    io::lend(*storage_of(t), change);
    Py_RETURN_NONE;
  });
}
// _shared_unused(tensor): nobody else holds the block, here or where it was sent
PyObject* shared_unused(PyObject*, PyObject* o) {
  return storage_guard([&]() -> PyObject* {
    const Storage& s = *storage_of(o);
    return PyBool_FromLong(s.refs.load(std::memory_order_acquire) == 1 && io::times_lent(s) == 0);
  });
}
// _shared_lease(tensor, nbytes) -> its first bytes; when the last tensor on them dies the block is given back
PyObject* shared_lease(PyObject*, PyObject* args) {
  return storage_guard([&]() -> PyObject* {
    PyObject* t;
    long long bytes;
    if (!PyArg_ParseTuple(args, "OL", &t, &bytes)) throw PythonError{};
    return bytes_of(io::lease(storage_of(t), size_argument(bytes)));
  });
}

PyMethodDef functions[] = {
    {"_storage_view", storage_view, METH_VARARGS, nullptr},
    {"_storage_bytes", storage_bytes, METH_O, nullptr},
    {"_storage_id", storage_id, METH_O, nullptr},
    {"_extent", extent, METH_O, nullptr},
    {"_storage_resize", storage_resize, METH_VARARGS, nullptr},
    {"_storage_resizable", storage_resizable, METH_O, nullptr},
    {"_set_storage", set_storage, METH_VARARGS, nullptr},
    {"_map_file", map_file, METH_VARARGS, nullptr},
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

void init_storage(PyObject* m) { check(PyModule_AddFunctions(m, functions)); }

}  // namespace bolide::python
