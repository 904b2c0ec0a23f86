// The derivatives of the affine transformer (Affine.swift), of 16 values at a time.
//
// With c = log s, each form has dq/dr = s, and
//
//     form 0   q = s r + t          dq/dt = 1        dq/da = s r c'(a)
//     form 1   q = s (r - t)        dq/dt = -s       dq/da = s (r - t) c'(a)
//     form 2   q = s r + (1 - s) t  dq/dt = 1 - s    dq/da = s (r - t) c'(a)
//
// and dc/da = c'(a). What the derivatives of a step need besides is in Sides.swift.

import FlowrtShim

extension Affine {
  /// c'(a), the derivative of log s by the raw scale, where s = s(a). At the bounds of a clamp it is that of the
  /// inside.
  @inline(never) func logSlope(_ a: Register, _ s: Register) -> Register {
    let one = Register(repeating: 1)
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
  @inline(__always) private func ifInside(_ v: Register, _ low: Float, _ high: Float, _ inside: Register) -> Register {
    flowrt_v_if_equal(atMost(high, atLeast(low, v)), v, inside, 0 * v)
  }

  /// Multiplies 16 values by c' of 16 raw scales, whose s are at `scales`.
  @inline(never) func multiplyByLogSlope(
    _ values: UnsafeMutablePointer<Float>, _ raw: UnsafePointer<Float>, _ scales: UnsafePointer<Float>
  ) {
    eachRegister(laneCount) { at in
      values.store(values.register(at) * logSlope(raw.register(at), scales.register(at)), at)
    }
  }

  @inline(never) func gradient(_ v: RankValues) {
    let (stride, scales) = (v.stride, v.columns)
    scales.store(scale(v.parameters.lanes(stride)).s, 0)
    let byScale = v.byParameters + stride
    eachRegister(laneCount) { at in
      let (s, r, t) = (scales.register(at), v.read.register(at), v.parameters.register(at))
      let (by, byOther) = v.sides.pass(v.from.register(at), slope: s, ofLogSlope: Register())
      v.to.store(by, at)
      let byShift: Register
      switch form {
      case .scaleThenShift: byShift = byOther
      case .shiftThenScale: byShift = -(byOther * s)
      case .gated: byShift = byOther * (1 - s)
      }
      v.byParameters.store(byShift, at)
      let distance = form == .scaleThenShift ? r : r - t
      byScale.store(fma(byOther * s, distance, Register(repeating: v.sides.sign)), at)
    }
    if scaleFunction != .exp { multiplyByLogSlope(byScale, v.parameters + stride, scales) }
  }
}
