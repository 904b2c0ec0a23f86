// Runs a step's transformer over ranks, in both tile shapes.
//
// Many rows: rank after rank, 16 rows at a time. One row: 16 ranks at a time; parameters lie as t, a, t, a, ...

import FlowrtShim

struct Transform {
  let rows: Int
  let affine: Affine
  let passthrough: Int
  /// The read side, by rank.
  let read: UnsafeMutablePointer<Float>
  /// The other side, by rank; a single row's only. A tile's is in the state, by coordinate.
  let other: UnsafeMutablePointer<Float>
  let state: UnsafeMutablePointer<Float>
  let otherIndex: UnsafePointer<UInt32>
  let logScale: UnsafeMutablePointer<Float>
  let logSum: UnsafeMutablePointer<Float>
  /// Whether the log-determinant takes log s as it is or negated.
  let addsLogScale: Bool
  /// Output layer, by rank from `passthrough` on.
  let parameters: UnsafePointer<Float>

  /// Ranks first ..< end: the other side from the read side (`fromRead`), or back.
  func run(_ first: Int, _ end: Int, fromRead: Bool) {
    if rows == 1 { runRow(first, end, fromRead: fromRead) } else { runTile(first, end, fromRead: fromRead) }
  }

  private func runTile(_ first: Int, _ end: Int, fromRead: Bool) {
    let parameterCount = affine.isAdditive ? 1 : 2
    let sums = LogSum(logSum, rows: rows)
    for rank in first..<end {
      let r = read + rank &* rows
      let q = state + Int(otherIndex[rank]) &* rows
      let (known, unknown) = fromRead ? (r, q) : (q, r)
      let t = parameters + (rank &- passthrough) &* parameterCount &* rows
      var row = 0
      while row < rows {
        if rank < passthrough {
          unknown.store(known.lanes(row), row)
        } else {
          let a = affine.isAdditive ? Lanes() : t.lanes(rows &+ row)
          let (value, logS) = affine.apply(t.lanes(row), a, known.lanes(row), fromRead: fromRead)
          unknown.store(value, row)
          if !affine.isAdditive { sums.add(addsLogScale ? logS : -logS, first: row) }
        }
        row &+= 16
      }
    }
  }

  private func runRow(_ first: Int, _ end: Int, fromRead: Bool) {
    let (known, unknown) = fromRead ? (read, other) : (other, read)
    var rank = first
    while rank < min(end, passthrough) {
      unknown[rank] = known[rank]
      rank &+= 1
    }
    // A vector may reach past the last rank: into ranks that are written later, or into padding.
    while rank < end {
      let t: Lanes
      let a: Lanes
      if affine.isAdditive {
        (t, a) = (parameters.lanes(rank &- passthrough), Lanes())
      } else {
        let low = parameters.lanes((rank &- passthrough) &* 2)
        let high = parameters.lanes((rank &- passthrough) &* 2 &+ 16)
        t = Lanes(lowHalf: low.evenHalf, highHalf: high.evenHalf)
        a = Lanes(lowHalf: low.oddHalf, highHalf: high.oddHalf)
      }
      let (value, logS) = affine.apply(t, a, known.lanes(rank), fromRead: fromRead)
      unknown.store(value, rank)
      if !affine.isAdditive { logScale.store(addsLogScale ? logS : -logS, rank) }
      rank &+= 16
    }
  }

  /// A single row's terms, in the order in which a tile adds them.
  func sumLogScales(_ first: Int, _ end: Int) {
    if affine.isAdditive { return }
    let sum = LogSum(logSum, rows: 1)
    for rank in first..<end { sum.add(logScale[rank]) }
  }
}
