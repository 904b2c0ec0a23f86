// A step's transformer backwards, of a tile: from the gradient by one side to that by the other side and by the
// parameters.
//
// A rank has q = f(r; p) with the slope f' = dq/dr > 0, and adds log f' to log p if r, the read side, is known on the way
// to the noise, and -log f' if q is: `sign` +1 or -1. Both directions need the same derivatives of f, at the r that was
// kept:
//
//     r known     by_q comes from the noise side.        by_r = by_q f' + d log f'/dr
//                                                        by_p = by_q dq/dp + d log f'/dp
//     q known     A = by_r - d log f'/dr is that by r = f^-1(q), with all that depends on r:
//                                                        by_q = A / f'
//                                                        by_p = -(A / f') dq/dp - d log f'/dp
//
// With `byOther`, by_q in the first case and -A / f' in the second, these are one formula: by_p = byOther dq/dp + sign d
// log f'/dp.

import FlowrtShim

/// The derivatives of 16 values of a rank.
struct Derivatives {
  /// Whether the read side is known on the way to the noise.
  let readIsKnown: Bool
  /// In: the gradient by q if r is known, else by r. Out: the gradient by the other one.
  var by: Lanes
  /// Out: the gradients by the parameters, `stride` floats from one to the next.
  let byParameters: UnsafeMutablePointer<Float>
  let stride: Int

  /// Of log f' in log p.
  var sign: Float { readIsKnown ? 1 : -1 }

  /// Takes `by` from one side to the other. Returns `byOther` of the file head.
  @inline(__always) mutating func byOther(slope: Lanes, logSlopeByRead: Lanes) -> Lanes {
    if readIsKnown {
      let given = by
      by = fma(given, slope, logSlopeByRead)
      return given
    }
    by = (by - logSlopeByRead) / slope
    return -by
  }
}

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
    for rank in first..<end {
      let byOther = byState + Int(otherIndex[rank]) &* rows
      let (from, to) = readIsKnown ? (byOther, byRead + rank &* rows) : (byRead + rank &* rows, byOther)
      for row in stride(from: 0, to: rows, by: laneCount) {
        if rank < passthrough {
          to.store(from.lanes(row), row)
          continue
        }
        let at = (rank &- passthrough) &* parameterCount &* rows &+ row
        var derivatives = Derivatives(
          readIsKnown: readIsKnown, by: from.lanes(row), byParameters: byParameters + at, stride: rows)
        apply(parameters + at, read.lanes(rank &* rows &+ row), &derivatives)
        to.store(derivatives.by, row)
      }
    }
  }

  @inline(__always) private func apply(_ p: UnsafePointer<Float>, _ r: Lanes, _ derivatives: inout Derivatives) {
    switch transformer {
    case .affine(let affine): affine.gradient(p, stride: rows, r, &derivatives)
    case .additive:
      let one = Lanes(repeating: 1)
      derivatives.byParameters.store(derivatives.byOther(slope: one, logSlopeByRead: Lanes()), 0)
    case .spline(let spline):
      derivatives.by = spline.gradient(
        p, byParameters: derivatives.byParameters, stride: rows, r, by: derivatives.by, columns: columns,
        readIsKnown: readIsKnown)
    case .mixture(let mixture):
      #if !FLOWRT_LEVEL_3 || SWIFT_PACKAGE  // as in Transform.swift
        mixture.gradient(p, stride: rows, r, &derivatives)
      #endif
    }
  }
}
