// Contractions built from products: outer, inner, tensordot, kron, einsum, chains of matrices.
#include <cctype>

#include "ops/nn.h"

namespace bolide {

namespace {

IntList all_of(const Dims& d) { return IntList(d.data(), d.size()); }
Tensor sum_over(const Tensor& t, const Dims& dims, bool keepdim, OptDType dtype = {}) {
  return dims.empty() ? t : sum(t, std::optional<IntList>(all_of(dims)), keepdim, dtype);
}

}  // namespace

// ---- outer, inner -----------------------------------------------------------------------------------

struct Outer {
  static constexpr auto schema = "outer(Tensor self, Tensor vec2) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& a, const Tensor& b) {
    BOLIDE_CHECK(a.dim() == 1, "outer: Expected 1-D argument self, but got ", a.dim(), "-D");
    BOLIDE_CHECK(b.dim() == 1, "outer: Expected 1-D argument vec2, but got ", b.dim(), "-D");
    return mul(unsqueeze(a, 1), b);
  }
};
Tensor outer(const Tensor& a, const Tensor& b) { return Outer::forward(a, b); }
const Register<Outer> outer_op;

struct Ger {
  static constexpr auto schema = "ger(Tensor self, Tensor vec2) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& a, const Tensor& b) { return outer(a, b); }
};
const Register<Ger> ger_op;

// The product along the last dimensions of both.
struct Inner {
  static constexpr auto schema = "inner(Tensor self, Tensor other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& a, const Tensor& b) {
    BOLIDE_CHECK(a.dtype() == b.dtype(), "both inputs should have same dtype");
    if (!a.dim() || !b.dim()) return mul(a, b);
    BOLIDE_CHECK(a.size(-1) == b.size(-1), "inner() the last dimension must match on both input tensors but got shapes ", a.sizes(),
                 " and ", b.sizes());
    return tensordot(a, b, {-1}, {-1});
  }
};
Tensor inner(const Tensor& a, const Tensor& b) { return Inner::forward(a, b); }
const Register<Inner> inner_op;

// x1^T W_o x2 + b_o for every output o; leading dimensions are rows.
struct Bilinear {
  static constexpr auto schema = "bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kFunction;
  static Tensor forward(const Tensor& x1, const Tensor& x2, const Tensor& w, const Tensor& bias) {
    BOLIDE_CHECK(x1.dim() && x1.dim() == x2.dim(), "bilinear(): input dimensions do not match: got ", x1.dim(), " and ", x2.dim());
    BOLIDE_CHECK(w.dim() == 3, "bilinear(): expected a weight of three dimensions, got ", w.dim());
    Dims shape = x1.sizes();
    for (int64_t d = 0; d + 1 < x1.dim(); ++d)
      BOLIDE_CHECK(x1.size(d) == x2.size(d), "bilinear(): input batch dimensions do not match at dim ", d, ": got ", x1.size(d), " and ",
                   x2.size(d));
    BOLIDE_CHECK(x1.size(-1) == w.size(1), "bilinear(): input1 size does not match weight size: got ", x1.size(-1), " but expected ",
                 w.size(1));
    BOLIDE_CHECK(x2.size(-1) == w.size(2), "bilinear(): input2 size does not match weight size: got ", x2.size(-1), " but expected ",
                 w.size(2));
    BOLIDE_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == w.size(0)), "bilinear(): bias size does not match weight size: got ",
                 bias.defined() ? bias.sizes() : Dims(), " but expected ", w.size(0));
    const int64_t outputs = w.size(0), p = w.size(1), q = w.size(2);
    shape.back() = outputs;
    const int64_t rows = checked_numel(IntList(shape.data(), shape.size() - 1));
    const Tensor mixed = mm(reshape(x1, {rows, p}), reshape(permute(w, {1, 0, 2}), {p, outputs * q}));
    const Tensor r = bmm(reshape(mixed, {rows, outputs, q}), unsqueeze(reshape(x2, {rows, q}), 2));
    const Tensor result = reshape(r, shape);
    return bias.defined() ? add(result, bias) : result;
  }
};
const Register<Bilinear> bilinear_op;

