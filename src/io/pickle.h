// Pickles as data: a reader that runs nothing and yields a flat list of values, and a writer of protocol 2.
//
// A Pickle is a list of nodes in the order in which the stream makes them, plus the list of changes (items added,
// state set) with their place in that order. So a consumer may replay it in one loop, without recursion, or look at
// the finished values through `body`. Strings are views of the bytes that were read: those must stay.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "io/file.h"

namespace bolide::io {

using PickleId = uint32_t;

enum class PickleKind : uint8_t {
  None, Bool, Int, BigInt, Float, String, Bytes, ByteArray,
  Other,  // text forms of numbers and strings (protocol 0): kept unread
  List, Tuple, Dict, Set, FrozenSet,
  Global,      // a name: module and name
  Call,        // callable(*args)
  New,         // callable.__new__(callable, *args)
  Persistent,  // a reference to something outside: args is its id, a tuple ('storage', ...)
};

struct PickleNode {
  PickleKind kind = PickleKind::None;
  uint32_t body = 0;  // index into bodies (containers, calls) or globals
  union {
    int64_t integer;
    double number;
    const char* text;  // String, Bytes; BigInt: little-endian two's complement
  };
  uint64_t size = 0;  // of text
  std::string_view view() const { return {text, size}; }
};
static_assert(sizeof(PickleNode) == 24);

struct PickleBody {
  std::vector<PickleId> items;  // dicts: key, value, key, value
  PickleId callable = 0, args = 0, state = 0;
};
struct PickleGlobal { std::string module, name, full; };  // full: "module.name", of built-ins just the name

/// Something that happens to a node before node number `before` is made.
struct PickleChange {
  enum class Kind : uint8_t { Append, SetItems, Add, Build };
  PickleId before, target;
  Kind kind;
  uint32_t begin, count;  // items of the target's body; Build: begin is the state
};

struct Pickle {
  std::vector<PickleNode> nodes;  // number 0 is None
  std::vector<PickleBody> bodies;
  std::vector<PickleGlobal> globals;
  std::vector<PickleChange> changes;
  PickleId root = 0;
  size_t length = 0;  // bytes read

  const PickleNode& operator[](PickleId i) const { return nodes[i]; }
  const PickleBody& body(PickleId i) const { return bodies[nodes[i].body]; }
  const PickleGlobal& global(PickleId i) const { return globals[nodes[i].body]; }
  bool is(PickleId i, PickleKind k) const { return nodes[i].kind == k; }
  bool is_global(PickleId i, std::string_view full) const { return is(i, PickleKind::Global) && global(i).full == full; }
  /// A node that calls the global `full`.
  bool is_call(PickleId i, std::string_view full) const {
    return is(i, PickleKind::Call) && is_global(body(i).callable, full);
  }
};

struct PickleOptions {
  /// weights_only: the opcodes and names that PyTorch allows. Otherwise every opcode and every name is read (and
  /// still nothing is run).
  bool restricted = true;
  const std::unordered_set<std::string>* allowed = nullptr;  // further full names
};

/// Reads one pickle. `name` stands in errors. Throws FileError for damage, for what `options` forbid, and for
/// structures made to exhaust the reader: nesting beyond 1000, keys whose hash takes forever.
Pickle read_pickle(std::string_view bytes, const std::string& name, const PickleOptions& options = {});

/// Whether weights_only accepts this name without being told.
bool is_allowed_global(std::string_view full);
/// Python 2's name of a module or function in today's words: `__builtin__ xrange` is `builtins range`.
void modernise_global(std::string& module, std::string& name);

/// Appends opcodes of protocol 2 to a string.
class PickleWriter {
 public:
  PickleWriter();
  std::string finish();  // the whole pickle
  void none() { op('N'); }
  void boolean(bool v) { op(v ? '\x88' : '\x89'); }
  void integer(int64_t v);
  void number(double v);
  void string(std::string_view v);
  void global(std::string_view module, std::string_view name);
  void empty_dict() { op('}'); }
  void empty_list() { op(']'); }
  void empty_tuple() { op(')'); }
  void mark() { op('('); }
  void tuple() { op('t'); }      // of what stands after the mark
  void set_items() { op('u'); }  // keys and values after the mark
  void appends() { op('e'); }    // items after the mark, to the list before it
  void reduce() { op('R'); }
  void build() { op('b'); }      // sets the state of the object below it
  void persistent() { op('Q'); }
  void integers(const int64_t* v, size_t n);  // a tuple

 private:
  void op(char c) { out_.push_back(c); }
  void bytes(uint64_t v, int n);
  std::string out_;
  std::unordered_map<std::string, uint32_t> memo_;  // strings and names, by their opcodes
  bool recall(const std::string& key);
  void remember(const std::string& key);
};

}  // namespace bolide::io
