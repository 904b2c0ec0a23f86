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
      let biases = values.array(16)
      for first in 0..<16 {
        for end in (first + 1)...16 {
          var found = start
          var expected = start
          accumulateTile(
            &found, weights, source, rows: rows, first: first, end: end, count: count, lanesPerRow: lanesPerRow)
          accumulateSpecification(&expected, weights, source, rows: rows, first: first, end: end, count: count)
          #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))

          if count == 0 { continue }  // there is nothing that could start
          (found, expected) = (start, start)
          for unit in first..<end { for row in 0..<rows { expected[unit * rows + row] = biases[unit] } }
          accumulateTile(
            &found, weights, source, rows: rows, first: first, end: end, count: count, lanesPerRow: lanesPerRow,
            start: biases)
          accumulateSpecification(&expected, weights, source, rows: rows, first: first, end: end, count: count)
          #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
        }
      }
    }
  }

  /// Panels of `lines` lines each, a source of as many values, and what the accumulators hold at first.
  private struct Panels {
    let lines: Int
    let weights, source, start: [Float]
    let starts: [UInt32]

    init(_ count: Int, lines: Int, _ values: inout Values) {
      self.lines = lines
      weights = values.array(count * lines * 16)
      source = values.array(lines)
      start = values.array(count * 16)
      starts = (0..<count).map { UInt32($0 * lines) }
    }

    /// Accumulator `unit`, counted from the first panel's, after source units from ..< to.
    func specified(_ unit: Int, _ from: Int, _ to: Int) -> Float {
      var sum = start[unit]
      weights.withUnsafeBufferPointer { w in
        source.withUnsafeBufferPointer { s in
          accumulateSpecification(
            &sum, w.baseAddress! + (unit / 16 * lines + from) * 16 + unit % 16, s.baseAddress! + from,
            rows: 1, first: 0, end: 1, count: to - from)
        }
      }
      return sum
    }
  }

  @Test(arguments: 1...Triangles.panels) func unitsInLanes(count: Int) {
    var values = Values(UInt64(count) + 100)
    let panels = Panels(count, lines: 37, &values)
    for (from, to) in [(0, 37), (5, 6), (30, 37), (9, 9)] {
      for keep in 0..<16 {
        var found = panels.start
        accumulateColumns(
          &found, panels.weights, panels.starts, panels.source, panels: count, from: from, to: to, keep: keep)
        for unit in 0..<16 * count {
          let expected = unit < keep ? panels.start[unit] : panels.specified(unit, from, to)
          #expect(found[unit].bitPattern == expected.bitPattern)
        }
      }
    }
  }

  @Test(arguments: 1...Triangles.panels) func unitsByDegree(count: Int) {
    var values = Values(UInt64(count) + 200)
    func below(_ n: Int) -> Int { Int((values.next() + 1) / 2 * Float(n)) }
    for trial in 0..<400 {
      let panels = Panels(count, lines: 40, &values)
      let before = trial % 2 * 32  // units of earlier panels
      let width = before + 16 * count - below(16)
      let stages = 1 + below(12)
      let degreeEnd = ((1..<stages).map { _ in below(width + 1) } + [width]).sorted().map { UInt32($0) }
      let visibleEnd = (0..<stages).map { _ in below(41) }.sorted().map { UInt32($0) }
      func degree(_ unit: Int) -> Int { degreeEnd.firstIndex { $0 > unit }! }

      let first = before + below(min(16, width - before))
      let g = degree(first) + below(stages - degree(first))
      let from = below(Int(visibleEnd[degree(first)]) + 1)
      var found = panels.start
      let last = Triangles.run(
        &found, panels.weights, panels.starts, panels.source, from: from, units: first, width, degreeEnd, visibleEnd,
        below(degree(first) + 1), g)
      #expect(last == min(degree(width - 1), g))
      for unit in before..<width {
        let sees = Int(visibleEnd[min(degree(unit), g)])
        let at = unit - before
        let expected = unit < first ? panels.start[at] : panels.specified(at, from, sees)
        #expect(found[at].bitPattern == expected.bitPattern)
      }
    }
  }

  @Test(arguments: [1, 2, 3, 4, 5, 9]) func densePanels(count: Int) {
    var values = Values(UInt64(count) + 300)
    let panels = Panels(count, lines: 21, &values)
    var found = panels.start
    accumulateDense(&found, panels.weights, panels.source, panels: count, lines: 21)
    for unit in 0..<16 * count {
      #expect(found[unit].bitPattern == panels.specified(unit, 0, 21).bitPattern)
    }
  }
}
