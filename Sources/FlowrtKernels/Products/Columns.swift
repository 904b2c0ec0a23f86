// Few rows: the lanes of a vector are the 16 units of a panel, source values are broadcast.
//
//     sums[row][u] += sum over k of w[k][u] * source[row][k]
//
//                    panel 0      panel 1           one piece: R rows x N panels, all sums in registers
//     w[k]         [ 16 units ] [ 16 units ]        for each k: N lines of weights, each used for R rows, R broadcasts of a
//     source 0[k]  [ sums     ] [ sums     ]        source value, R * N multiply-adds
//     source 1[k]  [ sums     ] [ sums     ]
//
// Every unit of every row adds its terms one by one in the order of k (the same order, and so the same bits, as in
// Tile.swift). The sums of a piece are independent chains, which hide the latency of a multiply-add. Of one
// row, weights are read once, as one stream for each panel; nothing else is touched, so for wide layers the speed is
// that of reading the weights. More rows are taken in pieces of nearly equal height (five are three and two); the
// weights of the first piece are in the cache for the next.

import FlowrtShim

/// The largest pieces that the registers hold: 32 of 16 floats on AVX-512, 16 of 8 on AVX2, 32 of 4 on aarch64, 16 of
/// 4 on SSE2.
/// `maximumHeight`: rows of a piece. `panelsAbreast`: its panels, for a call of so many rows; a power of two. `Tall`: of a
/// single panel, so many rows that their sums hide the latency.
#if FLOWRT_LEVEL_3
  private let maximumHeight = 4
  private typealias Tall = Columns<8, 1>
  @inline(__always) func panelsAbreast(rows: Int) -> Int { 4 }
#elseif FLOWRT_LEVEL_2 || arch(arm64)
  private let maximumHeight = 3
  private typealias Tall = Columns<4, 1>
  @inline(__always) func panelsAbreast(rows: Int) -> Int { rows == 1 ? 4 : 2 }
#else
  private let maximumHeight = 2
  private typealias Tall = Columns<2, 1>
  @inline(__always) func panelsAbreast(rows: Int) -> Int { rows == 1 ? 2 : 1 }
#endif

/// What a product adds to, and what it reads.
struct Rows {
  /// Rows, 1 to 15.
  let count: Int
  /// The sums of the first row: 16 floats for each panel. Those of the next row are `stride` floats further on.
  let sums: UnsafeMutablePointer<Float>
  let stride: Int
  /// The source values of the first row. Those of the next are `sourceStride` floats further on.
  let sources: UnsafePointer<Float>
  let sourceStride: Int
  /// Lines of 16 floats, one for each k of a panel: the weights of its units for source value k.
  let weights: UnsafePointer<Float>
  /// For each panel, its first line in `weights`.
  let panelStart: UnsafePointer<UInt32>

  /// The source values of a row: one float for each k.
  @inline(__always) fileprivate func source(_ row: Int) -> UnsafePointer<Float> { sources + row &* sourceStride }
}

// The 16 sums of a panel and a row: one register, or several, which are then taken one by one, so that a register of
// weights is loaded once for all rows.
#if FLOWRT_LEVEL_3
  private typealias PanelSum = Lanes

  /// What `Chunk` has as well, so that the code below is written once.
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
    // One load for R rows.
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
    // Part by part: all parts of the weights at once would leave too few registers for the sums.
    for part in 0..<PanelSum.count {
      let weight = w.register(part &* Register.scalarCount)
      for r in 0..<R { sums[r].registers[part] = fma(weight, values[r], sums[r].registers[part]) }
    }
  }
#endif

/// R rows from `row` on, by N panels of 16 units from `panel` on. The first `keep` units of the first panel stay as
/// they are.
private enum Columns<let R: Int, let N: Int> {
  static var height: Int { R }

