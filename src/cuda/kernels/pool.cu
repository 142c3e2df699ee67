// Pooling of contiguous images of up to three dimensions. SCALAR: elements; WIDE: sums. A thread an output element.

struct Shape {
  int64_t planes, in[3], out[3], kernel[3], stride[3], pad[3], dilation[3];
};
struct Place { int64_t plane; int64_t o[3]; };
DEVICE int64_t out_pixels(const Shape& s) { return s.out[0] * s.out[1] * s.out[2]; }
DEVICE int64_t in_pixels(const Shape& s) { return s.in[0] * s.in[1] * s.in[2]; }
DEVICE Place place_of(const int64_t* size, int64_t i) {
  Place p;
  p.o[2] = divide(i, size[2]), p.o[1] = divide(i, size[1]), p.o[0] = divide(i, size[0]);
  p.plane = i;
  return p;
}
DEVICE int64_t first_of(int64_t o, int64_t in, int64_t out) { return o * in / out; }
DEVICE int64_t last_of(int64_t o, int64_t in, int64_t out) { return ((o + 1) * in + out - 1) / out; }

/// The largest of a window and where it is; the first NaN wins.
extern "C" __global__ void max_pool(const __grid_constant__ Shape s, const SCALAR* x, SCALAR* y, int64_t* indices, int32_t adaptive) {
  const int64_t n = s.planes * out_pixels(s);
  for (int64_t i = global_index(); i < n; i += global_count()) {
    const Place p = place_of(s.out, i);
    int64_t begin[3], end[3], step[3];
    for (int d = 0; d < 3; ++d) {
      if (adaptive) {
        begin[d] = first_of(p.o[d], s.in[d], s.out[d]), end[d] = last_of(p.o[d], s.in[d], s.out[d]), step[d] = 1;
      } else {
        step[d] = s.dilation[d];
        begin[d] = p.o[d] * s.stride[d] - s.pad[d];
        end[d] = begin[d] + (s.kernel[d] - 1) * step[d] + 1;
        end[d] = end[d] < s.in[d] ? end[d] : s.in[d];
        while (begin[d] < 0) begin[d] += step[d];
      }
    }
    const SCALAR* image = x + p.plane * in_pixels(s);
    int64_t best = (begin[0] * s.in[1] + begin[1]) * s.in[2] + begin[2];
    WIDE top = convert<WIDE>(image[best]);
    for (int64_t a = begin[0]; a < end[0]; a += step[0])
      for (int64_t b = begin[1]; b < end[1]; b += step[1])
        for (int64_t c = begin[2]; c < end[2]; c += step[2]) {
          const int64_t at = (a * s.in[1] + b) * s.in[2] + c;
          const WIDE v = convert<WIDE>(image[at]);
          if (v > top || (v != v && top == top)) top = v, best = at;
        }
    y[i] = convert<SCALAR>(top);
    if (indices) indices[i] = best;
  }
}

/// y[indices] += x, a thread an input element of y's image looks for its windows' winners: no atomics, and in order.
extern "C" __global__ void pool_scatter(const SCALAR* x, const int64_t* indices, SCALAR* y, int64_t planes, int64_t from_pixels, int64_t to_pixels,
                                        int32_t add, FaultSite fault) {
  // one block a plane: sums in order of the outputs
  for (int64_t plane = blockIdx.x; plane < planes; plane += gridDim.x) {
    for (int64_t t = threadIdx.x; t < to_pixels; t += blockDim.x) {
      WIDE sum = WIDE(0);
      bool any = false;
      for (int64_t i = 0; i < from_pixels; ++i)
        if (indices[plane * from_pixels + i] == t) {
          const WIDE v = convert<WIDE>(x[plane * from_pixels + i]);
          sum = add ? sum + v : v;
          any = true;
        }
      y[plane * to_pixels + t] = convert<SCALAR>(any ? sum : WIDE(0));
    }
    for (int64_t i = threadIdx.x; i < from_pixels; i += blockDim.x) {
      const int64_t k = indices[plane * from_pixels + i];
      if (k < 0 || k >= to_pixels) report(fault, k, to_pixels);
    }
  }
}
extern "C" __global__ void pool_gather(const SCALAR* x, const int64_t* indices, SCALAR* y, int64_t planes, int64_t from_pixels, int64_t to_pixels,
                                       FaultSite fault) {
  for (int64_t i = global_index(); i < planes * to_pixels; i += global_count()) {
    const int64_t k = indices[i], plane = i / to_pixels;
    if (k < 0 || k >= from_pixels) report(fault, k, from_pixels);
    else y[i] = x[plane * from_pixels + k];
  }
}

