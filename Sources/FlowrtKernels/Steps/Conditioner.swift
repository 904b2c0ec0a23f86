// The conditioner: layers whose units become final degree by degree.
//
//     value[u] = gate[u] * activation(start[u] + sum over visible k of w[k][u] * source[k] + added[u])
//
// Units are sorted by degree, so what a unit sees of its source is a prefix, and the weights are the lower triangle of
// a block matrix, stored in panels of 16 units:
//
//          source units, by degree ->
//        | x x                   |  units of degree 1
//        | x x x x               |            2
//        | x x x x x x           |            3       `advance(layer, to: g)` finishes all rows of degree <= g.
//        | x x x x x x x x       |            4
//
// A panel usually holds several degrees. It is taken over the prefix that all its units see at once, then its first
// units are finished, and only the others go on: a unit adds exactly its own terms, in the order of k, in all tile
// shapes and in both directions. Cost: every stored weight once.

import FlowrtShim

/// Source units that are taken together: with 48 rows, 18 kB.
private let blockUnits = 96

/// Values and rows of one conditioner evaluation.
///
/// Few rows (up to 15) lie one after the other, each as a single row does: a unit of row r is `stride` r floats behind
/// that of row 0. Many rows are a tile (16, 32, 48, 64): `rows` floats for each unit.
struct Conditioner {
  /// Rows that are evaluated together: 1 to 15, or 16, 32, 48 or 64.
  let rows: Int
  /// Floats from a unit to the next: 1, or the rows of a tile.
  let unitStride: Int
  /// The first layer of the network. Layers refer to each other by their number from here on.
  let layers: Layer
  /// Values of the read side by rank. Ranks that are not known yet hold old values, which no unit sees.
  let read: Values
  /// Values of the layers, each from its values_offset on, in units. Layers are padded to 16 units.
  let activations: Values
  /// Of a gradient: where a tile's sums are kept before an activation that needs them, as the activations lie.
  let sums: UnsafeMutablePointer<Float>?
  /// Context of the rows; nil if what depends on the context is in the prologue.
  let context: Values?
  /// Floats of context of a row: E in a step or base, C in the encoder.
  let contextDim: Int
  /// Scratch of plane layers.
  let planes: UnsafeMutablePointer<Float>

  /// Whether the rows lie side by side. Fewer than 16 rows never do.
  @inline(__always) private var isTile: Bool { rows >= laneCount }

  /// Where the values of a layer begin.
  @inline(__always) func values(_ layer: Layer) -> UnsafeMutablePointer<Float> { place(layer).base }

  /// Where the values of a layer are. One that depends on the context alone may be in the prologue, one float for each
  /// unit whatever the row.
  @inline(__always) func place(_ layer: Layer) -> Values {
    isInPrologue(layer)
      ? Values(base: layer.pointee.start, stride: 0)
      : Values(
        base: activations.base + Int(layer.pointee.values_offset) &* unitStride, stride: activations.stride)
  }
  /// Whether the values of a layer are in the prologue, at `start`. They are final before the first row is evaluated.
  @inline(__always) func isInPrologue(_ layer: Layer) -> Bool { layer.pointee.context_only != 0 && context == nil }

  /// Starts a layer: nothing is final.
  @inline(__always) func begin(_ layer: Layer) {
    // A layer in the prologue has all of its units from the beginning.
    layer.pointee.final_units = isInPrologue(layer) ? layer.pointee.width : 0
    layer.pointee.degree = 0
    layer.pointee.visible_units = 0
    layer.pointee.pushed_units = 0
  }

  /// Evaluates the first `count` >= 1 layers, which depend on the context alone: the encoder, or a base 4. Their units
  /// all have degree 0. Returns the values of the last.
  func evaluate(_ count: Int) -> Operand {
    for number in 0..<count {
      begin(layers + number)
      advance(layers + number, to: 0)
    }
    return operand(Int32(truncatingIfNeeded: count &- 1))
  }

  /// Makes all units of degree <= g final. On entry all that they see of their source is final, and so are their units
  /// of added and gating layers. Calls come with ascending g: a unit is never evaluated twice.
  @inline(__always) func advance(_ layer: Layer, to g: Int) {
    let end = Int(layer.pointee.degree_end[g])
    let first = Int(layer.pointee.final_units)
    if first >= end { return }
    if isTile {
      advanceTile(layer, to: g, end)
    } else {
      if first == 0 { startRows(layer) }
      if hasSource(layer) { advanceRows(layer, to: g, end) }
      finish(layer, first, end)
    }
    if layer.isNormalized { normalize(layer) }
    layer.pointee.final_units = UInt32(truncatingIfNeeded: end)
  }

