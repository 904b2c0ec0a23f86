// Validates the layers of a conditioner or an encoder, and the encoder itself (docs/FORMAT.md sections 2.6, 3, 4).

import CFlowrt
import FlowrtShim

private let maximumLayers = 128
private let maximumWidth: UInt64 = 1_048_576

/// What later layers need to know of an earlier one.
private struct LayerFacts {
  var degrees = Degrees()
  var width: UInt32 = 0
  var isContextOnly = false
}

/// The table of the layers so far, where it stands on the stack: an InlineArray as an argument is copied.
private struct EarlierLayers {
  let facts: UnsafePointer<LayerFacts>

  /// The layer that a field of a record names: 2 is the first.
  subscript(field: UInt16) -> LayerFacts { facts[Int(field) &- 2] }
}

/// Number of units of degree <= g: factor * max(table[g + shift] - skip, 0), and 0 where g + shift < 0. One form serves the
/// read side (shift -1: rank k of stage s has degree s + 1), hidden layers, and output layers (factor parameters for each rank
/// after the first skip).
struct Degrees {
  var table: UnsafePointer<UInt32>? = nil
  var skip: UInt32 = 0
  var factor: UInt32 = 1
  var shift: Int16 = 0

  /// The table was validated: the product is at most the layer's width.
  func count(_ g: UInt64) -> UInt64 {
    let i = Int(truncatingIfNeeded: g) &+ Int(shift)
    guard i >= 0, let table else { return 0 }
    return table[i] <= skip ? 0 : UInt64(table[i] &- skip) &* UInt64(factor)
  }
}

/// Reads the context encoder. Returns the number of its layers.
func readEncoder(
  _ record: UnsafePointer<flowrt_step_record>, _ offset: UInt64, _ header: flowrt_file_header, _ first: UInt32,
  _ blocks: inout Blocks, _ view: inout flowrt_view
) throws(Refusal) -> UInt32 {
  let raw = UnsafeRawPointer(record)
  try requireZero(raw, offset, from: 2, to: 12, blocks)
  try requireZero(raw, offset, from: 14, blocks)
  let count = record.pointee.layer_count
  try readLayerCount(count, offset, header, first, blocks)
  if header.context_dim == 0 { throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: offset) }
  let layers = LayerSequence(
    first: first, count: UInt64(count), stages: 1, contextDim: UInt64(header.context_dim), inputs: nil, outputs: nil)
  let (size, width) = try layers.read(&blocks, &view)
  view.encoder_size = size
  view.encoder_layers = UInt32(count)
  view.encoded_dim = UInt32(truncatingIfNeeded: width)
  return UInt32(count)
}

/// The field layer_count of a step or encoder.
func readLayerCount(
  _ count: UInt16, _ offset: UInt64, _ header: flowrt_file_header, _ first: UInt32, _ blocks: Blocks
) throws(Refusal) {
  func refuse(_ status: flowrt_status, expected: UInt64) throws(Refusal) {
    throw blocks.refusal(status, offset: offset &+ 12, expected: expected, found: UInt64(count))
  }
  if count == 0 { try refuse(FLOWRT_ERR_MALFORMED, expected: 1) }
  if Int(count) > maximumLayers { try refuse(FLOWRT_ERR_LIMIT, expected: UInt64(maximumLayers)) }
  let left = header.record_count &- first
  if UInt32(count) > left { try refuse(FLOWRT_ERR_MALFORMED, expected: UInt64(left)) }
}

/// The layers of one conditioner or encoder.
struct LayerSequence {
  /// Index of the first layer's record.
  let first: UInt32
  let count, stages, contextDim: UInt64
  /// Degrees of the read side, nil in an encoder, which has none.
  let inputs: Degrees?
  /// Degrees of the last layer's units where they are known.
  let outputs: Degrees?
  /// Width that the last layer must have; 0 for any.
  var outputWidth: UInt64 = 0

  /// Returns the units of all layers, each padded to 16, and the width of the last.
  @inline(never)  // so that its table is on the stack once, and not while other records are read
  func read(_ blocks: inout Blocks, _ view: inout flowrt_view) throws(Refusal) -> (size: UInt64, lastWidth: UInt64) {
    var table = InlineArray<128, LayerFacts>(repeating: LayerFacts())
    return try withUnsafeMutablePointer(to: &table) { table throws(Refusal) in
      try read(&blocks, &view, UnsafeMutableRawPointer(table).assumingMemoryBound(to: LayerFacts.self))
    }
  }

