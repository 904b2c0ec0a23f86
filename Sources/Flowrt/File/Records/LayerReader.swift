// Validates the layers of a conditioner or an encoder, and the encoder itself (docs/FORMAT.md sections 2.6, 3, 4).

import CFlowrt
import FlowrtShim

/// What later layers need to know of an earlier one.
private struct LayerFacts {
  /// Where the degrees of its units end.
  var degrees = Degrees()
  /// Its units, without padding.
  var width: UInt32 = 0
  /// Whether all that it is made of depends on the context alone (section 4).
  var isContextOnly = false
}

/// The table of the layers so far, where it stands on the stack: an InlineArray as an argument is copied.
private struct EarlierLayers {
  /// One entry for each layer of the network. Those below the layer at hand are filled.
  let facts: UnsafePointer<LayerFacts>

  /// The layer of a reference, where 2 is the first. On entry 2 <= reference <= number + 1 holds, with the number of
  /// the layer at hand: what lies beyond is not filled yet.
  subscript(reference: UInt16) -> LayerFacts { facts[Int(reference) &- 2] }
}

/// The layers of a conditioner or encoder, as a step has them.
struct Network {
  /// Records of layers that follow: 1 to 128, and no more than the file has (checkLayerCount).
  let layerCount: UInt16
  /// S, the degrees that units can have. 1 where there is no read side.
  var stages: UInt64 = 1
  /// Floats of context that the layers see: C in the encoder, E behind it.
  let contextDim: UInt32
  /// Degrees of the read side, nil in a network of the context alone, which has none.
  var inputs: Degrees? = nil
  /// Degrees of the last layer's units where they are known: they are not stored then.
  var outputs: Degrees? = nil
  /// Width that the last layer must have; 0 for any.
  var outputWidth: UInt64 = 0
  /// Whether it is the context encoder.
  var isEncoder = false
}

extension Reader {
  /// The context encoder: the first record, if there is one. Its outputs are the context of all steps.
  mutating func readEncoder(_ record: Record) throws(Refusal) {
    let count = record.step.layer_count
    // Steps that came before would have been checked against another width of the context.
    if record.index != 0 {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_RECORD_KIND, UInt64(RecordKind.encoder.rawValue))
    }
    try record.requireZero(from: FLOWRT_RECORD_FIELDS, upTo: FLOWRT_STEP_LAYER_COUNT)
    try record.requireZero(from: FLOWRT_STEP_TRANSFORMER)
    try checkLayerCount(record)
    // Without a context the encoder would have no input (section 2.6).
    if header.context_dim == 0 {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_RECORD_KIND, UInt64(RecordKind.encoder.rawValue))
    }
    let (size, width) = try readLayers(
      Network(layerCount: count, contextDim: header.context_dim, isEncoder: true))
    // From here on the steps and the base see the outputs of the last layer.
    view.encoder_size = size
    view.encoder_layers = UInt32(count)
    view.encoded_dim = width
  }

  /// Checks the field layer_count of a step, encoder or base. It makes two things safe: the table of 128 entries in
  /// `readLayers`, and its calls of `nextRecord` without a further check.
  func checkLayerCount(_ record: Record) throws(Refusal) {
    let count = UInt32(record.step.layer_count)
    func refuse(_ status: flowrt_status, expected: UInt32) throws(Refusal) {
      throw record.refusal(status, FLOWRT_STEP_LAYER_COUNT, UInt64(count), expected: UInt64(expected))
    }
    if count == 0 { try refuse(FLOWRT_ERR_MALFORMED, expected: 1) }
    if count > maximumLayers { try refuse(FLOWRT_ERR_LIMIT, expected: maximumLayers) }
    if count > recordsLeft { try refuse(FLOWRT_ERR_MALFORMED, expected: recordsLeft) }
  }

  /// Reads the layers that a step or base evaluates. Only one of these networks runs at a time, so the activations have
  /// the size of the largest.
  mutating func readConditioner(_ network: Network) throws(Refusal) {
    view.activations_size = max(view.activations_size, try readLayers(network).size)
    view.network_count &+= 1
  }

  /// Returns the units of all layers, each padded to 16, and the width of the last.
  @inline(never)  // so that its table is on the stack once, and not while other records are read
  private mutating func readLayers(_ network: Network) throws(Refusal) -> (size: UInt64, lastWidth: UInt32) {
    // As many entries as `maximumLayers`.
    var table = InlineArray<128, LayerFacts>(repeating: LayerFacts())
    return try withUnsafeMutablePointer(to: &table) { table throws(Refusal) in
      let facts = UnsafeMutableRawPointer(table).assumingMemoryBound(to: LayerFacts.self)
      var size: UInt64 = 0
      var width: UInt32 = 0
      for number in 0..<network.layerCount {
        let layer = LayerReader(
          record: nextRecord(), network: network, number: number, earlier: EarlierLayers(facts: facts))
        facts[Int(number)] = try layer.read(&self)
        width = facts[Int(number)].width
        // At most 128 layers of 2^24 units: the plan's offsets, which count these in 32 bits, do not wrap around.
        size &+= layer.layer.room
      }
      view.layer_count &+= UInt32(network.layerCount)
      return (size, width)
    }
  }
}