  /// Whether the accumulators still have to be filled from a source: not if the prologue did it.
  @inline(__always) private func hasSource(_ layer: Layer) -> Bool {
    layer.pointee.source != noLayer && !(layer.pointee.constant_source != 0 && context == nil)
  }

  /// The values that the weights multiply. On entry the layer has a source.
  @inline(__always) private func source(_ layer: Layer) -> Values {
    layer.pointee.source == readSide ? read : place(layers + Int(layer.pointee.source))
  }

  /// Few rows: fills the sums of all units with what they start from, and adds the rows' own context. It writes whole
  /// panels: bias, start and values are all padded to 16 floats, so 16 * panels of them are in bounds. A plane layer
  /// has all of its sums then.
  @inline(never) private func startRows(_ layer: Layer) {
    let isPlane = layer.pointee.is_plane != 0
    if isPlane && layer.pointee.bias == nil { return sumPlane(layer) }
    let target = place(layer)
    let start = context == nil ? UnsafePointer<Float>(layer.pointee.start!) : layer.pointee.bias!
    let panels = Int(layer.pointee.panels)
    for row in 0..<rows {
      for panel in 0..<panels {
        target.base.store(start.lanes(panel &* panelUnits), row &* target.stride &+ panel &* panelUnits)
      }
    }
    if let weights = layer.pointee.context_weights, let (source, lines) = contextSource(layer) {
      accumulateDense(
        count: rows, sums: target.base, stride: target.stride, sources: source.base, sourceStride: source.stride,
        weights: weights, panels: panels, lines: lines)
    }
    if isPlane { sumPlane(layer) }
  }

  /// The sums of a plane layer, or what it gathers, of all units. On entry its input is final, and the first pixel has
  /// what a convolution's sums start from.
  @inline(never) private func sumPlane(_ layer: Layer) {
    let input: UnsafePointer<Float>
    let source = layer.pointee.record.pointee.source
    switch source {
    case 0: input = UnsafePointer(contextSource(layer).unsafelyUnwrapped.0.base)
    case 1: input = UnsafePointer(read.base)
    default: input = UnsafePointer(values(layers + Int(source &- 2)))
    }
    PlaneLayer(layer, values(layer)).run(input, scratch: planes)
  }

  /// What the context's weights of a layer multiply: the rows' context, or a layer that depends on it.
  @inline(__always) private func contextSource(_ layer: Layer) -> (Values, lines: Int)? {
    guard let context else { return nil }
    let number = layer.pointee.context_source
    if number == noLayer { return (context, contextDim) }
    return (place(layers + Int(number)), Int(layers[Int(number)].width))
  }

  /// Few rows. Neighbouring panels go together, as many as are abreast. When the first of them is due, they all take
  /// what is visible by then, in long streams of weights; from then on what each stage adds, until they are finished.
  private func advanceRows(_ layer: Layer, to g: Int, _ end: Int) {
    let degreeEnd = layer.pointee.degree_end!
    let visibleEnd = layer.pointee.visible_end!
    let width = Int(layer.pointee.width)
    // Source units that are final, by what the caller promised.
    let available = Int(visibleEnd[g])
    // Panels that one pass over the sources serves: as many as the accumulators of these rows leave registers for.
    let abreast = panelsAbreast(rows: rows)
    var degree = Int(layer.pointee.degree)
    var seen = Int(layer.pointee.visible_units)
    var unit = Int(layer.pointee.final_units)
    let (target, source) = (place(layer), source(layer))
    let rows = Rows(
      count: rows, sums: target.base, stride: target.stride, sources: source.base, sourceStride: source.stride,
      weights: layer.pointee.weights, panelStart: layer.pointee.panel_start)
    withUnsafePointer(to: rows) { rows in
      while unit < end {
        let panel = unit / panelUnits
        // The group of `abreast` panels ends here.
        let nextPanel = (panel & ~(abreast &- 1)) &+ abreast  // a power of two
        // unit < width = the last end, so the search stops inside the table.
        while Int(degreeEnd[degree]) <= unit { degree &+= 1 }
        // The unit's own degree sees all that is final: the whole group takes it at once, as a rectangle.
        if Int(visibleEnd[degree]) == available {
          accumulateColumns(
            rows, panel: panel, panels: min(nextPanel, Int(layer.pointee.panels)) &- panel, from: seen, to: available,
            keep: unit & (panelUnits &- 1))
        } else {
          // Several degrees are due: each one takes its own prefix.
          degree = accumulateTriangle(
            rows, from: seen, units: unit, min(nextPanel &* panelUnits, width),
            Degrees(end: degreeEnd, visibleEnd: visibleEnd, first: degree, last: g))
        }
        unit = nextPanel &* panelUnits
        // A group that goes on past `end` has seen all that is available. The next group begins with nothing.
        seen = unit <= end ? 0 : available
      }
    }
    layer.pointee.degree = UInt32(truncatingIfNeeded: degree)
    layer.pointee.visible_units = UInt32(truncatingIfNeeded: seen)
  }

