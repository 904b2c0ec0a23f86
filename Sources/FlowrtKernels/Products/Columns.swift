// Few rows: the lanes of a vector are the 16 units of a panel, source values are broadcast.
//
//     sums[row][u] += sum over k of w[k][u] * source[row][k]
//
//                    panel 0      panel 1           one piece: R rows x N panels, all sums in registers
//     w[k]         [ 16 units ] [ 16 units ]        for each k: N lines of weights, each used for R rows, R broadcasts of a
//     source 0[k]  [ sums     ] [ sums     ]        source value, R * N multiply-adds
//     source 1[k]  [ sums     ] [ sums     ]
//
// Every unit of every row adds its terms one by one in the order of k (the same order, and so the same bits, as in Tile.swift).
// The sums of a piece are independent chains, which hide the latency of a multiply-add. Each row has a source pointer of its own,
// so the rows may lie anywhere. Of one row, weights are read once, as one stream for each panel; nothing else is touched, so for
// wide layers the speed is that of reading the weights. More rows are taken in pieces of nearly equal height (five are three and
// two); the weights of the first piece are in the cache for the next.

import FlowrtShim

/// The largest pieces that the registers hold: 32 of 16 floats on AVX-512, 16 of 8 on AVX2, 32 of 4 on aarch64, 16 of 4 on SSE2.
#if FLOWRT_LEVEL_3
  private let maximumHeight = 4
  @inline(__always) func panelsAbreast(rows: Int) -> Int { 4 }
#elseif FLOWRT_LEVEL_2 || arch(arm64)
  private let maximumHeight = 3
  @inline(__always) func panelsAbreast(rows: Int) -> Int { rows == 1 ? 4 : 2 }
#else
  private let maximumHeight = 2
  @inline(__always) func panelsAbreast(rows: Int) -> Int { rows == 1 ? 2 : 1 }
#endif

/// What a product adds to, and what it reads.
struct Rows {
  let count: Int
  /// The sums of the first row: 16 floats for each panel. Those of the next row are `stride` floats further on.
  let sums: UnsafeMutablePointer<Float>
  let stride: Int
  /// Where each row's source is.
  let sources: UnsafePointer<UnsafePointer<Float>>

  /// The same rows with the sums of the panels from `panel` on.
  @inline(__always) func from(panel: Int) -> Rows {
    Rows(count: count, sums: sums + panel &* 16, stride: stride, sources: sources)
  }

  /// The rows from `row` on.
  @inline(__always) fileprivate func from(_ row: Int, _ count: Int) -> Rows {
    Rows(count: count, sums: sums + row &* stride, stride: stride, sources: sources + row)
  }
}

/// Calls `body` with rows that lie in steps of the same size.
@inline(__always) func withFewRows(
  sums: UnsafeMutablePointer<Float>, stride: Int, sources: UnsafeMutablePointer<Float>, stride sourceStride: Int,
  count: Int, _ body: (Rows) -> Void
) {
  withUnsafeTemporaryAllocation(of: UnsafePointer<Float>.self, capacity: Int(FLOWRT_FEW_ROWS)) { pointers in
    let pointers = pointers.baseAddress.unsafelyUnwrapped
    for row in 0..<count { pointers[row] = UnsafePointer(sources + row &* sourceStride) }
    body(Rows(count: count, sums: sums, stride: stride, sources: UnsafePointer(pointers)))
  }
}

