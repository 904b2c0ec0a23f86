// The error function, for the exact gelu and the normal distribution function.
//
//   |x| < 1    erf x = x + x p(x^2), p of degree 6
//   |x| >= 1   erf x = 1 - exp(-g(x)), g(x) = -log erfc(x) as a polynomial of degree 6; 1 from 3.95 on

/// The distribution function of the standard normal is (1 + erf(x sqrtHalf)) / 2.
let sqrtHalf: Float = 0.707_106_78

/// erf x.
@inline(never) func erf(_ x: Lanes) -> Lanes {
  let a = magnitude(x)
  let s = x * x
  var p = fma(s, 7.853_861_5e-5, -8.010_194e-4)
  p = fma(p, s, 5.188_327_7e-3)
  p = fma(p, s, -2.685_381_3e-2)
  p = fma(p, s, 0.112_835_854)
  p = fma(p, s, -0.376_126_26)
  p = fma(p, s, 0.128_379_17)
  let inner = fma(p, x, x)
  let b = atMost(3.95, a)
  var g = fma(b, -1.863_796e-4, 2.947_662_5e-3)
  g = fma(g, b, -2.183_808_2e-2)
  g = fma(g, b, 0.103_106_79)
  g = fma(g, b, 0.638_144_8)
  g = fma(g, b, 1.127_089_3)
  g = fma(g, b, 3.415_161e-4)
  let outer = copySign(1 - expOfNegative(-g), x)
  return ifLess(a, 1, inner, outer)
}
