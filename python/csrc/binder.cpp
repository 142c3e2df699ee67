// The generic binder: one callable type for every op, as function and as method. Arguments are read by the
// schema into boxed values on the stack; overloads are tried in order; errors use PyTorch's words.
#include <cstring>
#include <deque>
#include <unordered_map>

#include "python.h"

namespace bolide::python {

namespace {

struct Arg {
  ArgType type;
  PyObject* name;  // interned
  bool keyword_only, has_default, list_of_one;
  int list_size;
  Value fallback;
};
struct Overload {
  const OpInfo* op;
  std::vector<Arg> args;
  size_t positional = 0;
  PyTypeObject* named_result = nullptr;
};
struct Family {  // all overloads of one name, in one of its forms
  std::string name;
  bool in_place = false;  // the name ends in _ and the op is functional
  std::deque<Overload> overloads;
};

/// Space for the lists of one call.
struct Arena {
  int64_t ints[96];
  TensorImpl* tensors[32];
  size_t used_ints = 0, used_tensors = 0;
  std::deque<std::vector<int64_t>> more_ints;
  std::deque<std::vector<TensorImpl*>> more_tensors;
  std::deque<std::vector<double>> doubles;
  std::deque<Tensor> kept;
  int64_t* take_ints(size_t n) {
    if (used_ints + n <= 96) { used_ints += n; return ints + used_ints - n; }
    return more_ints.emplace_back(n).data();
  }
  TensorImpl** take_tensors(size_t n) {
    if (used_tensors + n <= 32) { used_tensors += n; return tensors + used_tensors - n; }
    return more_tensors.emplace_back(n).data();
  }
};

// ---- reading one argument --------------------------------------------------------------------

bool read_int(PyObject* o, int64_t& out) {
  if (PyLong_Check(o) && !PyBool_Check(o)) {
    int overflow = 0;
    out = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (overflow) fail<Error>("Overflow when unpacking long long");
    return true;
  }
  if (PyBool_Check(o) || PyFloat_Check(o)) return false;
  if (is_tensor(o)) {
    const Tensor& t = unwrap(o);
    if (t.numel() != 1 || !is_integral(t.dtype())) return false;
    out = t.item<int64_t>();
    return true;
  }
  if (!PyIndex_Check(o)) return false;
  Object whole(PyNumber_Index(o));
  if (!whole) { PyErr_Clear(); return false; }
  out = PyLong_AsLongLong(whole.get());
  return true;
}

bool read_ints(PyObject* o, const Arg& a, Arena& arena, Value& v) {
  int64_t one;
  if (a.list_of_one && !PyTuple_Check(o) && !PyList_Check(o) && read_int(o, one)) {
    const auto n = static_cast<size_t>(std::max(a.list_size, 1));
    int64_t* p = arena.take_ints(n);
    std::fill(p, p + n, one);
    v = box(IntList(p, n));
    return true;
  }
  const bool tuple = PyTuple_Check(o);
  if (!tuple && !PyList_Check(o)) return false;
  const auto n = static_cast<size_t>(tuple ? PyTuple_GET_SIZE(o) : PyList_GET_SIZE(o));
  int64_t* p = arena.take_ints(n);
  for (size_t i = 0; i < n; ++i)
    if (!read_int(tuple ? PyTuple_GET_ITEM(o, i) : PyList_GET_ITEM(o, i), p[i])) return false;
  v = box(IntList(p, n));
  return true;
}

bool read_tensors(PyObject* o, bool none_ok, Arena& arena, Value& v) {
  const bool tuple = PyTuple_Check(o);
  if (!tuple && !PyList_Check(o)) return false;
  const auto n = static_cast<size_t>(tuple ? PyTuple_GET_SIZE(o) : PyList_GET_SIZE(o));
  TensorImpl** p = arena.take_tensors(n);
  for (size_t i = 0; i < n; ++i) {
    PyObject* item = tuple ? PyTuple_GET_ITEM(o, i) : PyList_GET_ITEM(o, i);
    if (is_tensor(item)) p[i] = reinterpret_cast<PyTensor*>(item)->impl;
    else if (none_ok && item == Py_None) p[i] = nullptr;
    else return false;
  }
  v = Value::of(Value::Tag::TensorList, p, n);
  return true;
}

bool read_scalar(PyObject* o, Value& v) {
  if (is_tensor(o)) {
    const Tensor& t = unwrap(o);
    if (t.dim() != 0 || t.requires_grad()) return false;
    v = box(t.item());
    return true;
  }
  if (!is_number(o)) return false;
  v = box(scalar_of(o));
  return true;
}

/// Reads `o` as the schema's type; false when it is of another type.
bool read(PyObject* o, const Arg& a, Arena& arena, Value& v) {
  switch (a.type) {
    case ArgType::OptTensor:
      if (o == Py_None) { v = Value(); return true; }
      [[fallthrough]];
    case ArgType::Tensor:
      if (!is_tensor(o)) return false;
      v.t = reinterpret_cast<PyTensor*>(o)->impl, v.tag = Value::Tag::Tensor;
      return true;
    case ArgType::Operand:
      if (is_tensor(o)) {
        v.t = reinterpret_cast<PyTensor*>(o)->impl, v.tag = Value::Tag::Tensor;
        return true;
      }
      if (PyFloat_CheckExact(o)) {
        v.d[0] = PyFloat_AS_DOUBLE(o), v.tag = Value::Tag::Double;
        return true;
      }
      if (is_number(o)) { v = box(scalar_of(o)); return true; }
      return false;
    case ArgType::OptScalar:
      if (o == Py_None) { v = Value(); return true; }
      [[fallthrough]];
    case ArgType::Scalar: return read_scalar(o, v);
    case ArgType::OptInt:
      if (o == Py_None) { v = Value(); return true; }
      [[fallthrough]];
    case ArgType::Int: {
      int64_t i;
      if (!read_int(o, i)) return false;
      v = box(i);
      return true;
    }
    case ArgType::OptIntList:
      if (o == Py_None) { v = Value(); return true; }
      [[fallthrough]];
    case ArgType::IntList: return read_ints(o, a, arena, v);
    case ArgType::OptFloat:
      if (o == Py_None) { v = Value(); return true; }
      [[fallthrough]];
    case ArgType::Float:
      if (PyComplex_Check(o) || !read_scalar(o, v)) return false;
      v = box(v.scalar().to_double());
      return true;
    case ArgType::FloatList: {
      if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
      auto& list = arena.doubles.emplace_back();
      Object seq(PySequence_Fast(o, ""));
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(seq.get()); ++i) {
        Value one;
        if (!read_scalar(PySequence_Fast_GET_ITEM(seq.get(), i), one)) return false;
        list.push_back(one.number());
      }
      v = box(std::span<const double>(list));
      return true;
    }
    case ArgType::OptBool:
      if (o == Py_None) { v = Value(); return true; }
      [[fallthrough]];
    case ArgType::Bool:
      if (PyBool_Check(o)) { v = box(o == Py_True); return true; }
      if (Py_TYPE(o)->tp_name && std::strstr(Py_TYPE(o)->tp_name, "numpy.bool")) { v = box(PyObject_IsTrue(o) == 1); return true; }
      return false;
    case ArgType::OptStr:
      if (o == Py_None) { v = Value(); return true; }
      [[fallthrough]];
    case ArgType::Str: {
      if (!PyUnicode_Check(o)) return false;
      Py_ssize_t n;
      const char* s = PyUnicode_AsUTF8AndSize(o, &n);
      if (!s) throw PythonError{};
      v = box(Str(s, static_cast<size_t>(n)));
      return true;
    }
    case ArgType::OptDType:
      if (o == Py_None) { v = Value(); return true; }
      [[fallthrough]];
    case ArgType::DType:
      if (!is_dtype(o)) return false;
      v = box(dtype_of(o));
      return true;
    case ArgType::OptDevice:
      if (o == Py_None) { v = Value(); return true; }
      if (Py_TYPE(o) != &DeviceType_ && !PyUnicode_Check(o) && !PyLong_Check(o)) return false;
      v = box(device_of(o));
      return true;
    case ArgType::OptLayout:
      if (o == Py_None) { v = Value(); return true; }
      if (Py_TYPE(o) != &LayoutType) return false;
      v = box(reinterpret_cast<PyLayout*>(o)->value);
      return true;
    case ArgType::OptFormat:
      if (o == Py_None) { v = Value(); return true; }
      if (Py_TYPE(o) != &FormatType) return false;
      v = box(reinterpret_cast<PyFormat*>(o)->value);
      return true;
    case ArgType::OptGenerator:
      if (o == Py_None) { v = Value(); return true; }
      if (!PyObject_TypeCheck(o, &GeneratorType)) return false;
      v = box(reinterpret_cast<PyGenerator*>(o)->value);
      return true;
    case ArgType::BoolList: {
      if (!PyTuple_Check(o) && !PyList_Check(o)) return false;
      Object seq(PySequence_Fast(o, ""));
      const auto n = static_cast<size_t>(PySequence_Fast_GET_SIZE(seq.get()));
      int64_t* p = arena.take_ints(n);
      for (size_t i = 0; i < n; ++i) {
        PyObject* item = PySequence_Fast_GET_ITEM(seq.get(), static_cast<Py_ssize_t>(i));
        if (!PyBool_Check(item)) return false;
        p[i] = item == Py_True;
      }
      v = box(IntList(p, n));
      return true;
    }
    case ArgType::TensorList: return read_tensors(o, false, arena, v);
    case ArgType::OptTensorList: return read_tensors(o, true, arena, v);
  }
  return false;
}

const char* type_text(ArgType t) {
  switch (t) {
    case ArgType::Tensor: case ArgType::OptTensor: case ArgType::Operand: return "Tensor";
    case ArgType::TensorList: case ArgType::OptTensorList: return "tuple of Tensors";
    case ArgType::Scalar: case ArgType::OptScalar: return "Number";
    case ArgType::Int: case ArgType::OptInt: return "int";
    case ArgType::IntList: case ArgType::OptIntList: return "tuple of ints";
    case ArgType::Float: case ArgType::OptFloat: return "float";
    case ArgType::FloatList: return "tuple of floats";
    case ArgType::Bool: case ArgType::OptBool: return "bool";
    case ArgType::BoolList: return "tuple of bools";
    case ArgType::Str: case ArgType::OptStr: return "str";
    case ArgType::DType: case ArgType::OptDType: return "torch.dtype";
    case ArgType::OptDevice: return "torch.device";
    case ArgType::OptLayout: return "torch.layout";
    case ArgType::OptFormat: return "torch.memory_format";
    case ArgType::OptGenerator: return "torch.Generator";
  }
  return "?";
}
std::string python_type(PyObject* o) {
  const char* n = Py_TYPE(o)->tp_name;
  const char* dot = std::strrchr(n, '.');
  return dot ? dot + 1 : n;
}

// ---- reading a call --------------------------------------------------------------------------

const std::pair<const char*, const char*> kAliases[] = {{"input", "self"}, {"axis", "dim"}, {"keepdims", "keepdim"}, {"x", "self"},
                                                        {"axes", "dim"}, {"mat1", "self"}, {"x1", "self"}, {"x2", "other"}};

int find_keyword(const Overload& o, PyObject* key) {
  for (size_t i = 0; i < o.args.size(); ++i)
    if (o.args[i].name == key) return static_cast<int>(i);
  const char* text = PyUnicode_AsUTF8(key);
  for (size_t i = 0; i < o.args.size(); ++i)
    if (PyUnicode_Compare(o.args[i].name, key) == 0) return static_cast<int>(i);
  for (auto [from, to] : kAliases)
    if (!std::strcmp(from, text))
      for (size_t i = 0; i < o.args.size(); ++i)
        if (!PyUnicode_CompareWithASCIIString(o.args[i].name, to)) return static_cast<int>(i);
  return -1;
}

struct Parsed {
  Value values[kMaxArgs + 1];
  PyObject* out = nullptr;
  std::string problem;  // why this overload does not fit
};

bool parse(const Family& f, const Overload& o, PyObject* const* args, size_t n, PyObject* kwnames, Arena& arena, Parsed& p, bool explain) {
  const size_t count = o.args.size();
  uint32_t given = 0;
  size_t used = n;
  const auto name = [&] { return std::string(f.name) + "()"; };
  if (n > o.positional) {
    // x.view(2, 3), zeros(2, 3): the rest of the positions is one list of ints
    const size_t last = o.positional;
    const bool varargs = last > 0 && last <= n && (o.args[last - 1].type == ArgType::IntList || o.args[last - 1].type == ArgType::OptIntList) &&
                         !o.args[last - 1].list_of_one;
    bool split = false;
    for (size_t at = 0; at < o.positional && !split; ++at) {
      if (o.args[at].type != ArgType::IntList && o.args[at].type != ArgType::OptIntList) continue;
      if (o.args[at].list_of_one && f.name != "permute") continue;
      if (PyTuple_Check(args[at]) || PyList_Check(args[at])) break;
      const size_t m = n - at;
      int64_t* ints = arena.take_ints(m);
      split = true;
      for (size_t i = 0; i < m && split; ++i) split = read_int(args[at + i], ints[i]);
      if (!split) break;
      p.values[at] = box(IntList(ints, m));
      given |= 1u << at;
      used = at;
    }
    (void)varargs;
    if (!split) {
      if (explain) p.problem = str(name(), " takes ", o.positional, " positional argument", o.positional == 1 ? "" : "s", " but ", n, n == 1 ? " was" : " were", " given");
      return false;
    }
  }
  for (size_t i = 0; i < used; ++i) {
    if (!read(args[i], o.args[i], arena, p.values[i])) {
      // x.view(3): a single int for a list
      int64_t one;
      if ((o.args[i].type == ArgType::IntList || o.args[i].type == ArgType::OptIntList) && i + 1 == n && read_int(args[i], one)) {
        int64_t* ints = arena.take_ints(1);
        *ints = one;
        p.values[i] = box(IntList(ints, 1));
      } else if (o.args[i].has_default && args[i] == Py_None && o.args[i].fallback.none()) {
        p.values[i] = Value();
      } else {
        if (explain) p.problem = str(name(), ": argument '", PyUnicode_AsUTF8(o.args[i].name), "' (position ", i + 1, ") must be ",
                                     type_text(o.args[i].type), ", not ", python_type(args[i]));
        return false;
      }
    }
    given |= 1u << i;
  }
  const auto kwcount = kwnames ? static_cast<size_t>(PyTuple_GET_SIZE(kwnames)) : 0;
  for (size_t k = 0; k < kwcount; ++k) {
    PyObject* key = PyTuple_GET_ITEM(kwnames, k);
    PyObject* value = args[n + k];
    const int i = find_keyword(o, key);
    if (i < 0) {
      if (!f.in_place && (o.op->variants & kOut) && !PyUnicode_CompareWithASCIIString(key, "out")) {
        if (value != Py_None) p.out = value;
        continue;
      }
      if (explain) p.problem = str(name(), " got an unexpected keyword argument '", PyUnicode_AsUTF8(key), "'");
      return false;
    }
    if (given & (1u << i)) {
      if (explain) p.problem = str(name(), " got multiple values for argument '", PyUnicode_AsUTF8(key), "'");
      return false;
    }
    const Arg& a = o.args[static_cast<size_t>(i)];
    int64_t one;
    if (!read(value, a, arena, p.values[i])) {
      if (a.has_default && value == Py_None && a.fallback.none()) p.values[i] = Value();
      else if (a.type == ArgType::IntList && read_int(value, one)) {
        int64_t* ints = arena.take_ints(1);
        *ints = one;
        p.values[i] = box(IntList(ints, 1));
      } else {
        if (explain) p.problem = str(name(), ": argument '", PyUnicode_AsUTF8(key), "' must be ", type_text(a.type), ", not ", python_type(value));
        return false;
      }
    }
    given |= 1u << i;
  }
  std::string missing;
  int lacks = 0;
  for (size_t i = 0; i < count; ++i) {
    if (given & (1u << i)) continue;
    if (!o.args[i].has_default) {
      if (!explain) return false;
      missing += str(lacks++ ? ", \"" : "\"", PyUnicode_AsUTF8(o.args[i].name), "\"");
      continue;
    }
    p.values[i] = o.args[i].fallback;
  }
  if (lacks) p.problem = str(name(), " missing ", lacks, " required positional arguments: ", missing);
  return lacks == 0;
}

[[noreturn, gnu::cold]] void fail_overloads(const Family& f, PyObject* const* args, size_t n, PyObject* kwnames) {
  if (f.overloads.size() == 1) {
    Arena arena;
    Parsed p;
    parse(f, f.overloads[0], args, n, kwnames, arena, p, true);
    fail<TypeError>(p.problem);
  }
  std::ostringstream s;
  s << f.name << "() received an invalid combination of arguments - got (";
  const auto kwcount = kwnames ? static_cast<size_t>(PyTuple_GET_SIZE(kwnames)) : 0;
  for (size_t i = 0; i < n + kwcount; ++i) {
    s << (i ? ", " : "");
    if (i >= n) s << PyUnicode_AsUTF8(PyTuple_GET_ITEM(kwnames, i - n)) << "=";
    s << python_type(args[i]);
  }
  s << "), but expected one of:";
  for (const Overload& o : f.overloads) s << "\n * " << o.op->schema.text;
  fail<TypeError>(s.str());
}

PyObject* give_back(const Overload& o, Result& r) {
  switch (r.kind) {
    case Result::Kind::Nothing: Py_RETURN_NONE;
    case Result::Kind::One: return wrap(std::move(r.tensors[0]));
    case Result::Kind::Number: return wrap(r.number);
    case Result::Kind::List: {
      PyObject* t = check(PyTuple_New(static_cast<Py_ssize_t>(r.list.size())));
      for (size_t i = 0; i < r.list.size(); ++i) PyTuple_SET_ITEM(t, i, wrap(std::move(r.list[i])));
      return t;
    }
    case Result::Kind::Tuple: {
      PyObject* t = check(o.named_result ? PyStructSequence_New(o.named_result) : PyTuple_New(r.count));
      for (int i = 0; i < r.count; ++i) {
        PyObject* item = wrap(std::move(r.tensors[static_cast<size_t>(i)]));
        if (o.named_result) PyStructSequence_SET_ITEM(t, i, item);
        else PyTuple_SET_ITEM(t, i, item);
      }
      return t;
    }
  }
  return nullptr;
}

PyObject* run(const Family& f, const Overload& o, Parsed& p, PyObject* self) {
  const OpInfo& op = *o.op;
  if (f.in_place) {
    call_boxed(op, p.values, Out{&p.values[0].tensor(), true});
    return Py_NewRef(self);
  }
  if (op.in_place) {
    call_boxed(op, p.values);
    return Py_NewRef(self);
  }
  if (p.out) [[unlikely]] {
    std::vector<Tensor> targets;
    if (is_tensor(p.out)) targets.push_back(unwrap(p.out));
    else
      for (Py_ssize_t i = 0; i < PySequence_Size(p.out); ++i) {
        Object item(PySequence_GetItem(p.out, i));
        BOLIDE_CHECK_AS(TypeError, item && is_tensor(item.get()), f.name, "(): argument 'out' must be Tensor or tuple of Tensors");
        targets.push_back(unwrap(item.get()));
      }
    call_boxed(op, p.values, Out{targets.data(), false});
    return Py_NewRef(p.out);
  }
  if (op.kind == Kind::Composed || op.kind == Kind::Creation || !plain(op, any_requires_grad(op, p.values))) {
    Result r = call_boxed(op, p.values);
    return give_back(o, r);
  }
  Result r;
  op.invoke(op, p.values, {}, r);
  return give_back(o, r);
}

PyObject* call_family(const Family& f, PyObject* const* args, size_t n, PyObject* kwnames) {
  return guard([&]() -> PyObject* {
    Arena arena;
    for (const Overload& o : f.overloads) {
      Parsed p;
      if (parse(f, o, args, n, kwnames, arena, p, false)) return run(f, o, p, n ? args[0] : nullptr);
    }
    fail_overloads(f, args, n, kwnames);
  });
}

// ---- the callable ----------------------------------------------------------------------------

struct PyOp {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  Family* family;
};
PyObject* op_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  return call_family(*reinterpret_cast<PyOp*>(self)->family, args, static_cast<size_t>(PyVectorcall_NARGS(nargsf)), kwnames);
}
PyObject* op_get(PyObject* self, PyObject* obj, PyObject*) { return obj ? PyMethod_New(self, obj) : Py_NewRef(self); }
PyObject* op_name_of(PyObject* self, void*) { return PyUnicode_FromString(reinterpret_cast<PyOp*>(self)->family->name.c_str()); }
PyObject* op_doc(PyObject* self, void*) {
  std::string s;
  for (const Overload& o : reinterpret_cast<PyOp*>(self)->family->overloads) s += std::string(o.op->schema.text) + "\n";
  return PyUnicode_FromString(s.c_str());
}
PyObject* op_repr(PyObject* self) { return PyUnicode_FromFormat("<bolide op %s>", reinterpret_cast<PyOp*>(self)->family->name.c_str()); }
PyObject* op_module(PyObject*, void*) { return PyUnicode_FromString("bolide"); }
PyObject* op_reduce(PyObject* self, PyObject*) { return PyUnicode_FromString(reinterpret_cast<PyOp*>(self)->family->name.c_str()); }
PyGetSetDef op_getset[] = {{"__name__", op_name_of, nullptr, nullptr, nullptr}, {"__qualname__", op_name_of, nullptr, nullptr, nullptr},
                           {"__doc__", op_doc, nullptr, nullptr, nullptr}, {"__module__", op_module, nullptr, nullptr, nullptr}, {}};
