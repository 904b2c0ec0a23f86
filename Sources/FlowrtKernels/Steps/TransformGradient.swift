// A step's transformer backwards, of a tile: 16 rows of a rank after the other (Sides.swift has the mathematics).

import FlowrtShim

/// The transformer of one step. The caller owns all memory.
struct TransformGradient {
  /// Those of a tile.
  let rows: Int
  let transformer: Transformer
  let passthrough: Int
  /// The read side by rank, as it was kept.
  let read: UnsafePointer<Float>
  /// The parameters of the ranks from `passthrough` on, and the gradients by them.
  let parameters: UnsafePointer<Float>
  let byParameters: UnsafeMutablePointer<Float>
  let parameterCount: Int
  /// The gradient by the read side, by rank; by the other side, by coordinate.
  let byRead: UnsafeMutablePointer<Float>
  let byState: UnsafeMutablePointer<Float>
  let otherIndex: UnsafePointer<UInt32>
  let readIsKnown: Bool
  /// Room for a spline: columns of 16 floats.
  let columns: UnsafeMutablePointer<Float>

  /// Ranks first ..< end. `byState` becomes `byRead` if the read side is known, else `byRead` becomes `byState`.
  @inline(never) func run(_ first: Int, _ end: Int) {
    let sides = Sides(readIsKnown: readIsKnown)
    for rank in first..<end {
      let byOther = byState + Int(otherIndex[rank]) &* rows
      let (from, to) = readIsKnown ? (byOther, byRead + rank &* rows) : (byRead + rank &* rows, byOther)
      for row in stride(from: 0, to: rows, by: laneCount) {
        if rank < passthrough {
          to.store(from.lanes(row), row)
          continue
        }
        let at = (rank &- passthrough) &* parameterCount &* rows &+ row
        apply(
          RankValues(
            read: read + (rank &* rows &+ row), from: from + row, to: to + row, parameters: parameters + at,
            byParameters: byParameters + at, stride: rows, columns: columns, sides: sides))
      }
    }
  }

  @inline(__always) private func apply(_ values: RankValues) {
    switch transformer {
    case .affine(let affine): affine.gradient(values)
    case .additive:
      // q = r + t
      let by = values.from.lanes(0)
      values.byParameters.store(readIsKnown ? by : 0 - by, 0)
      values.to.store(by, 0)
    case .spline(let spline): spline.gradient(values)
    case .mixture(let mixture):
      values.to.store(
        mixture.gradient(
          values.parameters, byParameters: values.byParameters, stride: values.stride, values.read.lanes(0)), 0)
    }
  }
}
