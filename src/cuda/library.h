// Opening libraries at run time, one by one and only when needed.
#pragma once
#include <string>
#include <vector>

namespace bolide::cuda {

/// Where a library is sought: an environment variable with a path; then the folders of NVIDIA's Python packages; then
/// what the process has already loaded; then the system's search path. `names` are tried in order within each place.
struct Recipe {
  const char* title;                     // "the CUDA driver"
  const char* variable;                  // environment override
  std::vector<const char*> names;        // "libnvrtc.so.13", "libnvrtc.so.12"
  std::vector<const char*> packages;     // folders under site-packages/nvidia: "cu13/lib"
  std::vector<const char*> companions;   // opened before it from the same folder, by prefix: "libnvrtc-builtins.so"
};

class Library {
 public:
  /// Opens it now; never throws. `problem()` says what was tried when it failed.
  explicit Library(const Recipe& recipe);
  explicit operator bool() const { return handle_; }
  void* symbol(const char* name) const;
  const std::string& path() const { return path_; }
  const std::string& problem() const { return problem_; }

 private:
  bool open(const std::string& path, const Recipe& recipe);
  void* handle_ = nullptr;
  std::string path_, problem_;
};

/// Adds a site-packages folder to search for nvidia/**. The folder that holds Bolide itself is searched anyway.
void add_package_folder(const std::string& folder);

}  // namespace bolide::cuda
