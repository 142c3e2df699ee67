// Streams and events. A thread has one current stream per device; 0 is the device's default stream, which waits for
// and is waited for by nothing but itself being "legacy": work on it is ordered with the null stream of other libraries.
#pragma once
#include "cuda/runtime.h"

namespace bolide::cuda {

struct Stream {
  int device = 0;
  StreamHandle handle = nullptr;  // null: the default stream
  bool operator==(const Stream&) const = default;
};

/// The calling thread's stream of `device` (-1: the current device).
Stream current_stream(int device = -1);
void set_stream(Stream s);
/// A stream of the device's pool (32 a priority, handed out in turn, never destroyed). priority: 0 or negative (higher).
Stream new_stream(int device, int priority = 0);
void synchronize(Stream s);
bool finished(Stream s);
/// Waits until all work of the device is done.
void synchronize_device(int device = -1);
bool capturing(Stream s);

class StreamGuard {
 public:
  explicit StreamGuard(Stream s) : device_(s.device), before_(current_stream(s.device)) { set_stream(s); }
  ~StreamGuard() { set_stream(before_); }
  StreamGuard(const StreamGuard&) = delete;

 private:
  DeviceGuard device_;
  Stream before_;
};

class Event {
 public:
  /// timing: whether elapsed() will be asked; blocking: synchronize() sleeps rather than spins.
  explicit Event(bool timing = false, bool blocking = false) : timing_(timing), blocking_(blocking) {}
  Event(Event&& o) noexcept;
  Event& operator=(Event&& o) noexcept;
  ~Event();
  void record(Stream s);
  /// Makes `s` wait for what was recorded.
  void wait(Stream s) const;
  bool finished() const;  // true when never recorded
  void synchronize() const;
  /// Milliseconds from this event to `end`; both must have been recorded with timing.
  float elapsed(const Event& end) const;
  int device() const { return device_; }
  bool recorded() const { return handle_; }

 private:
  EventHandle handle_ = nullptr;
  int device_ = -1;
  bool timing_, blocking_;
};

}  // namespace bolide::cuda
