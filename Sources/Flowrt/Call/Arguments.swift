// Arguments of the verbs: every pointer, count and overlap is checked here, once, before a kernel sees it.

import CFlowrt
import FlowrtShim

/// The arguments of one call, as the C caller gave them.
struct Arguments {
  let verb: Int
  let count: Int
  var input: UnsafePointer<Float>? = nil
  let context: UnsafePointer<Float>?
  let contextRows: Int
  /// dim floats for each row.
  var output: UnsafeMutablePointer<Float>? = nil
  /// One float for each row.
  let logOutput: UnsafeMutablePointer<Float>?
  let workspace: UnsafeMutableRawPointer?
  let workspaceSize: Int
  var rng: UnsafeMutablePointer<flowrt_rng>? = nil
  /// Of a gradient: context_dim floats for each row. Its gradient by x is `output`.
  var contextGradient: UnsafeMutablePointer<Float>? = nil
  private var isGradient: Bool { verb == FLOWRT_VERB_GRADIENT }

  /// Checks everything and runs the call on a kernel level.
  func run(_ model: UnsafePointer<flowrt_model>?, hasRequiredPointers: Bool) -> flowrt_status {
    if model == nil { return FLOWRT_ERR_NULL }
    guard let view = openView(model) else { return FLOWRT_ERR_MODEL }
    // A plan that something else was written over has pointers that lead anywhere.
    if !hasItsPlan(view) { return FLOWRT_ERR_MODEL }
    if count == 0 { return FLOWRT_OK }
    guard hasRequiredPointers, let workspace else { return FLOWRT_ERR_NULL }
    if isGradient && !hasGradient(view.pointee) { return FLOWRT_ERR_GRADIENT }
    let status = check(view, workspace)
    if status != FLOWRT_OK { return status }
    return evaluate(view, workspace) ? FLOWRT_OK : FLOWRT_ERR_NONFINITE
  }

  private func check(
    _ view: UnsafePointer<flowrt_view>, _ workspace: UnsafeMutableRawPointer
  ) -> flowrt_status {
    let rows = UInt64(UInt(bitPattern: count))
    let contexts = UInt64(UInt(bitPattern: contextRows))
    if view.pointee.context_dim == 0 {
      if contexts != 0 || context != nil || contextGradient != nil { return FLOWRT_ERR_CONTEXT_UNUSED }
    } else {
      if context == nil { return FLOWRT_ERR_CONTEXT_MISSING }
      if contextRows == 0 || UInt(bitPattern: count) % UInt(bitPattern: contextRows) != 0 {
        return FLOWRT_ERR_CONTEXT_ROWS
      }
    }
    // Arrays that do not fit the address space cannot exist.
    func exists(_ rows: UInt64, _ width: UInt32) -> Bool {
      let (floats, overflow) = rows.multipliedReportingOverflow(by: UInt64(width))
      return !overflow && floats <= UInt64(Int.max) / 4
    }
    if !exists(rows, view.pointee.dim) || !exists(contexts, view.pointee.context_dim) { return FLOWRT_ERR_COUNT }
    if workspaceSize < 0 { return FLOWRT_ERR_ARGUMENT }

    let pointers: InlineArray<4, UInt> = [
      UInt(bitPattern: input), UInt(bitPattern: context), UInt(bitPattern: output), UInt(bitPattern: logOutput),
    ]
    for i in 0..<4 where pointers[unchecked: i] & 3 != 0 { return FLOWRT_ERR_ALIGNMENT }
    if UInt(bitPattern: workspace) & UInt(truncatingIfNeeded: alignment &- 1) != 0 { return FLOWRT_ERR_ALIGNMENT }
    let least = isGradient ? gradientWorkspaceSize(view.pointee, 1) : WorkspaceLayout(view.pointee, rows: 1).size
    if UInt64(UInt(bitPattern: workspaceSize)) < least { return FLOWRT_ERR_WORKSPACE }
    if hasOverlap(view, workspace, rows, contexts) { return FLOWRT_ERR_OVERLAP }
    if contextGradient == nil { return FLOWRT_OK }
    if !exists(rows, view.pointee.context_dim) { return FLOWRT_ERR_COUNT }
    if UInt(bitPattern: contextGradient) & 3 != 0 { return FLOWRT_ERR_ALIGNMENT }
    return contextGradientOverlaps(view, workspace, rows, contexts) ? FLOWRT_ERR_OVERLAP : FLOWRT_OK
  }