// The 16 sums of a panel and a row: one register, or several, which are then taken one by one, so that a register of weights is
// loaded once for all rows.
#if FLOWRT_LEVEL_3
  private typealias PanelSum = Lanes

  extension Lanes {
    @inline(__always) fileprivate init(_ p: UnsafePointer<Float>) { self = p.lanes(0) }
    @inline(__always) fileprivate func store(_ p: UnsafeMutablePointer<Float>) { p.store(self, 0) }
    @inline(__always) fileprivate var lanes: Lanes { self }
    @inline(__always) fileprivate static func of(_ lanes: Lanes) -> Lanes { lanes }
  }

  /// Adds the line of weights at w times a value of each of R rows.
  @inline(__always) private func addTerm<let R: Int>(
    _ sums: inout InlineArray<R, PanelSum>, _ w: UnsafePointer<Float>, _ values: InlineArray<R, Register>
  ) {
    let weight = w.lanes(0)
    for r in 0..<R { sums[r] = fma(weight, values[r], sums[r]) }
  }
#else
  private typealias PanelSum = Chunk

  extension Chunk {
    @inline(__always) fileprivate var lanes: Lanes { Lanes(self) }
    @inline(__always) fileprivate static func of(_ lanes: Lanes) -> Chunk { lanes.chunk }
  }

  /// Adds the line of weights at w times a value of each of R rows.
  @inline(__always) private func addTerm<let R: Int>(
    _ sums: inout InlineArray<R, PanelSum>, _ w: UnsafePointer<Float>, _ values: InlineArray<R, Register>
  ) {
    for part in 0..<PanelSum.count {
      let weight = w.register(part &* Register.scalarCount)
      for r in 0..<R { sums[r].registers[part] = fma(weight, values[r], sums[r].registers[part]) }
    }
  }
#endif

/// R rows by N panels of 16 units.
private enum Columns<let R: Int, let N: Int> {
  @inline(never)
  static func run(
    _ rows: Rows, _ weights: UnsafePointer<Float>, _ panelStart: UnsafePointer<UInt32>, from: Int, to: Int
  ) {
    var sums = InlineArray<N, InlineArray<R, PanelSum>>(repeating: .init(repeating: PanelSum(repeating: 0)))
    var lines = InlineArray<N, UnsafePointer<Float>>(repeating: weights)
    var sources = InlineArray<R, UnsafePointer<Float>>(repeating: weights)
    for r in 0..<R { sources[r] = rows.sources[r] }
    for i in 0..<N {
      for r in 0..<R { sums[i][r] = PanelSum(rows.sums + (r &* rows.stride &+ i &* 16)) }
      lines[i] = weights + (Int(panelStart[i]) &+ from) &* 16
    }
    for k in from..<to {
      var values = InlineArray<R, Register>(repeating: Register())
      for r in 0..<R { values[r] = Register(repeating: sources[r][k]) }
      for i in 0..<N {
        addTerm(&sums[i], lines[i], values)
        lines[i] += 16
      }
    }
    for i in 0..<N {
      for r in 0..<R { sums[i][r].store(rows.sums + (r &* rows.stride &+ i &* 16)) }
    }
  }
}

/// A product of R rows by up to P panels.
private protocol Product {
  func run<let R: Int, let P: Int>(_ shape: Shape<R, P>, _ rows: Rows) -> Int
}
private struct Shape<let R: Int, let P: Int> {}

extension Product {
  /// For all rows, piece by piece. Returns what the last piece does.
  @inline(__always) func run(_ rows: Rows) -> Int {
    var row = 0
    var result = 0
    while row < rows.count {
      let left = rows.count &- row
      let height = left <= maximumHeight ? left : left < 2 &* maximumHeight ? (left &+ 1) / 2 : maximumHeight
      let piece = rows.from(row, height)
      switch height {
      #if FLOWRT_LEVEL_3
        case 1: result = run(Shape<1, 4>(), piece)
        case 2: result = run(Shape<2, 4>(), piece)
        case 3: result = run(Shape<3, 4>(), piece)
        default: result = run(Shape<4, 4>(), piece)
      #elseif FLOWRT_LEVEL_2 || arch(arm64)
        case 1: result = run(Shape<1, 4>(), piece)
        case 2: result = run(Shape<2, 2>(), piece)
        default: result = run(Shape<3, 2>(), piece)
      #else
        case 1: result = run(Shape<1, 2>(), piece)
        default: result = run(Shape<2, 1>(), piece)
      #endif
      }
      row &+= height
    }
    return result
  }
}

