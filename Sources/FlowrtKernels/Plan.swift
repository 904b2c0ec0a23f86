// The plan of a call: for every step and layer, where its blocks lie.
//
// The file stores no offsets. They are computed here, once for each call, into the workspace, by walking the records and
// the blocks side by side (docs/FORMAT.md, sections 2 to 4). The structure was validated by flowrt_model_open.

import FlowrtShim

typealias Layer = UnsafeMutablePointer<flowrt_layer_plan>
typealias Step = UnsafeMutablePointer<flowrt_step_plan>

let noLayer = Int32(FLOWRT_NO_LAYER)
let readSide = Int32(FLOWRT_READ_SIDE)

extension flowrt_degrees {
  /// Units of degree <= g.
  @inline(__always) func count(_ g: Int) -> Int { Int(truncatingIfNeeded: flowrt_degrees_count(self, Int64(g))) }
}

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

/// Parameters of each rank: the factor between ranks and output rows.
@inline(__always) private func parameterCount(_ record: flowrt_step_record) -> UInt32 {
  record.transformer == Transformer.additive.rawValue ? 1 : 2
}

/// Fills call.steps, call.layers and call.panels.
func makePlan(_ call: flowrt_call) {
  var planner = Planner(call)
  planner.run()
}

/// The walk, with one cursor for each thing that is laid out.
private struct Planner {
  private let dim, contextDim, recordCount: Int
  private let records: UnsafeRawPointer
  private var index = 0
  private var blocks: Blocks
  private var step: Step
  private var layer: Layer
  private var panels: UnsafeMutablePointer<UInt32>
  private var prologue: UnsafeMutablePointer<Float>
  /// Offset of the next layer's values in the activations of the step.
  private var values: UInt32 = 0

  init(_ call: flowrt_call) {
    let view = call.view.pointee
    dim = Int(view.dim)
    contextDim = Int(view.context_dim)
    recordCount = Int(view.record_count)
    records = UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: view.data))! + 64
    blocks = Blocks(next: records + 64 &* recordCount)
    step = call.steps
    layer = call.layers
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
      switch Int(record.pointee.kind) {
      case FLOWRT_RECORD_AUTOREGRESSIVE: autoregressive(record.pointee)
      case FLOWRT_RECORD_DIAGONAL:
        step.pointee.scale = blocks.take(dim)
        step.pointee.shift = blocks.take(dim)
      case FLOWRT_RECORD_PERMUTATION: step.pointee.data_index = blocks.take(dim)
      default: return  // the base: a standard normal, without blocks
      }
      step += 1
    }
  }

  private mutating func autoregressive(_ record: flowrt_step_record) {
    step.pointee.data_index = blocks.take(dim)
    step.pointee.noise_index = blocks.take(dim)
    step.pointee.stage_end = blocks.take(Int(record.stage_count))
    step.pointee.layers = layer
    values = 0
    for number in 1...Int(record.layer_count) {
      let layerRecord: UnsafePointer<flowrt_layer_record> = nextRecord()
      layer.pointee = plan(layerRecord.pointee, of: record, isOutput: number == Int(record.layer_count))
      layer += 1
    }
  }

  private mutating func plan(
    _ record: flowrt_layer_record, of stepRecord: flowrt_step_record, isOutput: Bool
  ) -> flowrt_layer_plan {
    let width = Int(record.width)
    let stages = Int(stepRecord.stage_count)
    var plan = flowrt_layer_plan()
    plan.width = record.width
    plan.panels = (record.width &+ 15) / 16
    plan.activation = record.activation
    plan.a = record.a
    plan.degrees =
      isOutput
      ? flowrt_degrees(
        table: step.pointee.stage_end, shift: 0, skip: stepRecord.passthrough, factor: parameterCount(stepRecord))
      : flowrt_degrees(table: blocks.take(stages), shift: 0, skip: 0, factor: 1)
    plan.bias = blocks.take(width)

    plan.gate = earlierLayer(record.gate)
    plan.add = (earlierLayer(record.add.0), earlierLayer(record.add.1), earlierLayer(record.add.2))
    if record.scaled & 1 != 0 { plan.scale.0 = blocks.take(width) }
    if record.scaled & 2 != 0 { plan.scale.1 = blocks.take(width) }
    if record.scaled & 4 != 0 { plan.scale.2 = blocks.take(width) }

    if record.context != 0 { plan.context_weights = blocks.takeLines(Int(plan.panels) &* contextDim) }
    plan.source = record.source == 0 ? noLayer : record.source == 1 ? readSide : Int32(record.source) &- 2
    if plan.source != noLayer {
      plan.visible =
        plan.source == readSide
        ? flowrt_degrees(table: step.pointee.stage_end, shift: -1, skip: 0, factor: 1)
        : step.pointee.layers[Int(plan.source)].degrees
      plan.panel_start = UnsafePointer(panels)
      plan.weights = blocks.takeLines(layOutPanels(plan, stages))
    }

    let hasConstantSource = plan.source >= 0 && step.pointee.layers[Int(plan.source)].context_only != 0
    plan.constant_source = hasConstantSource ? 1 : 0
    let isConstant = (plan.source == noLayer || hasConstantSource) && addsOnlyConstants(plan)
    plan.context_only = isConstant && !isOutput ? 1 : 0
    let paddedWidth = plan.panels &* 16
    if isConstant && !isOutput || hasConstantSource || record.context != 0 {
      plan.start = prologue
      prologue += Int(paddedWidth)
    } else {
      plan.start = UnsafeMutablePointer(mutating: plan.bias)
    }
    plan.values = values
    values &+= paddedWidth
    return plan
  }

  /// Writes where each panel begins; returns the lines of all. A panel has as many as its last unit sees.
  private mutating func layOutPanels(_ plan: flowrt_layer_plan, _ stages: Int) -> Int {
    var line = 0
    var degree = 0
    for panel in 0..<Int(plan.panels) {
      panels[panel] = UInt32(truncatingIfNeeded: line)
      let last = min(panel &* 16 &+ 15, Int(plan.width) &- 1)
      while degree < stages &- 1 && plan.degrees.count(degree) <= last { degree &+= 1 }
      line &+= plan.visible.count(degree)
    }
    panels += Int(plan.panels)
    return line
  }

  private func earlierLayer(_ field: UInt16) -> Int32 { field == 0 ? noLayer : Int32(field) &- 2 }

  private func addsOnlyConstants(_ plan: flowrt_layer_plan) -> Bool {
    func isConstant(_ index: Int32) -> Bool {
      index == noLayer || step.pointee.layers[Int(index)].context_only != 0
    }
    return isConstant(plan.gate) && isConstant(plan.add.0) && isConstant(plan.add.1) && isConstant(plan.add.2)
  }
}
