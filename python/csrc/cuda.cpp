// bolide._C._cuda: what python/bolide/cuda is built on. Map: devices | memory | streams and events | graphs | random state
#include "cuda/allocator.h"
#include "cuda/fault.h"
#include "cuda/generator.h"
#include "cuda/graph.h"
#include "cuda/library.h"
#include "cuda/module.h"
#include "python.h"

namespace bolide::python {

namespace {

int device_arg(PyObject* o) {
  if (!o || o == Py_None) return cuda::current_device();
  const Device d = device_of(o);
  return d.index < 0 ? cuda::current_device() : d.index;
}
PyObject* none() { return Py_NewRef(Py_None); }
/// Runs f with the interpreter free; exceptions come back after it is held again.
template <class F>
void without_gil(F&& f) {
  struct Released {
    PyThreadState* state = PyEval_SaveThread();
    ~Released() { PyEval_RestoreThread(state); }
  } released;
  f();
}

// ---- devices ---------------------------------------------------------------------------------------

PyObject* is_available(PyObject*, PyObject*) { return PyBool_FromLong(cuda::available()); }
PyObject* device_count(PyObject*, PyObject*) { return PyLong_FromLong(cuda::device_count()); }
PyObject* why(PyObject*, PyObject*) {
  return guard([] { return PyUnicode_FromString(cuda::why().c_str()); });
}
PyObject* require(PyObject*, PyObject*) {
  return guard([] { return cuda::require(), none(); });
}
PyObject* current_device(PyObject*, PyObject*) {
  return guard([] { return cuda::require(), PyLong_FromLong(cuda::current_device()); });
}
PyObject* set_device(PyObject*, PyObject* o) {
  return guard([&] {
    const long i = PyLong_AsLong(o);
    if (PyErr_Occurred()) throw PythonError{};
    if (i >= 0) cuda::set_device(static_cast<int>(i));
    return none();
  });
}
PyObject* properties(PyObject*, PyObject* o) {
  return guard([&] {
    const cuda::DeviceInfo& d = cuda::device_info(device_arg(o));
    return Py_BuildValue("{s:s,s:i,s:i,s:n,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "name", d.name.c_str(), "major", d.major, "minor",
                         d.minor, "total_memory", static_cast<Py_ssize_t>(d.total_memory), "multi_processor_count", d.multiprocessors,
                         "is_integrated", int{d.integrated}, "is_multi_gpu_board", int{d.multi_gpu_board}, "warp_size", d.warp_size,
                         "max_threads_per_multi_processor", d.threads_per_multiprocessor, "max_threads_per_block", d.max_threads_per_block,
                         "regs_per_multiprocessor", d.registers_per_multiprocessor, "L2_cache_size", d.l2_bytes, "shared_memory_per_block",
                         d.shared_per_block, "shared_memory_per_block_optin", d.shared_per_block_optin, "shared_memory_per_multiprocessor",
                         d.shared_per_multiprocessor);
  });
}
PyObject* can_access_peer(PyObject*, PyObject* args) {
  int a, b;
  if (!PyArg_ParseTuple(args, "ii", &a, &b)) return nullptr;
  return guard([&] { return PyBool_FromLong(cuda::can_access_peer(a, b)); });
}
PyObject* synchronize(PyObject*, PyObject* o) {
  return guard([&] {
    const int d = device_arg(o);
    cuda::require();
    cuda::count_synchronization();
    without_gil([&] { cuda::synchronize_device(d); });
    cuda::check_faults();
    return none();
  });
}
PyObject* add_package_folder(PyObject*, PyObject* o) {
  const char* s = PyUnicode_AsUTF8(o);
  if (!s) return nullptr;
  cuda::add_package_folder(s);
  return none();
}
PyObject* driver_version(PyObject*, PyObject*) { return PyLong_FromLong(cuda::available() ? cuda::driver_version() : 0); }
PyObject* launch_stats(PyObject*, PyObject*) {
  const cuda::LaunchStats s = cuda::launch_stats();
  return Py_BuildValue("{s:L,s:L,s:L,s:L,s:L,s:L,s:L}", "launches", s.launches, "compiles", s.compiles, "disk_hits", s.disk_hits, "pack_hits",
                       s.pack_hits, "synchronizations", s.synchronizations, "bytes_to_device", s.bytes_to_device, "bytes_to_host", s.bytes_to_host);
}
PyObject* asked_kernels(PyObject*, PyObject*) { return PyUnicode_FromString(cuda::asked_kernels().c_str()); }

// ---- memory ----------------------------------------------------------------------------------------

PyObject* memory_stats(PyObject*, PyObject* o) {
  return guard([&] {
    const cuda::MemoryStats s = cuda::memory_stats(device_arg(o));
    return Py_BuildValue("{s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L,s:L}", "allocated", s.allocated, "peak_allocated",
                         s.peak_allocated, "reserved", s.reserved, "peak_reserved", s.peak_reserved, "allocations", s.allocations, "frees",
                         s.frees, "segments", s.segments, "driver_allocations", s.driver_allocations, "driver_frees", s.driver_frees,
                         "retries", s.retries, "ooms", s.ooms, "total_allocated", s.total_allocated, "total_freed", s.total_freed,
                         "live_blocks", s.live_blocks, "peak_live_blocks", s.peak_live_blocks);
  });
}
PyObject* reset_peak(PyObject*, PyObject* o) {
  return guard([&] { return cuda::reset_peak_stats(device_arg(o)), none(); });
}
PyObject* empty_cache(PyObject*, PyObject*) {
  return guard([] { return cuda::empty_cache(), none(); });
}
PyObject* memory_info(PyObject*, PyObject* o) {
  return guard([&] {
    size_t free = 0, total = 0;
    cuda::memory_info(device_arg(o), free, total);
    return Py_BuildValue("(nn)", static_cast<Py_ssize_t>(free), static_cast<Py_ssize_t>(total));
  });
}
PyObject* largest_blocks(PyObject*, PyObject* o) {
  return guard([&] { return PyUnicode_FromString(cuda::largest_blocks(device_arg(o), 20).c_str()); });
}
PyObject* memory_fraction(PyObject*, PyObject* args) {
  double f;
  PyObject* d = nullptr;
  if (!PyArg_ParseTuple(args, "d|O", &f, &d)) return nullptr;
  return guard([&] { return cuda::set_memory_fraction(f, device_arg(d)), none(); });
}
PyObject* pin(PyObject*, PyObject* o) {
  return guard([&] {
    BOLIDE_CHECK_AS(TypeError, is_tensor(o), "pin_memory(): expected a tensor");
    const Tensor& t = unwrap(o);
    BOLIDE_CHECK(t.device().is_cpu(), "cannot pin '", t.device(), "' only dense CPU tensors can be pinned");
    const auto bytes = static_cast<size_t>(t.numel() * t.itemsize());
    void* p = cuda::allocate_host(bytes);
    Tensor r = Tensor::make(IntList{0}, t.dtype(), t.device());
    r->storage = Storage::borrow(p, bytes, t.device(), [](void* m) { cuda::release_host(m); }, p);
    r->sizes = t.sizes();
    r->strides = contiguous_strides(t.sizes());
    r->refresh();
    copy_(r, t.detach());
    return wrap(r);
  });
}
PyObject* is_pinned(PyObject*, PyObject* o) {
  return guard([&] { return PyBool_FromLong(is_tensor(o) && unwrap(o).device().is_cpu() && cuda::is_pinned(unwrap(o).raw())); });
}
PyObject* record_stream(PyObject*, PyObject* args) {
  PyObject* t;
  int device;
  unsigned long long handle;
  if (!PyArg_ParseTuple(args, "OiK", &t, &device, &handle)) return nullptr;
  return guard([&] {
    cuda::record_stream(unwrap(t).storage()->data, {device, reinterpret_cast<cuda::StreamHandle>(handle)});
    return none();
  });
}

// ---- streams and events: a stream is (device, handle) -------------------------------------------------

cuda::Stream stream_of(PyObject* tuple) {
  int device;
  unsigned long long handle;
  if (!PyArg_ParseTuple(tuple, "iK", &device, &handle)) throw PythonError{};
  return {device, reinterpret_cast<cuda::StreamHandle>(handle)};
}
PyObject* wrap_stream(cuda::Stream s) { return Py_BuildValue("(iK)", s.device, reinterpret_cast<unsigned long long>(s.handle)); }

PyObject* new_stream(PyObject*, PyObject* args) {
  PyObject* device;
  int priority;
  if (!PyArg_ParseTuple(args, "Oi", &device, &priority)) return nullptr;
  return guard([&] { return wrap_stream(cuda::new_stream(device_arg(device), priority)); });
}
PyObject* current_stream(PyObject*, PyObject* o) {
  return guard([&] { return cuda::require(), wrap_stream(cuda::current_stream(device_arg(o))); });
}
PyObject* set_stream(PyObject*, PyObject* s) {
  return guard([&] { return cuda::set_stream(stream_of(s)), none(); });
}
PyObject* stream_synchronize(PyObject*, PyObject* s) {
  return guard([&] {
    const cuda::Stream stream = stream_of(s);
    cuda::count_synchronization();
    without_gil([&] { cuda::synchronize(stream); });
    return none();
  });
}
PyObject* stream_query(PyObject*, PyObject* s) {
  return guard([&] { return PyBool_FromLong(cuda::finished(stream_of(s))); });
}

constexpr const char* kEvent = "bolide.cuda.event";
cuda::Event& event_of(PyObject* o) {
  auto* e = static_cast<cuda::Event*>(PyCapsule_GetPointer(o, kEvent));
  if (!e) throw PythonError{};
  return *e;
}
PyObject* new_event(PyObject*, PyObject* args) {
  int timing, blocking;
  if (!PyArg_ParseTuple(args, "pp", &timing, &blocking)) return nullptr;
  return PyCapsule_New(new cuda::Event(timing, blocking), kEvent,
                       [](PyObject* o) { delete static_cast<cuda::Event*>(PyCapsule_GetPointer(o, kEvent)); });
}
PyObject* event_record(PyObject*, PyObject* args) {
  PyObject *e, *s;
  if (!PyArg_ParseTuple(args, "OO", &e, &s)) return nullptr;
  return guard([&] { return event_of(e).record(stream_of(s)), none(); });
}
PyObject* event_wait(PyObject*, PyObject* args) {
  PyObject *e, *s;
  if (!PyArg_ParseTuple(args, "OO", &e, &s)) return nullptr;
  return guard([&] { return event_of(e).wait(stream_of(s)), none(); });
}
PyObject* event_query(PyObject*, PyObject* e) {
  return guard([&] { return PyBool_FromLong(event_of(e).finished()); });
}
PyObject* event_synchronize(PyObject*, PyObject* e) {
  return guard([&] {
    cuda::Event& event = event_of(e);
    cuda::count_synchronization();
    without_gil([&] { event.synchronize(); });
    cuda::check_faults();
    return none();
  });
}
PyObject* event_elapsed(PyObject*, PyObject* args) {
  PyObject *a, *b;
  if (!PyArg_ParseTuple(args, "OO", &a, &b)) return nullptr;
  return guard([&] { return PyFloat_FromDouble(event_of(a).elapsed(event_of(b))); });
}

// ---- graphs --------------------------------------------------------------------------------------------

constexpr const char* kGraph = "bolide.cuda.graph";
cuda::CapturedGraph& graph_of(PyObject* o) {
  auto* g = static_cast<cuda::CapturedGraph*>(PyCapsule_GetPointer(o, kGraph));
  if (!g) throw PythonError{};
  return *g;
}
PyObject* new_graph(PyObject*, PyObject*) {
  return PyCapsule_New(new cuda::CapturedGraph, kGraph,
                       [](PyObject* o) { delete static_cast<cuda::CapturedGraph*>(PyCapsule_GetPointer(o, kGraph)); });
}
PyObject* graph_begin(PyObject*, PyObject* args) {
  PyObject* g;
  unsigned long long pool;
  if (!PyArg_ParseTuple(args, "OK", &g, &pool)) return nullptr;
  return guard([&] { return graph_of(g).begin(pool), none(); });
}
PyObject* graph_end(PyObject*, PyObject* g) {
  return guard([&] { return graph_of(g).end(), none(); });
}
PyObject* graph_replay(PyObject*, PyObject* g) {
  return guard([&] { return graph_of(g).replay(), none(); });
}
PyObject* graph_reset(PyObject*, PyObject* g) {
  return guard([&] { return graph_of(g).reset(), none(); });
}
PyObject* graph_pool(PyObject*, PyObject* g) {
  return guard([&] { return PyLong_FromUnsignedLongLong(graph_of(g).pool()); });
}
PyObject* new_pool(PyObject*, PyObject*) { return PyLong_FromUnsignedLongLong(cuda::new_pool()); }
PyObject* is_capturing(PyObject*, PyObject*) {
  return guard([] { return PyBool_FromLong(cuda::available() && cuda::capturing(cuda::current_stream())); });
}

// ---- random state ----------------------------------------------------------------------------------------

PyObject* manual_seed(PyObject*, PyObject* args) {
  int device;
  PyObject* seed;
  if (!PyArg_ParseTuple(args, "iO", &device, &seed)) return nullptr;
  const unsigned long long s = PyLong_AsUnsignedLongLongMask(seed);
  if (PyErr_Occurred()) return nullptr;
  return guard([&] { return cuda::generator(device).manual_seed(s), none(); });
}
PyObject* initial_seed(PyObject*, PyObject* o) {
  return guard([&] { return PyLong_FromUnsignedLongLong(cuda::generator(device_arg(o)).initial_seed()); });
}
PyObject* get_rng_state(PyObject*, PyObject* o) {
  return guard([&] {
    Tensor t = empty({static_cast<int64_t>(cuda::PhiloxGenerator::kStateBytes)}, DType::UInt8);
    cuda::generator(device_arg(o)).get_state(t.data<uint8_t>());
    return wrap(t);
  });
}
PyObject* set_rng_state(PyObject*, PyObject* args) {
  PyObject *state, *device;
  if (!PyArg_ParseTuple(args, "OO", &state, &device)) return nullptr;
  return guard([&] {
    BOLIDE_CHECK_AS(TypeError, is_tensor(state) && unwrap(state).dtype() == DType::UInt8, "RNG state must be a torch.ByteTensor");
    const Tensor t = unwrap(state).contiguous();
    cuda::generator(device_arg(device)).set_state(t.data<uint8_t>(), static_cast<size_t>(t.numel()));
    return none();
  });
}

PyMethodDef methods[] = {
    {"is_available", is_available, METH_NOARGS, nullptr}, {"device_count", device_count, METH_NOARGS, nullptr},
    {"why", why, METH_NOARGS, nullptr}, {"require", require, METH_NOARGS, nullptr},
    {"current_device", current_device, METH_NOARGS, nullptr}, {"set_device", set_device, METH_O, nullptr},
    {"properties", properties, METH_O, nullptr}, {"can_access_peer", can_access_peer, METH_VARARGS, nullptr},
    {"synchronize", synchronize, METH_O, nullptr}, {"add_package_folder", add_package_folder, METH_O, nullptr},
    {"driver_version", driver_version, METH_NOARGS, nullptr}, {"launch_stats", launch_stats, METH_NOARGS, nullptr},
    {"asked_kernels", asked_kernels, METH_NOARGS, nullptr}, {"memory_stats", memory_stats, METH_O, nullptr},
    {"reset_peak", reset_peak, METH_O, nullptr}, {"empty_cache", empty_cache, METH_NOARGS, nullptr},
    {"memory_info", memory_info, METH_O, nullptr}, {"largest_blocks", largest_blocks, METH_O, nullptr},
    {"memory_fraction", memory_fraction, METH_VARARGS, nullptr}, {"pin", pin, METH_O, nullptr},
    {"is_pinned", is_pinned, METH_O, nullptr}, {"record_stream", record_stream, METH_VARARGS, nullptr},
    {"new_stream", new_stream, METH_VARARGS, nullptr}, {"current_stream", current_stream, METH_O, nullptr},
    {"set_stream", set_stream, METH_O, nullptr}, {"stream_synchronize", stream_synchronize, METH_O, nullptr},
    {"stream_query", stream_query, METH_O, nullptr}, {"new_event", new_event, METH_VARARGS, nullptr},
    {"event_record", event_record, METH_VARARGS, nullptr}, {"event_wait", event_wait, METH_VARARGS, nullptr},
    {"event_query", event_query, METH_O, nullptr}, {"event_synchronize", event_synchronize, METH_O, nullptr},
    {"event_elapsed", event_elapsed, METH_VARARGS, nullptr}, {"new_graph", new_graph, METH_NOARGS, nullptr},
    {"graph_begin", graph_begin, METH_VARARGS, nullptr}, {"graph_end", graph_end, METH_O, nullptr},
    {"graph_replay", graph_replay, METH_O, nullptr}, {"graph_reset", graph_reset, METH_O, nullptr},
    {"graph_pool", graph_pool, METH_O, nullptr}, {"new_pool", new_pool, METH_NOARGS, nullptr},
    {"is_capturing", is_capturing, METH_NOARGS, nullptr}, {"manual_seed", manual_seed, METH_VARARGS, nullptr},
    {"initial_seed", initial_seed, METH_O, nullptr}, {"get_rng_state", get_rng_state, METH_O, nullptr},
    {"set_rng_state", set_rng_state, METH_VARARGS, nullptr}, {}};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "bolide._C._cuda", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

void init_cuda(PyObject* m) {
  Object sub(check(PyModule_Create(&definition)));
  check(PyModule_AddObjectRef(m, "_cuda", sub.get()));
}

}  // namespace bolide::python
