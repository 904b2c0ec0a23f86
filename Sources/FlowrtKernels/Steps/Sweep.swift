// The sweep: one algorithm for both directions of MAF, IAF, MADE, RealNVP and NICE.
//
// A step joins the side r that its conditioner reads and the other side q, rank by rank: q[k] = f(r[k]; parameters[k]),
// and the parameters of a rank in stage s depend on the ranks of earlier stages alone. Sorted by degree, every unit of
// the network is final as soon as the ranks that it may see are known, and never changes again. So when r is not
// known, it is solved for like the unknowns of a triangular system, and every weight is used once, in this direction
// as in the other:
//
//     for each stage s
//         parameters of its ranks   <- the output layer, over what is final of the layer before it
//         transformer               <- q[k] to r[k], log|det|
//         for each hidden layer     <- the units of degree s + 1
//
// When r is known, the same functions run with all stages as one: layer by layer. Papamakarios et al. 2017 (MAF),
// Kingma et al. 2016 (IAF), Germain et al. 2015 (MADE), Dinh et al. 2017 (RealNVP).

import FlowrtShim

/// One step of a call over the rows of a batch: few rows one after the other, or a tile with its rows side by side.
struct Sweep {
  /// The call with its plan and workspace. Its arguments are validated.
  let call: UnsafePointer<flowrt_call>
  /// The rows, and their context where it is not in the prologue.
  let batch: Batch

  /// D, the coordinates of a row.
  var dim: Int { Int(call.pointee.view.pointee.dim) }
  var rows: Int { batch.rows }
  var isTile: Bool { batch.isTile }
  /// Floats from one of few rows to the next, in state, read side, other side and log s.
  var rowStride: Int { Int(flowrt_row_stride(UInt64(call.pointee.view.pointee.dim))) }
  /// The flow's current value, by coordinate. A step takes it from one side to the other in place.
  var state: UnsafeMutablePointer<Float> { call.pointee.state }
  /// The side that the conditioner reads, by rank. Linear and permutation steps use it as scratch.
  private var read: UnsafeMutablePointer<Float> { call.pointee.read }

  /// Takes the state through one step in the given direction, and adds its log-determinant. (Elementwise steps
  /// are not among them: Evaluate.swift.)
  func run(_ step: flowrt_step_plan, direction: Direction) {
    switch RecordKind(rawValue: step.record.pointee.kind).unsafelyUnwrapped {
    case .autoregressive: autoregressive(step, direction: direction)
    case .diagonal: diagonal(step, direction: direction)
    case .linear: linear(step, direction: direction)
    case .permutation: permutation(step, direction: direction)
    case .pixelwiseLinear: pixelwise(step, direction: direction)
    case .encoder: encode(step)
    case .elementwise, .base, .layer: break  // not run here: Evaluate.swift, Base.swift, Conditioner.swift
    }
  }

  /// An autoregressive step: which of its two sides is known follows from `reads` and the direction.
  private func autoregressive(_ step: flowrt_step_plan, direction: Direction) {
    let record = step.record.pointee
    let index = step.autoregressive
    let readsData = record.reads == ReadSide.data.rawValue
    solve(
      step, Transformer(record), readIndex: readsData ? index.data_index : index.noise_index,
      otherIndex: readsData ? index.noise_index : index.data_index, readIsKnown: readsData == (direction == .toNoise))
  }

