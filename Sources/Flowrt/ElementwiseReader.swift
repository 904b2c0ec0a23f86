// Validates an elementwise step (docs/FORMAT.md section 2.4).

import CFlowrt
import FlowrtShim

/// What a function asks of its constants a and b.
private enum Constants {
  case none, lower, positive, interval

  init?(function: UInt32) {
    switch function {
    case 0, 6, 7: self = .none
    case 2, 3, 5: self = .lower
    case 8, 9, 10, 11: self = .positive
    case 1, 4, 12, 13: self = .interval
    default: return nil
    }
  }

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

func readElementwise(
  _ record: UnsafePointer<flowrt_step_record>, _ offset: UInt64, _ dim: UInt64, _ blocks: inout Blocks
) throws(Refusal) {
  try requireZero(UnsafeRawPointer(record), offset, from: 2, blocks)
  let functionsAt = blocks.next
  let functions = try blocks.integers(dim)
  let lowerAt = blocks.next
  let lower = try blocks.floats(dim)
  let upper = try blocks.floats(dim)
  var i: UInt64 = 0
  while i < dim {
    let at = Int(truncatingIfNeeded: i)
    guard let constants = Constants(function: functions[at]) else {
      throw blocks.refusal(FLOWRT_ERR_FEATURE, offset: functionsAt &+ 4 &* i, found: UInt64(functions[at]))
    }
    if !constants.allow(lower[at], upper[at]) {
      throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: lowerAt &+ 4 &* i, found: UInt64(lower[at].bitPattern))
    }
    i &+= 1
  }
}