  /// Adds source values from ..< to. Panels from `panel` on must be there, N of them. R and N are constants, so the
  /// loops over rows and panels are unrolled, and the sums stay in registers.
  @inline(never)
  static func run(_ rows: UnsafePointer<Rows>, row: Int, panel: Int, from: Int, to: Int, keep: Int) {
    let stride = rows.pointee.stride
    let target = rows.pointee.sums + (row &* stride &+ panel &* panelUnits)
    let weights = rows.pointee.weights
    var sums = InlineArray<N, InlineArray<R, PanelSum>>(repeating: .init(repeating: PanelSum(repeating: 0)))
    // `weights` only fills the arrays; every entry is replaced below.
    var lines = InlineArray<N, UnsafePointer<Float>>(repeating: weights)
    var sources = InlineArray<R, UnsafePointer<Float>>(repeating: weights)
    for r in 0..<R { sources[r] = rows.pointee.source(row &+ r) }
    for i in 0..<N {
      for r in 0..<R { sums[i][r] = PanelSum(target + (r &* stride &+ i &* panelUnits)) }
      // Panel i has a stream of its own, which starts at its line for source value `from`.
      lines[i] = weights + (Int(rows.pointee.panelStart[panel &+ i]) &+ from) &* lineFloats
    }
    for k in from..<to {
      // Each source value is broadcast once, for all N panels.
      var values = InlineArray<R, Register>(repeating: Register())
      for r in 0..<R { values[r] = Register(repeating: sources[r][k]) }
      for i in 0..<N {
        addTerm(&sums[i], lines[i], values)
        lines[i] += lineFloats
      }
    }
    // Read once, before the loops: a global inside of the loop over i keeps the compiler from unrolling it, and the
    // sums would go through the stack.
    let units = panelUnits
    for r in 0..<R {
      let at = r &* stride
      // Final units have gone through `finish` (Conditioner.swift), so they must not be stored over.
      if keep > 0 {
        let kept = Int32(truncatingIfNeeded: keep)
        target.store(flowrt_v_if_between(laneNumbers(), 0, kept, target.lanes(at), sums[0][r].lanes), at)
      } else {
        sums[0][r].store(target + at)
      }
      for i in 1..<N { sums[i][r].store(target + (at &+ i &* units)) }
    }
  }
}

/// R rows by up to P panels.
private struct Shape<let R: Int, let P: Int> {}
#if FLOWRT_LEVEL_3 || FLOWRT_LEVEL_2 || arch(arm64)
  // As many panels as panelsAbreast(rows: 1).
  private typealias OneRow = Shape<1, 4>
#else
  private typealias OneRow = Shape<1, 2>
#endif

/// A product that is made of pieces with constant shapes.
private protocol Product {
  /// R rows from `row` on. `shape` carries R and P as types. Returns the degree that was reached, if there are degrees.
  func run<let R: Int, let P: Int>(_ shape: Shape<R, P>, row: Int) -> Int
}

extension Product {
  /// For the rows from `row` on, `count` in all, piece by piece. Returns what the last piece does.
  @inline(__always) func run(from row: Int = 0, count: Int) -> Int {
    var row = row
    while true {
      let left = count &- row
      // Up to twice the maximum, two halves: five rows are 3 + 2, where 4 + 1 would leave registers idle.
      let height = left <= maximumHeight ? left : left < 2 &* maximumHeight ? (left &+ 1) / 2 : maximumHeight
      let result: Int
      // Only shapes that the registers of the level hold are compiled. One row alone is left over on SSE2 only.
      switch height {
      #if FLOWRT_LEVEL_3
        case 2: result = run(Shape<2, 4>(), row: row)
        case 3: result = run(Shape<3, 4>(), row: row)
        default: result = run(Shape<4, 4>(), row: row)
      #elseif FLOWRT_LEVEL_2 || arch(arm64)
        case 2: result = run(Shape<2, 2>(), row: row)
        default: result = run(Shape<3, 2>(), row: row)
      #else
        case 1: result = run(Shape<1, 2>(), row: row)
        default: result = run(Shape<2, 1>(), row: row)
      #endif
      }
      row &+= height
      if row >= count { return result }
    }
  }
}

/// Adds source units `from ..< to` to `panels` panels of sums from `panel` on, as many as are abreast at most. The
/// first `keep` units of the first panel are final and stay as they are.
@inline(__always) func accumulateColumns(
  _ rows: UnsafePointer<Rows>, panel: Int, panels: Int, from: Int, to: Int, keep: Int
) {
  // A stage may add no source unit.
  if from >= to { return }
  if rows.pointee.count == 1 {
    // Without a detour: in a small network each stage adds little, and the way to it counts.
    _ = ColumnsProduct(rows: rows, panel: panel, panels: panels, from: from, to: to, keep: keep).run(OneRow(), row: 0)
  } else {
    accumulatePieces(rows, panel: panel, panels: panels, from: from, to: to, keep: keep)
  }
}

