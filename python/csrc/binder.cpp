// The generic binder: one callable type for every op, as function and as method. Map: long lists of a call | results |
// running an overload | the callable | named results | building the tables.
#include "autograd.h"
#include "binder.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

namespace bolide::python {

// ---- long lists of a call ----------------------------------------------------------------------

void* Frame::take_block(size_t bytes) {  // a chain of blocks, each after a link
  auto* block = static_cast<void**>(std::malloc(bytes + 16));
  if (!block) fail<OutOfMemoryError>("out of memory for the arguments of a call");
  *block = blocks_;
  blocks_ = block;
  return block + 2;
}
void Frame::free_blocks() {
  while (blocks_) {
    void* next = *static_cast<void**>(blocks_);
    std::free(blocks_);
    blocks_ = next;
  }
}

namespace {

// ---- results -----------------------------------------------------------------------------------

PyObject* wrap_all(std::span<Tensor> tensors) {
  PyObject* t = check(PyTuple_New(static_cast<Py_ssize_t>(tensors.size())));
  for (size_t i = 0; i < tensors.size(); ++i) PyTuple_SET_ITEM(t, i, wrap(std::move(tensors[i])));
  return t;
}
PyObject* give_back(const Overload& o, Result& r) {
  switch (r.kind) {
    case Result::Kind::One: return wrap(std::move(r.tensors[0]));
    case Result::Kind::Number: return wrap(r.number);
    case Result::Kind::List: return wrap_all(r.list);
    case Result::Kind::Tuple: {
      const std::span<Tensor> all = r.all();
      if (!o.named_result) return wrap_all(all);
      PyObject* t = check(PyStructSequence_New(o.named_result));
      for (size_t i = 0; i < all.size(); ++i)
        PyStructSequence_SET_ITEM(t, static_cast<Py_ssize_t>(i), wrap(std::move(all[i])));
      return t;
    }
    case Result::Kind::Nothing: break;
  }
  Py_RETURN_NONE;
}

// ---- running an overload -----------------------------------------------------------------------

/// The out= tensors of a call; one for each result.
std::vector<Tensor> out_tensors(const Family& f, PyObject* out) {
  if (is_tensor(out)) return {unwrap(out)};
  BOLIDE_CHECK_AS(TypeError, PyTuple_Check(out) || PyList_Check(out), f.name, "(): argument 'out' must be Tensor, not ", type_name(out));
  std::vector<Tensor> all;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(out); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(out, i);
    BOLIDE_CHECK_AS(TypeError, is_tensor(item), f.name, "(): argument 'out' must be tuple of Tensors, but found element of type ",
                    type_name(item), " at pos ", i);
    all.push_back(unwrap(item));
  }
  return all;
}

[[gnu::noinline]] PyObject* run_out(const Family& f, const Overload& o, Frame& frame) {
  const std::vector<Tensor> targets = out_tensors(f, frame.out);
  const std::string_view returns = o.op->schema.returns;
  const size_t wanted = returns.front() == '(' ? static_cast<size_t>(std::count(returns.begin(), returns.end(), ',')) + 1 : 1;
  BOLIDE_CHECK_AS(TypeError, returns == "Tensor[]" || targets.size() == wanted, f.name, "(): argument 'out' must be tuple of ", wanted,
                  " Tensors, but got ", targets.size());
  call_boxed(*o.op, frame.values(), Out{targets.data(), false, targets.size()});
  if (is_tensor(frame.out) || !o.named_result) return Py_NewRef(frame.out);
  PyObject* t = check(PyStructSequence_New(o.named_result));
  for (size_t i = 0; i < targets.size(); ++i) PyStructSequence_SET_ITEM(t, static_cast<Py_ssize_t>(i), wrap(targets[i]));
  return t;
}

PyObject* run(const Family& f, const Overload& o, Frame& frame, PyObject* self) {
  const OpInfo& op = *o.op;
  Value* values = frame.values();
  if (f.in_place || op.in_place) {
    call_boxed(op, values, f.in_place ? Out{&values[0].tensor(), true} : Out{});
    return Py_NewRef(self);
  }
  if (frame.out) [[unlikely]] return run_out(f, o, frame);
  Result r;
  if (state().modes == 0 && !(frame.needs_grad && state().grad)) [[likely]] op.invoke(op, values, {}, r);
  else r = call_boxed(op, values);
  return give_back(o, r);
}

/// torch.set_default_device and `with torch.device(...)`: a factory without a device makes its tensor there.
void use_default_device(const Overload& o, Frame& frame) {
  Value& device = frame.values()[o.device];
  if (device.none()) device = box(*default_device());
}

/// torch.pow(2, x) and its kin: functions of two operands that also take the first one as a number.
bool takes_number_first(const Family& f, const Given& g, bool method) {
  static constexpr std::string_view names[] = {"pow", "remainder", "floor_divide", "float_power", "xlogy", "bitwise_and", "bitwise_or",
      "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift", "special_xlogy", "special_xlog1py", "special_zeta", "mul", "add", "sub", "div"};
  return !method && g.n >= 2 && is_number(g.args[0]) && is_tensor(g.args[1]) && std::find(std::begin(names), std::end(names), f.name) != std::end(names);
}

PyObject* call_family(const Family& f, PyObject* func, const Given& g, bool method) {
  return guard([&]() -> PyObject* {
    const FromPython here;
    Frame frame;
    frame.op = f.name.c_str();
    for (const Overload& o : f.overloads) {
      if (!parse(o, g, method, frame)) {
        frame.restart();
        continue;
      }
      if (frame.overridden || state().modes & State::kTorchFunction) [[unlikely]] {
        bool called;
        PyObject* r = call_override(func, g, called);
        if (called) return r;
      }
      if (o.device >= 0 && default_device()) [[unlikely]] use_default_device(o, frame);
      return run(f, o, frame, g.n ? g.args[0] : nullptr);
    }
    if (takes_number_first(f, g, method)) {
      std::vector<PyObject*> all(g.args, g.args + g.n + g.keywords());
      Object left(wrap_number(all[0], unwrap(all[1]).device()));
      all[0] = left.get();
      return call_family(f, func, Given{all.data(), g.n, g.kwnames}, method);
    }
    bool called;  // objects that are no tensors may override, too
    PyObject* r = call_override(func, g, called);
    if (called) return r;
    fail_arguments(f, g, method);
  });
}

// ---- the callable ------------------------------------------------------------------------------

PyOp& op_of(PyObject* o) { return *reinterpret_cast<PyOp*>(o); }

PyObject* family_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const PyOp& op = op_of(self);
  const Given g{args, static_cast<size_t>(PyVectorcall_NARGS(nargsf)), kwnames};
  if (op.method && (g.n == 0 || !is_tensor(args[0]))) [[unlikely]] {
    PyErr_Format(PyExc_TypeError, g.n ? "descriptor '%s' for 'torch._C.TensorBase' objects doesn't apply to a '%s' object"
                                      : "unbound method TensorBase.%s() needs an argument", op.name, g.n ? Py_TYPE(args[0])->tp_name : "");
    return nullptr;
  }
  return call_family(*op.family, self, g, op.method);
}
PyObject* native_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  return call_native(self, Given{args, static_cast<size_t>(PyVectorcall_NARGS(nargsf)), kwnames});
}

