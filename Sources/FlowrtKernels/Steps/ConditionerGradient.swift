// The conditioner backwards: from the gradient by its outputs to that by the side that it reads, and by the context.
//
//     value[u] = gate[u] * activation(sum[u])
//     sum[u]   = start[u] + sum over visible k of w[k][u] * source[k] + added[u]
//
// The transposed masked network is a masked network with degrees reversed: what depends on a source unit is a suffix of
// the units, those of its own degree and higher ones.
//
//          units that see it, by degree ->
//        | x x x x x x x x |  source units of degree 1
//        |     x x x x x x |                   2        `collect(layer, units)` adds up what all later layers say
//        |         x x x x |                   3        about units whose own degree is due, and `finish` takes the
//        |             x x |                   4        result through activation, gate and added layers.
//
// Where all ranks are known at once, a layer is collected as a whole, last layer first; else degree by degree, highest
// first. Either way a unit takes its terms in one order: those of later layers that add it or are gated by it as these
// are finished; then the products of each later layer, unit by unit. Cost: every stored weight once, as forwards.

import FlowrtShim

/// Units of a later layer that are taken together, so that they stay in the L1 cache: a multiple of 16.
private let blockUnits = 96

/// The gradient of one network over a tile. `by`: of each unit, first the gradient by its value, and once it is
/// finished the gradient by its sum.
struct ConditionerGradient {
  let conditioner: Conditioner
  /// The layers of the network.
  let count: Int
  /// The products, at the CPU's own level.
  private let accumulate: flowrt_transposed_product
  /// Where the units of the layers have their gradients: as the activations lie.
  private let by: UnsafeMutablePointer<Float>
  /// The gradient by the context of the network, to which this one adds its part; nil if nobody asks for it. Layers
  /// that depend on the context alone are passed over then.
  private let byContext: UnsafeMutablePointer<Float>?
  private var rows: Int { conditioner.rows }

  init(
    _ conditioner: Conditioner, count: Int, _ accumulate: @escaping flowrt_transposed_product,
    by: UnsafeMutablePointer<Float>, byContext: UnsafeMutablePointer<Float>?
  ) {
    (self.conditioner, self.count, self.accumulate) = (conditioner, count, accumulate)
    (self.by, self.byContext) = (by, byContext)
  }

  private func layer(_ number: Int) -> Layer { conditioner.layers + number }
  /// The gradients of a layer's units.
  func gradient(_ number: Int) -> UnsafeMutablePointer<Float> {
    by + Int(layer(number).pointee.values_offset) &* rows
  }
  /// Whether a layer takes part.
  private func isWanted(_ number: Int32) -> Bool {
    number >= 0 && (byContext != nil || conditioner.layers[Int(number)].context_only == 0)
  }
  private func isWanted(_ number: Int) -> Bool { isWanted(Int32(truncatingIfNeeded: number)) }

  /// No gradient yet.
  func clear() {
    for number in 0..<count {
      let (target, floats) = (gradient(number), Int(layer(number).pointee.width) &* rows)
      for at in stride(from: 0, to: floats, by: registerCount) { target.store(Register(), at) }
    }
  }

  /// All layers but the last, whose units are finished.
  func runAll() {
    for number in stride(from: count &- 2, through: 0, by: -1) {
      run(number, 0, Int(layer(number).pointee.width))
    }
  }

  /// A network of the context alone, whose last layer has its gradient by value: `lines` floats of context.
  func run(lines: Int) {
    finish(count &- 1, 0, Int(layer(count &- 1).pointee.width))
    runAll()
    collectContext(lines: lines)
  }

  /// The units of degree g of all layers but the last, when those of higher degrees, and the outputs of degree g, are
  /// finished.
  func run(degree g: Int) {
    for number in stride(from: count &- 2, through: 0, by: -1) {
      let ends = layer(number).pointee.degree_end!
      // A layer of the context alone has one degree.
      let first = g == 0 ? 0 : Int(ends[g &- 1])
      run(number, first, Int(ends[g]))
    }
  }

  /// Units first ..< end of a layer.
  @inline(never) private func run(_ number: Int, _ first: Int, _ end: Int) {
    if first >= end || !isWanted(number) { return }
    collect(number, first, end)
    finish(number, first, end)
  }

