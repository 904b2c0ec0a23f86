// Up to eight rows: in vectors of 16 lanes each row stands twice, and two units share one accumulator.
//
//     source k     r0    r0      r1    r1      ...
//     w[k]         w[u]  w[u+1]  w[u]  w[u+1]  ...      one broadcast of 64 bits
//     acc          u     u+1     u     u+1     ...
//
// So no lane is idle in the multiply-adds, which are half of those of a tile of 16 rows (Tile.swift). In memory an accumulator is
// one unit, each row twice, as everything else is: the halves are put together at the start and taken apart at the end.

import FlowrtShim

/// Vectors of 16 floats that fit in the registers beside one of source and one of weights.
#if FLOWRT_LEVEL_3
  private let maximumPairs = 8
#elseif FLOWRT_LEVEL_2 || arch(arm64)
  private let maximumPairs = 4
#else
  private let maximumPairs = 2
#endif

/// P pairs of units.
private enum PairTile<let P: Int> {
  @inline(never)
  static func run(
    _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>, count: Int,
    ahead: Int, start: UnsafePointer<Float>?
  ) {
    var sums = InlineArray<P, Lanes>(repeating: Lanes())
    if let start {
      for p in 0..<P { sums[p] = flowrt_v_broadcast_pair(start + 2 &* p) }
    } else {
      for p in 0..<P { sums[p] = flowrt_v_interleave(acc.lanes(32 &* p), acc.lanes(32 &* p &+ 16)) }
    }
    var w = weights
    var s = source
    for _ in 0..<count {
      flowrt_prefetch(w + ahead)
      let values = s.lanes(0)
      for p in 0..<P { sums[p] = fma(flowrt_v_broadcast_pair(w + 2 &* p), values, sums[p]) }
      w += 16
      s += 16
    }
    for p in 0..<P {
      acc.store(flowrt_v_even_twice(sums[p]), 32 &* p)
      acc.store(flowrt_v_odd_twice(sums[p]), 32 &* p &+ 16)
    }
  }
}

/// What accumulateTile does, where each of eight rows stands twice in a tile of 16. Returns the unit up to which it has
/// come: `end`, or the one before if that has no partner.
func accumulatePairs(
  _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>, first: Int,
  end: Int, count: Int, ahead: Int, start: UnsafePointer<Float>?
) -> Int {
  // The partner of an odd first unit stays as it is.
  let kept = acc.lanes((first & ~1) &* 16)
  var unit = first & ~1
  while unit &+ 1 < end {
    let pairs = min(maximumPairs, (end &- unit) / 2)
    runPairs(pairs, acc + unit &* 16, weights + unit, source, count, ahead, start.map { $0 + unit })
    unit &+= 2 &* pairs
  }
  if first & 1 != 0 { acc.store(kept, (first &- 1) &* 16) }
  return unit
}

@inline(__always) private func runPairs(
  _ pairs: Int, _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>,
  _ count: Int, _ ahead: Int, _ start: UnsafePointer<Float>?
) {
  switch pairs {
  case 1: PairTile<1>.run(acc, weights, source, count: count, ahead: ahead, start: start)
  case 2: PairTile<2>.run(acc, weights, source, count: count, ahead: ahead, start: start)
  #if FLOWRT_LEVEL_3 || FLOWRT_LEVEL_2 || arch(arm64)
    case 3: PairTile<3>.run(acc, weights, source, count: count, ahead: ahead, start: start)
    case 4: PairTile<4>.run(acc, weights, source, count: count, ahead: ahead, start: start)
  #endif
  #if FLOWRT_LEVEL_3
    case 5: PairTile<5>.run(acc, weights, source, count: count, ahead: ahead, start: start)
    case 6: PairTile<6>.run(acc, weights, source, count: count, ahead: ahead, start: start)
    case 7: PairTile<7>.run(acc, weights, source, count: count, ahead: ahead, start: start)
    default: PairTile<8>.run(acc, weights, source, count: count, ahead: ahead, start: start)
  #else
    default: break
  #endif
  }
}
