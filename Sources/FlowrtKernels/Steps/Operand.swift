// The layers that another layer adds to its sums, or multiplies its values by.

import FlowrtShim

/// A layer that is added or multiplied unit by unit; `isShared`: one float for each unit, whatever the row.
struct Operand {
  let values: UnsafePointer<Float>?
  let isShared: Bool

  /// 16 values: floats `index`, or unit `unit` for all rows.
  @inline(__always) func lanes(_ index: Int, unit: Int) -> Lanes {
    isShared ? Lanes(repeating: values.unsafelyUnwrapped[unit]) : values.unsafelyUnwrapped.lanes(index)
  }
}

extension Operand {
  /// values + scale * operand, or operand * values: whole vectors of 16 units of a row, the first and the last of which may be
  /// partly outside of first ..< end, or of 16 rows of a unit.
  @inline(never) func combine(
    into target: UnsafeMutablePointer<Float>, rows: Int, _ first: Int, _ end: Int, scale: UnsafePointer<Float>?,
    isGate: Bool
  ) {
    let operand = values.unsafelyUnwrapped
    @inline(__always) func result(_ value: Lanes, _ operand: Lanes, _ factor: Lanes) -> Lanes {
      isGate ? operand * value : fma(factor, operand, value)
    }
    let one = Lanes(repeating: 1)
    if rows == 1 {
      var unit = first & ~15
      while unit < end {
        let value = result(target.lanes(unit), operand.lanes(unit), scale?.lanes(unit) ?? one)
        target.store(value, unit, in: first, end)
        unit &+= 16
      }
      return
    }
    for unit in first..<end {
      let factor = scale.map { Lanes(repeating: $0[unit]) } ?? one
      let shared = Lanes(repeating: operand[isShared ? unit : 0])
      var row = unit &* rows
      let rowsEnd = row &+ rows
      if isShared && !isGate {  // what a context that all rows share adds: the frequent one
        while row < rowsEnd {
          target.store(fma(factor, shared, target.lanes(row)), row)
          row &+= 16
        }
        continue
      }
      while row < rowsEnd {
        target.store(result(target.lanes(row), isShared ? shared : operand.lanes(row), factor), row)
        row &+= 16
      }
    }
  }
}
