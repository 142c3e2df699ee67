// The extension module bolide._C.
#include "python.h"

extern "C" PyMODINIT_FUNC PyInit__C() {
  static PyModuleDef def = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "bolide._C", .m_doc = "The compiled core of Bolide.", .m_size = -1};
  PyObject* m = PyModule_Create(&def);
  if (!m) return nullptr;
  using namespace bolide::python;
  PyObject* ok = guard([&]() -> PyObject* {
    init_types(m);
    init_tensor(m);
    init_override(m);
    init_binder(m);
    init_convert(m);
    init_buffers(m);
    init_dlpack(m);
    init_autograd(m);
    init_io(m);
    init_cuda(m);
    init_modules(m);
    init_storage(m);
    init_optim(m);
    init_collate(m);
    Py_RETURN_NONE;
  });
  if (!ok) {
    Py_DECREF(m);
    return nullptr;
  }
  Py_DECREF(ok);
  return m;
}
