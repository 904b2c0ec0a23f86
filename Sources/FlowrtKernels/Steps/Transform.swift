// Runs a step's transformer over ranks.
//
// Many rows: rank after rank, 16 rows at a time. Few rows: the values of all ranks at hand of all rows side by side,
// 16 at a time, in columns of 16 floats: known, unknown, log s, and each of the P parameters. An affine step of many
// ranks goes row by row instead, as its parameters t, a, t, a, ... come into columns by shuffles.

import FlowrtShim

/// The transformer of one step, with the places that it reads from and writes to. The caller owns all memory.
struct Transform {
  /// Rows of the call: few (up to 15), or a tile (16, 32, 48 or 64).
  let rows: Int
  /// Floats from one of few rows to the next: of both sides and log s.
  let rowStride: Int
  let transformer: Transformer
  /// The first so many ranks pass unchanged, have no parameters, and add nothing to the log-determinant.
  let passthrough: Int
  /// The read side, by rank.
  let read: UnsafeMutablePointer<Float>
  /// The other side, by rank; of few rows only. A tile's is in the state, by coordinate.
  let other: UnsafeMutablePointer<Float>
  /// A tile: `rows` floats for each coordinate of the other side.
  let state: UnsafeMutablePointer<Float>
  /// For each rank, its coordinate on the other side.
  let otherIndex: UnsafePointer<UInt32>
  /// Few rows: log s of each rank, in rows that are `rowStride` floats apart.
  let logScale: UnsafeMutablePointer<Float>
  /// The log-determinants of the rows, with the layout of `LogSum`.
  let logSum: UnsafeMutablePointer<Float>
  /// Few rows: the columns above. A tile: log s. Behind these, what a spline needs.
  let columns: UnsafeMutablePointer<Float>
  /// true: computes the other side from the read side, and adds log s. false: computes the read side from the other
  /// side, and subtracts log s.
  let readIsKnown: Bool
  /// What picks the components of a mixture, where one is drawn from; never `readIsKnown`.
  let choices: Choices?
  /// Whether the parameters must stay as they are, for a gradient: a spline's exponentials do not take their place.
  let keepsParameters: Bool
  /// Output layer, by rank from `passthrough` on.
  let parameters: Values
  /// Parameters of a rank.
  let parameterCount: Int

  /// Column `number` of the scratch: 16 floats.
  private func column(_ number: Int) -> UnsafeMutablePointer<Float> { columns + number &* laneCount }

  /// Transforms ranks first ..< end of all rows. Their parameters and their known side must be there.
  func run(_ first: Int, _ end: Int) {
    if rows >= laneCount { runTile(first, end) } else { runRows(first, end) }
  }

  /// Both sides and the parameters lie row by row within a rank, so they are used where they are.
  @inline(never) private func runTile(_ first: Int, _ end: Int) {
    let sums = LogSum(logSum, rows: rows)
    for rank in first..<end {
      let r = read + rank &* rows
      let q = state + Int(otherIndex[rank]) &* rows
      let (known, unknown) = readIsKnown ? (r, q) : (q, r)
      if rank < passthrough {
        for row in stride(from: 0, to: rows, by: laneCount) { unknown.store(known.lanes(row), row) }
        continue
      }
      // `rows` floats for each parameter, the parameters of a rank one behind the other.
      let p = parameters.base + (rank &- passthrough) &* parameterCount &* rows
      // Affine steps take all rows in one call, in which several vectors are abreast.
      if case .affine(let affine) = transformer {
        affine.apply(p, p + rows, known, unknown, columns, count: rows, readIsKnown: readIsKnown)
        add(columns, to: sums, 0, rows)
        continue
      }
      for row in stride(from: 0, to: rows, by: laneCount) {
        // log s = 0: nothing to add.
        if case .additive = transformer {
          unknown.store(additive(p.lanes(row), known.lanes(row)), row)
          continue
        }
        let logS = columns
        var (raw, stride, scratch) = (p + row, rows, column(1))
        #if !FLOWRT_BASELINE_HAS_NO_GRADIENT
          if keepsParameters { (raw, stride, scratch) = copyParameters(raw) }
        #endif
        applyColumns(
          raw, stride: stride, known + row, unknown + row, logS, count: laneCount, scratch: scratch,
          choice: choices.map { $0.ofRows(row, otherIndex[rank]) })
        add(logS, to: sums, row, row &+ laneCount)
      }
    }
  }

