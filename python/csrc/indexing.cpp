// Python indexing. Map: what an item is | views of ints, slices, None and Ellipsis, at once | general keys | reading |
// writing.
//
// Ints, slices, None and Ellipsis make views; bools, masks, sequences and integer tensors are left to the ops index and
// index_put_. PyTorch's rules and words throughout.
#include "python.h"

namespace bolide::python {

namespace {

// ---- what an item is ---------------------------------------------------------------------------

bool is_int(PyObject* o) { return PyLong_Check(o) && !PyBool_Check(o); }
bool is_view_item(PyObject* o) { return is_int(o) || PySlice_Check(o) || o == Py_None || o == Py_Ellipsis; }
/// NumPy's integers and other objects with __index__, but no arrays.
bool is_other_int(PyObject* o) { return !PyBool_Check(o) && !is_tensor(o) && PyIndex_Check(o) && !PySequence_Check(o); }
bool is_array(PyObject* o) { return PyObject_CheckBuffer(o) && PyObject_HasAttrString(o, "__array_interface__"); }

/// A list that holds sequences, slices, tensors, None or Ellipsis stands for a tuple, as it did in NumPy.
bool stands_for_tuple(PyObject* key) {
  if (PyTuple_Check(key)) return true;
  if (is_tensor(key) || !PySequence_Check(key) || is_array(key)) return false;
  const Py_ssize_t n = PySequence_Size(key);
  if (n < 0) PyErr_Clear();
  if (n < 0 || n >= 32) return false;
  for (Py_ssize_t i = 0; i < n; ++i) {
    Object item(PySequence_GetItem(key, i));
    if (!item) {
      PyErr_Clear();
      return false;
    }
    PyObject* o = item.get();
    if (is_tensor(o) || PySequence_Check(o) || PySlice_Check(o) || o == Py_None || o == Py_Ellipsis) return true;
  }
  return false;
}

int64_t int_of(PyObject* o) {
  Object whole(check(PyNumber_Index(o)));
  int overflow = 0;
  const long long v = PyLong_AsLongLongAndOverflow(whole.get(), &overflow);
  BOLIDE_CHECK_AS(ValueError, !overflow, "Overflow when unpacking long long");
  if (v == -1 && PyErr_Occurred()) throw PythonError{};
  return v;
}
struct Range {
  Py_ssize_t start, stop, step;
  explicit Range(PyObject* o) {
    check(PySlice_Unpack(o, &start, &stop, &step));
    BOLIDE_CHECK_AS(ValueError, step > 0, "step must be greater than zero");
  }
};

void check_int(int64_t i, int64_t dim, int64_t n) {
  BOLIDE_CHECK_AS(IndexError, i >= -n && i < n, "index ", i, " is out of bounds for dimension ", dim, " with size ", n);
}
void check_not_scalar(const Tensor& t) {
  BOLIDE_CHECK_AS(IndexError, t.dim() > 0, "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert "
                  "a 0-dim tensor to a number");
}
void check_count(int64_t used, const Tensor& t) {
  BOLIDE_CHECK_AS(IndexError, used <= t.dim(), "too many indices for tensor of dimension ", t.dim());
}

// ---- views at once -------------------------------------------------------------------------------

/// Whether a view of `t` may be made without its op: nothing is recorded and no mode looks.
bool unwatched(const Tensor& t) { return state().modes == 0 && !(state().grad && t.requires_grad()); }

/// The view that some view items make, as one layout.
Tensor view_of(const Tensor& t, PyObject* const* items, size_t n) {
  int64_t used = 0;
  for (size_t i = 0; i < n; ++i) used += items[i] != Py_None && items[i] != Py_Ellipsis;
  check_count(used, t);
  Dims sizes, strides;
  int64_t offset = t.storage_offset();
  size_t d = 0;
  auto keep = [&] { sizes.push_back(t.sizes()[d]), strides.push_back(t.strides()[d]), ++d; };
  for (size_t i = 0; i < n; ++i) {
    PyObject* o = items[i];
    if (is_int(o)) {
      const int64_t v = int_of(o), size = t.sizes()[d];
      check_int(v, static_cast<int64_t>(sizes.size()), size);
      offset += (v < 0 ? v + size : v) * t.strides()[d++];
    } else if (o == Py_None) {
      sizes.push_back(1), strides.push_back(d < t.sizes().size() ? t.sizes()[d] * t.strides()[d] : 1);
    } else if (o == Py_Ellipsis) {
      for (int64_t k = t.dim() - used; k > 0; --k) keep();
    } else {
      const Range r(o);
      const int64_t size = t.sizes()[d];
      auto clip = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + size : v, 0, size); };
      const int64_t b = clip(r.start), e = std::max(b, clip(r.stop));
      sizes.push_back(r.step == 1 ? e - b : (e - b) / r.step + ((e - b) % r.step != 0));
      strides.push_back(t.strides()[d] * (r.step > size ? std::max<int64_t>(size, 1) : r.step));
      offset += b * t.strides()[d++];
    }
  }
  while (d < t.sizes().size()) keep();
  return t.view_as_layout(sizes, strides, offset);
}

