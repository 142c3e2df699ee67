// Map: descriptors | forward | backward data | backward weights
//
// oneDNN chooses the layout of every operand; plain images are reordered on the way in and out. Naming plain
// layouts to it instead takes two to ten times as long.
#include "cpu/dnnl/common.h"

namespace bolide::plugin {

namespace {

using dnnl::convolution_backward_data;
using dnnl::convolution_backward_weights;
using dnnl::convolution_forward;

// Forward asks with and without bias: two operations.
struct ConvKey {
  BolideDnnlConv shape;
  int64_t bias;
};

Dims spatial(const int64_t* values, int dims) { return Dims(values + 3 - dims, values + 3); }

struct Descriptors {
  memory::desc x, w, y, x_any, w_any, y_any, bias;
  Dims stride, dilation, pad, pad_end;

  explicit Descriptors(const BolideDnnlConv& s) {
    const auto type = data_type(s.type);
    const Dims in = spatial(s.in, s.dims), out = spatial(s.out, s.dims), kernel = spatial(s.kernel, s.dims);
    stride = spatial(s.stride, s.dims);
    dilation = spatial(s.dilation, s.dims);
    pad = spatial(s.pad, s.dims);
    for (int i = 0; i < s.dims; ++i) {
      pad_end.push_back((out[i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 - in[i] - pad[i]);
      dilation[i] -= 1;
    }
    x = images(s.n, s.ci, in, s.x_stride, type);
    y = images(s.n, s.co, out, s.y_stride, type);
    Dims weights = s.groups > 1 ? Dims{s.groups, s.co / s.groups, s.ci / s.groups} : Dims{s.co, s.ci};
    weights.insert(weights.end(), kernel.begin(), kernel.end());
    Dims strides = dense(weights);
    if (s.groups == 1) strides[0] = s.w_stride;
    w = memory::desc(weights, type, strides);
    x_any = memory::desc(x.dims(), type, memory::format_tag::any);
    y_any = memory::desc(y.dims(), type, memory::format_tag::any);
    w_any = memory::desc(weights, type, memory::format_tag::any);
    bias = memory::desc({s.co}, type, memory::format_tag::a);
  }

  static Dims dense(const Dims& dims) {
    Dims strides(dims.size());
    int64_t step = 1;
    for (size_t i = dims.size(); i-- > 0; step *= dims[i]) strides[i] = step;
    return strides;
  }

  static memory::desc images(int64_t n, int64_t channels, const Dims& size, int64_t stride,
                             memory::data_type type) {
    Dims dims{n, channels};
    dims.insert(dims.end(), size.begin(), size.end());
    Dims strides = dense(dims);
    strides[0] = stride;
    return memory::desc(dims, type, strides);
  }
};

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

convolution_forward::primitive_desc forward_desc(const Descriptors& d, bool bias, bool train) {
  const auto kind = train ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  const convolution_forward::desc desc =
      bias ? convolution_forward::desc(kind, kDirect, d.x_any, d.w_any, d.bias, d.y_any, d.stride, d.dilation,
                                       d.pad, d.pad_end)
           : convolution_forward::desc(kind, kDirect, d.x_any, d.w_any, d.y_any, d.stride, d.dilation, d.pad,
                                       d.pad_end);
  return convolution_forward::primitive_desc(desc, attributes(), engine());
}

struct Forward {
  convolution_forward step;
  Operand x, w, y;
  memory::desc bias, work;

  explicit Forward(const ConvKey& key) {
    const Descriptors d(key.shape);
    const auto pd = forward_desc(d, key.bias != 0, false);
    step = convolution_forward(pd);
    x.set(d.x, pd.src_desc(), false);
    w.set(d.w, pd.weights_desc(), false);
    y.set(d.y, pd.dst_desc(), true);
    bias = d.bias;
    work = pd.scratchpad_desc();
  }
};

struct BackwardData {
  convolution_backward_data step;
  Operand dx, w, dy;
  memory::desc work;

  explicit BackwardData(const ConvKey& key) {
    const Descriptors d(key.shape);
    const auto hint = forward_desc(d, false, true);
    const convolution_backward_data::desc desc(kDirect, d.x_any, d.w_any, d.y_any, d.stride, d.dilation,
                                               d.pad, d.pad_end);
    const convolution_backward_data::primitive_desc pd(desc, attributes(), engine(), hint);
    step = convolution_backward_data(pd);
    dx.set(d.x, pd.diff_src_desc(), true);
    w.set(d.w, pd.weights_desc(), false);
    dy.set(d.y, pd.diff_dst_desc(), false);
    work = pd.scratchpad_desc();
  }
};

struct BackwardWeights {
  convolution_backward_weights step;
  Operand x, dw, dy;
  memory::desc bias, work;

  explicit BackwardWeights(const ConvKey& key) {
    const Descriptors d(key.shape);
    const auto hint = forward_desc(d, key.bias != 0, true);
    const convolution_backward_weights::desc desc =
        key.bias ? convolution_backward_weights::desc(kDirect, d.x_any, d.w_any, d.bias, d.y_any, d.stride,
                                                      d.dilation, d.pad, d.pad_end)
                 : convolution_backward_weights::desc(kDirect, d.x_any, d.w_any, d.y_any, d.stride,
                                                      d.dilation, d.pad, d.pad_end);
    const convolution_backward_weights::primitive_desc pd(desc, attributes(), engine(), hint);
    step = convolution_backward_weights(pd);
    x.set(d.x, pd.src_desc(), false);
    dw.set(d.w, pd.diff_weights_desc(), true);
    dy.set(d.y, pd.diff_dst_desc(), false);
    bias = d.bias;
    work = pd.scratchpad_desc();
  }
};

}  // namespace

int conv_forward(const BolideDnnlConv* shape, const void* x, const void* w, const void* bias, void* y) {
  static Cache<ConvKey, Forward>& cache = *new Cache<ConvKey, Forward>;
  return guarded([&] {
    const auto made = cache.get({*shape, bias != nullptr});
    if (!made) return false;
    memory result = made->y.output(y, kY);
    std::unordered_map<int, memory> args{{DNNL_ARG_SRC, made->x.input(x, kX)},
                                         {DNNL_ARG_WEIGHTS, made->w.input(w, kW)},
                                         {DNNL_ARG_DST, result},
                                         {DNNL_ARG_SCRATCHPAD, working_memory(made->work)}};
    if (bias) args.emplace(DNNL_ARG_BIAS, memory(made->bias, engine(), const_cast<void*>(bias)));
    made->step.execute(stream(), args);
    made->y.finish(result, y);
    return true;
  });
}

int conv_backward_data(const BolideDnnlConv* shape, const void* dy, const void* w, void* dx) {
  static Cache<ConvKey, BackwardData>& cache = *new Cache<ConvKey, BackwardData>;
  return guarded([&] {
    const auto made = cache.get({*shape, 0});
    if (!made) return false;
    memory result = made->dx.output(dx, kX);
    made->step.execute(stream(), {{DNNL_ARG_DIFF_DST, made->dy.input(dy, kY)},
                                  {DNNL_ARG_WEIGHTS, made->w.input(w, kW)},
                                  {DNNL_ARG_DIFF_SRC, result},
                                  {DNNL_ARG_SCRATCHPAD, working_memory(made->work)}});
    made->dx.finish(result, dx);
    return true;
  });
}

int conv_backward_weights(const BolideDnnlConv* shape, const void* x, const void* dy, void* dw, void* db) {
  static Cache<ConvKey, BackwardWeights>& cache = *new Cache<ConvKey, BackwardWeights>;
  return guarded([&] {
    const auto made = cache.get({*shape, db != nullptr});
    if (!made) return false;
    memory result = made->dw.output(dw, kW);
    std::unordered_map<int, memory> args{{DNNL_ARG_SRC, made->x.input(x, kX)},
                                         {DNNL_ARG_DIFF_DST, made->dy.input(dy, kY)},
                                         {DNNL_ARG_DIFF_WEIGHTS, result},
                                         {DNNL_ARG_SCRATCHPAD, working_memory(made->work)}};
    if (db) args.emplace(DNNL_ARG_DIFF_BIAS, memory(made->bias, engine(), db));
    made->step.execute(stream(), args);
    made->dw.finish(result, dw);
    return true;
  });
}

}  // namespace bolide::plugin
