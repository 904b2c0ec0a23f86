// The sine, as an activation.
//
// x = n pi + r with an integer n and |r| <= pi / 2: sin x = (-1)^n (r + r^3 p(r^2)), p of degree 4. Pi is subtracted in four
// parts, the first three short enough for exact products up to n = 8192, that is |x| = 25,000; beyond, the error of r is about
// |x| 2^-35, and from 10^7 on, where neighbouring floats are a third of a turn apart, the result is only between -1 and 1.

import FlowrtShim

/// sin x.
@inline(never) func sin(_ x: Register) -> Register {
  let shifted = fma(x, 0.318_309_89, roundingMagic)
  let n = shifted - roundingMagic
  var r = negatedFma(n, Register(repeating: 3.140_625), x)
  r = negatedFma(n, Register(repeating: 9.675_025_939_941_406e-4), r)
  // What the third part rounds off goes into the fourth.
  let third = Register(repeating: 1.509_906_724_095_344_5e-7)
  let rounded = negatedFma(n, third, r)
  let lost = negatedFma(n, third, r - rounded)
  r = rounded + negatedFma(n, Register(repeating: 5.126_688e-12), lost)
  r = atMost(1.6, atLeast(-1.6, r))
  let s = r * r
  var p = fma(s, -2.550_259_6e-8, 2.762_705e-6)
  p = fma(p, s, -1.984_309_3e-4)
  p = fma(p, s, 8.333_350_5e-3)
  p = fma(p, s, -0.166_666_67)
  return float(bits(fma(p * s, r, r)) ^ (bits(shifted) &<< 31))
}
