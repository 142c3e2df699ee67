// Modules in files: state dicts with the versions that Python keeps in their `_metadata`.
#include "bolide/autograd.h"
#include "bolide/io.h"
#include "bolide/nn/module.h"
#include "io/tensor_pickle.h"

namespace bolide {
namespace {

/// The paths of `module` and all below it, a shared module under each of its paths, with their versions.
void collect_versions(const nn::Module& module, const std::string& path, std::vector<std::pair<std::string, int64_t>>& out) {
  out.emplace_back(path, module.state_version());
  for (const auto& [name, child] : module.named_children()) collect_versions(*child, path.empty() ? name : path + "." + name, out);
}

void write_metadata(io::TensorWriter& w, const nn::Module& module) {
  std::vector<std::pair<std::string, int64_t>> versions;
  collect_versions(module, "", versions);
  io::PickleWriter& p = w.pickle;
  p.empty_dict(), p.mark();
  p.string("_metadata");
  w.ordered_dict();
  p.mark();
  for (const auto& [path, version] : versions) {
    p.string(path);
    p.empty_dict(), p.mark(), p.string("version"), p.integer(version), p.set_items();
  }
  p.set_items();
  p.set_items();
  p.build();
}

}  // namespace

void save(const nn::Module& module, const std::string& path, const SaveOptions& options) {
  io::TensorWriter w;
  w.ordered_dict();
  const TensorDict state = module.state_dict();
  if (!state.empty()) {
    w.pickle.mark();
    for (const auto& [name, t] : state) {
      w.pickle.string(name);
      w.tensor(t);
    }
    w.pickle.set_items();
  }
  write_metadata(w, module);
  io::finish_archive(w, *io::file_sink(path, options.durable), io::archive_folder(path), options);
}

void load(nn::Module& module, const std::string& path, const LoadOptions& options) { module.load_state_dict(load_dict(path, options)); }

}  // namespace bolide
