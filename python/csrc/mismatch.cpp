// Why a call fits no overload, in PyTorch's words. A single candidate is read again to name the argument; several are
// listed, those of the right length with the offending types marked.
#include <cstring>
#include <sstream>

#include "binder.h"

namespace bolide::python {

namespace {

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

const char* text_of(PyObject* unicode) { return PyUnicode_AsUTF8(unicode); }

/// One candidate as PyTorch prints it: (Tensor input, *, Number alpha = 1, Tensor out = None).
std::string signature_text(const Overload& o, bool method) {
  std::ostringstream s;
  s << "(";
  bool star = false, any = false, out = o.takes_out && !method;
  auto begin = [&] { s << (any ? ", " : ""), any = true; };
  auto put_star = [&] { if (!star) begin(), s << "*", star = true; };
  auto put_out = [&] {
    put_star();
    begin();
    s << (o.op->schema.returns.front() == '(' || o.op->schema.returns == "Tensor[]" ? "tuple of Tensors" : "Tensor") << " out = None";
    out = false;
  };
  for (size_t i = method; i < o.args.size(); ++i) {
    const Arg& a = o.args[i];
    if (a.keyword_only) put_star();
    if (out && a.keyword_only && o.device >= 0 && a.type == ArgType::OptDType) put_out();
    begin();
    s << type_text(a.type) << " " << text_of(a.name);
    if (!a.has_default) continue;
    const std::string d(a.default_text);
    if (d.front() == '\'') s << " = \"" << d.substr(1, d.size() - 2) << "\"";
    else s << " = " << (d == "None" || d != "[]" ? d : "None");
  }
  if (out) put_out();
  s << ")";
  return s.str();
}

/// Words that PyTorch counts when it compares lengths: every argument, the star, and out.
size_t words(const Overload& o, bool method) {
  bool star = o.takes_out && !method;
  for (const Arg& a : o.args) star |= a.keyword_only;
  return o.args.size() - method + star + (o.takes_out && !method);
}

bool fits_type(PyObject* o, const Arg& a) {
  Frame frame;
  Value v;
  try {
    return read(o, a, frame, v);
  } catch (...) {
    PyErr_Clear();
    return false;
  }
}

std::string given_text(const Given& g, bool method) {
  std::ostringstream s;
  s << "(";
  for (size_t i = method; i < g.n; ++i) s << (i > method ? ", " : "") << type_name(g.args[i]);
  for (size_t k = 0; k < g.keywords(); ++k)
    s << (k || g.n > method ? ", " : "") << text_of(g.keyword(k)) << "=" << type_name(g.keyword_value(k));
  s << ")";
  return s.str();
}

/// The types that were given, those that do not fit between exclamation marks.
std::string marked_text(const Overload& o, const Given& g, bool method) {
  std::ostringstream s;
  s << "(";
  auto put = [&](PyObject* value, const Arg* a) {
    const bool ok = a && fits_type(value, *a);
    s << (ok ? "" : "!") << type_name(value) << (ok ? "" : "!");
  };
  for (size_t i = method; i < g.n; ++i) {
    s << (i > method ? ", " : "");
    put(g.args[i], i < static_cast<size_t>(o.positional) ? &o.args[i] : nullptr);
  }
  for (size_t k = 0; k < g.keywords(); ++k) {
    const int i = find_keyword(o, g.keyword(k), method);
    s << (k || g.n > method ? ", " : "") << text_of(g.keyword(k)) << "=";
    put(g.keyword_value(k), i < 0 ? nullptr : &o.args[static_cast<size_t>(i)]);
  }
  s << ")";
  return s.str();
}

std::string unknown_keywords(const Overload& o, const Given& g, bool method) {
  std::string found;
  for (size_t k = 0; k < g.keywords(); ++k) {
    if (find_keyword(o, g.keyword(k), method) >= 0) continue;
    found += (found.empty() ? "" : ", ") + std::string(text_of(g.keyword(k)));
  }
  return found;
}

// ---- one candidate -----------------------------------------------------------------------------

[[noreturn]] void fail_count(const Family& f, const Overload& o, const Given& g, bool method) {
  const int most = o.positional - method, least = std::min(o.required - method, most), n = static_cast<int>(g.n) - method;
  if (least != most) fail<TypeError>(f.name, "() takes from ", least, " to ", most, " positional arguments but ", n, " were given");
  fail<TypeError>(f.name, "() takes ", most, " positional argument", most == 1 ? "" : "s", " but ", n, n == 1 ? " was" : " were", " given");
}

void check_keywords(const Family& f, const Overload& o, const Given& g, bool method) {
  for (size_t k = 0; k < g.keywords(); ++k) {
    const int i = find_keyword(o, g.keyword(k), method);
    const char* key = text_of(g.keyword(k));
    if (i >= 0 && static_cast<size_t>(i) < g.n) fail<TypeError>(f.name, "() got multiple values for argument '", key, "'");
    if (i < 0 && (method || !o.takes_out || std::strcmp(key, "out")))
      fail<TypeError>(f.name, "() got an unexpected keyword argument '", key, "'");
  }
}

void check_list(const Family& f, const Arg& a, PyObject* value, size_t at) {
  if (a.type != ArgType::TensorList && a.type != ArgType::OptTensorList) return;
  if (!PyTuple_Check(value) && !PyList_Check(value)) return;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(value, i);
    if (!is_tensor(item)) fail<TypeError>("expected Tensor as element ", i, " in argument ", at, ", but got ", type_name(item));
  }
  (void)f;
}

[[noreturn]] void fail_single(const Family& f, const Overload& o, const Given& g, bool method) {
  if (g.n > static_cast<size_t>(o.positional) && !takes_varargs(o, method)) fail_count(f, o, g, method);
  std::string missing;
  int lacks = 0;
  for (size_t i = method; i < o.args.size(); ++i) {
    const Arg& a = o.args[i];
    PyObject* value = i < g.n && !a.keyword_only ? g.args[i] : nullptr;
    bool keyword = false;
    for (size_t k = 0; k < g.keywords() && !value; ++k)
      if (find_keyword(o, g.keyword(k), method) == static_cast<int>(i)) value = g.keyword_value(k), keyword = true;
    if (!value) {
      if (!a.has_default) missing += str(lacks++ ? ", \"" : "\"", text_of(a.name), "\"");
      continue;
    }
    if (lacks || fits_type(value, a)) continue;
    if (i == method && !keyword && takes_varargs(o, method) && is_plain_int(value)) break;
    check_list(f, a, value, i - method);
    if (keyword) fail<TypeError>(f.name, "(): argument '", text_of(a.name), "' must be ", type_text(a.type), ", not ", type_name(value));
    fail<TypeError>(f.name, "(): argument '", text_of(a.name), "' (position ", i + 1 - method, ") must be ", type_text(a.type), ", not ",
                    type_name(value));
  }
  if (lacks) fail<TypeError>(f.name, "() missing ", lacks, " required positional argument", lacks == 1 ? "s" : "", ": ", missing);
  check_keywords(f, o, g, method);
  fail<TypeError>(f.name, "() received an invalid combination of arguments - got ", given_text(g, method), ", but expected ",
                  signature_text(o, method));
}

}  // namespace

void fail_arguments(const Family& f, const Given& g, bool method) {
  std::vector<const Overload*> likely;
  const int n = static_cast<int>(g.n + g.keywords());
  for (const Overload& o : f.overloads) {
    const int most = static_cast<int>(o.args.size()) + (o.takes_out && !method);
    if (n >= o.required && n <= most) likely.push_back(&o);
  }
  if (f.overloads.size() == 1) fail_single(f, f.overloads.front(), g, method);
  if (likely.size() == 1) fail_single(f, *likely.front(), g, method);
  std::ostringstream s;
  s << f.name << "() received an invalid combination of arguments - got " << given_text(g, method) << ", but expected one of:\n";
  for (const Overload& o : f.overloads) {
    s << " * " << signature_text(o, method) << "\n";
    if (g.n - method + g.keywords() != words(o, method)) continue;
    const std::string unknown = unknown_keywords(o, g, method);
    if (!unknown.empty()) s << "      didn't match because some of the keywords were incorrect: " << unknown << "\n";
    else s << "      didn't match because some of the arguments have invalid types: " << marked_text(o, g, method) << "\n";
  }
  fail<TypeError>(s.str());
}

}  // namespace bolide::python
