// Map: limits | bytes | nodes | stack, marks, memo | names | calls | containers | protocols 0-1 | the loop | checks
#include <algorithm>
#include <bit>
#include <cstring>

#include "io/pickle.h"

namespace bolide::io {
namespace {

constexpr size_t kMaxDepth = 1000;        // Python's own pickler does not write deeper ones
constexpr size_t kMaxName = 4096;         // bytes of a module or of a name
constexpr uint64_t kMinKeyBudget = 10'000'000;

class Reader {
 public:
  Reader(std::string_view bytes, const std::string& name, const PickleOptions& options)
      : begin_(bytes.data()), p_(begin_), end_(begin_ + bytes.size()), file_(name), options_(options),
        key_budget_(std::max<uint64_t>(kMinKeyBudget, 4 * bytes.size())) {
    add(PickleKind::None);
    true_ = add_integer(PickleKind::Bool, 1);
    false_ = add_integer(PickleKind::Bool, 0);
  }

  Pickle run() {
    while (step(static_cast<uint8_t>(*take(1)))) {}
    check_depth();
    out_.length = static_cast<size_t>(p_ - begin_);
    return std::move(out_);
  }

 private:
  // ---- errors ----
  template <class... A>
  [[noreturn, gnu::cold, gnu::noinline]] void fail(const A&... what) const {
    fail_as(FileError::Kind::Unpickling, what...);
  }
  template <class... A>
  [[noreturn, gnu::cold, gnu::noinline]] void fail_as(FileError::Kind kind, const A&... what) const {
    if (!options_.restricted) file_fail_as(kind, file_, what...);
    throw FileError(kind, str("Weights only load failed. ", file_, " holds something that weights_only=True does not accept, or it "
        "is damaged. With weights_only=False more files load, but then a file may run code: do that only with files "
        "from a source you trust.\nWeightsUnpickler error: ", what...));
  }

  // ---- bytes ----
  const char* take(uint64_t n) {
    if (n > static_cast<uint64_t>(end_ - p_)) [[unlikely]] {
      if (p_ == end_) fail_as(FileError::Kind::EndOfFile, "Ran out of input: the pickle has no end");
      fail_as(FileError::Kind::EndOfFile, "pickle data was truncated: ", n, " bytes are needed, ", end_ - p_, " are left");
    }
    const char* at = p_;
    p_ += n;
    return at;
  }
  uint64_t number(int n) {
    const char* b = take(static_cast<uint64_t>(n));
    uint64_t v = 0;
    for (int i = 0; i < n; ++i) v |= uint64_t{static_cast<uint8_t>(b[i])} << (8 * i);
    return v;
  }
  std::string_view view(uint64_t n) { return {take(n), n}; }
  std::string_view line() {
    const void* newline = p_ == end_ ? nullptr : std::memchr(p_, '\n', static_cast<size_t>(end_ - p_));
    if (!newline) fail_as(FileError::Kind::EndOfFile, "pickle data was truncated: a line has no end");
    const std::string_view text(p_, static_cast<size_t>(static_cast<const char*>(newline) - p_));
    p_ += text.size() + 1;
    return text;
  }

  // ---- nodes ----
  PickleId add(PickleKind kind) {
    if (out_.nodes.size() >= 0xFFFFFFF0u) fail("more than four thousand million values");
    PickleNode n;
    n.kind = kind;
    n.integer = 0;
    out_.nodes.push_back(n);
    return static_cast<PickleId>(out_.nodes.size() - 1);
  }
  PickleId add_integer(PickleKind kind, int64_t v) {
    const PickleId i = add(kind);
    out_.nodes[i].integer = v;
    return i;
  }
  PickleId add_text(PickleKind kind, std::string_view v) {
    const PickleId i = add(kind);
    out_.nodes[i].text = v.data();
    out_.nodes[i].size = v.size();
    return i;
  }
  PickleId add_body(PickleKind kind) {
    const PickleId i = add(kind);
    out_.nodes[i].body = static_cast<uint32_t>(out_.bodies.size());
    out_.bodies.emplace_back();
    return i;
  }
  PickleBody& body(PickleId i) { return out_.bodies[out_.nodes[i].body]; }
  void push_integer(int64_t v) {
    if (v < 0 || v >= 256) return push(add_integer(PickleKind::Int, v));
    PickleId& known = small_[static_cast<size_t>(v)];
    if (known == 0) known = add_integer(PickleKind::Int, v);
    push(known);
  }
  void push_long(std::string_view bytes) {
    while (bytes.size() > 1) {  // bytes that only repeat the sign
      const uint8_t last = static_cast<uint8_t>(bytes.back()), before = static_cast<uint8_t>(bytes[bytes.size() - 2]);
      if (last != (before & 128 ? 255 : 0)) break;
      bytes.remove_suffix(1);
    }
    if (bytes.size() > 8) return push(add_text(PickleKind::BigInt, bytes));
    uint64_t v = !bytes.empty() && (bytes.back() & 128) ? ~uint64_t{0} : 0;
    std::memcpy(&v, bytes.data(), bytes.size());
    push_integer(static_cast<int64_t>(v));
  }
  void push_float() {
    const char* b = take(8);
    uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | static_cast<uint8_t>(b[i]);
    const PickleId i = add(PickleKind::Float);
    out_.nodes[i].number = std::bit_cast<double>(bits);
    push(i);
  }

