// Views that replace the tensor's own layout: transpose_, squeeze_, ...
#include "autograd/call.h"
#include "bolide/ops.h"

namespace bolide {

namespace {
/// Gives `self` the layout and the history of a view of it.
const Tensor& adopt(const Tensor& self, const Tensor& view) {
  if (view.requires_grad()) check_in_place(self);
  self->sizes = view.sizes(), self->strides = view.strides(), self->offset = view.storage_offset();
  self->refresh();
  if (view.requires_grad()) set_history(self, gradient_edge(view).node, 0);
  return self;
}
}  // namespace

#define VIEW_IN_PLACE(Name, text, parameters, made)                                  \
  struct Name {                                                                      \
    static constexpr auto schema = text;                                             \
    static constexpr auto kind = Kind::Composed;                                     \
    static constexpr uint8_t home = kMethod;                                         \
    static Tensor forward parameters { return adopt(self, made); }                   \
  };                                                                                 \
  const Register<Name> Name##op;

VIEW_IN_PLACE(Transpose_, "transpose_(Tensor self, int dim0, int dim1) -> Tensor", (const Tensor& self, int64_t dim0, int64_t dim1),
              transpose(self, dim0, dim1))
VIEW_IN_PLACE(Swapaxes_, "swapaxes_(Tensor self, int axis0, int axis1) -> Tensor", (const Tensor& self, int64_t a, int64_t b), transpose(self, a, b))
VIEW_IN_PLACE(Swapdims_, "swapdims_(Tensor self, int dim0, int dim1) -> Tensor", (const Tensor& self, int64_t a, int64_t b), transpose(self, a, b))
VIEW_IN_PLACE(TInPlace_, "t_(Tensor self) -> Tensor", (const Tensor& self), t(self))
VIEW_IN_PLACE(Squeeze_, "squeeze_(Tensor self) -> Tensor", (const Tensor& self), squeeze(self))
VIEW_IN_PLACE(SqueezeDims_, "squeeze_.dims(Tensor self, int[1] dim) -> Tensor", (const Tensor& self, IntList dim), squeeze(self, dim))
VIEW_IN_PLACE(Unsqueeze_, "unsqueeze_(Tensor self, int dim) -> Tensor", (const Tensor& self, int64_t dim), unsqueeze(self, dim))
VIEW_IN_PLACE(AsStrided_, "as_strided_(Tensor self, int[] size, int[] stride, int? storage_offset=None) -> Tensor",
              (const Tensor& self, IntList size, IntList stride, std::optional<int64_t> offset), as_strided(self, size, stride, offset))
#undef VIEW_IN_PLACE

// The sizes of another tensor, in place.
struct ResizeAs_ {
  static constexpr auto schema = "resize_as_(Tensor self, Tensor the_template, *, MemoryFormat? memory_format=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr bool differentiable = false;
  static Tensor forward(const Tensor& self, const Tensor& like, std::optional<MemoryFormat>) { return resize_(self, like.sizes()); }
};
const Register<ResizeAs_> resize_as__op;

}  // namespace bolide
