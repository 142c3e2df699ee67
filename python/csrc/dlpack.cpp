// Tensors exchanged with other libraries through DLPack capsules, without copies. Map: the protocol's structures | types and
// devices | export | import.
#include "python.h"

namespace bolide::python {

namespace {

// ---- the protocol's structures -------------------------------------------------------------------
// DLPack 1.x, https://dmlc.github.io/dlpack: what crosses the boundary, byte for byte.

enum DlDeviceType : int32_t { kDlCpu = 1, kDlCuda = 2, kDlCudaHost = 3, kDlCudaManaged = 13 };
enum DlCode : uint8_t { kDlInt = 0, kDlUInt = 1, kDlFloat = 2, kDlBfloat = 4, kDlComplex = 5, kDlBool = 6, kDlFloat8_e4m3fn = 10,
                        kDlFloat8_e4m3fnuz = 11, kDlFloat8_e5m2 = 12, kDlFloat8_e5m2fnuz = 13, kDlFloat8_e8m0fnu = 14 };
struct DlDevice {
  DlDeviceType type;
  int32_t index;
};
struct DlType {
  uint8_t code, bits;
  uint16_t lanes;
  bool operator==(const DlType&) const = default;
};
struct DlTensor {
  void* data;
  DlDevice device;
  int32_t ndim;
  DlType dtype;
  int64_t *shape, *strides;
  uint64_t byte_offset;
};
struct DlManaged {
  DlTensor tensor;
  void* context;
  void (*deleter)(DlManaged*);
  static constexpr const char *kName = "dltensor", *kUsed = "used_dltensor";
};
struct DlVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(DlVersioned*);
  uint64_t flags;
  DlTensor tensor;
  static constexpr const char *kName = "dltensor_versioned", *kUsed = "used_dltensor_versioned";
  static constexpr uint64_t kReadOnly = 1;
};

// ---- types and devices ---------------------------------------------------------------------------

/// BufferError is the protocol's word for a tensor that cannot be exchanged.
template <class... A>
[[noreturn, gnu::cold]] void fail_exchange(const A&... parts) {
  PyErr_SetString(PyExc_BufferError, str(parts...).c_str());
  throw PythonError{};
}

struct TypeRow {
  DType dtype;
  DlType dl;
};
constexpr TypeRow kTypes[] = {
    {DType::UInt8, {kDlUInt, 8, 1}}, {DType::Int8, {kDlInt, 8, 1}}, {DType::Int16, {kDlInt, 16, 1}}, {DType::Int32, {kDlInt, 32, 1}},
    {DType::Int64, {kDlInt, 64, 1}}, {DType::UInt16, {kDlUInt, 16, 1}}, {DType::UInt32, {kDlUInt, 32, 1}}, {DType::UInt64, {kDlUInt, 64, 1}},
    {DType::Float16, {kDlFloat, 16, 1}}, {DType::Float32, {kDlFloat, 32, 1}}, {DType::Float64, {kDlFloat, 64, 1}},
    {DType::BFloat16, {kDlBfloat, 16, 1}}, {DType::Complex32, {kDlComplex, 32, 1}}, {DType::Complex64, {kDlComplex, 64, 1}},
    {DType::Complex128, {kDlComplex, 128, 1}}, {DType::Bool, {kDlBool, 8, 1}}, {DType::Float8_e4m3fn, {kDlFloat8_e4m3fn, 8, 1}},
    {DType::Float8_e4m3fnuz, {kDlFloat8_e4m3fnuz, 8, 1}}, {DType::Float8_e5m2, {kDlFloat8_e5m2, 8, 1}},
    {DType::Float8_e5m2fnuz, {kDlFloat8_e5m2fnuz, 8, 1}}, {DType::Float8_e8m0fnu, {kDlFloat8_e8m0fnu, 8, 1}}};

DlType dl_type(DType t) {
  for (const TypeRow& r : kTypes)
    if (r.dtype == t) return r.dl;
  fail_exchange("DLPack has no type for ", name(t));
}
DType type_of(DlType t) {
  if (t.lanes != 1) fail_exchange("from_dlpack does not support lanes != 1, got ", t.lanes);
  for (const TypeRow& r : kTypes)
    if (r.dl == t) return r.dtype;
  fail_exchange("from_dlpack: unsupported type of code ", int{t.code}, " with ", int{t.bits}, " bits");
}
DlDevice dl_device(Device d) {
  if (d.is_cpu()) return {kDlCpu, 0};
  if (!d.is_cuda()) fail_exchange("Cannot pack tensors on ", d);
  return {kDlCuda, std::max<int32_t>(d.index, 0)};
}
Device device_from(DlDevice d) {
  if (d.type == kDlCpu || d.type == kDlCudaHost) return Device();
  if (!(d.type == kDlCuda || d.type == kDlCudaManaged)) fail_exchange("from_dlpack: unsupported device type ", int{d.type});
  return Device(DeviceType::CUDA, static_cast<int8_t>(d.index));
}

// ---- export --------------------------------------------------------------------------------------

/// The structure, its shape and strides, and the tensor it keeps alive, in one block.
template <class Managed>
struct Package {
  Managed managed;
  Tensor tensor;
  Dims shape, strides;
};
template <class Managed>
void release(Managed* m) {
  delete static_cast<Package<Managed>*>(m->context);
}
template <class Managed>
void drop_capsule(PyObject* capsule) {  // of a capsule that nobody used
  if (!PyCapsule_IsValid(capsule, Managed::kName)) return;
  auto* m = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::kName));
  if (m->deleter) m->deleter(m);
}
template <class Managed>
PyObject* pack(const Tensor& t) {
  const DlType type = dl_type(t.dtype());
  const DlDevice device = dl_device(t.device());
  auto p = std::make_unique<Package<Managed>>();
  p->tensor = t, p->shape = t.sizes(), p->strides = t.strides();
  p->managed.tensor = {t.numel() ? t.raw() : nullptr, device, static_cast<int32_t>(t.dim()), type, p->shape.data(), p->strides.data(), 0};
  p->managed.context = p.get();
  p->managed.deleter = &release<Managed>;
  if constexpr (std::is_same_v<Managed, DlVersioned>) p->managed.major = 1, p->managed.minor = 0, p->managed.flags = 0;
  PyObject* capsule = check(PyCapsule_New(&p->managed, Managed::kName, &drop_capsule<Managed>));
  p.release();
  return capsule;
}
PyObject* to_dlpack(PyObject*, PyObject* args) {
  return guard([&]() -> PyObject* {
    PyObject* t;
    int versioned = 0;
    if (!PyArg_ParseTuple(args, "O|p:to_dlpack", &t, &versioned)) return nullptr;
    BOLIDE_CHECK_AS(TypeError, is_tensor(t), "to_dlpack(): argument 'tensor' must be Tensor, not ", type_name(t));
    return versioned ? pack<DlVersioned>(unwrap(t)) : pack<DlManaged>(unwrap(t));
  });
}