PyMethodDef op_methods[] = {{"__reduce__", op_reduce, METH_NOARGS, nullptr}, {}};
PyTypeObject OpType = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide.op", .tp_basicsize = sizeof(PyOp),
                       .tp_vectorcall_offset = offsetof(PyOp, vectorcall), .tp_repr = op_repr, .tp_call = PyVectorcall_Call,
                       .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
                       .tp_methods = op_methods, .tp_getset = op_getset, .tp_descr_get = op_get};

// ---- building the tables ---------------------------------------------------------------------

Value default_value(const SchemaArg& a, std::deque<std::vector<int64_t>>& lists) {
  const std::string_view t = a.default_text;
  if (t == "None") return Value();
  if (t == "True" || t == "False") return box(t == "True");
  if (t.front() == '\'') return box(Str(t.data() + 1, t.size() - 2));
  if (a.type == ArgType::IntList || a.type == ArgType::OptIntList) {
    auto& l = lists.emplace_back();
    std::string digits;
    for (char c : t) {
      if (c == '-' || (c >= '0' && c <= '9')) digits += c;
      else if (!digits.empty()) l.push_back(std::stoll(digits)), digits.clear();
    }
    if (!digits.empty()) l.push_back(std::stoll(digits));
    if (t.front() != '[' && a.list_size > 1) l.resize(static_cast<size_t>(a.list_size), l.at(0));
    return box(IntList(l));
  }
  const std::string text(t);
  if (text.find('.') != text.npos || text.find('e') != text.npos) return box(std::stod(text));
  if (a.type == ArgType::Float || a.type == ArgType::OptFloat) return box(std::stod(text));
  return box(static_cast<int64_t>(std::stoll(text)));
}

