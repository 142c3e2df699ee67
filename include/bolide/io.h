// Saving and loading: tensors, dictionaries, modules and any values of numbers, text and containers, in the files that
// torch.save writes and torch.load reads, and the error that every reader of files throws.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "bolide/ivalue.h"
#include "bolide/ordered_dict.h"

namespace bolide {

namespace nn {
class Module;
}

/// A file that cannot be read or written. `kind` says which Python exception PyTorch raises in the same place.
class FileError : public Error {
 public:
  enum class Kind { Runtime, Unpickling, EndOfFile, Value, NotFound, System };
  FileError(Kind kind, const std::string& what, int error_number = 0)
      : Error(what), kind(kind), error_number(error_number) {}
  Kind kind;
  int error_number;  // errno of NotFound and System
};

struct SaveOptions {
  int64_t alignment = 64;  // every record starts at a multiple of this, a power of two
  bool crc32 = true;       // checksums; without them readers cannot notice damage
  bool durable = true;     // wait for the disk before an existing file is replaced
};

struct LoadOptions {
  /// Tensors are views of the mapped file (copy on write) instead of copies. Needs stored records.
  bool mmap = false;
};

/// Writes one tensor, as `torch.save(tensor, path)`. The old file stays whole until the new one is complete.
void save(const Tensor& tensor, const std::string& path, const SaveOptions& options = {});
/// Writes a state dict (an OrderedDict in Python). Tensors that share memory share it again after loading.
void save(const TensorDict& tensors, const std::string& path, const SaveOptions& options = {});
void save(const std::map<std::string, Tensor>& tensors, const std::string& path, const SaveOptions& options = {});
/// Writes a list of tensors.
void save(const std::vector<Tensor>& tensors, const std::string& path, const SaveOptions& options = {});
/// Writes any value: a dictionary of a state dict, a number of epochs, ...
void save(const IValue& value, const std::string& path, const SaveOptions& options = {});
/// Writes the state dict of a module, with what Python keeps beside it: `torch.save(module.state_dict(), path)`.
void save(const nn::Module& module, const std::string& path, const SaveOptions& options = {});

/// Reads a file that holds one tensor. Runs no code from the file. Throws FileError.
Tensor load(const std::string& path, const LoadOptions& options = {});
/// Reads a file that holds a dictionary of tensors; nested dictionaries give names joined by ".", entries that
/// are no tensors (an epoch, a learning rate) are left out.
TensorDict load_dict(const std::string& path, const LoadOptions& options = {});
/// Reads whatever numbers, text, tensors and containers a file holds.
IValue load_ivalue(const std::string& path, const LoadOptions& options = {});
// The same into variables, as torch::load does.
void load(Tensor& tensor, const std::string& path, const LoadOptions& options = {});
void load(std::vector<Tensor>& tensors, const std::string& path, const LoadOptions& options = {});
void load(TensorDict& tensors, const std::string& path, const LoadOptions& options = {});
/// Copies a saved state dict into the module; throws, listing all differences, when it does not fit.
void load(nn::Module& module, const std::string& path, const LoadOptions& options = {});

/// The bytes of a file of torch.save, without the file.
std::vector<char> pickle_save(const IValue& value);
IValue pickle_load(const std::vector<char>& bytes);

}  // namespace bolide