// ---- import --------------------------------------------------------------------------------------

template <class Managed>
void release_import(void* context) {
  const PyGILState_STATE gil = PyGILState_Ensure();  // the owner may be Python's
  auto* m = static_cast<Managed*>(context);
  if (m->deleter) m->deleter(m);
  PyGILState_Release(gil);
}
/// Bytes from the first element to behind the last one.
int64_t span_of(const Dims& sizes, const Dims& strides, int64_t item) {
  int64_t last = 0;
  for (size_t d = 0; d < sizes.size(); ++d) {
    BOLIDE_CHECK(sizes[d] >= 0, "from_dlpack: negative size ", sizes[d], " of dimension ", d);
    BOLIDE_CHECK(strides[d] >= 0 || sizes[d] < 2, "from_dlpack: negative strides are not supported, got ", strides[d], " in dimension ", d);
    if (sizes[d] == 0) return 0;
    int64_t step;
    BOLIDE_CHECK(!__builtin_mul_overflow(sizes[d] - 1, std::max<int64_t>(strides[d], 0), &step) && !__builtin_add_overflow(last, step, &last),
                 "from_dlpack: sizes and strides overflow");
  }
  return (last + 1) * item;
}
template <class Managed>
Tensor unpack(PyObject* capsule, bool& read_only) {
  auto* m = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::kName));
  if constexpr (std::is_same_v<Managed, DlVersioned>) {
    if (m->major != 1) fail_exchange("from_dlpack: unsupported version ", m->major, ".", m->minor, " of DLPack, expected 1.x");
    read_only = m->flags & DlVersioned::kReadOnly;
  }
  const DlTensor& dl = m->tensor;
  const DType dtype = type_of(dl.dtype);
  const Device device = device_from(dl.device);
  BOLIDE_CHECK(dl.ndim >= 0 && dl.ndim <= 64, "from_dlpack: ", dl.ndim, " dimensions are not supported");
  Dims sizes, strides;
  for (int d = 0; d < dl.ndim; ++d) sizes.push_back(dl.shape[d]);
  strides.resize(sizes.size());
  int64_t step = 1;
  for (size_t d = sizes.size(); d-- > 0; step *= std::max<int64_t>(sizes[d], 1)) strides[d] = dl.strides ? dl.strides[d] : step;
  const int64_t bytes = span_of(sizes, strides, item_size(dtype));
  Tensor t(new TensorImpl);
  t->storage = Storage::borrow(static_cast<char*>(dl.data) + dl.byte_offset, static_cast<size_t>(bytes), device, &release_import<Managed>, m);
  PyCapsule_SetName(capsule, Managed::kUsed);
  t->dtype = dtype;
  t->sizes = sizes, t->strides = strides;
  t->refresh();
  return t;
}
PyObject* from_dlpack(PyObject*, PyObject* capsule) {
  return guard([&]() -> PyObject* {
    bool read_only = false;
    if (PyCapsule_IsValid(capsule, DlManaged::kName)) return wrap(unpack<DlManaged>(capsule, read_only));
    BOLIDE_CHECK(PyCapsule_IsValid(capsule, DlVersioned::kName), "from_dlpack received an invalid capsule. Note that DLTensor capsules can be "
                 "consumed only once, so you might have already constructed a tensor from it once.");
    Tensor t = unpack<DlVersioned>(capsule, read_only);
    if (read_only) warn_read_only("DLPack object");
    return wrap(std::move(t));
  });
}

PyMethodDef functions[] = {
    {"_to_dlpack", to_dlpack, METH_VARARGS, "_to_dlpack(tensor, versioned=False): a capsule on the tensor's memory."},
    {"_from_dlpack", from_dlpack, METH_O, "_from_dlpack(capsule): a tensor on the capsule's memory; a capsule serves once."}, {}};

}  // namespace

void init_dlpack(PyObject* m) { check(PyModule_AddFunctions(m, functions)); }

}  // namespace bolide::python
