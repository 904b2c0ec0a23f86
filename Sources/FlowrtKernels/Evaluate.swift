// One call: rows come in, go through the sweep in tiles, and go out.

import FlowrtShim

private let ok: Int32 = 0
private let nonfinite: Int32 = -20

struct Evaluation {
  let call: flowrt_call
  private let dim: Int
  private let contextDim: Int
  private let isGenerative: Bool

  init(_ call: flowrt_call) {
    self.call = call
    dim = Int(call.view.pointee.dim)
    contextDim = Int(call.view.pointee.context_dim)
    isGenerative = call.verb == FLOWRT_VERB_INVERSE || call.verb == FLOWRT_VERB_SAMPLE
  }

  func run() -> Int32 {
    makePlan(call)
    Base(Sweep(call: call, rows: 1, contextTile: nil)).prepare()
    let ownContexts = call.context_rows > 1
    if !ownContexts { makePrologue(call, call.context) }
    let count = Int(truncatingIfNeeded: call.count)
    var finite = true
    var first = 0
    while first < count {
      let left = count &- first
      let rows =
        left < Int(FLOWRT_TILE_MINIMUM) || call.tile_rows == 1 ? 1 : min(Int(call.tile_rows), (left &+ 15) & ~15)
      let used = min(rows, left)
      var contextTile: UnsafePointer<Float>? = nil
      if ownContexts {
        let contexts = call.context + first &* contextDim
        if rows == 1 {
          makePrologue(call, contexts)
        } else {
          loadTile(call.context_tile, contexts, contextDim, rows, used)
          contextTile = encodeTile(rows)
        }
      }
      finite = evaluate(first, rows, used, contextTile) && finite
      first &+= used
    }
    return finite ? ok : nonfinite
  }

  /// The context that the steps see, for the rows of the context tile: the encoder's outputs, or the tile itself.
  private func encodeTile(_ rows: Int) -> UnsafePointer<Float> {
    let view = call.view.pointee
    let contextTile = UnsafePointer<Float>(call.context_tile!)
    if view.encoder_layers == 0 { return contextTile }
    let encoder = call.steps + (Int(view.step_count) &+ 1)
    runStep(encoder, rows, contextTile, forward: true)
    let last = encoder.pointee.layers + (Int(view.encoder_layers) &- 1)
    return UnsafePointer(call.encoder + Int(last.pointee.values) &* rows)
  }

  /// A step at the CPU's own level.
  private func runStep(
    _ step: UnsafeMutablePointer<flowrt_step_plan>, _ rows: Int, _ contextTile: UnsafePointer<Float>?, forward: Bool
  ) {
    withUnsafePointer(to: call) { call.run_step($0, step, rows, contextTile, forward) }
  }

  /// Takes the state through all steps, from data to noise (`forward`) or back.
  @inline(never) private func runSteps(_ sweep: Sweep, forward: Bool) {
    let count = Int(call.view.pointee.step_count)
    for i in 0..<count {
      let step = call.steps + (forward ? i : count &- 1 &- i)
      if Int(step.pointee.record.pointee.kind) == FLOWRT_RECORD_ELEMENTWISE {
        sweep.elementwise(step.pointee, forward: forward)
      } else {
        runStep(step, sweep.rows, sweep.contextTile, forward: forward)
      }
    }
  }

  /// Rows first ..< first + used, in a tile of `rows`. Returns whether all that was written is finite.
  private func evaluate(_ first: Int, _ rows: Int, _ used: Int, _ contextTile: UnsafePointer<Float>?) -> Bool {
    let logSum = LogSum(call.log_sum, rows: rows)
    let sweep = Sweep(call: call, rows: rows, contextTile: contextTile)
    let base = Base(sweep)
    logSum.clear()
    if call.verb == FLOWRT_VERB_SAMPLE {
      let noise = Noise(seed: call.seed, stream: call.stream)
      let index = call.index &+ UInt64(truncatingIfNeeded: first)
      if rows == 1 {
        noise.fillRow(call.state, Base.law(call), dim: dim, index: index)
      } else {
        noise.fillTile(call.state, Base.law(call), dim: dim, rows: rows, index: index)
      }
      // log p(x) = log p(z) - log|det dx/dz|: summed up negated, and negated at the end.
      base.draw(Choices(noise: noise, index: index))
      if call.log_output != nil { base.addLogDensity(sign: -1) }
    } else {
      loadTile(call.state, call.input + first &* dim, dim, rows, used)
    }
    runSteps(sweep, forward: !isGenerative)
    if call.verb == FLOWRT_VERB_LOG_PROB { base.addLogDensity(sign: 1) }

    var nonfiniteBits: UInt32 = 0
    if let output = call.output {
      let target = output + first &* dim
      for row in 0..<used {
        for i in 0..<dim {
          let value = call.state[i &* rows &+ row]
          target[row &* dim &+ i] = value
          nonfiniteBits |= nonfiniteBit(value)
        }
      }
    }
    if let logOutput = call.log_output {
      for row in 0..<used {
        if call.verb == FLOWRT_VERB_LOG_PROB && logSum.isExcluded(row) {
          logOutput[first &+ row] = -.infinity
          continue
        }
        let total = logSum.total(row)
        let value = call.verb == FLOWRT_VERB_SAMPLE ? -total : total
        logOutput[first &+ row] = value
        nonfiniteBits |= nonfiniteBit(value)
      }
    }
    return nonfiniteBits >> 31 == 0
  }

  /// Bit 31 is set for NaN and infinity: an exponent of all ones overflows into it.
  @inline(__always) private func nonfiniteBit(_ value: Float) -> UInt32 {
    (value.bitPattern & 0x7FFF_FFFF) &+ 0x0080_0000
  }

  /// Rows of `width` floats to target[width][rows]. Rows of the tile beyond `used` repeat the last one.
  @inline(never) private func loadTile(
    _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ width: Int, _ rows: Int, _ used: Int
  ) {
    for row in 0..<rows {
      let from = source + min(row, used &- 1) &* width
      for i in 0..<width { target[i &* rows &+ row] = from[i] }
    }
  }
}

// Level 3 has its own steps, and shares this code with level 2. A package has one level, whatever its instructions; it is
// called the first.
#if FLOWRT_LEVEL_2 && !SWIFT_PACKAGE
  @implementation @_cdecl("flowrt_kernels_level2")
  public func flowrt_kernels_level2(_ call: UnsafePointer<flowrt_call>!) -> Int32 { Evaluation(call.pointee).run() }
#elseif FLOWRT_LEVEL_1 || SWIFT_PACKAGE
  @implementation @_cdecl("flowrt_kernels_level1")
  public func flowrt_kernels_level1(_ call: UnsafePointer<flowrt_call>!) -> Int32 { Evaluation(call.pointee).run() }
#endif
