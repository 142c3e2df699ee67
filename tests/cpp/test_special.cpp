// Special functions against values computed with 40 digits, identities and limits.
#include <doctest/doctest.h>

#include <cmath>

#include "core/special.h"

using namespace bolide::special;

namespace {

void near(double got, double want) {
  CAPTURE(got);
  CHECK(std::fabs(got - want) <= 1e-13 * std::max(1.0, std::fabs(want)));
}

}  // namespace

TEST_CASE("values of special functions") {
  near(digamma(0.1), -10.4237549404110768);
  near(trigamma(0.1), 101.4332991507927588);
  near(digamma(3.7), 1.167153539361511386);
  near(trigamma(3.7), 0.3100378576700383191);
  near(digamma(-2.3), 3.317323157561820123);
  near(trigamma(-2.3), 14.72591216096127928);
  near(digamma(40), 3.676327374034843126);
  near(trigamma(40), 0.02531510384129102816);
  near(polygamma(3, 2.5), 0.2239058488172520513);
  near(polygamma(2, 0.3), -75.27253658872603067);
  near(zeta(1.5, 2.25), 1.497513607666668036);
  near(zeta(4, 1), 1.082323233711138192);
  near(erfinv(0.3), 0.272462714726754345);
  near(erfinv(-0.85), -1.017902464832027588);
  near(erfinv(0.99999), 3.123413274341570864);
  near(erfcx(-3), 16205.98885399958663);
  near(erfcx(0.5), 0.6156903441929258749);
  near(erfcx(12), 0.04685422101489376262);
  near(erfcx(30), 0.0187958888614167515);
  near(ndtri(1e-10), -6.361340902404056199);
  near(ndtri(0.01), -2.326347874040841093);
  near(ndtri(0.3), -0.524400512708040816);
  near(ndtri(0.9), 1.281551565544600593);
  near(log_ndtr(-30), -454.3212439563431971);
  near(log_ndtr(-2), -3.783184333682031949);
  near(log_ndtr(1.5), -0.06914345561223398299);
  near(igamma(2.5, 1.25), 0.2235049288766772933);
  near(igammac(2.5, 1.25), 0.7764950711233227067);
  near(igamma(2.5, 9.0), 0.9970535954121197096);
  near(igammac(2.5, 9.0), 0.002946404587880290373);
  near(igamma(900.0, 880.0), 0.2544543740087274486);
  near(igammac(900.0, 880.0), 0.7455456259912725514);
  near(i0(0.5), 1.063483370741323519);
  near(i1(0.5), 0.2578943053908963164);
  near(i0e(0.5), 0.6450352704491500681);
  near(i1e(0.5), 0.1564208031848716971);
  near(k0(0.5), 0.9244190712276658618);
  near(k1(0.5), 1.656441120003300894);
  near(k0e(0.5), 1.52410938577390953);
  near(k1e(0.5), 2.731009708211785705);
  near(bessel_j0(0.5), 0.9384698072408129042);
  near(bessel_j1(0.5), 0.2422684576748738864);
  near(bessel_y0(0.5), -0.4445187335067065571);
  near(bessel_y1(0.5), -1.471472392670243069);
  near(i0(7.5), 268.1613115151893649);
  near(i1(7.5), 249.5843654226881361);
  near(i0e(7.5), 0.1483158300773955028);
  near(i1e(7.5), 0.1380412115485542025);
  near(k0(7.5), 0.000249177616356114389);
  near(k1(7.5), 0.000265297390125289526);
  near(k0e(7.5), 0.4505236991049156864);
  near(k1e(7.5), 0.4796689337910206155);
  near(bessel_j0(7.5), 0.2663396578803783969);
  near(bessel_j1(7.5), 0.1352484275797055052);
  near(bessel_y0(7.5), 0.1173132861482086308);
  near(bessel_y1(7.5), -0.2591285104861162518);
  near(i0(20), 43558282.55955353327);
  near(i1(20), 42454973.38512777018);
  near(i0e(20), 0.0897803118848260216);
  near(i1e(20), 0.08750622218328866536);
  near(k0(20), 5.741237815336524293e-10);
  near(k1(20), 5.883057969557038178e-10);
  near(k0e(20), 0.2785448766571822239);
  near(k1e(20), 0.2854254969407264452);
  near(bessel_j0(20), 0.1670246643405831547);
  near(bessel_j1(20), 0.06683312417585004558);
  near(bessel_y0(20), 0.06264059680938383116);
  near(bessel_y1(20), -0.1655116143625212959);
  near(k0e(700), 0.04736236945461357211);
}

TEST_CASE("limits and poles of special functions") {
  CHECK(digamma(0.0) == -INFINITY);
  CHECK(digamma(-0.0) == INFINITY);
  CHECK(std::isnan(digamma(-2.0)));
  CHECK(erfinv(1.0) == INFINITY);
  CHECK(erfinv(-1.0) == -INFINITY);
  CHECK(std::isnan(erfinv(1.5)));
  CHECK(zeta(1, 3) == INFINITY);
  CHECK(std::isnan(zeta(0.5, 3)));
  CHECK(ndtri(0) == -INFINITY);
  CHECK(ndtri(1) == INFINITY);
  CHECK(igamma(0, 1) == 1);
  CHECK(igammac(2, 0) == 1);
  CHECK(std::isnan(igamma(-1, 1)));
  CHECK(k0(0) == INFINITY);
  CHECK(std::isnan(k1(-1)));
  CHECK(std::isnan(i0(NAN)));
}