// ---- general keys ----------------------------------------------------------------------------------

/// Takes the items of a key one by one: `view` is what the view items make of the tensor, `gather` what is left to index
/// it with, one entry for each of its dimensions (masks take as many as they have).
class Taker {
 public:
  Taker(const Tensor& t, PyObject* key);
  Tensor view;
  std::vector<Tensor> gather;

 private:
  void read(PyObject* key);
  void take(PyObject* o);
  void take_tensor(const Tensor& i);
  void look_up(Tensor index, int64_t dims);
  void look_up_bool(const Tensor& flag);

  std::vector<Object> items_;
  const Tensor& self_;
  int64_t used_ = 0;  // dimensions of self that the items use
  int64_t dim_ = 0;   // the next dimension of view
  size_t slot_ = 0;   // and its entry in gather
};

/// Sequences become tensors of bool, uint8 or int64.
Tensor index_from(PyObject* o) {
  const Tensor t = tensor_from(o, {}, {});
  return t.dtype() == DType::Bool || t.dtype() == DType::UInt8 ? t : t.to(DType::Int64);
}
bool is_mask(const Tensor& t) { return t.dtype() == DType::Bool || t.dtype() == DType::UInt8; }

Taker::Taker(const Tensor& t, PyObject* key) : view(t), self_(t) {
  read(key);
  check_count(used_, t);
  for (const Object& o : items_) take(o.get());
}

void Taker::read(PyObject* key) {
  if (stands_for_tuple(key)) {
    Object tuple(check(PySequence_Tuple(key)));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple.get()); ++i) items_.push_back(Object::borrow(PyTuple_GET_ITEM(tuple.get(), i)));
  } else {
    items_.push_back(Object::borrow(key));
  }
  for (Object& item : items_) {
    PyObject* o = item.get();
    if (!is_tensor(o) && PySequence_Check(o)) item = Object(wrap(index_from(o)));
    if (is_tensor(item.get())) {
      const Tensor& i = unwrap(item.get());
      used_ += is_mask(i) ? i.dim() : 1;
    } else {
      used_ += o != Py_None && o != Py_Ellipsis && !PyBool_Check(o);
    }
  }
}

void Taker::take(PyObject* o) {
  if (o == Py_None) {
    view = unsqueeze(view, dim_++), ++slot_;
  } else if (o == Py_Ellipsis) {
    dim_ += self_.dim() - used_, slot_ += static_cast<size_t>(self_.dim() - used_);
  } else if (PyBool_Check(o)) {
    look_up_bool(full({}, o == Py_True, DType::Bool, view.device()));
  } else if (PySlice_Check(o)) {
    BOLIDE_CHECK_AS(IndexError, view.dim() > 0, "slice() cannot be applied to a 0-dim tensor.");
    const Range r(o);
    if (r.start != 0 || r.stop != PY_SSIZE_T_MAX || r.step != 1) view = slice(view, dim_, r.start, r.stop, r.step);
    ++dim_, ++slot_;
  } else if (is_tensor(o)) {
    take_tensor(unwrap(o));
  } else if (is_int(o) || is_other_int(o)) {
    const int64_t i = int_of(o);
    check_int(i, dim_, view.size(dim_));
    view = select(view, dim_, i);
  } else {
    fail<IndexError>("only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got ",
                     Py_TYPE(o)->tp_name, ")");
  }
}

void Taker::take_tensor(const Tensor& i) {
  if (i.dim() == 0 && is_mask(i)) return look_up_bool(i);
  if (i.dim() == 0 && is_integral(i.dtype())) {
    const int64_t v = i.item<int64_t>();
    check_int(v, dim_, view.size(dim_));
    view = select(view, dim_, v);
    return;
  }
  look_up(i, is_mask(i) ? i.dim() : 1);
}
void Taker::look_up(Tensor index, int64_t dims) {
  gather.resize(slot_);
  gather.push_back(index.device() == view.device() ? std::move(index) : index.to(view.device()));
  ++slot_, dim_ += dims;
}
/// A single truth value: a new dimension of one element or none.
void Taker::look_up_bool(const Tensor& flag) {
  view = unsqueeze(view, dim_);
  look_up(reshape(flag, {1}), 1);
}

