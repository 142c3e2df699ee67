// The CUDA driver and NVRTC as Bolide needs them: own declarations, no CUDA header. A test compares every type and
// value here with the real headers where a toolkit is installed (tests/cpp/test_cuda_headers.cpp).
//
// Map: handle types and constants | the functions of the driver | the functions of NVRTC
#pragma once
#include <cstddef>
#include <cstdint>

namespace bolide::cuda {

// ---- handle types and constants ------------------------------------------------------------------

using Status = int;  // CUresult
using DeviceHandle = int;
using Pointer = uint64_t;  // CUdeviceptr
using Context = struct ContextHandle*;
using StreamHandle = struct StreamObject*;
using EventHandle = struct EventObject*;
using Module = struct ModuleHandle*;
using Function = struct FunctionHandle*;
using Graph = struct GraphHandle*;
using GraphExec = struct GraphExecHandle*;

inline constexpr Status kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kNotInitialized = 3, kDeinitialized = 4, kNoDevice = 100,
                        kInvalidImage = 200, kNoBinaryForGpu = 209, kInvalidPtx = 218, kUnsupportedPtxVersion = 222,
                        kNotReady = 600, kIllegalAddress = 700, kLaunchFailed = 719, kSystemDriverMismatch = 803,
                        kCompatNotSupported = 804, kStreamCaptureUnsupported = 900;

enum Attribute : int {
  kMaxThreadsPerBlock = 1, kMaxSharedPerBlock = 8, kWarpSize = 10, kMultiprocessors = 16, kIntegrated = 18,
  kL2Bytes = 38, kThreadsPerMultiprocessor = 39, kUnifiedAddressing = 41, kMajor = 75, kMinor = 76, kManaged = 83,
  kSharedPerMultiprocessor = 81, kRegistersPerMultiprocessor = 82, kMultiGpuBoard = 84, kMaxSharedOptin = 97,
};
inline constexpr int kFunctionMaxDynamicShared = 8;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
inline constexpr unsigned kStreamNonBlocking = 1, kEventBlockingSync = 1, kEventDisableTiming = 2, kHostPortable = 1;
inline constexpr int kCaptureThreadLocal = 1;  // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL

// ---- the functions of the driver -------------------------------------------------------------------

#define BOLIDE_CUDA_DRIVER(F)                                                                                     \
  F(cuInit, Status(unsigned flags))                                                                               \
  F(cuDriverGetVersion, Status(int* version))                                                                     \
  F(cuGetErrorName, Status(Status, const char** text))                                                            \
  F(cuGetErrorString, Status(Status, const char** text))                                                          \
  F(cuDeviceGetCount, Status(int* count))                                                                         \
  F(cuDeviceGet, Status(DeviceHandle*, int ordinal))                                                              \
  F(cuDeviceGetName, Status(char* name, int length, DeviceHandle))                                                \
  F(cuDeviceTotalMem_v2, Status(size_t* bytes, DeviceHandle))                                                     \
  F(cuDeviceGetAttribute, Status(int* value, int attribute, DeviceHandle))                                        \
  F(cuDeviceCanAccessPeer, Status(int* yes, DeviceHandle, DeviceHandle peer))                                     \
  F(cuDevicePrimaryCtxRetain, Status(Context*, DeviceHandle))                                                     \
  F(cuCtxSetCurrent, Status(Context))                                                                             \
  F(cuCtxGetCurrent, Status(Context*))                                                                            \
  F(cuCtxSynchronize, Status())                                                                                   \
  F(cuMemGetInfo_v2, Status(size_t* free, size_t* total))                                                         \
  F(cuMemAlloc_v2, Status(Pointer*, size_t bytes))                                                                \
  F(cuMemFree_v2, Status(Pointer))                                                                                \
  F(cuMemHostAlloc, Status(void**, size_t bytes, unsigned flags))                                                 \
  F(cuMemFreeHost, Status(void*))                                                                                 \
  F(cuMemcpyHtoDAsync_v2, Status(Pointer dst, const void* src, size_t bytes, StreamHandle))                       \
  F(cuMemcpyDtoHAsync_v2, Status(void* dst, Pointer src, size_t bytes, StreamHandle))                             \
  F(cuMemcpyDtoDAsync_v2, Status(Pointer dst, Pointer src, size_t bytes, StreamHandle))                           \
  F(cuMemcpyPeerAsync, Status(Pointer dst, Context, Pointer src, Context, size_t bytes, StreamHandle))            \
  F(cuMemsetD8Async, Status(Pointer, unsigned char value, size_t bytes, StreamHandle))                            \
  F(cuStreamCreateWithPriority, Status(StreamHandle*, unsigned flags, int priority))                              \
  F(cuStreamDestroy_v2, Status(StreamHandle))                                                                     \
  F(cuStreamSynchronize, Status(StreamHandle))                                                                    \
  F(cuStreamQuery, Status(StreamHandle))                                                                          \
  F(cuStreamWaitEvent, Status(StreamHandle, EventHandle, unsigned flags))                                         \
  F(cuStreamBeginCapture_v2, Status(StreamHandle, int mode))                                                      \
  F(cuStreamEndCapture, Status(StreamHandle, Graph*))                                                             \
  F(cuStreamIsCapturing, Status(StreamHandle, int* status))                                                       \
  F(cuGraphInstantiateWithFlags, Status(GraphExec*, Graph, unsigned long long flags))                             \
  F(cuGraphLaunch, Status(GraphExec, StreamHandle))                                                               \
  F(cuGraphDestroy, Status(Graph))                                                                                \
  F(cuGraphExecDestroy, Status(GraphExec))                                                                        \
  F(cuEventCreate, Status(EventHandle*, unsigned flags))                                                          \
  F(cuEventDestroy_v2, Status(EventHandle))                                                                       \
  F(cuEventRecord, Status(EventHandle, StreamHandle))                                                             \
  F(cuEventQuery, Status(EventHandle))                                                                            \
  F(cuEventSynchronize, Status(EventHandle))                                                                      \
  F(cuEventElapsedTime, Status(float* milliseconds, EventHandle start, EventHandle end))                          \
  F(cuModuleLoadData, Status(Module*, const void* image))                                                         \
  F(cuModuleUnload, Status(Module))                                                                               \
  F(cuModuleGetFunction, Status(Function*, Module, const char* name))                                             \
  F(cuFuncSetAttribute, Status(Function, int attribute, int value))                                               \
  F(cuLaunchKernel, Status(Function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, \
                           unsigned shared, StreamHandle, void** args, void** extra))

struct Driver {
#define BOLIDE_MEMBER(name, signature) \
  using name##_type = signature;       \
  name##_type* name = nullptr;
  BOLIDE_CUDA_DRIVER(BOLIDE_MEMBER)
};

// ---- the functions of NVRTC ------------------------------------------------------------------------

using Program = struct ProgramHandle*;

#define BOLIDE_NVRTC(F)                                                                                           \
  F(nvrtcVersion, Status(int* major, int* minor))                                                                 \
  F(nvrtcGetErrorString, const char*(Status))                                                                     \
  F(nvrtcGetNumSupportedArchs, Status(int* count))                                                                \
  F(nvrtcGetSupportedArchs, Status(int* archs))                                                                   \
  F(nvrtcCreateProgram, Status(Program*, const char* source, const char* name, int headers, const char* const* texts, \
                               const char* const* names))                                                         \
  F(nvrtcDestroyProgram, Status(Program*))                                                                        \
  F(nvrtcCompileProgram, Status(Program, int count, const char* const* options))                                  \
  F(nvrtcGetProgramLogSize, Status(Program, size_t*))                                                             \
  F(nvrtcGetProgramLog, Status(Program, char*))                                                                   \
  F(nvrtcGetCUBINSize, Status(Program, size_t*))                                                                  \
  F(nvrtcGetCUBIN, Status(Program, char*))                                                                        \
  F(nvrtcGetPTXSize, Status(Program, size_t*))                                                                    \
  F(nvrtcGetPTX, Status(Program, char*))

struct Nvrtc {
  BOLIDE_NVRTC(BOLIDE_MEMBER)
};

}  // namespace bolide::cuda
