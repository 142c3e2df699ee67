// The engine's inner interface: what front ends ask of it beyond bolide/autograd.h.
#pragma once
#include "autograd/node.h"

namespace bolide {
/// Where the step that this thread's walk runs was recorded.
extern thread_local Site t_engine_site [[gnu::tls_model("initial-exec")]];
}

namespace bolide::autograd {

struct Request {
  std::vector<Edge> roots;      // where gradients enter, with
  std::vector<Tensor> grads;    // one gradient each
  std::vector<Edge> inputs;     // whose gradients are wanted; none: those of all leaves
  bool accumulate = false;      // wanted gradients go to .grad (of leaves, and of what retains it), not to the result
  bool keep_graph = false;
  bool create_graph = false;
};
/// Walks the graph. The result has one gradient for each input, undefined where none arrived.
std::vector<Tensor> run(Request request);

/// The gradient to start with at one output, checked; `given` may be undefined.
Tensor first_gradient(const TensorMeta& output, const Tensor& given, size_t position);

/// The walk that this thread is in: a number for each, -1 outside.
int64_t current_run();
/// Whether the current walk will run `n`, or has run it. Throws outside of a walk.
bool will_run(const Node& n);
/// Calls `f` at the end of the current walk.
void at_end(std::function<void()> f);
/// The step that is being run in this thread, or null.
Node* current_node();

/// Set by the Python front end: notes the stack at a step's birth; reports it when the step fails.
extern void (*anomaly_note)(Node& n);
extern void (*anomaly_report)(Node& n);
bool anomaly_checks_nan();

}  // namespace bolide::autograd