  /// Computes one side of a step from the other. `readIsKnown`: the other side from the one that the conditioner reads,
  /// in one pass; else the read side, stage by stage. The log-determinant adds log s in the first case, subtracts it in
  /// the second. `readIndex`, `otherIndex`: the coordinate of each rank on the two sides, permutations of 0 ..< D.
  func solve(
    _ step: flowrt_step_plan, _ transformer: Transformer, readIndex: UnsafePointer<UInt32>,
    otherIndex: UnsafePointer<UInt32>, readIsKnown: Bool, choices: Choices? = nil
  ) {
    let record = step.record.pointee
    let stages = Int(record.stage_count)
    // layer_count >= 1 was checked: the last layer is the output layer.
    let hidden = Int(record.layer_count) &- 1
    let conditioner = conditioner(of: step)
    let output = step.layers + hidden
    for number in 0...hidden { conditioner.begin(step.layers + number) }
    let transform = Transform(
      rows: rows, rowStride: rowStride, transformer: transformer, passthrough: Int(record.passthrough), read: read,
      other: call.pointee.other,
      state: state, otherIndex: otherIndex, logScale: call.pointee.log_scale, logSum: call.pointee.log_sum,
      columns: call.pointee.transformer_scratch,
      readIsKnown: readIsKnown, choices: choices, keepsParameters: call.pointee.isGradient,
      parameters: conditioner.place(output),
      // Validated: passthrough < D, and the width is a multiple of the difference.
      parameterCount: Int(output.pointee.width) / (dim &- Int(record.passthrough)))

    if readIsKnown {
      // Every rank is known, so each layer is finished before the next one begins.
      gather(into: read, readIndex)
      for number in 0...hidden { conditioner.advance(step.layers + number, to: stages &- 1) }
      transform.run(0, dim)
      // A tile's other side is written into the state directly, by coordinate.
      if !isTile { scatter(from: call.pointee.other, otherIndex) }
    } else {
      if !isTile { gather(into: call.pointee.other, otherIndex) }
      // What sees no rank at all is final before the first stage.
      for number in 0..<hidden { conditioner.advance(step.layers + number, to: 0) }
      // On entry to each round all hidden units of degree <= stage are final: what the outputs of this stage see.
      var rank = 0
      for stage in 0..<stages {
        conditioner.advance(output, to: stage)
        // rank < end <= D: stage ends strictly increase, and the last is D.
        let end = Int(step.stage_end[stage])
        transform.run(rank, end)
        rank = end
        // The ranks of this stage are known now. Behind the last stage no unit is left to see them.
        if stage &+ 1 < stages {
          for number in 0..<hidden { conditioner.advance(step.layers + number, to: stage &+ 1) }
        }
      }
      scatter(from: read, readIndex)
    }
    if !isTile { transform.sumLogScales(Int(record.passthrough), dim) }
  }

  /// The network of a step or base, or that of the encoder, over the rows of this sweep. The encoder's values have a
  /// place of their own, since they outlast the steps.
  @inline(__always) func conditioner(of step: flowrt_step_plan, isEncoder: Bool = false) -> Conditioner {
    let view = call.pointee.view.pointee
    let encoderStride = Int(view.encoder_size)
    // The encoder sees the caller's context, and so do the steps of a model without an encoder.
    let isCallers = isEncoder || view.encoder_layers == 0
    return Conditioner(
      rows: rows, unitStride: isTile ? rows : 1, layers: step.layers, read: .init(base: read, stride: rowStride),
      activations: isEncoder
        ? .init(base: call.pointee.encoder, stride: encoderStride)
        : .init(base: call.pointee.activations, stride: Int(flowrt_unit_stride(view.activations_size))),
      sums: isEncoder ? call.pointee.gradient?.pointee.encoder_sums : call.pointee.sums,
      context: batch.contexts.map {
        .init(
          base: UnsafeMutablePointer(mutating: $0), stride: isCallers ? Int(view.context_dim) : encoderStride)
      },
      contextDim: Int(isEncoder ? view.context_dim : view.encoded_dim), planes: call.pointee.planes)
  }

  /// The encoder's outputs from the context.
  private func encode(_ step: flowrt_step_plan) {
    _ = conditioner(of: step, isEncoder: true).evaluate(Int(step.record.pointee.layer_count))
  }

