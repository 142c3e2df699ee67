// 0, 1, 2, ...
extern "C" __global__ void iota(int64_t* p, int64_t n) {
  for (int64_t i = global_index(); i < n; i += global_count()) p[i] = i;
}
