// The conditioner: layers whose units become final degree by degree.
//
//     value[u] = gate[u] * activation(start[u] + sum over visible k of w[k][u] * source[k] + added[u])
//
// Units are sorted by degree, so what a unit sees of its source is a prefix, and the weights are the lower triangle of a
// block matrix, stored in panels of 16 units:
//
//          source units, by degree ->
//        | x x                   |  units of degree 1
//        | x x x x               |            2
//        | x x x x x x           |            3       `advance(layer, to: g)` finishes all rows of degree <= g.
//        | x x x x x x x x       |            4
//
// A panel usually holds several degrees. It is taken over the prefix that all its units see at once, then its first units
// are finished, and only the others go on: a unit adds exactly its own terms, in the order of k, in all tile shapes and in
// both directions. Cost: every stored weight once.

import FlowrtShim

/// Source units that are taken together: with 48 rows, 18 kB.
private let blockUnits = 96

/// Values and tile of one conditioner evaluation.
struct Conditioner {
  /// 1: one row, units in lanes. 16, 32, 48, 64: rows in lanes.
  let rows: Int
  /// 2 if each row stands twice in a tile of 16, else 1.
  let lanesPerRow: Int
  let layers: Layer
  /// Values of the read side by rank, `rows` floats each.
  let read: UnsafeMutablePointer<Float>
  let activations: UnsafeMutablePointer<Float>
  /// Context of the rows, `rows` floats for each coordinate; nil if what depends on the context is in the prologue.
  let contextTile: UnsafePointer<Float>?
  let contextDim: Int

  /// Where the values of a layer are: `rows` floats for each unit, or one if it is context-only and in the prologue.
  @inline(__always) func values(_ layer: Layer) -> UnsafeMutablePointer<Float> {
    isInPrologue(layer) ? layer.pointee.start : activations + Int(layer.pointee.values_offset) &* rows
  }
  @inline(__always) func isInPrologue(_ layer: Layer) -> Bool {
    layer.pointee.context_only != 0 && contextTile == nil
  }

  /// Starts a layer: nothing is final.
  @inline(__always) func begin(_ layer: Layer) {
    layer.pointee.final_units = 0
    layer.pointee.degree = 0
    layer.pointee.visible_units = 0
    layer.pointee.pushed_units = 0
    if isInPrologue(layer) {
      layer.pointee.final_units = layer.pointee.width
    } else if rows == 1 {
      let target = values(layer)
      let start = UnsafePointer<Float>(layer.pointee.start!)
      for panel in 0..<Int(layer.pointee.panels) { target.store(start.lanes(panel &* 16), panel &* 16) }
    }
  }

  /// Evaluates layers that depend on the context alone. Returns the values of the last: `rows` floats for each unit, or one if
  /// they are in the prologue.
  func evaluate(_ count: Int) -> UnsafePointer<Float> {
    for number in 0..<count {
      begin(layers + number)
      advance(layers + number, to: 0)
    }
    return UnsafePointer(values(layers + (count &- 1)))
  }

  /// Makes all units of degree <= g final. Their sources must be.
  @inline(__always) func advance(_ layer: Layer, to g: Int) {
    let end = Int(layer.pointee.degree_end[g])
    let first = Int(layer.pointee.final_units)
    if first >= end { return }
    if rows == 1 {
      if hasSource(layer) { advanceRow(layer, to: g, end) }
      finish(layer, first, end)
    } else {
      advanceTile(layer, to: g, end)
    }
    if layer.isNormalized { normalizeLayer(layer, values: values(layer), rows: rows) }
    layer.pointee.final_units = UInt32(truncatingIfNeeded: end)
  }

  /// Whether the accumulators still have to be filled from a source: not if the prologue did it.
  @inline(__always) private func hasSource(_ layer: Layer) -> Bool {
    layer.pointee.source != noLayer && !(layer.pointee.constant_source != 0 && contextTile == nil)
  }

  @inline(__always) private func sourceValues(_ layer: Layer) -> UnsafeMutablePointer<Float> {
    layer.pointee.source == readSide ? read : values(layers + Int(layer.pointee.source))
  }