  /// Copies the parameters of 16 rows of a tile into columns, where they may be overwritten. Behind them is scratch.
  private func copyParameters(
    _ p: UnsafeMutablePointer<Float>
  ) -> (raw: UnsafeMutablePointer<Float>, stride: Int, scratch: UnsafeMutablePointer<Float>) {
    let raw = column(1)
    for j in 0..<parameterCount { raw.store(p.lanes(j &* rows), j &* laneCount) }
    return (raw, laneCount, column(1 &+ parameterCount))
  }

  /// Adds log s of one rank to the log-determinants of rows first ..< end of a tile.
  @inline(never) private func add(_ logS: UnsafePointer<Float>, to sums: LogSum, _ first: Int, _ end: Int) {
    for row in stride(from: first, to: end, by: laneCount) {
      // From the other side to the read side the derivative is 1 / s.
      let term = logS.lanes(row &- first)
      sums.addInline(readIsKnown ? term : -term, first: row)
    }
  }

  /// Chooses how few rows come into vectors: row by row, or side by side.
  @inline(never) private func runRows(_ first: Int, _ end: Int) {
    let (known, unknown) = readIsKnown ? (read, other) : (other, read)
    var rank = first
    while rank < min(end, passthrough) {
      for row in 0..<rows { unknown[row &* rowStride &+ rank] = known[row &* rowStride &+ rank] }
      rank &+= 1
    }
    if rank >= end { return }
    // More than half of a vector is filled by ranks of one row: shuffles then cost less than gathering each value.
    if rows == 1 || end &- rank > 8 {
      if case .affine(let affine) = transformer {
        for row in 0..<rows { runRow(affine, row, rank, end, known, unknown) }
        return
      }
    }
    runSideBySide(rank, end, known, unknown)
  }

  /// An affine step of one row, 16 ranks at a time. A vector may reach past the last rank: into ranks that are written
  /// later, or into padding.
  private func runRow(
    _ affine: Affine, _ row: Int, _ first: Int, _ end: Int, _ known: UnsafeMutablePointer<Float>,
    _ unknown: UnsafeMutablePointer<Float>
  ) {
    let parameters = parameters.base + row &* parameters.stride
    for rank in stride(from: first, to: end, by: laneCount) {
      let p = parameters + 2 &* (rank &- passthrough)
      if end &- rank == 1 {
        // A vector from here on may span two that were just stored, and would wait until both are in the cache. A lone
        // value takes one register of each column.
        Unrolled<1>(repeating: p[0]).store(columns)
        Unrolled<1>(repeating: p[1]).store(column(1))
      } else {
        // Parameters t, a, t, a, ... of 16 ranks: the even floats are t, the odd ones a.
        let (low, high) = (p.lanes(0), p.lanes(laneCount))
        columns.store(Lanes(lowHalf: low.evenHalf, highHalf: high.evenHalf), 0)
        columns.store(Lanes(lowHalf: low.oddHalf, highHalf: high.oddHalf), laneCount)
      }
      let at = row &* rowStride &+ rank
      affine.apply(
        columns, column(1), known + at, unknown + at, logScale + at, count: min(laneCount, end &- rank),
        readIsKnown: readIsKnown)
    }
  }

  /// A value of a row, in the order in which they lie in the lanes: all rows of a rank, then those of the next.
  private struct Item {
    var rank: Int
    var row = 0

    /// The next value: of the next row, or of the first row of the next rank.
    @inline(__always) mutating func advance(_ rows: Int) {
      row &+= 1
      if row == rows { (rank, row) = (rank &+ 1, 0) }
    }
  }
  /// The place of a value in `read`, `other` and `logScale`.
  @inline(__always) private func place(of item: Item) -> Int { item.row &* rowStride &+ item.rank }
  /// The first of its parameters, which stand side by side.
  @inline(__always) private func parameters(of item: Item) -> UnsafeMutablePointer<Float> {
    parameters.base + (item.row &* parameters.stride &+ (item.rank &- passthrough) &* parameterCount)
  }

