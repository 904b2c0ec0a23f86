// Validates an elementwise step (docs/FORMAT.md section 2.4).

import CFlowrt
import FlowrtShim

/// What a function asks of its constants a and b: the column "must hold" of section 2.4.
private enum Constants {
  /// none: a = b = 0. lower: a bound a, b = 0. positive: a > 0, b = 0. interval: a < b.
  case none, lower, positive, interval

  /// nil if the number is no code of a file.
  init?(function: UInt32) {
    switch ElementwiseFunction(rawValue: function) {
    case .identity, .atanh, .tanh: self = .none
    case .logAbove, .logBelow, .expAbove: self = .lower
    case .leaky, .leakyInverse, .softsign, .softsignInverse: self = .positive
    case .logit, .sigmoid, .probit, .normalCdf: self = .interval
    // Kernels have exp below a bound as the inverse of logBelow. A file cannot name it.
    case .expBelow, nil: return nil
    }
  }

  /// Whether both constants are finite and what the function asks for. One that it does not use is zero, and not the
  /// negative zero.
  func allow(_ a: Float, _ b: Float) -> Bool {
    // value - value is not 0 for NaN and infinity.
    if a - a != 0 || b - b != 0 { return false }
    switch self {
    case .none: return a.bitPattern == 0 && b.bitPattern == 0
    case .lower: return b.bitPattern == 0
    case .positive: return a > 0 && b.bitPattern == 0
    // A finite difference, since the functions divide by it or multiply with it.
    case .interval: return a < b && b - a < .infinity
    }
  }
}

extension Reader {
  /// Reads a step of functions: for each coordinate a known one, with constants that it allows. They are checked
  /// without `verify` too, because kernels choose the code of a coordinate by the number without a further check.
  mutating func readElementwise(_ record: Record) throws(Refusal) {
    // The record has no field but its kind: all that differs by coordinate is in the blocks.
    try record.requireZero(from: FLOWRT_RECORD_FIELDS)
    // Offsets in the file, for refusals. The functions are the first block, the lower constants the second.
    let functionsAt = blocks.next
    let lowerAt = functionsAt &+ aligned(4 &* dim)
    let step = try blocks.elementwise(dim)
    var i: UInt64 = 0
    // Each of the three blocks holds `dim` values, so `at` is in bounds in all of them.
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
