// Operators of Tensor: arithmetic, comparisons, conversions to Python numbers, length, iteration, membership.
#include "python.h"

namespace bolide::python {

PyObject* wrap_number(PyObject* number, Device device) {
  const Scalar s = scalar_of(number);
  Tensor n = scalar_tensor(s, s.dtype(), device);
  n->flags |= TensorImpl::kWrappedNumber;
  return wrap(std::move(n));
}

namespace {

#define SELF unwrap(self)

/// What may stand beside a tensor in an operator: a tensor, a number, or an object that overrides.
bool operand(PyObject* o) {
  return is_tensor(o) || is_number(o) || (Py_TYPE(o)->tp_flags & Py_TPFLAGS_HEAPTYPE && PyObject_HasAttrString(o, "__torch_function__"));
}

// ---- arithmetic --------------------------------------------------------------------------------

PyObject* binary(OpRef& op, PyObject* a, PyObject* b) {
  if (!operand(b)) Py_RETURN_NOTIMPLEMENTED;
  return op(a, b);
}
/// a op b for operators that commute.
PyObject* commuting(OpRef& op, PyObject* a, PyObject* b) { return is_tensor(a) ? binary(op, a, b) : binary(op, b, a); }

#define COMMUTING(fn, op)                   \
  PyObject* fn(PyObject* a, PyObject* b) {  \
    static OpRef ref{op};                   \
    return commuting(ref, a, b);            \
  }
COMMUTING(nb_add, "add") COMMUTING(nb_mul, "mul") COMMUTING(nb_and, "bitwise_and") COMMUTING(nb_or, "bitwise_or")
COMMUTING(nb_xor, "bitwise_xor")

PyObject* nb_sub(PyObject* a, PyObject* b) {
  static OpRef sub{"sub"}, rsub{"rsub"};
  return is_tensor(a) ? binary(sub, a, b) : binary(rsub, b, a);
}
PyObject* nb_div(PyObject* a, PyObject* b) {
  static OpRef div{"div"}, reciprocal{"reciprocal"}, mul{"mul"};
  if (is_tensor(a)) return binary(div, a, b);
  if (!operand(a)) Py_RETURN_NOTIMPLEMENTED;
  Object inverse(reciprocal(b));  // as PyTorch does
  return inverse ? mul(inverse.get(), a) : nullptr;
}
/// number op tensor, for ops whose left operand is a tensor: the number stands as a 0-d tensor.
PyObject* number_first(OpRef& op, PyObject* a, PyObject* b) {
  if (!is_number(a)) Py_RETURN_NOTIMPLEMENTED;
  Object left(guard([&] { return wrap_number(a, unwrap(b).device()); }));
  return left ? op(left.get(), b) : nullptr;
}
#define ORDERED(fn, op)                                                          \
  PyObject* fn(PyObject* a, PyObject* b) {                                       \
    static OpRef ref{op};                                                        \
    return is_tensor(a) ? binary(ref, a, b) : number_first(ref, a, b);           \
  }
ORDERED(nb_mod, "remainder") ORDERED(nb_floordiv, "floor_divide") ORDERED(nb_lshift, "bitwise_left_shift")
ORDERED(nb_rshift, "bitwise_right_shift")

PyObject* nb_matmul(PyObject* a, PyObject* b) {
  static OpRef matmul{"matmul"};
  if (!is_tensor(a) || !operand(b) || is_number(b)) Py_RETURN_NOTIMPLEMENTED;
  return matmul(a, b);
}
PyObject* nb_pow(PyObject* a, PyObject* b, PyObject*) {
  static OpRef pow{"pow"}, rpow{"_rpow"};
  if (is_tensor(a)) return binary(pow, a, b);
  return binary(rpow, b, a);
}

#define INPLACE(fn, op)                                        \
  PyObject* fn(PyObject* a, PyObject* b) {                     \
    static OpRef ref{op};                                      \
    return binary(ref, a, b);                                  \
  }
INPLACE(nb_iadd, "add_") INPLACE(nb_isub, "sub_") INPLACE(nb_imul, "mul_") INPLACE(nb_idiv, "div_") INPLACE(nb_imod, "remainder_")
INPLACE(nb_ifloordiv, "floor_divide_") INPLACE(nb_iand, "bitwise_and_") INPLACE(nb_ior, "bitwise_or_") INPLACE(nb_ixor, "bitwise_xor_")
INPLACE(nb_ilshift, "bitwise_left_shift_") INPLACE(nb_irshift, "bitwise_right_shift_")
PyObject* nb_ipow(PyObject* a, PyObject* b, PyObject*) {
  static OpRef ref{"pow_"};
  return binary(ref, a, b);
}

#define UNARY(fn, op)              \
  PyObject* fn(PyObject* a) {      \
    static OpRef ref{op};          \
    return ref(a);                 \
  }
UNARY(nb_neg, "neg") UNARY(nb_abs, "abs") UNARY(nb_invert, "bitwise_not")
PyObject* nb_pos(PyObject* a) { return Py_NewRef(a); }

// ---- conversions to Python numbers -------------------------------------------------------------

/// Runs `f` unless a class or mode takes the call `Tensor.name(self)` over.
template <class F>
PyObject* overridable(PyObject* self, const char* name, F&& f) {
  return guard([&]() -> PyObject* {
    if ((Py_TYPE(self) != &TensorType && overrides(self)) || state().modes & State::kTorchFunction) [[unlikely]] {
      PyObject* r;
      if (call_override_of(name, {self}, r)) return check(r);
    }
    return f();
  });
}

int nb_bool(PyObject* self) {
  if (Py_TYPE(self) != &TensorType && overrides(self)) [[unlikely]] {
    PyObject* r = nullptr;
    if (call_override_of("__bool__", {self}, r)) {
      const int value = r ? PyObject_IsTrue(Object(r).get()) : -1;
      return value;
    }
  }
  return guard_int([&] {
    const Tensor& t = SELF;
    BOLIDE_CHECK(t.numel() != 0, "Boolean value of Tensor with no values is ambiguous");
    BOLIDE_CHECK(t.numel() == 1, "Boolean value of Tensor with more than one value is ambiguous");
    return int(t.item().to<bool>());
  });
}
Scalar only_value(PyObject* self) {
  BOLIDE_CHECK_AS(ValueError, SELF.numel() == 1, "only one element tensors can be converted to Python scalars");
  return SELF.item();
}
PyObject* nb_float(PyObject* self) {
  return overridable(self, "__float__", [&] {
    const Scalar s = only_value(self);
    BOLIDE_CHECK(!s.is_complex() || s.to<complex128>().imag() == 0, "value cannot be converted to type double without overflow");
    return SELF.dtype() == DType::UInt64 ? PyNumber_Float(Object(check(item_of(SELF))).get()) : PyFloat_FromDouble(s.to_double());
  });
}
PyObject* nb_int(PyObject* self) {
  return overridable(self, "__int__", [&] {
    const Scalar s = only_value(self);
    BOLIDE_CHECK(!s.is_complex() || s.to<complex128>().imag() == 0, "value cannot be converted to type int64_t without overflow");
    return s.is_int() ? item_of(SELF) : PyLong_FromDouble(s.to_double());
  });
}
PyObject* nb_index(PyObject* self) {
  return overridable(self, "__index__", [&]() -> PyObject* {
    BOLIDE_CHECK_AS(TypeError, SELF.numel() == 1 && (is_integral(SELF.dtype()) || SELF.dtype() == DType::Bool),
                    "only integer tensors of a single element can be converted to an index");
    return SELF.dtype() == DType::Bool ? PyLong_FromLong(SELF.item().to<bool>()) : item_of(SELF);
  });
}

// ---- comparisons, containers ---------------------------------------------------------------------

PyObject* richcompare(PyObject* a, PyObject* b, int op) {
  static OpRef refs[] = {OpRef{"lt"}, OpRef{"le"}, OpRef{"eq"}, OpRef{"ne"}, OpRef{"gt"}, OpRef{"ge"}};
  if (!operand(b)) {
    if (!PyObject_HasAttrString(b, "__array_interface__")) Py_RETURN_NOTIMPLEMENTED;
    Object t(guard([&] { return wrap(tensor_from(b, {}, {})); }));  // an ndarray
    return t ? refs[op](a, t.get()) : nullptr;
  }
  return refs[op](a, b);
}
/// hash(t) == id(t): by identity, since == compares elements.
Py_hash_t tensor_hash(PyObject* self) { return static_cast<Py_hash_t>(reinterpret_cast<uintptr_t>(self)); }

Py_ssize_t tensor_length(PyObject* self) {
  if (Py_TYPE(self) != &TensorType && overrides(self)) [[unlikely]] {
    PyObject* r = nullptr;
    if (call_override_of("__len__", {self}, r)) {
      Object n(r);
      return n ? PyNumber_AsSsize_t(n.get(), PyExc_OverflowError) : -1;
    }
  }
  if (SELF.dim() == 0) {
    PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
    return -1;
  }
  return static_cast<Py_ssize_t>(SELF.sizes()[0]);
}
PyObject* tensor_iter(PyObject* self) {
  static OpRef unbind{"unbind"};
  return guard([&]() -> PyObject* {
    BOLIDE_CHECK_AS(TypeError, SELF.dim() > 0, "iteration over a 0-d tensor");
    Object all(check(unbind(self)));
    return PyObject_GetIter(all.get());
  });
}
int tensor_contains(PyObject* self, PyObject* value) {
  static OpRef eq{"eq"}, any{"any"};
  if (!operand(value)) {
    PyErr_Format(PyExc_RuntimeError, "Tensor.__contains__ only supports Tensor or scalar, but you passed in a %R.",
                 reinterpret_cast<PyObject*>(Py_TYPE(value)));
    return -1;
  }
  Object hit(eq(self, value));
  if (!hit) return -1;
  Object some(any(hit.get()));
  return some ? PyObject_IsTrue(some.get()) : -1;
}
bool overridden(PyObject* self, PyObject* other) {
  return state().modes & State::kTorchFunction || (Py_TYPE(self) != &TensorType && overrides(self)) ||
         (is_tensor(other) && Py_TYPE(other) != &TensorType && overrides(other));
}
PyObject* tensor_subscript(PyObject* self, PyObject* k) {
  PyObject* r;
  if (overridden(self, k) && call_override_of("__getitem__", {self, k}, r)) return r;
  return get_item(self, k);
}
int tensor_assign(PyObject* self, PyObject* k, PyObject* v) {
  PyObject* r;
  if (v && (overridden(self, k) || overridden(self, v)) && call_override_of("__setitem__", {self, k, v}, r)) {
    Py_XDECREF(r);
    return r ? 0 : -1;
  }
  if (v) return set_item(self, k, v);
  PyErr_SetString(PyExc_TypeError, "Tensor does not support deleting items");
  return -1;
}

PyNumberMethods number = {
    .nb_add = nb_add, .nb_subtract = nb_sub, .nb_multiply = nb_mul, .nb_remainder = nb_mod, .nb_power = nb_pow, .nb_negative = nb_neg,
    .nb_positive = nb_pos, .nb_absolute = nb_abs, .nb_bool = nb_bool, .nb_invert = nb_invert, .nb_lshift = nb_lshift,
    .nb_rshift = nb_rshift, .nb_and = nb_and, .nb_xor = nb_xor, .nb_or = nb_or, .nb_int = nb_int, .nb_float = nb_float,
    .nb_inplace_add = nb_iadd, .nb_inplace_subtract = nb_isub, .nb_inplace_multiply = nb_imul, .nb_inplace_remainder = nb_imod,
    .nb_inplace_power = nb_ipow, .nb_inplace_lshift = nb_ilshift, .nb_inplace_rshift = nb_irshift, .nb_inplace_and = nb_iand,
    .nb_inplace_xor = nb_ixor, .nb_inplace_or = nb_ior, .nb_floor_divide = nb_floordiv, .nb_true_divide = nb_div,
    .nb_inplace_floor_divide = nb_ifloordiv, .nb_inplace_true_divide = nb_idiv, .nb_index = nb_index, .nb_matrix_multiply = nb_matmul};
PyMappingMethods mapping = {tensor_length, tensor_subscript, tensor_assign};
PySequenceMethods sequence = {.sq_length = tensor_length, .sq_contains = tensor_contains};

}  // namespace

void init_operators() {
  TensorType.tp_hash = tensor_hash;
  TensorType.tp_richcompare = richcompare;
  TensorType.tp_iter = tensor_iter;
  TensorType.tp_as_number = &number;
  TensorType.tp_as_mapping = &mapping;
  TensorType.tp_as_sequence = &sequence;
}

}  // namespace bolide::python
