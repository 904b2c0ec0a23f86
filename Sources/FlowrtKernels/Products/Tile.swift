// Many rows: the lanes of a vector are rows, weights are broadcast.
//
//     acc[u][row] += sum over k of w[k][u] * source[k][row]
//
//                 rows ->                        one tile: U units x B vectors of rows, all accumulators in registers
//     source k   [ v v v | v v v | v v v ]       for each k: B loads of source, U broadcasts of a weight, U * B
//     w[k][u]  x                                 multiply-adds. U * B = 24 on AVX-512: 24 multiply-adds for 11 loads, and
//     acc u      [ a a a | a a a | a a a ]       enough independent chains to hide the latency of each.
//
// Every unit adds its terms one by one in the order of k, so a tile's shape changes no result: neither U, B, the split
// of the k range, nor its sibling for few rows (Columns.swift).
//
// Shapes are limited by registers: 32 of 16 floats on AVX-512, 16 of 8 on AVX2, 32 of 4 on aarch64, 16 of 4 on SSE2.

import FlowrtShim

/// `RowVector`: so many rows are taken together. `maximumUnits`: so many units have their sums in registers.
/// The sums take 24 of 32 registers on AVX-512 and NEON, 12 of 16 on AVX2, 8 of 16 on SSE2.
#if FLOWRT_LEVEL_3
  typealias RowVector = SIMD16<Float>
  private let maximumUnits = 8
#elseif FLOWRT_LEVEL_2 || arch(arm64)
  typealias RowVector = SIMD16<Float>
  private let maximumUnits = 6
#else
  typealias RowVector = SIMD8<Float>
  private let maximumUnits = 4

  /// a * b + c in one rounding, as Lanes.swift has it for 16 lanes.
  @inline(__always) private func fma(_ a: SIMD8<Float>, _ b: SIMD8<Float>, _ c: SIMD8<Float>) -> SIMD8<Float> {
    flowrt_v_fma(a, b, c)
  }
#endif

/// U units by B vectors of rows.
private enum Tile<let U: Int, let B: Int> {
  /// One k: the weights of U units at `w`, B vectors of a source unit at `s`.
  @inline(__always) private static func addTerm(
    _ sums: inout InlineArray<U, InlineArray<B, RowVector>>, _ w: UnsafePointer<Float>, _ s: UnsafeRawPointer
  ) {
    for u in 0..<U {
      // One broadcast serves B vectors of rows.
      let weight = RowVector(repeating: w[u])
      for b in 0..<B {
        sums[u][b] = fma(weight, s.load(fromByteOffset: b &* vectorBytes, as: RowVector.self), sums[u][b])
      }
    }
  }

  /// `acc` and `source` have `rows` floats per unit; `weights` one line of 16 floats for each k. `ahead`: as in
  /// accumulateTile. `start`: nil, or a float for each of the U units.
  @inline(never)
  static func run(
    _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>,
    rows: Int, count: Int, ahead: Int, start: UnsafePointer<Float>?
  ) {
    // Bytes from a unit to the next, in `acc` and in `source`.
    let stride = rows &* 4
    let accBytes = UnsafeMutableRawPointer(acc)
    // U and B are constants: the loops over them are unrolled, and each vector of sums has a register of its own.
    var sums = InlineArray<U, InlineArray<B, RowVector>>(repeating: .init(repeating: RowVector()))
    // A fresh tile starts from the bias, which every row shares; this saves a pass that would store it first.
    if let start {
      for u in 0..<U { sums[u] = .init(repeating: RowVector(repeating: start[u])) }
    } else {
      for u in 0..<U {
        for b in 0..<B {
          sums[u][b] = accBytes.load(fromByteOffset: u &* stride &+ b &* vectorBytes, as: RowVector.self)
        }
      }
    }
    var w = weights
    var s = UnsafeRawPointer(source)
    // k runs over source units: the next line of weights, the next `rows` floats of source.
    for _ in 0..<count {
      // A prefetch beyond the last line is harmless: it never faults.
      flowrt_prefetch(w + ahead)
      addTerm(&sums, w, s)
      w += lineFloats
      s += stride
    }
    for u in 0..<U {
      for b in 0..<B {
        accBytes.storeBytes(of: sums[u][b], toByteOffset: u &* stride &+ b &* vectorBytes, as: RowVector.self)
      }
    }
  }
}

/// Floats from a line of weights to the one that is brought into the cache meanwhile, if it is of the same panel.
let linesAhead: Int = 8 &* lineFloats
/// Bytes of a RowVector.
private let vectorBytes = 4 &* RowVector.scalarCount