  /// Adds to ranks first ..< end what all layers say that read them.
  func collectRead(_ target: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int) {
    for number in 0..<count where layer(number).pointee.source == readSide {
      addProducts(of: number, target, first, end)
    }
  }

  /// Adds what the layers say about the context that they see.
  func collectContext(lines: Int) {
    guard let byContext else { return }
    for number in 0..<count where layer(number).pointee.context_source == noLayer {
      addContextProducts(of: number, byContext, lines)
    }
  }

  /// Adds to units first ..< end of a layer the products of all later layers that see them.
  @inline(never) private func collect(_ number: Int, _ first: Int, _ end: Int) {
    let own = Int32(truncatingIfNeeded: number)
    let target = gradient(number)
    for later in number &+ 1..<count {
      if layer(later).pointee.source == own { addProducts(of: later, target, first, end) }
      if layer(later).pointee.context_source == own { addContextProducts(of: later, target, end) }
    }
  }

  /// target[k] += sum over u of w[k][u] * by[u], where w are the context's weights of a layer, which all its units see.
  @inline(never) private func addContextProducts(of number: Int, _ target: UnsafeMutablePointer<Float>, _ lines: Int) {
    guard let weights = layer(number).pointee.context_weights, isWanted(number) else { return }
    var panels = flowrt_panels(weights: weights, starts: nil, lines: lines)
    let width = Int(layer(number).pointee.width)
    for block in stride(from: 0, to: width, by: blockUnits) {
      accumulate(target, &panels, 0, lines, gradient(number), rows, block, min(block &+ blockUnits, width))
    }
  }

  /// target[k] += sum over the units u that see k of w[k][u] * by[u], for source units first ..< end.
  @inline(never) private func addProducts(
    of number: Int, _ target: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
  ) {
    if !isWanted(number) { return }
    let layer = layer(number)
    let (degreeEnd, visibleEnd) = (layer.pointee.degree_end!, layer.pointee.visible_end!)
    let width = Int(layer.pointee.width)
    var panels = flowrt_panels(weights: layer.pointee.weights, starts: layer.pointee.panel_start, lines: 0)
    let from = UnsafePointer(gradient(number))
    for block in stride(from: 0, to: width, by: blockUnits) {
      let blockEnd = min(block &+ blockUnits, width)
      // The units of the block begin with this degree.
      let blockDegree = firstIndex(degreeEnd, above: block)
      var k = first
      while k < end {
        let groupEnd = min(end, k &+ panelUnits)
        // The first degree of the block that sees k, and the first unit of it.
        var degree = firstIndex(visibleEnd, above: k, from: blockDegree, last: degreeEnd, width)
        if degree < 0 { break }  // nor does any unit of the block see later ones
        var unit = max(block, degree == 0 ? 0 : Int(degreeEnd[degree &- 1]))
        while unit < blockEnd {
          let seen = min(Int(visibleEnd[degree]), groupEnd)
          // From where all of the group is seen, the rest of the block goes at once.
          let stop = seen == groupEnd ? blockEnd : min(blockEnd, Int(degreeEnd[degree]))
          accumulate(target, &panels, k, seen, from, rows, unit, stop)
          unit = stop
          degree &+= 1
        }
        k = groupEnd
      }
    }
  }

  /// The first degree whose end is above `unit`. The last end is.
  private func firstIndex(_ ends: UnsafePointer<UInt32>, above unit: Int) -> Int {
    var degree = 0
    while Int(ends[degree]) <= unit { degree &+= 1 }
    return degree
  }
  /// The first degree from `from` on that sees source unit k; -1 if none does.
  private func firstIndex(
    _ visibleEnd: UnsafePointer<UInt32>, above k: Int, from: Int, last degreeEnd: UnsafePointer<UInt32>, _ width: Int
  ) -> Int {
    var degree = from
    while Int(visibleEnd[degree]) <= k {
      if Int(degreeEnd[degree]) >= width { return -1 }
      degree &+= 1
    }
    return degree
  }

