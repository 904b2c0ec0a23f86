// Statuses as text.

import CFlowrt
import FlowrtShim

@c(flowrt_status_message) @implementation
public func flowrt_status_message(_ status: flowrt_status) -> UnsafePointer<CChar>! {
  flowrt_status_text(status.rawValue)
}
