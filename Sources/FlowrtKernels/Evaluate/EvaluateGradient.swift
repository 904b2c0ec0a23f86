// The way back of a gradient: base, steps from the last to the first, encoder. Then log p and gradients of each row go
// out.

import FlowrtShim

extension Evaluation {
  /// Rows first ..< first + used, whose way to the noise is done: `logSum` has log p. Returns whether all that was
  /// written is finite, or the answer for a point outside of the support.
  func runGradient(_ sweep: Sweep, _ base: Base, _ logSum: LogSum, _ first: Int, _ used: Int) -> Bool {
    let hasEncoder = call.pointee.view.pointee.encoder_layers != 0
    let wantsContext = call.pointee.context_gradient != nil
    let (rows, byState) = (sweep.rows, call.pointee.gradient.by_state!)
    var byContext = call.pointee.gradient.by_context!
    if wantsContext {
      clear(byContext, Int(call.pointee.view.pointee.encoded_dim) &* rows)
      if hasEncoder { clear(call.pointee.gradient.by_callers_context, contextDim &* rows) }
    }
    base.gradient()
    for i in stride(from: Int(call.pointee.view.pointee.step_count) &- 1, through: 0, by: -1) {
      sweep.runGradient(call.pointee.steps + i)
    }
    if wantsContext && hasEncoder {
      sweep.runGradient(call.pointee.encoderPlan)
      byContext = call.pointee.gradient.by_callers_context
    }
    var isFinite = true
    for row in 0..<used {
      let number = first &+ row
      var logDensity = logSum.total(row)
      // What takes the place of the gradient, if anything does.
      var replacement: Float? = nil
      if logSum.isExcluded(row) {
        let isOutside = !hasNaN(number)
        logDensity = isOutside ? -.infinity : .nan
        if isOutside { replacement = 0 }
      } else if nonfiniteBit(logDensity) >> 31 != 0 {
        isFinite = isFinite && call.pointee.log_output == nil
      }
      if logDensity != logDensity {
        replacement = .nan
        isFinite = false
      }
      if let output = call.pointee.log_output { output[number] = logDensity }
      if let output = call.pointee.x_gradient {
        isFinite = write(output + number &* dim, byState + row, dim, rows, replacement) && isFinite
      }
      if let output = call.pointee.context_gradient {
        isFinite = write(output + number &* contextDim, byContext + row, contextDim, rows, replacement) && isFinite
      }
    }
    return isFinite
  }

  @inline(never) private func clear(_ values: UnsafeMutablePointer<Float>, _ count: Int) {
    for at in stride(from: 0, to: count, by: laneCount) { values.store(Lanes(), at) }
  }

  /// Writes one row of a tile. Returns whether it is finite.
  @inline(never) private func write(
    _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ width: Int, _ rows: Int,
    _ replacement: Float?
  ) -> Bool {
    var nonfiniteBits: UInt32 = 0
    for i in 0..<width {
      let value = replacement ?? source[i &* rows]
      target[i] = value
      nonfiniteBits |= nonfiniteBit(value)
    }
    return nonfiniteBits >> 31 == 0
  }
}
