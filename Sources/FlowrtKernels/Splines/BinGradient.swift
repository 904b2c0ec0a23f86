// A rational-quadratic bin backwards. With the names of Spline.swift, P = t (1 - t) and
//
//     D = s + k P     N = s t^2 + d0 P     M = d1 t^2 + 2 s P + d0 (1 - t)^2
//     q = y + h N / D                      log dq/dr = 2 log s + log M - 2 log D
//
// each line is taken from its result to its parts, the last one first.

import FlowrtShim

/// The gradient by the parts of a bin.
struct BinParts {
  var x = Register(), y = Register(), w = Register(), h = Register()
  var d0 = Register(), d1 = Register()
}

extension Bin {
  /// From the gradient by one side to that by the other one, and by the parts of the bin. `isInside`: 1 where the
  /// spline acts, 0 where it is the identity. `isLinear`: both derivatives are the slope h / w.
  @inline(__always) func gradient(
    _ r: Register, _ given: Register, _ isInside: Register, _ sides: Sides, isLinear: Bool
  ) -> (by: Register, parts: BinParts) {
    let s = h / w
    let k = fma(s, -2, d0 + d1)
    let t = atMost(1, atLeast(0, (r - x - xLow) / w))
    let rest = 1 - t
    let product = t * rest
    let denominator = fma(k, product, s)
    let m = fma(d1 * t, t, fma(s + s, product, d0 * rest * rest))
    // dq/dr, and the derivative of its logarithm.
    let ratio = s / denominator
    let change = rest - t
    let mByT = 2 * fma(d1, t, fma(s, change, -(d0 * rest)))
    let ofLogSlope = (mByT / m - 2 * (k * change) / denominator) / w
    let slope = ifEqual(isInside, 0, Register(repeating: 1), ratio * ratio * m)
    let (passed, byOther) = sides.pass(given, slope: slope, ofLogSlope: ofLogSlope * isInside)
    let byValue = byOther * isInside
    let byLogSlope = isInside * sides.sign
    var by = BinParts()
    by.y = byValue
    let n = fma(s * t, t, d0 * product)
    let quotient = n / denominator
    by.h = byValue * quotient
    let byN = byValue * h / denominator
    let byD = negatedFma(byN, quotient, -2 * byLogSlope / denominator)
    let byM = byLogSlope / m
    var byS = 2 * byLogSlope / s
    // N
    byS = fma(byN * t, t, byS)
    var byT = 2 * byN * s * t
    by.d0 = byN * product
    var byProduct = byN * d0
    // D
    byS = byS + byD
    let byK = byD * product
    byProduct = fma(byD, k, byProduct)
    // M
    by.d1 = byM * t * t
    byS = fma(2 * byM, product, byS)
    byProduct = fma(2 * byM, s, byProduct)
    by.d0 = fma(byM * rest, rest, by.d0)
    byT = fma(2 * byM, fma(d1, t, -(d0 * rest)), byT)
    // k = d0 + d1 - 2 s
    by.d0 = by.d0 + byK
    by.d1 = by.d1 + byK
    byS = fma(byK, -2, byS)
    if isLinear { byS = byS + (by.d0 + by.d1) }
    // P = t (1 - t), s = h / w, t = (r - x) / w
    byT = fma(byProduct, rest - t, byT)
    by.h = by.h + byS / w
    by.x = -byT / w
    by.w = negatedFma(byS, s, -(byT * t)) / w
    return (passed, by)
  }
}
