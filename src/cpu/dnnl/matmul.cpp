// Map: matrix products | the table
#include "cpu/dnnl/common.h"

namespace bolide::plugin {

namespace {

struct Matmul {
  dnnl::matmul step;
  Operand a, b;
  memory::desc c, bias, work;

  // A and C stay as they are; B, read by every row, is reordered when enough rows share it.
  explicit Matmul(const BolideDnnlMatmul& s) {
    const auto type = data_type(s.type);
    const memory::desc a_user({s.m, s.k}, type, {s.a_row, s.a_col});
    const memory::desc b_user({s.k, s.n}, type, {s.b_row, s.b_col});
    c = memory::desc({s.m, s.n}, type, {s.ldc, 1});
    bias = memory::desc({1, s.n}, type, {s.n, 1});
    constexpr int64_t kManyRows = 32;
    const memory::desc b_wanted =
        s.m >= kManyRows ? memory::desc({s.k, s.n}, type, memory::format_tag::any) : b_user;
    const dnnl::matmul::desc desc =
        s.has_bias ? dnnl::matmul::desc(a_user, b_wanted, bias, c) : dnnl::matmul::desc(a_user, b_wanted, c);
    const dnnl::matmul::primitive_desc pd(desc, attributes(), engine());
    step = dnnl::matmul(pd);
    a.set(a_user, pd.src_desc(), false);
    b.set(b_user, pd.weights_desc(), false);
    work = pd.scratchpad_desc();
  }
};

}  // namespace

int matmul(const BolideDnnlMatmul* shape, const void* a, const void* b, const void* bias, void* c) {
  static Cache<BolideDnnlMatmul, Matmul>& cache = *new Cache<BolideDnnlMatmul, Matmul>;
  return guarded([&] {
    const auto made = cache.get(*shape);
    if (!made) return false;
    std::unordered_map<int, memory> args{{DNNL_ARG_SRC, made->a.input(a, kX)},
                                         {DNNL_ARG_WEIGHTS, made->b.input(b, kW)},
                                         {DNNL_ARG_DST, memory(made->c, engine(), c)},
                                         {DNNL_ARG_SCRATCHPAD, working_memory(made->work)}};
    if (shape->has_bias) args.emplace(DNNL_ARG_BIAS, memory(made->bias, engine(), const_cast<void*>(bias)));
    made->step.execute(stream(), args);
    return true;
  });
}

}  // namespace bolide::plugin

extern "C" __attribute__((visibility("default"))) const BolideDnnlTable* bolide_dnnl_table(int32_t version) {
  using namespace bolide::plugin;
  static const BolideDnnlTable table = {kBolideDnnlVersion, conv_forward, conv_backward_data,
                                        conv_backward_weights, matmul};
  return version == kBolideDnnlVersion ? &table : nullptr;
}
