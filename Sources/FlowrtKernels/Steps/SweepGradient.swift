// A step backwards: the gradient of log p by its noise side becomes that by its data side. A tile only.
//
// The state of the way back is `by_state`: the gradient by the flow's current value, by coordinate. A step also adds
// what its network says about the context (docs/GRADIENTS.md).

import FlowrtShim

extension Sweep {
  private var parts: flowrt_gradient { call.pointee.gradient.pointee }
  private var byContext: UnsafeMutablePointer<Float>? {
    parts.context_output == nil ? nil : parts.by_context
  }

  /// Takes the gradient through one step, which went to the noise before. The encoder takes that by its outputs
  /// to that by the caller's context. `side`: that of the step which its derivatives need.
  @inline(never) func runGradient(_ plan: Step, side: UnsafeMutablePointer<Float>) {
    let step = plan.pointee
    switch RecordKind(rawValue: step.record.pointee.kind).unsafelyUnwrapped {
    case .autoregressive:
      let record = step.record.pointee
      let index = step.autoregressive
      let readsData = record.reads == ReadSide.data.rawValue
      solveGradient(
        step, side, Transformer(record), readIndex: readsData ? index.data_index : index.noise_index,
        otherIndex: readsData ? index.noise_index : index.data_index, readIsKnown: readsData)
    case .diagonal: diagonalGradient(step)
    case .linear: linearGradient(step)
    case .permutation: permutationGradient(step)
    case .encoder: encoderGradient(step)
    case .elementwise: elementwiseGradient(step, side)
    case .base, .layer: break  // Base/BaseGradient.swift
    case .pixelwiseLinear: break  // refused (Arguments.swift)
    }
  }

  /// The reverse of `solve` (Sweep.swift), whose arguments these are. If the read side was known, all ranks and layers
  /// go back at once; else stage by stage from the last one, as the ranks of a stage have their gradient only when all
  /// that reads them has.
  func solveGradient(
    _ step: flowrt_step_plan, _ side: UnsafeMutablePointer<Float>, _ transformer: Transformer, readIndex: UnsafePointer<UInt32>,
    otherIndex: UnsafePointer<UInt32>, readIsKnown: Bool
  ) {
    let record = step.record.pointee
    let stages = Int(record.stage_count)
    let output = Int(record.layer_count) &- 1
    let passthrough = Int(record.passthrough)
    let network = ConditionerGradient(
      conditioner(of: step), count: output &+ 1, parts.accumulate, by: parts.by_units,
      byContext: byContext)
    network.clear()
    let parameterCount = Int(step.layers[output].width) / (dim &- passthrough)
    let transform = TransformGradient(
      rows: rows, transformer: transformer, passthrough: passthrough, read: side,
      parameters: network.conditioner.values(step.layers + output), byParameters: network.gradient(output),
      parameterCount: parameterCount, byRead: parts.by_read, byState: parts.by_state, otherIndex: otherIndex,
      readIsKnown: readIsKnown, columns: parts.columns)
    if readIsKnown {
      transform.run(0, dim)
      network.finish(output, 0, Int(step.layers[output].width))
      network.runAll()
      network.collectRead(parts.by_read, 0, dim)
      scatterGradient(readIndex)
    } else {
      gatherGradient(readIndex)
      var end = dim
      for stage in stride(from: stages &- 1, through: 0, by: -1) {
        let first = stage == 0 ? 0 : Int(step.stage_end[stage &- 1])
        network.collectRead(parts.by_read, first, end)
        transform.run(first, end)
        let outputs = max(first, passthrough) &- passthrough
        network.finish(output, outputs &* parameterCount, (max(end, passthrough) &- passthrough) &* parameterCount)
        network.run(degree: stage)
        end = first
      }
    }
    network.collectContext(lines: Int(call.pointee.view.pointee.encoded_dim))
  }

  /// by_state[index[k]] = by_read[k].
  private func scatterGradient(_ index: UnsafePointer<UInt32>) {
    for k in 0..<dim { copyGradient(parts.by_state + Int(index[k]) &* rows, parts.by_read + k &* rows) }
  }
  /// by_read[k] = by_state[index[k]].
  private func gatherGradient(_ index: UnsafePointer<UInt32>) {
    for k in 0..<dim { copyGradient(parts.by_read + k &* rows, parts.by_state + Int(index[k]) &* rows) }
  }
  @inline(__always) private func copyGradient(
    _ target: UnsafeMutablePointer<Float>, _ source: UnsafeMutablePointer<Float>
  ) {
    for row in stride(from: 0, to: rows, by: registerCount) { target.store(source.register(row), row) }
  }

  /// w = scale v + shift: by_v = scale by_w.
  private func diagonalGradient(_ step: flowrt_step_plan) {
    for i in 0..<dim {
      for at in stride(from: i &* rows, to: (i &+ 1) &* rows, by: registerCount) {
        parts.by_state.store(step.diagonal.scale[i] * parts.by_state.register(at), at)
      }
    }
  }

  /// w = M v + shift: by_v = the transposed M by_w.
  private func linearGradient(_ step: flowrt_step_plan) {
    for at in stride(from: 0, to: dim &* rows, by: registerCount) {
      parts.by_read.store(parts.by_state.register(at), at)
      parts.by_state.store(Register(), at)
    }
    var panels = flowrt_panels(weights: step.linear.matrix, starts: nil, lines: dim)
    parts.accumulate(parts.by_state, &panels, 0, dim, parts.by_read, rows, 0, dim)
  }

  /// w[i] = v[index[i]]: by_v[index[i]] = by_w[i].
  private func permutationGradient(_ step: flowrt_step_plan) {
    for i in 0..<dim { copyGradient(parts.by_read + i &* rows, parts.by_state + i &* rows) }
    scatterGradient(step.permutation.index)
  }

  /// From the gradient by the encoder's outputs to that by the caller's context.
  private func encoderGradient(_ step: flowrt_step_plan) {
    let count = Int(step.record.pointee.layer_count)
    let network = ConditionerGradient(
      conditioner(of: step, isEncoder: true), count: count, parts.accumulate, by: parts.by_units,
      byContext: parts.by_callers_context)
    network.clear()
    let target = network.gradient(count &- 1)
    let floats = Int(step.layers[count &- 1].width) &* rows
    for at in stride(from: 0, to: floats, by: registerCount) { target.store(parts.by_context.register(at), at) }
    network.run(lines: Int(call.pointee.view.pointee.context_dim))
  }
}