  // ---- stack, marks, memo ----
  void push(PickleId i) { stack_.push_back(i); }
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleId pop() {
    if (stack_.size() <= floor()) fail("unpickling stack underflow");
    const PickleId i = stack_.back();
    stack_.pop_back();
    return i;
  }
  PickleId top() {
    if (stack_.size() <= floor()) fail("unpickling stack underflow");
    return stack_.back();
  }
  std::vector<PickleId> pop_mark() {
    if (marks_.empty()) fail("could not find MARK");
    const auto at = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleId> items(at, stack_.end());
    stack_.erase(at, stack_.end());
    marks_.pop_back();
    return items;
  }
  void put(uint64_t at) {
    // A writer counts its entries, and an entry takes more than a byte.
    if (at > static_cast<uint64_t>(end_ - begin_)) fail("memo index ", at, " is out of range");
    if (at >= memo_.size()) memo_.resize(std::max<size_t>(at + 1, 2 * memo_.size()), kNoEntry);
    if (memo_[at] == kNoEntry) ++memo_count_;
    memo_[at] = top();
  }
  void get(uint64_t at) {
    if (at >= memo_.size() || memo_[at] == kNoEntry) fail("Memo value not found at index ", at);
    push(memo_[at]);
  }
  uint64_t text_index() {
    const std::string_view text = line();
    uint64_t v = 0;
    if (text.empty() || text.size() > 18) fail("a memo index that is no number");
    for (const char c : text) {
      if (c < '0' || c > '9') fail("a memo index that is no number");
      v = 10 * v + static_cast<uint64_t>(c - '0');
    }
    return v;
  }

  // ---- names ----
  void push_global(std::string_view module_text, std::string_view name_text) {
    if (module_text.size() > kMaxName || name_text.size() > kMaxName)
      fail("a GLOBAL of ", module_text.size() + name_text.size(), " bytes");
    std::string key = std::string(module_text) + '\n' + std::string(name_text);
    const auto known = globals_.find(key);
    if (known != globals_.end()) return push(known->second);
    PickleGlobal g{std::string(module_text), std::string(name_text), {}};
    modernise_global(g.module, g.name);
    g.full = g.module == "builtins" ? g.name : g.module + '.' + g.name;
    if (options_.restricted) check_allowed(g);
    const PickleId i = add(PickleKind::Global);
    out_.nodes[i].body = static_cast<uint32_t>(out_.globals.size());
    out_.globals.push_back(std::move(g));
    globals_.emplace(std::move(key), i);
    push(i);
  }
  bool allowed_by_user(const std::string& full) const { return options_.allowed && options_.allowed->contains(full); }
  void check_allowed(const PickleGlobal& g) const {
    const std::string_view package = std::string_view(g.module).substr(0, g.module.find('.'));
    if (package == "sys" || package == "os" || package == "posix" || package == "nt")
      fail("Trying to load unsupported GLOBAL ", g.full, " whose module ", g.module, " is blocked.");
    if (is_allowed_global(g.full) || allowed_by_user(g.full)) return;
    fail("Unsupported global: GLOBAL ", g.full, " was not an allowed global by default. Please use "
         "`torch.serialization.add_safe_globals([", g.full, "])` or the `torch.serialization.safe_globals([", g.full,
         "])` context manager to allow it, if you trust this class or function.");
  }
  void stack_global() {
    const PickleId name = pop(), module = pop();
    if (!out_.is(name, PickleKind::String) || !out_.is(module, PickleKind::String)) fail("STACK_GLOBAL requires str");
    push_global(out_[module].view(), out_[name].view());
  }