// ---- tensordot, kron --------------------------------------------------------------------------------

namespace {

/// Dimensions of `t` with those of `last` moved behind (or before) the others.
struct Split {
  Dims order, kept_sizes;
  int64_t kept = 1, summed = 1;
  Split(const Tensor& t, const Dims& dims, bool summed_first) {
    Dims rest;
    for (int64_t d = 0; d < t.dim(); ++d)
      if (std::find(dims.begin(), dims.end(), d) == dims.end()) {
        rest.push_back(d), kept_sizes.push_back(t.size(d));
        kept *= t.size(d);
      }
    for (int64_t d : dims) summed *= t.size(d);
    order = summed_first ? dims : rest;
    for (int64_t d : summed_first ? rest : dims) order.push_back(d);
  }
};

}  // namespace

// The sum of products over pairs of dimensions.
struct Tensordot {
  static constexpr auto schema = "tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal, variants = kOut;
  static Tensor forward(const Tensor& a, const Tensor& b, IntList dims_a, IntList dims_b) {
    BOLIDE_CHECK(dims_a.size() == dims_b.size(), "both dimension lists should have same length");
    BOLIDE_CHECK(a.dtype() == b.dtype(), "both inputs should have same dtype");
    Dims da(dims_a), db(dims_b);
    Tensor x = a, y = b;
    for (size_t i = 0; i < da.size(); ++i) {
      da[i] = wrap_dim(da[i], a.dim()), db[i] = wrap_dim(db[i], b.dim());
      const int64_t p = a.size(da[i]), q = b.size(db[i]);
      BOLIDE_CHECK(p == q || p == 1 || q == 1, "contracted dimensions need to match, but first has size ", p, " in dim ", dims_a[i],
                   " and second has size ", q, " in dim ", dims_b[i]);
      if (q == 1 && p != 1) x = sum_over(x, {da[i]}, true, x.dtype());
      if (p == 1 && q != 1) y = sum_over(y, {db[i]}, true, y.dtype());
    }
    for (const Dims* d : {&da, &db})
      for (size_t i = 0; i < d->size(); ++i)
        BOLIDE_CHECK(std::count(d->begin(), d->end(), (*d)[i]) == 1, "dim ", (*d)[i], " appears multiple times in the list of dims");
    const Split left(x, da, false), right(y, db, true);
    Dims shape = left.kept_sizes;
    for (int64_t n : right.kept_sizes) shape.push_back(n);
    return reshape(mm(reshape(permute(x, left.order), {left.kept, left.summed}),
                      reshape(permute(y, right.order), {right.summed, right.kept})), shape);
  }
};
Tensor tensordot(const Tensor& a, const Tensor& b, IntList dims_a, IntList dims_b) { return Tensordot::forward(a, b, dims_a, dims_b); }
const Register<Tensordot> tensordot_op;

// Every product of two elements: blocks of `other`, one for each element of self.
struct Kron {
  static constexpr auto schema = "kron(Tensor self, Tensor other) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t variants = kOut;
  static Tensor forward(const Tensor& a, const Tensor& b) {
    const int64_t n = std::max(a.dim(), b.dim());
    Dims wide_a, wide_b, shape;
    for (int64_t d = 0; d < n; ++d) {
      const int64_t p = d < n - a.dim() ? 1 : a.size(d - (n - a.dim())), q = d < n - b.dim() ? 1 : b.size(d - (n - b.dim()));
      wide_a.push_back(p), wide_a.push_back(1);
      wide_b.push_back(1), wide_b.push_back(q);
      shape.push_back(p * q);
    }
    return reshape(mul(reshape(a, wide_a), reshape(b, wide_b)), shape);
  }
};
Tensor kron(const Tensor& a, const Tensor& b) { return Kron::forward(a, b); }
const Register<Kron> kron_op;

// ---- einsum -------------------------------------------------------------------------------------------

