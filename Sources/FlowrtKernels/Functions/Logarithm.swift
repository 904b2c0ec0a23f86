// log and log1p.
//
// x = 2^k m with m in [sqrt(1/2), sqrt(2)), f = m - 1:  log x = k ln 2 + f - f^2 / 2 + f^3 p(f), p of degree 8, summed
// in pairs (Estrin). Only bit operations reduce the argument. Errors over all float32 inputs: docs/ACCURACY.md.

import FlowrtShim

private let sqrtHalfBits: Int32 = 0x3F35_04F3
let smallestNormal: Float = 0x1p-126

let ln2: Float = 0.693_147_2

/// ln 2 = high + low; high times an exponent is exact.
let ln2High: Float = 0.693_359_375
let ln2Low: Float = -2.121_944_4e-4

/// log(2^k (1 + f)), f in [sqrt(1/2) - 1, sqrt(2) - 1]. `fused` false gives the same bits with and without FMA
/// hardware.
@inline(__always) private func logCore<let N: Int>(_ f: Unrolled<N>, _ k: Unrolled<N>, fused: Bool) -> Unrolled<N> {
  typealias V = Unrolled<N>
  @inline(__always) func add(_ a: V, _ b: V, _ c: V) -> V { fused ? fma(a, b, c) : a * b + c }
  @inline(__always) func add(_ a: V, _ b: Float, _ c: V) -> V { add(a, V(repeating: b), c) }
  @inline(__always) func add(_ a: V, _ b: Float, _ c: Float) -> V { add(a, V(repeating: b), V(repeating: c)) }
  let f2 = f * f
  let f4 = f2 * f2
  let p0 = add(f2, add(f, -0.166_679_96, 0.200_021_19), add(f, -0.250_000_1, 0.333_333_13))
  let p4 = add(f2, add(f, -0.116_756_57, 0.118_881_65), add(f, -0.124_055_885, 0.142_195_52))
  let p = add(f4, add(f4, 0.067_466_415, p4), p0)
  let tail = add(f2 * f, p, add(f2, -0.5, k * ln2Low))
  return add(k, ln2High, f + tail)
}

/// ln(2^exponent x) of positive normal floats. Infinity and NaN become something finite. `fused`: as in logCore.
@inline(__always) func logOfNormal<let N: Int>(_ x: Unrolled<N>, plus exponent: Unrolled<N>? = nil, fused: Bool = true)
  -> Unrolled<N>
{
  let k = x.map { flowrt_v_from_int((bits($0) &- sqrtHalfBits) &>> 23) }
  let m = x.map { float(((bits($0) &- sqrtHalfBits) & 0x007F_FFFF) &+ sqrtHalfBits) }
  return logCore(m - 1, exponent.map { k + $0 } ?? k, fused: fused)
}

/// ln x: -infinity at 0, NaN below.
@inline(__always) func log<let N: Int>(_ x: Unrolled<N>) -> Unrolled<N> {
  // Subnormals have no exponent of their own: scale them up.
  let scaled = x.map { ifLess($0, smallestNormal, $0 * 0x1p23, $0) }
  let exponent = x.map { ifLess($0, smallestNormal, Register(repeating: -23), Register()) }
  return x.with(logOfNormal(scaled, plus: exponent)) { x, y in
    var y = ifEqual(x, 0, Register(repeating: -.infinity), y)
    y = ifLess(x, 0, Register(repeating: .nan), y)
    // Infinity and NaN come back as they are.
    return ifLess(x, .infinity, y, x)
  }
}

/// log(1 + e) for e in [0, 1], to full relative precision.
@inline(__always) func log1pOfUnit<let N: Int>(_ e: Unrolled<N>) -> Unrolled<N> {
  // 1 + e = 2^k (1 + f), without rounding 1 + e.
  let boundary: Float = 0.414_213_56
  let f = e.map { ifMore($0, boundary, $0 * 0.5 - 0.5, $0) }
  return logCore(f, e.map { ifMore($0, boundary, Register(repeating: 1), Register()) }, fused: true)
}
