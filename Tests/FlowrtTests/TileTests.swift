// All tile shapes against the plain specification, to the bit, for all units, row counts and lengths.

import FlowrtShim
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
  @Test(arguments: [16, 32, 48, 64]) func rowsInLanes(rows: Int) {
    var values = Values(UInt64(rows))
    /// `count` vectors of `rows` lanes.
    func vectors(_ count: Int) -> [Float] { values.array(count * rows) }
    for count in [0, 1, 2, 7, 33] {
      let weights = values.array(16 * count)
      let source = vectors(count)
      let start = vectors(16)
      let biases = values.array(16)
      for first in 0..<16 {
        for end in (first + 1)...16 {
          var found = start
          var expected = start
          accumulateTile(&found, weights, source, rows: rows, first: first, end: end, count: count)
          accumulateSpecification(&expected, weights, source, rows: rows, first: first, end: end, count: count)
          #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))

          if count == 0 { continue }  // there is nothing that could start
          (found, expected) = (start, start)
          for unit in first..<end { for row in 0..<rows { expected[unit * rows + row] = biases[unit] } }
          accumulateTile(
            &found, weights, source, rows: rows, first: first, end: end, count: count, start: biases)
          accumulateSpecification(&expected, weights, source, rows: rows, first: first, end: end, count: count)
          #expect(found.map(\.bitPattern) == expected.map(\.bitPattern))
        }
      }
    }
  }

  /// Few rows of a layer of panels that all have `lines` lines, each row with a source somewhere; and what the sums
  /// are at first.
  private struct Layer {
    let rows, lines, stride: Int
    let weights, sources, start: [Float]
    let sourceStride: Int
    let starts: [UInt32]

    init(rows: Int, panels: Int, lines: Int, _ values: inout Values) {
      (self.rows, self.lines) = (rows, lines)
      stride = panels * 16 + 5
      weights = values.array(panels * lines * 16)
      sourceStride = lines + 3
      sources = values.array(rows * sourceStride)
      start = values.array(rows * stride)
      starts = (0..<panels).map { UInt32($0 * lines) }
    }

    /// Sum `unit` of a row after source units from ..< to.
    func specified(_ row: Int, _ unit: Int, _ from: Int, _ to: Int) -> Float {
      var sum = start[row * stride + unit]
      for k in from..<to {
        let (w, s) = (weights[(unit / 16 * lines + k) * 16 + unit % 16], sources[row * sourceStride + k])
        sum = fma(Lanes(repeating: w), Lanes(repeating: s), Lanes(repeating: sum))[0]
      }
      return sum
    }

    /// The sums after `body`.
    func after(_ body: (UnsafePointer<Rows>) -> Void) -> [Float] {
      var found = start
      sources.withUnsafeBufferPointer { sources in
        found.withUnsafeMutableBufferPointer { sums in
          weights.withUnsafeBufferPointer { weights in
            starts.withUnsafeBufferPointer { starts in
              var described = Rows(
                count: rows, sums: sums.baseAddress!, stride: stride, sources: sources.baseAddress!,
                sourceStride: sourceStride, weights: weights.baseAddress!, panelStart: starts.baseAddress!)
              body(&described)
            }
          }
        }
      }
      return found
    }

    /// Compares all sums, those between the rows too, with `expected` of a row and a unit.
    func expect(_ found: [Float], _ expected: (Int, Int) -> Float) {
      for at in 0..<rows * stride {
        let (row, unit) = (at / stride, at % stride)
        let value = unit < 16 * starts.count ? expected(row, unit) : start[at]
        #expect(found[at].bitPattern == value.bitPattern, "row \(row) of \(rows), unit \(unit)")
      }
    }
  }

  @Test(arguments: 1...Int(FLOWRT_FEW_ROWS)) func unitsInLanes(rows: Int) {
    var values = Values(UInt64(rows) + 100)
    let abreast = panelsAbreast(rows: rows)
    let layer = Layer(rows: rows, panels: abreast + 1, lines: 37, &values)
    for panels in 1...abreast {
      for panel in 0...(abreast + 1 - panels) {
        for (from, to) in [(0, 37), (5, 6), (30, 37), (9, 9)] {
          for keep in 0..<16 {
            let found = layer.after {
              accumulateColumns($0, panel: panel, panels: panels, from: from, to: to, keep: keep)
            }
            let units = (16 * panel + keep)..<16 * (panel + panels)
            layer.expect(found) { row, unit in
              units.contains(unit) ? layer.specified(row, unit, from, to) : layer.start[row * layer.stride + unit]
            }
          }
        }
      }
    }
  }

  @Test(arguments: 1...Int(FLOWRT_FEW_ROWS)) func unitsByDegree(rows: Int) {
    var values = Values(UInt64(rows) + 200)
    func below(_ n: Int) -> Int { Int((values.next() + 1) / 2 * Float(n)) }
    let abreast = panelsAbreast(rows: rows)
    for trial in 0..<300 {
      let panels = 1 + below(abreast)
      let before = trial % 2 * 2  // panels before those at hand
      let layer = Layer(rows: rows, panels: before + panels, lines: 40, &values)
      let width = 16 * (before + panels) - below(16)
      let stages = 1 + below(12)
      let degreeEnd = ((1..<stages).map { _ in below(width + 1) } + [width]).sorted().map { UInt32($0) }
      let visibleEnd = (0..<stages).map { _ in below(41) }.sorted().map { UInt32($0) }
      func degree(_ unit: Int) -> Int { degreeEnd.firstIndex { $0 > unit }! }

      let first = 16 * before + below(min(16, width - 16 * before))
      let g = degree(first) + below(stages - degree(first))
      let from = below(Int(visibleEnd[degree(first)]) + 1)
      let start = below(degree(first) + 1)
      var last = -1
      let found = layer.after { rows in
        degreeEnd.withUnsafeBufferPointer { end in
          visibleEnd.withUnsafeBufferPointer { visible in
            let degrees = Degrees(end: end.baseAddress!, visibleEnd: visible.baseAddress!, first: start, last: g)
            last = accumulateTriangle(rows, from: from, units: first, width, degrees)
          }
        }
      }
      #expect(last == min(degree(width - 1), g))
      layer.expect(found) { row, unit in
        if unit < first { return layer.start[row * layer.stride + unit] }
        // Lanes behind the last unit hold whatever they hold.
        if unit >= width { return found[row * layer.stride + unit] }
        return layer.specified(row, unit, from, Int(visibleEnd[min(degree(unit), g)]))
      }
    }
  }

  @Test(arguments: [1, 2, 3, 7, 15]) func densePanels(rows: Int) {
    var values = Values(UInt64(rows) + 300)
    for panels in [1, 2, 3, 4, 5, 9] {
      let weights = values.array(panels * 21 * 16)
      var sources = values.array(rows * 30)
      let start = values.array(rows * 16 * panels)
      var found = start
      accumulateDense(
        count: rows, sums: &found, stride: 16 * panels, sources: &sources, sourceStride: 30, weights: weights, panels: panels,
        lines: 21)
      for row in 0..<rows {
        for unit in 0..<16 * panels {
          var sum = start[row * 16 * panels + unit]
          for k in 0..<21 {
            let w = weights[(unit / 16 * 21 + k) * 16 + unit % 16]
            sum = fma(Lanes(repeating: w), Lanes(repeating: sources[row * 30 + k]), Lanes(repeating: sum))[0]
          }
          #expect(found[row * 16 * panels + unit].bitPattern == sum.bitPattern)
        }
      }
    }
  }
}