PyObject* op_get(PyObject* self, PyObject* obj, PyObject*) {
  return obj && op_of(self).method ? PyMethod_New(self, obj) : Py_NewRef(self);
}
PyObject* op_name_of(PyObject* self, void*) { return PyUnicode_FromString(op_of(self).name); }
PyObject* op_qualname(PyObject* self, void*) {
  return PyUnicode_FromFormat(op_of(self).method ? "TensorBase.%s" : "%s", op_of(self).name);
}
PyObject* op_doc(PyObject* self, void*) {
  const PyOp& op = op_of(self);
  if (!op.family) return op.doc ? PyUnicode_FromString(op.doc) : Py_NewRef(Py_None);
  std::string s;
  for (const Overload& o : op.family->overloads) s += std::string(o.op->schema.text) + "\n";
  return PyUnicode_FromString(s.c_str());
}
PyObject* op_repr(PyObject* self) {
  const PyOp& op = op_of(self);
  return op.method ? PyUnicode_FromFormat("<method '%s' of 'torch._C.TensorBase' objects>", op.name)
                   : PyUnicode_FromFormat("<built-in function %s>", op.name);
}
PyObject* op_module(PyObject* self, void*) {
  if (op_of(self).method) Py_RETURN_NONE;
  return PyUnicode_FromString("bolide");
}
PyObject* op_self(PyObject* self, void*) {
  return op_of(self).method ? Py_NewRef(reinterpret_cast<PyObject*>(&TensorType)) : Py_NewRef(Py_None);
}
PyObject* op_reduce(PyObject* self, PyObject*) {
  const PyOp& op = op_of(self);
  if (!op.method) return PyUnicode_FromString(op.name);
  return Py_BuildValue("(O(Os))", PyDict_GetItemString(PyEval_GetBuiltins(), "getattr"), &TensorType, op.name);
}
PyGetSetDef op_getset[] = {{"__name__", op_name_of, nullptr, nullptr, nullptr}, {"__qualname__", op_qualname, nullptr, nullptr, nullptr},
                           {"__doc__", op_doc, nullptr, nullptr, nullptr}, {"__module__", op_module, nullptr, nullptr, nullptr},
                           {"__objclass__", op_self, nullptr, nullptr, nullptr}, {}};
