// How modules are written: numbers, sizes and words as Python writes them.
#pragma once
#include <typeinfo>

#include "bolide/nn/module.h"
#include "bolide/nn/options.h"

namespace bolide::nn::detail {

/// A class's name without namespaces and without the ending Impl.
std::string class_name(const std::type_info& type);
/// "Name(extra)", or one line for each child.
std::string module_text(const std::string& name, const std::string& extra, const std::vector<std::string>& children);
/// What operator<< writes.
std::string repr(const Module& module);
/// "(name): ..." with the following lines indented.
std::string child_text(const std::string& name, const Module& child);

std::string py(double v);  // 0.1, 1e-05, 2.0, inf
inline std::string py(bool v) { return v ? "True" : "False"; }
inline std::string py(int64_t v) { return std::to_string(v); }
inline std::string py(const std::string& v) { return "'" + v + "'"; }
std::string py(IntList v);  // (2, 3), (2,)
template <class T>
std::string py(const std::optional<T>& v) { return v ? py(*v) : "None"; }
template <size_t D>
std::string py(const Sizes<D>& v) { return v.given_as_one() ? py(v[0]) : py(IntList(v)); }
std::string py(std::span<const std::optional<int64_t>> v);
std::string py(const IValue& v);
template <size_t D>
std::string py(const OptSizes<D>& v) {
  return v.given_as_one() ? py(v[0]) : py(std::span<const std::optional<int64_t>>(v.begin(), D));
}

}  // namespace bolide::nn::detail
