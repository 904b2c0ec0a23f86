// Validates plane layers: convolutions, poolings and gathers (docs/FORMAT.md section 4.3).

import CFlowrt
import FlowrtShim

extension flowrt_layer_record {
  /// The input plane with its border. Below 2^36 pixels.
  var borderedHeight: UInt64 { UInt64(plane.0) &+ UInt64(pad.0) &+ UInt64(pad.1) }
  var borderedWidth: UInt64 { UInt64(plane.1) &+ UInt64(pad.2) &+ UInt64(pad.3) }
}

extension LayerReader {
  /// Checks the fields of a convolution or pooling, and the width, which follows from them.
  func checkPlane(_ operation: LayerOperation) throws(Refusal) {
    /// Of two neighbouring fields, both must be at least 1.
    func requirePositive(_ field: Int, _ first: UInt16, _ second: UInt16) throws(Refusal) {
      if first == 0 { throw refusal(field, 0, expected: 1) }
      if second == 0 { throw refusal(field &+ 2, 0, expected: 1) }
    }
    try requirePositive(FLOWRT_LAYER_PLANE, layer.plane.0, layer.plane.1)
    if layer.in_channels == 0 { throw refusal(FLOWRT_LAYER_IN_CHANNELS, 0, expected: 1) }
    let keepsChannels = operation != .convolution
    if layer.channels == 0 || (keepsChannels && layer.channels != layer.in_channels) {
      throw refusal(FLOWRT_LAYER_CHANNELS, UInt64(layer.channels), expected: keepsChannels ? UInt64(layer.in_channels) : 1)
    }
    try requirePositive(FLOWRT_LAYER_KERNEL, layer.kernel.0, layer.kernel.1)
    try requirePositive(FLOWRT_LAYER_STRIDE, layer.stride.0, layer.stride.1)
    try requirePositive(FLOWRT_LAYER_DILATION, layer.dilation.0, layer.dilation.1)
    try record.requireZero(from: FLOWRT_LAYER_RESERVED)
    // Pixels first, since with all channels the product could wrap around.
    let pixels = layer.borderedHeight &* layer.borderedWidth
    try requirePlane(pixels, UInt64(layer.in_channels), FLOWRT_LAYER_IN_CHANNELS)
    let rows = try places(layer.borderedHeight, layer.kernel.0, layer.stride.0, layer.dilation.0, FLOWRT_LAYER_KERNEL)
    let columns = try places(
      layer.borderedWidth, layer.kernel.1, layer.stride.1, layer.dilation.1, FLOWRT_LAYER_KERNEL &+ 2)
    try requirePlane(rows &* columns, paddedTo16(UInt64(layer.channels)), FLOWRT_LAYER_CHANNELS)
    let units = rows &* columns &* UInt64(layer.channels)
    if width != units { throw refusal(FLOWRT_LAYER_WIDTH, width, expected: units) }
  }

  /// Refuses a plane that is too large.
  private func requirePlane(_ pixels: UInt64, _ channels: UInt64, _ field: Int) throws(Refusal) {
    if pixels > maximumPlane || pixels &* channels > maximumPlane {
      throw record.refusal(FLOWRT_ERR_LIMIT, field, channels, expected: maximumPlane)
    }
  }

  /// How many places a kernel has along one side of the plane, which is at least as long.
  private func places(
    _ length: UInt64, _ kernel: UInt16, _ stride: UInt16, _ dilation: UInt16, _ field: Int
  ) throws(Refusal) -> UInt64 {
    let extent = UInt64(dilation) &* (UInt64(kernel) &- 1) &+ 1
    if extent > length { throw refusal(field, UInt64(kernel)) }
    return (length &- extent) / UInt64(stride) &+ 1
  }

  /// What fields, degrees and input say about each other, and the blocks. `contextLines`: units of what `context` names.
  func readPlane(
    _ reader: inout Reader, _ operation: LayerOperation, _ degrees: Degrees, contextLines: UInt64
  ) throws(Refusal) {
    // A convolution has factors of its own; a normalised plane would be one over all pixels.
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
    count(&reader.view, operation, contextLines: contextLines)
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

  /// Notes what a plan, a workspace and a call need to know of this layer.
  private func count(_ view: inout flowrt_view, _ operation: LayerOperation, contextLines: UInt64) {
    let bordered = layer.borderedHeight &* layer.borderedWidth &* UInt64(layer.in_channels)
    // A gather has no plane, and still a scratch: its size tells that there are plane layers.
    view.planes_size = max(view.planes_size, bordered &+ UInt64(laneSlack))
    view.no_gradient = 1
    if network.isEncoder { view.has_encoder_planes = 1 } else { view.has_step_planes = 1 }
    if !operation.isConvolution { return }
    let channels = UInt64(layer.channels)
    let hasContext = layer.source != 0 && layer.context != 0
    view.parameter_count &+= channels &* (1 &+ layer.lines(operation) &+ (hasContext ? contextLines : 0))
    view.prologue_size &+= flowrt_prologue_floats(
      true, false, false, layer.source != 0, layer.context != 0, Flowrt.panels(of: channels))
  }
}