PyMethodDef op_methods[] = {{"__reduce__", op_reduce, METH_NOARGS, nullptr}, {}};

}  // namespace

PyTypeObject OpType = {.ob_base = PyVarObject_HEAD_INIT(nullptr, 0) .tp_name = "bolide.op", .tp_basicsize = sizeof(PyOp),
                       .tp_vectorcall_offset = offsetof(PyOp, vectorcall), .tp_repr = op_repr, .tp_call = PyVectorcall_Call,
                       .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
                       .tp_methods = op_methods, .tp_getset = op_getset, .tp_descr_get = op_get};

/// A function written by hand, with the same overrides as ops have.
PyObject* call_native(PyObject* self, const Given& g) {
  const PyOp& op = op_of(self);
  return guard([&]() -> PyObject* {
    if (op.method && (g.n == 0 || !is_tensor(g.args[0]))) [[unlikely]]
      fail<TypeError>("descriptor '", op.name, "' for 'torch._C.TensorBase' objects doesn't apply to a '",
                      g.n ? type_name(g.args[0]) : "nothing", "' object");
    if ((op.method && Py_TYPE(g.args[0]) != &TensorType) || state().modes & State::kTorchFunction) [[unlikely]] {
      bool called;
      PyObject* r = call_override(self, g, called);
      if (called) return r;
    }
    if (!op.method) return op.native(nullptr, g);
    return op.native(g.args[0], Given{g.args + 1, g.n - 1, g.kwnames});
  });
}

PyObject* make_native(const char* name, NativeCall call, bool method, const char* doc) {
  auto* o = PyObject_New(PyOp, &OpType);
  if (!o) throw PythonError{};
  o->vectorcall = native_vectorcall, o->family = nullptr, o->native = call, o->method = method, o->name = name, o->doc = doc;
  return reinterpret_cast<PyObject*>(o);
}

namespace {

PyObject* make_op(Family* f, bool method) {
  auto* o = PyObject_New(PyOp, &OpType);
  if (!o) throw PythonError{};
  o->vectorcall = family_vectorcall, o->family = f, o->native = nullptr, o->method = method, o->name = f->name.c_str(), o->doc = nullptr;
  return reinterpret_cast<PyObject*>(o);
}

// ---- named results -----------------------------------------------------------------------------

/// torch.return_types.max(\nvalues=tensor(...),\nindices=tensor(...))
PyObject* named_repr(PyObject* self) {
  Object text(PyUnicode_FromFormat("%s(", Py_TYPE(self)->tp_name));
  for (Py_ssize_t i = 0; text && i < PyTuple_GET_SIZE(self); ++i) {
    const char* field = Py_TYPE(self)->tp_members[i].name;
    text = Object(PyUnicode_FromFormat("%U\n%s=%R%s", text.get(), field, PyTuple_GET_ITEM(self, i),
                                       i + 1 < PyTuple_GET_SIZE(self) ? "," : ")"));
  }
  return text.release();
}

PyObject* g_return_types;

/// The type of "(Tensor values, Tensor indices)": named after the op; null when the results have no names.
PyTypeObject* named_result(const OpInfo& op) {
  std::string_view rest = op.schema.returns;
  if (rest.front() != '(' || rest.find(' ') == rest.npos) return nullptr;
  static std::deque<std::string> names;
  static std::deque<std::vector<PyStructSequence_Field>> fields;
  std::vector<PyStructSequence_Field> found;
  rest = rest.substr(1, rest.size() - 2);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    std::string_view one = rest.substr(0, comma);
    if (one.front() == ' ') one.remove_prefix(1);
    if (one.find(' ') == one.npos) return nullptr;
    found.push_back({names.emplace_back(one.substr(one.rfind(' ') + 1)).c_str(), nullptr});
    rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
  }
  const int n = static_cast<int>(found.size());
  found.push_back({nullptr, nullptr});
  std::string name(op.schema.name);
  if (name.starts_with('_')) name = name.substr(1);
  auto& kept = fields.emplace_back(std::move(found));
  PyStructSequence_Desc d{names.emplace_back("torch.return_types." + name).c_str(), nullptr, kept.data(), n};
  PyTypeObject* type = PyStructSequence_NewType(&d);
  if (!type) throw PythonError{};
  type->tp_repr = named_repr;
  PyType_Modified(type);
  check(PyObject_SetAttrString(g_return_types, name.c_str(), reinterpret_cast<PyObject*>(type)));
  return type;
}

// ---- building the tables -----------------------------------------------------------------------

