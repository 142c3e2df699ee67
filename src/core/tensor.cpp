// Storage and TensorImpl: allocation, views, geometry.
#include "bolide/tensor.h"

#include "autograd/meta.h"
#include "core/allocator.h"
#include "core/device.h"
#include "core/registry.h"
#include "core/spares.h"

namespace bolide {

DeviceHooks g_device_hooks[3] = {{nullptr, nullptr, [](void* to, const void* from, size_t n, int) { std::memcpy(to, from, n); }, nullptr}, {}, {}};

Device resolve(Device d) {
  if (d.is_cuda() && d.index < 0) d.index = static_cast<int8_t>(g_device_hooks[static_cast<int>(d.type)].current());
  return d;
}

namespace {
void* allocate_on(Device d, size_t bytes) {
  if (d.is_meta() || !bytes) return nullptr;
  return d.is_cpu() ? bolide::allocate(bytes) : g_device_hooks[static_cast<int>(d.type)].allocate(bytes, d.index);
}
void release_on(Device d, void* p, size_t bytes) {
  if (d.is_cpu()) deallocate(p, bytes);
  else g_device_hooks[static_cast<int>(d.type)].release(p, bytes, d.index);
}
}  // namespace

// ---- memory of the objects themselves ----------------------------------------------------------

BOLIDE_SPARES(TensorImpl)
BOLIDE_SPARES(Storage)

// ---- storages ----------------------------------------------------------------------------------

Ref<Storage> Storage::allocate(size_t bytes, Device device) {
  auto* s = new Storage;
  Ref<Storage> r(s);
  s->device = resolve(device);
  s->bytes = bytes;
  s->data = allocate_on(s->device, bytes);
  return r;
}
Ref<Storage> Storage::borrow(void* data, size_t bytes, Device device, void (*deleter)(void*), void* context) {
  auto* s = new Storage;
  s->data = data, s->bytes = bytes, s->device = device;
  s->deleter = deleter ? deleter : [](void*) {};
  s->context = context;
  s->resizable = false;
  return Ref<Storage>(s);
}
void Storage::destroy(Storage* s) {
  if (s->deleter) s->deleter(s->context);
  else if (s->data) release_on(s->device, s->data, s->bytes);
  delete s;
}
void Storage::resize(size_t n) {
  if (n == bytes) return;
  BOLIDE_CHECK(resizable, "Trying to resize storage that is not resizable");
  void* p = allocate_on(device, n);
  if (p && data) g_device_hooks[static_cast<int>(device.type)].move(p, data, std::min(n, bytes), device.index);
  if (data) release_on(device, data, bytes);
  data = p;
  bytes = n;
}

void (*release_python)(TensorImpl*) = nullptr;

void TensorImpl::destroy(TensorImpl* t) {
  if (t->python && release_python) release_python(t);
  if (t->autograd) delete_meta(t);
  delete t;
}

void TensorImpl::refresh() {
  int64_t n = 1, expect = 1;
  bool dense = true;
  for (size_t i = sizes.size(); i-- > 0;) {
    n *= sizes[i];
    if (sizes[i] != 1) {
      dense &= strides[i] == expect;
      expect *= sizes[i];
    }
  }
  numel = n;
  flags = static_cast<uint16_t>((flags & ~kContiguous) | (dense || n == 0 ? kContiguous : 0));
}

static uint16_t inference_flag() { return state().inference ? TensorImpl::kInference : 0; }

/// Product of the sizes; row-major strides are written on the way. Cold where something is wrong.
static int64_t lay_out(IntList sizes, int64_t* strides) {
  int64_t n = 1, step = 1;
  bool bad = false;
  for (size_t i = sizes.size(); i-- > 0;) {
    const int64_t s = sizes[i];
    strides[i] = step;
    bad |= s < 0 || __builtin_mul_overflow(n, s, &n) || __builtin_mul_overflow(step, std::max<int64_t>(s, 1), &step);
  }
  return bad ? checked_numel(sizes) : n;
}

Tensor Tensor::make(IntList sizes, DType dtype, Device device) {
  Tensor t(new TensorImpl);
  TensorImpl& i = *t.p_;
  i.sizes.assign(sizes);
  i.strides.resize_uninitialized(sizes.size());
  const int64_t n = lay_out(sizes, i.strides.data());
  int64_t bytes;
  BOLIDE_CHECK(!__builtin_mul_overflow(n, item_size(dtype), &bytes), "Storage size calculation overflowed with sizes=", sizes);
  i.storage = Storage::allocate(static_cast<size_t>(bytes), device);
  i.dtype = dtype;
  i.device = i.storage->device;
  i.numel = n;
  i.flags = static_cast<uint16_t>(TensorImpl::kContiguous | inference_flag());
  return t;
}

Tensor Tensor::make_strided(IntList sizes, IntList strides, DType dtype, Device device) {
  const int64_t n = checked_numel(sizes);
  int64_t span = n ? 1 : 0;
  for (size_t d = 0; n && d < sizes.size(); ++d) {
    int64_t reach;
    BOLIDE_CHECK(strides[d] >= 0, "negative strides are not supported: ", strides);
    BOLIDE_CHECK(!__builtin_mul_overflow(sizes[d] - 1, strides[d], &reach) && !__builtin_add_overflow(span, reach, &span) &&
                     span < INT64_MAX / 16, "Storage size calculation overflowed with sizes=", sizes, " and strides=", strides);
  }
  Tensor t(new TensorImpl);
  TensorImpl& i = *t.p_;
  i.storage = Storage::allocate(static_cast<size_t>(span * item_size(dtype)), device);
  i.dtype = dtype;
  i.device = i.storage->device;
  i.sizes.assign(sizes);
  i.strides.assign(strides);
  i.flags = inference_flag();
  i.refresh();
  return t;
}

Tensor Tensor::view_as_layout(IntList sizes, IntList strides, int64_t offset) const {
  Tensor t(new TensorImpl);
  TensorImpl& i = *t.p_;
  i.storage = p_->storage;
  i.dtype = p_->dtype;
  i.device = p_->device;
  i.sizes.assign(sizes);
  i.strides.assign(strides);
  i.offset = offset;
  i.flags = static_cast<uint16_t>((p_->flags & (TensorImpl::kInference | TensorImpl::kUntracked | TensorImpl::kViewOrigin)) |
                                  TensorImpl::kIsView);
  if (!state().grad) i.flags |= state().inference ? TensorImpl::kInferenceView : TensorImpl::kNoGradView;
  i.refresh();
  i.base = p_->base ? p_->base : p_;
  i.view_version = version();
  return t;
}

Tensor Tensor::alias(bool tracked) const {
  Tensor t(new TensorImpl);
  TensorImpl& i = *t.p_;
  i.storage = p_->storage;
  i.dtype = p_->dtype;
  i.device = p_->device;
  i.sizes = p_->sizes;
  i.strides = p_->strides;
  i.numel = p_->numel;
  i.offset = p_->offset;
  i.flags = p_->flags & (TensorImpl::kInference | TensorImpl::kUntracked | TensorImpl::kContiguous);
  if (!tracked) i.flags |= TensorImpl::kUntracked;
  return t;
}

void Tensor::set_data(const Tensor& t) const {
  TensorImpl& i = *p_;
  const TensorImpl& n = *t.p_;
  i.storage = n.storage, i.sizes = n.sizes, i.strides = n.strides, i.offset = n.offset;
  i.dtype = n.dtype, i.device = n.device;
  i.refresh();
}

int64_t Tensor::size(int64_t d) const { return p_->sizes[static_cast<size_t>(wrap_dim(d, dim()))]; }
int64_t Tensor::stride(int64_t d) const { return p_->strides[static_cast<size_t>(wrap_dim(d, dim()))]; }

bool Tensor::is_contiguous(MemoryFormat f) const {
  if (f == MemoryFormat::Contiguous || f == MemoryFormat::Preserve) return is_contiguous();
  if (dim() != (f == MemoryFormat::ChannelsLast ? 4 : 5)) return false;
  const Dims want = format_strides(sizes(), f);
  for (size_t i = 0; i < want.size(); ++i)
    if (sizes()[i] != 1 && strides()[i] != want[i]) return numel() == 0;
  return true;
}

}  // namespace bolide
