// exp and what is made of it: expm1, tanh, sigmoid, softplus.
//
// Range reduction (Cody and Waite): x = n ln 2 + r with an integer n and |r| <= ln 2 / 2, so exp(x) = 2^n exp(r).
// n comes from adding and subtracting 1.5 * 2^23, whose sum has n in its last bits: no conversion instruction.
//
//   exp, expm1   exp(r) = 1 + r + r^2 q(r), q of degree 4 (exp, relative error 2^-28) or 5 (expm1, 2^-32)
//   tanh         expm1(2|x|) / (expm1(2|x|) + 2), without the division instruction, whose throughput is worse than that of
//                all the rest together
//   sigmoid      e = exp(-|x|); (x < 0 ? e : 1) / (1 + e)
//   softplus     max(x, 0) + log1p(exp(-|x|))
//
// Polynomials: minimax fits on the reduced interval. Errors over all float32 inputs: docs/ACCURACY.md.

import FlowrtShim

/// 1.5 * 2^23: adding it rounds a float of magnitude below 2^22 to an integer, in the last bits of the sum.
private let roundingMagic: Float = 12_582_912
private let roundingMagicBits: Int32 = 0x4B40_0000

private let log2e: Float = 1.442_695_04
/// ln 2 = high + low; n * high is exact for the n that occur.
private let ln2High: Float = 0.693_359_375
private let ln2Low: Float = -2.121_944_4e-4

/// n as a float, and the bits that hold it: x = n ln 2 + r.
@inline(__always) private func reduce(_ x: Lanes) -> (n: LaneBits, r: Lanes) {
  let shifted = fma(x, log2e, roundingMagic)
  let n = shifted - roundingMagic
  let r = fma(n, -ln2Low, fma(n, -ln2High, x))
  return (bits(shifted) &- roundingMagicBits, r)
}

/// 2^n for n in -126 ... 127.
@inline(__always) private func powerOfTwo(_ n: LaneBits) -> Lanes {
  float((n &+ 127) &<< 23)
}

/// e^x. Overflows to infinity, underflows through the subnormals to zero.
@inline(never) func exp(_ x: Lanes) -> Lanes { expBody(x) }

/// log(1 + e^x).
@inline(never) func softplus(_ x: Lanes) -> Lanes { softplusBody(x) }

// The same for where a call would be felt. (Not on narrow vectors: there the code would be.)
#if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
  @inline(__always) func inlinedExp(_ x: Lanes) -> Lanes { expBody(x) }
  @inline(__always) func inlinedSoftplus(_ x: Lanes) -> Lanes { softplusBody(x) }
  @inline(__always) func inlinedTanh(_ x: Lanes) -> Lanes { tanhBody(x) }
#else
  @inline(__always) func inlinedExp(_ x: Lanes) -> Lanes { exp(x) }
  @inline(__always) func inlinedSoftplus(_ x: Lanes) -> Lanes { softplus(x) }
  @inline(__always) func inlinedTanh(_ x: Lanes) -> Lanes { tanh(x) }
#endif

@inline(__always) private func expBody(_ x: Lanes) -> Lanes {
  let (n, r) = reduce(atLeast(-104, atMost(89, x)))
  var p = fma(r, 1.381_453_9e-3, 8.368_745e-3)
  p = fma(p, r, 4.166_839e-2)
  p = fma(p, r, 0.166_665_21)
  p = fma(p, r, 0.499_999_94)
  p = fma(p, r, 1)
  p = fma(p, r, 1)
  // In two factors: 2^n itself is not a float for n = 128 nor below -126.
  let half = n &>> 1
  return p * powerOfTwo(half) * powerOfTwo(n &- half)
}

/// e^x - 1 without cancellation, for x <= 0 (elu).
@inline(__always) func expm1OfNegative(_ x: Lanes) -> Lanes {
  let (n, r) = reduce(atLeast(-25, x))
  var q = fma(r, 1.991_422_9e-4, 1.394_105e-3)
  q = fma(q, r, 8.333_273e-3)
  q = fma(q, r, 4.166_635_5e-2)
  q = fma(q, r, 0.166_666_67)
  q = fma(q, r, 0.5)
  let p = fma(q * r, r, r)
  let scale = powerOfTwo(n)
  return fma(scale, p, scale - 1)
}

/// tanh x.
@inline(never) func tanh(_ x: Lanes) -> Lanes { tanhBody(x) }

@inline(__always) private func tanhBody(_ x: Lanes) -> Lanes {
  // From 9.02 on tanh rounds to 1.
  let y = atMost(18.04, magnitude(x + x))
  // One step of reduction suffices: what r loses for large n, the flat end of tanh forgives; for n = 0 it is exact.
  let shifted = fma(y, log2e, roundingMagic)
  let r = fma(shifted - roundingMagic, -0.693_147_2, y)
  var q = fma(r, 1.394_649_7e-3, 8.366_611e-3)
  q = fma(q, r, 4.166_628e-2)
  q = fma(q, r, 0.166_665_43)
  q = fma(q, r, 0.5)
  let scale = float((bits(shifted) &<< 23) &+ 0x3F80_0000)
  let expm1 = fma(scale, fma(r * r, q, r), scale - 1)
  return copySign(overTwoMore(expm1), x)
}

/// p / (p + 2) for p >= 0. The reciprocal r of d = p + 2 is guessed from the exponent, off by at most 12 %; a step of Halley's
/// iteration cubes that error, a step of Newton's squares it. The residual p - (p + 2) q, from the unrounded p + 2, corrects
/// the quotient.
@inline(__always) private func overTwoMore(_ p: Lanes) -> Lanes {
  let d = p + 2
  let guess = float(LaneBits(repeating: 0x7EF3_11C3) &- bits(d))
  let guessError = negatedFma(d, guess, 1)
  let r = fma(guess, fma(guessError, guessError, guessError), guess)
  let q = p * r
  let residual = negatedFma(q, p, fma(q, Lanes(repeating: -2), p))
  return fma(residual, fma(r, negatedFma(d, r, 1), r), q)
}

/// 1 / (1 + e^-x).
@inline(never) func sigmoid(_ x: Lanes) -> Lanes {
  let e = inlinedExp(-magnitude(x))
  let d = 1 + e
  let q = ifLess(x, 0, e, Lanes(repeating: 1)) / d
  // What rounding 1 + e lost, divided by d: near enough, 1 / d = 1 - e / 2.
  let lost = (e - (d - 1)) * fma(e, -0.5, 1)
  return negatedFma(q, lost, q)
}

@inline(__always) private func softplusBody(_ x: Lanes) -> Lanes {
  atLeast(0, x) + log1pOfUnit(inlinedExp(-magnitude(x)))
}

/// log sigmoid(x) = -softplus(-x).
@inline(__always) func logSigmoid(_ x: Lanes) -> Lanes { -softplus(-x) }
