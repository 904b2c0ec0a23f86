// The plan of a call: for every step and layer, where its blocks lie.
//
// The file stores no offsets. They are computed here, once for each call, into the workspace, by walking the records and
// the blocks side by side (docs/FORMAT.md, sections 2 to 4). The structure was validated by flowrt_model_open.

import FlowrtShim

typealias Layer = UnsafeMutablePointer<flowrt_layer_plan>
typealias Step = UnsafeMutablePointer<flowrt_step_plan>

extension flowrt_call {
  /// The base, planned behind the steps.
  var basePlan: Step { steps + Int(view.pointee.step_count) }
  var encoderPlan: Step { basePlan + 1 }
}

let noLayer = Int32(FLOWRT_NO_LAYER)
let readSide = Int32(FLOWRT_READ_SIDE)

/// Walks the blocks of a file, each a multiple of 64 bytes.
private struct Blocks {
  var next: UnsafeRawPointer

  /// A block of `count` 4-byte values.
  @inline(__always) mutating func take<T>(_ count: Int) -> UnsafePointer<T> {
    let block = next
    next += (count &* 4 &+ 63) & ~63
    return block.assumingMemoryBound(to: T.self)
  }
  /// Weight panels of `lines` lines.
  @inline(__always) mutating func takeLines(_ lines: Int) -> UnsafePointer<Float> { take(lines &* 16) }
}

/// The walk, with one cursor for each thing that is laid out.
private struct Planner {
  private let dim, recordCount: Int
  /// Floats of context that the layers at hand see: the caller's in the encoder, the encoder's outputs in the steps.
  private var contextDim: Int
  private let encodedDim: Int
  private let encoder: Step
  private let records: UnsafeRawPointer
  private var index = 0
  private var blocks: Blocks
  private var step: Step
  private var layer: Layer
  private var tables: UnsafeMutablePointer<UInt32>
  private var panels: UnsafeMutablePointer<UInt32>
  private var prologue: UnsafeMutablePointer<Float>
  /// Offset of the next layer's values in the activations of the step.
  private var values: UInt32 = 0

