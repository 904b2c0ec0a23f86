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
    if count == 0 { return FLOWRT_OK }
    guard hasRequiredPointers, let workspace else { return FLOWRT_ERR_NULL }
    if isGradient && !hasGradient(view.pointee) { return FLOWRT_ERR_GRADIENT }
    let status = check(view, workspace)
    if status != FLOWRT_OK { return status }
    return evaluate(view, workspace) ? FLOWRT_OK : FLOWRT_ERR_NONFINITE
  }

  /// Not for some parts of a model; nor, for the size of the library, on x86-64 without fused multiply-add, whose level
  /// would be one more copy of the derivatives.
  private func hasGradient(_ view: flowrt_view) -> Bool {
    #if FLOWRT_BASELINE_HAS_NO_GRADIENT
      if view.level == 1 { return false }
    #endif
    return view.no_gradient == 0
  }

  private func check(
    _ view: UnsafePointer<flowrt_view>, _ workspace: UnsafeMutableRawPointer
  ) -> flowrt_status {
    let rows = UInt64(UInt(bitPattern: count))
    let contexts = UInt64(UInt(bitPattern: contextRows))
    if view.pointee.context_dim == 0 {
      if contexts != 0 || context != nil { return FLOWRT_ERR_CONTEXT_UNUSED }
    } else {
      if context == nil { return FLOWRT_ERR_CONTEXT_MISSING }
      if contextRows == 0 || UInt(bitPattern: count) % UInt(bitPattern: contextRows) != 0 {
        return FLOWRT_ERR_CONTEXT_ROWS
      }
    }
    if contextGradient != nil && view.pointee.context_dim == 0 { return FLOWRT_ERR_CONTEXT_UNUSED }
    // Arrays that do not fit the address space cannot exist.
    func exists(_ rows: UInt64, _ width: UInt32) -> Bool {
      let (floats, overflow) = rows.multipliedReportingOverflow(by: UInt64(width))
      return !overflow && floats <= UInt64(Int.max) / 4
    }
    let contextArrayRows = contextGradient == nil ? contexts : rows
    if !exists(rows, view.pointee.dim) || !exists(contextArrayRows, view.pointee.context_dim) {
      return FLOWRT_ERR_COUNT
    }
    if workspaceSize < 0 { return FLOWRT_ERR_ARGUMENT }

    let pointers: InlineArray<5, UInt> = [
      UInt(bitPattern: input), UInt(bitPattern: context), UInt(bitPattern: output), UInt(bitPattern: logOutput),
      UInt(bitPattern: contextGradient),
    ]
    for i in 0..<5 where pointers[unchecked: i] & 3 != 0 { return FLOWRT_ERR_ALIGNMENT }
    if UInt(bitPattern: workspace) & UInt(truncatingIfNeeded: alignment &- 1) != 0 { return FLOWRT_ERR_ALIGNMENT }
    if UInt64(UInt(bitPattern: workspaceSize)) < Flowrt.workspaceSize(view.pointee, 1, isGradient: isGradient) {
      return FLOWRT_ERR_WORKSPACE
    }
    return hasOverlap(view, workspace, rows, contexts) ? FLOWRT_ERR_OVERLAP : FLOWRT_OK
  }

  /// What is written must be apart from everything, but an output may be the input itself.
  private func hasOverlap(
    _ view: UnsafePointer<flowrt_view>, _ workspace: UnsafeMutableRawPointer, _ rows: UInt64, _ contexts: UInt64
  ) -> Bool {
    let rowBytes = 4 &* UInt64(view.pointee.dim)
    let model = Region(view, UInt64(MemoryLayout<flowrt_model>.size))
    let data = Region(UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: view.pointee.data)), view.pointee.data_size)
    let input = Region(input, rows &* rowBytes)
    let context = Region(context, contexts &* 4 &* UInt64(view.pointee.context_dim))
    let output = Region(output, rows &* rowBytes)
    let logOutput = Region(logOutput, rows &* 4)
    let contextGradient = Region(contextGradient, rows &* 4 &* UInt64(view.pointee.context_dim))
    let rng = Region(rng, UInt64(MemoryLayout<flowrt_rng>.size))
    let scratch = Region(workspace, UInt64(UInt(bitPattern: workspaceSize)))

    func touches(_ region: Region) -> Bool {
      region.overlaps(model) || region.overlaps(data) || region.overlaps(context)
    }
    // A single output value for each row of one float has the shape of the input.
    let logOutputIsInput = view.pointee.dim == 1 && logOutput.equals(input) && self.output == nil
    return touches(output) || touches(logOutput) || touches(rng) || touches(scratch) || touches(contextGradient)
      || contextGradient.overlaps(input) || contextGradient.overlaps(output) || contextGradient.overlaps(logOutput)
      || contextGradient.overlaps(scratch)
      || scratch.overlaps(input) || scratch.overlaps(output) || scratch.overlaps(logOutput) || scratch.overlaps(rng)
      || (output.overlaps(input) && !output.equals(input))
      || (logOutput.overlaps(input) && !logOutputIsInput)
      || logOutput.overlaps(output) || rng.overlaps(output) || rng.overlaps(logOutput)
  }

  /// Runs the call at the model's level. Returns whether all that was written is finite.
  private func evaluate(_ view: UnsafePointer<flowrt_view>, _ workspace: UnsafeMutableRawPointer) -> Bool {
    var rows = tileRows(UInt64(UInt(bitPattern: count)), isGradient: isGradient)
    let size = UInt64(UInt(bitPattern: workspaceSize))
    // Less workspace than the full size: smaller tiles.
    func layout(_ rows: UInt64) -> WorkspaceLayout { WorkspaceLayout(view.pointee, rows: rows, isGradient: isGradient) }
    while rows > 1 && layout(rows).size > size { rows = rows > 16 ? rows &- 16 : 1 }
    let layout = layout(rows)
    func part<T>(_ offset: UInt64) -> UnsafeMutablePointer<T> {
      (workspace + Int(truncatingIfNeeded: offset)).assumingMemoryBound(to: T.self)
    }
    var call = flowrt_call(
      view: view, run_step: stepRunner(view.pointee.level), verb: UInt32(truncatingIfNeeded: verb),
      tile_rows: UInt32(truncatingIfNeeded: rows),
      count: UInt64(UInt(bitPattern: count)), input: input,
      context: context, rows_per_context: UInt64(UInt(bitPattern: count) / max(1, UInt(bitPattern: contextRows))),
      output: isGradient ? nil : output, log_output: logOutput,
      seed: rng?.pointee.seed ?? 0, stream: rng?.pointee.stream ?? 0, index: rng?.pointee.index ?? 0,
      steps: part(layout.steps), layers: part(layout.layers), tables: part(layout.tables), panels: part(layout.panels),
      prologue: part(layout.prologue), context_tile: part(layout.contextTile), encoder: part(layout.encoder),
      state: part(layout.state),
      read: part(layout.read), other: part(layout.other), log_scale: part(layout.logScale),
      log_sum: part(layout.logSum), transformer_scratch: part(layout.transformerScratch),
      activations: part(layout.activations), x_gradient: nil, context_gradient: contextGradient,
      accumulate_transposed: transposedProduct(view.pointee.level), gradient: flowrt_gradient_parts())
    if isGradient {
      let keepsSums = view.pointee.keeps_sums != 0
      call.x_gradient = output
      call.gradient = flowrt_gradient_parts(
        sums: keepsSums ? part(layout.sums) : nil, encoder_sums: keepsSums ? part(layout.encoderSums) : nil,
        sides: part(layout.sides), by_state: part(layout.byState), by_read: part(layout.byRead),
        by_units: part(layout.byUnits), by_context: part(layout.byContext),
        by_callers_context: part(layout.byCallersContext), columns: part(layout.columns))
    }
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
  private func transposedProduct(_ level: UInt32) -> flowrt_transposed_product {
    #if FLOWRT_LEVELS_3
      return level == 3 ? flowrt_transposed_level3 : flowrt_transposed_level2
    #else
      return flowrt_transposed
    #endif
  }
}
