// The derivatives of elementwise steps (Elementwise.swift), towards the noise.

import FlowrtShim

extension ElementwiseFunction {
  /// dw/dv, and the derivative of log|dw/dv|, at v. At the kink of a leaky function, those of v >= 0.
  @inline(never) func derivatives(_ v: Register, _ low: Float, _ high: Float) -> (slope: Register, ofLogSlope: Register)
  {
    let one = Register(repeating: 1)
    let (a, b) = (Register(repeating: low), Register(repeating: high))
    switch self {
    case .identity: return (one, Register())
    case .logit:
      let (low, high) = (1 / (v - a), 1 / (b - v))
      return (low + high, high - low)
    case .logAbove:
      let slope = 1 / (v - a)
      return (slope, -slope)
    case .logBelow:
      let slope = 1 / (a - v)
      return (-slope, slope)
    case .sigmoid:
      let (s, rest) = (FlowrtKernels.sigmoid(v), FlowrtKernels.sigmoid(-v))
      return ((b - a) * (s * rest), rest - s)
    case .expAbove: return (exp(v), one)
    case .expBelow: return (-exp(v), one)
    case .atanh:
      let slope = 1 / ((1 - v) * (1 + v))
      return (slope, 2 * v * slope)
    case .tanh:
      let (s, rest) = (FlowrtKernels.sigmoid(2 * v), FlowrtKernels.sigmoid(-2 * v))
      return (4 * s * rest, -2 * FlowrtKernels.tanh(v))
    case .leaky, .leakyInverse: return (ifLess(v, 0, self == .leaky ? a : 1 / a, one), Register())
    case .softsign:
      let d = 1 + magnitude(v) / a
      return (1 / (d * d), copySign(2 / (a * d), -v))
    case .softsignInverse:
      let d = 1 - magnitude(v) / a
      return (1 / (d * d), copySign(2 / (a * d), v))
    case .probit, .normalCdf:
      let (w, logSlope) = apply(v, a, b)
      let slope = exp(logSlope)
      return (slope, self == .probit ? w * slope : -v)
    }
  }
}

extension Sweep {
  /// w[i] = f_i(v[i]): by_v = by_w f' + d log|f'| / dv.
  func elementwiseGradient(_ step: flowrt_step_plan, _ given: UnsafeMutablePointer<Float>) {
    let (lower, upper, codes) = (step.elementwise.lower!, step.elementwise.upper!, step.elementwise.functions!)
    let by = call.pointee.gradient.pointee.by_state!
    for i in 0..<dim {
      let f = ElementwiseFunction(rawValue: codes[i]).unsafelyUnwrapped
      for at in stride(from: i &* rows, to: (i &+ 1) &* rows, by: registerCount) {
        let (slope, ofLogSlope) = f.derivatives(given.register(at), lower[i], upper[i])
        by.store(fma(by.register(at), slope, ofLogSlope), at)
      }
    }
  }
}