/// Several rows; out of line, so that accumulateColumns stays small where it is inlined.
@inline(never) private func accumulatePieces(
  _ rows: UnsafePointer<Rows>, panel: Int, panels: Int, from: Int, to: Int, keep: Int
) {
  let count = rows.pointee.count
  var row = 0
  if panels == 1 {
    // A piece of one row is not compiled for several (Product.run), so none is left over.
    while count &- row == Tall.height || count &- row > Tall.height &+ 1 {
      Tall.run(rows, row: row, panel: panel, from: from, to: to, keep: keep)
      row &+= Tall.height
    }
    if row == count { return }
  }
  _ = ColumnsProduct(rows: rows, panel: panel, panels: panels, from: from, to: to, keep: keep)
    .run(from: row, count: count)
}

/// The arguments of accumulateColumns.
private struct ColumnsProduct: Product {
  let rows: UnsafePointer<Rows>
  /// `panels` is 1 to P. `keep` is below 16.
  let panel, panels, from, to, keep: Int

  @inline(__always) func run<let R: Int, let P: Int>(_ shape: Shape<R, P>, row: Int) -> Int {
    // N as a constant. The conditions leave out the shapes that are larger than P.
    switch panels {
    case 1: Columns<R, 1>.run(rows, row: row, panel: panel, from: from, to: to, keep: keep)
    case 2 where P > 2: Columns<R, 2>.run(rows, row: row, panel: panel, from: from, to: to, keep: keep)
    case 3 where P > 3: Columns<R, 3>.run(rows, row: row, panel: panel, from: from, to: to, keep: keep)
    default: Columns<R, P>.run(rows, row: row, panel: panel, from: from, to: to, keep: keep)
    }
    return 0
  }
}

/// R rows of up to P panels whose units do not see the same: taken as far as the first unit sees, then as far as the
/// next one that sees more, and so on. The sums stay in registers.
///
///          k ->      a a a a b b b c c
///        | x x x x                     units of the first degree: final after a
///        | x x x x x x x               final after b
///        | x x x x x x x x x           final after c
private enum Triangle<let R: Int, let P: Int> {
  /// Sums of P panels, each with R rows.
  typealias Sums = InlineArray<P, InlineArray<R, PanelSum>>

  /// Source units k ..< next for the last `panels` of the panels, of which the first `keep` units of the first one are
  /// final.
  @inline(__always) private static func add(
    _ panels: Int, _ sums: inout Sums, _ lines: InlineArray<P, UnsafePointer<Float>>,
    _ sources: InlineArray<R, UnsafePointer<Float>>, _ k: inout Int, to next: Int, keep: Int
  ) {
    // The panels before `first` are final, or missing.
    let first = P &- panels
    // Final lanes are computed like the others, and restored at the end: no branch or mask inside of the loop.
    let kept = sums[first]
    while k < next {
      var values = InlineArray<R, Register>(repeating: Register())
      for r in 0..<R { values[r] = Register(repeating: sources[r][k]) }
      for i in first..<P { addTerm(&sums[i], lines[i] + k &* lineFloats, values) }
      k &+= 1
    }
    for r in 0..<R {
      // Lanes 0 ..< keep take what was kept.
      sums[first][r] = PanelSum.of(
        flowrt_v_if_between(
          laneNumbers(), 0, Int32(truncatingIfNeeded: keep), kept[r].lanes, sums[first][r].lanes))
    }
  }

