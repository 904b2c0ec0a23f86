// The plan of a call: for every step and layer, where its blocks lie, and what else follows from the records.
//
// A file stores no offsets. They are found here, once for each call, into the workspace: the records in their order,
// and for each one its blocks in the order of Layout.swift. The structure was validated by flowrt_model_open, so
// nothing is checked again.
//
//     records   | autoregressive | layer | layer | linear | base |
//     steps     | 0: autoregressive     ---->    | 1      | base |    entries of call.steps, the encoder's behind them
//     layers            | 0     | 1     |                            entries of call.layers, in the order of the file
//
// Besides pointers into the file, a plan has three things of its own, each in an array of the workspace that grows from
// record to record:
//
//     tables     two for each step or base with S stages, S numbers each: for degree g, the ranks that a unit of degree
//                g sees (all of the stages before), and the output units of degree g or lower
//     panels     the first line of every weight panel of a layer, from its weights on
//     prologue   room for the sums that depend on the context alone (Prologue.swift), and for the constants of a
//                mixture (Base.swift)
//
// Cost: an eighth of the time of a single row of a small flow. That is why this file is compiled like a kernel, for
// speed and without checks (cmake/FlowrtSwift.cmake).

import FlowrtShim

private typealias Layer = UnsafeMutablePointer<flowrt_layer_plan>
private typealias Step = UnsafeMutablePointer<flowrt_step_plan>
/// Ends of degrees, as the kernels use them: units of degree g or lower.
private typealias Table = UnsafePointer<UInt32>

/// Numbers in place of a layer's: -1 for none, -2 for the read side.
private let noLayer = Int32(FLOWRT_NO_LAYER)
private let readSide = Int32(FLOWRT_READ_SIDE)

/// Notes where the blocks of a valid file lie. Blocks.swift walked along the same order and compared every size with
/// the end of the file, so no pointer that is made here leaves it.
private struct PlanBlocks: BlockVisitor {
  /// The next block: an address in the file, a multiple of 64.
  var next: UnsafeRawPointer
  /// Where the first lines of the next panels go: an entry of call.panels, which has view.panel_count of them.
  var panelStarts: UnsafeMutablePointer<UInt32>

  /// `count` words of 4 bytes, and the zeros up to the next multiple of 64 bytes.
  @inline(__always) private mutating func take<T>(_ count: UInt64) -> UnsafePointer<T> {
    let block = next
    next += aligned(Int(truncatingIfNeeded: count) &* 4)
    return block.assumingMemoryBound(to: T.self)
  }

  @inline(__always) mutating func distinct(_ count: UInt64, below bound: UInt64) -> UnsafePointer<UInt32> {
    take(count)
  }
  @inline(__always) mutating func gathered(_ count: UInt64, below bound: UInt64) -> UnsafePointer<UInt32> {
    take(count)
  }
  @inline(__always) mutating func integers(_ count: UInt64) -> UnsafePointer<UInt32> { take(count) }
  @inline(__always) mutating func ends(_ count: UInt64, last: UInt64, increase: Bool) -> UnsafePointer<UInt32> {
    take(count)
  }
  @inline(__always) func ends(_ block: UnsafePointer<UInt32>) -> Table { block }
  @inline(__always) mutating func floats(_ count: UInt64, _ rule: ParameterRule) -> UnsafePointer<Float> { take(count) }
  @inline(__always) mutating func panels(width: UInt64, lines: UInt64) -> UnsafePointer<Float> {
    take(Flowrt.panels(of: width) &* lines &* UInt64(lineFloats))
  }

  /// A panel has as many lines as its last unit sees inputs.
  @inline(__always) mutating func panels(width: UInt64, units: Table, inputs: Table) -> UnsafePointer<Float> {
    let width = Int(truncatingIfNeeded: width)
    let count = Flowrt.panels(of: width)
    var line = 0
    var degree = 0
    for panel in 0..<count {
      panelStarts[panel] = UInt32(truncatingIfNeeded: line)
      // last < width, and the last end of `units` is width (Blocks.ends), so the search stops inside the table.
      let last = min(panel &* panelUnits &+ panelUnits, width) &- 1
      while Int(units[degree]) <= last { degree &+= 1 }
      // Below 2^32: Blocks.panels refused more lines.
      line &+= Int(inputs[degree])
    }
    panelStarts += count
    return take(UInt64(truncatingIfNeeded: line &* lineFloats))
  }
}