  /// Many rows. Source units go in blocks that stay in the L1 cache to all panels whose every unit sees the whole
  /// block; what is left of a panel's prefix, and the small triangle of its own degrees, when the panel is finished.
  private func advanceTile(_ layer: Layer, to g: Int, _ end: Int) {
    let degreeEnd = layer.pointee.degree_end!
    let visibleEnd = layer.pointee.visible_end
    let width = Int(layer.pointee.width)
    let hasSource = hasSource(layer)
    let target = values(layer)
    if hasSource {
      // Whole blocks of final source units, that no panel has seen yet, go to all panels first.
      let available = Int(visibleEnd![g])
      if Int(layer.pointee.pushed_units) &+ blockUnits <= available { pushBlocks(layer, available) }
    }
    var degree = Int(layer.pointee.degree)
    var seen = Int(layer.pointee.visible_units)
    var unit = Int(layer.pointee.final_units)
    /// Whether the accumulators of the panel have nothing yet.
    var isFresh = false
    while unit < end {
      let panel = unit / panelUnits
      let panelEnd = min(panel &* panelUnits &+ panelUnits, width)
      while Int(degreeEnd[degree]) <= unit { degree &+= 1 }
      // A new panel begins. It has seen the whole blocks in the prefix of its first unit (pushBlocks).
      if unit & (panelUnits &- 1) == 0 {
        seen = hasSource ? Int(visibleEnd![degree]) / blockUnits &* blockUnits : 0
        isFresh = seen == 0
        // Without a source no call of `accumulate` starts the sums.
        if isFresh && !hasSource { start(layer, panel) }
      }
      let first = unit
      while unit < panelEnd {
        while Int(degreeEnd[degree]) <= unit { degree &+= 1 }
        // The rest of the panel is not due. Its accumulators stay as they are until a later call.
        if degree > g { break }
        if hasSource {
          let next = Int(visibleEnd![degree])
          accumulate(layer, target, unit, panelEnd, from: seen, to: next, isFresh: isFresh)
          seen = next
          isFresh = false
        }
        // The sums of this degree are complete. Only later units of the panel go on.
        unit = min(Int(degreeEnd[degree]), panelEnd)
      }
      finish(layer, first, unit)
    }
    layer.pointee.degree = UInt32(truncatingIfNeeded: degree)
    layer.pointee.visible_units = UInt32(truncatingIfNeeded: seen)
  }

  /// Adds the blocks that lie wholly in the first `available` source units to the panels that see them wholly. Each
  /// block of sources stays in the L1 cache while it goes to all of these panels.
  private func pushBlocks(_ layer: Layer, _ available: Int) {
    let degreeEnd = layer.pointee.degree_end!
    let visibleEnd = layer.pointee.visible_end
    let width = Int(layer.pointee.width)
    let target = values(layer)
    var block = Int(layer.pointee.pushed_units)
    var degree = 0
    var panel = 0
    while block &+ blockUnits <= available {
      // The first panel whose first unit sees the block's end. Later panels see it too, since prefixes do not shrink.
      while panel < Int(layer.pointee.panels) {
        while Int(degreeEnd[degree]) <= panel &* panelUnits { degree &+= 1 }
        if Int(visibleEnd![degree]) >= block &+ blockUnits { break }
        panel &+= 1
      }
      for p in panel..<Int(layer.pointee.panels) {
        // Meanwhile the same lines of the next panel come into the cache.
        let starts = layer.pointee.panel_start + p
        let ahead = p &+ 1 < Int(layer.pointee.panels) ? Int(starts[1] &- starts[0]) &* lineFloats : linesAhead
        accumulate(
          layer, target, p &* panelUnits, min(p &* panelUnits &+ panelUnits, width), from: block,
          to: block &+ blockUnits,
          isFresh: block == 0, ahead: ahead)
      }
      block &+= blockUnits
    }
    layer.pointee.pushed_units = UInt32(truncatingIfNeeded: block)
  }