  /// What `accumulateTriangle` does, for R rows from `row` on.
  @inline(never)
  static func run(
    _ rows: UnsafePointer<Rows>, row: Int, from: Int, units first: Int, _ end: Int, _ degrees: Degrees
  ) -> Int {
    // The last of the P are the panels that there are; those before them stand for the first one, and are not touched.
    let firstPanel = first / panelUnits
    let missing = P &- (panels(of: end) &- firstPanel)
    let stride = rows.pointee.stride
    let target = rows.pointee.sums + (row &* stride &+ firstPanel &* panelUnits)
    let weights = rows.pointee.weights
    var sums = Sums(repeating: .init(repeating: PanelSum(repeating: 0)))
    var lines = InlineArray<P, UnsafePointer<Float>>(repeating: weights)
    var sources = InlineArray<R, UnsafePointer<Float>>(repeating: weights)
    for r in 0..<R { sources[r] = rows.pointee.source(row &+ r) }
    for i in 0..<P {
      // Missing panels read the first one, so that no address lies outside of the layer.
      let panel = max(0, i &- missing)
      for r in 0..<R { sums[i][r] = PanelSum(target + (r &* stride &+ panel &* panelUnits)) }
      lines[i] = weights + Int(rows.pointee.panelStart[firstPanel &+ panel]) &* lineFloats
    }
    // Each turn takes the units of one degree: `unit` is the first that is not final, `k` the next source unit.
    let (degreeEnd, visibleEnd, g) = (degrees.end, degrees.visibleEnd, degrees.last)
    var degree = degrees.first
    var unit = first
    var k = from
    while true {
      // Degrees without units are skipped.
      while degree < g && Int(degreeEnd[degree]) <= unit { degree &+= 1 }
      let next = Int(visibleEnd[degree])
      let keep = unit & (panelUnits &- 1)
      // Panels that still have units to add to.
      switch P &- missing &- (unit / panelUnits &- firstPanel) {
      case 1: add(1, &sums, lines, sources, &k, to: next, keep: keep)
      // P > 2 holds here, but the compiler checks every P: min keeps the constant within it.
      case 2 where P > 2: add(min(2, P), &sums, lines, sources, &k, to: next, keep: keep)
      case 3 where P > 3: add(min(3, P), &sums, lines, sources, &k, to: next, keep: keep)
      default: add(P, &sums, lines, sources, &k, to: next, keep: keep)
      }
      // What `g` sees is the end of what is known so far.
      if degree >= g { break }
      unit = Int(degreeEnd[degree])
      if unit >= end { break }
    }
    // Final units store the values that they had.
    for i in 0..<P where i >= missing {
      for r in 0..<R { sums[i][r].store(target + (r &* stride &+ (i &- missing) &* panelUnits)) }
    }
    return degree
  }
}

/// What the units of a layer see.
struct Degrees {
  /// For each degree: the units of at most that degree, and the source units that they see.
  let end, visibleEnd: UnsafePointer<UInt32>
  /// That of the first unit, or one before it.
  let first: Int
  /// As far as units are added to.
  let last: Int
}

/// Adds to the units `first ..< end` of neighbouring panels, as many as are abreast at most, what they see of the
/// source units from `from` on, up to the last of `degrees`. Units before `first` stay as they are. Returns the degree
/// of the last unit that was added to.
@inline(__always) func accumulateTriangle(
  _ rows: UnsafePointer<Rows>, from: Int, units first: Int, _ end: Int, _ degrees: Degrees
) -> Int {
  rows.pointee.count == 1
    ? TriangleProduct(rows: rows, from: from, first: first, end: end, degrees: degrees).run(OneRow(), row: 0)
    : accumulateTrianglePieces(rows, from: from, units: first, end, degrees)
}

/// Several rows; out of line, so that accumulateTriangle stays small where it is inlined.
@inline(never) private func accumulateTrianglePieces(
  _ rows: UnsafePointer<Rows>, from: Int, units first: Int, _ end: Int, _ degrees: Degrees
) -> Int {
  TriangleProduct(rows: rows, from: from, first: first, end: end, degrees: degrees).run(count: rows.pointee.count)
}

/// The arguments of accumulateTriangle.
private struct TriangleProduct: Product {
  let rows: UnsafePointer<Rows>
  /// Source units from `from` on, target units first ..< end.
  let from, first, end: Int
  let degrees: Degrees

  @inline(__always) func run<let R: Int, let P: Int>(_ shape: Shape<R, P>, row: Int) -> Int {
    Triangle<R, P>.run(rows, row: row, from: from, units: first, end, degrees)
  }
}