/// One layer, and what it needs to know of its network: the fields that refer to other layers can refer to earlier ones
/// alone.
private struct LayerReader {
  /// The record of the layer.
  let record: Record
  let network: Network
  /// Its place in the network, from 0.
  let number: UInt16
  let earlier: EarlierLayers

  fileprivate var layer: flowrt_layer_record { record.layer }
  private var width: UInt64 { UInt64(layer.width) }
  private var panels: UInt64 { Flowrt.panels(of: width) }
  /// Whether it is the last of its network.
  private var isOutput: Bool { number &+ 1 == network.layerCount }

  /// Checks the fields that can be judged alone, the degrees, what fields and degrees say about each other, and the
  /// parameters.
  /// The blocks must be taken in the order of section 4.1: ends first, then parameters.
  func read(_ reader: inout Reader) throws(Refusal) -> LayerFacts {
    let (activation, operation) = try checkFields()
    let contextLines = try checkContext()
    // The output layer of a step has known degrees, and no block of ends.
    let outputs = isOutput ? network.outputs : nil
    let degrees = try reader.blocks.layerEnds(layer, stages: network.stages, outputs: outputs)
    let gate = try checkOperand(layer.gate, FLOWRT_LAYER_GATE, isScaled: false, degrees)
    let add0 = try checkOperand(layer.add.0, FLOWRT_LAYER_ADD, isScaled: layer.scaled & 1 != 0, degrees)
    let add1 = try checkOperand(layer.add.1, FLOWRT_LAYER_ADD &+ 2, isScaled: layer.scaled & 2 != 0, degrees)
    let add2 = try checkOperand(layer.add.2, FLOWRT_LAYER_ADD &+ 4, isScaled: layer.scaled & 4 != 0, degrees)
    // A layer depends on the context alone if all that it is made of does. Such layers are evaluated once for each
    // context.
    let hasConstantSource = layer.source >= 2 && earlier[layer.source].isContextOnly
    let isContextOnly =
      outputs == nil && (layer.source == 0 || hasConstantSource) && gate && add0 && add1 && add2
    if operation != .dense {
      try readPlane(&reader, operation, degrees, contextLines: contextLines)
      return LayerFacts(degrees: degrees, width: layer.width, isContextOnly: isContextOnly)
    }
    // Layer norm needs all units of its layer at once, and those of a masked layer become known one after the other.
    if activation == .layerNorm && !isContextOnly {
      throw refusal(FLOWRT_LAYER_ACTIVATION, UInt64(layer.activation))
    }
    // Nothing of the read side stands before it: all of its units have the first degree.
    if isContextOnly && degrees.count(0) != width {
      throw refusal(FLOWRT_LAYER_SOURCE, degrees.count(0), expected: width)
    }

    // checkFields made sure that source 1 has a read side. A layer with source 0 has no weights, whatever `inputs` is.
    let inputs = layer.source < 2 ? network.inputs : earlier[layer.source].degrees
    _ = try reader.blocks.layer(layer, units: degrees, inputs: inputs, contextLines: contextLines)
    // What follows counts parameters without padding: the bias, then each optional part.
    var parameters = width
    for bit: UInt16 in 0..<3 where layer.scaled >> bit & 1 != 0 { parameters &+= width }
    if layer.context != 0 { parameters &+= width &* contextLines }
    if layer.source != 0 {
      parameters &+= weightCount(degrees, inputs ?? Degrees())
      // The plan keeps the first line of each panel of these weights (Plan.swift).
      reader.view.panel_count &+= panels
    }
    reader.view.parameter_count &+= parameters
    if !activation.slopeIsOfValue(layer.a) || layer.gate != 0 { reader.view.keeps_sums = 1 }
    // The plan and this line decide by the same function, so the plan never takes more than was counted.
    reader.view.prologue_size &+= flowrt_prologue_floats(
      false, isContextOnly, hasConstantSource, layer.source != 0, layer.context != 0, panels)
    return LayerFacts(degrees: degrees, width: layer.width, isContextOnly: isContextOnly)
  }

