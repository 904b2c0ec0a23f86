// A sum of many logarithms, as accurate as if it were made in twice the precision.
//
// Every term's rounding error is found exactly (Knuth's two-sum) and summed apart; the total adds it once at the end.
// The plain sum is kept as it is, so infinities and NaNs come out as in ordinary arithmetic. Cost: six additions a
// term.

import FlowrtShim

/// Running sums of the rows: `rows` sums, `rows` errors, and for each row whether it left the support (0 if not).
struct LogSum {
  private let sums: UnsafeMutablePointer<Float>
  private let rows: Int

  init(_ sums: UnsafeMutablePointer<Float>, rows: Int) {
    self.sums = sums
    self.rows = rows
  }

  func clear() {
    for i in 0..<3 &* rows { sums[i] = 0 }
  }

  /// Rows that a vector of terms is for: 16 of a tile, of few rows one, whose term is the first.
  private var step: Int { rows >= laneCount ? laneCount : 1 }

  /// Adds `term` to the rows from `first` on.
  @inline(never) func add(_ term: Lanes, first: Int) {
    if rows >= laneCount { addInline(term, first: first) } else { add(term[0], row: first) }
  }

  /// Adds `term` to rows first ..< first + 16 of a tile. Inlined, for loops in which a call would cost more than the
  /// sum.
  @inline(__always) func addInline(_ term: Lanes, first: Int) {
    let (total, error) = twoSum(sums.lanes(first), term)
    sums.store(total, first)
    sums.store(sums.lanes(rows &+ first) + error, rows &+ first)
  }

  /// Adds `term` to the rows of a tile from `first` on that a register holds.
  @inline(__always) func add(_ term: Register, at first: Int) {
    let (total, error) = twoSum(sums.register(first), term)
    sums.store(total, first)
    sums.store(sums.register(rows &+ first) + error, rows &+ first)
  }

  /// Adds `term` to one of few rows.
  @inline(__always) func add(_ term: Float, row: Int) {
    withUnsafePointer(to: term) { add($0, count: 1, negated: false, row: row) }
  }

  /// Adds terms to one of few rows, one by one; `negated`: takes them away.
  @inline(__always) func add(_ terms: UnsafePointer<Float>, count: Int, negated: Bool, row: Int) {
    var (total, errors) = (sums[row], sums[rows &+ row])
    for i in 0..<count {
      let (sum, error) = twoSum(total, negated ? -terms[i] : terms[i])
      (total, errors) = (sum, errors + error)
    }
    (sums[row], sums[rows &+ row]) = (total, errors)
  }

  /// Adds the same term to every row.
  func add(_ term: Lanes) {
    for first in stride(from: 0, to: rows, by: step) { add(term, first: first) }
  }

  /// Excludes rows as below: those of a tile that a register holds, or one of few rows.
  @inline(__always) func exclude(_ isOutside: Register, at first: Int) {
    sums.store(sums.register(2 &* rows &+ first) + isOutside, 2 &* rows &+ first)
  }
  @inline(__always) func exclude(_ isOutside: Float, row: Int) { sums[2 &* rows &+ row] += isOutside }

  /// Excludes the rows from `first` on with `isOutside` != 0 from the support: their density is zero.
  @inline(never) func exclude(_ isOutside: Lanes, first: Int) {
    let index = 2 &* rows &+ first
    if rows >= laneCount {
      sums.store(sums.lanes(index) + isOutside, index)
    } else {
      sums[index] += isOutside[0]
    }
  }

  func isExcluded(_ row: Int) -> Bool { sums[2 &* rows &+ row] != 0 }

  func total(_ row: Int) -> Float {
    let sum = sums[row]
    let total = sum + sums[rows &+ row]
    return sum - sum == 0 ? total : sum
  }
}
