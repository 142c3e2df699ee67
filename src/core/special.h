// Map: gamma family | error functions and the normal distribution | incomplete gamma | Bessel functions | polynomials
//
// Special functions of doubles, near double precision; float goes through double and is rounded once. Poles and
// arguments outside the domain give infinities and NaN as PyTorch's functions do.
#pragma once

#include <cstdint>

namespace bolide::special {

double lgamma(double x);   // log of |gamma|; safe with threads
double digamma(double x);
double trigamma(double x);
double polygamma(int64_t n, double x);
double zeta(double s, double q);  // Hurwitz's

double erfinv(double y);
double erfcx(double x);
double ndtri(double p);
double log_ndtr(double x);

double igamma(double a, double x);   // regularised, lower
double igammac(double a, double x);  // regularised, upper

double i0(double x);
double i0e(double x);
double i1(double x);
double i1e(double x);
double k0(double x);
double k0e(double x);
double k1(double x);
double k1e(double x);
double bessel_j0(double x);
double bessel_j1(double x);
double bessel_y0(double x);
double bessel_y1(double x);
double spherical_bessel_j0(double x);
double airy_ai(double x);

// Orthogonal polynomials of degree n (polynomials.cpp).
double chebyshev_t(double x, int64_t n);
double chebyshev_u(double x, int64_t n);
double chebyshev_v(double x, int64_t n);
double chebyshev_w(double x, int64_t n);
double hermite_h(double x, int64_t n);
double hermite_he(double x, int64_t n);
double laguerre_l(double x, int64_t n);
double legendre_p(double x, int64_t n);

}  // namespace bolide::special