  /// One row. Neighbouring panels go together, as many as run side by side. When the first of them is due, they all take what is
  /// visible by then, in long streams of weights; from then on what each stage adds, until they are finished.
  private func advanceRow(_ layer: Layer, to g: Int, _ end: Int) {
    let degreeEnd = layer.pointee.degree_end!
    let visibleEnd = layer.pointee.visible_end!
    let width = Int(layer.pointee.width)
    let target = values(layer)
    let source = UnsafePointer<Float>(sourceValues(layer))
    let available = Int(visibleEnd[g])
    var degree = Int(layer.pointee.degree)
    var seen = Int(layer.pointee.visible_units)
    var unit = Int(layer.pointee.final_units)
    while unit < end {
      let panel = unit / 16
      let (accumulators, starts) = (target + panel &* 16, layer.pointee.panel_start! + panel)
      let nextPanel = panel / Triangles.panels &* Triangles.panels &+ Triangles.panels
      while Int(degreeEnd[degree]) <= unit { degree &+= 1 }
      if Int(visibleEnd[degree]) == available {
        accumulateColumns(
          accumulators, layer.pointee.weights, starts, source,
          panels: min(nextPanel, Int(layer.pointee.panels)) &- panel, from: seen, to: available, keep: unit & 15)
      } else {
        degree = Triangles.run(
          accumulators, layer.pointee.weights, starts, source, from: seen, units: unit, min(nextPanel &* 16, width),
          degreeEnd, visibleEnd, degree, g)
      }
      unit = nextPanel &* 16
      seen = unit <= end ? 0 : available
    }
    layer.pointee.degree = UInt32(truncatingIfNeeded: degree)
    layer.pointee.visible_units = UInt32(truncatingIfNeeded: seen)
  }

  /// Many rows. Source units go in blocks that stay in the L1 cache to all panels whose every unit sees the whole block; what is
  /// left of a panel's prefix, and the small triangle of its own degrees, when the panel is finished.
  private func advanceTile(_ layer: Layer, to g: Int, _ end: Int) {
    let degreeEnd = layer.pointee.degree_end!
    let visibleEnd = layer.pointee.visible_end
    let width = Int(layer.pointee.width)
    let hasSource = hasSource(layer)
    let target = values(layer)
    if hasSource {
      let available = Int(visibleEnd![g])
      if Int(layer.pointee.pushed_units) &+ blockUnits <= available { pushBlocks(layer, available) }
    }
    var degree = Int(layer.pointee.degree)
    var seen = Int(layer.pointee.visible_units)
    var unit = Int(layer.pointee.final_units)
    /// Whether the accumulators of the panel have nothing yet.
    var isFresh = false
    while unit < end {
      let panel = unit / 16
      let panelEnd = min(panel &* 16 &+ 16, width)
      while Int(degreeEnd[degree]) <= unit { degree &+= 1 }
      if unit & 15 == 0 {
        seen = hasSource ? Int(visibleEnd![degree]) / blockUnits &* blockUnits : 0
        isFresh = seen == 0
        if isFresh && !hasSource { start(layer, panel) }
      }
      let first = unit
      while unit < panelEnd {
        while Int(degreeEnd[degree]) <= unit { degree &+= 1 }
        if degree > g { break }
        if hasSource {
          let next = Int(visibleEnd![degree])
          accumulate(layer, target, unit, panelEnd, from: seen, to: next, isFresh: isFresh)
          seen = next
          isFresh = false
        }
        unit = min(Int(degreeEnd[degree]), panelEnd)
      }
      finish(layer, first, unit)
    }
    layer.pointee.degree = UInt32(truncatingIfNeeded: degree)
    layer.pointee.visible_units = UInt32(truncatingIfNeeded: seen)
  }

