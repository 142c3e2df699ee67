// The engine of the software GPU.
// Map: device memory and its protection | fibers | a block's state | barriers and warps | faults | running a grid
#include "engine.h"

#include <signal.h>
#include <setjmp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <utility>

namespace softgpu {

// ---- device memory and its protection ----------------------------------------------------------------
// Each allocation is a mapping of its own between guard pages, filled with 0xFF: NaN for floats. The host cannot touch it
// but while a kernel or a copy runs: by a protection key where the processor has them, else by the pages' own rights.

namespace {
constexpr size_t kPage = 4096;
size_t pages(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }
int key() {
  static const int k = pkey_alloc(0, PKEY_DISABLE_ACCESS);
  return k;
}
std::map<char*, size_t>& mappings() {
  static auto* m = new std::map<char*, size_t>;
  return *m;
}
int g_access = 0;  // callers hold the driver's lock
void set_rights(bool open) {
  if (key() > 0) {
    pkey_set(key(), open ? 0 : PKEY_DISABLE_ACCESS);
    return;
  }
  for (const auto& [p, n] : mappings()) mprotect(p, n, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}
}  // namespace

DeviceAccess::DeviceAccess() {
  if (g_access++ == 0) set_rights(true);
}
DeviceAccess::~DeviceAccess() {
  if (--g_access == 0) set_rights(false);
}

void* map_device(size_t bytes) {
  const size_t n = pages(bytes);
  char* p = static_cast<char*>(mmap(nullptr, n + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (p == MAP_FAILED) return nullptr;
  char* data = p + kPage;
  if (key() > 0) pkey_mprotect(data, n, PROT_READ | PROT_WRITE, key());
  mappings()[data] = n;
  DeviceAccess open;
  std::memset(data, 0xFF, bytes);
  return data;
}
void unmap_device(void* p, size_t bytes) {
  mappings().erase(static_cast<char*>(p));
  munmap(static_cast<char*>(p) - kPage, pages(bytes) + 2 * kPage);
}

// ---- fibers --------------------------------------------------------------------------------------------

extern "C" void softgpu_switch(void** save, void* load);
__asm__(
    ".text\n.globl softgpu_switch\n.type softgpu_switch,@function\nsoftgpu_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size softgpu_switch, .-softgpu_switch\n");

namespace {

constexpr size_t kStack = 128 << 10;
enum class Status : uint8_t { Ready, Barrier, Warp, Done };

struct Snapshot { alignas(64) char values[32 * 64]; int users = 0; };

struct Fiber {
  void* stack_pointer = nullptr;
  char* stack = nullptr;
  Status status = Status::Done;
  Thread where;
  void* site = nullptr;
  int predicate = 0, count = 0;
  unsigned mask = 0;
  alignas(64) char post[64];
  Snapshot* received = nullptr;
};

struct Machine {
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<std::unique_ptr<Snapshot>> snapshots;
  std::vector<Snapshot*> spare;
  std::vector<int> order;
  void* scheduler = nullptr;
  Fiber* now = nullptr;
  const Launch* launch = nullptr;
  std::vector<void*> args;
  std::string problem;
  sigjmp_buf fault;
  bool running = false;
  std::mt19937 random{1};

  Fiber& at(size_t i) {
    while (fibers.size() <= i) {
      auto f = std::make_unique<Fiber>();
      f->stack = static_cast<char*>(mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
      mprotect(f->stack, kPage, PROT_NONE);  // an overflow is a fault
      fibers.push_back(std::move(f));
    }
    return *fibers[i];
  }
};
thread_local Machine* t_machine = nullptr;
Machine& machine() {
  if (!t_machine) t_machine = new Machine;
  return *t_machine;
}

void yield() {
  Machine& m = *t_machine;
  softgpu_switch(&m.now->stack_pointer, m.scheduler);
}

[[noreturn]] void body() {
  Machine& m = *t_machine;
  m.launch->call(m.args.data());
  m.now->status = Status::Done;
  yield();
  __builtin_unreachable();
}

void prepare(Fiber& f) {
  // as if softgpu_switch had been called from the entry: six saved registers and a return address, stack aligned for a call
  void** top = reinterpret_cast<void**>(f.stack + kStack - 64);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&body);
  top -= 6;
  std::memset(top, 0, 6 * sizeof(void*));
  f.stack_pointer = top;
  f.status = Status::Ready;
  f.received = nullptr;
}

// ---- barriers and warps ----------------------------------------------------------------------------------

void barrier(void* site, int predicate, int* count) {
  Fiber* me = t_machine->now;
  me->status = Status::Barrier, me->site = site, me->predicate = predicate;
  yield();
  if (count) *count = me->count;
}

const char* exchange(unsigned mask, const void* value, int bytes, void* site) {
  Machine& m = *t_machine;
  Fiber* me = m.now;
  if (me->received && --me->received->users == 0) m.spare.push_back(me->received);
  me->received = nullptr;
  std::memcpy(me->post, value, static_cast<size_t>(bytes));
  me->status = Status::Warp, me->mask = mask, me->site = site;
  if (!(mask >> me->where.lane & 1)) m.problem = "a warp operation whose mask does not name the calling lane";
  yield();
  return me->received->values;
}

void trap(const char* why) {
  t_machine->problem = why;
  siglongjmp(t_machine->fault, 2);
}

std::string place(const Machine& m) {
  const Thread& t = m.now->where;
  const Block& b = *m.launch->image->block;
  return " in kernel " + m.launch->name + ", block (" + std::to_string(b.block.x) + "," + std::to_string(b.block.y) + "," +
         std::to_string(b.block.z) + "), thread (" + std::to_string(t.thread.x) + "," + std::to_string(t.thread.y) + "," +
         std::to_string(t.thread.z) + ")";
}

/// Lets a full barrier go. False when it cannot: threads wait at different barriers.
bool release_barrier(Machine& m, size_t n) {
  void* site = nullptr;
  int count = 0;
  for (size_t i = 0; i < n; ++i) {
    const Fiber& f = *m.fibers[i];
    if (f.status == Status::Done) continue;
    if (f.status != Status::Barrier) return false;
    if (site && f.site != site) {
      m.problem = "threads of a block wait at different barriers";
      return false;
    }
    site = f.site;
    count += f.predicate;
  }
  for (size_t i = 0; i < n; ++i)
    if (m.fibers[i]->status == Status::Barrier) m.fibers[i]->status = Status::Ready, m.fibers[i]->count = count;
  return site;
}

/// Lets every complete group of a warp go: all lanes of a mask have posted with that mask.
bool release_warps(Machine& m, size_t n) {
  bool any = false;
  for (size_t w = 0; w < n; w += 32) {
    const size_t lanes = std::min<size_t>(32, n - w);
    for (size_t i = 0; i < lanes; ++i) {
      const Fiber& first = *m.fibers[w + i];
      if (first.status != Status::Warp) continue;
      const unsigned mask = lanes < 32 ? first.mask & ((1u << lanes) - 1) : first.mask;
      bool complete = true;
      for (size_t k = 0; k < lanes && complete; ++k)
        if (mask >> k & 1) {
          const Fiber& f = *m.fibers[w + k];
          complete = f.status == Status::Warp && f.mask == first.mask;
        }
      if (!complete) continue;
      if (m.spare.empty()) m.snapshots.push_back(std::make_unique<Snapshot>()), m.spare.push_back(m.snapshots.back().get());
      Snapshot* s = m.spare.back();
      m.spare.pop_back();
      s->users = 0;
      std::memset(s->values, 0xFF, sizeof s->values);
      for (size_t k = 0; k < lanes; ++k)
        if (mask >> k & 1) {
          Fiber& f = *m.fibers[w + k];
          std::memcpy(s->values + 64 * k, f.post, 64);
          f.received = s, ++s->users, f.status = Status::Ready;
        }
      any = true;
    }
  }
  return any;
}

void run_block(Machine& m, size_t n, Order order) {
  for (size_t i = 0; i < n; ++i) prepare(*m.fibers[i]);
  Thread** now = m.launch->image->thread;
  while (true) {
    size_t done = 0;
    if (order == Order::Random) std::shuffle(m.order.begin(), m.order.begin() + static_cast<long>(n), m.random);
    for (size_t k = 0; k < n; ++k) {
      Fiber& f = *m.fibers[static_cast<size_t>(m.order[k])];
      if (f.status == Status::Ready) {
        m.now = &f;
        *now = &f.where;
        softgpu_switch(&m.scheduler, f.stack_pointer);
        if (!m.problem.empty()) return;
      }
      done += f.status == Status::Done;
    }
    if (done == n) break;
    if (release_warps(m, n) || release_barrier(m, n)) continue;
    if (m.problem.empty()) m.problem = "threads wait for each other for ever (a divergent barrier, or a mask that names an absent lane)";
    m.problem += place(m);
    return;
  }
  for (size_t i = 0; i < n; ++i)
    if (Snapshot* s = std::exchange(m.fibers[i]->received, nullptr); s && --s->users == 0) m.spare.push_back(s);
}

// ---- faults ------------------------------------------------------------------------------------------------

struct sigaction g_before[32];
void on_fault(int signal, siginfo_t* info, void* context) {
  if (t_machine && t_machine->running) {
    char address[32];
    snprintf(address, sizeof address, "%p", info->si_addr);
    t_machine->problem = std::string(signal == SIGFPE ? "a division fault" : "an illegal address ") + (signal == SIGFPE ? "" : address);
    siglongjmp(t_machine->fault, 1);
  }
  const struct sigaction& before = g_before[signal];
  if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  sigaction(signal, &before, nullptr);  // the fault happens again, with its usual end
}

void catch_faults() {
  static const bool once = [] {
    for (int s : {SIGSEGV, SIGBUS, SIGFPE}) {
      struct sigaction a = {};
      a.sa_sigaction = on_fault, a.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
      sigaction(s, &a, &g_before[s]);
    }
    return true;
  }();
  (void)once;
}

void run_blocks(Machine& m, const Launch& l, Order order) {
  const size_t n = static_cast<size_t>(l.block.x) * l.block.y * l.block.z;
  m.order.resize(std::max(m.order.size(), n));
  for (size_t i = 0; i < n; ++i) {
    Fiber& f = m.at(i);
    const auto t = static_cast<unsigned>(i);
    f.where = {{t % l.block.x, t / l.block.x % l.block.y, t / l.block.x / l.block.y}, t % 32};
    m.order[i] = static_cast<int>(order == Order::High ? n - 1 - i : i);
  }
  Block& b = *l.image->block;
  b.block_dim = l.block, b.grid_dim = l.grid;
  std::vector<char> dynamic(l.dynamic_shared + 64);
  b.dynamic_shared = dynamic.data() + (64 - reinterpret_cast<uintptr_t>(dynamic.data()) % 64) % 64;
  for (unsigned z = 0; z < l.grid.z; ++z)
    for (unsigned y = 0; y < l.grid.y; ++y)
      for (unsigned x = 0; x < l.grid.x; ++x) {
        b.block = {x, y, z};
        std::memset(l.image->shared_begin, 0xFF, static_cast<size_t>(l.image->shared_end - l.image->shared_begin));
        std::memset(dynamic.data(), 0xFF, dynamic.size());
        run_block(m, n, order);
        if (!m.problem.empty()) return;
      }
}

}  // namespace

const Runtime& runtime() {
  static const Runtime r{&barrier, &exchange, &trap};
  return r;
}

Order order_from_environment() {
  const char* v = std::getenv("SOFTGPU_ORDER");
  return !v || !std::strcmp(v, "low") ? Order::Low : !std::strcmp(v, "high") ? Order::High : Order::Random;
}

std::string run(const Launch& l, Order order) {
  catch_faults();
  Machine& m = machine();
  m.launch = &l;
  m.problem.clear();
  m.args.clear();
  for (const auto& a : l.args) m.args.push_back(const_cast<char*>(a.data()));
  DeviceAccess open;
  if (sigsetjmp(m.fault, 1) == 0) {
    m.running = true;
    run_blocks(m, l, order);
  } else if (m.now) {
    set_rights(true);  // a signal changes the protection key
    m.problem += place(m);
    for (auto& f : m.fibers) f->received = nullptr;
    m.spare.clear();
    m.snapshots.clear();
  }
  m.running = false;
  return m.problem;
}

}  // namespace softgpu
