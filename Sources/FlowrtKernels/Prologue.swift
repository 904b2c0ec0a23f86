// The prologue: the part of every conditioner that depends on the context alone.
//
// For a layer with context weights: bias + W_context context, from which its accumulators start. For a layer that depends on
// the context alone: its values. Computed for one context; once for a whole call if all rows share it.

import FlowrtShim

/// Fills the prologue of all steps for one context (nil if the model takes none).
func makePrologue(_ call: flowrt_call, _ context: UnsafePointer<Float>?) {
  let contextDim = Int(call.view.pointee.context_dim)
  for index in 0..<Int(call.view.pointee.step_count) {
    let step = call.steps + index
    if step.pointee.record.pointee.kind != UInt16(FLOWRT_RECORD_AUTOREGRESSIVE) { continue }
    let layers = step.pointee.layers!
    for number in 0..<Int(step.pointee.record.pointee.layer_count) {
      let layer = layers + number
      let isContextOnly = layer.pointee.context_only != 0
      if !isContextOnly && layer.pointee.context_weights == nil { continue }
      let target = layer.pointee.start!
      let panels = Int(layer.pointee.panels)
      for panel in 0..<panels { target.store(layer.pointee.bias.lanes(panel &* 16), panel &* 16) }
      if let weights = layer.pointee.context_weights, let context {
        for panel in 0..<panels {
          var line = UInt32(truncatingIfNeeded: panel &* contextDim)
          accumulateColumns(
            target + panel &* 16, weights, &line, context, panels: 1, from: 0, to: contextDim, keep: 0)
        }
      }
      if isContextOnly {
        @inline(__always) func operand(_ index: Int32) -> Operand {
          Operand(values: index == noLayer ? nil : UnsafePointer(layers[Int(index)].start), isShared: false)
        }
        finishLayer(
          layer, values: target, rows: 1, 0, Int(layer.pointee.width),
          add0: operand(layer.pointee.add.0), add1: operand(layer.pointee.add.1), add2: operand(layer.pointee.add.2),
          gate: operand(layer.pointee.gate))
      }
    }
  }
}
