// The gradient of a base density (Base.swift), of a tile: by z, with which the way back begins, and by the context.

import FlowrtShim

extension Base {
  /// Sets by_state to the gradient of log p(z) by z. The state is z.
  func gradient() {
    switch density {
    case .standardNormal: eachValue { _, _, z in 0 - z }
    case .diagonalNormal:
      let (mean, std) = (plan.diagonal_normal.mean!, plan.diagonal_normal.std!)
      eachValue { i, _, z in 0 - (z - mean[i]) / std[i] / std[i] }
    // The density is flat; NaN for NaN.
    case .boxUniform: eachValue { _, _, z in z - z }
    case .normalMixture: mixtureGradient()
    case .conditionalNormal: conditionalGradient()
    case .autoregressiveMixture:
      // The sweep starts from no gradient by the other side, which there is none of.
      eachValue { _, _, _ in Lanes() }
      let index = plan.autoregressive_mixture.index!
      sweep.solveGradient(
        plan, .mixture(Mixture(plan.record.pointee)), readIndex: index, otherIndex: index, readIsKnown: true)
    }
  }

  /// by_state[i] = f(i, row, z[i]).
  @inline(__always) private func eachValue(_ f: (Int, Int, Lanes) -> Lanes) {
    for i in 0..<dim {
      for row in stride(from: 0, to: rows, by: laneCount) {
        by.store(f(i, row, state.lanes(i &* rows &+ row)), i &* rows &+ row)
      }
    }
  }
  private var by: UnsafeMutablePointer<Float> { sweep.call.pointee.gradient.by_state }

  /// A component's share of the density, times -(z - mean) / std^2.
  private func mixtureGradient() {
    for row in stride(from: 0, to: rows, by: laneCount) {
      var joint = LogSumExp()
      for c in 0..<components { joint.add(term(c, row)) }
      let total = joint.total
      for i in 0..<dim { by.store(Lanes(), i &* rows &+ row) }
      for c in 0..<components {
        let (mean, std) = component(c)
        let share = exp(term(c, row) - total)
        for i in 0..<dim {
          let at = i &* rows &+ row
          by.store(negatedFma(share, (state.lanes(at) - mean[i]) / std[i] / std[i], by.lanes(at)), at)
        }
      }
    }
  }

  /// The mean and log std of each coordinate come from the context.
  private func conditionalGradient() {
    let parts = sweep.call.pointee.gradient
    let conditioner = sweep.conditioner(of: plan)
    let outputs = conditioner.operand(Int32(plan.record.pointee.layer_count) &- 1)
    let isWanted = sweep.call.pointee.context_gradient != nil
    // By the outputs: in the place of the parameters of a transformer, by_outputs[2 i] and [2 i + 1].
    eachValue { i, row, z in
      let (mean, logStd) = (output(outputs, 2 &* i, row), output(outputs, 2 &* i &+ 1, row))
      let scale = exp(-logStd)
      return 0 - (z - mean) * scale * scale
    }
    if !isWanted { return }
    let network = ConditionerGradient(
      conditioner, count: Int(plan.record.pointee.layer_count), by: parts.by_units, byContext: parts.by_context)
    network.clear()
    let last = Int(plan.record.pointee.layer_count) &- 1
    let byOutputs = network.gradient(last)
    for i in 0..<dim {
      for row in stride(from: 0, to: rows, by: laneCount) {
        let at = 2 &* i &* rows &+ row
        let (mean, logStd) = (output(outputs, 2 &* i, row), output(outputs, 2 &* i &+ 1, row))
        let u = (state.lanes(i &* rows &+ row) - mean) * exp(-logStd)
        byOutputs.store(u * exp(-logStd), at)
        byOutputs.store(fma(u, u, -1), at &+ rows)
      }
    }
    network.run(lines: Int(sweep.call.pointee.view.pointee.encoded_dim))
  }
}
