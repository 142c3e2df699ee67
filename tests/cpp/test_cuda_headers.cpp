// The hand-written declarations of src/cuda/driver.h against the real headers, where a CUDA toolkit is installed.
#include <doctest/doctest.h>

#include "cuda/driver.h"

#if __has_include(<cuda.h>) && __has_include(<nvrtc.h>)
#include <cuda.h>
#include <nvrtc.h>

#include <type_traits>

namespace {

// Handles and enums by what they are to a caller: enums as int, pointers to opaque objects as void*.
template <class T> struct Plain { using type = std::conditional_t<std::is_enum_v<T>, int, T>; };
template <> struct Plain<unsigned long long> { using type = uint64_t; };
template <class T> struct Plain<T*> {
  using type = std::conditional_t<std::is_class_v<std::remove_cv_t<T>>, void*, typename Plain<T>::type*>;
};
template <class T> struct Plain<const T> { using type = const typename Plain<T>::type; };
template <class R, class... A> struct Plain<R(A...)> { using type = typename Plain<R>::type(typename Plain<A>::type...); };
template <class A, class B> constexpr bool alike = std::is_same_v<typename Plain<A>::type, typename Plain<B>::type>;

#define BOLIDE_ALIKE(name, signature) \
  static_assert(alike<decltype(::name), bolide::cuda::Driver::name##_type>, #name " differs from the real header");
BOLIDE_CUDA_DRIVER(BOLIDE_ALIKE)
#undef BOLIDE_ALIKE
#define BOLIDE_ALIKE(name, signature) \
  static_assert(alike<decltype(::name), bolide::cuda::Nvrtc::name##_type>, #name " differs from the real header");
BOLIDE_NVRTC(BOLIDE_ALIKE)
#undef BOLIDE_ALIKE

namespace b = bolide::cuda;
static_assert(b::kSuccess == CUDA_SUCCESS && b::kInvalidValue == CUDA_ERROR_INVALID_VALUE && b::kOutOfMemory == CUDA_ERROR_OUT_OF_MEMORY);
static_assert(b::kNotInitialized == CUDA_ERROR_NOT_INITIALIZED && b::kDeinitialized == CUDA_ERROR_DEINITIALIZED && b::kNoDevice == CUDA_ERROR_NO_DEVICE);
static_assert(b::kInvalidImage == CUDA_ERROR_INVALID_IMAGE && b::kNoBinaryForGpu == CUDA_ERROR_NO_BINARY_FOR_GPU && b::kInvalidPtx == CUDA_ERROR_INVALID_PTX);
static_assert(b::kUnsupportedPtxVersion == CUDA_ERROR_UNSUPPORTED_PTX_VERSION && b::kNotReady == CUDA_ERROR_NOT_READY);
static_assert(b::kIllegalAddress == CUDA_ERROR_ILLEGAL_ADDRESS && b::kLaunchFailed == CUDA_ERROR_LAUNCH_FAILED);
static_assert(b::kSystemDriverMismatch == CUDA_ERROR_SYSTEM_DRIVER_MISMATCH && b::kCompatNotSupported == CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE);
static_assert(b::kStreamCaptureUnsupported == CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
static_assert(b::kMaxThreadsPerBlock == CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK && b::kMaxSharedPerBlock == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
static_assert(b::kWarpSize == CU_DEVICE_ATTRIBUTE_WARP_SIZE && b::kMultiprocessors == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
static_assert(b::kIntegrated == CU_DEVICE_ATTRIBUTE_INTEGRATED && b::kL2Bytes == CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
static_assert(b::kThreadsPerMultiprocessor == CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR && b::kUnifiedAddressing == CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING);
static_assert(b::kMajor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR && b::kMinor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(b::kManaged == CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY && b::kMultiGpuBoard == CU_DEVICE_ATTRIBUTE_MULTI_GPU_BOARD);
static_assert(b::kSharedPerMultiprocessor == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
static_assert(b::kRegistersPerMultiprocessor == CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR);
static_assert(b::kMaxSharedOptin == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
static_assert(b::kFunctionMaxDynamicShared == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(b::kStreamNonBlocking == CU_STREAM_NON_BLOCKING && b::kEventBlockingSync == CU_EVENT_BLOCKING_SYNC);
static_assert(b::kEventDisableTiming == CU_EVENT_DISABLE_TIMING && b::kHostPortable == CU_MEMHOSTALLOC_PORTABLE);
static_assert(b::kCaptureThreadLocal == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);

}  // namespace

TEST_CASE("the CUDA declarations agree with the toolkit's headers") { CHECK(CUDA_VERSION >= 12000); }
#else
TEST_CASE("the CUDA declarations agree with the toolkit's headers" * doctest::skip()) {}
#endif
