// Saving and loading for bolide/serialization.py: _C._Archive (a file of torch.save: its object, its storages) and the
// writer. Map: errors | sources | _Archive | replaying a pickle | writing
#include "io/archive.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>

#include "cpu/pool.h"
#include "python.h"

namespace bolide::python {
namespace {

using io::Archive;
using io::Pickle;
using io::PickleChange;
using io::PickleId;
using io::PickleKind;

PyObject* g_unpickling_error;

// ---- errors ----------------------------------------------------------------------------------

}  // namespace

void set_file_error(const FileError& e) {
  using Kind = FileError::Kind;
  if (e.kind == Kind::NotFound || e.kind == Kind::System) {
    errno = e.error_number;
    const Object args(Py_BuildValue("(is)", e.error_number, e.what()));
    if (args) PyErr_SetObject(PyExc_OSError, args.get());  // becomes FileNotFoundError and its kin by the number
    return;
  }
  PyObject* type = e.kind == Kind::Unpickling ? g_unpickling_error : e.kind == Kind::EndOfFile ? PyExc_EOFError
                   : e.kind == Kind::Value    ? PyExc_ValueError   : PyExc_RuntimeError;
  const Object text(PyUnicode_DecodeUTF8(e.what(), static_cast<Py_ssize_t>(std::string_view(e.what()).size()), "replace"));
  if (text) PyErr_SetObject(type, text.get());
}

namespace {

template <class F>
PyObject* io_guard(F&& f) noexcept {
  try {
    return f();
  } catch (const FileError& e) {
    set_file_error(e);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (...) {
    set_error();
  }
  return nullptr;
}

/// Lets other Python threads run while bytes move.
class Unlocked {
 public:
  Unlocked() : state_(PyEval_SaveThread()) {}
  ~Unlocked() { PyEval_RestoreThread(state_); }

 private:
  PyThreadState* state_;
};

std::string utf8(PyObject* o) {
  Py_ssize_t n;
  const char* p = PyUnicode_AsUTF8AndSize(o, &n);
  if (!p) throw PythonError{};
  return {p, static_cast<size_t>(n)};
}

// ---- sources ---------------------------------------------------------------------------------

struct BufferOwner {
  Py_buffer view;
  explicit BufferOwner(PyObject* o) { check(PyObject_GetBuffer(o, &view, PyBUF_SIMPLE)); }
  BufferOwner(const BufferOwner&) = delete;
  ~BufferOwner() {
    const PyGILState_STATE s = PyGILState_Ensure();
    PyBuffer_Release(&view);
    PyGILState_Release(s);
  }
};

// A path as bytes, (descriptor, origin), or a buffer as (buffer,).
std::shared_ptr<io::ByteSource> source_of(PyObject* o, const std::string& name, bool mmap, bool shared = false) {
  if (PyBytes_Check(o)) {
    const std::string path(PyBytes_AS_STRING(o), static_cast<size_t>(PyBytes_GET_SIZE(o)));
    const Unlocked unlocked;
    return mmap ? io::mapped_source(path, shared) : io::file_source(path);
  }
  if (!PyTuple_Check(o)) fail<TypeError>("a source is bytes or a tuple");
  if (PyTuple_GET_SIZE(o) == 2) {
    const long fd = PyLong_AsLong(PyTuple_GET_ITEM(o, 0));
    const unsigned long long origin = PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(o, 1));
    if (PyErr_Occurred()) throw PythonError{};
    return io::descriptor_source(name, static_cast<int>(fd), origin);
  }
  auto owner = std::make_shared<BufferOwner>(PyTuple_GET_ITEM(o, 0));
  const Py_buffer& v = owner->view;
  return io::memory_source(name, v.buf, static_cast<size_t>(v.len), owner);
}

// ---- _Archive --------------------------------------------------------------------------------

using LoadedStorages = std::unordered_map<const io::StorageEntry*, Ref<Storage>>;

struct PyArchive {
  PyObject_HEAD
  Archive* archive;
  LoadedStorages* loaded;  // what load_all() read ahead
};
Archive& archive_of(PyObject* o) { return *reinterpret_cast<PyArchive*>(o)->archive; }

void archive_dealloc(PyObject* o) {
  delete reinterpret_cast<PyArchive*>(o)->archive;
  delete reinterpret_cast<PyArchive*>(o)->loaded;
  Py_TYPE(o)->tp_free(o);
}

// _Archive(source, name, mmap, restricted, allowed names[, shared mapping, big-endian when it does not say])
PyObject* archive_new(PyTypeObject* type, PyObject* args, PyObject*) {
  return io_guard([&]() -> PyObject* {
    PyObject *source, *name, *allowed;
    int mmap, restricted, shared = 0, big_endian = 0;
    if (!PyArg_ParseTuple(args, "OUppO|pp", &source, &name, &mmap, &restricted, &allowed, &shared, &big_endian)) throw PythonError{};
    std::unordered_set<std::string> names;
    const Object list(check(PySequence_Fast(allowed, "names must be a sequence")));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.get()); ++i)
      names.insert(utf8(PySequence_Fast_GET_ITEM(list.get(), i)));
    auto bytes = source_of(source, utf8(name), mmap, shared);
    io::ArchiveOptions options;
    options.mmap = mmap;
    options.big_endian = big_endian;
    options.pickle.restricted = restricted;
    options.pickle.allowed = &names;
    std::unique_ptr<Archive> archive;
    {
      const Unlocked unlocked;
      archive = std::make_unique<Archive>(std::move(bytes), options);
    }
    PyObject* self = check(type->tp_alloc(type, 0));
    reinterpret_cast<PyArchive*>(self)->archive = archive.release();
    reinterpret_cast<PyArchive*>(self)->loaded = new LoadedStorages;
    return self;
  });
}

