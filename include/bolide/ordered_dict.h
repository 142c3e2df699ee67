// OrderedDict: names and values in the order in which they were added.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bolide/error.h"

namespace bolide {

/// A dictionary that keeps its order; made for a module's few names: lookups walk the list. Items read as pairs
/// (`for (const auto& [name, tensor] : dict)`) and as `item.key()`, `item.value()`.
template <class Value>
class NamedList {
 public:
  struct Item : std::pair<std::string, Value> {
    using std::pair<std::string, Value>::pair;
    const std::string& key() const { return this->first; }
    Value& value() { return this->second; }
    const Value& value() const { return this->second; }
    const Value& operator*() const { return this->second; }
    const Value* operator->() const { return &this->second; }
  };
  using iterator = typename std::vector<Item>::iterator;
  using const_iterator = typename std::vector<Item>::const_iterator;

  NamedList() = default;
  NamedList(std::initializer_list<Item> items) { for (const Item& i : items) insert(i.first, i.second); }

  iterator begin() { return items_.begin(); }
  iterator end() { return items_.end(); }
  const_iterator begin() const { return items_.begin(); }
  const_iterator end() const { return items_.end(); }
  size_t size() const { return items_.size(); }
  bool is_empty() const { return items_.empty(); }
  bool empty() const { return items_.empty(); }
  const std::vector<Item>& items() const { return items_; }
  void reserve(size_t n) { items_.reserve(n); }
  void clear() { items_.clear(); }
  const Item& front() const { return items_.front(); }
  const Item& back() const { return items_.back(); }

  /// The value of `name`, or null.
  Value* find(std::string_view name) {
    const size_t i = position(name);
    return i < size() ? &items_[i].second : nullptr;
  }
  const Value* find(std::string_view name) const { return const_cast<NamedList*>(this)->find(name); }
  bool contains(std::string_view name) const { return find(name); }
  /// Throws when there is none.
  Value& operator[](std::string_view name) {
    Value* v = find(name);
    BOLIDE_CHECK_AS(IndexError, v, "No such key: '", name, "'");
    return *v;
  }
  const Value& operator[](std::string_view name) const { return (*const_cast<NamedList*>(this))[name]; }
  Item& operator[](size_t i) { return items_.at(i); }
  const Item& operator[](size_t i) const { return items_.at(i); }

  /// Adds at the end. Throws when the name is taken.
  Value& insert(std::string name, Value value) {
    BOLIDE_CHECK(!contains(name), "Key '", name, "' already defined");
    return items_.emplace_back(std::move(name), std::move(value)).second;
  }
  /// Adds at the end without looking whether the name is taken.
  Value& emplace_back(std::string name, Value value) { return items_.emplace_back(std::move(name), std::move(value)).second; }
  /// Replaces the value, or adds it.
  Value& set(std::string name, Value value) {
    if (Value* v = find(name)) return *v = std::move(value);
    return emplace_back(std::move(name), std::move(value));
  }
  void erase(std::string_view name) {
    const size_t i = position(name);
    BOLIDE_CHECK_AS(IndexError, i < size(), "No such key: '", name, "'");
    items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  /// Adds all of `other`; names that are taken throw.
  void update(const NamedList& other) { for (const Item& i : other) insert(i.first, i.second); }

  std::vector<std::string> keys() const {
    std::vector<std::string> k;
    for (const Item& i : items_) k.push_back(i.first);
    return k;
  }
  std::vector<Value> values() const {
    std::vector<Value> v;
    v.reserve(size());
    for (const Item& i : items_) v.push_back(i.second);
    return v;
  }

 private:
  size_t position(std::string_view name) const {
    size_t i = 0;
    while (i < size() && items_[i].first != name) ++i;
    return i;
  }
  std::vector<Item> items_;
};

/// PyTorch's spelling; keys are always strings.
template <class Key, class Value>
using OrderedDict = NamedList<Value>;

class Tensor;
/// Names and tensors in order: a state dict.
using TensorDict = NamedList<Tensor>;

}  // namespace bolide