  /// w = scale v + shift, v = (w - shift) / scale (docs/FORMAT.md section 2.2). No scale is zero in a verified file.
  private func diagonal(_ step: flowrt_step_plan, direction: Direction) {
    @inline(__always) func map(_ v: Lanes, _ scale: Lanes, _ shift: Lanes) -> Lanes {
      direction == .toNoise ? fma(scale, v, shift) : (v - shift) / scale
    }
    let (scale, shift) = (step.diagonal.scale!, step.diagonal.shift!)
    if !isTile {
      eachRow { at in
        // The last vector may reach past the last coordinate, into padding on both sides: rowStride >= D + 15, and the
        // blocks of the file are padded to 16 floats.
        for i in stride(from: 0, to: dim, by: laneCount) {
          state.store(map(state.lanes(at &+ i), scale.lanes(i), shift.lanes(i)), at &+ i)
        }
      }
    } else {
      for i in 0..<dim {
        // Coordinate i of all rows: 16, 32, 48 or 64 floats, so whole vectors.
        for row in stride(from: i &* rows, to: (i &+ 1) &* rows, by: laneCount) {
          state.store(map(state.lanes(row), Lanes(repeating: scale[i]), Lanes(repeating: shift[i])), row)
        }
      }
    }
    addLogDet(step, direction: direction)
  }

  /// w = M v + shift, v = N (w - shift) with the stored inverse N of M (section 2.3): the tiles of a layer without
  /// degrees. The source moves to `read`, and the sums begin in the state.
  private func linear(_ step: flowrt_step_plan, direction: Direction) {
    let matrix: UnsafePointer<Float> = direction == .toNoise ? step.linear.matrix : step.linear.inverse_matrix
    let shift = step.linear.shift!
    let panels = FlowrtKernels.panels(of: dim)
    if !isTile {
      eachRow { at in
        for i in stride(from: 0, to: dim, by: laneCount) {
          read.store(direction == .toNoise ? state.lanes(at &+ i) : state.lanes(at &+ i) - shift.lanes(i), at &+ i)
          state.store(direction == .toNoise ? shift.lanes(i) : Lanes(), at &+ i)
        }
      }
      // It writes whole panels: 16 * panels <= D + 15 <= rowStride.
      accumulateDense(
        count: rows, sums: state, stride: rowStride, sources: read, sourceStride: rowStride, weights: matrix,
        panels: panels, lines: dim)
    } else {
      for i in 0..<dim {
        let b = Lanes(repeating: shift[i])
        for row in stride(from: i &* rows, to: (i &+ 1) &* rows, by: laneCount) {
          read.store(direction == .toNoise ? state.lanes(row) : state.lanes(row) - b, row)
          state.store(direction == .toNoise ? b : Lanes(), row)
        }
      }
      for panel in 0..<panels {
        // A panel has D lines of 16 weights, so panel p begins at float 16 p D. Units from D on are not written.
        let first = panel &* panelUnits
        accumulateTile(
          state + first &* rows, matrix + first &* dim, UnsafePointer(read), rows: rows,
          first: 0, end: min(panelUnits, dim &- first), count: dim)
      }
    }
    addLogDet(step, direction: direction)
  }

  /// The same for the channels of each pixel (section 2.8), of one row: pixels are the rows of the product.
  private func pixelwise(_ step: flowrt_step_plan, direction: Direction) {
    let record = UnsafeRawPointer(step.record!).assumingMemoryBound(to: flowrt_pixelwise_record.self).pointee
    let (pixels, channels) = (Int(record.pixels), Int(record.channels))
    let stride = paddedTo16(channels)
    let (index, shift) = (step.pixelwise.index!, step.pixelwise.shift!)
    // The pixels that are known, then their sums.
    let known = call.pointee.planes!
    let sums = known + pixels &* stride
    for pixel in 0..<pixels {
      let at = pixel &* stride
      for c in 0..<channels { known[at &+ c] = state[Int(index[pixel &* channels &+ c])] }
      for c in Swift.stride(from: 0, to: stride, by: laneCount) {
        if direction == .toData { known.store(known.lanes(at &+ c) - shift.lanes(c), at &+ c) }
        sums.store(direction == .toNoise ? shift.lanes(c) : Lanes(), at &+ c)
      }
    }
    accumulateDense(
      count: pixels, sums: sums, stride: stride, sources: known, sourceStride: stride,
      weights: direction == .toNoise ? step.pixelwise.matrix : step.pixelwise.inverse_matrix,
      panels: stride / panelUnits, lines: channels)
    for pixel in 0..<pixels {
      for c in 0..<channels { state[Int(index[pixel &* channels &+ c])] = sums[pixel &* stride &+ c] }
    }
    addLogDet(step, direction: direction)
  }

