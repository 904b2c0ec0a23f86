// log and log1p.
//
// x = 2^k m with m in [sqrt(1/2), sqrt(2)), f = m - 1:  log x = k ln 2 + f - f^2 / 2 + f^3 p(f), p of degree 7 or 8. Only bit
// operations reduce the argument. Errors over all float32 inputs: docs/ACCURACY.md.

import FlowrtShim

private let sqrtHalfBits: Int32 = 0x3F35_04F3
private let smallestNormal: Float = 0x1p-126

/// ln 2 = high + low; k * high is exact.
private let ln2High: Float = 0.693_359_375
private let ln2Low: Float = -2.121_944_4e-4

/// log(2^k (1 + f)), f in [sqrt(1/2) - 1, sqrt(2) - 1]. `fused` false gives the same bits with and without FMA hardware.
@inline(__always) private func logCore(_ f: Lanes, _ k: Lanes, fused: Bool) -> Lanes {
  @inline(__always) func add(_ a: Lanes, _ b: Lanes, _ c: Lanes) -> Lanes { fused ? fma(a, b, c) : a * b + c }
  @inline(__always) func add(_ a: Lanes, _ b: Lanes, _ c: Float) -> Lanes { add(a, b, Lanes(repeating: c)) }
  var p = add(f, Lanes(repeating: 0.067_466_415), -0.116_756_57)
  p = add(p, f, 0.118_881_65)
  p = add(p, f, -0.124_055_885)
  p = add(p, f, 0.142_195_52)
  p = add(p, f, -0.166_679_96)
  p = add(p, f, 0.200_021_19)
  p = add(p, f, -0.250_000_1)
  p = add(p, f, 0.333_333_13)
  let f2 = f * f
  var tail = add(k, Lanes(repeating: ln2Low), f2 * f * p)
  tail = add(f2, Lanes(repeating: -0.5), tail)
  return add(k, Lanes(repeating: ln2High), f + tail)
}

@inline(__always) private func log(_ x: Lanes, fused: Bool) -> Lanes {
  // Subnormals have no exponent of their own: scale them up.
  let scaled = ifLess(x, smallestNormal, x * 0x1p23, x)
  let offset = bits(scaled) &- sqrtHalfBits
  let k = offset &>> 23
  let m = float((offset & 0x007F_FFFF) &+ sqrtHalfBits)
  let kFloat = flowrt_v_from_int(k) + ifLess(x, smallestNormal, Lanes(repeating: -23), Lanes())
  var y = logCore(m - 1, kFloat, fused: fused)
  y = ifEqual(x, 0, Lanes(repeating: -.infinity), y)
  y = ifLess(x, 0, Lanes(repeating: .nan), y)
  // Infinity and NaN come back as they are.
  return ifLess(x, .infinity, y, x)
}

/// ln x: -infinity at 0, NaN below.
@inline(never) func log(_ x: Lanes) -> Lanes { log(x, fused: true) }

/// The same for where a call would be felt.
#if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
  @inline(__always) func inlinedLog(_ x: Lanes) -> Lanes { log(x, fused: true) }
#else
  @inline(__always) func inlinedLog(_ x: Lanes) -> Lanes { log(x) }
#endif

/// ln x in separate multiplications and additions, for noise that has the same bits on every CPU.
@inline(__always) func logUnfused(_ x: Lanes) -> Lanes { log(x, fused: false) }

/// log(1 + e) for e in [0, 1], to full relative precision.
@inline(__always) func log1pOfUnit(_ e: Lanes) -> Lanes {
  // 1 + e = 2^k (1 + f), without rounding 1 + e.
  let boundary: Float = 0.414_213_56
  let f = ifMore(e, boundary, e * 0.5 - 0.5, e)
  return logCore(f, ifMore(e, boundary, Lanes(repeating: 1), Lanes()), fused: true)
}
