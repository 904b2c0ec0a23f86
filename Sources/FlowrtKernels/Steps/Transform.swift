// Runs a step's transformer over ranks, in both tile shapes.
//
// Many rows: rank after rank, 16 rows at a time. One row: 16 ranks at a time. The P parameters of a rank are neighbours, so a
// single row's lie as t, a, t, a, ...; more than two of them are first brought into columns, as if the ranks were rows.

import FlowrtShim

struct Transform {
  let rows: Int
  let transformer: Transformer
  let passthrough: Int
  /// The read side, by rank.
  let read: UnsafeMutablePointer<Float>
  /// The other side, by rank; a single row's only. A tile's is in the state, by coordinate.
  let other: UnsafeMutablePointer<Float>
  let state: UnsafeMutablePointer<Float>
  let otherIndex: UnsafePointer<UInt32>
  let logScale: UnsafeMutablePointer<Float>
  let logSum: UnsafeMutablePointer<Float>
  /// A single row: 16 floats for each parameter of a rank. A tile: log s. Behind these, what a spline needs.
  let columns: UnsafeMutablePointer<Float>
  /// The read side is known: the other side from it, and log s as it is. Else back, and log s negated.
  let readIsKnown: Bool
  /// What picks the components of a mixture, where one is drawn from; never `readIsKnown`.
  let choices: Choices?
  /// Output layer, by rank from `passthrough` on.
  let parameters: UnsafeMutablePointer<Float>
  let parameterCount: Int

  /// Ranks first ..< end.
  func run(_ first: Int, _ end: Int) {
    if rows == 1 { runRow(first, end) } else { runTile(first, end) }
  }

  @inline(never) private func runTile(_ first: Int, _ end: Int) {
    let sums = LogSum(logSum, rows: rows)
    for rank in first..<end {
      let r = read + rank &* rows
      let q = state + Int(otherIndex[rank]) &* rows
      let (known, unknown) = readIsKnown ? (r, q) : (q, r)
      if rank < passthrough {
        for row in stride(from: 0, to: rows, by: 16) { unknown.store(known.lanes(row), row) }
        continue
      }
      let p = parameters + (rank &- passthrough) &* parameterCount &* rows
      if case .affine(let affine) = transformer {
        // log s takes the place of the raw scale.
        let logS = p + rows
        affine.apply(p, logS, known, unknown, logS, count: rows, readIsKnown: readIsKnown)
        add(logS, to: sums, 0, rows)
        continue
      }
      for row in stride(from: 0, to: rows, by: 16) {
        if case .additive = transformer {
          unknown.store(additive(p.lanes(row), known.lanes(row)), row)
          continue
        }
        let logS = columns
        applyColumns(p + row, stride: rows, known + row, unknown + row, logS, rank, row, 16)
        add(logS, to: sums, row, row &+ 16)
      }
    }
  }

  /// Adds log s to the sums of rows first ..< end.
  @inline(never) private func add(_ logS: UnsafePointer<Float>, to sums: LogSum, _ first: Int, _ end: Int) {
    for row in stride(from: first, to: end, by: 16) {
      let term = logS.lanes(row &- first)
      sums.addInline(readIsKnown ? term : -term, first: row)
    }
  }

  @inline(never) private func runRow(_ first: Int, _ end: Int) {
    let (known, unknown) = readIsKnown ? (read, other) : (other, read)
    var rank = first
    while rank < min(end, passthrough) {
      unknown[rank] = known[rank]
      rank &+= 1
    }
    // A vector may reach past the last rank: into ranks that are written later, or into padding.
    if case .affine(let affine) = transformer {
      while rank < end {
        let p = parameters + 2 &* (rank &- passthrough)
        if end &- rank == 1 {
          // A vector from here on may span two that were just stored, and would wait until both are in the cache.
          columns.store(Lanes(repeating: p[0]), 0)
          columns.store(Lanes(repeating: p[1]), 16)
        } else {
          let (low, high) = (p.lanes(0), p.lanes(16))
          columns.store(Lanes(lowHalf: low.evenHalf, highHalf: high.evenHalf), 0)
          columns.store(Lanes(lowHalf: low.oddHalf, highHalf: high.oddHalf), 16)
        }
        affine.apply(
          columns, columns + 16, known + rank, unknown + rank, logScale + rank, count: end &- rank == 1 ? 1 : 16,
          readIsKnown: readIsKnown)
        rank &+= 16
      }
      return
    }
    while rank < end {
      let p = parameters + (rank &- passthrough) &* parameterCount
      if case .additive = transformer {
        unknown.store(additive(p.lanes(0), known.lanes(rank)), rank)
      } else {
        let count = min(16, end &- rank)
        if count > 1 { makeColumns(p, count) }
        applyColumns(
          count > 1 ? columns : p, stride: count > 1 ? 16 : 1, known + rank, unknown + rank, logScale + rank, rank, 0,
          count)
      }
      rank &+= 16
    }
  }

  /// Applies a spline or a mixture to `count` values: rows from `row` on of one rank, or `count` ranks of a single row.
  /// Parameter j of all of them is at p + j stride.
  private func applyColumns(
    _ p: UnsafeMutablePointer<Float>, stride: Int, _ known: UnsafeMutablePointer<Float>,
    _ unknown: UnsafeMutablePointer<Float>, _ logS: UnsafeMutablePointer<Float>, _ rank: Int, _ row: Int, _ count: Int
  ) {
    switch transformer {
    case .affine, .additive: break  // done by the callers
    case .spline(let spline):
      let scratch = columns + 16 &* (rows == 1 ? parameterCount : 1)
      spline.apply(p, stride: stride, known, unknown, logS, count: count, scratch: scratch, readIsKnown: readIsKnown)
    case .mixture(let mixture):
      #if !FLOWRT_LEVEL_3 || SWIFT_PACKAGE  // else bases are evaluated by level 2
        let known = known.lanes(0)
        var z = known
        if let choices {
          let isRow = rows == 1
          let choice = isRow ? choices.ofCoordinates(otherIndex + rank, count) : choices.ofRows(row, otherIndex[rank])
          z = mixture.draw(p, stride: stride, choice: choice, noise: known)
        }
        unknown.store(z, 0)
        logS.store(mixture.logDensity(p, stride: stride, z), 0)
      #endif
    }
  }

  @inline(__always) private func additive(_ t: Lanes, _ known: Lanes) -> Lanes {
    readIsKnown ? known + t : known - t
  }

  /// columns[j][lane] = parameter j of the rank `lane` ranks after the one whose parameters are at p. Of `count` ranks the last
  /// one fills the lanes that are left.
  private func makeColumns(_ p: UnsafeMutablePointer<Float>, _ count: Int) {
    let last = p + (count &- 1) &* parameterCount
    for j in 0..<parameterCount { columns.store(Lanes(repeating: last[j]), j &* 16) }
    for lane in 0..<count &- 1 {
      let from = p + lane &* parameterCount
      for j in 0..<parameterCount { columns[j &* 16 &+ lane] = from[j] }
    }
  }

  /// A single row's terms, in the order in which a tile adds them.
  func sumLogScales(_ first: Int, _ end: Int) {
    if case .additive = transformer { return }
    let sum = LogSum(logSum, rows: 1)
    for rank in first..<end { sum.add(readIsKnown ? logScale[rank] : -logScale[rank]) }
  }
}
