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

/// 1.5 * 2^23. Adding it rounds a float of magnitude below 2^22 to an integer n, in the last bits of the sum; with an
/// even bias added to it, these are n + bias. (An odd one would round what lies halfway to the other side.)
let roundingMagic: Float = 12_582_912

private let log2e: Float = 1.442_695_04

/// x = n ln 2 + r, and n + bias in the last bits of `biased`.
@inline(__always) private func reduce<let N: Int>(_ x: Unrolled<N>, bias: Float) -> (
  biased: Unrolled<N>, n: Unrolled<N>, r: Unrolled<N>
) {
  let biased = fma(x, log2e, roundingMagic + bias)
  let n = biased - (roundingMagic + bias)
  return (biased, n, fma(n, -ln2Low, fma(n, -ln2High, x)))
}

/// 2^n from the bits of n + 127, whatever stands above them.
@inline(__always) private func powerOfTwo(_ biased: RegisterBits) -> Register { float(biased &<< 23) }

/// e^x. Overflows to infinity, underflows through the subnormals to zero.
@inline(never) func exp(_ x: Lanes) -> Lanes { Lanes(exp(x.chunk)) }

/// tanh x.
@inline(never) func tanh(_ x: Lanes) -> Lanes { Lanes(tanh(x.chunk)) }

// e^x and tanh x for hot loops: inlined on AVX2 and AVX-512. On SSE2 and NEON, where 16 floats take four registers, the
// code would grow more than a call costs.
#if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
  @inline(__always) func inlinedExp(_ x: Lanes) -> Lanes { Lanes(exp(x.chunk)) }
  @inline(__always) func inlinedTanh(_ x: Lanes) -> Lanes { Lanes(tanh(x.chunk)) }
#else
  @inline(__always) func inlinedExp(_ x: Lanes) -> Lanes { exp(x) }
  @inline(__always) func inlinedTanh(_ x: Lanes) -> Lanes { tanh(x) }
#endif

@inline(__always) func exp<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> { expOfSmall(atMost(89, x)) }

/// e^x for x <= 89.
@inline(__always) private func expOfSmall<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  let (biased, n, r) = reduce(atLeast(-104, x), bias: 254)
  var p = fma(r, 1.381_453_9e-3, 8.368_745e-3)
  p = fma(p, r, 4.166_839e-2)
  p = fma(p, r, 0.166_665_21)
  p = fma(p, r, 0.499_999_94)
  p = fma(p, r, 1)
  p = fma(p, r, 1)
  #if FLOWRT_LEVEL_3
    return p.with(n) { flowrt_v_scale($0, $1) }
  #else
    // In two factors: 2^n itself is not a float for n = 128 nor below -126.
    return p.with(biased) { p, biased in
      let half = bits(biased) &>> 1
      return p * powerOfTwo(half) * powerOfTwo(bits(biased) &- half)
    }
  #endif
}

/// e^x - 1 without cancellation, for x <= 0 (elu).
@inline(__always) func expm1OfNegative<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  let (biased, _, r) = reduce(atLeast(-25, x), bias: 0)
  var q = fma(r, 1.991_422_9e-4, 1.394_105e-3)
  q = fma(q, r, 8.333_273e-3)
  q = fma(q, r, 4.166_635_5e-2)
  q = fma(q, r, 0.166_666_67)
  q = fma(q, r, 0.5)
  let p = fma(q * r, r, r)
  let scale = biased.map { powerOfTwo(bits($0) &+ 127) }
  return fma(scale, p, scale - 1)
}

@inline(__always) func tanh<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  // 2|x| = n ln 2 + 2h, and expm1(2h) = 2 (h + 2 h^2 q(2h)). Powers of two are in the constants, where they cost
  // nothing and round nothing. From 9.02 on tanh rounds to 1.
  let y = atMost(9.02, magnitude(x))
  // One step of reduction suffices: what h loses for large n, the flat end of tanh forgives; for n = 0 it is exact.
  let magic = roundingMagic + 128
  let shifted = fma(y, 2 * log2e, magic)
  let h = fma(shifted - magic, -0.5 * 0.693_147_2, y)
  var q = fma(h, 32 * 1.394_649_7e-3, 16 * 8.366_611e-3)
  q = fma(q, h, 8 * 4.166_628e-2)
  q = fma(q, h, 4 * 0.166_665_43)
  q = fma(q, h, 2 * 0.5)
  let twiceScale = shifted.map { powerOfTwo(bits($0)) }
  let expm1 = fma(twiceScale, fma(h * h, q, h), fma(twiceScale, 0.5, -1))
  return copySign(overTwoMore(expm1), x)
}

/// p / (p + 2) for p >= 0. The reciprocal r of d = p + 2 is guessed from the exponent, off by at most 12 %; a step of
/// Halley's iteration cubes that error, a step of Newton's squares it. The residual p - (p + 2) q, from the unrounded p
/// + 2, corrects the quotient.
@inline(__always) private func overTwoMore<let N: Int>(_ p: Unrolled<N>) -> Unrolled<N> {
  let d = p + 2
  let guess = d.map { float(RegisterBits(repeating: 0x7EF3_11C3) &- bits($0)) }
  let guessError = negatedFma(d, guess, 1)
  let r = fma(guess, fma(guessError, guessError, guessError), guess)
  let q = p * r
  let residual = negatedFma(q, p, fma(q, Unrolled(repeating: -2), p))
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

/// log(1 + e^x).
@inline(never) func softplus(_ x: Lanes) -> Lanes { atLeast(0, x) + log1pOfUnit(exp(-magnitude(x))) }

@inline(__always) func softplus<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  atLeast(0, x) + log1pOfUnit(expOfSmall(x.map { -magnitude($0) }))
}

/// log sigmoid(x) = -softplus(-x).
@inline(__always) func logSigmoid(_ x: Lanes) -> Lanes { -softplus(-x) }