  /// From the gradient by the values of units first ..< end to that by their sums; adds what they say about their gates
  /// and added layers.
  @inline(never) func finish(_ number: Int, _ first: Int, _ end: Int) {
    let layer = layer(number)
    let by = gradient(number)
    if layer.isNormalized {
      let gate = layer.pointee.gate
      normalizeGradient(
        layer, by: Values(base: by, stride: 0), sums: Values(base: sums(layer).unsafelyUnwrapped, stride: 0), rows: rows,
        gate: gate == noLayer ? nil : conditioner.operand(gate),
        byGate: isWanted(gate) ? Values(base: gradient(Int(gate)), stride: 0) : nil)
    } else {
      if layer.pointee.gate != noLayer { finishGate(layer, by, first, end) }
      if layer.pointee.activation != Activation.identity.rawValue { finishActivation(layer, by, first, end) }
    }
    finishAdded(layer.pointee.add.0, layer.pointee.scale.0, by, first, end)
    finishAdded(layer.pointee.add.1, layer.pointee.scale.1, by, first, end)
    finishAdded(layer.pointee.add.2, layer.pointee.scale.2, by, first, end)
  }

  /// Where the sums of a layer were kept, if they were.
  private func sums(_ layer: Layer) -> UnsafeMutablePointer<Float>? {
    conditioner.sums.map { $0 + Int(layer.pointee.values_offset) &* rows }
  }

  @inline(never) private func finishActivation(
    _ layer: Layer, _ by: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
  ) {
    let activation = Activation(rawValue: layer.pointee.activation).unsafelyUnwrapped
    let a = layer.pointee.a
    let values = conditioner.values(layer)
    let needsSums = layer.needsSums
    let kept = needsSums ? sums(layer).unsafelyUnwrapped : values
    let isGated = layer.pointee.gate != noLayer
    // The two most frequent ones in loops of their own.
    if !isGated && activation == .relu {
      for at in stride(from: first &* rows, to: end &* rows, by: registerCount) {
        by.store(ifMore(values.register(at), 0, by.register(at), 0 * values.register(at)), at)
      }
    } else if !isGated && activation == .tanh {
      for at in stride(from: first &* rows, to: end &* rows, by: registerCount) {
        let (value, g) = (values.register(at), by.register(at))
        by.store(g * negatedFma(value, value, Register(repeating: 1)), at)
      }
    } else {
      for at in stride(from: first &* rows, to: end &* rows, by: registerCount) {
        let sum = kept.register(at)
        // The value of a gated layer is multiplied by its gate.
        let value = isGated ? activated(sum, activation, a) : values.register(at)
        by.store(by.register(at) * activationSlope(activation, a, value: value, sum: sum), at)
      }
    }
  }

  /// The activation, of any kind.
  @inline(never) private func activated(_ sum: Register, _ activation: Activation, _ a: Float) -> Register {
    switch activation {
    case .relu: return atLeast(0, sum)
    case .tanh: return tanh(sum)
    default: return through({ activate($0, activation, a) }, sum)
    }
  }

  /// A gate g: the value is g f(sum). By the gate f(sum), by f(sum) the gate.
  @inline(never) private func finishGate(
    _ layer: Layer, _ by: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
  ) {
    let gate = conditioner.operand(layer.pointee.gate)
    let activation = Activation(rawValue: layer.pointee.activation).unsafelyUnwrapped
    let kept = sums(layer).unsafelyUnwrapped
    let byGate = isWanted(layer.pointee.gate) ? gradient(Int(layer.pointee.gate)) : nil
    for unit in first..<end {
      for at in stride(from: unit &* rows, to: (unit &+ 1) &* rows, by: registerCount) {
        let g = by.register(at)
        if let byGate {
          byGate.store(fma(g, activated(kept.register(at), activation, layer.pointee.a), byGate.register(at)), at)
        }
        let factor = gate.values.unsafelyUnwrapped
        by.store(g * (gate.isShared ? Register(repeating: factor[unit]) : factor.register(at)), at)
      }
    }
  }

  /// An added layer takes the gradient by the sum, times its scale.
  @inline(never) private func finishAdded(
    _ number: Int32, _ scale: UnsafePointer<Float>?, _ by: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
  ) {
    if !isWanted(number) { return }
    let target = gradient(Int(number))
    for unit in first..<end {
      let factor = scale?[unit] ?? 1
      for at in stride(from: unit &* rows, to: (unit &+ 1) &* rows, by: registerCount) {
        target.store(fma(by.register(at), factor, target.register(at)), at)
      }
    }
  }
}
