// The layers that another layer adds to its sums, or multiplies its values by.

import FlowrtShim

/// A layer that is added or multiplied unit by unit; `isShared`: one float for each unit, whatever the row.
struct Operand {
  let values: UnsafePointer<Float>?
  /// Few rows: floats from a row to the next.
  let stride: Int
  let isShared: Bool
}

extension Operand {
  /// A unit of 16 rows of a tile, from `row` on.
  @inline(__always) func lanes(_ unit: Int, _ row: Int, _ rows: Int) -> Lanes {
    let values = values.unsafelyUnwrapped
    return isShared ? Lanes(repeating: values[unit]) : values.lanes(unit &* rows &+ row)
  }

  @inline(__always) private func result(_ value: Lanes, _ operand: Lanes, _ factor: Lanes, _ isGate: Bool) -> Lanes {
    isGate ? operand * value : fma(factor, operand, value)
  }

  /// values + scale * operand, or operand * values. Few rows: whole vectors of 16 units, the first and the last of
  /// which may be partly outside of first ..< end. A tile: 16 rows of a unit at a time.
  @inline(never) func combine(
    into target: Values, rows: Int, _ first: Int, _ end: Int, scale: UnsafePointer<Float>?, isGate: Bool
  ) {
    if rows >= laneCount {
      combineTile(into: target.base, rows: rows, first, end, scale: scale, isGate: isGate)
      return
    }
    for row in 0..<rows {
      let (values, operand) = (target.base + row &* target.stride, values.unsafelyUnwrapped + row &* stride)
      var unit = first & ~(laneCount &- 1)
      while unit < end {
        let factor = scale?.lanes(unit) ?? Lanes(repeating: 1)
        values.store(result(values.lanes(unit), operand.lanes(unit), factor, isGate), unit, in: first, end)
        unit &+= laneCount
      }
    }
  }

  private func combineTile(
    into target: UnsafeMutablePointer<Float>, rows: Int, _ first: Int, _ end: Int, scale: UnsafePointer<Float>?,
    isGate: Bool
  ) {
    let operand = values.unsafelyUnwrapped
    for unit in first..<end {
      let factor = Lanes(repeating: scale?[unit] ?? 1)
      let shared = Lanes(repeating: operand[isShared ? unit : 0])
      var row = unit &* rows
      let rowsEnd = row &+ rows
      if isShared && !isGate {  // what a context that all rows share adds: the frequent one
        while row < rowsEnd {
          target.store(fma(factor, shared, target.lanes(row)), row)
          row &+= laneCount
        }
        continue
      }
      while row < rowsEnd {
        target.store(result(target.lanes(row), isShared ? shared : operand.lanes(row), factor, isGate), row)
        row &+= laneCount
      }
    }
  }
}
