// The arctangent, for the scale function exp(c atan(a)).
//
// |x| <= 1: x + x^3 p(x^2), p of degree 8; beyond: pi/2 - atan(1 / x).

/// atan x.
@inline(never) func atan(_ x: Register) -> Register {
  let a = magnitude(x)
  let y = ifMore(a, 1, 1 / a, a)
  let s = y * y
  var p = fma(s, -1.793_613_9e-3, 1.091_457_25e-2)
  p = fma(p, s, -3.117_778_7e-2)
  p = fma(p, s, 5.795_753_7e-2)
  p = fma(p, s, -8.403_447e-2)
  p = fma(p, s, 0.109_521_85)
  p = fma(p, s, -0.142_642_41)
  p = fma(p, s, 0.199_985_49)
  p = fma(p, s, -0.333_333)
  let inner = fma(p * s, y, y)
  // pi/2 in two parts, so that it adds no error of its own.
  let outer = 1.570_796_4 - (inner + 4.371_139e-8)
  return copySign(ifMore(a, 1, outer, inner), x)
}
