// Map: series | gamma family | error functions and the normal distribution | incomplete gamma | Bessel functions
#include "core/special.h"

#include <cmath>
#include <limits>

namespace bolide::special {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kPi = 3.14159265358979323846, kEps = 1.1102230246251565e-16;

// The sum of a Chebyshev series on -1..1 (first coefficient halved), by Clenshaw's recurrence.
template <int N>
double chebyshev(const double (&c)[N], double x) {
  double a = 0, b = 0;
  for (int i = N - 1; i > 0; --i) {
    const double next = 2 * x * a - b + c[i];
    b = a;
    a = next;
  }
  return x * a - b + 0.5 * c[0];
}

// exp(-x) I0(x) and exp(-x) I1(x) / x on 0..8; exp(-x) sqrt(x) I(x) in 1/x beyond.
constexpr double kI0Small[] = {
    0.67679527440947607, -0.3046826723431984, 0.17162090152220877, -0.094901097048047639,
    0.049305284239670712, -0.023737414805899471, 0.010546460394594998, -0.0043243099950505759,
    0.0016394756169413357, -0.00057637557453858236, 0.00018850288509584165, -5.754195010082104e-05,
    1.6448448070728896e-05, -4.4167383584587505e-06, 1.1173875391201037e-06, -2.6707938539406119e-07,
    6.0469950225419186e-08, -1.300025009986248e-08, 2.6598237246823866e-09, -5.1897956016352627e-10,
    9.675809035373237e-11, -1.7268262914415559e-11, 2.9550526631296399e-12, -4.856446783111929e-13,
    7.6761854986049209e-14, -1.1685332877991979e-14, 1.7153912855404112e-15, -2.4312798451118203e-16,
    3.3307943822667142e-17, -4.4153289985338415e-18, 5.6680376807817961e-19, -6.9570954034339523e-20,
};
constexpr double kI0Large[] = {
    0.80449041101410879, 0.0033691164782556943, 6.8897583469168245e-05, 2.8913705208347567e-06,
    2.0489185894690638e-07, 2.266668990498178e-08, 3.3962320257083865e-09, 4.9406023882249701e-10,
    1.1889147107846441e-11, -3.149916527963241e-11, -1.3215811840447725e-11, -1.7941785315067997e-12,
    7.1801244513840699e-13, 3.8527783827412969e-13, 1.5400862175166178e-14, -4.1505693472451204e-14,
    -9.5548466991972118e-15, 3.8116806680390412e-15, 1.7725601363591718e-15, -3.4254856038252755e-16,
    -2.8276241466181937e-16, 3.4612241365070906e-17, 4.46562752129513e-17, -4.8306310055325333e-18,
    -7.2333307012318915e-18, 9.9290252371930759e-19, 1.1936382078695018e-18, -2.5255791599890715e-19,
    -1.9057183040549827e-19, 8.0466116045484152e-20,
};
constexpr double kI1Small[] = {
    0.25258718644363365, -0.17641651835783406, 0.10264365868984709, -0.052945981208094989,
    0.024726449030626516, -0.010564084894626197, 0.0041564229443128882, -0.0015135724506312532,
    0.00051228595616857576, -0.00016176081582589674, 4.7815651075500542e-05, -1.3273163656039436e-05,
    3.4702513081376785e-06, -8.5687202646954547e-07, 2.0032947535521353e-07, -4.4450591287963281e-08,
    9.3815373864957726e-09, -1.8872497517228294e-09, 3.6255902815521172e-10, -6.6634897235020271e-11,
    1.1736186298890901e-11, -1.9839743977649436e-12, 3.2237933659455748e-13, -5.0421855047279118e-14,
    7.6006842947353982e-15, -1.1055969477353012e-15, 1.5536319577274422e-16, -2.1114212134783494e-17,
    2.7779140265404403e-18, -3.541573534719953e-19, 4.3785358891526218e-20, -5.187220281833185e-21,
};
constexpr double kI1Large[] = {
    0.77857623501828011, -0.0097610974913614687, -0.00011058893876262371, -3.8825648088776906e-06,
    -2.5122362378702088e-07, -2.6314688468895196e-08, -3.835380385964237e-09, -5.5897434621965838e-10,
    -1.8974958123505416e-11, 3.2526035830154878e-11, 1.4125807436613793e-11, 2.0356285441470823e-12,
    -7.1985517762463133e-13, -4.083551111091324e-13, -2.1015418427682397e-14, 4.2724400166691803e-14,
    1.0420276984522873e-14, -3.8144030711275505e-15, -1.8803547789203403e-15, 3.3082022966149676e-16,
    2.9626291667297191e-16, -3.2095272982731864e-17, -4.6503114851442211e-17, 4.414480145600382e-18,
    7.5174415899318245e-18, -9.3219388648385307e-19, -1.2421354048206203e-18, 2.4517968989342127e-19,
    1.9913352444101859e-19, -8.0071090399205781e-20,
};

}  // namespace

