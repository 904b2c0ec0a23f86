// Both tile shapes against the plain specification, to the bit, at every height, row count and length.

import Testing

@testable import FlowrtKernels

/// Finite pseudo-random floats of mixed sign and size.
private struct Values {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
  }
  mutating func array(_ count: Int) -> [Float] { (0..<count).map { _ in next() } }
}

@Suite struct Tiles {
  @Test(arguments: [16, 32, 48]) func rowsInLanes(rows: Int) {
    var values = Values(UInt64(rows))
    for units in 1...16 {
      for count in [0, 1, 2, 7, 33] {
        let weights = values.array(16 * count + 16)
        let source = values.array(rows * count)
        let start = values.array(rows * 16)
        for lane in 0...(16 - units) {
          var found = start
          var expected = start
          weights.withUnsafeBufferPointer { w in
            accumulateTile(&found, w.baseAddress! + lane, source, rows: rows, units: units, count: count)
            accumulateSpecification(&expected, w.baseAddress! + lane, source, rows: rows, units: units, count: count)
          }
          #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
        }
      }
    }
  }

  @Test(arguments: 1...11) func unitsInLanes(panels: Int) {
    var values = Values(UInt64(panels) + 100)
    let lines = 37
    let weights = values.array(panels * lines * 16)
    let starts = (0..<panels).map { UInt32($0 * lines) }
    let source = values.array(lines)
    let start = values.array(panels * 16)
    for (from, to) in [(0, 37), (5, 6), (30, 37), (9, 9)] {
      for keep in 0..<16 {
        var found = start
        accumulateColumns(&found, weights, starts, source, panels: panels, from: from, to: to, keep: keep)
        for panel in 0..<panels {
          for unit in 0..<16 where panel > 0 || unit >= keep {
            var expected = start[panel * 16 + unit]
            weights.withUnsafeBufferPointer { w in
              source.withUnsafeBufferPointer { s in
                accumulateSpecification(
                  &expected, w.baseAddress! + (panel * lines + from) * 16 + unit, s.baseAddress! + from,
                  rows: 1, units: 1, count: to - from)
              }
            }
            #expect(found[panel * 16 + unit].bitPattern == expected.bitPattern)
          }
        }
        for unit in 0..<keep { #expect(found[unit].bitPattern == start[unit].bitPattern) }
      }
    }
  }
}
