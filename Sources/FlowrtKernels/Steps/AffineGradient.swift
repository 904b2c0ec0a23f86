// The derivatives of the affine transformer (Affine.swift), of 16 values at a time.
//
// With c = log s, each form has dq/dr = s, and
//
//     form 0   q = s r + t          dq/dt = 1        dq/da = s r c'(a)
//     form 1   q = s (r - t)        dq/dt = -s       dq/da = s (r - t) c'(a)
//     form 2   q = s r + (1 - s) t  dq/dt = 1 - s    dq/da = s (r - t) c'(a)
//
// and dc/da = c'(a). What the derivatives of a step need besides is in TransformGradient.swift.

import FlowrtShim

extension Affine {
  /// c'(a), the derivative of log s by the raw scale, where s = s(a). At the bounds of a clamp it is that of the inside.
  @inline(never) func logSlope(_ a: Lanes, _ s: Lanes) -> Lanes {
    let one = Lanes(repeating: 1)
    switch scaleFunction {
    case .exp: return one
    case .expClamped: return ifInside(a, p0, p1, one)
    case .softplus:
      let slope = sigmoid(a) / s
      // softplus(a) -> e^a, which may underflow.
      return p0 == 0 ? ifLess(a, -16, one, slope) : slope
    case .softplusClamped: return ifInside(softplus(a) + p0, p1, p2, sigmoid(a) / s)
    case .sigmoid:
      let rest = sigmoid(-a)
      return p0 == 0 ? rest : sigmoid(a) * rest / s
    case .expSoftClipped:
      let d = 1 + magnitude(a) / p0
      return 1 / (d * d)
    case .expTanh:
      let value = tanh(a)
      return p0 * negatedFma(value, value, one)
    case .expAtan: return p0 / fma(a, a, 1)
    }
  }

  /// `inside` where low <= v <= high, else 0; NaN where v is.
  @inline(__always) private func ifInside(_ v: Lanes, _ low: Float, _ high: Float, _ inside: Lanes) -> Lanes {
    flowrt_v_if_equal(atMost(high, atLeast(low, v)), v, inside, 0 * v)
  }

  /// See Derivatives in TransformGradient.swift.
  @inline(never) func gradient(_ p: UnsafePointer<Float>, stride: Int, _ r: Lanes, _ d: inout Derivatives) {
    let (t, a) = (p.lanes(0), p.lanes(stride))
    let s = scale(a).s
    let c = logSlope(a, s)
    let byOther = d.byOther(slope: s, logSlopeByRead: Lanes())
    let byShift: Lanes
    let distance: Lanes
    switch form {
    case .scaleThenShift: (byShift, distance) = (byOther, r)
    case .shiftThenScale: (byShift, distance) = (-(byOther * s), r - t)
    case .gated: (byShift, distance) = (byOther * (1 - s), r - t)
    }
    d.byParameters.store(byShift, 0)
    d.byParameters.store(c * fma(byOther * s, distance, Lanes(repeating: d.sign)), d.stride)
  }
}
