// Names in pickles: what weights_only allows, which modules are never reached, and Python 2's names.
#include <algorithm>
#include <array>

#include "io/pickle.h"

namespace bolide::io {
namespace {

const std::unordered_set<std::string_view>& plain_names() {
  static const std::unordered_set<std::string_view> names = {
      "collections.OrderedDict", "collections.Counter", "_codecs.encode", "bytearray", "set", "complex",
      "torch.nn.parameter.Parameter", "torch.serialization._get_layout", "torch.Size", "torch.Tensor",
      "torch.device", "torch.storage.TypedStorage", "torch.storage.UntypedStorage",
      "torch.per_tensor_affine", "torch.per_tensor_symmetric", "torch.per_channel_affine",
      "torch.per_channel_symmetric", "torch.per_channel_affine_float_qparams",
      "torch._tensor._rebuild_from_type_v2", "torch._utils._rebuild_parameter",
      "torch._utils._rebuild_parameter_with_state", "torch._utils._rebuild_qtensor",
      "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3",
      "torch._utils._rebuild_sparse_tensor", "torch._utils._rebuild_sparse_csr_tensor",
      "torch._utils._rebuild_meta_tensor_no_storage", "torch._utils._rebuild_nested_tensor",
      "torch._utils._rebuild_wrapper_subclass", "torch._utils._rebuild_device_tensor_from_numpy",
      "torch._utils._rebuild_device_tensor_from_cpu_tensor"};
  return names;
}

const std::unordered_set<std::string_view>& dtype_names() {
  static const std::unordered_set<std::string_view> names = {
      "float16", "float32", "float64", "bfloat16", "complex32", "complex64", "complex128", "bool", "uint8",
      "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "qint8", "quint8", "qint32", "quint4x2",
      "quint2x4", "bits8", "bits16", "bits1x8", "bits2x4", "bits4x2", "float8_e4m3fn", "float8_e5m2",
      "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", "uint1", "uint2", "uint3",
      "uint4", "uint5", "uint6", "uint7", "int1", "int2", "int3", "int4", "int5", "int6", "int7"};
  return names;
}

bool is_typed_class(std::string_view name) {
  static const std::unordered_set<std::string_view> kinds = {
      "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "ComplexFloat",
      "ComplexDouble", "QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4"};
  for (const std::string_view end : {"Storage", "Tensor"}) {
    if (!name.ends_with(end)) continue;
    const std::string_view kind = name.substr(0, name.size() - end.size());
    return kinds.contains(kind) && (end == "Storage" || (kind[0] != 'Q' && kind[0] != 'C') || kind == "Char");
  }
  return false;
}

struct Renamed { std::string_view module, name, new_module, new_name; };

}  // namespace

bool is_allowed_global(std::string_view full) {
  if (plain_names().contains(full)) return true;
  if (!full.starts_with("torch.")) return false;
  full.remove_prefix(6);
  if (dtype_names().contains(full)) return true;
  for (const std::string_view device : {"cuda.", "sparse."})  // torch.cuda.sparse.FloatTensor has both
    if (full.starts_with(device)) full.remove_prefix(device.size());
  return is_typed_class(full);
}

void modernise_global(std::string& module, std::string& name) {
  static constexpr std::array<Renamed, 11> functions = {{{"__builtin__", "xrange", "builtins", "range"},
      {"__builtin__", "long", "builtins", "int"}, {"__builtin__", "unicode", "builtins", "str"},
      {"__builtin__", "basestring", "builtins", "str"}, {"__builtin__", "unichr", "builtins", "chr"},
      {"__builtin__", "intern", "sys", "intern"}, {"__builtin__", "reduce", "functools", "reduce"},
      {"itertools", "izip", "builtins", "zip"}, {"itertools", "imap", "builtins", "map"},
      {"itertools", "ifilter", "builtins", "filter"}, {"exceptions", "StandardError", "builtins", "Exception"}}};
  static constexpr std::array<std::array<std::string_view, 2>, 10> modules = {{{"__builtin__", "builtins"},
      {"copy_reg", "copyreg"}, {"exceptions", "builtins"}, {"cPickle", "pickle"}, {"commands", "subprocess"},
      {"Queue", "queue"}, {"StringIO", "io"}, {"cStringIO", "io"}, {"UserDict", "collections"},
      {"torch.tensor", "torch._tensor"}}};
  for (const Renamed& r : functions)
    if (module == r.module && name == r.name) {
      module = r.new_module;
      name = r.new_name;
      return;
    }
  for (const auto& [old_name, new_name] : modules)
    if (module == old_name) {
      module = new_name;
      return;
    }
}

}  // namespace bolide::io
