// The gradient of log p.

import CFlowrt
import FlowrtShim

@c(flowrt_gradient_workspace_size) @implementation
public func flowrt_gradient_workspace_size(_ model: UnsafePointer<flowrt_model>!, _ count: Int) -> Int {
  guard let view = openView(model) else { return 0 }
  let size = gradientWorkspaceSize(view.pointee, UInt64(UInt(bitPattern: count)))
  // Beyond the address space of a 32-bit machine: no workspace is large enough.
  return size > UInt64(Int.max) ? Int(bitPattern: UInt.max) : Int(truncatingIfNeeded: size)
}

@c(flowrt_log_prob_gradient) @implementation
public func flowrt_log_prob_gradient(
  _ model: UnsafePointer<flowrt_model>!, _ count: Int, _ x: UnsafePointer<Float>!,
  _ context: UnsafePointer<Float>!, _ context_rows: Int,
  _ log_prob: UnsafeMutablePointer<Float>!, _ x_gradient: UnsafeMutablePointer<Float>!,
  _ context_gradient: UnsafeMutablePointer<Float>!,
  _ workspace: UnsafeMutableRawPointer!, _ workspace_size: Int
) -> flowrt_status {
  Arguments(
    verb: Int(FLOWRT_VERB_GRADIENT), count: count, input: x, context: context, contextRows: context_rows,
    output: x_gradient, logOutput: log_prob, workspace: workspace, workspaceSize: workspace_size,
    contextGradient: context_gradient
  ).run(
    model, hasRequiredPointers: x != nil && (log_prob != nil || x_gradient != nil || context_gradient != nil))
}