/// The walk along records and blocks, with one cursor for each thing that is laid out.
private struct Planner {
  /// D, the coordinates of a row.
  private let dim: UInt64
  private let recordCount: Int
  /// Floats of context that the layers at hand see: the caller's in the encoder, the encoder's outputs in the steps.
  private var contextDim: UInt64
  /// Floats of context that the steps see.
  private let encodedDim: UInt64
  /// The encoder's entry in call.steps.
  private let encoder: Step
  /// The first record of the file.
  private let records: UnsafeRawPointer
  /// The number of the next record.
  private var index = 0
  private var blocks: PlanBlocks
  /// The next step, layer, table and part of the prologue.
  private var step: Step
  private var layer: Layer
  private var tables: UnsafeMutablePointer<UInt32>
  private var prologue: UnsafeMutablePointer<Float>
  /// Where the next layer's values stand among those of its step, in units.
  private var valuesOffset: UInt32 = 0

  init(_ call: flowrt_call) {
    let view = call.view.pointee
    dim = UInt64(view.dim)
    contextDim = UInt64(view.context_dim)
    encodedDim = UInt64(view.encoded_dim)
    encoder = call.steps + Int(view.step_count) + 1  // behind the base
    recordCount = Int(view.record_count)
    records = UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: view.data))! + recordBytes
    blocks = PlanBlocks(next: records + recordBytes &* recordCount, panelStarts: call.panels)
    step = call.steps
    layer = call.layers
    tables = call.tables
    prologue = call.prologue
  }

  /// The next record, as the structure that its kind has.
  private mutating func nextRecord<T>() -> UnsafePointer<T> {
    defer { index &+= 1 }
    return (records + recordBytes &* index).assumingMemoryBound(to: T.self)
  }

  /// Plans all records: the encoder apart, steps and base one after the other.
  /// The file was validated, so every code is one of its enumeration: hence unsafelyUnwrapped.
  mutating func run() {
    while index < recordCount {
      let record: UnsafePointer<flowrt_step_record> = nextRecord()
      // The encoder comes first and has its own entry. The next record overwrites this one.
      step.pointee.record = record
      switch RecordKind(rawValue: record.pointee.kind).unsafelyUnwrapped {
      case .encoder:
        planEncoder(record)
        continue
      case .autoregressive:
        let transformer = TransformerKind(rawValue: record.pointee.transformer).unsafelyUnwrapped
        step.pointee.autoregressive = blocks.autoregressive(dim)
        planStages(record.pointee, parameters: transformer.parameterCount(record.pointee))
      case .diagonal: step.pointee.diagonal = blocks.diagonal(dim)
      case .linear: step.pointee.linear = blocks.linear(dim)
      case .elementwise: step.pointee.elementwise = blocks.elementwise(dim)
      case .permutation: step.pointee.permutation = blocks.permutation(of: dim)
      case .pixelwiseLinear:
        // Its record is another structure of the same 64 bytes.
        step.pointee.pixelwise = blocks.pixelwise(
          UnsafeRawPointer(record).assumingMemoryBound(to: flowrt_pixelwise_record.self).pointee, dim)
      case .base: base(record.pointee)
      case .layer: break  // planned with the record that it belongs to
      }
      step += 1
    }
  }

  /// Plans the base, which is the last record that is no layer.
  private mutating func base(_ record: flowrt_step_record) {
    switch BaseDensity(rawValue: record.density).unsafelyUnwrapped {
    case .standardNormal: break
    case .diagonalNormal: step.pointee.diagonal_normal = blocks.diagonalNormal(dim)
    case .boxUniform: step.pointee.box_uniform = blocks.boxUniform(dim)
    case .normalMixture:
      let components = UInt64(record.components)
      let (logWeights, means) = blocks.normalMixture(dim, components: components)
      step.pointee.normal_mixture = flowrt_normal_mixture_blocks(
        log_weights: logWeights, components: means, constants: prologue)
      prologue += Int(truncatingIfNeeded: flowrt_mixture_floats(components))
    case .conditionalNormal: planLayers(of: step, Int(record.layer_count), 1, inputs: nil, outputs: nil)
    case .autoregressiveMixture:
      step.pointee.autoregressive_mixture = blocks.autoregressiveMixture(dim)
      planStages(record, parameters: 3 &* record.components)
    }
  }

  /// The stages of a step or base, its two tables, and its layers. `parameters`: output units for each rank that is not
  /// passed through.
  private mutating func planStages(_ record: flowrt_step_record, parameters: UInt32) {
    let stages = Int(record.stage_count)
    let stageEnd = blocks.stages(UInt64(record.stage_count), dim)
    step.pointee.stage_end = stageEnd
    // Both tables of S numbers. call.tables has two for each of view.stage_count stages, which is the sum of all S.
    let visibleRanks = tables
    let outputEnd = tables + stages
    tables += 2 &* stages
    visibleRanks[0] = 0
    for g in 0..<stages {
      if g > 0 { visibleRanks[g] = stageEnd[g &- 1] }
      // Ranks that are passed through have no parameters, and no output units.
      // At most the output layer's width (AutoregressiveReader.swift): no wrap-around in 32 bits.
      outputEnd[g] = (max(stageEnd[g], record.passthrough) &- record.passthrough) &* parameters
    }
    planLayers(
      of: step, Int(record.layer_count), record.stage_count, inputs: UnsafePointer(visibleRanks),
      outputs: UnsafePointer(outputEnd))
  }

  /// The encoder: layers without stages. Its outputs are the context of the steps that follow.
  private mutating func planEncoder(_ record: UnsafePointer<flowrt_step_record>) {
    encoder.pointee.record = record
    planLayers(of: encoder, Int(record.pointee.layer_count), 1, inputs: nil, outputs: nil)
    contextDim = encodedDim
  }

  /// The layers that follow a record. `inputs`: for each degree the ranks that it sees, nil in a network of the context
  /// alone. `outputs`: ends of the last layer's degrees where these are not stored.
  private mutating func planLayers(of owner: Step, _ count: Int, _ stages: UInt32, inputs: Table?, outputs: Table?) {
    owner.pointee.layers = layer
    valuesOffset = 0
    // count >= 1 (checkLayerCount).
    for number in 1...count {
      let record: UnsafePointer<flowrt_layer_record> = nextRecord()
      plan(record, owner.pointee.layers, stages, inputs, number == count ? outputs : nil)
      layer += 1
    }
  }

  /// Plans one layer. `layers`: the first layer of the same network, to which the fields of the record count.
  /// `visibleRanks`: for each degree the ranks that it sees. `outputs`: as in `planLayers`.
  private mutating func plan(
    _ recordPointer: UnsafePointer<flowrt_layer_record>, _ layers: Layer, _ stages: UInt32, _ visibleRanks: Table?,
    _ outputs: Table?
  ) {
    let record = recordPointer.pointee
    // Kernels of planes read the geometry from the record itself.
    layer.pointee.record = recordPointer
    layer.pointee.width = record.width
    layer.pointee.activation = record.activation
    layer.pointee.a = record.a
    layer.pointee.gate = earlierLayer(record.gate)
    layer.pointee.add = (earlierLayer(record.add.0), earlierLayer(record.add.1), earlierLayer(record.add.2))
    layer.pointee.values_offset = valuesOffset

    // Context weights multiply the context itself (1), or an earlier layer that depends on it alone (from 2 on).
    let contextSource = record.context < 2 ? noLayer : Int32(record.context) &- 2
    layer.pointee.context_source = contextSource
    let contextLines = contextSource == noLayer ? contextDim : UInt64(layers[Int(contextSource)].width)
    // Weights multiply the read side (1), or an earlier layer (from 2 on).
    let source = record.source == 0 ? noLayer : record.source == 1 ? readSide : Int32(record.source) &- 2
    layer.pointee.source = source
    let units = blocks.layerEnds(record, stages: UInt64(stages), outputs: outputs)
    layer.pointee.degree_end = units
    // What depends on the context alone is computed once for each context, and begins in the prologue.
    let hasConstantSource = source >= 0 && layers[Int(source)].context_only != 0
    layer.pointee.constant_source = hasConstantSource ? 1 : 0
    let isConstant = (source == noLayer || hasConstantSource) && outputs == nil && addsOnlyConstants(layers)
    layer.pointee.context_only = isConstant ? 1 : 0
    if record.operation != LayerOperation.dense.rawValue { return planPlane(record, contextLines) }

    let panels = Flowrt.panels(of: record.width)
    layer.pointee.panels = panels
    layer.pointee.is_plane = 0
    let inputs = source == noLayer ? nil : source == readSide ? visibleRanks : layers[Int(source)].degree_end
    layer.pointee.visible_end = inputs
    layer.pointee.panel_start = UnsafePointer(blocks.panelStarts)
    let found = blocks.layer(record, units: units, inputs: inputs, contextLines: contextLines)
    layer.pointee.bias = found.bias
    layer.pointee.scale = (found.scale0, found.scale1, found.scale2)
    layer.pointee.context_weights = found.contextWeights
    layer.pointee.weights = found.weights
    start(flowrt_prologue_floats(false, isConstant, hasConstantSource, true, record.context != 0, UInt64(panels)))
    valuesOffset &+= panels &* UInt32(panelUnits)
  }

  /// The rest of a plane layer: what `plan` does for a dense one. Out of line, since most flows have none, and the plan
  /// of a small flow counts. `contextLines`: units of what its `context` names.
  @inline(never) private mutating func planPlane(_ record: flowrt_layer_record, _ contextLines: UInt64) {
    let operation = LayerOperation(rawValue: record.operation).unsafelyUnwrapped
    // Weights belong to channels, not to units: each pixel has the same.
    let panels = Flowrt.panels(of: record.channels)
    layer.pointee.panels = panels
    layer.pointee.is_plane = 1
    // Its input is taken at once, and not as it becomes known: the record names it.
    layer.pointee.source = noLayer
    // `inputs` bounds what a gather takes: the reader has checked it.
    let found = blocks.plane(record, operation, inputs: 0, contextLines: contextLines)
    layer.pointee.bias = found.bias
    layer.pointee.scale = (nil, nil, nil)
    layer.pointee.context_weights = found.contextWeights
    layer.pointee.weights = found.weights
    layer.pointee.index = found.index
    start(flowrt_prologue_floats(true, false, false, record.source != 0, found.contextWeights != nil, UInt64(panels)))
    // Channels of each pixel in whole panels, at most 2^24 (PlaneReader.swift).
    valuesOffset &+= UInt32(truncatingIfNeeded: record.room)
  }

  /// What the sums of the layer start from: so many floats of the prologue, or the bias.
  @inline(__always) private mutating func start(_ floats: UInt64) {
    layer.pointee.in_prologue = floats == 0 ? 0 : 1
    if floats != 0 {
      layer.pointee.start = prologue
      prologue += Int(truncatingIfNeeded: floats)
    } else {
      // The bias lies in the file, which is read-only. Kernels write to `start` of a layer in the prologue alone.
      layer.pointee.start = UnsafeMutablePointer(mutating: layer.pointee.bias)
    }
  }

  /// The layer that a field of a record refers to: 0 for none, 2 for the first.
  private func earlierLayer(_ field: UInt16) -> Int32 { field == 0 ? noLayer : Int32(field) &- 2 }

  /// Whether the gate and the added layers, as far as there are any, depend on the context alone.
  private func addsOnlyConstants(_ layers: Layer) -> Bool {
    func isConstant(_ index: Int32) -> Bool { index == noLayer || layers[Int(index)].context_only != 0 }
    let add = layer.pointee.add
    return isConstant(layer.pointee.gate) && isConstant(add.0) && isConstant(add.1) && isConstant(add.2)
  }
}