  /// Adds the blocks that lie wholly in the first `available` source units to the panels that see them wholly.
  private func pushBlocks(_ layer: Layer, _ available: Int) {
    let degreeEnd = layer.pointee.degree_end!
    let visibleEnd = layer.pointee.visible_end
    let width = Int(layer.pointee.width)
    let target = values(layer)
    var block = Int(layer.pointee.pushed_units)
    var degree = 0
    var panel = 0
    while block &+ blockUnits <= available {
      // The first panel whose first unit sees the block's end.
      while panel < Int(layer.pointee.panels) {
        while Int(degreeEnd[degree]) <= panel &* 16 { degree &+= 1 }
        if Int(visibleEnd![degree]) >= block &+ blockUnits { break }
        panel &+= 1
      }
      for p in panel..<Int(layer.pointee.panels) {
        // Meanwhile the same lines of the next panel come into the cache.
        let starts = layer.pointee.panel_start + p
        let ahead = p &+ 1 < Int(layer.pointee.panels) ? Int(starts[1] &- starts[0]) &* 16 : linesAhead
        accumulate(
          layer, target, p &* 16, min(p &* 16 &+ 16, width), from: block, to: block &+ blockUnits,
          isFresh: block == 0, ahead: ahead)
      }
      block &+= blockUnits
    }
    layer.pointee.pushed_units = UInt32(truncatingIfNeeded: block)
  }

  /// Adds source units from ..< to to the accumulators of units first ..< end of one panel. `isFresh`: they have nothing yet.
  @inline(__always) private func accumulate(
    _ layer: Layer, _ target: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int, from: Int, to: Int,
    isFresh: Bool, ahead: Int = linesAhead
  ) {
    let panel = first / 16
    var bias: UnsafePointer<Float>? = nil
    if isFresh {
      if contextTile == nil && from < to {
        bias = UnsafePointer(layer.pointee.start!) + panel &* 16
      } else {
        start(layer, panel)
      }
    }
    let line: Int = Int(layer.pointee.panel_start[panel]) &+ from
    accumulateTile(
      target + panel &* 16 &* rows, layer.pointee.weights + line &* 16, sourceValues(layer) + from &* rows,
      rows: rows, first: first & 15, end: end &- panel &* 16, count: to &- from, lanesPerRow: lanesPerRow,
      ahead: ahead, start: bias)
  }

  /// Starts the accumulators of a panel: bias (or the prologue's bias and context), then the rows' own context.
  @inline(never) private func start(_ layer: Layer, _ panel: Int) {
    let first = panel &* 16
    let end = min(first &+ 16, Int(layer.pointee.width))
    let target = values(layer)
    let from = contextTile == nil ? UnsafePointer<Float>(layer.pointee.start!) : layer.pointee.bias!
    for unit in first..<end {
      let value = Lanes(repeating: from[unit])
      var row = 0
      while row < rows {
        target.store(value, unit &* rows &+ row)
        row &+= laneCount
      }
    }
    if let contextTile, let weights = layer.pointee.context_weights {
      var context = contextTile
      var lines = contextDim
      if layer.pointee.context_source != noLayer {
        let source = layers + Int(layer.pointee.context_source)
        context = UnsafePointer(values(source))
        lines = Int(source.pointee.width)
      }
      accumulateTile(
        target + first &* rows, weights + panel &* lines &* 16, context, rows: rows, first: 0, end: end &- first,
        count: lines, lanesPerRow: lanesPerRow)
    }
  }

  /// value = gate * activation(acc + scale * added + ...), for units first ..< end; in place, one part after the other.
  @inline(never) func finish(_ layer: Layer, _ first: Int, _ end: Int) {
    let values = values(layer)
    @inline(__always) func combine(_ number: Int32, _ scale: UnsafePointer<Float>?, isGate: Bool) {
      if number == noLayer { return }
      operand(number).combine(into: values, rows: rows, first, end, scale: scale, isGate: isGate)
    }
    combine(layer.pointee.add.0, layer.pointee.scale.0, isGate: false)
    combine(layer.pointee.add.1, layer.pointee.scale.1, isGate: false)
    combine(layer.pointee.add.2, layer.pointee.scale.2, isGate: false)
    activateInPlace(
      values, first &* rows, end &* rows, layer.pointee.activation, layer.pointee.a, lanesPerRow: lanesPerRow)
    combine(layer.pointee.gate, nil, isGate: true)
  }

  @inline(never) private func operand(_ number: Int32) -> Operand {
    let layer = layers + Int(number)
    return Operand(values: UnsafePointer(values(layer)), isShared: isInPrologue(layer) && rows > 1)
  }
}
