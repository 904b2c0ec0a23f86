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
  let view = call.view.pointee
  let dim = Int(view.dim)
  let records = UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: view.data))! + 64
  var blocks = Blocks(next: records + 64 &* Int(view.record_count))
  var step = call.steps!
  var layer = call.layers!
  var panels = call.panels!
  var prologue = call.prologue!
  var index = 0
  while index < Int(view.record_count) {
    let record = (records + 64 &* index).assumingMemoryBound(to: flowrt_step_record.self)
    index &+= 1
    switch Int(record.pointee.kind) {
    case FLOWRT_RECORD_AUTOREGRESSIVE:
      let stages = Int(record.pointee.stage_count)
      step.pointee.record = UnsafePointer(record)
      step.pointee.data_index = blocks.take(dim)
      step.pointee.noise_index = blocks.take(dim)
      let stageEnd: UnsafePointer<UInt32> = blocks.take(stages)
      step.pointee.stage_end = stageEnd
      step.pointee.layers = layer
      var values: UInt32 = 0
      let layerCount = Int(record.pointee.layer_count)
      for number in 0..<layerCount {
        let layerRecord = (records + 64 &* index).assumingMemoryBound(to: flowrt_layer_record.self)
        index &+= 1
        planLayer(
          layer, layerRecord.pointee, step.pointee, isOutput: number == layerCount &- 1, Int(view.context_dim),
          &blocks, &panels, &prologue, &values, base: call.prologue)
        layer += 1
      }
      step += 1
    case FLOWRT_RECORD_DIAGONAL:
      step.pointee.record = UnsafePointer(record)
      step.pointee.scale = blocks.take(dim)
      step.pointee.shift = blocks.take(dim)
      step += 1
    case FLOWRT_RECORD_PERMUTATION:
      step.pointee.record = UnsafePointer(record)
      step.pointee.data_index = blocks.take(dim)
      step += 1
    default:
      return  // the base: a standard normal, without blocks
    }
  }
}

private func planLayer(
  _ layer: Layer, _ record: flowrt_layer_record, _ step: flowrt_step_plan, isOutput: Bool, _ contextDim: Int,
  _ blocks: inout Blocks, _ panels: inout UnsafeMutablePointer<UInt32>, _ prologue: inout UnsafeMutablePointer<Float>,
  _ values: inout UInt32, base: UnsafeMutablePointer<Float>
) {
  let width = Int(record.width)
  let stepRecord = step.record.pointee
  let stages = Int(stepRecord.stage_count)
  var plan = flowrt_layer_plan()
  plan.width = record.width
  plan.panels = (record.width &+ 15) / 16
  plan.activation = record.activation
  plan.a = record.a
  if isOutput {
    plan.degrees = flowrt_degrees(
      table: step.stage_end, shift: 0, skip: stepRecord.passthrough, factor: parameterCount(stepRecord))
  } else {
    plan.degrees = flowrt_degrees(table: blocks.take(stages), shift: 0, skip: 0, factor: 1)
  }
  let bias: UnsafePointer<Float> = blocks.take(width)
  plan.bias = bias

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
      ? flowrt_degrees(table: step.stage_end, shift: -1, skip: 0, factor: 1)
      : step.layers[Int(plan.source)].degrees
    plan.panel_start = UnsafePointer(panels)
    var line = 0
    var degree = 0
    for panel in 0..<Int(plan.panels) {
      panels[panel] = UInt32(truncatingIfNeeded: line)
      let last = min(panel &* 16 &+ 15, width &- 1)
      while degree < stages &- 1 && plan.degrees.count(degree) <= last { degree &+= 1 }
      line &+= plan.visible.count(degree)
    }
    panels += Int(plan.panels)
    plan.weights = blocks.takeLines(line)
  }

  let hasConstantSource = plan.source >= 0 && step.layers[Int(plan.source)].context_only != 0
  plan.constant_source = hasConstantSource ? 1 : 0
  let isConstant = (plan.source == noLayer || hasConstantSource) && allContextOnly(plan, step)
  plan.context_only = isConstant && !isOutput ? 1 : 0
  let padded = plan.panels &* 16
  if plan.context_only != 0 || hasConstantSource || record.context != 0 {
    plan.start = prologue
    prologue += Int(padded)
  } else {
    plan.start = UnsafeMutablePointer(mutating: bias)
  }
  plan.values = values
  values &+= padded
  layer.pointee = plan
}

@inline(__always) private func earlierLayer(_ field: UInt16) -> Int32 { field == 0 ? noLayer : Int32(field) &- 2 }

private func allContextOnly(_ plan: flowrt_layer_plan, _ step: flowrt_step_plan) -> Bool {
  @inline(__always) func isContextOnly(_ index: Int32) -> Bool {
    index == noLayer || step.layers[Int(index)].context_only != 0
  }
  return isContextOnly(plan.gate) && isContextOnly(plan.add.0) && isContextOnly(plan.add.1) && isContextOnly(plan.add.2)
}