  /// What is written must be apart from everything, but an output may be the input itself.
  private func hasOverlap(
    _ view: UnsafePointer<flowrt_view>, _ workspace: UnsafeMutableRawPointer, _ rows: UInt64, _ contexts: UInt64
  ) -> Bool {
    let rowBytes = 4 &* UInt64(view.pointee.dim)
    let model = Region(view, UInt64(MemoryLayout<flowrt_model>.size))
    let data = Region(UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: view.pointee.data)), view.pointee.data_size)
    let plan = Region(
      UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: view.pointee.plan)), KeptPlan.size(view.pointee))
    let input = Region(input, rows &* rowBytes)
    let context = Region(context, contexts &* 4 &* UInt64(view.pointee.context_dim))
    let output = Region(output, rows &* rowBytes)
    let logOutput = Region(logOutput, rows &* 4)
    let rng = Region(rng, UInt64(MemoryLayout<flowrt_rng>.size))
    let scratch = Region(workspace, UInt64(UInt(bitPattern: workspaceSize)))

    @inline(never) func touches(_ region: Region) -> Bool {
      region.overlaps(model) || region.overlaps(data) || region.overlaps(plan) || region.overlaps(context)
    }
    // A single output value for each row of one float has the shape of the input.
    let logOutputIsInput = view.pointee.dim == 1 && logOutput.equals(input) && self.output == nil
    return touches(output) || touches(logOutput) || touches(rng) || touches(scratch)
      || scratch.overlaps(input) || scratch.overlaps(output) || scratch.overlaps(logOutput) || scratch.overlaps(rng)
      || (output.overlaps(input) && !output.equals(input))
      || (logOutput.overlaps(input) && !logOutputIsInput)
      || logOutput.overlaps(output) || rng.overlaps(output) || rng.overlaps(logOutput)
  }

  /// The same of the gradient by the context, which is apart from the other outputs, too.
  private func contextGradientOverlaps(
    _ view: UnsafePointer<flowrt_view>, _ workspace: UnsafeMutableRawPointer, _ rows: UInt64, _ contexts: UInt64
  ) -> Bool {
    let (rowBytes, contextBytes) = (4 &* UInt64(view.pointee.dim), 4 &* UInt64(view.pointee.context_dim))
    let region = Region(contextGradient, rows &* contextBytes)
    let data = UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: view.pointee.data))
    return region.overlaps(Region(view, UInt64(MemoryLayout<flowrt_model>.size)))
      || region.overlaps(Region(data, view.pointee.data_size))
      || region.overlaps(
        Region(
          UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: view.pointee.plan)), KeptPlan.size(view.pointee)))
      || region.overlaps(Region(input, rows &* rowBytes)) || region.overlaps(Region(context, contexts &* contextBytes))
      || region.overlaps(Region(output, rows &* rowBytes)) || region.overlaps(Region(logOutput, rows &* 4))
      || region.overlaps(Region(workspace, UInt64(UInt(bitPattern: workspaceSize))))
  }

  /// Runs the call at the model's level. Returns whether all that was written is finite.
  private func evaluate(_ view: UnsafePointer<flowrt_view>, _ workspace: UnsafeMutableRawPointer) -> Bool {
    if isGradient { return evaluateGradient(view, workspace) }
    var rows = tileRows(view.pointee, UInt64(UInt(bitPattern: count)))
    let size = UInt64(UInt(bitPattern: workspaceSize))
    // Less workspace than the full size: smaller tiles.
    while rows > 1 && WorkspaceLayout(view.pointee, rows: rows).size > size { rows = rows > 16 ? rows &- 16 : 1 }
    return run(view, workspace, WorkspaceLayout(view.pointee, rows: rows), rows, gradient: nil)
  }

  private func evaluateGradient(
    _ view: UnsafePointer<flowrt_view>, _ workspace: UnsafeMutableRawPointer
  ) -> Bool {
    var rows = tileRows(view.pointee, max(UInt64(UInt(bitPattern: count)), 16))
    var layout = WorkspaceLayout(view.pointee, rows: rows)
    var parts = GradientLayout(view.pointee, rows: rows, behind: layout)
    while rows > 16 && parts.size > UInt64(UInt(bitPattern: workspaceSize)) {
      rows = rows &- 16
      layout = WorkspaceLayout(view.pointee, rows: rows)
      parts = GradientLayout(view.pointee, rows: rows, behind: layout)
    }
    var gradient = flowrt_gradient(view.pointee, parts, workspace, byX: output, byContext: contextGradient)
    return run(view, workspace, layout, rows, gradient: &gradient)
  }

  private func run(
    _ view: UnsafePointer<flowrt_view>, _ workspace: UnsafeMutableRawPointer, _ layout: WorkspaceLayout, _ rows: UInt64,
    gradient: UnsafePointer<flowrt_gradient>?
  ) -> Bool {
    func part<T>(_ offset: UInt64) -> UnsafeMutablePointer<T> {
      (workspace + Int(truncatingIfNeeded: offset)).assumingMemoryBound(to: T.self)
    }
    var call = flowrt_call(
      view: view, run_step: stepRunner(view.pointee.level), verb: UInt32(truncatingIfNeeded: verb),
      tile_rows: UInt32(truncatingIfNeeded: rows),
      count: UInt64(UInt(bitPattern: count)), input: input,
      context: context, rows_per_context: UInt64(UInt(bitPattern: count) / max(1, UInt(bitPattern: contextRows))),
      output: gradient == nil ? output : nil, log_output: logOutput,
      seed: rng?.pointee.seed ?? 0, stream: rng?.pointee.stream ?? 0, index: rng?.pointee.index ?? 0,
      steps: part(layout.plan.steps), layers: part(layout.plan.layers), tables: part(layout.plan.tables),
      panels: part(layout.plan.panels),
      prologue: part(layout.prologue), planes: part(layout.planes), context_tile: part(layout.contextTile),
      encoder: part(layout.encoder), state: part(layout.state),
      read: part(layout.read), other: part(layout.other), log_scale: part(layout.logScale),
      log_sum: part(layout.logSum), transformer_scratch: part(layout.transformerScratch),
      activations: part(layout.activations), sums: nil, gradient: gradient)
    flowrt_make_plan(&call)
    #if FLOWRT_LEVELS_3
      if view.pointee.level > 1 { return flowrt_evaluate_level2(&call) }
    #endif
    return flowrt_evaluate(&call)
  }

  private func stepRunner(_ level: UInt32) -> flowrt_step_runner {
    #if FLOWRT_LEVELS_3
      if level == 3 { return flowrt_step_level3 }
      if level == 2 { return flowrt_step_level2 }
    #endif
    return flowrt_step
  }
}