PyObject* archive_pickle(PyObject* self, void*) {
  const std::string_view b = archive_of(self).pickle_bytes();
  return PyBytes_FromStringAndSize(b.data(), static_cast<Py_ssize_t>(b.size()));
}
PyObject* archive_stream(PyObject* self, void*) { return PyBool_FromLong(archive_of(self).is_stream()); }
PyObject* archive_end(PyObject* self, void*) { return PyLong_FromUnsignedLongLong(archive_of(self).end()); }
PyObject* archive_globals(PyObject* self, void*) {
  return io_guard([&] {
    const auto& all = archive_of(self).object().globals;
    Object list(check(PyList_New(0)));
    for (const io::PickleGlobal& g : all) {
      const Object pair(check(Py_BuildValue("(s#s#)", g.module.data(), Py_ssize_t(g.module.size()), g.name.data(),
                                            Py_ssize_t(g.name.size()))));
      check(PyList_Append(list.get(), pair.get()));
    }
    return list.release();
  });
}

// load(key) -> (all bytes of the storage as a uint8 tensor, dtype name or "", location)
PyObject* archive_load(PyObject* self, PyObject* key) {
  return io_guard([&] {
    const Archive& a = archive_of(self);
    const io::StorageEntry& e = a.storage(utf8(key));
    Ref<Storage> s;
    LoadedStorages& loaded = *reinterpret_cast<PyArchive*>(self)->loaded;
    if (auto it = loaded.find(&e); it != loaded.end()) {
      s = std::move(it->second);
      loaded.erase(it);
    } else {
      const Unlocked unlocked;
      s = a.load(e);
    }
    const int64_t n = static_cast<int64_t>(e.bytes), one = 1;
    const Object t(check(wrap(io::view_storage(a.name(), s, DType::UInt8, 0, {n}, {one}))));
    return check(Py_BuildValue("(Oss)", t.get(), e.dtype.c_str(), e.location.c_str()));
  });
}