namespace {

constexpr int kLetters = 52, kEllipsis = kLetters;

int letter(char c) { return c >= 'a' ? c - 'a' + 26 : c - 'A'; }
char letter_of(int l) { return static_cast<char>(l < 26 ? 'A' + l : 'a' + l - 26); }

/// Labels of one operand or of the result; kEllipsis stands for the dimensions of `...`.
using Labels = std::vector<int>;

Labels parse_labels(Str text, const std::string& who, size_t offset) {
  Labels labels;
  bool ellipsis = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ') continue;
    if (c == '.') {
      BOLIDE_CHECK(!ellipsis, "einsum(): found '.' for ", who, " for which an ellipsis was already found");
      BOLIDE_CHECK(i + 2 < text.size() && text[i + 1] == '.' && text[i + 2] == '.', "einsum(): found '.' for ", who,
                   " that is not part of any ellipsis (...)");
      i += 2;
      ellipsis = true;
      labels.push_back(kEllipsis);
      continue;
    }
    BOLIDE_CHECK(std::isalpha(static_cast<unsigned char>(c)), "einsum(): invalid subscript given at index ", offset + i,
                 " in the equation string, subscripts must be in [a-zA-Z]");
    labels.push_back(letter(c));
  }
  return labels;
}

/// An equation and what its labels mean for the given operands.
struct Equation {
  std::vector<Labels> inputs;
  Labels output;
  int64_t ellipsis = 0;                        // dimensions that ... stands for
  std::array<int, kLetters> position{};        // of each letter in the common order; -1: absent
  int64_t kept = 0, total = 0;                 // dimensions of the result, and with those that are summed
  int64_t ellipsis_at = 0;

  Equation(Str text, TensorList operands) {
    const size_t arrow = text.find("->");
    const Str left = text.substr(0, arrow);
    size_t begin = 0;
    for (size_t i = 0; i <= left.size(); ++i) {
      if (i < left.size() && left[i] != ',') continue;
      inputs.push_back(parse_labels(left.substr(begin, i - begin), str("operand ", inputs.size()), begin));
      begin = i + 1;
    }
    BOLIDE_CHECK(operands.size() >= inputs.size(), "einsum(): fewer operands were provided than specified in the equation");
    BOLIDE_CHECK(operands.size() <= inputs.size(), "einsum(): more operands were provided than specified in the equation");
    count_ellipsis(operands);
    std::array<int, kLetters> seen{};
    for (const Labels& labels : inputs)
      for (int l : labels)
        if (l != kEllipsis) ++seen[static_cast<size_t>(l)];
    if (arrow == text.npos) {
      output.push_back(kEllipsis);  // then the letters that occur once, in alphabetic order
      for (int l = 0; l < kLetters; ++l)
        if (seen[static_cast<size_t>(l)] == 1) output.push_back(l);
    } else {
      output = parse_labels(text.substr(arrow + 2), "output", arrow + 2);
    }
    place(seen);
  }

 private:
  void count_ellipsis(TensorList operands) {
    for (size_t k = 0; k < inputs.size(); ++k) {
      const bool has = std::find(inputs[k].begin(), inputs[k].end(), kEllipsis) != inputs[k].end();
      const int64_t letters = static_cast<int64_t>(inputs[k].size()) - has, dims = operands[k].dim();
      BOLIDE_CHECK(has ? letters <= dims : letters == dims, "einsum(): the number of subscripts in the equation (", letters, ") ",
                   has ? "is more than the number of dimensions (" : "does not match the number of dimensions (", dims,
                   ") for operand ", k, has ? "" : " and no ellipsis was given");
      if (has) ellipsis = std::max(ellipsis, dims - letters);
    }
  }
  void place(const std::array<int, kLetters>& seen) {
    position.fill(-1);
    ellipsis_at = -1;
    int64_t at = 0;
    for (int l : output) {
      if (l == kEllipsis) {
        ellipsis_at = at, at += ellipsis;
        continue;
      }
      BOLIDE_CHECK(position[static_cast<size_t>(l)] < 0, "einsum(): output subscript ", letter_of(l), " appears more than once in the output");
      BOLIDE_CHECK(seen[static_cast<size_t>(l)], "einsum(): output subscript ", letter_of(l),
                   " does not appear in the equation for any input operand");
      position[static_cast<size_t>(l)] = static_cast<int>(at++);
    }
    kept = at;
    if (ellipsis_at < 0) ellipsis_at = at, at += ellipsis;
    for (int l = 0; l < kLetters; ++l)
      if (seen[static_cast<size_t>(l)] && position[static_cast<size_t>(l)] < 0) position[static_cast<size_t>(l)] = static_cast<int>(at++);
    total = at;
  }
};

