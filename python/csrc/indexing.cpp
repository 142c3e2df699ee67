// Python indexing: ints, slices, None, Ellipsis and bools make views; masks and integer tensors gather or scatter.
#include "python.h"

namespace bolide::python {

namespace {

bool is_index_list(PyObject* o) {
  if (PyTuple_Check(o) || PyUnicode_Check(o) || is_tensor(o)) return false;
  return PyList_Check(o) || PyObject_CheckBuffer(o) || PyRange_Check(o);
}

/// How many dimensions of the tensor an index item uses.
int64_t uses(PyObject* o) {
  if (o == Py_None || o == Py_Ellipsis || PyBool_Check(o)) return 0;
  if (is_tensor(o)) {
    const DType t = unwrap(o).dtype();
    return t == DType::Bool || t == DType::UInt8 ? unwrap(o).dim() : 1;
  }
  return 1;
}

std::optional<int64_t> bound(PyObject* o) {
  if (o == Py_None) return {};
  if (is_tensor(o)) return unwrap(o).item<int64_t>();
  Object whole(check(PyNumber_Index(o)));
  int overflow;
  const long long v = PyLong_AsLongLongAndOverflow(whole.get(), &overflow);
  return overflow > 0 ? INT64_MAX / 2 : overflow < 0 ? INT64_MIN / 2 : v;
}

/// Applies the view part of an index; what gathers is left in `gather`, by dimension of the result.
Tensor apply(const Tensor& self, PyObject* key, std::vector<Tensor>& gather) {
  std::vector<PyObject*> items;
  if (PyTuple_Check(key))
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); ++i) items.push_back(PyTuple_GET_ITEM(key, i));
  else items.push_back(key);
  int64_t used = 0;
  for (PyObject* o : items) used += is_index_list(o) ? 1 : uses(o);
  std::vector<Object> keep;
  for (PyObject*& o : items)
    if (is_index_list(o)) {  // a list of booleans is a mask of as many dimensions as it has
      Tensor t = tensor_from(o, {}, {});
      if (t.numel() == 0 && t.dtype() != DType::Bool) t = t.to(DType::Int64);
      if (t.dtype() == DType::Bool) used += t.dim() - 1;
      keep.emplace_back(wrap(t));
      o = keep.back().get();
    }
  BOLIDE_CHECK_AS(IndexError, used <= self.dim(), "too many indices for tensor of dimension ", self.dim());
  Tensor t = self;
  int64_t d = 0;
  auto add = [&](Tensor index) {
    gather.resize(static_cast<size_t>(d));
    gather.push_back(std::move(index));
  };
  for (PyObject* o : items) {
    if (o == Py_None) { t = unsqueeze(t, d++); continue; }
    if (o == Py_Ellipsis) { d += self.dim() - used; continue; }
    if (PyBool_Check(o)) {
      t = unsqueeze(t, d);
      const Tensor mask = full({1}, o == Py_True, DType::Bool);
      add(mask), ++d;
      continue;
    }
    if (PySlice_Check(o)) {
      auto* s = reinterpret_cast<PySliceObject*>(o);
      const auto step = bound(s->step).value_or(1);
      BOLIDE_CHECK_AS(ValueError, step > 0, "step must be greater than zero");
      const auto b = bound(s->start), e = bound(s->stop);
      if (b || e || step != 1) t = slice(t, d, b, e, step);
      else if (t.is_same(self)) t = self.dim() ? slice(t, d, {}, {}, 1) : t;
      ++d;
      continue;
    }
    if (is_tensor(o)) {
      const Tensor& i = unwrap(o);
      if (i.dim() == 0 && i.dtype() == DType::Bool) {
        t = unsqueeze(t, d);
        add(reshape(i, {1})), ++d;
        continue;
      }
      if (i.dim() == 0 && is_integral(i.dtype()) && i.dtype() != DType::UInt8) {
        t = select(t, d, i.item<int64_t>());
        continue;
      }
      add(i);
      d += i.dtype() == DType::Bool || i.dtype() == DType::UInt8 ? i.dim() : 1;
      continue;
    }
    if (PyIndex_Check(o)) {
      const int64_t i = *bound(o), n = t.size(d);
      BOLIDE_CHECK_AS(IndexError, self.dim() > 0, "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ "
                      "to convert a 0-dim tensor to a number");
      BOLIDE_CHECK_AS(IndexError, i >= -n && i < n, "index ", i, " is out of bounds for dimension ", d, " with size ", n);
      t = select(t, d, i);
      continue;
    }
    fail<TypeError>("only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got ", Py_TYPE(o)->tp_name, ")");
  }
  return t;
}

void check_zero_dim(const Tensor& t, PyObject* key) {
  if (t.dim() == 0 && PyLong_Check(key) && !PyBool_Check(key))
    fail<IndexError>("invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim tensor to a number");
}

}  // namespace

PyObject* get_item(PyObject* self, PyObject* key) {
  return guard([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    check_zero_dim(t, key);
    if (PyLong_CheckExact(key)) {
      const int64_t i = PyLong_AsLongLong(key), n = t.size(0);
      if (i == -1 && PyErr_Occurred()) return nullptr;
      BOLIDE_CHECK_AS(IndexError, i >= -n && i < n, "index ", i, " is out of bounds for dimension 0 with size ", n);
      return wrap(select(t, 0, i));
    }
    std::vector<Tensor> gather;
    Tensor v = apply(t, key, gather);
    if (gather.empty()) return wrap(v.is_same(t) ? v.view_as_layout(v.sizes(), v.strides(), v.storage_offset()) : v);
    return wrap(index(v, gather));
  });
}

int set_item(PyObject* self, PyObject* key, PyObject* value) {
  return guard_int([&]() -> int {
    const Tensor& t = unwrap(self);
    check_zero_dim(t, key);
    std::vector<Tensor> gather;
    const Tensor v = apply(t, key, gather);
    Tensor source;
    if (is_tensor(value)) source = unwrap(value);
    else if (is_number(value)) {
      const Scalar s = scalar_of(value);
      source = scalar_tensor(s, is_complex(t.dtype()) || !s.is_complex() ? t.dtype() : DType::Complex64, t.device());
    } else if (PyObject_CheckBuffer(value)) source = tensor_from(value, {}, {});
    else fail<TypeError>("can't assign a ", Py_TYPE(value)->tp_name, " to a torch.", legacy_name(t.dtype()), "Tensor");
    if (!gather.empty()) {
      index_put_(v, gather, source.dtype() == v.dtype() ? source : source.to(v.dtype()));
      return 0;
    }
    while (source.dim() > v.dim() && source.sizes()[0] == 1) source = squeeze(source, {0});
    copy_(v, source);
    return 0;
  });
}

}  // namespace bolide::python
