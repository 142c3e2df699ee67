// Finding and opening the CUDA libraries.
#include "cuda/library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>

namespace bolide::cuda {

namespace fs = std::filesystem;

namespace {

std::mutex g_folders_lock;
std::vector<std::string>& folders() {
  static auto* list = new std::vector<std::string>;
  return *list;
}

/// The folder above the package that holds this library: site-packages when installed by pip.
std::string own_folder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void*>(&own_folder), &info) || !info.dli_fname) return {};
  std::error_code ignored;
  return fs::weakly_canonical(info.dli_fname, ignored).parent_path().parent_path().string();
}

std::vector<std::string> package_folders() {
  std::lock_guard guard(g_folders_lock);
  std::vector<std::string> all = folders();
  all.push_back(own_folder());
  return all;
}

/// Libraries that the real one opens by bare name and would not find outside the system's search path.
void open_companions(const fs::path& folder, const Recipe& recipe) {
  std::error_code ignored;
  for (const char* prefix : recipe.companions)
    for (const auto& entry : fs::directory_iterator(folder, ignored))
      if (entry.path().filename().string().rfind(prefix, 0) == 0) dlopen(entry.path().c_str(), RTLD_NOW | RTLD_GLOBAL);
}

}  // namespace

void add_package_folder(const std::string& folder) {
  std::lock_guard guard(g_folders_lock);
  folders().push_back(folder);
}

bool Library::open(const std::string& path, const Recipe& recipe) {
  if (path.find('/') != path.npos) open_companions(fs::path(path).parent_path(), recipe);
  handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_) return path_ = path, true;
  problem_ += std::string("\n  ") + path + ": " + dlerror();
  return false;
}

Library::Library(const Recipe& recipe) {
  if (const char* chosen = std::getenv(recipe.variable); chosen && *chosen) {
    if (!open(chosen, recipe)) problem_ = std::string(recipe.variable) + " names a library that does not open:" + problem_;
    return;  // what the user chose is not silently replaced
  }
  std::error_code ignored;
  for (const std::string& folder : package_folders())
    for (const char* package : recipe.packages)
      for (const char* name : recipe.names) {
        const fs::path path = fs::path(folder) / "nvidia" / package / name;
        if (fs::exists(path, ignored) && open(path.string(), recipe)) return;
      }
  for (const char* name : recipe.names) {
    handle_ = dlopen(name, RTLD_NOW | RTLD_NOLOAD);
    if (!handle_) continue;
    path_ = name;
    return;
  }
  for (const char* name : recipe.names)
    if (open(name, recipe)) return;
  problem_ = std::string(recipe.title) + " was not found; tried" + problem_;
}

void* Library::symbol(const char* name) const { return handle_ ? dlsym(handle_, name) : nullptr; }

}  // namespace bolide::cuda
