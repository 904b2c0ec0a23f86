// The four verbs of the API.

import CFlowrt
import FlowrtShim

@c(flowrt_forward) @implementation
public func flowrt_forward(
  _ model: UnsafePointer<flowrt_model>!, _ count: Int, _ x: UnsafePointer<Float>!,
  _ context: UnsafePointer<Float>!, _ context_rows: Int,
  _ z: UnsafeMutablePointer<Float>!, _ log_det: UnsafeMutablePointer<Float>!,
  _ workspace: UnsafeMutableRawPointer!, _ workspace_size: Int
) -> flowrt_status {
  Arguments(
    verb: FLOWRT_VERB_FORWARD, count: count, input: x, context: context, contextRows: context_rows, output: z,
    logOutput: log_det, workspace: workspace, workspaceSize: workspace_size
  ).run(model, hasRequiredPointers: x != nil && (z != nil || log_det != nil))
}

@c(flowrt_inverse) @implementation
public func flowrt_inverse(
  _ model: UnsafePointer<flowrt_model>!, _ count: Int, _ z: UnsafePointer<Float>!,
  _ context: UnsafePointer<Float>!, _ context_rows: Int,
  _ x: UnsafeMutablePointer<Float>!, _ log_det: UnsafeMutablePointer<Float>!,
  _ workspace: UnsafeMutableRawPointer!, _ workspace_size: Int
) -> flowrt_status {
  Arguments(
    verb: FLOWRT_VERB_INVERSE, count: count, input: z, context: context, contextRows: context_rows, output: x,
    logOutput: log_det, workspace: workspace, workspaceSize: workspace_size
  ).run(model, hasRequiredPointers: z != nil && x != nil)
}

@c(flowrt_log_prob) @implementation
public func flowrt_log_prob(
  _ model: UnsafePointer<flowrt_model>!, _ count: Int, _ x: UnsafePointer<Float>!,
  _ context: UnsafePointer<Float>!, _ context_rows: Int,
  _ log_prob: UnsafeMutablePointer<Float>!,
  _ workspace: UnsafeMutableRawPointer!, _ workspace_size: Int
) -> flowrt_status {
  Arguments(
    verb: FLOWRT_VERB_LOG_PROB, count: count, input: x, context: context, contextRows: context_rows,
    logOutput: log_prob, workspace: workspace, workspaceSize: workspace_size
  ).run(model, hasRequiredPointers: x != nil && log_prob != nil)
}

@c(flowrt_sample) @implementation
public func flowrt_sample(
  _ model: UnsafePointer<flowrt_model>!, _ count: Int, _ rng: UnsafeMutablePointer<flowrt_rng>!,
  _ context: UnsafePointer<Float>!, _ context_rows: Int,
  _ x: UnsafeMutablePointer<Float>!, _ log_prob: UnsafeMutablePointer<Float>!,
  _ workspace: UnsafeMutableRawPointer!, _ workspace_size: Int
) -> flowrt_status {
  let status = Arguments(
    verb: FLOWRT_VERB_SAMPLE, count: count, context: context, contextRows: context_rows, output: x,
    logOutput: log_prob, workspace: workspace, workspaceSize: workspace_size, rng: rng
  ).run(model, hasRequiredPointers: rng != nil && x != nil)
  if let rng, status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE {
    rng.pointee.index &+= UInt64(UInt(bitPattern: count))
  }
  return status
}
