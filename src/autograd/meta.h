// AutogradMeta: what only tensors with a part in a graph carry.
#pragma once
#include "autograd/node.h"

namespace bolide {

struct AutogradMeta {
  Ref<Node> grad_fn;
  uint32_t slot = 0;
  uint32_t view_version = 0;     // of a view: the storage's version that grad_fn belongs to
  bool retains_grad = false;
  uint64_t retain_id = 0;
  Tensor grad;
  Node* accumulator = nullptr;   // not owned: the graph does
  std::vector<Hook> hooks;       // of a leaf
  std::vector<std::pair<uint64_t, std::function<void(const Tensor&)>>> post_accumulate;
};

AutogradMeta& meta_of(TensorImpl* t);  // makes it when missing
void delete_meta(TensorImpl* t);
uint64_t next_hook_id();

}  // namespace bolide