  /// w[i] = v[index[i]] (section 2.5). Through `read`, since a permutation in place would overwrite what it still
  /// needs.
  private func permutation(_ step: flowrt_step_plan, direction: Direction) {
    let index = step.permutation.index!
    if direction == .toNoise {
      gather(into: read, index)
      for i in 0..<valueCount { state[i] = read[i] }
    } else {
      for i in 0..<valueCount { read[i] = state[i] }
      scatter(from: read, index)
    }
  }

  /// Calls `body` with where the values of each of few rows begin.
  @inline(__always) func eachRow(_ body: (Int) -> Void) {
    let rowStride = rowStride
    for row in 0..<rows { body(row &* rowStride) }
  }
  /// Floats from the first value to the last, of all rows.
  private var valueCount: Int { isTile ? dim &* rows : (rows &- 1) &* rowStride &+ dim }

  /// target[k] = state[index[k]], for each row. Every index is < D (Blocks.permutation), so no read leaves the row.
  func gather(into target: UnsafeMutablePointer<Float>, _ index: UnsafePointer<UInt32>) {
    let (dim, state) = (dim, state)  // fetched once
    if !isTile {
      eachRow { at in for k in 0..<dim { target[at &+ k] = state[at &+ Int(index[k])] } }
    } else {
      for k in 0..<dim { copy(target + k &* rows, state + Int(index[k]) &* rows) }
    }
  }

  /// state[index[k]] = source[k], for each row. The index is a permutation, so every coordinate is written.
  private func scatter(from source: UnsafeMutablePointer<Float>, _ index: UnsafePointer<UInt32>) {
    let (dim, state) = (dim, state)
    if !isTile {
      eachRow { at in for k in 0..<dim { state[at &+ Int(index[k])] = source[at &+ k] } }
    } else {
      for k in 0..<dim { copy(state + Int(index[k]) &* rows, source + k &* rows) }
    }
  }

  /// Copies one coordinate of all rows of a tile.
  @inline(__always) private func copy(_ target: UnsafeMutablePointer<Float>, _ source: UnsafeMutablePointer<Float>) {
    var row = 0
    while row < rows {
      target.store(source.lanes(row), row)
      row &+= laneCount
    }
  }

  /// Adds the constant log-determinant of a diagonal or linear step, an f64. Two floats, the rounded value and what is
  /// left of it, keep twice the digits of one.
  private func addLogDet(_ step: flowrt_step_plan, direction: Direction) {
    let record = UnsafeRawPointer(step.record!).assumingMemoryBound(to: flowrt_constant_record.self)
    let logDet = direction == .toNoise ? record.pointee.log_det : -record.pointee.log_det
    let high = Float(logDet)
    let sum = LogSum(call.pointee.log_sum, rows: rows)
    sum.add(Lanes(repeating: high))
    sum.add(Lanes(repeating: Float(logDet - Double(high))))
  }
}

/// The entry of this CPU level. `contexts`: one row after the other or a tile, NULL if the prologue has their part.
@implementation @_cdecl("flowrt_step")
public func flowrt_step(
  _ call: UnsafePointer<flowrt_call>!, _ step: UnsafePointer<flowrt_step_plan>!, _ rows: Int,
  _ contexts: UnsafePointer<Float>!, _ toNoise: Bool
) {
  Sweep(call: call, batch: Batch(rows: rows, contexts: contexts)).run(
    step.pointee, direction: toNoise ? .toNoise : .toData)
}