// load_all(): reads all storages with all threads, for load() to hand out
PyObject* archive_load_all(PyObject* self, PyObject*) {
  return io_guard([&]() -> PyObject* {
    const Archive& a = archive_of(self);
    std::vector<std::pair<const io::StorageEntry*, Ref<Storage>>> all;
    for (const auto& [key, e] : a.storages())
      if (!e.meta()) all.emplace_back(&e, nullptr);
    {
      const Unlocked unlocked;
      std::atomic<size_t> next{0};
      parallel_for(0, num_threads(), 1, [&](int64_t, int64_t) {
        for (size_t i; (i = next.fetch_add(1)) < all.size();) all[i].second = a.load(*all[i].first);
      });
    }
    for (auto& [e, s] : all) reinterpret_cast<PyArchive*>(self)->loaded->emplace(e, std::move(s));
    Py_RETURN_NONE;
  });
}

// ---- replaying a pickle ----------------------------------------------------------------------

/// Makes the Python objects in the order of the stream. Names become what `resolve` says; nothing else is called.
class Replay {
 public:
  Replay(const Archive& a, PyObject* const* callbacks)
      : archive_(a), p_(a.object()), resolve_(callbacks[0]), storage_(callbacks[1]), new_(callbacks[2]),
        build_(callbacks[3]), made_(p_.nodes.size()) {}

  PyObject* run() {
    size_t next = 0;
    for (PickleId i = 0; i < p_.nodes.size(); ++i) {
      while (next < p_.changes.size() && p_.changes[next].before <= i) apply(p_.changes[next++]);
      made_[i] = Object(check(make(i)));
    }
    while (next < p_.changes.size()) apply(p_.changes[next++]);
    return made_[p_.root].release();
  }

 private:
  PyObject* at(PickleId i) const { return made_[i].get(); }

  PyObject* make(PickleId i) {
    const io::PickleNode& n = p_[i];
    switch (n.kind) {
      case PickleKind::None: return Py_NewRef(Py_None);
      case PickleKind::Bool: return PyBool_FromLong(n.integer != 0);
      case PickleKind::Int: return PyLong_FromLongLong(n.integer);
      case PickleKind::BigInt:
        return _PyLong_FromByteArray(reinterpret_cast<const unsigned char*>(n.text), n.size, 1, 1);
      case PickleKind::Float: return PyFloat_FromDouble(n.number);
      case PickleKind::String: return PyUnicode_DecodeUTF8(n.text, static_cast<Py_ssize_t>(n.size), "surrogatepass");
      case PickleKind::List: return PyList_New(0);
      case PickleKind::Tuple: return tuple(p_.body(i).items);
      case PickleKind::Dict: return PyDict_New();
      case PickleKind::Set: return PySet_New(nullptr);
      case PickleKind::Global: return PyObject_CallFunction(resolve_, "s", p_.global(i).full.c_str());
      case PickleKind::Call: return PyObject_Call(at(p_.body(i).callable), at(p_.body(i).args), nullptr);
      case PickleKind::New:
        return PyObject_CallFunctionObjArgs(new_, at(p_.body(i).callable), at(p_.body(i).args), nullptr);
      case PickleKind::Persistent: return PyObject_CallFunction(storage_, "s", archive_.storage(i).key.c_str());
      default: fail("a value that weights_only cannot hold");
    }
  }
  PyObject* tuple(const std::vector<PickleId>& items) {
    PyObject* t = check(PyTuple_New(static_cast<Py_ssize_t>(items.size())));
    for (size_t k = 0; k < items.size(); ++k) PyTuple_SET_ITEM(t, static_cast<Py_ssize_t>(k), Py_NewRef(at(items[k])));
    return t;
  }
  void apply(const PickleChange& c) {
    PyObject* target = at(c.target);
    if (c.kind == PickleChange::Kind::Build) {
      Object(check(PyObject_CallFunctionObjArgs(build_, target, at(c.begin), nullptr)));
      return;
    }
    const PickleId* items = p_.body(c.target).items.data() + c.begin;
    for (uint32_t k = 0; k < c.count; ++k) {
      switch (c.kind) {
        case PickleChange::Kind::Append: check(PyList_Append(target, at(items[k]))); break;
        case PickleChange::Kind::Add: check(PySet_Add(target, at(items[k]))); break;
        default:
          check(PyObject_SetItem(target, at(items[k]), at(items[k + 1])));
          ++k;
      }
    }
  }