/// The label of each dimension of operand k; the dimensions of ... are kEllipsis, kEllipsis + 1, ...
Labels dimension_labels(const Equation& e, size_t k, int64_t dims) {
  Labels r;
  for (int l : e.inputs[k]) {
    if (l != kEllipsis) {
      r.push_back(l);
      continue;
    }
    const int64_t covered = dims - static_cast<int64_t>(e.inputs[k].size()) + 1;
    for (int64_t i = e.ellipsis - covered; i < e.ellipsis; ++i) r.push_back(kEllipsis + static_cast<int>(i));
  }
  return r;
}

size_t position_of(const Equation& e, int label) {
  return static_cast<size_t>(label < kLetters ? e.position[static_cast<size_t>(label)] : e.ellipsis_at + label - kEllipsis);
}
std::string name_of(int label) { return label < kLetters ? std::string(1, letter_of(label)) : "..."; }

/// Repeated labels become one: the diagonal of their dimensions.
Tensor without_repeats(Tensor t, Labels& labels, size_t k) {
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto again = std::find(labels.begin() + static_cast<int64_t>(i) + 1, labels.end(), labels[i]);
    if (again == labels.end()) continue;
    const int64_t p = static_cast<int64_t>(i), q = again - labels.begin();
    BOLIDE_CHECK(t.size(p) == t.size(q), "einsum(): subscript ", name_of(labels[i]), " is repeated for operand ", k,
                 " but the sizes don't match, ", t.size(q), " != ", t.size(p));
    t = diagonal(t, 0, p, q);
    const int label = labels[i];
    labels.erase(again), labels.erase(labels.begin() + p);
    labels.push_back(label);
    --i;
  }
  return t;
}

/// Operand k with all dimensions of the equation in their common order; absent ones have size 1.
Tensor aligned(const Equation& e, const Tensor& operand, size_t k, Dims& sizes) {
  Labels labels = dimension_labels(e, k, operand.dim());
  Tensor t = without_repeats(operand, labels, k);
  std::vector<int> dimension(static_cast<size_t>(e.total), -1);
  for (size_t d = 0; d < labels.size(); ++d) {
    const size_t p = position_of(e, labels[d]);
    const int64_t n = t.sizes()[d];
    dimension[p] = static_cast<int>(d);
    BOLIDE_CHECK(n == sizes[p] || n == 1 || sizes[p] == 1, "einsum(): subscript ", name_of(labels[d]), " has size ", n,
                 " for operand ", k, " which does not broadcast with previously seen size ", sizes[p]);
    if (n != 1) sizes[p] = n;
  }
  Dims order;
  for (int d : dimension)
    if (d >= 0) order.push_back(d);
  t = permute(t, order);
  for (size_t p = 0; p < dimension.size(); ++p)
    if (dimension[p] < 0) t = unsqueeze(t, static_cast<int64_t>(p));
  return t;
}