@implementation @_cdecl("flowrt_make_plan")
public func flowrt_make_plan(_ call: UnsafePointer<flowrt_call>!) {
  if let kept = call.pointee.view.pointee.keptPlan {
    copyPlan(kept, call.pointee)
  } else {
    var planner = Planner(call.pointee)
    planner.run()
  }
}

/// Copies a plan that the caller keeps into the workspace, and makes it point there: to the workspace's layers and
/// prologue. All other pointers lead into the file, or to the tables and panels of the kept plan.
private func copyPlan(_ kept: KeptPlan, _ call: flowrt_call) {
  let view = call.view.pointee
  let steps = Int(view.step_count) &+ 2
  let layers = Int(view.layer_count)
  copyBytes(kept.steps, to: call.steps, count: steps)
  copyBytes(kept.layers, to: call.layers, count: layers)
  let layersMove = distance(kept.layers, call.layers)
  for i in 0..<steps {
    if let layers = call.steps[i].layers { call.steps[i].layers = moved(layers, layersMove) }
  }
  if view.prologue_size == 0 { return }
  let prologueMove = distance(kept.prologue, call.prologue)
  for i in 0..<layers {
    let layer = call.layers + i
    if layer.pointee.in_prologue != 0 { layer.pointee.start = moved(layer.pointee.start, prologueMove) }
  }
  let base = call.steps + Int(view.step_count)
  if base.pointee.record.pointee.density == BaseDensity.normalMixture.rawValue {
    base.pointee.normal_mixture.constants = moved(base.pointee.normal_mixture.constants, prologueMove)
  }
}

/// All at once, where Swift would copy field by field.
private func copyBytes<T>(_ source: UnsafeMutablePointer<T>, to target: UnsafeMutablePointer<T>, count: Int) {
  UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count &* MemoryLayout<T>.stride)
}

/// Bytes from one pointer to another, which may be in another piece of memory.
private func distance<T>(_ from: UnsafeMutablePointer<T>, _ to: UnsafeMutablePointer<T>) -> Int {
  Int(bitPattern: to) &- Int(bitPattern: from)
}
private func moved<T>(_ pointer: UnsafeMutablePointer<T>, _ bytes: Int) -> UnsafeMutablePointer<T> {
  UnsafeMutablePointer(bitPattern: Int(bitPattern: pointer) &+ bytes).unsafelyUnwrapped
}