// ---- gamma family --------------------------------------------------------------------------------------

double lgamma(double x) {
  int sign;
  return ::lgamma_r(x, &sign);
}

// Upwards to 10 by recurrence, then the asymptotic series; below 0 by reflection.
double digamma(double x) {
  if (x == 0) return std::copysign(kInf, -x);
  if (x < 0) {
    if (x == std::floor(x)) return kNan;
    const double part = x - std::floor(x);
    return digamma(1 - x) - kPi / std::tan(kPi * part);
  }
  double result = 0;
  for (; x < 10; x += 1) result -= 1 / x;
  const double z = 1 / (x * x);
  const double series =
      z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760 - z / 12))))));
  return result + (std::isinf(x) ? x : std::log(x) - 0.5 / x - series);
}

double trigamma(double x) {
  if (x < 0.5) {
    if (x == std::floor(x)) return x == 0 ? kInf : std::isinf(x) ? kNan : kInf;
    const double s = std::sin(kPi * (x - std::floor(x)));
    return kPi * kPi / (s * s) - trigamma(1 - x);
  }
  double result = 0;
  for (; x < 10; x += 1) result += 1 / (x * x);
  const double z = 1 / (x * x);
  const double series = z * (1.0 / 6 - z * (1.0 / 30 - z * (1.0 / 42 - z * (1.0 / 30 - z * (5.0 / 66 - z * (691.0 / 2730 - z * 7 / 6))))));
  return result + (1 + 0.5 / x + series) / x;
}

// Hurwitz's zeta by Euler and Maclaurin: ten terms, the integral, and the corrections.
double zeta(double s, double q) {
  if (s == 1) return kInf;
  if (s < 1) return kNan;
  if (q <= 0) {
    if (q == std::floor(q)) return kInf;
    if (s != std::floor(s)) return kNan;
  }
  double sum = 0, a = q;
  for (int i = 0; i < 10 || a <= 9; ++i, a += 1) {
    const double term = std::pow(a, -s);
    sum += term;
    if (a > 0 && term < kEps * std::fabs(sum)) return sum;
  }
  const double power = std::pow(a, -s);
  sum += power * a / (s - 1) + 0.5 * power;
  // B_2k / (2k)!
  constexpr double kBernoulli[] = {1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160, -691.0 / 1307674368000.0,
                                   1.0 / 74724249600.0, -3617.0 / 10670622842880000.0};
  double factor = s * power / a;
  for (int k = 0; k < 8; ++k) {
    const double term = kBernoulli[k] * factor;
    sum += term;
    if (std::fabs(term) < kEps * std::fabs(sum)) break;
    factor *= (s + 2 * k + 1) * (s + 2 * k + 2) / (a * a);
  }
  return sum;
}

double polygamma(int64_t n, double x) {
  if (n == 0) return digamma(x);
  if (n == 1) return trigamma(x);
  return (n % 2 ? 1 : -1) * std::exp(lgamma(double(n) + 1)) * zeta(double(n) + 1, x);
}

// ---- error functions and the normal distribution ---------------------------------------------------------