  /// What most refusals of a layer are.
  private func refusal(_ field: Int, _ found: UInt64, expected: UInt64 = 0) -> Refusal {
    record.refusal(FLOWRT_ERR_MALFORMED, field, found, expected: expected)
  }

  /// Checks the fields that need no block and no other layer but the bounds of `source`.
  private func checkFields() throws(Refusal) -> (Activation, LayerOperation) {
    if RecordKind(rawValue: layer.kind) != .layer {
      throw refusal(FLOWRT_RECORD_KIND, UInt64(layer.kind), expected: UInt64(RecordKind.layer.rawValue))
    }
    // A code and its constant, together.
    let activation = try checkActivation()
    if width == 0 { throw refusal(FLOWRT_LAYER_WIDTH, 0, expected: 1) }
    // Up to 2^24 units, products of a width and 32-bit counts stay within 64 bits.
    if width > maximumWidth {
      throw record.refusal(FLOWRT_ERR_LIMIT, FLOWRT_LAYER_WIDTH, width, expected: maximumWidth)
    }
    // Transformers read P parameters for each rank from the last layer: a narrower one would be read past its end.
    if isOutput && network.outputWidth != 0 && width != network.outputWidth {
      throw refusal(FLOWRT_LAYER_WIDTH, width, expected: network.outputWidth)
    }
    let operation: LayerOperation = try record.code(FLOWRT_LAYER_OPERATION, layer.operation)
    switch operation {
    case .dense, .gather: try record.requireZero(from: FLOWRT_LAYER_PLANE)
    case .convolution, .depthwiseConvolution, .maxPooling: try record.checkPlane(operation)
    }
    // 0: no source; 1: the read side, which an encoder has not; from 2 on: an earlier layer.
    if layer.source > number &+ 1 || (layer.source == 1 && network.inputs == nil) {
      throw refusal(FLOWRT_LAYER_SOURCE, UInt64(layer.source))
    }
    // One bit for each of the three added layers.
    if layer.scaled > 7 { throw refusal(FLOWRT_LAYER_SCALED, UInt64(layer.scaled)) }
    return (activation, operation)
  }

  /// The activation and its parameter `a`.
  private func checkActivation() throws(Refusal) -> Activation {
    let activation: Activation = try record.code(FLOWRT_LAYER_ACTIVATION, layer.activation)
    if !activation.allows(layer.a) { throw refusal(FLOWRT_LAYER_A, UInt64(layer.a.bitPattern)) }
    return activation
  }

  /// Checks what the context weights multiply: the context (1), or an earlier layer that depends on it alone (from 2
  /// on). Returns the number of its values, which are the lines of the weight panels.
  private func checkContext() throws(Refusal) -> UInt64 {
    if layer.context < 2 {
      if layer.context == 1 && network.contextDim == 0 { throw refusal(FLOWRT_LAYER_CONTEXT, 1) }
      return UInt64(network.contextDim)
    }
    // `earlier` is filled up to number - 1, which reference number + 1 stands for.
    if layer.context <= number &+ 1 {
      let source = earlier[layer.context]
      if source.isContextOnly { return UInt64(source.width) }
    }
    throw refusal(FLOWRT_LAYER_CONTEXT, UInt64(layer.context))
  }

