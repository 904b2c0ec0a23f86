// The prologue: the part of every conditioner that depends on the context alone.
//
// For a layer that is fed by the context, or by a layer that depends on the context alone: the sum of bias and those terms,
// from which its accumulators start. For a layer that depends on the context alone: its values. Computed for one context; once
// for a whole call if all rows share it.

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
      let hasConstantSource = layer.pointee.constant_source != 0
      if !isContextOnly && !hasConstantSource && layer.pointee.context_weights == nil { continue }
      let target = layer.pointee.start!
      let panels = Int(layer.pointee.panels)
      for panel in 0..<panels { target.store(layer.pointee.bias.lanes(panel &* 16), panel &* 16) }
      if let weights = layer.pointee.context_weights, let context {
        accumulateDense(target, weights, context, panels: panels, lines: contextDim)
      }
      if hasConstantSource {
        let source = layers + Int(layer.pointee.source)
        accumulateDense(
          target, layer.pointee.weights, UnsafePointer(source.pointee.start), panels: panels,
          lines: Int(source.pointee.width))
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

/// acc[u] += sum over all k of w[k][u] * source[k], for panels that all have `lines` lines.
func accumulateDense(
  _ acc: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>, panels: Int,
  lines: Int
) {
  for panel in 0..<panels {
    var firstLine = UInt32(truncatingIfNeeded: panel &* lines)
    accumulateColumns(acc + panel &* 16, weights, &firstLine, source, panels: 1, from: 0, to: lines, keep: 0)
  }
}