  // ---- calls ----
  // A tuple counts all tuples inside of it, as often as they occur: what hashing it costs.
  uint64_t weight(PickleId i) const {
    const auto it = weights_.find(i);
    return it == weights_.end() ? 1 : it->second;
  }
  void charge(uint64_t cost) {
    if (cost > key_budget_) fail("keys or arguments that repeat themselves without end");
    key_budget_ -= cost;
  }
  void charge_arguments(PickleId args) {
    charge(weight(args));
    for (const PickleId a : body(args).items)
      if (out_.is(a, PickleKind::List))
        for (const PickleId x : body(a).items) charge(weight(x));
  }
  void call(PickleKind kind, PickleId callable, PickleId args) {
    if (!out_.is(args, PickleKind::Tuple)) fail("the arguments of a call are no tuple");
    if (options_.restricted) check_callable(kind, callable);
    charge_arguments(args);
    const PickleId i = add_body(kind);
    body(i).callable = callable;
    body(i).args = args;
    push(i);
  }
  void check_callable(PickleKind kind, PickleId callable) const {
    if (!out_.is(callable, PickleKind::Global)) fail("Trying to call something that is no allowed function");
    const std::string& full = out_.global(callable).full;
    if (kind == PickleKind::New && full != "torch.nn.parameter.Parameter" && !allowed_by_user(full))
      fail("Trying to create new object for unrecognized class ", full);
  }
  void new_with_keywords() {
    const PickleId keywords = pop(), args = pop(), cls = pop();
    if (!out_.is(keywords, PickleKind::Dict)) fail("the keywords of a call are no dict");
    call(PickleKind::New, cls, args);
    body(top()).items.push_back(keywords);
  }
  void old_style(PickleId cls, std::vector<PickleId> args) {
    const PickleId tuple = make_tuple(std::move(args));
    call(PickleKind::Call, cls, tuple);
  }
  void persistent(PickleId id) {
    if (options_.restricted) {
      const bool ok = out_.is(id, PickleKind::Tuple) && !body(id).items.empty() &&
                      out_.is(body(id).items[0], PickleKind::String) && out_[body(id).items[0]].view() == "storage";
      if (!ok) fail("Only persistent_load of storage is allowed");
    }
    const PickleId i = add_body(PickleKind::Persistent);
    body(i).args = id;
    push(i);
  }
  void build() {
    const PickleId state = pop(), target = top();
    const PickleKind kind = out_[target].kind;
    const bool object = kind == PickleKind::Call || kind == PickleKind::New;
    if (options_.restricted && (!object || body(target).state != 0)) fail("Can only build state of objects, once");
    if (object) body(target).state = state;
    out_.changes.push_back({next(), target, PickleChange::Kind::Build, state, 1});
  }