  /// Checks a gate or an added layer, or none (0). It is earlier, as wide as this layer, and final no later than the
  /// units that use it. Returns whether it depends on the context alone. `isScaled`: it has a vector of factors.
  private func checkOperand(
    _ reference: UInt16, _ field: Int, isScaled: Bool, _ degrees: Degrees
  ) throws(Refusal) -> Bool {
    if reference == 0 {
      if isScaled { throw refusal(FLOWRT_LAYER_SCALED, UInt64(layer.scaled)) }
      return true
    }
    // The read side cannot be added: it has ranks, not units.
    if reference == 1 || reference > number &+ 1 { throw refusal(field, UInt64(reference)) }
    let operand = earlier[reference]
    // Kernels combine both unit by unit, over this layer's width.
    if operand.width != layer.width { throw refusal(field, UInt64(operand.width), expected: width) }
    var g: UInt64 = 0
    // Section 4: otherwise a unit would use a value that is not computed yet.
    while g < network.stages {
      let (final, needed) = (operand.degrees.count(g), degrees.count(g))
      if final < needed { throw refusal(field, final, expected: needed) }
      g &+= 1
    }
    return operand.isContextOnly
  }

  /// Weights that are parameters: for each degree its units, times the inputs that they see.
  private func weightCount(_ degrees: Degrees, _ inputs: Degrees) -> UInt64 {
    var count: UInt64 = 0
    var seen: UInt64 = 0
    var g: UInt64 = 0
    while g < network.stages {
      let units = degrees.count(g)
      // units >= seen, since ends do not decrease.
      count &+= (units &- seen) &* inputs.count(g)
      seen = units
      g &+= 1
    }
    return count
  }

  /// What fields, degrees and input of a plane layer say about each other, and its blocks. `contextLines`: units of
  /// what `context` names.
  private func readPlane(
    _ reader: inout Reader, _ operation: LayerOperation, _ degrees: Degrees, contextLines: UInt64
  ) throws(Refusal) {
    // A depthwise convolution has factors; a norm would be one over all pixels.
    if layer.scaled != 0 { throw refusal(FLOWRT_LAYER_SCALED, UInt64(layer.scaled)) }
    if layer.activation == Activation.layerNorm.rawValue {
      throw refusal(FLOWRT_LAYER_ACTIVATION, UInt64(layer.activation))
    }
    if layer.source != 0 && layer.context != 0 && !operation.isConvolution {
      throw refusal(FLOWRT_LAYER_CONTEXT, UInt64(layer.context))
    }
    // All units are evaluated at once: they have one degree.
    var degree: UInt64 = 0
    while degrees.count(degree) == 0 { degree &+= 1 }  // the last count is the width
    if degrees.count(degree) != width { throw refusal(FLOWRT_LAYER_WIDTH, degrees.count(degree), expected: width) }

    let inputs = try checkInput(degree, contextLines: contextLines)
    let needed = UInt64(layer.plane.0) &* UInt64(layer.plane.1) &* UInt64(layer.in_channels)
    let isRanks = layer.source == 1
    // Of the read side the plane is the first ranks. Otherwise it is all units of the input.
    if operation != .gather && (isRanks ? needed > inputs : needed != inputs) {
      throw refusal(FLOWRT_LAYER_PLANE, needed, expected: inputs)
    }
    _ = try reader.blocks.plane(layer, operation, inputs: inputs, contextLines: contextLines)
    reader.view.note(layer, operation, isEncoder: network.isEncoder, contextLines: contextLines)
  }

  /// Units of the input that this layer may see: of the read side, of an earlier layer, or of the context.
  private func checkInput(_ degree: UInt64, contextLines: UInt64) throws(Refusal) -> UInt64 {
    switch layer.source {
    case 0:
      // Outside of the encoder a plane would be made of the context for each step anew.
      if layer.context == 0 || !network.isEncoder { throw refusal(FLOWRT_LAYER_SOURCE, 0) }
      return contextLines
    case 1: return network.inputs.unsafelyUnwrapped.count(degree)
    default:
      let source = earlier[layer.source]
      if source.isContextOnly && !network.isEncoder { throw refusal(FLOWRT_LAYER_SOURCE, UInt64(layer.source)) }
      return source.degrees.count(degree)
    }
  }
}
