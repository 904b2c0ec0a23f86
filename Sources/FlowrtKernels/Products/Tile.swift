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

#if FLOWRT_LEVEL_3
  typealias RowVector = SIMD16<Float>
  private let maximumUnits = 8
#elseif FLOWRT_LEVEL_2 || arch(arm64)
  typealias RowVector = SIMD16<Float>
  private let maximumUnits = 6
#else
  typealias RowVector = SIMD8<Float>
  private let maximumUnits = 4

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
    let stride = rows &* 4
    let accBytes = UnsafeMutableRawPointer(acc)
    var sums = InlineArray<U, InlineArray<B, RowVector>>(repeating: .init(repeating: RowVector()))
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
    for _ in 0..<count {
      flowrt_prefetch(w + ahead)
      addTerm(&sums, w, s)
      w += 16
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
let linesAhead: Int = 8 &* 16
private let vectorBytes = 4 &* RowVector.scalarCount

/// The tiles of up to maximumUnits units by B vectors.
private enum Tiles<let B: Int> {
  @inline(__always) static func run(
    units: Int, _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>,
    _ rows: Int, _ count: Int, _ ahead: Int, _ start: UnsafePointer<Float>?
  ) {
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
  if count <= 0 { return }
  var unit = first
  // Pieces of nearly equal height: 13 units are 7 + 6, not 8 + 5.
  var pieces = (end &- unit &+ maximumUnits &- 1) / maximumUnits
  while pieces > 0 {
    let height = (end &- unit &+ pieces &- 1) / pieces
    var row = 0
    #if FLOWRT_LEVEL_3
      if rows >= 48 {
        Tiles<3>.run(
          units: height, acc + unit &* rows, weights + unit, source, rows, count, ahead, start.map { $0 + unit })
        row = 48
      }
    #endif
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
func accumulateSpecification(
  _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>,
  rows: Int, first: Int, end: Int, count: Int
) {
  for k in 0..<count {
    for u in first..<end {
      for row in 0..<rows {
        let sum = Lanes(repeating: acc[u &* rows &+ row])
        acc[u &* rows &+ row] =
          fma(Lanes(repeating: weights[k &* 16 &+ u]), Lanes(repeating: source[k &* rows &+ row]), sum)[0]
      }
    }
  }
}
