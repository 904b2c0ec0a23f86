// The gradient of a base density (Base.swift), of a tile: by z, with which the way back begins, and by the context.

import FlowrtShim

extension Base {
  private var parts: flowrt_gradient { sweep.call.pointee.gradient.pointee }

  /// Sets by_state to the gradient of log p(z) by z. The state is z.
  @inline(never) func gradient() {
    switch density {
    case .standardNormal, .diagonalNormal, .boxUniform: independentGradient()
    case .normalMixture: mixtureGradient()
    case .conditionalNormal: conditionalGradient()
    case .autoregressiveMixture:
      let index = plan.autoregressive_mixture.index!
      sweep.solveGradient(
        plan, sweep.call.pointee.read, .mixture(Mixture(plan.record.pointee)), readIndex: index, otherIndex: index, readIsKnown: true)
    }
  }

  /// -(z - mean) / std^2; for a box, whose density is flat, 0.
  @inline(never) private func independentGradient() {
    let by = parts.by_state!
    for i in 0..<dim {
      let isDiagonal = density == .diagonalNormal
      let mean = isDiagonal ? plan.diagonal_normal.mean[i] : 0
      let std = isDiagonal ? plan.diagonal_normal.std[i] : 1
      for at in stride(from: i &* rows, to: (i &+ 1) &* rows, by: registerCount) {
        let z = state.register(at)
        by.store(density == .boxUniform ? z - z : 0 - (z - mean) / std / std, at)
      }
    }
  }

  /// The sum over components of their shares of the density, times -(z - mean) / std^2.
  @inline(never) private func mixtureGradient() {
    let (by, share) = (parts.by_state!, parts.columns!)
    for row in stride(from: 0, to: rows, by: laneCount) {
      let total = logMixture(row)
      for i in 0..<dim { by.store(Lanes(), i &* rows &+ row) }
      for c in 0..<components {
        let (mean, std) = component(c)
        share.store(exp(term(c, row) - total), 0)
        for i in 0..<dim {
          eachRegister(laneCount) { lane in
            let at = i &* rows &+ row &+ lane
            let slope = (state.register(at) - mean[i]) / std[i] / std[i]
            by.store(negatedFma(share.register(lane), slope, by.register(at)), at)
          }
        }
      }
    }
  }

  /// The mean and log std of each coordinate come from the context.
  @inline(never) private func conditionalGradient() {
    let conditioner = sweep.conditioner(of: plan)
    let last = Int(plan.record.pointee.layer_count) &- 1
    let outputs = conditioner.operand(Int32(truncatingIfNeeded: last))
    let values = outputs.values.unsafelyUnwrapped
    @inline(__always) func output(_ unit: Int, _ row: Int) -> Register {
      outputs.isShared ? Register(repeating: values[unit]) : values.register(unit &* rows &+ row)
    }
    let isWanted = parts.context_output != nil
    let network = ConditionerGradient(
      conditioner, count: last &+ 1, parts.accumulate, by: parts.by_units,
      byContext: parts.by_context)
    if isWanted { network.clear() }
    let byOutputs = network.gradient(last)
    for i in 0..<dim {
      for row in stride(from: 0, to: rows, by: registerCount) {
        let inverse = exp(0 - output(2 &* i &+ 1, row))
        let u = (state.register(i &* rows &+ row) - output(2 &* i, row)) * inverse
        parts.by_state.store(0 - u * inverse, i &* rows &+ row)
        if isWanted {
          byOutputs.store(u * inverse, 2 &* i &* rows &+ row)
          byOutputs.store(fma(u, u, -1), (2 &* i &+ 1) &* rows &+ row)
        }
      }
    }
    if isWanted { network.run(lines: Int(sweep.call.pointee.view.pointee.encoded_dim)) }
  }
}
