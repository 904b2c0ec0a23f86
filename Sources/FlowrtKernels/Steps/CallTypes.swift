// What the kernels see of a call: the layers and steps of its plan (flowrt_kernels.h), made by Plan.swift.

import FlowrtShim

typealias Layer = UnsafeMutablePointer<flowrt_layer_plan>
typealias Step = UnsafeMutablePointer<flowrt_step_plan>

/// A field that refers to a layer and names none.
let noLayer = Int32(FLOWRT_NO_LAYER)
/// The source of a layer that sees the side which the conditioner reads.
let readSide = Int32(FLOWRT_READ_SIDE)

/// Which way the rows go through the steps.
enum Direction {
  case toNoise, toData
}

extension flowrt_call {
  /// The base, planned behind the steps.
  var basePlan: Step { steps + Int(view.pointee.step_count) }
  var isGradient: Bool { gradient != nil }
  /// The context encoder, planned behind the base.
  var encoderPlan: Step { basePlan + 1 }
}

/// Where something has its values: unit u of row r of a few at u + r stride, of a tile at u rows + r.
struct Values {
  let base: UnsafeMutablePointer<Float>
  let stride: Int

  /// A unit of 16 rows of a tile from `row` on; or of one of few rows, whose value is in every lane.
  @inline(__always) func lanes(_ unit: Int, _ row: Int, _ rows: Int) -> Lanes {
    rows >= laneCount ? base.lanes(unit &* rows &+ row) : Lanes(repeating: base[unit &+ row &* stride])
  }
  @inline(__always) func store(_ value: Lanes, _ unit: Int, _ row: Int, _ rows: Int) {
    if rows >= laneCount { base.store(value, unit &* rows &+ row) } else { base[unit &+ row &* stride] = value[0] }
  }
}