  const Archive& archive_;
  const Pickle& p_;
  PyObject *resolve_, *storage_, *new_, *build_;
  std::vector<Object> made_;
};

// replay(resolve, storage, new, build) -> the object
PyObject* archive_replay(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return io_guard([&] {
    if (n != 4) fail<TypeError>("replay() takes 4 functions");
    return Replay(archive_of(self), args).run();
  });
}

PyMethodDef archive_methods[] = {
    {"load", archive_load, METH_O, "load(key): bytes of a storage as a uint8 tensor, its dtype's name, its location"},
    {"load_all", archive_load_all, METH_NOARGS, "Reads all storages at once."},
    {"replay", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(archive_replay)), METH_FASTCALL,
     "replay(resolve, storage, new, build): the object that was saved"},
    {}};
PyGetSetDef archive_getset[] = {{"pickle", archive_pickle, nullptr, "The object's pickle.", nullptr},
                                {"is_stream", archive_stream, nullptr, "Whether the file is of the old form.", nullptr},
                                {"end", archive_end, nullptr, "One past the last byte that belongs to it.", nullptr},
                                {"globals", archive_globals, nullptr, "The names in the pickle.", nullptr},
                                {}};
PyTypeObject ArchiveType = [] {
  PyTypeObject t{};
  Py_SET_REFCNT(reinterpret_cast<PyObject*>(&t), 1);
  t.tp_name = "bolide._C._Archive";
  t.tp_basicsize = sizeof(PyArchive);
  t.tp_dealloc = archive_dealloc;
  t.tp_flags = Py_TPFLAGS_DEFAULT;
  t.tp_doc = "A file that torch.save wrote.";
  t.tp_methods = archive_methods;
  t.tp_getset = archive_getset;
  t.tp_new = archive_new;
  return t;
}();

// ---- writing ---------------------------------------------------------------------------------

void call_write(PyObject* write, const void* data, size_t n) {
  const Object view(check(PyMemoryView_FromMemory(const_cast<char*>(static_cast<const char*>(data)),
                                                  static_cast<Py_ssize_t>(n), PyBUF_READ)));
  const Object done(check(PyObject_CallOneArg(write, view.get())));
  Object(check(PyObject_CallMethod(view.get(), "release", nullptr)));
}

std::vector<io::SavedStorage> storages_of(PyObject* tensors) {
  std::vector<io::SavedStorage> out;
  const Object list(check(PySequence_Fast(tensors, "storages must be a sequence")));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.get()); ++i) {
    PyObject* t = PySequence_Fast_GET_ITEM(list.get(), i);
    if (!is_tensor(t) || !unwrap(t).device().is_cpu()) fail<TypeError>("a storage to save is no tensor in CPU memory");
    const Storage& s = *unwrap(t).storage();
    out.push_back({s.data, s.bytes});
  }
  return out;
}

// _write_archive(path as bytes or write function, folder, pickle, storages, alignment, crc32, durable)
PyObject* write_archive(PyObject*, PyObject* args) {
  return io_guard([&]() -> PyObject* {
    PyObject *to, *storages;
    const char *folder, *pickle;
    Py_ssize_t folder_size, pickle_size;
    long long alignment;
    int crc, durable;
    if (!PyArg_ParseTuple(args, "Os#y#OLpp", &to, &folder, &folder_size, &pickle, &pickle_size, &storages, &alignment,
                          &crc, &durable))
      throw PythonError{};
    SaveOptions options{alignment, crc != 0, durable != 0};
    const std::string top(folder, static_cast<size_t>(folder_size));
    const std::string_view object(pickle, static_cast<size_t>(pickle_size));
    const auto all = storages_of(storages);
    if (PyBytes_Check(to)) {
      const std::string path(PyBytes_AS_STRING(to), static_cast<size_t>(PyBytes_GET_SIZE(to)));
      const Unlocked unlocked;
      io::write_archive(*io::file_sink(path, options.durable), top, object, all, options);
    } else {
      auto sink = io::callback_sink([&](const void* data, size_t n) { call_write(to, data, n); });
      io::write_archive(*sink, top, object, all, options);
    }
    Py_RETURN_NONE;
  });
}

