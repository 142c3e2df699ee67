// NamedOp: an op called by its name, with Python's defaults for arguments that are left out. For ops that C++ users have
// no declaration of in bolide/ops.h.
#pragma once
#include "core/registry.h"

namespace bolide {

class NamedOp {
 public:
  explicit constexpr NamedOp(const char* name) : name_(name) {}
  template <class... A>
  Tensor operator()(const A&... args) const { return call<Tensor>(args...); }
  /// For ops that give several tensors: `lstm.call<std::tuple<Tensor, Tensor, Tensor>>(...)`.
  template <class R, class... A>
  R call(const A&... args) const {
    const Value given[] = {boxed(args)..., Value()};
    Result r = run({given, sizeof...(A)}, nullptr);
    return take<R>(r);
  }
  /// The in-place form: writes `self`.
  template <class... A>
  Tensor in_place(const Tensor& self, const A&... args) const {
    const Value given[] = {box(self), boxed(args)...};
    run({given, sizeof...(A) + 1}, &self);
    return self;
  }

 private:
  static Value boxed(int v) { return box(int64_t{v}); }
  static Value boxed(std::nullopt_t) { return {}; }
  static Value boxed(const std::string& v) { return box(Str(v)); }
  static Value boxed(const char* v) { return box(Str(v)); }
  static Value boxed(const std::vector<Tensor>& v) { return box(TensorList(v)); }
  static Value boxed(const std::vector<int64_t>& v) { return box(IntList(v)); }
  static Value boxed(const Dims& v) { return box(IntList(v)); }
  template <class T>
  static Value boxed(const T& v) { return box(v); }
  Result run(std::span<const Value> given, const Tensor* in_place) const;
  const char* name_;
};

}  // namespace bolide
