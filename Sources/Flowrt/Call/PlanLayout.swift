// Where the parts of a plan lie: at the beginning of a workspace, or in memory of their own where the caller keeps them.

import FlowrtShim

/// Offsets, in bytes, of the parts of a plan, from a multiple of 64 bytes on. The same on every CPU.
struct PlanLayout {
  let steps, layers, tables, panels: UInt64
  /// Bytes of all parts: a multiple of 64.
  let size: UInt64

  init(_ view: flowrt_view) {
    steps = 0
    layers = aligned(steps &+ (UInt64(view.step_count) &+ 2) &* UInt64(FLOWRT_STEP_PLAN_BYTES))
    tables = aligned(layers &+ UInt64(view.layer_count) &* UInt64(FLOWRT_LAYER_PLAN_BYTES))
    panels = aligned(tables &+ 2 &* view.stage_count &* 4)
    size = aligned(panels &+ view.panel_count &* 4)
  }
}

/// A plan that the caller keeps (flowrt_model_prepare): a line with its mark, and the parts.
///
///     | mark | steps | layers | tables | panels |
///
/// It is only read after it was made, so that threads may share it. What a call writes is in its workspace: there it
/// copies steps and layers, which say how far its sweep has come. The other parts are used where they are.
struct KeptPlan {
  private let memory: UnsafeMutableRawPointer
  private let layout: PlanLayout

  /// Bytes in front of the parts.
  private static let markBytes = alignment

  /// Bytes of memory that a model's plan takes.
  static func size(_ view: flowrt_view) -> UInt64 { markBytes &+ PlanLayout(view).size }

  init(_ memory: UnsafeMutableRawPointer, _ view: flowrt_view) {
    self.memory = memory
    layout = PlanLayout(view)
  }

  /// The tag of the model that it was made for, which is another one after flowrt_model_prepare.
  var mark: UnsafeMutablePointer<UInt64> { memory.assumingMemoryBound(to: UInt64.self) }
  var steps: UnsafeMutablePointer<flowrt_step_plan> { part(layout.steps) }
  var layers: UnsafeMutablePointer<flowrt_layer_plan> { part(layout.layers) }
  var tables: UnsafeMutablePointer<UInt32> { part(layout.tables) }
  var panels: UnsafeMutablePointer<UInt32> { part(layout.panels) }
  /// Where its pointers into the prologue, which only a call has, count from.
  var prologue: UnsafeMutablePointer<Float> { memory.assumingMemoryBound(to: Float.self) }

  private func part<T>(_ offset: UInt64) -> UnsafeMutablePointer<T> {
    (memory + Int(truncatingIfNeeded: KeptPlan.markBytes &+ offset)).assumingMemoryBound(to: T.self)
  }
}

/// Whether the plan that the caller keeps, if he does, is that of this model.
func hasItsPlan(_ view: UnsafePointer<flowrt_view>) -> Bool {
  let plan = UnsafePointer<UInt64>(bitPattern: UInt(truncatingIfNeeded: view.pointee.plan))
  return plan == nil || plan.unsafelyUnwrapped.pointee == view.pointee.tag
}

extension flowrt_view {
  /// The plan that the caller keeps, if flowrt_model_prepare made one.
  var keptPlan: KeptPlan? {
    UnsafeMutableRawPointer(bitPattern: UInt(truncatingIfNeeded: plan)).map { KeptPlan($0, self) }
  }
}