// exp(x^2) erfc(x); x^2 is split, since exp magnifies its rounding error by x^2.
double erfcx(double x) {
  if (x < -26.7) return kInf;
  if (x > 26) {
    const double z = 1 / (x * x);
    return (1 - z * (0.5 - z * (0.75 - z * (1.875 - z * (6.5625 - z * (29.53125 - z * 162.421875)))))) / (x * 1.7724538509055160273);
  }
  const double square = x * x, low = std::fma(x, x, -square);
  return std::exp(square) * (1 + low) * std::erfc(x);
}

// A rational start, good to float, then Halley's steps on erf, or on erfc where y is close to 1.
double erfinv(double y) {
  const double a = std::fabs(y);
  if (!(a < 1)) return a == 1 ? std::copysign(kInf, y) : kNan;
  double x;
  if (a <= 0.7) {
    const double z = a * a;
    x = a * (((-0.140543331 * z + 0.914624893) * z - 1.645349621) * z + 0.886226899) /
        ((((0.012229801 * z - 0.329097515) * z + 1.442710462) * z - 2.118377725) * z + 1);
  } else {
    const double z = std::sqrt(-std::log((1 - a) / 2));
    x = (((1.641345311 * z + 3.429567803) * z - 1.624906493) * z - 1.970840454) / ((1.637067800 * z + 3.543889200) * z + 1);
  }
  for (int i = 0; i < 2; ++i) {
    const double error = a > 0.5 ? (1 - a) - std::erfc(x) : std::erf(x) - a;
    const double u = error / (1.1283791670955126 * std::exp(-x * x));
    x -= u / (1 + x * u);
  }
  return std::copysign(x, y);
}

double log_ndtr(double x) {
  const double t = x * 0.70710678118654752;
  return x < -1 ? std::log(erfcx(-t) / 2) - t * t : std::log1p(-std::erfc(t) / 2);
}

// In the tails Newton's steps on the logarithm, which is concave there.
double ndtri(double p) {
  if (p == 0) return -kInf;
  if (p == 1) return kInf;
  if (!(p > 0 && p < 1)) return kNan;
  if (p > 0.5) return -ndtri(1 - p);
  if (p > 0.02) return erfinv(2 * p - 1) * 1.41421356237309505;
  const double want = std::log(p);
  double x = -std::sqrt(-2 * want);
  for (int i = 0; i < 12; ++i) {
    const double slope = 0.79788456080286536 / erfcx(-x * 0.70710678118654752);
    const double step = (log_ndtr(x) - want) / slope;
    x -= step;
    if (std::fabs(step) < 4 * kEps * std::fabs(x)) break;
  }
  return x;
}

// ---- incomplete gamma --------------------------------------------------------------------------------------

namespace {

// x^a exp(-x) / gamma(a + 1); for large a through Stirling's series, so that large logarithms do not cancel.
double gamma_prefix(double a, double x) {
  if (a < 20) return std::exp(a * std::log(x) - x - lgamma(a + 1));
  const double mu = (x - a) / a, z = 1 / (a * a);
  const double stirling = (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z / 1680))) / a;
  const double distance = std::fabs(mu) < 0.5 ? std::log1p(mu) - mu : std::log(x / a) - mu;
  return std::exp(a * distance - stirling) / std::sqrt(2 * kPi * a);
}

double lower_series(double a, double x) {
  double term = 1, sum = 1;
  for (double n = a + 1; term > kEps * sum; n += 1) {
    term *= x / n;
    sum += term;
  }
  return sum * gamma_prefix(a, x);
}

// The continued fraction of the upper function, by Lentz's method; the prefix lacks a factor of a.
double upper_fraction(double a, double x) {
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (double i = 1; i < 100000; i += 1) {
    const double an = -i * (i - a);
    b += 2;
    d = an * d + b;
    c = b + an / c;
    if (d == 0) d = 1e-300;
    if (c == 0) c = 1e-300;
    d = 1 / d;
    const double change = d * c;
    h *= change;
    if (std::fabs(change - 1) < 2 * kEps) break;
  }
  return h * gamma_prefix(a, x) * a;
}

}  // namespace

