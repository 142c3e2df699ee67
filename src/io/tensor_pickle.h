// Tensors in pickles: what torch.save writes of them, and the way back.
#pragma once
#include <unordered_map>
#include <unordered_set>

#include "io/archive.h"

namespace bolide::io {

/// Reads what an archive's object says of tensors; each storage is loaded once.
class TensorReader {
 public:
  explicit TensorReader(const Archive& a) : archive_(a), p_(a.object()) {}
  /// The tensor that a node stands for, undefined when it stands for none.
  Tensor tensor(PickleId i, int depth = 0);
  /// The tensors of a dictionary and of those in it, by names joined with ".".
  void dictionary(PickleId i, const std::string& prefix, TensorDict& out);
  bool is_dictionary(PickleId i) const;

 private:
  static constexpr int kMaxWrapped = 8;  // a parameter around a tensor with attributes, and so on
  Tensor rebuild(const std::string& f, const std::vector<PickleId>& args, int depth);
  Tensor plain(const std::vector<PickleId>& args, std::string dtype);
  Tensor set_grad(Tensor t, bool wants) const;
  std::vector<int64_t> numbers(PickleId i) const;
  [[noreturn]] void damaged(std::string_view what) const;

  const Archive& archive_;
  const Pickle& p_;
  std::unordered_map<std::string, Ref<Storage>> loaded_;
  std::unordered_set<PickleId> open_;
};

/// Writes tensors into a pickle and collects their storages.
class TensorWriter {
 public:
  void tensor(const Tensor& t);
  void ordered_dict();
  PickleWriter pickle;
  std::vector<SavedStorage> storages;

 private:
  void storage(const Tensor& cpu, const Tensor& t);
  struct Key { size_t index; DType dtype; };
  std::unordered_map<const Storage*, Key> keys_;
  std::vector<Tensor> kept_;
};

/// A whole file from what was written so far.
void finish_archive(TensorWriter& w, ByteSink& sink, const std::string& folder, const SaveOptions& options);
Archive open_archive(const std::string& path, const LoadOptions& options);

}  // namespace bolide::io
