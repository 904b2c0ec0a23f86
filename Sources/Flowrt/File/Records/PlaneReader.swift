// Validates the records of convolutions and poolings (docs/FORMAT.md section 4.3). What they say about other layers,
// and gathers: LayerReader.swift.
//
// Kernels copy the input plane into a scratch, write whole panels of channels for each output pixel, and go by the
// record. So after this no product of its fields wraps around, and both planes fit what the workspace sets aside.

import CFlowrt
import FlowrtShim

extension flowrt_layer_record {
  /// The input plane with its border: three 16-bit numbers for each side, so below 2^36 pixels.
  var borderedHeight: UInt64 { UInt64(plane.0) &+ UInt64(pad.0) &+ UInt64(pad.1) }
  var borderedWidth: UInt64 { UInt64(plane.1) &+ UInt64(pad.2) &+ UInt64(pad.3) }
}

extension Record {
  /// What most refusals here are. `field`: its offset in the record.
  private func malformed(_ field: Int, _ found: UInt64, expected: UInt64 = 0) -> Refusal {
    refusal(FLOWRT_ERR_MALFORMED, field, found, expected: expected)
  }

  /// Checks the fields of a convolution or pooling, and the width, which follows from them. On entry the width is
  /// within its limit.
  func checkPlane(_ operation: LayerOperation) throws(Refusal) {
    /// Of two neighbouring fields, both must be at least 1.
    func requirePositive(_ field: Int, _ first: UInt16, _ second: UInt16) throws(Refusal) {
      if first == 0 { throw malformed(field, 0, expected: 1) }
      if second == 0 { throw malformed(field &+ 2, 0, expected: 1) }
    }
    try requirePositive(FLOWRT_LAYER_PLANE, layer.plane.0, layer.plane.1)
    // Without channels a plane would have no units, and the room of its layer would be that of a dense one.
    if layer.in_channels == 0 { throw malformed(FLOWRT_LAYER_IN_CHANNELS, 0, expected: 1) }
    let keepsChannels = operation != .convolution
    if layer.channels == 0 || (keepsChannels && layer.channels != layer.in_channels) {
      let expected = keepsChannels ? UInt64(layer.in_channels) : 1
      throw malformed(FLOWRT_LAYER_CHANNELS, UInt64(layer.channels), expected: expected)
    }
    // A kernel without taps has no weights, a stride of 0 would divide by zero, and a dilation of 0 would take one tap
    // again and again.
    try requirePositive(FLOWRT_LAYER_KERNEL, layer.kernel.0, layer.kernel.1)
    try requirePositive(FLOWRT_LAYER_STRIDE, layer.stride.0, layer.stride.1)
    try requirePositive(FLOWRT_LAYER_DILATION, layer.dilation.0, layer.dilation.1)
    try requireZero(from: FLOWRT_LAYER_RESERVED)
    // Pixels first, since with all channels the product could wrap around. A kernel fits into the bordered plane, so
    // its taps times the channels are bounded by this, too: the lines of its weights fit 32 bits.
    let pixels = layer.borderedHeight &* layer.borderedWidth
    try requirePlane(pixels, layer.in_channels, FLOWRT_LAYER_IN_CHANNELS)
    let rows = try places(layer.borderedHeight, layer.kernel.0, layer.stride.0, layer.dilation.0, FLOWRT_LAYER_KERNEL)
    let columns = try places(
      layer.borderedWidth, layer.kernel.1, layer.stride.1, layer.dilation.1, FLOWRT_LAYER_KERNEL &+ 2)
    try requirePlane(rows &* columns, layer.channels, FLOWRT_LAYER_CHANNELS)
    // At most 2^24, by the line above.
    let units = rows &* columns &* UInt64(layer.channels)
    // A pooling has no weights, whose bytes bound the work of a convolution.
    let taps = UInt64(layer.kernel.0) &* UInt64(layer.kernel.1)
    if operation == .maxPooling && units &* taps > maximumPooled {
      throw refusal(FLOWRT_ERR_LIMIT, FLOWRT_LAYER_KERNEL, taps, expected: maximumPooled)
    }
    if UInt64(layer.width) != units { throw malformed(FLOWRT_LAYER_WIDTH, UInt64(layer.width), expected: units) }
  }

  /// Refuses a plane that is too large with its channels in whole panels. `field`: that of the channels.
  private func requirePlane(_ pixels: UInt64, _ channels: UInt32, _ field: Int) throws(Refusal) {
    if pixels > maximumPlane || pixels &* paddedTo16(UInt64(channels)) > maximumPlane {
      throw refusal(FLOWRT_ERR_LIMIT, field, UInt64(channels), expected: maximumPlane)
    }
  }

  /// How many places a kernel has along one side of the plane, which is at least as long.
  private func places(
    _ length: UInt64, _ kernel: UInt16, _ stride: UInt16, _ dilation: UInt16, _ field: Int
  ) throws(Refusal) -> UInt64 {
    let extent = UInt64(dilation) &* (UInt64(kernel) &- 1) &+ 1
    // Below, length - extent does not wrap around.
    if extent > length { throw malformed(field, UInt64(kernel)) }
    // The stride is positive. The compiler does not know it, and would add a trap for a division by zero.
    return (length &- extent) / max(UInt64(stride), 1) &+ 1
  }
}

extension flowrt_view {
  /// Notes what a plan, a workspace and a call need to know of a plane layer.
  mutating func note(_ layer: flowrt_layer_record, _ operation: LayerOperation, isEncoder: Bool, contextLines: UInt64) {
    let bordered = layer.borderedHeight &* layer.borderedWidth &* UInt64(layer.in_channels)
    // A gather has no plane, and still a scratch: its size tells that there are plane layers.
    planes_size = max(planes_size, bordered &+ UInt64(laneSlack))
    no_gradient = 1
    // Planes of a step are evaluated row by row; those of the encoder for one context at a time, and then in tiles.
    if isEncoder { has_encoder_planes = 1 } else { has_step_planes = 1 }
    if !operation.isConvolution { return }
    // Without padding: for each channel a bias, its taps and, besides an input, the context's weights.
    let channels = UInt64(layer.channels)
    let hasContext = layer.source != 0 && layer.context != 0
    parameter_count &+= channels &* (1 &+ layer.lines(operation) &+ (hasContext ? contextLines : 0))
    // By the same function as the plan, which never takes more than was counted.
    prologue_size &+= flowrt_prologue_floats(
      true, false, false, layer.source != 0, layer.context != 0, Flowrt.panels(of: channels))
  }
}