  private func read(
    _ blocks: inout Blocks, _ view: inout flowrt_view, _ facts: UnsafeMutablePointer<LayerFacts>
  ) throws(Refusal) -> (size: UInt64, lastWidth: UInt64) {
    var size: UInt64 = 0
    var width: UInt64 = 0
    var number: UInt64 = 0
    while number < count {
      let index = UInt64(first) &+ number
      blocks.record = Int32(truncatingIfNeeded: index)
      let at = 64 &+ 64 &* index
      let reader = LayerReader(
        layer: (blocks.base + Int(truncatingIfNeeded: at)).load(as: flowrt_layer_record.self), at: at,
        number: UInt16(truncatingIfNeeded: number), stages: stages, contextDim: contextDim, inputs: inputs)
      let isOutput = number == count &- 1
      facts[Int(truncatingIfNeeded: number)] = try reader.read(
        &blocks, EarlierLayers(facts: facts), outputs: isOutput ? outputs : nil,
        requiredWidth: isOutput ? outputWidth : 0, &view)
      width = UInt64(reader.layer.width)
      size &+= (width &+ 15) & ~15
      number &+= 1
    }
    view.layer_count &+= UInt32(truncatingIfNeeded: count)
    return (size, width)
  }
}

private struct LayerReader {
  let layer: flowrt_layer_record
  /// Byte offset of the record.
  let at: UInt64
  let number: UInt16
  let stages, contextDim: UInt64
  let inputs: Degrees?

  /// `outputs`: the degrees of an output layer, which are not stored.
  func read(
    _ blocks: inout Blocks, _ earlier: EarlierLayers, outputs: Degrees?,
    requiredWidth: UInt64, _ view: inout flowrt_view
  ) throws(Refusal) -> LayerFacts {
    let width = UInt64(layer.width)
    if Int(layer.kind) != FLOWRT_RECORD_LAYER {
      throw refusal(blocks, FLOWRT_ERR_MALFORMED, 0, UInt64(layer.kind), expected: UInt64(FLOWRT_RECORD_LAYER))
    }
    try readActivation(blocks)
    if width == 0 { throw refusal(blocks, FLOWRT_ERR_MALFORMED, 4, 0, expected: 1) }
    if width > maximumWidth { throw refusal(blocks, FLOWRT_ERR_LIMIT, 4, width, expected: maximumWidth) }
    if requiredWidth != 0 && width != requiredWidth {
      throw refusal(blocks, FLOWRT_ERR_MALFORMED, 4, width, expected: requiredWidth)
    }
    try requireZero(blocks.base + Int(truncatingIfNeeded: at), at, from: 22, to: 24, blocks)
    try requireZero(blocks.base + Int(truncatingIfNeeded: at), at, from: 28, blocks)
    if layer.source > number &+ 1 || (layer.source == 1 && inputs == nil) {
      throw refusal(blocks, FLOWRT_ERR_MALFORMED, 8, UInt64(layer.source))
    }
    let contextLines = try readContext(blocks, earlier)
    if layer.scaled > 7 { throw refusal(blocks, FLOWRT_ERR_MALFORMED, 20, UInt64(layer.scaled)) }

    var hasConstantSource = false
    if layer.source >= 2 { hasConstantSource = earlier[layer.source].isContextOnly }
    var facts = LayerFacts(
      degrees: outputs ?? Degrees(), width: layer.width, isContextOnly: layer.source == 0 || hasConstantSource)
    if outputs == nil { facts.degrees = try readDegrees(&blocks, width) }
    try readOperand(blocks, earlier, layer.gate, fieldAt: 12, scaledBit: 0, &facts)
    try readOperand(blocks, earlier, layer.add.0, fieldAt: 14, scaledBit: layer.scaled & 1, &facts)
    try readOperand(blocks, earlier, layer.add.1, fieldAt: 16, scaledBit: layer.scaled & 2, &facts)
    try readOperand(blocks, earlier, layer.add.2, fieldAt: 18, scaledBit: layer.scaled & 4, &facts)
    if outputs != nil { facts.isContextOnly = false }
    if activation == FLOWRT_ACTIVATION_LAYER_NORM && !facts.isContextOnly {
      throw refusal(blocks, FLOWRT_ERR_MALFORMED, 2, UInt64(layer.activation))
    }
    if facts.isContextOnly && facts.degrees.count(0) != width {
      throw refusal(blocks, FLOWRT_ERR_MALFORMED, 8, facts.degrees.count(0), expected: width)
    }

    _ = try blocks.floats(width)
    view.parameter_count &+= width
    var scaled = layer.scaled
    while scaled != 0 {
      if scaled & 1 != 0 {
        _ = try blocks.floats(width)
        view.parameter_count &+= width
      }
      scaled &>>= 1
    }
    let panels = (width &+ 15) / 16
    if layer.context != 0 {
      let lines = contextLines
      try blocks.panels(width: width, lines: panels &* lines, panelLines: { _ in lines }, visible: { _ in lines })
      view.parameter_count &+= width &* lines
    }
    if layer.source != 0 {
      let visible = layer.source == 1 ? inputs ?? Degrees() : earlier[layer.source].degrees
      try readWeights(&blocks, facts, visible, panels, &view)
      view.panel_count &+= panels
    }
    if facts.isContextOnly || hasConstantSource || layer.context != 0 { view.prologue_size &+= panels &* 16 }
    return facts
  }

