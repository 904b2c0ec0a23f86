// One call: rows come in, go through the sweep in tiles, and go out.

import FlowrtShim

struct Evaluation {
  let call: UnsafePointer<flowrt_call>
  let dim: Int
  let contextDim: Int
  /// Rows of a call that have one context.
  private let sharing: Int
  /// Of the whole call: forward and log_prob go to noise, inverse and sample to data.
  private let direction: Direction
  private let noiseKey: Noise.Key

  init(_ call: UnsafePointer<flowrt_call>) {
    self.call = call
    dim = Int(call.pointee.view.pointee.dim)
    contextDim = Int(call.pointee.view.pointee.context_dim)
    sharing = Int(truncatingIfNeeded: call.pointee.rows_per_context)
    let draws = call.pointee.verb == FLOWRT_VERB_SAMPLE
    direction = call.pointee.verb == FLOWRT_VERB_INVERSE || draws ? .toData : .toNoise
    noiseKey = draws ? Noise.key(seed: call.pointee.seed, stream: call.pointee.stream) : (0, 0)
  }

  /// Returns whether all that was written is finite.
  func run() -> Bool {
    Base(Sweep(call: call, batch: Batch(rows: 1, contexts: nil))).prepare()
    let count = Int(truncatingIfNeeded: call.pointee.count)
    // Rows of one context fill tiles of their own. Fewer than 16 share a tile with those of other contexts.
    // A gradient by the context is that of each row, so there every row has a context of its own.
    // An encoder with planes takes one context at a time.
    let areMixed =
      (sharing < count && sharing < laneCount && call.pointee.tile_rows > 1
        && call.pointee.view.pointee.has_encoder_planes == 0) || call.pointee.gradient?.pointee.context_output != nil
    if areMixed { return evaluate(0, count, areMixed: true) }
    var finite = true
    var context = call.pointee.context
    for first in stride(from: 0, to: count, by: sharing) {
      prepare(context)
      context = context.map { $0 + contextDim }
      finite = evaluate(first, first &+ sharing, areMixed: false) && finite
    }
    return finite
  }

  /// Rows first ..< end, of mixed contexts or of the one in the prologue. Returns whether all that was written is
  /// finite.
  private func evaluate(_ first: Int, _ end: Int, areMixed: Bool) -> Bool {
    var finite = true
    var first = first
    while first < end {
      let left = end &- first
      let rows = nextRows(left)
      let used = min(rows, left)
      var contexts: UnsafePointer<Float>? = nil
      if areMixed {
        let own = call.pointee.context + first / sharing &* contextDim
        if rows == 1 { prepare(own) } else { contexts = encode(own, first, rows, used) }
      }
      finite = evaluate(first, Batch(rows: rows, contexts: contexts), used) && finite
      first &+= used
    }
    return finite
  }

  /// The most rows that cost less side by side than in a tile of 16, whose lanes would be idle. A tile costs what 16
  /// rows cost; each of a few rows has its own activations and its own part in each stage, which count where the
  /// network is small. Measured (docs/PERFORMANCE.md).
  private var mostFewRows: Int {
    let parameters = call.pointee.view.pointee.parameter_count
    let (isWide, isTiny) = (parameters > 1 << 18, parameters < 1 << 15)
    #if arch(x86_64) && !FLOWRT_LEVEL_2 && !FLOWRT_LEVEL_3
      return direction == .toData ? (isWide ? 13 : isTiny ? 6 : 8) : (isWide ? 15 : 9)
    #else
      return direction == .toData ? (isWide ? 10 : isTiny ? 5 : 6) : (isWide ? 12 : isTiny ? 7 : 9)
    #endif
  }

  /// Rows that are evaluated next, of `left` that are not yet: few, or those of a tile. What is left of a multiple of
  /// 16 comes last: 17 rows are 16 and 1, 65 are 64 and 1, 30 are 32.
  private func nextRows(_ left: Int) -> Int {
    let most = Int(call.pointee.tile_rows)
    if call.pointee.isGradient { return min(most, left > Int(FLOWRT_TILE_ROWS) ? 48 : paddedTo16(left)) }
    let rest = left & (laneCount &- 1)
    let tile = rest <= mostFewRows ? left &- rest : left &- rest &+ laneCount
    if most == 1 || tile == 0 { return min(most, left) }
    // 48 fill the registers (Tile.swift). But 16 more in the last tile cost less than 16 in one of their own.
    return min(most, tile > Int(FLOWRT_TILE_ROWS) ? 48 : tile)
  }

  /// What depends on one context alone. An encoder with planes runs at the CPU's own level, as a step does.
  @inline(never) private func prepare(_ context: UnsafePointer<Float>?) {
    let hasPlanes = call.pointee.view.pointee.has_encoder_planes != 0
    if !hasPlanes {
      makePrologue(call.pointee, context, isEncoded: false)
    } else {
      makePrologue(call.pointee, runEncoder(Batch(rows: 1, contexts: context)), isEncoded: true)
    }
  }

  /// The encoder's outputs for the contexts of a batch.
  @inline(never) private func runEncoder(_ batch: Batch) -> UnsafePointer<Float> {
    let encoder = call.pointee.encoderPlan
    runStep(encoder, Sweep(call: call, batch: batch), direction: .toNoise)
    let last = encoder.pointee.layers + (Int(call.pointee.view.pointee.encoder_layers) &- 1)
    return UnsafePointer(call.pointee.encoder + Int(last.pointee.values_offset) &* (batch.isTile ? batch.rows : 1))
  }

