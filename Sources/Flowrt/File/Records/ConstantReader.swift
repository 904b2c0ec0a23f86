// Validates the steps without a network whose numbers are constants: diagonal, linear and pixelwise linear
// (docs/FORMAT.md sections 2.2, 2.3, 2.8).

import CFlowrt
import FlowrtShim

extension Reader {
  /// What diagonal and linear steps share: a finite log_det, and no other field.
  private func checkLogDet(_ record: Record) throws(Refusal) {
    try record.requireZero(from: FLOWRT_RECORD_FIELDS, upTo: FLOWRT_CONSTANT_LOG_DET)
    try record.requireZero(from: FLOWRT_CONSTANT_RESERVED)
    // log_det, an f64 at offset 8, is added to every result, so it is checked without `verify` too.
    let logDet = record.constant.log_det
    if logDet - logDet != 0 {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_CONSTANT_LOG_DET, logDet.bitPattern)
    }
  }

  /// w = scale v + shift, without a scale of zero, which could not be undone.
  mutating func readDiagonal(_ record: Record) throws(Refusal) {
    try checkLogDet(record)
    _ = try blocks.diagonal(dim)
    view.parameter_count &+= 2 &* dim
  }

  /// w = M v + shift. Two D x D matrices and a shift. Whether the second matrix is the inverse of the first is not
  /// checked: that would cost D^3, and the writer makes both in float64.
  mutating func readLinear(_ record: Record) throws(Refusal) {
    try checkLogDet(record)
    _ = try blocks.linear(dim)
    view.parameter_count &+= (2 &* dim &+ 1) &* dim
  }

  /// The same for the channels of each pixel, of those coordinates that the step names: an invertible 1x1 convolution.
  /// Fields: channels, log_det of all pixels, pixels.
  mutating func readPixelwise(_ record: Record) throws(Refusal) {
    let step = record.pixelwise
    try record.requireZero(from: FLOWRT_PIXELWISE_RESERVED0, upTo: FLOWRT_PIXELWISE_CHANNELS)
    try record.requireZero(from: FLOWRT_PIXELWISE_RESERVED)
    let channels = UInt64(step.channels)
    // Two 32-bit numbers: no wrap-around.
    let (units, logDet) = (channels &* UInt64(step.pixels), step.log_det)
    // The limit keeps the two matrices, channels^2 each, far below 2^64.
    if channels == 0 || channels > maximumPixelwiseChannels {
      let status = channels == 0 ? FLOWRT_ERR_MALFORMED : FLOWRT_ERR_LIMIT
      throw record.refusal(status, FLOWRT_PIXELWISE_CHANNELS, channels, expected: maximumPixelwiseChannels)
    }
    // All units are different coordinates, so there are no more than D.
    if units == 0 || units > dim {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_PIXELWISE_PIXELS, UInt64(step.pixels), expected: dim / channels)
    }
    if logDet - logDet != 0 {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_PIXELWISE_LOG_DET, logDet.bitPattern)
    }
    // The coordinates, which are checked, both matrices and a shift.
    _ = try blocks.pixelwise(step, dim)
    view.parameter_count &+= (2 &* channels &+ 1) &* channels
    // Pixels before the map, and after it with channels in whole panels.
    view.planes_size = max(view.planes_size, 2 &* UInt64(step.pixels) &* paddedTo16(channels) &+ UInt64(laneSlack))
    // Pixels are the rows of its product, so rows are evaluated one by one.
    view.has_step_planes = 1
    view.no_gradient = 1
  }
}