/// The product of two aligned tensors, summed over `dims` (kept with size 1): one batched matrix product.
Tensor sum_of_products(const Tensor& a, const Tensor& b, const Dims& dims) {
  if (dims.empty()) return mul(a, b);
  BOLIDE_CHECK(a.dtype() == b.dtype(), "expected scalar type ", legacy_name(a.dtype()), " but found ", legacy_name(b.dtype()));
  Dims both, left, right;  // dimensions of both, of a alone, of b alone
  for (int64_t d = 0; d < a.dim(); ++d) {
    if (std::find(dims.begin(), dims.end(), d) != dims.end()) continue;
    (a.size(d) != 1 && b.size(d) != 1 ? both : b.size(d) == 1 ? left : right).push_back(d);
  }
  const auto count = [](const Tensor& t, const Dims& d) {
    int64_t n = 1;
    for (int64_t i : d) n *= t.size(i);
    return n;
  };
  const auto joined = [](std::initializer_list<const Dims*> parts) {
    Dims r;
    for (const Dims* p : parts)
      for (int64_t d : *p) r.push_back(d);
    return r;
  };
  const int64_t n = count(a, both), rows = count(a, left), columns = count(b, right), k = count(a, dims);
  const Tensor x = reshape(permute(a, joined({&both, &left, &dims, &right})), {n, rows, k});
  const Tensor y = reshape(permute(b, joined({&both, &dims, &right, &left})), {n, k, columns});
  const Dims order = joined({&both, &left, &right, &dims});
  Dims shape, back(order.size(), 0);
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t d = order[i];
    back[static_cast<size_t>(d)] = static_cast<int64_t>(i);
    shape.push_back(i >= order.size() - dims.size() ? 1 : a.size(d) == 1 ? b.size(d) : a.size(d));
  }
  return permute(reshape(bmm(x, y), shape), back);
}

/// Sums a dimension that no later operand has; left to the product where both tensors have it.
Tensor contract(const Equation& e, Tensor result, Tensor next, size_t k, const std::vector<int>& last) {
  Dims dims;
  for (int64_t p = e.kept; p < e.total; ++p) {
    if (last[static_cast<size_t>(p)] != static_cast<int>(k)) continue;
    if (result.size(p) != 1 && next.size(p) != 1) dims.push_back(p);
    else if (result.size(p) != 1) result = sum_over(result, {p}, true);
    else if (next.size(p) != 1) next = sum_over(next, {p}, true);
  }
  return sum_of_products(result, next, dims);
}

}  // namespace

// Einstein's sums: products of operands whose dimensions are named by letters, summed over letters that the result
// lacks. Operands are contracted from left to right.
struct Einsum {
  static constexpr auto schema = "einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal;
  static Tensor forward(Str equation, TensorList operands, std::optional<IntList>) {
    BOLIDE_CHECK(!operands.empty(), "einsum(): must provide at least one operand");
    const Equation e(equation, operands);
    Dims sizes(static_cast<size_t>(e.total), 1);
    std::vector<Tensor> parts;
    std::vector<int> last(static_cast<size_t>(e.total), -1);
    for (size_t k = 0; k < operands.size(); ++k) {
      for (int l : dimension_labels(e, k, operands[k].dim())) last[position_of(e, l)] = static_cast<int>(k);
      parts.push_back(aligned(e, operands[k], k, sizes));
    }
    Tensor result = parts[0];
    Dims alone;
    for (int64_t p = e.kept; p < e.total; ++p)
      if (last[static_cast<size_t>(p)] == 0 && result.size(p) != 1) alone.push_back(p);
    result = sum_over(result, alone, true);
    for (size_t k = 1; k < parts.size(); ++k) result = contract(e, result, parts[k], k, last);
    Dims rest;
    for (int64_t p = e.kept; p < e.total; ++p) rest.push_back(p);
    return rest.empty() ? result : squeeze(result, all_of(rest));
  }
};
Tensor einsum(Str equation, TensorList operands) { return Einsum::forward(equation, operands, {}); }
const Register<Einsum> einsum_op;

// ---- chains of matrices ---------------------------------------------------------------------------------