  init(_ call: flowrt_call) {
    let view = call.view.pointee
    dim = Int(view.dim)
    contextDim = Int(view.context_dim)
    encodedDim = Int(view.encoded_dim)
    encoder = call.encoderPlan
    recordCount = Int(view.record_count)
    records = UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: view.data))! + 64
    blocks = Blocks(next: records + 64 &* recordCount)
    step = call.steps
    layer = call.layers
    tables = call.tables
    panels = call.panels
    prologue = call.prologue
  }

  private mutating func nextRecord<T>() -> UnsafePointer<T> {
    defer { index &+= 1 }
    return (records + 64 &* index).assumingMemoryBound(to: T.self)
  }

  mutating func run() {
    while index < recordCount {
      let record: UnsafePointer<flowrt_step_record> = nextRecord()
      step.pointee.record = record
      switch RecordKind(rawValue: record.pointee.kind).unsafelyUnwrapped {
      case .encoder:
        planEncoder(record)
        continue
      case .autoregressive: autoregressive(record.pointee)
      case .diagonal:
        step.pointee.diagonal.scale = blocks.take(dim)
        step.pointee.diagonal.shift = blocks.take(dim)
      case .linear:
        let lines = (dim &+ 15) / 16 &* dim
        step.pointee.linear.matrix = blocks.takeLines(lines)
        step.pointee.linear.inverse = blocks.takeLines(lines)
        step.pointee.linear.shift = blocks.take(dim)
      case .elementwise:
        step.pointee.elementwise.functions = blocks.take(dim)
        step.pointee.elementwise.lower = blocks.take(dim)
        step.pointee.elementwise.upper = blocks.take(dim)
      case .permutation: step.pointee.permutation.index = blocks.take(dim)
      case .base: base(record.pointee)
      case .layer: break  // its owner has planned it
      }
      step += 1
    }
  }

  private mutating func base(_ record: flowrt_step_record) {
    switch BaseDensity(rawValue: record.density).unsafelyUnwrapped {
    case .standardNormal: break
    case .diagonalNormal:
      step.pointee.diagonal_normal.mean = blocks.take(dim)
      step.pointee.diagonal_normal.std = blocks.take(dim)
    case .boxUniform:
      step.pointee.box_uniform.lower = blocks.take(dim)
      step.pointee.box_uniform.upper = blocks.take(dim)
    case .normalMixture:
      let components = Int(record.components)
      step.pointee.normal_mixture.log_weights = blocks.take(components)
      step.pointee.normal_mixture.components = blocks.takeLines((dim &+ 15) / 16 &* 2 &* components)
      step.pointee.normal_mixture.constants = prologue
      prologue += Int(flowrt_mixture_floats(UInt64(components)))
    case .conditionalNormal: planLayers(of: step, Int(record.layer_count), 1, nil, outputEnd: nil)
    case .autoregressiveMixture:
      step.pointee.autoregressive_mixture.index = blocks.take(dim)
      planStages(record, parameters: 3 &* record.components)
    }
  }

  private mutating func autoregressive(_ record: flowrt_step_record) {
    step.pointee.autoregressive.data_index = blocks.take(dim)
    step.pointee.autoregressive.noise_index = blocks.take(dim)
    let transformer = TransformerKind(rawValue: record.transformer).unsafelyUnwrapped
    planStages(record, parameters: transformer.parameterCount(record))
  }

  /// The stages of a step, and its layers. What the file does not store, because it follows from the stages: the ranks that a
  /// unit of degree g sees, and the output rows of degree g.
  private mutating func planStages(_ record: flowrt_step_record, parameters: UInt32) {
    let stages = Int(record.stage_count)
    let stageEnd: UnsafePointer<UInt32> = blocks.take(stages)
    step.pointee.stage_end = stageEnd
    let visibleRanks = tables
    let outputEnd = tables + stages
    tables += 2 &* stages
    visibleRanks[0] = 0
    for g in 0..<stages {
      if g > 0 { visibleRanks[g] = stageEnd[g &- 1] }
      outputEnd[g] = (max(stageEnd[g], record.passthrough) &- record.passthrough) &* parameters
    }
    planLayers(of: step, Int(record.layer_count), stages, UnsafePointer(visibleRanks), outputEnd: outputEnd)
  }

  /// The encoder: layers without stages. Its outputs are the context of the steps that follow.
  private mutating func planEncoder(_ record: UnsafePointer<flowrt_step_record>) {
    encoder.pointee.record = record
    planLayers(of: encoder, Int(record.pointee.layer_count), 1, nil, outputEnd: nil)
    contextDim = encodedDim
  }

  private mutating func planLayers(
    of owner: Step, _ count: Int, _ stages: Int, _ visibleRanks: UnsafePointer<UInt32>?,
    outputEnd: UnsafeMutablePointer<UInt32>?
  ) {
    owner.pointee.layers = layer
    values = 0
    for number in 1...count {
      let record: UnsafePointer<flowrt_layer_record> = nextRecord()
      plan(record, owner.pointee.layers, stages, visibleRanks, outputEnd: number == count ? outputEnd : nil)
      layer += 1
    }
  }

  private mutating func plan(
    _ recordPointer: UnsafePointer<flowrt_layer_record>, _ layers: Layer, _ stages: Int,
    _ visibleRanks: UnsafePointer<UInt32>?, outputEnd: UnsafeMutablePointer<UInt32>?
  ) {
    let record = recordPointer.pointee
    let width = Int(record.width)
    let panelCount = (record.width &+ 15) / 16
    layer.pointee.width = record.width
    layer.pointee.panels = panelCount
    layer.pointee.activation = record.activation
    layer.pointee.a = record.a
    let degreeEnd: UnsafePointer<UInt32> = outputEnd.map { UnsafePointer($0) } ?? blocks.take(stages)
    layer.pointee.degree_end = degreeEnd
    let bias: UnsafePointer<Float> = blocks.take(width)
    layer.pointee.bias = bias

    layer.pointee.gate = earlierLayer(record.gate)
    layer.pointee.add = (earlierLayer(record.add.0), earlierLayer(record.add.1), earlierLayer(record.add.2))
    layer.pointee.scale.0 = record.scaled & 1 != 0 ? blocks.take(width) : nil
    layer.pointee.scale.1 = record.scaled & 2 != 0 ? blocks.take(width) : nil
    layer.pointee.scale.2 = record.scaled & 4 != 0 ? blocks.take(width) : nil

    let contextSource = record.context < 2 ? noLayer : Int32(record.context) &- 2
    layer.pointee.context_source = contextSource
    let contextLines = contextSource == noLayer ? contextDim : Int(layers[Int(contextSource)].width)
    layer.pointee.context_weights = record.context != 0 ? blocks.takeLines(Int(panelCount) &* contextLines) : nil
    let source = record.source == 0 ? noLayer : record.source == 1 ? readSide : Int32(record.source) &- 2
    layer.pointee.source = source
    if source != noLayer {
      let visibleEnd: UnsafePointer<UInt32> = source == readSide ? visibleRanks! : layers[Int(source)].degree_end
      layer.pointee.visible_end = visibleEnd
      layer.pointee.panel_start = UnsafePointer(panels)
      layer.pointee.weights = blocks.takeLines(layOutPanels(degreeEnd, visibleEnd, width, Int(panelCount)))
    }

    let hasConstantSource = source >= 0 && layers[Int(source)].context_only != 0
    layer.pointee.constant_source = hasConstantSource ? 1 : 0
    let isConstant = (source == noLayer || hasConstantSource) && outputEnd == nil && addsOnlyConstants(layers)
    layer.pointee.context_only = isConstant ? 1 : 0
    if flowrt_is_in_prologue(isConstant, hasConstantSource, record.context != 0) {
      layer.pointee.start = prologue
      prologue += Int(panelCount &* 16)
    } else {
      layer.pointee.start = UnsafeMutablePointer(mutating: bias)
    }
    layer.pointee.values_offset = values
    values &+= panelCount &* 16
  }

  /// Writes where each panel begins; returns the lines of all. A panel has as many as its last unit sees.
  private mutating func layOutPanels(
    _ degreeEnd: UnsafePointer<UInt32>, _ visibleEnd: UnsafePointer<UInt32>, _ width: Int, _ count: Int
  ) -> Int {
    var line = 0
    var degree = 0
    for panel in 0..<count {
      panels[panel] = UInt32(truncatingIfNeeded: line)
      let last = min(panel &* 16 &+ 15, width &- 1)
      while Int(degreeEnd[degree]) <= last { degree &+= 1 }
      line &+= Int(visibleEnd[degree])
    }
    panels += count
    return line
  }

  private func earlierLayer(_ field: UInt16) -> Int32 { field == 0 ? noLayer : Int32(field) &- 2 }

  private func addsOnlyConstants(_ layers: Layer) -> Bool {
    func isConstant(_ index: Int32) -> Bool { index == noLayer || layers[Int(index)].context_only != 0 }
    let add = layer.pointee.add
    return isConstant(layer.pointee.gate) && isConstant(add.0) && isConstant(add.1) && isConstant(add.2)
  }
}

@implementation @_cdecl("flowrt_make_plan")
public func flowrt_make_plan(_ call: UnsafePointer<flowrt_call>!) {
  var planner = Planner(call.pointee)
  planner.run()
}