  /// Adds source units `from` ..< `to` to the accumulators of units `first` ..< `end`, which lie in one panel.
  /// `isFresh`: they hold nothing yet. `ahead`: floats from the weights in use to those that are fetched into the cache
  /// meanwhile.
  @inline(__always) private func accumulate(
    _ layer: Layer, _ target: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int, from: Int, to: Int,
    isFresh: Bool, ahead: Int = linesAhead
  ) {
    let panel = first / panelUnits
    var bias: UnsafePointer<Float>? = nil
    if isFresh {
      // The product starts from the bias itself, which saves a pass that stores it. An empty sum, and one that begins
      // with the rows' own context, are stored first.
      if context == nil && from < to {
        bias = UnsafePointer(layer.pointee.start!) + panel &* panelUnits
      } else {
        start(layer, panel)
      }
    }
    // A panel's lines are its source units in their order, so `from` counts them as well.
    let line: Int = Int(layer.pointee.panel_start[panel]) &+ from
    accumulateTile(
      target + panel &* panelUnits &* rows, layer.pointee.weights + line &* lineFloats,
      source(layer).base + from &* rows,
      rows: rows, first: first & (panelUnits &- 1), end: end &- panel &* panelUnits, count: to &- from,
      ahead: ahead, start: bias)
  }

  /// Starts the accumulators of a panel of a tile: bias (or the prologue's bias and context), then the rows' own
  /// context. It writes units below `width` alone.
  @inline(never) private func start(_ layer: Layer, _ panel: Int) {
    let first = panel &* panelUnits
    let end = min(first &+ panelUnits, Int(layer.pointee.width))
    let target = values(layer)
    let from = context == nil ? UnsafePointer<Float>(layer.pointee.start!) : layer.pointee.bias!
    for unit in first..<end {
      // All rows of a unit start from one number.
      let value = Lanes(repeating: from[unit])
      var row = 0
      while row < rows {
        target.store(value, unit &* rows &+ row)
        row &+= laneCount
      }
    }
    if let weights = layer.pointee.context_weights, let (source, lines) = contextSource(layer) {
      accumulateTile(
        target + first &* rows, weights + panel &* lines &* lineFloats, UnsafePointer(source.base), rows: rows,
        first: 0,
        end: end &- first, count: lines)
    }
  }

  /// value = gate * activation(sum + scale * added + ...), for units `first` ..< `end`; in place, one part after the
  /// other (docs/FORMAT.md section 4). On entry the sums are complete. A layer that is normalised has its gate later.
  @inline(never) func finish(_ layer: Layer, _ first: Int, _ end: Int) {
    let target = place(layer)
    @inline(__always) func add(_ number: Int32, _ scale: UnsafePointer<Float>?) {
      if number == noLayer { return }
      operand(number).combine(into: target, rows: rows, first, end, scale: scale, isGate: false)
    }
    add(layer.pointee.add.0, layer.pointee.scale.0)
    add(layer.pointee.add.1, layer.pointee.scale.1)
    add(layer.pointee.add.2, layer.pointee.scale.2)
    let (code, a) = (layer.pointee.activation, layer.pointee.a)
    if isTile {
      #if !FLOWRT_BASELINE_HAS_NO_GRADIENT
        if let sums { keepSums(layer, sums, first &* rows, end &* rows) }
      #endif
      activateInPlace(target.base, first &* rows, end &* rows, code, a)
    } else {
      activateInPlace(target.base, first, end, code, a, rows: rows, stride: target.stride)
    }
    if !layer.isNormalized { gate(layer, first, end) }
  }

  /// Normalises a layer whose units are all finished, and gates them.
  @inline(never) func normalize(_ layer: Layer) {
    normalizeLayer(layer, place(layer), rows: rows)
    gate(layer, 0, Int(layer.pointee.width))
  }

  /// value = gate * value, for units `first` ..< `end` of a layer that has a gate.
  @inline(__always) private func gate(_ layer: Layer, _ first: Int, _ end: Int) {
    if layer.pointee.gate == noLayer { return }
    operand(layer.pointee.gate).combine(into: place(layer), rows: rows, first, end, scale: nil, isGate: true)
  }

  /// Of a gradient: keeps floats first ..< end of the sums of a layer, if its derivative needs them.
  @inline(never) private func keepSums(_ layer: Layer, _ sums: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int) {
    if !layer.needsSums || isInPrologue(layer) { return }
    let (target, source) = (sums + Int(layer.pointee.values_offset) &* unitStride, values(layer))
    for at in stride(from: first, to: end, by: laneCount) { target.store(source.lanes(at), at) }
  }

  /// The values of layer `number`, as what another layer adds or is gated by.
  @inline(never) func operand(_ number: Int32) -> Operand {
    let layer = layers + Int(number)
    let place = place(layer)
    return Operand(values: UnsafePointer(place.base), stride: place.stride, isShared: isInPrologue(layer))
  }
}

extension Layer {
  /// Whether its derivatives need what the activation was applied to, and not only what came of it.
  var needsSums: Bool {
    pointee.gate != noLayer
      || !Activation(rawValue: pointee.activation).unsafelyUnwrapped.slopeIsOfValue(pointee.a)
  }
}