  // ---- containers ----
  PickleId next() const { return static_cast<PickleId>(out_.nodes.size()); }
  PickleId make_tuple(std::vector<PickleId> items) {
    if (items.empty()) {
      if (empty_tuple_ == 0) empty_tuple_ = add_body(PickleKind::Tuple);
      return empty_tuple_;
    }
    uint64_t total = 1;
    for (const PickleId x : items) {
      const uint64_t w = weight(x);
      total = total > UINT64_MAX - w ? UINT64_MAX : total + w;
    }
    const PickleId i = add_body(PickleKind::Tuple);
    weights_.emplace(i, total);
    body(i).items = std::move(items);
    return i;
  }
  void push_short_tuple(size_t n) {
    std::vector<PickleId> items(n);
    for (size_t k = n; k-- > 0;) items[k] = pop();
    push(make_tuple(std::move(items)));
  }
  void change(PickleId target, PickleChange::Kind kind, const PickleId* items, size_t n) {
    std::vector<PickleId>& have = body(target).items;
    if (have.size() + n > 0xFFFFFFF0u) fail("a container with too many items");
    out_.changes.push_back({next(), target, kind, static_cast<uint32_t>(have.size()), static_cast<uint32_t>(n)});
    have.insert(have.end(), items, items + n);
  }
  bool is_object(PickleId i) const { return out_.is(i, PickleKind::Call) || out_.is(i, PickleKind::New); }
  void append(const PickleId* items, size_t n) {
    const PickleId target = top();
    if (!out_.is(target, PickleKind::List) && (options_.restricted || !is_object(target)))
      fail("Can only append to lists");
    change(target, PickleChange::Kind::Append, items, n);
  }
  void check_key(PickleId key) {
    switch (out_[key].kind) {
      case PickleKind::List: fail_as(FileError::Kind::Unpickling, "unhashable type: 'list'");
      case PickleKind::Dict: fail_as(FileError::Kind::Unpickling, "unhashable type: 'dict'");
      case PickleKind::Set: fail_as(FileError::Kind::Unpickling, "unhashable type: 'set'");
      case PickleKind::ByteArray: fail_as(FileError::Kind::Unpickling, "unhashable type: 'bytearray'");
      default: charge(weight(key));
    }
  }
  void set_items(const PickleId* items, size_t n) {
    const PickleId target = top();
    if (n % 2 != 0) fail("odd number of items for SETITEMS");
    const bool dict = out_.is(target, PickleKind::Dict) || out_.is_call(target, "collections.OrderedDict") ||
                      out_.is_call(target, "collections.Counter");
    if (!dict && (options_.restricted || !is_object(target))) fail("Can only set items of dictionaries");
    for (size_t i = 0; i < n; i += 2) check_key(items[i]);
    change(target, PickleChange::Kind::SetItems, items, n);
  }
  void add_items() {
    const std::vector<PickleId> items = pop_mark();
    if (!out_.is(top(), PickleKind::Set)) fail("Can only add to sets");
    for (const PickleId x : items) check_key(x);
    change(top(), PickleChange::Kind::Add, items.data(), items.size());
  }
  // LIST, DICT, FROZENSET: a container made with its items.
  void push_filled(PickleKind kind) {
    std::vector<PickleId> items = pop_mark();
    if (kind == PickleKind::Dict && items.size() % 2 != 0) fail("odd number of items for DICT");
    if (kind != PickleKind::List)
      for (size_t i = 0; i < items.size(); i += kind == PickleKind::Dict ? 2 : 1) check_key(items[i]);
    const PickleId i = add_body(kind);
    body(i).items = std::move(items);
    push(i);
  }
  void pop_any() {
    if (!marks_.empty() && stack_.size() == marks_.back()) marks_.pop_back();
    else pop();
  }

  // ---- the loop ----
  bool step(uint8_t op) {
    switch (op) {
      case '.': return stop();
      case 0x80: protocol(take(1)[0]); break;
      case '(': marks_.push_back(stack_.size()); break;
      case 'N': push(0); break;
      case 0x88: push(true_); break;
      case 0x89: push(false_); break;
      case 'J': push_integer(static_cast<int32_t>(number(4))); break;
      case 'K': push_integer(static_cast<int64_t>(number(1))); break;
      case 'M': push_integer(static_cast<int64_t>(number(2))); break;
      case 0x8a: push_long(view(number(1))); break;
      case 'G': push_float(); break;
      case 'X': push(add_text(PickleKind::String, view(number(4)))); break;
      case 'U': push(add_text(PickleKind::String, view(number(1)))); break;
      case 'c': { const auto module = line(), name = line(); push_global(module, name); break; }
      case ')': push(make_tuple({})); break;
      case 't': push(make_tuple(pop_mark())); break;
      case 0x85: case 0x86: case 0x87: push_short_tuple(op - 0x84u); break;
      case ']': push(add_body(PickleKind::List)); break;
      case '}': push(add_body(PickleKind::Dict)); break;
      case 0x8f: push(add_body(PickleKind::Set)); break;
      case 'a': { const PickleId x = pop(); append(&x, 1); break; }
      case 'e': { const auto items = pop_mark(); append(items.data(), items.size()); break; }
      case 's': { const PickleId v = pop(), k = pop(), kv[2] = {k, v}; set_items(kv, 2); break; }
      case 'u': { const auto items = pop_mark(); set_items(items.data(), items.size()); break; }
      case 'R': { const PickleId args = pop(), f = pop(); call(PickleKind::Call, f, args); break; }
      case 0x81: { const PickleId args = pop(), cls = pop(); call(PickleKind::New, cls, args); break; }
      case 'b': build(); break;
      case 'Q': persistent(pop()); break;
      case 'q': put(number(1)); break;
      case 'r': put(number(4)); break;
      case 'h': get(number(1)); break;
      case 'j': get(number(4)); break;
      default:
        if (options_.restricted) fail("Unsupported operand ", int{op});
        step_full(op);
    }
    return true;
  }
  // Opcodes that weights_only does not take.
  void step_full(uint8_t op) {
    switch (op) {
      case '0': pop_any(); break;
      case '1': pop_mark(); break;
      case '2': push(top()); break;
      case 'F': case 'I': case 'L': case 'S': case 'V': push(add_text(PickleKind::Other, line())); break;
      case 'T': push(add_text(PickleKind::String, view(number(4)))); break;
      case 'B': push(add_text(PickleKind::Bytes, view(number(4)))); break;
      case 'C': push(add_text(PickleKind::Bytes, view(number(1)))); break;
      case 0x8b: push_long(view(long_size())); break;
      case 0x8c: push(add_text(PickleKind::String, view(number(1)))); break;
      case 0x8d: push(add_text(PickleKind::String, view(number(8)))); break;
      case 0x8e: push(add_text(PickleKind::Bytes, view(number(8)))); break;
      case 0x96: push(add_text(PickleKind::ByteArray, view(number(8)))); break;
      case 'P': persistent(add_text(PickleKind::String, line())); break;
      case 'l': push_filled(PickleKind::List); break;
      case 'd': push_filled(PickleKind::Dict); break;
      case 0x90: add_items(); break;
      case 0x91: push_filled(PickleKind::FrozenSet); break;
      case 0x92: new_with_keywords(); break;
      case 0x93: stack_global(); break;
      case 0x94: put(memo_count_); break;
      case 0x95: if (number(8) > static_cast<uint64_t>(end_ - p_)) fail("a frame is longer than the pickle"); break;
      case 'p': put(text_index()); break;
      case 'g': get(text_index()); break;
      case 'i': instance(); break;
      case 'o': object(); break;
      case 0x82: case 0x83: case 0x84: fail("extension codes are not supported");
      case 0x97: case 0x98: fail("pickle stream refers to out-of-band data");
      default: fail("invalid load key ", int{op});
    }
  }
  bool stop() {
    if (!marks_.empty()) fail("a MARK is left over at the end");
    out_.root = pop();
    return false;
  }
  void protocol(char version) {
    const int v = static_cast<uint8_t>(version);
    if (v > 5) fail_as(FileError::Kind::Value, "unsupported pickle protocol: ", v);
  }
  uint64_t long_size() {
    const uint64_t n = number(4);
    if (n >> 31) fail("LONG pickle has negative byte count");
    return n;
  }
  void instance() {
    const auto module = line(), name = line();
    std::vector<PickleId> args = pop_mark();
    push_global(module, name);
    old_style(pop(), std::move(args));
  }
  void object() {
    std::vector<PickleId> args = pop_mark();
    if (args.empty()) fail("OBJ without a class");
    const PickleId cls = args[0];
    args.erase(args.begin());
    old_style(cls, std::move(args));
  }

