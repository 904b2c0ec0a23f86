// The inverse hyperbolic sine, as an activation.
//
// With a = |x|:  asinh a = log(1 + t),  t = a + a^2 / (1 + sqrt(a^2 + 1)), which loses no digits near zero. From 2^13 on,
// asinh a = log a + ln 2 to the last bit, and a^2 could overflow.

import FlowrtShim

private let large: Float = 8192
private let logOf2: Float = 0.693_147_18

/// asinh x.
@inline(never) func asinh(_ x: Register) -> Register {
  let a = magnitude(x)
  let moderate = atMost(large, a)
  let squared = moderate * moderate
  let t = moderate + squared / (1 + flowrt_v_sqrt(squared + 1))
  let u = 1 + t
  // What u rounded off, to first order.
  let beyondUnit = log(u) + (t - (u - 1)) / u
  let near = ifMore(t, 1, beyondUnit, log1pOfUnit(atMost(1, t)))
  return copySign(ifMore(a, large, log(a) + logOf2, near), x)
}
