// All tile shapes against the plain specification, to the bit, for all units, row counts and lengths.

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
  /// Rows of a tile, and lanes that each of them takes.
  @Test(arguments: [(16, 1), (32, 1), (48, 1), (64, 1), (16, 2)]) func rowsInLanes(rows: Int, lanesPerRow: Int) {
    var values = Values(UInt64(rows + lanesPerRow))
    /// `count` vectors of `rows` lanes.
    func vectors(_ count: Int) -> [Float] {
      (0..<count * rows / lanesPerRow).flatMap { _ in [Float](repeating: values.next(), count: lanesPerRow) }
    }
    for count in [0, 1, 2, 7, 33] {
      let weights = values.array(16 * count)
      let source = vectors(count)
      let start = vectors(16)
      for first in 0..<16 {
        for end in (first + 1)...16 {
          var found = start
          var expected = start
          accumulateTile(
            &found, weights, source, rows: rows, first: first, end: end, count: count, lanesPerRow: lanesPerRow)
          accumulateSpecification(&expected, weights, source, rows: rows, first: first, end: end, count: count)
          #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
        }
      }
    }
  }

  @Test(arguments: 1...Triangles.panels) func unitsInLanes(panels: Int) {
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
                  rows: 1, first: 0, end: 1, count: to - from)
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
