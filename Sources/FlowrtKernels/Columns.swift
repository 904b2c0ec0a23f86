// One row: the lanes of a vector are the 16 units of a panel, source units are broadcast.
//
//     acc[u] += sum over k of w[k][u] * source[k]
//
// N panels side by side give N independent chains, so the latency of a multiply-add is hidden although each unit adds its
// terms one by one in the order of k (the same order, and so the same bits, as in Tile.swift). Weights are read once, as N
// streams; nothing else is touched, so the speed is that of reading the weights.

import FlowrtShim

#if FLOWRT_LEVEL_3
  private let maximumPanels = 8
#elseif FLOWRT_LEVEL_2 || arch(arm64)
  private let maximumPanels = 4
#else
  private let maximumPanels = 2
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

/// Adds source units `from ..< to` to `panels` panels of accumulators, of which the first `keep` lanes of the first panel are
/// final and stay as they are.
///
/// - panelStart: for each panel, its first line in `weights`.
func accumulateColumns(
  _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ panelStart: UnsafePointer<UInt32>,
  _ source: UnsafePointer<Float>, panels: Int, from: Int, to: Int, keep: Int
) {
  if from >= to { return }
  let kept = acc.lanes(0)
  var first = 0
  while first < panels {
    let n = min(maximumPanels, panels &- first)
    let a = acc + first &* 16
    let start = panelStart + first
    switch n {
    case 1: Columns<1>.run(a, weights, start, source, from: from, to: to)
    case 2: Columns<2>.run(a, weights, start, source, from: from, to: to)
    #if FLOWRT_LEVEL_3 || FLOWRT_LEVEL_2 || arch(arm64)
      case 3: Columns<3>.run(a, weights, start, source, from: from, to: to)
      case 4: Columns<4>.run(a, weights, start, source, from: from, to: to)
    #endif
    #if FLOWRT_LEVEL_3
      case 5: Columns<5>.run(a, weights, start, source, from: from, to: to)
      case 6: Columns<6>.run(a, weights, start, source, from: from, to: to)
      case 7: Columns<7>.run(a, weights, start, source, from: from, to: to)
      default: Columns<8>.run(a, weights, start, source, from: from, to: to)
    #else
      default: break
    #endif
    }
    first &+= n
  }
  if keep > 0 { acc.store(kept, 0, in: 0, keep) }
}
