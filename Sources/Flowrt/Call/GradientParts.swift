// What a gradient needs besides the arguments and the workspace of the other verbs.

import CFlowrt
import FlowrtShim

/// Not for some parts of a model; nor, for the size of the library, on x86-64 without fused multiply-add, whose level
/// would be one more copy of the derivatives.
func hasGradient(_ view: flowrt_view) -> Bool {
  #if FLOWRT_BASELINE_HAS_NO_GRADIENT
    if view.level == 1 { return false }
  #endif
  return view.no_gradient == 0
}

extension flowrt_gradient {
  /// The parts of the workspace, and the outputs, dim and context_dim floats for each row, or nil.
  init(
    _ view: flowrt_view, _ layout: GradientLayout, _ workspace: UnsafeMutableRawPointer,
    byX: UnsafeMutablePointer<Float>?, byContext: UnsafeMutablePointer<Float>?
  ) {
    func part(_ offset: UInt64) -> UnsafeMutablePointer<Float> {
      (workspace + Int(truncatingIfNeeded: offset)).assumingMemoryBound(to: Float.self)
    }
    let keepsSums = view.keeps_sums != 0
    self.init(
      x_output: byX, context_output: byContext, accumulate: transposedProduct(view.level), units: part(layout.units),
      sums: keepsSums ? part(layout.sums) : nil, encoder_sums: keepsSums ? part(layout.encoderSums) : nil,
      sides: part(layout.sides), by_state: part(layout.byState), by_read: part(layout.byRead),
      by_units: part(layout.byUnits), by_context: part(layout.byContext),
      by_callers_context: part(layout.byCallersContext), columns: part(layout.columns))
  }
}

private func transposedProduct(_ level: UInt32) -> flowrt_transposed_product {
  #if FLOWRT_LEVELS_3
    return level == 3 ? flowrt_transposed_level3 : flowrt_transposed_level2
  #else
    return flowrt_transposed
  #endif
}