double igamma(double a, double x) {
  if (!(a >= 0 && x >= 0) || (a == 0 && x == 0) || (std::isinf(a) && std::isinf(x))) return kNan;
  if (a == 0 || std::isinf(x)) return 1;
  if (x == 0 || std::isinf(a)) return 0;
  return x < a + 1 ? lower_series(a, x) : 1 - upper_fraction(a, x);
}

double igammac(double a, double x) {
  if (!(a >= 0 && x >= 0) || (a == 0 && x == 0) || (std::isinf(a) && std::isinf(x))) return kNan;
  if (a == 0 || std::isinf(x)) return 0;
  if (x == 0 || std::isinf(a)) return 1;
  return x < a + 1 ? 1 - lower_series(a, x) : upper_fraction(a, x);
}

// ---- Bessel functions -----------------------------------------------------------------------------------

double i0e(double x) {
  const double a = std::fabs(x);
  if (a <= 8) return chebyshev(kI0Small, a / 4 - 1);
  return chebyshev(kI0Large, 16 / a - 1) / std::sqrt(a);
}
double i1e(double x) {
  const double a = std::fabs(x);
  if (a <= 8) return chebyshev(kI1Small, a / 4 - 1) * x;
  return std::copysign(chebyshev(kI1Large, 16 / a - 1) / std::sqrt(a), x);
}
// exp in two halves: I overflows later than exp does.
double i0(double x) {
  if (std::isinf(x)) return kInf;
  const double half = std::exp(std::fabs(x) / 2);
  return i0e(x) * half * half;
}
double i1(double x) {
  if (std::isinf(x)) return x;
  const double half = std::exp(std::fabs(x) / 2);
  return i1e(x) * half * half;
}

double bessel_j0(double x) { return std::isinf(x) ? 0 : ::j0(x); }
double bessel_j1(double x) { return std::isinf(x) ? 0 : ::j1(x); }
double bessel_y0(double x) { return x < 0 ? kNan : ::y0(x); }
double bessel_y1(double x) { return x < 0 ? kNan : ::y1(x); }

namespace {

// exp(x) K_order(x); beyond 500 from the asymptotic series, as the function itself underflows.
double scaled_k(int order, double x) {
  if (x == 0) return kInf;
  if (!(x > 0)) return kNan;
  if (x < 500) return std::cyl_bessel_k(double(order), x) * std::exp(x);
  const double mu = 4.0 * order * order;
  double term = 1, sum = 1;
  for (int i = 1; i < 8; ++i) {
    term *= (mu - (2 * i - 1) * (2 * i - 1)) / (i * 8 * x);
    sum += term;
  }
  return sum * std::sqrt(kPi / (2 * x));
}

}  // namespace

double k0e(double x) { return scaled_k(0, x); }
double k1e(double x) { return scaled_k(1, x); }
double k0(double x) { return scaled_k(0, x) * std::exp(-x); }
double k1(double x) { return scaled_k(1, x) * std::exp(-x); }

double spherical_bessel_j0(double x) {
  if (std::isinf(x)) return 0;
  return std::fabs(x) < 1e-4 ? 1 - x * x / 6 : std::sin(x) / x;
}

// Maclaurin's series near 0, else through Bessel functions of order 1/3.
double airy_ai(double x) {
  if (std::isnan(x) || std::isinf(x)) return kNan;
  if (x > 103.892) return 0;
  if (std::fabs(x) < 1.5) {
    double f = 1, g = x, f_sum = 1, g_sum = x;
    const double cube = x * x * x;
    for (int k = 1; k < 30; ++k) {
      f *= cube / ((3.0 * k - 1) * (3.0 * k));
      g *= cube / ((3.0 * k) * (3.0 * k + 1));
      f_sum += f;
      g_sum += g;
    }
    return 0.35502805388781724 * f_sum - 0.25881940379280680 * g_sum;
  }
  const double root = std::sqrt(std::fabs(x)), zeta = 2.0 / 3 * root * root * root;
  if (x > 0) return root / (kPi * 1.7320508075688772) * std::cyl_bessel_k(1.0 / 3, zeta);
  return root / 2 * (std::cyl_bessel_j(1.0 / 3, zeta) - std::cyl_neumann(1.0 / 3, zeta) / 1.7320508075688772);
}

}  // namespace bolide::special