/// A view of the whole, as x[...] gives.
Tensor whole(const Tensor& t) { return t.dim() ? slice(t, 0, {}, {}, 1) : view(t, {}); }

/// The view items of a key that has nothing else, when the view may be made at once.
bool only_view_items(PyObject* key, PyObject* const*& items, size_t& n) {
  static constexpr size_t kMost = 64;
  if (PyTuple_CheckExact(key)) {
    items = reinterpret_cast<PyTupleObject*>(key)->ob_item;
    n = static_cast<size_t>(PyTuple_GET_SIZE(key));
    size_t ellipses = 0;
    for (size_t i = 0; i < n; ++i) {
      if (!is_view_item(items[i])) return false;
      ellipses += items[i] == Py_Ellipsis;
    }
    return n <= kMost && ellipses <= 1;
  }
  return is_view_item(key);
}

/// The view that `key` makes of t, or an undefined tensor where it asks for more than a view.
Tensor simple_view(const Tensor& t, PyObject* const& key) {
  PyObject* const* items = &key;
  size_t n = 1;
  if (!only_view_items(key, items, n) || !unwatched(t)) return {};
  if (items == &key && t.dim() == 0) {
    if (is_int(key)) check_not_scalar(t);
    BOLIDE_CHECK_AS(IndexError, !PySlice_Check(key), "slice() cannot be applied to a 0-dim tensor.");
  }
  return view_of(t, items, n);
}

/// t[key] as a view, or with what is left to gather by.
Tensor take(const Tensor& t, PyObject* key, std::vector<Tensor>& gather) {
  if (Tensor v = simple_view(t, key); v.defined()) return v;
  if (is_int(key) || is_other_int(key)) check_not_scalar(t);
  Taker taker(t, key);
  gather = std::move(taker.gather);
  return taker.view.is_same(t) && gather.empty() ? whole(t) : taker.view;
}

// ---- writing -----------------------------------------------------------------------------------

/// src without its leading dimensions of one.
Tensor without_leading_ones(const Tensor& src) {
  size_t n = 0;
  while (n < src.sizes().size() && src.sizes()[n] == 1) ++n;
  return n ? reshape(src, IntList(src.sizes().data() + n, src.sizes().size() - n)) : src;
}
void write(const Tensor& dst, const Tensor& src) {
  if (dst.sizes() == src.sizes()) copy_(dst, src);
  else copy_(dst, src.dim() == 0 ? src : expand(without_leading_ones(src), dst.sizes()));
}
void write_number(const Tensor& dst, const Scalar& v) {
  BOLIDE_CHECK(!v.is_complex() || is_complex(dst.dtype()), "value cannot be converted to type ", name(dst.dtype()), " without overflow");
  fill_(dst, v);
}

}  // namespace

PyObject* get_item(PyObject* self, PyObject* key) {
  return guard([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    std::vector<Tensor> gather;
    Tensor v = take(t, key, gather);
    return wrap(gather.empty() ? std::move(v) : index(v, gather));
  });
}

int set_item(PyObject* self, PyObject* key, PyObject* value) {
  return guard_int([&]() -> int {
    const Tensor& t = unwrap(self);
    const bool tensor = is_tensor(value);
    if (!tensor && !is_number(value))
      fail<TypeError>("can't assign a ", Py_TYPE(value)->tp_name, " to a torch.", legacy_name(t.dtype()), "Tensor");
    if (key == Py_False) return 0;
    std::vector<Tensor> gather;
    const Tensor v = key == Py_True ? unsqueeze(t, 0) : take(t, key, gather);
    if (gather.empty()) {
      if (tensor) write(v, unwrap(value));
      else write_number(v, scalar_of(value));
      return 0;
    }
    if (tensor) {
      index_put_(v, gather, without_leading_ones(unwrap(value)));
      return 0;
    }
    const Scalar s = scalar_of(value);
    BOLIDE_CHECK(!s.is_complex() || is_complex(t.dtype()), "value cannot be converted to type ", name(t.dtype()), " without overflow");
    index_put_(v, gather, scalar_tensor(s, t.dtype(), t.device()));
    return 0;
  });
}

}  // namespace bolide::python