/// begin, end of a window within the image, and what the sum is divided by.
__device__ __noinline__ WIDE window(const Shape& s, const Place& p, int64_t* begin, int64_t* end, int32_t adaptive, int32_t count_pad, int64_t divisor) {
  int64_t whole = 1, inside = 1;
  for (int d = 0; d < 3; ++d) {
    if (adaptive) {
      begin[d] = first_of(p.o[d], s.in[d], s.out[d]), end[d] = last_of(p.o[d], s.in[d], s.out[d]);
      whole *= end[d] - begin[d];
    } else {
      begin[d] = p.o[d] * s.stride[d] - s.pad[d];
      const int64_t stop = begin[d] + s.kernel[d], limit = s.in[d] + s.pad[d];
      whole *= (stop < limit ? stop : limit) - begin[d];
      end[d] = stop < s.in[d] ? stop : s.in[d];
      begin[d] = begin[d] > 0 ? begin[d] : 0;
    }
    inside *= end[d] > begin[d] ? end[d] - begin[d] : 0;
  }
  return (WIDE)(divisor ? divisor : adaptive || count_pad ? whole : inside);
}
extern "C" __global__ void avg_pool(const __grid_constant__ Shape s, const SCALAR* x, SCALAR* y, int32_t adaptive, int32_t count_pad, int64_t divisor) {
  const int64_t n = s.planes * out_pixels(s);
  for (int64_t i = global_index(); i < n; i += global_count()) {
    const Place p = place_of(s.out, i);
    int64_t begin[3], end[3];
    const WIDE by = window(s, p, begin, end, adaptive, count_pad, divisor);
    const SCALAR* image = x + p.plane * in_pixels(s);
    WIDE sum = 0;
    for (int64_t a = begin[0]; a < end[0]; ++a)
      for (int64_t b = begin[1]; b < end[1]; ++b)
        for (int64_t c = begin[2]; c < end[2]; ++c) sum += convert<WIDE>(image[(a * s.in[1] + b) * s.in[2] + c]);
    y[i] = convert<SCALAR>(sum / by);
  }
}
/// A thread an input element adds up the windows that hold it.
extern "C" __global__ void avg_pool_backward(const __grid_constant__ Shape s, const SCALAR* dy, SCALAR* dx, int32_t adaptive, int32_t count_pad,
                                             int64_t divisor) {
  const int64_t n = s.planes * in_pixels(s);
  for (int64_t i = global_index(); i < n; i += global_count()) {
    const Place at = place_of(s.in, i);
    int64_t lo[3], hi[3];
    for (int d = 0; d < 3; ++d) {
      if (adaptive) {
        lo[d] = at.o[d] * s.out[d] / s.in[d], hi[d] = ((at.o[d] + 1) * s.out[d] + s.in[d] - 1) / s.in[d];
      } else {
        const int64_t low = at.o[d] + s.pad[d] - s.kernel[d];
        lo[d] = low < 0 ? 0 : low / s.stride[d] + 1;
        hi[d] = (at.o[d] + s.pad[d]) / s.stride[d] + 1;
      }
      hi[d] = hi[d] < s.out[d] ? hi[d] : s.out[d];
    }
    WIDE sum = 0;
    Place p;
    p.plane = at.plane;
    for (p.o[0] = lo[0]; p.o[0] < hi[0]; ++p.o[0])
      for (p.o[1] = lo[1]; p.o[1] < hi[1]; ++p.o[1])
        for (p.o[2] = lo[2]; p.o[2] < hi[2]; ++p.o[2]) {
          int64_t begin[3], end[3];
          const WIDE by = window(s, p, begin, end, adaptive, count_pad, divisor);
          bool inside = true;
          for (int d = 0; d < 3; ++d) inside = inside && at.o[d] >= begin[d] && at.o[d] < end[d];
          if (inside) sum += convert<WIDE>(dy[p.plane * out_pixels(s) + (p.o[0] * s.out[1] + p.o[1]) * s.out[2] + p.o[2]]) / by;
        }
    dx[i] = convert<SCALAR>(sum);
  }
}
