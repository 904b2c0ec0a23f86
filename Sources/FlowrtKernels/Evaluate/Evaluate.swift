// One call: rows come in, go through the sweep in tiles, and go out.

import FlowrtShim

struct Evaluation {
  let call: UnsafePointer<flowrt_call>
  private let dim: Int
  private let contextDim: Int
  /// Of the whole call: forward and log_prob go to noise, inverse and sample to data.
  private let direction: Direction
  private let noiseKey: Noise.Key

  /// The fewest rows for which a tile costs less than single rows. A single row is bound by the latency of its sums, and, if it
  /// waits for itself (from noise to data) or for weights from beyond the second-level cache, by that. A tile is bound by its
  /// multiply-adds. Where these cross was measured (docs/PERFORMANCE.md).
  private var tileMinimum: Int {
    let isWide = call.pointee.view.pointee.parameter_count > 1 << 18
    #if arch(x86_64) && !FLOWRT_LEVEL_2 && !FLOWRT_LEVEL_3
      return direction == .toData || isWide ? 4 : 6
    #else
      return isWide ? Int(FLOWRT_TILE_MINIMUM) : direction == .toData ? 3 : 4
    #endif
  }

  init(_ call: UnsafePointer<flowrt_call>) {
    self.call = call
    dim = Int(call.pointee.view.pointee.dim)
    contextDim = Int(call.pointee.view.pointee.context_dim)
    let draws = call.pointee.verb == FLOWRT_VERB_SAMPLE
    direction = call.pointee.verb == FLOWRT_VERB_INVERSE || draws ? .toData : .toNoise
    noiseKey = draws ? Noise.key(seed: call.pointee.seed, stream: call.pointee.stream) : (0, 0)
  }

  /// Returns whether all that was written is finite.
  func run() -> Bool {
    Base(Sweep(call: call, rows: 1, lanesPerRow: 1, contextTile: nil)).prepare()
    let ownContexts = call.pointee.context_rows > 1
    if !ownContexts { makePrologue(call.pointee, call.pointee.context) }
    let count = Int(truncatingIfNeeded: call.pointee.count)
    var finite = true
    var first = 0
    while first < count {
      let left = count &- first
      let rows = nextTile(left)
      let lanesPerRow = rows > 1 && left <= 8 ? 2 : 1
      let used = min(rows, left)
      var contextTile: UnsafePointer<Float>? = nil
      if ownContexts {
        let contexts = call.pointee.context + first &* contextDim
        if rows == 1 {
          makePrologue(call.pointee, contexts)
        } else {
          loadTile(call.pointee.context_tile, contexts, contextDim, rows, lanesPerRow, used)
          contextTile = encodeTile(rows, lanesPerRow)
        }
      }
      finite = evaluate(first, rows, lanesPerRow, used, contextTile) && finite
      first &+= used
    }
    return finite
  }

  /// Rows of the next tile, of `left` that are not evaluated yet: 1, or a multiple of 16.
  private func nextTile(_ left: Int) -> Int {
    let most = Int(call.pointee.tile_rows)
    if left < tileMinimum || most == 1 { return 1 }
    // 48 fill the registers (Tile.swift). But 16 more in the last tile cost less than 16 in one of their own.
    return min(most, left > Int(FLOWRT_TILE_ROWS) ? 48 : (left &+ 15) & ~15)
  }

  /// The context that the steps see, for the rows of the context tile: the encoder's outputs, or the tile itself.
  private func encodeTile(_ rows: Int, _ lanesPerRow: Int) -> UnsafePointer<Float> {
    let view = call.pointee.view.pointee
    let contextTile = UnsafePointer<Float>(call.pointee.context_tile!)
    if view.encoder_layers == 0 { return contextTile }
    let encoder = call.pointee.encoderPlan
    runStep(
      encoder, Sweep(call: call, rows: rows, lanesPerRow: lanesPerRow, contextTile: contextTile), direction: .toNoise)
    let last = encoder.pointee.layers + (Int(view.encoder_layers) &- 1)
    return UnsafePointer(call.pointee.encoder + Int(last.pointee.values_offset) &* rows)
  }

  /// A step at the CPU's own level.
  private func runStep(_ step: UnsafeMutablePointer<flowrt_step_plan>, _ sweep: Sweep, direction: Direction) {
    call.pointee.run_step(call, step, sweep.rows, sweep.lanesPerRow, sweep.contextTile, direction == .toNoise)
  }