  /// The values of all rows and ranks first ..< end, 16 at a time, whichever row or rank they belong to: they are
  /// gathered into columns, transformed, and put back.
  private func runSideBySide(
    _ first: Int, _ end: Int, _ known: UnsafeMutablePointer<Float>, _ unknown: UnsafeMutablePointer<Float>
  ) {
    // The columns of the file head; behind the P parameters, what a spline needs.
    let (knownColumn, unknownColumn, logS, p) = (column(0), column(1), column(2), column(3))
    let scratch = column(3 &+ parameterCount)
    var next = Item(rank: first)
    var left = (end &- first) &* rows
    // A lone affine value has gone through runRow.
    if case .affine = transformer {
    } else if left == 1 {
      // A lone value's parameters lie side by side, which a spline makes use of.
      let p = parameters.base + (first &- passthrough) &* parameterCount
      if case .additive = transformer {
        unknown[first] = additive(Lanes(repeating: p[0]), Lanes(repeating: known[first]))[0]
        return
      }
      applyColumns(
        p, stride: 1, known + first, unknown + first, logScale + first, count: 1, scratch: scratch,
        choice: choices.map { $0.ofRows(0, otherIndex[first]) })
      return
    }
    while left > 0 {
      let count = min(laneCount, left)
      // `item` gathers and `next` puts back: both go over the same values.
      var item = next
      let raw = parameters(of: item)
      var (rowOfLane, coordinateOfLane) = (LaneWords(repeating: 0), LaneWords(repeating: 0))
      // Lanes without a value must hold a number that the transformer can take, not what was left in memory.
      // The first value fills the lanes that are left.
      knownColumn.store(Lanes(repeating: known[place(of: item)]), 0)
      for j in 0..<parameterCount { p.store(Lanes(repeating: raw[j]), j &* laneCount) }
      // Each value goes into its lane, its parameters into that lane of their columns.
      for lane in 0..<count {
        knownColumn[lane] = known[place(of: item)]
        let raw = parameters(of: item)
        for j in 0..<parameterCount { p[j &* laneCount &+ lane] = raw[j] }
        // The noise that picks a component depends on row and coordinate alone, never on the lane.
        if choices != nil {
          rowOfLane[lane] = UInt32(truncatingIfNeeded: item.row)
          coordinateOfLane[lane] = otherIndex[item.rank]
        }
        item.advance(rows)
      }
      switch transformer {
      case .affine(let affine):
        affine.apply(p, p + laneCount, knownColumn, unknownColumn, logS, count: count, readIsKnown: readIsKnown)
      case .additive: unknownColumn.store(additive(p.lanes(0), knownColumn.lanes(0)), 0)
      case .spline, .mixture:
        applyColumns(
          p, stride: laneCount, knownColumn, unknownColumn, logS, count: count, scratch: scratch,
          choice: choices.map { [rowOfLane, coordinateOfLane] in $0.of(rows: Words(rowOfLane), Words(coordinateOfLane)) })
      }
      for lane in 0..<count {
        unknown[place(of: next)] = unknownColumn[lane]
        // An additive step does not set logS; sumLogScales does not read it then.
        logScale[place(of: next)] = logS[lane]
        next.advance(rows)
      }
      left &-= count
    }
  }

  /// Applies a spline or a mixture to `count` values. Parameter j of all of them is at p + j stride.
  @inline(never) private func applyColumns(
    _ p: UnsafeMutablePointer<Float>, stride: Int, _ known: UnsafeMutablePointer<Float>,
    _ unknown: UnsafeMutablePointer<Float>, _ logS: UnsafeMutablePointer<Float>, count: Int,
    scratch: UnsafeMutablePointer<Float>, choice: Lanes?
  ) {
    switch transformer {
    case .affine, .additive: break  // done by the callers
    case .spline(let spline):
      spline.apply(p, stride: stride, known, unknown, logS, count: count, scratch: scratch, readIsKnown: readIsKnown)
    case .mixture(let mixture):
      #if !FLOWRT_LEVEL_3 || SWIFT_PACKAGE  // else bases are evaluated by level 2
        // A draw turns the noise into a component's value; log s is the log-density of the value either way.
        var z = known.lanes(0)
        if let choice { z = mixture.draw(p, stride: stride, choice: choice, noise: z) }
        unknown.store(z, 0)
        logS.store(mixture.logDensity(p, stride: stride, z), 0)
      #endif
    }
  }

  /// q = r + t, or r = q - t.
  @inline(__always) private func additive(_ t: Lanes, _ known: Lanes) -> Lanes {
    readIsKnown ? known + t : known - t
  }

  /// Adds the terms of the log-determinant of few rows, in the order in which a tile adds them: the same bits.
  /// Ranks first ..< end of `logScale` must be there.
  func sumLogScales(_ first: Int, _ end: Int) {
    // log s = 0.
    if case .additive = transformer { return }
    let sum = LogSum(logSum, rows: rows)
    for row in 0..<rows {
      let terms = logScale + (row &* rowStride &+ first)
      sum.add(terms, count: end &- first, negated: !readIsKnown, row: row)
    }
  }
}