PyTypeObject* named_result(const OpInfo& op) {
  const std::string_view r = op.schema.returns;
  if (r.empty() || r.front() != '(' || r.find(' ') == r.npos) return nullptr;
  static std::deque<std::string> names;
  static std::deque<std::vector<PyStructSequence_Field>> fields;
  auto& f = fields.emplace_back();
  std::string_view rest = r.substr(1, r.size() - 2);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    std::string_view one = rest.substr(0, comma);
    const size_t space = one.rfind(' ');
    if (one.substr(0, space).find("Tensor") == one.npos || space == one.npos) return nullptr;
    if (one.front() == ' ') one.remove_prefix(1);
    if (one.find(' ') == one.npos) return nullptr;
    f.push_back({names.emplace_back(one.substr(one.rfind(' ') + 1)).c_str(), nullptr});
    rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
  }
  const int n = static_cast<int>(f.size());
  f.push_back({nullptr, nullptr});
  PyStructSequence_Desc d{names.emplace_back("bolide.return_types." + std::string(op.schema.name)).c_str(), nullptr, f.data(), n};
  return PyStructSequence_NewType(&d);
}

Overload make_overload(const OpInfo& op) {
  static std::deque<std::vector<int64_t>> lists;
  Overload o{&op, {}, 0, named_result(op)};
  for (int i = 0; i < op.schema.count; ++i) {
    const SchemaArg& a = op.schema.args[static_cast<size_t>(i)];
    PyObject* n = PyUnicode_FromStringAndSize(a.name.data(), static_cast<Py_ssize_t>(a.name.size()));
    PyUnicode_InternInPlace(&n);
    o.args.push_back({a.type, n, a.keyword_only, a.has_default, a.list_of_one, a.list_size, a.has_default ? default_value(a, lists) : Value()});
    if (!a.keyword_only) ++o.positional;
  }
  return o;
}

