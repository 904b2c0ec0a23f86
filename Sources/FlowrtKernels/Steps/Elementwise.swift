// Elementwise steps: a function of its own for each coordinate (docs/FORMAT.md section 2.4).
//
// The functions come in pairs of inverses, so there is one map for both directions: the inverse of a function is the
// forward map of its partner. log|dw/dv| comes from the intermediates, not from the derivative.

import FlowrtShim

extension ElementwiseFunction {
  var inverse: ElementwiseFunction {
    switch self {
    case .identity: return .identity
    case .logit: return .sigmoid
    case .sigmoid: return .logit
    case .logAbove: return .expAbove
    case .expAbove: return .logAbove
    case .logBelow: return .expBelow
    case .expBelow: return .logBelow
    case .atanh: return .tanh
    case .tanh: return .atanh
    case .leaky: return .leakyInverse
    case .leakyInverse: return .leaky
    case .softsign: return .softsignInverse
    case .softsignInverse: return .softsign
    case .probit: return .normalCdf
    case .normalCdf: return .probit
    }
  }

  /// w and log|dw/dv|. NaN or infinite where v is not inside the domain.
  @inline(never) func apply(_ v: Register, _ a: Register, _ b: Register) -> (w: Register, logSlope: Register) {
    let width = b - a
    let logWidth = usesInterval ? log(width) : Register()
    let size = magnitude(v)
    switch self {
    case .identity: return (v, Register())
    case .logit:
      let (low, high) = (log(v - a), log(b - v))
      return (low - high, logWidth - (low + high))
    case .sigmoid:
      // log(sigmoid(v) sigmoid(-v)) = -|v| - 2 log(1 + e^-|v|)
      return (fma(width, FlowrtKernels.sigmoid(v), a), fma(softplus(-size), -2, logWidth - size))
    case .logAbove, .logBelow:
      let w = log(self == .logAbove ? v - a : a - v)
      return (w, -w)
    case .expAbove, .expBelow:
      let e = exp(v)
      return (self == .expAbove ? a + e : a - e, v)
    case .atanh:
      let ratio = (size + size) / (1 - size)
      let w = 0.5 * ifMore(ratio, 1, log(1 + ratio), log1pOfUnit(atMost(1, ratio)))
      return (copySign(ifLess(size, 1, w, log(1 - size)), v), -(log(1 + v) + log(1 - v)))
    case .tanh:
      // log(1 - tanh^2 v) = 2 (log 2 - |v| - log(1 + e^-2|v|))
      return (FlowrtKernels.tanh(v), -2 * (softplus(-2 * size) + (size - 0.693_147_2)))
    case .leaky, .leakyInverse:
      let slope = self == .leaky ? a : 1 / a
      return (ifLess(v, 0, slope * v, v), ifLess(v, 0, log(slope), Register()))
    case .softsign, .softsignInverse:
      let part = size / a
      let d = self == .softsign ? 1 + part : 1 - part
      return (v / d, -2 * log(d))
    case .probit:
      let w = FlowrtKernels.probit((v - a) / width, complement: (b - v) / width)
      return (w, fma(w * w, 0.5, Float(-logNormalizer) - logWidth))
    case .normalCdf:
      return (fma(width, 0.5 * (1 + through(erf, v * sqrtHalf)), a), logWidth + fma(v * v, -0.5, Float(logNormalizer)))
    }
  }

  private var usesInterval: Bool {
    switch self {
    case .logit, .sigmoid, .probit, .normalCdf: return true
    case .identity, .logAbove, .logBelow, .expAbove, .expBelow, .atanh, .tanh, .leaky, .leakyInverse, .softsign,
      .softsignInverse:
      return false
    }
  }

  /// 1 for points that are not inside the domain, 0 for all others (and for NaN).
  @inline(never) func outside(_ v: Register, _ a: Register, _ b: Register) -> Register {
    let all = Register(repeating: .infinity)
    let (low, high): (Register, Register)
    switch self {
    case .logit, .probit: (low, high) = (a, b)
    case .logAbove: (low, high) = (a, all)
    case .logBelow: (low, high) = (-all, a)
    case .atanh: (low, high) = (Register(repeating: -1), Register(repeating: 1))
    case .softsignInverse: (low, high) = (-a, a)
    // Defined everywhere.
    case .identity, .sigmoid, .expAbove, .expBelow, .tanh, .leaky, .leakyInverse, .softsign, .normalCdf: return Register()
    }
    let one = Register(repeating: 1)
    let below = flowrt_v_if_less(low, v, Register(), one)
    let beyond = flowrt_v_if_less(v, high, below, one)
    return flowrt_v_if_equal(v, v, beyond, Register())
  }
}

extension Sweep {
  /// w[i] = f_i(v[i]), or back.
  func elementwise(_ step: flowrt_step_plan, direction: Direction) {
    let (lower, upper, codes) = (step.elementwise.lower!, step.elementwise.upper!, step.elementwise.functions!)
    let sums = LogSum(call.pointee.log_sum, rows: rows)
    @inline(__always) func function(_ i: Int) -> ElementwiseFunction {
      let f = ElementwiseFunction(rawValue: codes[i]).unsafelyUnwrapped
      return direction == .toNoise ? f : f.inverse
    }
    if isTile {
      for i in 0..<dim {
        let (f, a, b) = (function(i), Register(repeating: lower[i]), Register(repeating: upper[i]))
        var row = 0
        while row < rows {
          let v = state.register(i &* rows &+ row)
          let (w, logSlope) = f.apply(v, a, b)
          state.store(w, i &* rows &+ row)
          sums.add(logSlope, at: row)
          if direction == .toNoise { sums.exclude(f.outside(v, a, b), at: row) }
          row &+= registerCount
        }
      }
      return
    }
    // Few rows: coordinates in lanes, once for each run of equal functions among those of a register.
    var first = 0
    while first < dim {
      let f = function(first)
      var end = first &+ 1
      while end < dim && end & (registerCount &- 1) != 0 && codes[end] == codes[first] { end &+= 1 }
      let at = first & ~(registerCount &- 1)
      let (a, b) = (lower.register(at), upper.register(at))
      for row in 0..<rows {
        let values = state + row &* rowStride
        let v = values.register(at)
        let (w, logSlope) = f.apply(v, a, b)
        let outside = direction == .toNoise ? f.outside(v, a, b) : Register()
        for i in first..<end {
          values[i] = w[i &- at]
          sums.add(logSlope[i &- at], row: row)
          sums.exclude(outside[i &- at], row: row)
        }
      }
      first = end
    }
  }
}
