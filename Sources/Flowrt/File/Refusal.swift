// Why a model file is refused, and where.

import CFlowrt
import FlowrtShim

/// A status with its place in the file. The caller of flowrt_model_open gets it as a flowrt_error_detail.
struct Refusal: Error {
  let status: flowrt_status
  var record: Int32 = -1
  var offset: UInt64 = 0
  var expected: UInt64 = 0
  var found: UInt64 = 0

  var detail: flowrt_error_detail {
    flowrt_error_detail(
      status: status.rawValue, record: record, offset: offset, expected: expected, found: found)
  }
}
