// One row: the lanes of a vector are the 16 units of a panel, source units are broadcast.
//
//     acc[u] += sum over k of w[k][u] * source[k]
//
// Panels side by side give independent chains, so the latency of a multiply-add is hidden although each unit adds its terms one
// by one in the order of k (the same order, and so the same bits, as in Tile.swift). Weights are read once, as one stream for
// each panel; nothing else is touched, so for wide layers the speed is that of reading the weights.

import FlowrtShim

/// Panels side by side: as many as the registers hold.
#if FLOWRT_LEVEL_3 || FLOWRT_LEVEL_2 || arch(arm64)
  typealias Triangles = Triangle<4>
#else
  typealias Triangles = Triangle<2>
#endif

/// N panels of 16 units.
private enum Columns<let N: Int> {
  @inline(never)
  static func run(
    _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ panelStart: UnsafePointer<UInt32>,
    _ source: UnsafePointer<Float>, from: Int, to: Int
  ) {
    var sums = InlineArray<N, Lanes>(repeating: Lanes())
    var lines = InlineArray<N, UnsafePointer<Float>>(repeating: weights)
    for i in 0..<N {
      sums[i] = acc.lanes(i &* 16)
      lines[i] = weights + (Int(panelStart[i]) &+ from) &* 16
    }
    for k in from..<to {
      let value = Lanes(repeating: source[k])
      for i in 0..<N {
        sums[i] = fma(lines[i].lanes(0), value, sums[i])
        lines[i] += 16
      }
    }
    for i in 0..<N { acc.store(sums[i], i &* 16) }
  }
}

/// Adds source units `from ..< to` to `panels` panels of accumulators, as many as run side by side at most. The first `keep` lanes
/// of the first panel are final and stay as they are.
///
/// - panelStart: for each panel, its first line in `weights`.
@inline(never) func accumulateColumns(
  _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ panelStart: UnsafePointer<UInt32>,
  _ source: UnsafePointer<Float>, panels: Int, from: Int, to: Int, keep: Int
) {
  if from >= to { return }
  let kept = acc.lanes(0)
  switch panels {
  case 1: Columns<1>.run(acc, weights, panelStart, source, from: from, to: to)
  #if FLOWRT_LEVEL_3 || FLOWRT_LEVEL_2 || arch(arm64)
    case 2: Columns<2>.run(acc, weights, panelStart, source, from: from, to: to)
    case 3: Columns<3>.run(acc, weights, panelStart, source, from: from, to: to)
    default: Columns<4>.run(acc, weights, panelStart, source, from: from, to: to)
  #else
    default: Columns<2>.run(acc, weights, panelStart, source, from: from, to: to)
  #endif
  }
  if keep > 0 { acc.store(kept, 0, in: 0, keep) }
}

/// Up to P panels whose units do not see the same: taken as far as the first unit sees, then as far as the next one that sees more,
/// and so on. The sums stay in registers.
///
///          k ->      a a a a b b b c c
///        | x x x x                     units of the first degree: final after a
///        | x x x x x x x               final after b
///        | x x x x x x x x x           final after c
enum Triangle<let P: Int> {
  static var panels: Int { P }

  /// Source units k ..< next for the last `panels` of the panels, of which the first `keep` units of the first one are final.
  @inline(__always) private static func add(
    _ panels: Int, _ sums: inout InlineArray<P, Lanes>, _ lines: InlineArray<P, UnsafePointer<Float>>,
    _ source: UnsafePointer<Float>, _ k: inout Int, to next: Int, keep: Int
  ) {
    let first = P &- panels
    let kept = sums[first]
    while k < next {
      let value = Lanes(repeating: source[k])
      for i in first..<P { sums[i] = fma(lines[i].lanes(k &* 16), value, sums[i]) }
      k &+= 1
    }
    sums[first] = flowrt_v_if_between(laneNumbers(), 0, Int32(truncatingIfNeeded: keep), kept, sums[first])
  }

  /// Adds to the units `first ..< end` of up to P neighbouring panels what they see of the source units from `from` on, up to
  /// degree g. Units before `first` stay as they are. Returns the degree of the last unit that was added to, g at most.
  ///
  /// - acc: the accumulators of the first panel, 16 floats for each.
  /// - panelStart: for each panel, its first line in `weights`.
  /// - degree: that of the first unit, or one before it.
  @inline(never)
  static func run(
    _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ panelStart: UnsafePointer<UInt32>,
    _ source: UnsafePointer<Float>, from: Int, units first: Int, _ end: Int, _ degreeEnd: UnsafePointer<UInt32>,
    _ visibleEnd: UnsafePointer<UInt32>, _ degree: Int, _ g: Int
  ) -> Int {
    // The last of the P are the panels that there are; those before them stand for the first one, and are not touched.
    let firstPanel = first / 16
    let missing = P &- ((end &+ 15) / 16 &- firstPanel)
    var sums = InlineArray<P, Lanes>(repeating: Lanes())
    var lines = InlineArray<P, UnsafePointer<Float>>(repeating: weights)
    for i in 0..<P {
      let panel = max(0, i &- missing)
      sums[i] = acc.lanes(panel &* 16)
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
      case 1: add(1, &sums, lines, source, &k, to: next, keep: keep)
      case 2 where P > 2: add(min(2, P), &sums, lines, source, &k, to: next, keep: keep)
      case 3 where P > 3: add(min(3, P), &sums, lines, source, &k, to: next, keep: keep)
      default: add(P, &sums, lines, source, &k, to: next, keep: keep)
      }
      if degree >= g { break }
      unit = Int(degreeEnd[degree])
      if unit >= end { break }
    }
    for i in 0..<P where i >= missing { acc.store(sums[i], (i &- missing) &* 16) }
    return degree
  }
}

/// acc[u] += sum over all k of w[k][u] * source[k], for panels that all have `lines` lines.
func accumulateDense(
  _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>, panels: Int,
  lines: Int
) {
  for first in stride(from: 0, to: panels, by: Triangles.panels) {
    let starts = InlineArray<4, UInt32> { UInt32(truncatingIfNeeded: (first &+ $0) &* lines) }
    starts.span.withUnsafeBufferPointer {
      accumulateColumns(
        acc + first &* 16, weights, $0.baseAddress.unsafelyUnwrapped, source,
        panels: min(Triangles.panels, panels &- first), from: 0, to: lines, keep: 0)
    }
  }
}
