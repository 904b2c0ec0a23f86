// exp and what is made of it: expm1, tanh, sigmoid, softplus.
//
// Range reduction (Cody and Waite): x = n ln 2 + r with an integer n and |r| <= ln 2 / 2, so exp(x) = 2^n exp(r).
// n comes from adding and subtracting 1.5 * 2^23, whose sum has n in its last bits: no conversion instruction. A bias
// in that sum makes them the exponent of the power of two that a formula wants.
//
//   exp       2^n (1 + r p), p = (e^r - 1) / r of degree 5, relative error 2^-28
//   expm1     2^n r p + (2^n - 1), p of degree 6, 2^-32
//   tanh      m / d, m = -expm1(-2|x|), d = 2 - m
//   sigmoid   1 / d, d = 1 + e^-x
//   softplus  max(x, 0) + log1p(exp(-|x|))
//
// m and d are each rounded once, from the parts of the exponential: 1 + 2^n and its like are exact, and what is added
// to them is small. Then nothing has to be corrected after the division.
//
// Polynomials: minimax fits on the reduced interval, summed in pairs (Estrin), which shortens the chain of operations
// that a single value waits for. Errors over all float32 inputs: docs/ACCURACY.md.

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

/// (e^r - 1) / r.
@inline(__always) private func expm1Ratio<let N: Int>(_ r: Unrolled<N>) -> Unrolled<N> {
  let r2 = r * r
  let high = fma(r2, 1.375_271_24e-3, fma(r, 8.369_828e-3, 4.166_979e-2))
  return fma(r, fma(r2, high, fma(r, 0.166_665_02, 0.499_999_85)), 1)
}

/// 2^n from the bits of n + 127, whatever stands above them.
@inline(__always) private func powerOfTwo(_ biased: RegisterBits) -> Register { float(biased &<< 23) }

/// tanh x.
@inline(never) func tanh(_ x: Lanes) -> Lanes { Lanes(tanh(x.chunk)) }

// tanh x for hot loops: inlined on AVX2 and AVX-512. On SSE2 and NEON, where 16 floats take four registers, the
// code would grow more than a call costs.
#if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
  @inline(__always) func inlinedTanh(_ x: Lanes) -> Lanes { Lanes(tanh(x.chunk)) }
#else
  @inline(__always) func inlinedTanh(_ x: Lanes) -> Lanes { tanh(x) }
#endif

/// e^x. Overflows to infinity, underflows through the subnormals to zero.
@inline(__always) func exp<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  #if FLOWRT_LEVEL_3
    return expOfNegative(atMost(89, x))  // whose instruction for 2^n takes any n
  #else
    // In two factors: 2^n itself is not a float for n = 128 nor below -126.
    let (biased, _, r) = reduce(atLeast(-104, atMost(89, x)), bias: 254)
    let half = biased.map { powerOfTwo(bits($0) &>> 1) }
    let rest = biased.map { powerOfTwo(bits($0) &- (bits($0) &>> 1)) }
    return fma(expm1Ratio(r), r * half, half) * rest
  #endif
}

/// e^x for x <= 0: one factor that is a normal float, 2^(n + 63), and a constant.
@inline(__always) func expOfNegative<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  let (biased, n, r) = reduce(atLeast(-104, x), bias: 127 + 63)
  #if FLOWRT_LEVEL_3
    return fma(expm1Ratio(r), r, 1).with(n) { flowrt_v_scale($0, $1) }
  #else
    let scale = biased.map { powerOfTwo(bits($0)) }
    return fma(expm1Ratio(r), r * scale, scale) * 0x1p-63
  #endif
}

/// e^x - 1 without cancellation, for x <= 0 (elu).
@inline(__always) func expm1OfNegative<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  // One step of reduction suffices: what r loses for large n, the - 1 forgives; for n = 0 it is exact.
  let magic = roundingMagic + 128
  let y = atLeast(-25, x)
  let shifted = fma(y, log2e, magic)
  let r = fma(shifted - magic, -ln2, y)
  let r2 = r * r
  let middle = fma(r2, fma(r, 1.991_422_9e-4, 1.394_105e-3), fma(r, 8.333_273e-3, 4.166_635_5e-2))
  let q = fma(r2, middle, fma(r, 0.166_666_67, 0.5))
  let twiceScale = shifted.map { powerOfTwo(bits($0)) }
  let scale = twiceScale * 0.5
  return fma(scale, fma(r2, q, r), scale - 1)
}

@inline(__always) func tanh<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  // -2|x| = n ln 2 - 2h, and -expm1(-2h) = 2g = 2 (h - 2 h^2 q(-2h)), so that
  // m = 1 - 2^n + 2^n 2g and d = 1 + 2^n - 2^n 2g. Powers of two are in the constants, where they cost nothing and
  // round nothing. From 9.02 on tanh rounds to 1. One step of reduction, as in expm1.
  let y = atMost(9.02, magnitude(x))
  let magic = roundingMagic + 128
  let shifted = fma(y, -2 * log2e, magic)
  let h = fma(shifted - magic, 0.5 * ln2, y)
  let h2 = h * h
  let high = fma(h2, 32 * 1.394_649_7e-3, fma(h, -16 * 8.366_611e-3, 8 * 4.166_628e-2))
  let g = negatedFma(h2, fma(h2, high, fma(h, -4 * 0.166_665_43, 2 * 0.5)), h)
  let twiceScale = shifted.map { powerOfTwo(bits($0)) }
  let m = fma(twiceScale, g, fma(twiceScale, -0.5, 1))
  let d = negatedFma(twiceScale, g, fma(twiceScale, 0.5, 1))
  return copySign(m / d, x)
}

/// 1 / (1 + e^-x).
@inline(__always) func sigmoid<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  // In units of 2^25, so that 1 + e^104 is a float. From 25 on the result rounds to 1.
  let unit: Float = 0x1p-25
  let (biased, _, r) = reduce(x.map { -atMost(25, atLeast(-104, $0)) }, bias: 127 - 25)
  let scale = biased.map { powerOfTwo(bits($0)) }
  let sum = scale + unit
  let lost = scale - sum + unit
  return (sum + fma(expm1Ratio(r), r * scale, lost)).map { unit / $0 }
}

/// log(1 + e^x).
@inline(__always) func softplus<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  atLeast(0, x) + log1pOfUnit(expOfNegative(x.map { -magnitude($0) }))
}

/// log sigmoid(x) = -softplus(-x).
@inline(__always) func logSigmoid(_ x: Lanes) -> Lanes { -softplus(-x) }
