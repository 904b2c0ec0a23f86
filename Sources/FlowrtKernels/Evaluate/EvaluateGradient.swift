// A gradient: the rows go to the noise, and what the way back needs is kept; then back through base, steps from the last
// to the first, and encoder. Log p and gradients of each row go out.

import FlowrtShim

extension Evaluation {
  private var parts: flowrt_gradient { call.pointee.gradient.pointee }
  private var stepCount: Int { Int(call.pointee.view.pointee.step_count) }

  /// Rows first ..< first + used, which are loaded. Returns whether all that was written is finite, or the answer for a
  /// point outside of the support.
  func runGradient(_ sweep: Sweep, _ base: Base, _ logSum: LogSum, _ first: Int, _ used: Int) -> Bool {
    let networks = keepSteps(sweep)
    base.addLogDensity(sign: 1)
    let parts = parts
    let hasEncoder = call.pointee.view.pointee.encoder_layers != 0
    let wantsContext = parts.context_output != nil
    if wantsContext {
      clear(parts.by_context, Int(call.pointee.view.pointee.encoded_dim) &* sweep.rows)
      if hasEncoder { clear(parts.by_callers_context, contextDim &* sweep.rows) }
    }
    base.gradient()
    runStepsBack(sweep, networks: networks)
    if wantsContext && hasEncoder { sweep.runGradient(call.pointee.encoderPlan, side: parts.by_state) }
    return write(sweep, logSum, first, used)
  }

  /// Where the units of a network are, for the step that is evaluated next.
  private func choose(network: Int, _ sweep: Sweep) {
    let first = network &* Int(call.pointee.view.pointee.activations_size) &* sweep.rows
    let call = UnsafeMutablePointer(mutating: call)
    call.pointee.activations = parts.units + first
    call.pointee.sums = parts.sums.map { $0 + first }
  }

  private func side(_ number: Int, _ sweep: Sweep) -> UnsafeMutablePointer<Float> {
    parts.sides + number &* dim &* sweep.rows
  }

  /// Takes the state to the noise, and keeps of each step the side that its derivatives need, and the units of every
  /// network. Returns how many of these the steps have; that of the base, if it has one, comes next.
  private func keepSteps(_ sweep: Sweep) -> Int {
    var network = 0
    for number in 0..<stepCount {
      let step = call.pointee.steps + number
      let kind = RecordKind(rawValue: step.pointee.record.pointee.kind).unsafelyUnwrapped
      if kind == .elementwise {
        keep(sweep.state, side(number, sweep), sweep)
        sweep.elementwise(step.pointee, direction: .toNoise)
        continue
      }
      choose(network: network, sweep)
      runStep(step, sweep, direction: .toNoise)
      if kind == .autoregressive {
        keep(call.pointee.read, side(number, sweep), sweep)
        network &+= 1
      }
    }
    choose(network: network, sweep)
    return network
  }

  private func keep(_ values: UnsafeMutablePointer<Float>, _ side: UnsafeMutablePointer<Float>, _ sweep: Sweep) {
    for at in stride(from: 0, to: dim &* sweep.rows, by: laneCount) { side.store(values.lanes(at), at) }
  }

  /// The steps from the last to the first, which have so many networks.
  private func runStepsBack(_ sweep: Sweep, networks: Int) {
    var network = networks
    for number in stride(from: stepCount &- 1, through: 0, by: -1) {
      let step = call.pointee.steps + number
      if step.pointee.record.pointee.kind == RecordKind.autoregressive.rawValue {
        network &-= 1
        choose(network: network, sweep)
      }
      sweep.runGradient(step, side: side(number, sweep))
    }
  }

  /// Log p and gradients of rows first ..< first + used.
  private func write(_ sweep: Sweep, _ logSum: LogSum, _ first: Int, _ used: Int) -> Bool {
    let (parts, rows) = (parts, sweep.rows)
    let isEncoded = call.pointee.view.pointee.encoder_layers != 0
    let byContext = isEncoded ? parts.by_callers_context! : parts.by_context!
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
      if let output = parts.x_output {
        isFinite = write(output + number &* dim, parts.by_state + row, dim, rows, replacement) && isFinite
      }
      if let output = parts.context_output {
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
