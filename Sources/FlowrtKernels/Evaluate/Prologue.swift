// The prologue: the part of every conditioner that depends on the context alone.
//
// For a layer that is fed by the context, or by a layer that depends on the context alone: the sum of bias and those
// terms, from which its accumulators start. For a layer that depends on the context alone: its values. Computed for
// one context; once for a whole call if all rows share it.

import FlowrtShim

/// Fills the prologue of the encoder, of all steps and of the base for one context (nil if the model takes none).
/// `isEncoded`: the encoder has run, and this is its output.
func makePrologue(_ call: flowrt_call, _ context: UnsafePointer<Float>?, isEncoded: Bool) {
  let view = call.view.pointee
  // Nothing depends on the context alone, so no layer needs to be looked at.
  if view.prologue_size == 0 { return }
  var context = context
  var contextDim = Int(isEncoded ? view.encoded_dim : view.context_dim)
  if view.encoder_layers != 0 && !isEncoded {
    let layers = call.encoderPlan.pointee.layers!
    let count = Int(view.encoder_layers)
    makePrologue(call, layers, count, context, contextDim)
    context = UnsafePointer(layers[count &- 1].start)
    contextDim = Int(view.encoded_dim)
  }
  for index in 0...Int(view.step_count) {  // and the base
    let step = call.steps[index]
    switch RecordKind(rawValue: step.record.pointee.kind).unsafelyUnwrapped {
    case .autoregressive, .base:
      let count = Int(step.record.pointee.layer_count)
      if count > 0 { makePrologue(call, step.layers, count, context, contextDim) }
    // No step with layers.
    case .diagonal, .linear, .elementwise, .permutation, .encoder, .layer, .pixelwiseLinear: break
    }
  }
}

private func makePrologue(
  _ call: flowrt_call, _ layers: Layer, _ count: Int, _ context: UnsafePointer<Float>?, _ contextDim: Int
) {
  let conditioner = Conditioner(
    rows: 1, unitStride: 1, layers: layers, read: .init(base: call.read, stride: 0),
    activations: .init(base: call.activations, stride: 0), sums: nil, context: nil, contextDim: contextDim,
    planes: call.planes)
  @inline(__always) func accumulate(
    _ target: UnsafeMutablePointer<Float>, _ weights: UnsafePointer<Float>, _ source: UnsafePointer<Float>,
    panels: Int, lines: Int
  ) {
    accumulateDense(
      count: 1, sums: target, stride: 0, sources: source, sourceStride: 0, weights: weights, panels: panels,
      lines: lines)
  }
  for number in 0..<count {
    let layer = layers + number
    let isContextOnly = layer.pointee.context_only != 0
    let hasConstantSource = layer.pointee.constant_source != 0
    if !isContextOnly && !hasConstantSource && layer.pointee.context_weights == nil { continue }
    let target = layer.pointee.start!
    let panels = Int(layer.pointee.panels)
    for panel in 0..<panels { target.store(layer.pointee.bias.lanes(panel &* panelUnits), panel &* panelUnits) }
    if let weights = layer.pointee.context_weights {
      let source = layer.pointee.context_source
      let isCallers = source == noLayer
      let values: UnsafePointer<Float>? = isCallers ? context : UnsafePointer(layers[Int(source)].start)
      let lines = isCallers ? contextDim : Int(layers[Int(source)].width)
      if let values { accumulate(target, weights, values, panels: panels, lines: lines) }
    }
    if hasConstantSource {
      let source = layers + Int(layer.pointee.source)
      accumulate(
        target, layer.pointee.weights, UnsafePointer(source.pointee.start), panels: panels,
        lines: Int(source.pointee.width))
    }
    if isContextOnly {
      conditioner.finish(layer, 0, Int(layer.pointee.width))
      if layer.isNormalized { conditioner.normalize(layer) }
    }
  }
}