  /// The contexts that the steps see: the encoder's outputs, or the caller's, of a tile by coordinate.
  private func encode(_ own: UnsafePointer<Float>, _ first: Int, _ rows: Int, _ used: Int) -> UnsafePointer<Float> {
    let view = call.pointee.view.pointee
    let isTile = rows >= laneCount
    var contexts = own
    if isTile || sharing > 1 {
      load(
        call.pointee.context_tile, own, contextDim, used, sharing: sharing, place: first % sharing, lanes: rows,
        isTile: isTile, rowStride: contextDim)
      contexts = UnsafePointer(call.pointee.context_tile)
    }
    return view.encoder_layers == 0 ? contexts : runEncoder(Batch(rows: rows, contexts: contexts))
  }

  /// A step at the CPU's own level.
  func runStep(_ step: UnsafeMutablePointer<flowrt_step_plan>, _ sweep: Sweep, direction: Direction) {
    call.pointee.run_step(call, step, sweep.batch.rows, sweep.batch.contexts, direction == .toNoise)
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

  /// Rows first ..< first + used. Returns whether all that was written is finite.
  private func evaluate(_ first: Int, _ batch: Batch, _ used: Int) -> Bool {
    let rows = batch.rows
    let logSum = LogSum(call.pointee.log_sum, rows: rows)
    let sweep = Sweep(call: call, batch: batch)
    let base = Base(sweep)
    logSum.clear()
    if call.pointee.verb == FLOWRT_VERB_SAMPLE {
      let noise = Noise(key: noiseKey)
      let index = call.pointee.index &+ UInt64(truncatingIfNeeded: first)
      if sweep.isTile {
        noise.fillTile(sweep.state, Base.law(call), dim: dim, rows: rows, index: index)
      } else {
        noise.fillRows(
          sweep.state, Base.law(call), dim: dim, rows: rows, stride: sweep.rowStride, index: index)
      }
      // log p(x) = log p(z) - log|det dx/dz|: summed up negated, and negated at the end.
      base.draw(Choices(noise: noise, index: index))
      if call.pointee.log_output != nil { base.addLogDensity(sign: -1) }
    } else {
      load(
        sweep.state, call.pointee.input + first &* dim, dim, used, sharing: 1, place: 0, lanes: rows,
        isTile: sweep.isTile, rowStride: sweep.rowStride)
    }
    #if FLOWRT_BASELINE_HAS_NO_GRADIENT  // Arguments.check refused it
      runSteps(sweep, direction: direction)
    #else
      if call.pointee.isGradient { return runGradient(sweep, base, logSum, first, used) }
      runSteps(sweep, direction: direction)
    #endif
    if call.pointee.verb == FLOWRT_VERB_LOG_PROB { base.addLogDensity(sign: 1) }

    var nonfiniteBits: UInt32 = 0
    if let output = call.pointee.output {
      let target = output + first &* dim
      // Of coordinate i of a row.
      let (perCoordinate, perRow) = sweep.isTile ? (rows, 1) : (1, sweep.rowStride)
      for row in 0..<used {
        for i in 0..<dim {
          let value = sweep.state[i &* perCoordinate &+ row &* perRow]
          target[row &* dim &+ i] = value
          nonfiniteBits |= nonfiniteBit(value)
        }
      }
    }
    if let logOutput = call.pointee.log_output {
      for row in 0..<used {
        var value = logSum.total(row)
        if call.pointee.verb == FLOWRT_VERB_SAMPLE { value = -value }
        if call.pointee.verb == FLOWRT_VERB_LOG_PROB && logSum.isExcluded(row) {
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
  @inline(never) func hasNaN(_ row: Int) -> Bool {
    let values = call.pointee.input + row &* dim
    for i in 0..<dim where values[i] != values[i] { return true }
    return false
  }

  /// Bit 31 is set for NaN and infinity: an exponent of all ones overflows into it.
  @inline(__always) func nonfiniteBit(_ value: Float) -> UInt32 {
    (value.bitPattern & 0x7FFF_FFFF) &+ 0x0080_0000
  }

  /// `used` rows of `width` floats to target[width][lanes] of a tile, whose other lanes repeat the last row, or one
  /// after the other. Each row of the source serves `sharing` rows, of which the first one here is number `place`.
  @inline(never) private func load(
    _ target: UnsafeMutablePointer<Float>, _ source: UnsafePointer<Float>, _ width: Int, _ used: Int, sharing: Int,
    place: Int, lanes: Int, isTile: Bool, rowStride: Int
  ) {
    var (from, place) = (source, place)
    for lane in 0..<lanes {
      if isTile {
        for i in 0..<width { target[i &* lanes &+ lane] = from[i] }
      } else {
        for i in 0..<width { target[lane &* rowStride &+ i] = from[i] }
      }
      if lane &+ 1 >= used { continue }
      place &+= 1
      if place == sharing { (place, from) = (0, from + width) }
    }
  }
}

@implementation @_cdecl("flowrt_evaluate")
public func flowrt_evaluate(_ call: UnsafeMutablePointer<flowrt_call>!) -> Bool { Evaluation(call).run() }