/// The tiles of up to maximumUnits units by B vectors.
private enum Tiles<let B: Int> {
  /// `units` is 1 to maximumUnits. Each height is compiled by itself, as the sums are registers only if U is constant.
  /// The other arguments are those of Tile.run, at the first of the units.
  @inline(__always) static func run(
    units: Int, _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>,
    _ rows: Int, _ count: Int, _ ahead: Int, _ start: UnsafePointer<Float>?
  ) {
    // The heights that the registers of the level hold.
    switch units {
    case 1: Tile<1, B>.run(acc, weights, source, rows: rows, count: count, ahead: ahead, start: start)
    case 2: Tile<2, B>.run(acc, weights, source, rows: rows, count: count, ahead: ahead, start: start)
    case 3: Tile<3, B>.run(acc, weights, source, rows: rows, count: count, ahead: ahead, start: start)
    case 4: Tile<4, B>.run(acc, weights, source, rows: rows, count: count, ahead: ahead, start: start)
    #if FLOWRT_LEVEL_3 || FLOWRT_LEVEL_2 || arch(arm64)
      case 5: Tile<5, B>.run(acc, weights, source, rows: rows, count: count, ahead: ahead, start: start)
      case 6: Tile<6, B>.run(acc, weights, source, rows: rows, count: count, ahead: ahead, start: start)
    #endif
    #if FLOWRT_LEVEL_3
      case 7: Tile<7, B>.run(acc, weights, source, rows: rows, count: count, ahead: ahead, start: start)
      default: Tile<8, B>.run(acc, weights, source, rows: rows, count: count, ahead: ahead, start: start)
    #else
      // The callers never ask for more than maximumUnits.
      default: break
    #endif
    }
  }
}

/// Adds `count` source units to accumulators first ..< end (of 16) of one panel.
///
/// - acc: rows floats for each unit of the panel; weights: a line of 16 for each k; source: rows floats for each k.
/// - ahead: floats from a line of weights to the one that is brought into the cache meanwhile.
/// - start: a float for each unit of the panel, from which the accumulators start; nil: they go on from what they hold.
@inline(never) func accumulateTile(
  _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>,
  rows: Int, first: Int, end: Int, count: Int, ahead: Int = linesAhead,
  start: UnsafePointer<Float>? = nil
) {
  // Nothing is added, and `start` is not used: the caller has started the accumulators.
  if count <= 0 { return }
  var unit = first
  // Pieces of nearly equal height: 13 units are 7 + 6, not 8 + 5.
  // As few pieces as can be: each reads all of the source again.
  var pieces = (end &- unit &+ maximumUnits &- 1) / maximumUnits
  while pieces > 0 {
    // The remaining units over the remaining pieces, rounded up: the heights differ by one at most.
    let height = (end &- unit &+ pieces &- 1) / pieces
    var row = 0
    #if FLOWRT_LEVEL_3
      // 8 units by 48 rows fill the registers. The last 16 of 64 rows follow below.
      if rows >= 48 {
        Tiles<3>.run(
          units: height, acc + unit &* rows, weights + unit, source, rows, count, ahead, start.map { $0 + unit })
        row = 48
      }
    #endif
    // One vector of rows at a time. The weights of the piece are in the cache from the second one on.
    while row < rows {
      Tiles<1>.run(
        units: height, acc + (unit &* rows &+ row), weights + unit, source + row, rows, count, ahead,
        start.map { $0 + unit })
      row &+= RowVector.scalarCount
    }
    unit &+= height
    pieces &-= 1
  }
}

/// What a tile computes, in plain words: the specification of this file and its siblings. Each unit takes its terms in
/// the order of k, one multiply-add each.
///
/// - acc: rows floats for each unit u; weights: a line of 16 floats for each k; source: rows floats for each k.
/// - first, end: the units that are added to; count: the number of source units.
func accumulateSpecification(
  _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>,
  rows: Int, first: Int, end: Int, count: Int
) {
  // The order of the loops over u and row is free; that over k decides the bits.
  for k in 0..<count {
    for u in first..<end {
      for row in 0..<rows {
        // A vector of equal values, because the shim rounds as the kernels do; lane 0 is the answer.
        let sum = Lanes(repeating: acc[u &* rows &+ row])
        acc[u &* rows &+ row] =
          fma(Lanes(repeating: weights[k &* lineFloats &+ u]), Lanes(repeating: source[k &* rows &+ row]), sum)[0]
      }
    }
  }
}
