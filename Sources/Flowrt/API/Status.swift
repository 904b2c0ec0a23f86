// Statuses as text.

import CFlowrt
import FlowrtShim

@implementation @_cdecl("flowrt_status_message")
public func flowrt_status_message(_ status: flowrt_status) -> UnsafePointer<CChar>! {
  flowrt_status_text(status.rawValue)
}