// _write_storage(write function, tensor): the raw bytes of its storage
PyObject* write_storage(PyObject*, PyObject* args) {
  return io_guard([&]() -> PyObject* {
    PyObject *write, *tensor;
    if (!PyArg_ParseTuple(args, "OO!", &write, &TensorType, &tensor)) throw PythonError{};
    if (!unwrap(tensor).device().is_cpu()) fail<TypeError>("a storage to save is not in CPU memory");
    const Storage& s = *unwrap(tensor).storage();
    call_write(write, s.data, s.bytes);
    Py_RETURN_NONE;
  });
}

// _is_torchscript(path as bytes): whether `jit.load` is the way to open it
PyObject* is_torchscript(PyObject*, PyObject* args) {
  return io_guard([&]() -> PyObject* {
    PyObject *source, *name;
    if (!PyArg_ParseTuple(args, "OU", &source, &name)) throw PythonError{};
    auto bytes = source_of(source, utf8(name), false);
    return PyBool_FromLong(io::looks_like_zip(*bytes) && io::is_torchscript(io::ZipReader(bytes)));
  });
}

PyObject* archive_folder(PyObject*, PyObject* path) {
  return io_guard([&]() -> PyObject* {
    const std::string folder = io::archive_folder(utf8(path));
    return check(PyUnicode_FromStringAndSize(folder.data(), static_cast<Py_ssize_t>(folder.size())));
  });
}
PyObject* allowed_global(PyObject*, PyObject* name) {
  return io_guard([&]() -> PyObject* { return PyBool_FromLong(io::is_allowed_global(utf8(name))); });
}
PyObject* storage_class_of(PyObject*, PyObject* dtype) {
  return io_guard([&]() -> PyObject* { return check(PyUnicode_FromString(io::storage_class_of(utf8(dtype)).c_str())); });
}
// _storage_dtype("torch.FloatStorage") -> "float32", "" for untyped storages, None for other names
PyObject* storage_dtype(PyObject*, PyObject* name) {
  return io_guard([&]() -> PyObject* {
    const auto type = io::storage_class(utf8(name));
    if (!type) Py_RETURN_NONE;
    return check(PyUnicode_FromString(type->dtype.c_str()));
  });
}

PyMethodDef functions[] = {{"_write_archive", write_archive, METH_VARARGS, nullptr},
                           {"_write_storage", write_storage, METH_VARARGS, nullptr},
                           {"_is_torchscript", is_torchscript, METH_VARARGS, nullptr},
                           {"_archive_folder", archive_folder, METH_O, nullptr},
                           {"_allowed_global", allowed_global, METH_O, nullptr},
                           {"_storage_class_of", storage_class_of, METH_O, nullptr},
                           {"_storage_dtype", storage_dtype, METH_O, nullptr},
                           {}};

}  // namespace

void init_io(PyObject* m) {
  const Object pickle(check(PyImport_ImportModule("_pickle")));
  g_unpickling_error = check(PyObject_GetAttrString(pickle.get(), "UnpicklingError"));
  check(PyType_Ready(&ArchiveType));
  check(PyModule_AddObjectRef(m, "_Archive", reinterpret_cast<PyObject*>(&ArchiveType)));
  check(PyModule_AddFunctions(m, functions));
}

}  // namespace bolide::python
