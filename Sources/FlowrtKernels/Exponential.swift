// exp and what is made of it: expm1, tanh, sigmoid, softplus.
//
// Range reduction (Cody and Waite): x = n ln 2 + r with an integer n and |r| <= ln 2 / 2, so exp(x) = 2^n exp(r).
// n comes from adding and subtracting 1.5 * 2^23, whose sum has n in its last bits: no conversion instruction.
//
//   exp, expm1   exp(r) = 1 + r + r^2 q(r), q of degree 4 (exp, relative error 2^-28) or 5 (expm1, 2^-32)
//   tanh         expm1(2|x|) / (expm1(2|x|) + 2), the quotient by two Halley steps; no division instruction, whose
//                throughput is worse than that of all the rest together
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
  return (bits(shifted) &- LaneBits(repeating: roundingMagicBits), r)
}

/// 2^n for n in -126 ... 127.
@inline(__always) private func powerOfTwo(_ n: LaneBits) -> Lanes {
  float((n &+ LaneBits(repeating: 127)) &<< LaneBits(repeating: 23))
}

/// e^x. Overflows to infinity, underflows through the subnormals to zero.
@inline(__always) func exp(_ x: Lanes) -> Lanes {
  let (n, r) = reduce(atLeast(-104, atMost(89, x)))
  var p = fma(r, 1.381_453_9e-3, 8.368_745e-3)
  p = fma(p, r, 4.166_839e-2)
  p = fma(p, r, 0.166_665_21)
  p = fma(p, r, 0.499_999_94)
  p = fma(p, r, 1)
  p = fma(p, r, 1)
  // In two factors: 2^n itself is not a float for n = 128 nor below -126.
  let half = n &>> LaneBits(repeating: 1)
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
@inline(__always) func tanh(_ x: Lanes) -> Lanes {
  let twoLog2e: Float = 2.885_390_08
  // From 9.02 on tanh rounds to 1.
  let a = atMost(9.02, magnitude(x))
  // 2^(2 a log2 e) = 2^n 2^f. One step suffices: what f loses for large n, the flat end of tanh forgives.
  let shifted = fma(a, twoLog2e, roundingMagic)
  let f = fma(a, Lanes(repeating: twoLog2e), roundingMagic - shifted)
  var g = fma(f, 1.540_351_2e-4, 1.339_080_4e-3)
  g = fma(g, f, 9.618_238e-3)
  g = fma(g, f, 5.550_357_3e-2)
  g = fma(g, f, 0.240_226_49)
  g = fma(g, f, 0.693_147_2)
  let scale = float((bits(shifted) &<< LaneBits(repeating: 23)) &+ LaneBits(repeating: 0x3F80_0000))
  let expm1 = fma(scale, g * f, scale - 1)
  return copySign(expm1 * reciprocal(expm1 + 2), x)
}

/// 1 / d for d in [2, 2^28]: a guess from the exponent (off by at most 12 %), then two steps of Halley's iteration, each of
/// which cubes the error.
@inline(__always) private func reciprocal(_ d: Lanes) -> Lanes {
  var r = float(LaneBits(repeating: 0x7EF3_11C3) &- bits(d))
  for _ in 0..<2 {
    let error = fma(-d, r, 1)
    r = fma(r, fma(error, error, error), r)
  }
  return r
}

/// 1 / (1 + e^-x).
@inline(__always) func sigmoid(_ x: Lanes) -> Lanes {
  let e = exp(-magnitude(x))
  return select(x .< Lanes(), e, Lanes(repeating: 1)) / (1 + e)
}

/// log(1 + e^x).
@inline(__always) func softplus(_ x: Lanes) -> Lanes {
  atLeast(0, x) + log1pOfUnit(exp(-magnitude(x)))
}

/// log sigmoid(x) = -softplus(-x).
@inline(__always) func logSigmoid(_ x: Lanes) -> Lanes { -softplus(-x) }
