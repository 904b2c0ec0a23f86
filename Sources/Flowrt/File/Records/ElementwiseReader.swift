// Validates an elementwise step (docs/FORMAT.md section 2.4).

import CFlowrt
import FlowrtShim

/// What a function asks of its constants a and b.
private enum Constants {
  case none, lower, positive, interval

  /// nil if the number is no code of a file.
  init?(function: UInt32) {
    switch ElementwiseFunction(rawValue: function) {
    case .identity, .atanh, .tanh: self = .none
    case .logAbove, .logBelow, .expAbove: self = .lower
    case .leaky, .leakyInverse, .softsign, .softsignInverse: self = .positive
    case .logit, .sigmoid, .probit, .normalCdf: self = .interval
    case .expBelow, nil: return nil
    }
  }

  /// Whether both constants are finite and what the function asks for. One that it does not use is zero, and not the
  /// negative zero.
  func allow(_ a: Float, _ b: Float) -> Bool {
    if a - a != 0 || b - b != 0 { return false }
    switch self {
    case .none: return a.bitPattern == 0 && b.bitPattern == 0
    case .lower: return b.bitPattern == 0
    case .positive: return a > 0 && b.bitPattern == 0
    case .interval: return a < b && b - a < .infinity
    }
  }
}

extension Reader {
  /// A step of functions: for each coordinate a known one, with constants that it allows. All of them are checked
  /// whether or not the file is verified, because the kernels take the numbers of functions for granted.
  mutating func readElementwise(_ record: Record) throws(Refusal) {
    try record.requireZero(from: FLOWRT_RECORD_FIELDS)
    let functionsAt = blocks.next
    let lowerAt = functionsAt &+ aligned(4 &* dim)
    let step = try blocks.elementwise(dim)
    var i: UInt64 = 0
    while i < dim {
      let at = Int(truncatingIfNeeded: i)
      let (function, lower, upper) = (step.functions[at], step.lower[at], step.upper[at])
      guard let constants = Constants(function: function) else {
        throw blocks.refusal(FLOWRT_ERR_FEATURE, offset: functionsAt &+ 4 &* i, found: UInt64(function))
      }
      if !constants.allow(lower, upper) {
        throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: lowerAt &+ 4 &* i, found: UInt64(lower.bitPattern))
      }
      i &+= 1
    }
    view.parameter_count &+= 2 &* dim
  }
}