  // ---- checks of the whole ----
  // Walks every value once, in depth; what refers back to itself is not followed again.
  void check_depth() {
    struct Place { PickleId node; uint32_t child; };
    std::vector<bool> seen(out_.nodes.size());
    std::vector<Place> path{{out_.root, 0}};
    seen[out_.root] = true;
    while (!path.empty()) {
      Place& at = path.back();
      PickleId child = 0;
      if (!child_of(at.node, at.child++, child)) {
        path.pop_back();
      } else if (!seen[child] && out_[child].kind >= PickleKind::List && out_[child].kind != PickleKind::Global) {
        seen[child] = true;
        if (path.size() >= kMaxDepth) fail("values are nested deeper than ", kMaxDepth, " levels");
        path.push_back({child, 0});
      }
    }
  }
  bool child_of(PickleId i, uint32_t k, PickleId& child) const {
    if (out_[i].kind < PickleKind::List || out_[i].kind == PickleKind::Global) return false;
    const PickleBody& b = out_.body(i);
    if (k < 3) child = k == 0 ? b.callable : k == 1 ? b.args : b.state;
    else if (k - 3 < b.items.size()) child = b.items[k - 3];
    else return false;
    return true;
  }

  static constexpr PickleId kNoEntry = 0xFFFFFFFF;
  const char *begin_, *p_, *end_;
  const std::string& file_;
  const PickleOptions& options_;
  uint64_t key_budget_;
  Pickle out_;
  std::vector<PickleId> stack_, memo_;
  std::vector<size_t> marks_;
  std::unordered_map<PickleId, uint64_t> weights_;  // of tuples that are not empty
  std::unordered_map<std::string, PickleId> globals_;
  size_t memo_count_ = 0;
  PickleId true_ = 0, false_ = 0, empty_tuple_ = 0;
  PickleId small_[256] = {};
};

}  // namespace

Pickle read_pickle(std::string_view bytes, const std::string& name, const PickleOptions& options) {
  return Reader(bytes, name, options).run();
}

}  // namespace bolide::io