  /// Takes the state through all steps in the given direction.
  @inline(never) private func runSteps(_ sweep: Sweep, direction: Direction) {
    let count = Int(call.pointee.view.pointee.step_count)
    for i in 0..<count {
      let step = call.pointee.steps + (direction == .toNoise ? i : count &- 1 &- i)
      if step.pointee.record.pointee.kind == RecordKind.elementwise.rawValue {
        sweep.elementwise(step.pointee, direction: direction)
      } else {
        runStep(step, sweep, direction: direction)
      }
    }
  }

  /// Rows first ..< first + used, in a tile of `rows`. Returns whether all that was written is finite.
  private func evaluate(
    _ first: Int, _ rows: Int, _ lanesPerRow: Int, _ used: Int, _ contextTile: UnsafePointer<Float>?
  ) -> Bool {
    let logSum = LogSum(call.pointee.log_sum, rows: rows)
    let sweep = Sweep(call: call, rows: rows, lanesPerRow: lanesPerRow, contextTile: contextTile)
    let base = Base(sweep)
    logSum.clear()
    if call.pointee.verb == FLOWRT_VERB_SAMPLE {
      let noise = Noise(key: noiseKey, lanesPerRow: lanesPerRow)
      let index = call.pointee.index &+ UInt64(truncatingIfNeeded: first)
      if rows == 1 {
        noise.fillRow(call.pointee.state, Base.law(call), dim: dim, index: index)
      } else {
        noise.fillTile(call.pointee.state, Base.law(call), dim: dim, rows: rows, index: index)
      }
      // log p(x) = log p(z) - log|det dx/dz|: summed up negated, and negated at the end.
      base.draw(Choices(noise: noise, index: index))
      if call.pointee.log_output != nil { base.addLogDensity(sign: -1) }
    } else {
      loadTile(call.pointee.state, call.pointee.input + first &* dim, dim, rows, lanesPerRow, used)
    }
    runSteps(sweep, direction: direction)
    if call.pointee.verb == FLOWRT_VERB_LOG_PROB { base.addLogDensity(sign: 1) }

    var nonfiniteBits: UInt32 = 0
    if let output = call.pointee.output {
      let target = output + first &* dim
      for row in 0..<used {
        for i in 0..<dim {
          let value = call.pointee.state[i &* rows &+ row &* lanesPerRow]
          target[row &* dim &+ i] = value
          nonfiniteBits |= nonfiniteBit(value)
        }
      }
    }
    if let logOutput = call.pointee.log_output {
      for row in 0..<used {
        var value = logSum.total(row &* lanesPerRow)
        if call.pointee.verb == FLOWRT_VERB_SAMPLE { value = -value }
        if call.pointee.verb == FLOWRT_VERB_LOG_PROB && logSum.isExcluded(row &* lanesPerRow) {
          value = .nan
          if !hasNaN(first &+ row) {
            logOutput[first &+ row] = -.infinity
            continue
          }
        }
        logOutput[first &+ row] = value
        nonfiniteBits |= nonfiniteBit(value)
      }
    }
    return nonfiniteBits >> 31 == 0
  }

  /// Whether a row of the input has a NaN.
  @inline(never) private func hasNaN(_ row: Int) -> Bool {
    let values = call.pointee.input + row &* dim
    for i in 0..<dim where values[i] != values[i] { return true }
    return false
  }

  /// Bit 31 is set for NaN and infinity: an exponent of all ones overflows into it.
  @inline(__always) private func nonfiniteBit(_ value: Float) -> UInt32 {
    (value.bitPattern & 0x7FFF_FFFF) &+ 0x0080_0000
  }

  /// Rows of `width` floats to target[width][rows]. Rows of the tile beyond `used` repeat the last one.
  @inline(never) private func loadTile(
    _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ width: Int, _ rows: Int,
    _ lanesPerRow: Int, _ used: Int
  ) {
    for lane in 0..<rows {
      let from = source + min(lane / lanesPerRow, used &- 1) &* width
      for i in 0..<width { target[i &* rows &+ lane] = from[i] }
    }
  }
}

@implementation @_cdecl("flowrt_evaluate")
public func flowrt_evaluate(_ call: UnsafePointer<flowrt_call>!) -> Bool { Evaluation(call).run() }
