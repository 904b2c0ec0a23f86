// Validates the steps without a network whose numbers are constants: diagonal and linear (docs/FORMAT.md sections 2.2,
// 2.3).

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
}