  private func refusal(
    _ blocks: Blocks, _ status: flowrt_status, _ field: UInt64, _ found: UInt64, expected: UInt64 = 0
  ) -> Refusal {
    blocks.refusal(status, offset: at &+ field, expected: expected, found: found)
  }

  private var activation: Int { Int(layer.activation) }

  private func readActivation(_ blocks: Blocks) throws(Refusal) {
    if activation >= FLOWRT_ACTIVATIONS { throw refusal(blocks, FLOWRT_ERR_FEATURE, 2, UInt64(layer.activation)) }
    let takesParameter =
      activation == FLOWRT_ACTIVATION_ELU || activation == FLOWRT_ACTIVATION_LEAKY_RELU
      || activation == FLOWRT_ACTIVATION_LAYER_NORM
    if activation == FLOWRT_ACTIVATION_LAYER_NORM && !(layer.a > 0) {
      throw refusal(blocks, FLOWRT_ERR_MALFORMED, 24, UInt64(layer.a.bitPattern))
    }
    if takesParameter ? layer.a - layer.a != 0 : layer.a.bitPattern != 0 {
      throw refusal(blocks, FLOWRT_ERR_MALFORMED, 24, UInt64(layer.a.bitPattern))
    }
  }

  /// The context or an earlier layer that depends on it alone. Returns the number of its values.
  private func readContext(
    _ blocks: Blocks, _ earlier: EarlierLayers
  ) throws(Refusal) -> UInt64 {
    if layer.context < 2 {
      if layer.context == 1 && contextDim == 0 { throw refusal(blocks, FLOWRT_ERR_MALFORMED, 10, 1) }
      return contextDim
    }
    if layer.context <= number &+ 1 {
      let source = earlier[layer.context]
      if source.isContextOnly { return UInt64(source.width) }
    }
    throw refusal(blocks, FLOWRT_ERR_MALFORMED, 10, UInt64(layer.context))
  }

  /// degree_end: non-decreasing up to the width.
  private func readDegrees(_ blocks: inout Blocks, _ width: UInt64) throws(Refusal) -> Degrees {
    let start = blocks.next
    let table = try blocks.integers(stages)
    var previous: UInt64 = 0
    var g: UInt64 = 0
    while g < stages {
      let end = UInt64(table[Int(truncatingIfNeeded: g)])
      if end < previous || end > width || (g == stages &- 1 && end != width) {
        throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* g, expected: width, found: end)
      }
      previous = end
      g &+= 1
    }
    return Degrees(table: table)
  }

  /// A gate or an added layer: earlier, as wide, and final no later than the units that use it.
  private func readOperand(
    _ blocks: Blocks, _ earlier: EarlierLayers, _ field: UInt16, fieldAt: UInt64,
    scaledBit: UInt16, _ facts: inout LayerFacts
  ) throws(Refusal) {
    if field == 0 {
      if scaledBit != 0 { throw refusal(blocks, FLOWRT_ERR_MALFORMED, 20, UInt64(layer.scaled)) }
      return
    }
    if field == 1 || field > number &+ 1 { throw refusal(blocks, FLOWRT_ERR_MALFORMED, fieldAt, UInt64(field)) }
    let operand = earlier[field]
    if operand.width != facts.width {
      throw refusal(blocks, FLOWRT_ERR_MALFORMED, fieldAt, UInt64(operand.width), expected: UInt64(facts.width))
    }
    var g: UInt64 = 0
    while g < stages {
      if operand.degrees.count(g) < facts.degrees.count(g) {
        throw refusal(
          blocks, FLOWRT_ERR_MALFORMED, fieldAt, operand.degrees.count(g), expected: facts.degrees.count(g))
      }
      g &+= 1
    }
    if !operand.isContextOnly { facts.isContextOnly = false }
  }

  private func readWeights(
    _ blocks: inout Blocks, _ facts: LayerFacts, _ visible: Degrees, _ panels: UInt64, _ view: inout flowrt_view
  ) throws(Refusal) {
    /// Moves `degree` on to that of a unit; units are asked in ascending order, so all of it is linear.
    func advance(_ degree: inout UInt64, to unit: UInt64) -> UInt64 {
      while degree < stages &- 1 && facts.degrees.count(degree) <= unit { degree &+= 1 }
      return visible.count(degree)
    }
    let width = UInt64(facts.width)
    var lines: UInt64 = 0
    var panelDegree: UInt64 = 0
    var panel: UInt64 = 0
    while panel < panels {
      lines &+= advance(&panelDegree, to: min(panel &* 16 &+ 15, width &- 1))
      panel &+= 1
    }
    var seen: UInt64 = 0
    var g: UInt64 = 0
    while g < stages {
      let units = facts.degrees.count(g)
      view.parameter_count &+= (units &- seen) &* visible.count(g)
      seen = units
      g &+= 1
    }
    panelDegree = 0
    var unitDegree: UInt64 = 0
    try blocks.panels(
      width: width, lines: lines,
      panelLines: { advance(&panelDegree, to: min($0 &* 16 &+ 15, width &- 1)) },
      visible: { advance(&unitDegree, to: $0) })
  }
}