std::unordered_map<std::string, Family*>& families() {
  static auto* map = new std::unordered_map<std::string, Family*>;
  return *map;
}

}  // namespace

PyObject* call_op(std::string_view name, PyObject* const* args, size_t n, PyObject* kwnames) {
  auto it = families().find(std::string(name));
  if (it == families().end()) {
    PyErr_Format(PyExc_NotImplementedError, "Bolide has no op '%s' yet", std::string(name).c_str());
    return nullptr;
  }
  return call_family(*it->second, args, n, kwnames);
}

void init_binder(PyObject* m) {
  check(PyType_Ready(&OpType));
  Object ops(check(PyModule_New("bolide._C._ops")));
  auto publish = [&](Family* f, uint8_t home) {
    auto* o = PyObject_New(PyOp, &OpType);
    o->vectorcall = op_vectorcall;
    o->family = f;
    Object held(reinterpret_cast<PyObject*>(o));
    check(PyObject_SetAttrString(ops.get(), f->name.c_str(), held.get()));
    if (home & kFunction && f->name.find("__") == f->name.npos) check(PyObject_SetAttrString(m, f->name.c_str(), held.get()));
    if (home & kMethod) {
      check(PyDict_SetItemString(TensorType.tp_dict, f->name.c_str(), held.get()));
    }
  };
  std::vector<std::pair<Family*, uint8_t>> made;
  for (const OpInfo* op : all_ops()) {
    for (const bool in_place : {false, true}) {
      if (in_place && (op->in_place || !(op->variants & kInPlace))) continue;
      const std::string name = std::string(op->name()) + (in_place ? "_" : "");
      Family*& f = families()[name];
      if (!f) {
        f = new Family{name, in_place, {}};
        made.emplace_back(f, 0);
      }
      f->overloads.push_back(make_overload(*op));
      for (auto& [known, home] : made)
        if (known == f) home |= op->home;
    }
  }
  for (auto& [f, home] : made) publish(f, home);
  PyType_Modified(&TensorType);
  check(PyModule_AddObjectRef(m, "_ops", ops.get()));
}

}  // namespace bolide::python