namespace {

/// The cheapest order of a chain's products: split[i][j] is where the product of i..j is cut.
struct ChainOrder {
  std::vector<std::vector<size_t>> split;
  explicit ChainOrder(const std::vector<Tensor>& m) {
    const size_t n = m.size();
    std::vector<std::vector<double>> cost(n, std::vector<double>(n, 0));
    split.assign(n, std::vector<size_t>(n, 0));
    for (size_t length = 1; length < n; ++length)
      for (size_t i = 0; i + length < n; ++i) {
        const size_t j = i + length;
        cost[i][j] = std::numeric_limits<double>::infinity();
        for (size_t k = i; k < j; ++k) {
          const double c = cost[i][k] + cost[k + 1][j] + static_cast<double>(m[i].size(0)) * static_cast<double>(m[k].size(1)) *
                                                             static_cast<double>(m[j].size(1));
          if (c < cost[i][j]) cost[i][j] = c, split[i][j] = k;
        }
      }
  }
};
Tensor chain(const std::vector<Tensor>& m, const ChainOrder& order, size_t i, size_t j) {
  if (i == j) return m[i];
  const size_t k = order.split[i][j];
  return mm(chain(m, order, i, k), chain(m, order, k + 1, j));
}

Tensor multi_dot(TensorList tensors) {
  const size_t n = tensors.size();
  BOLIDE_CHECK(n >= 2, "multi_dot(): expected at least 2 tensors but got ", n);
  std::vector<Tensor> m(tensors.begin(), tensors.end());
  const bool row = m[0].dim() == 1, column = m[n - 1].dim() == 1;
  BOLIDE_CHECK(row || m[0].dim() == 2, "multi_dot(): the first tensor must be 1D or 2D but got ", m[0].dim(), "D");
  BOLIDE_CHECK(column || m[n - 1].dim() == 2, "multi_dot(): the last tensor must be 1D or 2D but got ", m[n - 1].dim(), "D");
  for (size_t i = 0; i < n; ++i) {
    BOLIDE_CHECK(i == 0 || i + 1 == n || m[i].dim() == 2, "multi_dot(): tensor ", i, " must be 2D but got ", m[i].dim(), "D");
    BOLIDE_CHECK(m[i].dtype() == m[0].dtype(), "multi_dot(): all tensors must have be the same dtype but tensor 0 is ",
                 cpp_name(m[0].dtype()), " and tensor ", i, " ", cpp_name(m[i].dtype()));
  }
  Dims shape;
  if (!row) shape.push_back(m[0].size(0));
  if (!column) shape.push_back(m[n - 1].size(1));
  if (row) m[0] = unsqueeze(m[0], 0);
  if (column) m[n - 1] = unsqueeze(m[n - 1], 1);
  for (size_t i = 0; i + 1 < n; ++i)
    BOLIDE_CHECK(m[i].size(1) == m[i + 1].size(0), "multi_dot(): tensors ", i, " and ", i + 1, " with shapes ", tensors[i].sizes(), " and ",
                 tensors[i + 1].sizes(), " cannot be multiplied");
  const Tensor r = chain(m, ChainOrder(m), 0, n - 1);
  return row || column ? reshape(r, shape) : r;
}

}  // namespace

struct LinalgMultiDot {
  static constexpr auto schema = "linalg_multi_dot(Tensor[] tensors) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal, variants = kOut;
  static Tensor forward(TensorList tensors) { return multi_dot(tensors); }
};
const Register<LinalgMultiDot> linalg_multi_dot_op;

struct ChainMatmul {
  static constexpr auto schema = "chain_matmul(Tensor[] matrices) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal, variants = kOut;
  static Tensor forward(TensorList matrices) {
    for (const Tensor& m : matrices) BOLIDE_CHECK(m.dim() == 2, "Tensor dimension is ", m.dim(), ", expected 2 instead.");
    BOLIDE_CHECK(!matrices.empty(), "chain_matmul(): Expected one or more matrices");
    return matrices.size() == 1 ? clone(matrices[0]) : multi_dot(matrices);
  }
};
const Register<ChainMatmul> chain_matmul_op;

// The sum of conj(x) * y along `dim`.
struct LinalgVecdot {
  static constexpr auto schema = "linalg_vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor";
  static constexpr auto kind = Kind::Composed;
  static constexpr uint8_t home = kInternal, variants = kOut;
  static Tensor forward(const Tensor& x, const Tensor& y, int64_t dim) {
    BOLIDE_CHECK(is_differentiable(x.dtype()) && x.dtype() == y.dtype(), "linalg.vecdot: Expected a floating point or complex tensor "
                 "as input. Got ", legacy_name(x.dtype()));
    if (x.dim() == 1 && y.dim() == 1) return vdot(x, y);
    return sum_over(mul(conj(x), y), {dim}, false);
  }
};
const Register<LinalgVecdot> linalg_vecdot_op;

}  // namespace bolide
