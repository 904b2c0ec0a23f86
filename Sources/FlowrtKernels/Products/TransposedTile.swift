// Many rows, backwards: the product with the transposed weights, over the panels as they are.
//
//     by[k][row] += sum over u of w[k][u] * from[u][row]
//
//                   16 units of a panel
//     w[k]        [ w w w w w w w w w w w w w w w w ]   one tile: U source units k x B vectors of rows, all sums in
//     w[k + 1]    [ w w w w w w w w w w w w w w w w ]   registers. For each unit u: B loads of from[u], U broadcasts of
//     ...                                               a weight, U * B multiply-adds, as in Tile.swift. The weights of
//     w[k + U-1]  [ w w w w w w w w w w w w w w w w ]   16 units are U lines that lie side by side.
//
// So a transposed copy of the weights would save nothing. Every k takes its terms one by one in the order of u, from
// the first unit that sees it: neither the shape of a tile nor the split of the units changes a bit.

import FlowrtShim

extension flowrt_panels {
  /// Line k of a panel.
  @inline(__always) fileprivate func line(_ panel: Int, _ k: Int) -> UnsafePointer<Float> {
    let start = starts.map { Int($0[panel]) } ?? panel &* lines
    return weights + (start &+ k) &* lineFloats
  }
}

private let vectorBytes = 4 &* RowVector.scalarCount
#if FLOWRT_LEVEL_3
  private let maximumHeight = 8
  private typealias HighestTile = TransposedTile<8, 1>
#elseif FLOWRT_LEVEL_2 || arch(arm64)
  private let maximumHeight = 6
  private typealias HighestTile = TransposedTile<6, 1>
#else
  private let maximumHeight = 4
  private typealias HighestTile = TransposedTile<4, 1>
  @inline(__always) private func fma(_ a: SIMD8<Float>, _ b: SIMD8<Float>, _ c: SIMD8<Float>) -> SIMD8<Float> {
    flowrt_v_fma(a, b, c)
  }
#endif

/// U source units by B vectors of rows.
private enum TransposedTile<let U: Int, let B: Int> {
  /// `by`: rows floats for each of the U source units from k on; `from`: rows floats for each unit.
  @inline(never)
  static func run(
    _ by: UnsafeMutablePointer<Float>, _ panels: UnsafePointer<flowrt_panels>, _ k: Int, _ from: UnsafePointer<Float>,
    rows: Int, units first: Int, _ end: Int
  ) {
    let stride = rows &* 4
    let sumBytes = UnsafeMutableRawPointer(by)
    var sums = InlineArray<U, InlineArray<B, RowVector>>(repeating: .init(repeating: RowVector()))
    for u in 0..<U {
      for b in 0..<B {
        sums[u][b] = sumBytes.load(fromByteOffset: u &* stride &+ b &* vectorBytes, as: RowVector.self)
      }
    }
    var s = UnsafeRawPointer(from) + first &* stride
    var unit = first
    while unit < end {
      let panel = unit / panelUnits
      let stop = min(end, panel &* panelUnits &+ panelUnits)
      var w = panels.pointee.line(panel, k) + (unit & (panelUnits &- 1))
      while unit < stop {
        for u in 0..<U {
          let weight = RowVector(repeating: w[u &* lineFloats])
          for b in 0..<B {
            sums[u][b] = fma(weight, s.load(fromByteOffset: b &* vectorBytes, as: RowVector.self), sums[u][b])
          }
        }
        w += 1
        s += stride
        unit &+= 1
      }
    }
    for u in 0..<U {
      for b in 0..<B {
        sumBytes.storeBytes(of: sums[u][b], toByteOffset: u &* stride &+ b &* vectorBytes, as: RowVector.self)
      }
    }
  }
}

/// Adds units first ..< end, each of which sees all of the source units k ..< kEnd, to what these have: the entry of
/// this CPU level.
///
/// - by: rows floats for each source unit, from unit 0 of the source on; from: rows floats for each unit.
@implementation @_cdecl("flowrt_transposed")
public func flowrt_transposed(
  _ by: UnsafeMutablePointer<Float>!, _ panels: UnsafePointer<flowrt_panels>!, _ k: Int, _ kEnd: Int,
  _ from: UnsafePointer<Float>!, _ rows: Int, _ first: Int, _ end: Int
) {
  if first >= end { return }
  var k = k
  while k < kEnd {
    // As high as the registers hold; what is left, by four and one by one.
    var height = maximumHeight
    while height > kEnd &- k { height = height > 4 ? 4 : 1 }
    let target = by + k &* rows
    var row = 0
    #if FLOWRT_LEVEL_3
      if rows >= 48 && height == maximumHeight {
        TransposedTile<8, 3>.run(target, panels, k, from, rows: rows, units: first, end)
        row = 48
      }
    #endif
    while row < rows {
      let (by, from) = (target + row, from + row)
      switch height {
      case maximumHeight: HighestTile.run(by, panels, k, from, rows: rows, units: first, end)
      case 4: TransposedTile<4, 1>.run(by, panels, k, from, rows: rows, units: first, end)
      default: TransposedTile<1, 1>.run(by, panels, k, from, rows: rows, units: first, end)
      }
      row &+= RowVector.scalarCount
    }
    k &+= height
  }
}