/// Adds source units `from ..< to` to `panels` panels of sums, as many as are abreast at most. The first `keep` units of the
/// first panel are final and stay as they are.
///
/// - panelStart: for each panel, its first line in `weights`.
@inline(never) func accumulateColumns(
  _ rows: Rows, _ weights: UnsafePointer<Float>, _ panelStart: UnsafePointer<UInt32>, panels: Int, from: Int, to: Int,
  keep: Int
) {
  if from >= to { return }
  _ = ColumnsProduct(weights: weights, panelStart: panelStart, panels: panels, from: from, to: to, keep: keep).run(rows)
}

private struct ColumnsProduct: Product {
  let weights: UnsafePointer<Float>
  let panelStart: UnsafePointer<UInt32>
  let panels, from, to, keep: Int

  @inline(__always) func run<let R: Int, let P: Int>(_ shape: Shape<R, P>, _ rows: Rows) -> Int {
    var kept = InlineArray<R, Lanes>(repeating: Lanes())
    for r in 0..<R { kept[r] = rows.sums.lanes(r &* rows.stride) }
    switch panels {
    case 1: Columns<R, 1>.run(rows, weights, panelStart, from: from, to: to)
    case 2 where P > 2: Columns<R, 2>.run(rows, weights, panelStart, from: from, to: to)
    case 3 where P > 3: Columns<R, 3>.run(rows, weights, panelStart, from: from, to: to)
    default: Columns<R, P>.run(rows, weights, panelStart, from: from, to: to)
    }
    if keep > 0 {
      for r in 0..<R {
        let first = r &* rows.stride
        rows.sums.store(kept[r], first, in: first, first &+ keep)
      }
    }
    return 0
  }
}

/// R rows of up to P panels whose units do not see the same: taken as far as the first unit sees, then as far as the next one that
/// sees more, and so on. The sums stay in registers.
///
///          k ->      a a a a b b b c c
///        | x x x x                     units of the first degree: final after a
///        | x x x x x x x               final after b
///        | x x x x x x x x x           final after c
private enum Triangle<let R: Int, let P: Int> {
  typealias Sums = InlineArray<P, InlineArray<R, PanelSum>>

  /// Source units k ..< next for the last `panels` of the panels, of which the first `keep` units of the first one are final.
  @inline(__always) private static func add(
    _ panels: Int, _ sums: inout Sums, _ lines: InlineArray<P, UnsafePointer<Float>>,
    _ sources: InlineArray<R, UnsafePointer<Float>>, _ k: inout Int, to next: Int, keep: Int
  ) {
    let first = P &- panels
    let kept = sums[first]
    while k < next {
      var values = InlineArray<R, Register>(repeating: Register())
      for r in 0..<R { values[r] = Register(repeating: sources[r][k]) }
      for i in first..<P { addTerm(&sums[i], lines[i] + k &* 16, values) }
      k &+= 1
    }
    for r in 0..<R {
      sums[first][r] = PanelSum.of(
        flowrt_v_if_between(
          laneNumbers(), 0, Int32(truncatingIfNeeded: keep), kept[r].lanes, sums[first][r].lanes))
    }
  }