Value list_default(const SchemaArg& a, std::string_view text) {
  static std::deque<std::vector<int64_t>> lists;
  auto& l = lists.emplace_back();
  std::string digits;
  for (char c : text) {
    if (c == '-' || (c >= '0' && c <= '9')) digits += c;
    else if (!digits.empty()) l.push_back(std::stoll(digits)), digits.clear();
  }
  if (!digits.empty()) l.push_back(std::stoll(digits));
  if (text.front() != '[' && a.list_size > 1) l.resize(static_cast<size_t>(a.list_size), l.at(0));
  return box(IntList(l));
}
Value default_value(const SchemaArg& a) {
  const std::string_view t = a.default_text;
  if (t == "None") return Value();
  if (t == "True" || t == "False") return box(t == "True");
  if (t.front() == '\'') return box(Str(t.data() + 1, t.size() - 2));
  if (a.type == ArgType::IntList || a.type == ArgType::OptIntList) return list_default(a, t);
  const std::string text(t);
  const bool real = text.find_first_of(".e") != text.npos || a.type == ArgType::Float || a.type == ArgType::OptFloat;
  return real ? box(std::stod(text)) : box(static_cast<int64_t>(std::stoll(text)));
}

Overload make_overload(const OpInfo& op, bool in_place) {
  Overload o;
  o.op = &op;
  o.named_result = named_result(op);
  o.takes_out = !in_place && op.variants & kOut;
  bool tensors = false;
  for (int i = 0; i < op.schema.count; ++i) {
    const SchemaArg& a = op.schema.args[static_cast<size_t>(i)];
    const std::string_view name = a.name == "self" ? "input" : a.name;
    PyObject* n = check(PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size())));
    PyUnicode_InternInPlace(&n);
    o.args.push_back({a.type, a.keyword_only, a.has_default, a.list_of_one, a.list_size, n, a.has_default ? default_value(a) : Value(),
                      a.default_text});
    o.positional += !a.keyword_only;
    o.required += !a.has_default;
    tensors |= a.type == ArgType::Tensor || a.type == ArgType::TensorList;
    if (a.type == ArgType::OptDevice && op.kind == Kind::Creation) o.device = i;
  }
  if (tensors) o.device = -1;
  return o;
}

std::unordered_map<std::string_view, Family*>& families() {
  static auto* map = new std::unordered_map<std::string_view, Family*>;
  return *map;
}

struct Made { Family* family; uint8_t home; };
std::vector<Made> make_families() {
  std::vector<Made> made;
  std::unordered_map<std::string_view, size_t> at;
  auto add = [&](const OpInfo& op, bool in_place) {
    std::string name = std::string(op.name()) + (in_place ? "_" : "");
    auto found = at.find(name);
    if (found == at.end()) {
      auto* f = new Family{std::move(name), in_place, {}};
      found = at.emplace(f->name, made.size()).first;
      made.push_back({f, 0});
      families()[f->name] = f;
    }
    Made& m = made[found->second];
    m.family->overloads.push_back(make_overload(op, in_place));
    m.home |= op.home;
  };
  for (const OpInfo* op : all_ops()) {
    add(*op, false);
    if (!op->in_place && op->variants & kInPlace) add(*op, true);
  }
  return made;
}

}  // namespace

// ---- calls from the rest of the binding --------------------------------------------------------

Family* find_family(std::string_view name) {
  auto it = families().find(name);
  return it == families().end() ? nullptr : it->second;
}
PyObject* call_op(std::string_view name, PyObject* const* args, size_t n, PyObject* kwnames) {
  const Family* f = find_family(name);
  if (!f) {
    PyErr_Format(PyExc_NotImplementedError, "Bolide has no op '%s' yet", std::string(name).c_str());
    return nullptr;
  }
  return call_family(*f, f->function, Given{args, n, kwnames}, false);
}
PyObject* OpRef::call(PyObject* const* args, size_t n) {
  if (!family) [[unlikely]] {
    family = find_family(name);
    if (!family) {
      PyErr_Format(PyExc_NotImplementedError, "Bolide has no op '%s' yet", name);
      return nullptr;
    }
  }
  return call_family(*family, family->method, Given{args, n, nullptr}, true);
}

void init_binder(PyObject* m) {
  check(PyType_Ready(&OpType));
  Object ops(check(PyModule_New("bolide._C._ops")));
  g_return_types = check(PyModule_New("bolide.return_types"));
  for (const auto& [f, home] : make_families()) {
    f->function = make_op(f, false);
    f->method = make_op(f, true);
    check(PyObject_SetAttrString(ops.get(), f->name.c_str(), f->function));
    if (home & kFunction && f->name.find("__") == f->name.npos) check(PyObject_SetAttrString(m, f->name.c_str(), f->function));
    if (home & kMethod) check(PyDict_SetItemString(TensorType.tp_dict, f->name.c_str(), f->method));
  }
  PyType_Modified(&TensorType);
  check(PyModule_AddObjectRef(m, "_ops", ops.get()));
  check(PyModule_AddObjectRef(m, "_return_types", g_return_types));
}

}  // namespace bolide::python
