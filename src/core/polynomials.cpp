// Orthogonal polynomials of degree n at x. Map: recurrences | Chebyshev | Hermite, Laguerre, Legendre
//
// A negative degree gives 0. Inside (-1, 1) Chebyshev's polynomials of higher degree come from their trigonometric form.
#include <cmath>
#include <limits>

#include "core/special.h"

namespace bolide::special {

namespace {

// p(k+1) = 2 x p(k) - p(k-1) from p(0) = 1 and p(1).
double chebyshev_from(double first, double x, int64_t n) {
  if (n < 0) return 0;
  double p = 1, q = first;
  if (n == 0) return p;
  for (int64_t k = 2; k <= n && !std::isnan(q); ++k) {
    const double r = (x + x) * q - p;
    p = q;
    q = r;
  }
  return q;
}
// Recurrences end somewhere: beyond this degree the result is NaN.
constexpr int64_t kMostSteps = 1 << 20;

double even_sign(int64_t n) { return n % 2 ? -1 : 1; }
bool trigonometric(double x, int64_t n, int64_t degree) { return n > degree && std::fabs(x) < 1; }

}  // namespace

// ---- Chebyshev -------------------------------------------------------------------------------

double chebyshev_t(double x, int64_t n) {
  if (n < 0) return 0;
  if (std::fabs(x) == 1) return x > 0 ? 1 : even_sign(n);
  if (trigonometric(x, n, 6)) return std::cos(double(n) * std::acos(x));
  return chebyshev_from(x, x, n);
}
double chebyshev_u(double x, int64_t n) {
  if (n < 0) return 0;
  if (std::fabs(x) == 1) return (x > 0 ? 1 : even_sign(n)) * double(n + 1);
  if (trigonometric(x, n, 8)) {
    const double a = std::acos(x);
    return std::sin(double(n + 1) * a) / std::sin(a);
  }
  return chebyshev_from(x + x, x, n);
}
double chebyshev_v(double x, int64_t n) {
  if (n < 0) return 0;
  if (std::fabs(x) == 1) return x > 0 ? 1 : even_sign(n) * double(n + n + 1);
  if (trigonometric(x, n, 8)) {
    const double a = std::acos(x);
    return std::cos((double(n) + 0.5) * a) / std::cos(a / 2);
  }
  return chebyshev_from(x + x - 1, x, n);
}
double chebyshev_w(double x, int64_t n) {
  if (n < 0) return 0;
  if (std::fabs(x) == 1) return x > 0 ? double(n + n + 1) : even_sign(n);
  if (trigonometric(x, n, 8)) {
    const double a = std::acos(x);
    return std::sin((double(n) + 0.5) * a) / std::sin(a / 2);
  }
  return chebyshev_from(x + x + 1, x, n);
}

// ---- Hermite, Laguerre, Legendre ---------------------------------------------------------------

double hermite_h(double x, int64_t n) {
  if (n < 0) return 0;
  if (n > 512) return std::numeric_limits<double>::quiet_NaN();
  double p = 1, q = x + x;
  if (n == 0) return p;
  for (int64_t k = 2; k < n + n && !std::isnan(q); k += 2) {
    const double r = (x + x) * q - double(k) * p;
    p = q;
    q = r;
  }
  return q;
}
double hermite_he(double x, int64_t n) {
  if (n < 0) return 0;
  if (n > 512) return std::numeric_limits<double>::quiet_NaN();
  double p = 1, q = x;
  if (n == 0) return p;
  for (int64_t k = 1; k < n && !std::isnan(q); ++k) {
    const double r = x * q - double(k) * p;
    p = q;
    q = r;
  }
  return q;
}
double laguerre_l(double x, int64_t n) {
  if (n < 0) return 0;
  if (x == 0) return 1;
  if (n > kMostSteps) return std::numeric_limits<double>::quiet_NaN();
  double p = 1, q = 1 - x;
  if (n == 0) return p;
  for (int64_t k = 1; k < n && !std::isnan(q); ++k) {
    const double r = ((double(k + k + 1) - x) * q - double(k) * p) / double(k + 1);
    p = q;
    q = r;
  }
  return q;
}
double legendre_p(double x, int64_t n) {
  if (n < 0) return 0;
  if (std::fabs(x) == 1) return x > 0 ? 1 : even_sign(n);
  if (n > kMostSteps) return std::numeric_limits<double>::quiet_NaN();
  double p = 1, q = x;
  if (n == 0) return p;
  for (int64_t k = 1; k < n && !std::isnan(q); ++k) {
    const double r = (double(k + k + 1) * x * q - double(k) * p) / double(k + 1);
    p = q;
    q = r;
  }
  return q;
}

}  // namespace bolide::special