  /// What `accumulateTriangle` does, for R rows.
  @inline(never)
  static func run(
    _ rows: Rows, _ weights: UnsafePointer<Float>, _ panelStart: UnsafePointer<UInt32>, from: Int, units first: Int,
    _ end: Int, _ degreeEnd: UnsafePointer<UInt32>, _ visibleEnd: UnsafePointer<UInt32>, _ degree: Int, _ g: Int
  ) -> Int {
    // The last of the P are the panels that there are; those before them stand for the first one, and are not touched.
    let firstPanel = first / 16
    let missing = P &- ((end &+ 15) / 16 &- firstPanel)
    var sums = Sums(repeating: .init(repeating: PanelSum(repeating: 0)))
    var lines = InlineArray<P, UnsafePointer<Float>>(repeating: weights)
    var sources = InlineArray<R, UnsafePointer<Float>>(repeating: weights)
    for r in 0..<R { sources[r] = rows.sources[r] }
    for i in 0..<P {
      let panel = max(0, i &- missing)
      for r in 0..<R { sums[i][r] = PanelSum(rows.sums + (r &* rows.stride &+ panel &* 16)) }
      lines[i] = weights + Int(panelStart[panel]) &* 16
    }
    var degree = degree
    var unit = first
    var k = from
    while true {
      while degree < g && Int(degreeEnd[degree]) <= unit { degree &+= 1 }
      let next = Int(visibleEnd[degree])
      let keep = unit & 15
      switch P &- missing &- (unit / 16 &- firstPanel) {
      case 1: add(1, &sums, lines, sources, &k, to: next, keep: keep)
      case 2 where P > 2: add(min(2, P), &sums, lines, sources, &k, to: next, keep: keep)
      case 3 where P > 3: add(min(3, P), &sums, lines, sources, &k, to: next, keep: keep)
      default: add(P, &sums, lines, sources, &k, to: next, keep: keep)
      }
      if degree >= g { break }
      unit = Int(degreeEnd[degree])
      if unit >= end { break }
    }
    for i in 0..<P where i >= missing {
      for r in 0..<R { sums[i][r].store(rows.sums + (r &* rows.stride &+ (i &- missing) &* 16)) }
    }
    return degree
  }
}

/// Adds to the units `first ..< end` of neighbouring panels, as many as are abreast at most, what they see of the source units
/// from `from` on, up to degree g. Units before `first` stay as they are. Returns the degree of the last unit that was added to, g
/// at most.
///
/// - panelStart: for each panel, its first line in `weights`.
/// - degree: that of the first unit, or one before it.
@inline(never) func accumulateTriangle(
  _ rows: Rows, _ weights: UnsafePointer<Float>, _ panelStart: UnsafePointer<UInt32>, from: Int, units first: Int,
  _ end: Int, _ degreeEnd: UnsafePointer<UInt32>, _ visibleEnd: UnsafePointer<UInt32>, degree: Int, to g: Int
) -> Int {
  TriangleProduct(
    weights: weights, panelStart: panelStart, from: from, first: first, end: end, degreeEnd: degreeEnd,
    visibleEnd: visibleEnd, degree: degree, g: g
  ).run(rows)
}

private struct TriangleProduct: Product {
  let weights: UnsafePointer<Float>
  let panelStart: UnsafePointer<UInt32>
  let from, first, end: Int
  let degreeEnd, visibleEnd: UnsafePointer<UInt32>
  let degree, g: Int

  @inline(__always) func run<let R: Int, let P: Int>(_ shape: Shape<R, P>, _ rows: Rows) -> Int {
    Triangle<R, P>.run(
      rows, weights, panelStart, from: from, units: first, end, degreeEnd, visibleEnd, degree, g)
  }
}

/// sums[row][u] += sum over all k of w[k][u] * source[row][k], for panels that all have `lines` lines.
func accumulateDense(_ rows: Rows, _ weights: UnsafePointer<Float>, panels: Int, lines: Int) {
  let abreast = panelsAbreast(rows: rows.count)
  for first in stride(from: 0, to: panels, by: abreast) {
    let starts = InlineArray<4, UInt32> { UInt32(truncatingIfNeeded: (first &+ $0) &* lines) }
    starts.span.withUnsafeBufferPointer {
      accumulateColumns(
        rows.from(panel: first), weights, $0.baseAddress.unsafelyUnwrapped, panels: min(abreast, panels &- first), from: 0, to: lines,
        keep: 0)
    }
  }
}
