// Batches for the data loader: many small tensors or arrays become one, row by row, without a call of an op for each.
#include <cstring>

#include "python.h"

namespace bolide::python {
namespace {

/// A row to be copied: contiguous bytes of a tensor or a buffer.
struct Row {
  const char* data = nullptr;
  DType dtype = DType::UInt8;
  Dims sizes;
  size_t bytes = 0;
};

bool read_tensor(PyObject* o, Row& row) {
  if (Py_TYPE(o) != &TensorType) return false;
  const Tensor& t = unwrap(o);
  if (!t->storage || !t.device().is_cpu() || !t.is_contiguous() || t.requires_grad()) return false;
  row.dtype = t.dtype();
  row.sizes = t.sizes();
  row.bytes = static_cast<size_t>(t.numel() * t.itemsize());
  row.data = row.bytes ? t.raw() : nullptr;
  return true;
}

class Buffer {
 public:
  ~Buffer() { release(); }
  bool read(PyObject* o, Row& row) {
    release();
    if (PyObject_GetBuffer(o, &view_, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) {
      PyErr_Clear();
      return false;
    }
    held_ = true;
    const OptDType dtype = dtype_of_format(view_.format, view_.itemsize);
    if (!dtype) return false;
    row.dtype = *dtype;
    row.sizes = Dims();
    for (int d = 0; d < view_.ndim; ++d) row.sizes.push_back(view_.shape[d]);
    row.bytes = static_cast<size_t>(view_.len);
    row.data = static_cast<const char*>(view_.buf);
    return true;
  }

 private:
  void release() {
    if (std::exchange(held_, false)) PyBuffer_Release(&view_);
  }
  Py_buffer view_{};
  bool held_ = false;
};

/// Calls f(row) for each item; false when one is no plain row, or differs from the first in dtype or sizes.
template <class F>
bool each_row(PyObject* batch, F&& f) {
  Buffer buffer;
  Row first, row;
  const Py_ssize_t n = PyList_Check(batch) ? PyList_GET_SIZE(batch) : PyTuple_GET_SIZE(batch);
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* o = PyList_Check(batch) ? PyList_GET_ITEM(batch, i) : PyTuple_GET_ITEM(batch, i);
    if (!(is_tensor(o) ? read_tensor(o, row) : buffer.read(o, row))) return false;
    if (i == 0) first = row;
    else if (row.dtype != first.dtype || !(row.sizes == first.sizes)) return false;
    f(row);
  }
  return n > 0;
}

bool is_list(PyObject* o) { return PyList_Check(o) || PyTuple_Check(o); }

// _batch_bytes(batch): how many bytes its stack has, -1 where _stack_rows cannot make it
PyObject* batch_bytes(PyObject*, PyObject* batch) {
  return guard([&]() -> PyObject* {
    size_t total = 0;
    if (!is_list(batch) || !each_row(batch, [&](const Row& r) { total += r.bytes; })) return PyLong_FromLong(-1);
    return PyLong_FromSize_t(total);
  });
}

// _stack_rows(batch, block=None): tensors or arrays of one dtype and shape, stacked into new memory or at the start of the
// block's; None where they are not that plain
PyObject* stack_rows(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return guard([&]() -> PyObject* {
    PyObject* batch = count ? args[0] : Py_None;
    if (!is_list(batch)) Py_RETURN_NONE;
    Tensor out;
    char* to = nullptr;
    const auto n = static_cast<int64_t>(PySequence_Size(batch));
    const bool done = each_row(batch, [&](const Row& r) {
      if (!out.defined()) {
        Dims sizes = r.sizes;
        sizes.insert(0, n);
        if (count > 1 && args[1] != Py_None) {
          const Tensor& block = unwrap(args[1]);
          BOLIDE_CHECK(static_cast<size_t>(n) * r.bytes <= block.storage()->bytes, "the block is too small for the batch");
          out = Tensor(new TensorImpl);
          out->dtype = r.dtype, out->storage = block.storage(), out->sizes = sizes, out->strides = contiguous_strides(sizes);
          out->refresh();
        } else {
          out = Tensor::make(sizes, r.dtype);
        }
        to = r.bytes ? out.raw() : nullptr;
      }
      if (r.bytes) std::memcpy(to, r.data, r.bytes), to += r.bytes;
    });
    if (!done) Py_RETURN_NONE;
    return wrap(out);
  });
}

PyMethodDef functions[] = {
    {"_batch_bytes", batch_bytes, METH_O, nullptr},
    {"_stack_rows", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(stack_rows)), METH_FASTCALL, nullptr},
    {}};

}  // namespace

void init_collate(PyObject* m) { check(PyModule_AddFunctions(m, functions)); }

}  // namespace bolide::python
