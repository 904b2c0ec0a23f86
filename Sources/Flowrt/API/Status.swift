// Statuses: the values of include/flowrt.h as results, and a refusal with its place.

import CFlowrt
import FlowrtShim

@implementation @_cdecl("flowrt_status_message")
public func flowrt_status_message(_ status: flowrt_status) -> UnsafePointer<CChar>! {
  flowrt_status_text(status.rawValue)
}

/// Why a model file is refused. Becomes a flowrt_error_detail.
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
