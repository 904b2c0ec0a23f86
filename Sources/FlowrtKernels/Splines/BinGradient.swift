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
  /// t, and what is made of it.
  private struct Place {
    let t, rest, product, s, k, denominator, m: Register

    @inline(__always) init(_ bin: Bin, _ r: Register) {
      s = bin.h / bin.w
      k = fma(s, -2, bin.d0 + bin.d1)
      t = atMost(1, atLeast(0, (r - bin.x - bin.xLow) / bin.w))
      rest = 1 - t
      product = t * rest
      denominator = fma(k, product, s)
      m = fma(bin.d1 * t, t, fma(s + s, product, bin.d0 * rest * rest))
    }
  }

  /// dq/dr at r, and the derivative of its logarithm by r.
  @inline(__always) func slopes(_ r: Register) -> (slope: Register, ofLogSlope: Register) {
    let at = Place(self, r)
    let ratio = at.s / at.denominator
    let change = at.rest - at.t
    let mByT = 2 * fma(d1, at.t, fma(at.s, change, -(d0 * at.rest)))
    let byT = mByT / at.m - 2 * (at.k * change) / at.denominator
    return (ratio * ratio * at.m, byT / w)
  }

  /// From the gradients by q and by log dq/dr at r to those by the parts of the bin. `isLinear`: both derivatives are
  /// the slope h / w.
  @inline(__always) func gradient(
    _ r: Register, byValue: Register, byLogSlope: Register, isLinear: Bool
  ) -> BinParts {
    let at = Place(self, r)
    let (t, rest, s) = (at.t, at.rest, at.s)
    var by = BinParts()
    by.y = byValue
    let n = fma(s * t, t, d0 * at.product)
    let quotient = n / at.denominator
    by.h = byValue * quotient
    let byN = byValue * h / at.denominator
    let byD = negatedFma(byN, quotient, -2 * byLogSlope / at.denominator)
    let byM = byLogSlope / at.m
    var byS = 2 * byLogSlope / s
    // N
    byS = fma(byN * t, t, byS)
    var byT = 2 * byN * s * t
    by.d0 = byN * at.product
    var byProduct = byN * d0
    // D
    byS = byS + byD
    let byK = byD * at.product
    byProduct = fma(byD, at.k, byProduct)
    // M
    by.d1 = byM * t * t
    byS = fma(2 * byM, at.product, byS)
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
    return by
  }
}
