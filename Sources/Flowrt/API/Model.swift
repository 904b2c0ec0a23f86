// Opens a model, and tells what is in it.

import CFlowrt
import FlowrtShim

@c(flowrt_model_open) @implementation
public func flowrt_model_open(
  _ model: UnsafeMutablePointer<flowrt_model>!, _ data: UnsafeRawPointer!, _ size: Int, _ flags: UInt32,
  _ detail: UnsafeMutablePointer<flowrt_error_detail>!
) -> flowrt_status {
  let bytes = Region(data, UInt64(UInt(bitPattern: size)))
  let target = Region(model, UInt64(MemoryLayout<flowrt_model>.size))
  let report = Region(detail, UInt64(MemoryLayout<flowrt_error_detail>.size))
  if target.overlaps(bytes) || report.overlaps(bytes) || report.overlaps(target) { return FLOWRT_ERR_OVERLAP }
  var refusal = Refusal(status: FLOWRT_OK)
  let knownFlags: UInt32 = FLOWRT_OPEN_VERIFY | 0xFF00
  if flags & ~knownFlags != 0 {
    refusal = Refusal(status: FLOWRT_ERR_FLAGS)
  } else if let model, let data {
    do throws(Refusal) {
      var view = try readModel(data, UInt64(UInt(bitPattern: size)), verify: flags & FLOWRT_OPEN_VERIFY != 0)
      // Below 2^45, since records, ranks, layers and widths are limited: only a 32-bit machine may lack the address
      // space.
      if workspaceSize(view, UInt64(FLOWRT_TILE_ROWS)) > UInt64(UInt(bitPattern: Int.max)) {
        throw Refusal(status: FLOWRT_ERR_LIMIT)
      }
      let cap = (flags >> 8) & 0xFF
      view.level = cap == 0 ? bestLevel() : min(cap, bestLevel())
      withUnsafeMutablePointer(to: &view) { $0.pointee.tag = tag($0) }
      UnsafeMutableRawPointer(model).storeBytes(of: view, as: flowrt_view.self)
    } catch {
      refusal = error
    }
  } else {
    refusal = Refusal(status: FLOWRT_ERR_NULL)
  }
  if refusal.status != FLOWRT_OK, let model {
    let words = UnsafeMutableRawPointer(model).assumingMemoryBound(to: UInt64.self)
    for i in 0..<viewWords { words[i] = 0 }
  }
  if let detail { detail.pointee = refusal.detail }
  return refusal.status
}

@c(flowrt_model_get_info) @implementation
public func flowrt_model_get_info(
  _ model: UnsafePointer<flowrt_model>!, _ info: UnsafeMutablePointer<flowrt_model_info>!
) -> flowrt_status {
  guard let model, let target = info else { return FLOWRT_ERR_NULL }
  guard let view = openView(model)?.pointee else { return FLOWRT_ERR_MODEL }
  let size = UInt32(truncatingIfNeeded: MemoryLayout<flowrt_model_info>.size)
  let bytes = Int(truncatingIfNeeded: min(target.pointee.struct_size, size))
  if bytes < 8 { return FLOWRT_ERR_ARGUMENT }  // struct_size itself, and a field
  var facts = flowrt_model_info(
    struct_size: target.pointee.struct_size, dim: view.dim, context_dim: view.context_dim, step_count: view.step_count,
    format_version: view.format_version, cpu_level: view.level, parameter_count: view.parameter_count,
    data_size: view.data_size, metadata_offset: view.data_size &- view.metadata_size, metadata_size: view.metadata_size)
  withUnsafeBytes(of: &facts) { UnsafeMutableRawPointer(target).copyMemory(from: $0.baseAddress!, byteCount: bytes) }
  return FLOWRT_OK
}

@c(flowrt_plan_size) @implementation
public func flowrt_plan_size(_ model: UnsafePointer<flowrt_model>!) -> Int {
  guard let view = openView(model) else { return 0 }
  // Below the workspace's size, which fits the address space (flowrt_model_open), and 64 bytes.
  return Int(truncatingIfNeeded: KeptPlan.size(view.pointee))
}

@c(flowrt_model_prepare) @implementation
public func flowrt_model_prepare(
  _ model: UnsafeMutablePointer<flowrt_model>!, _ plan: UnsafeMutableRawPointer!, _ plan_size: Int
) -> flowrt_status {
  guard let model, let plan else { return FLOWRT_ERR_NULL }
  guard var view = openView(model)?.pointee else { return FLOWRT_ERR_MODEL }
  let bytes = KeptPlan.size(view)
  if plan_size < 0 { return FLOWRT_ERR_ARGUMENT }
  if UInt(bitPattern: plan) & UInt(truncatingIfNeeded: alignment &- 1) != 0 { return FLOWRT_ERR_ALIGNMENT }
  if UInt64(UInt(bitPattern: plan_size)) < bytes { return FLOWRT_ERR_WORKSPACE }
  let memory = Region(plan, UInt64(UInt(bitPattern: plan_size)))
  let data = Region(UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: view.data)), view.data_size)
  if memory.overlaps(data) || memory.overlaps(Region(model, UInt64(MemoryLayout<flowrt_model>.size))) {
    return FLOWRT_ERR_OVERLAP
  }
  view.plan = 0
  let kept = KeptPlan(plan, view)
  // What a record does not have is NULL.
  plan.initializeMemory(as: UInt8.self, repeating: 0, count: Int(truncatingIfNeeded: bytes))
  withUnsafePointer(to: view) {
    // Only what a plan is made of, and where it goes.
    var call = flowrt_call()
    call.view = $0
    (call.steps, call.layers, call.tables, call.panels) = (kept.steps, kept.layers, kept.tables, kept.panels)
    call.prologue = kept.prologue
    flowrt_make_plan(&call)
  }
  view.plan = UInt64(UInt(bitPattern: plan))
  withUnsafeMutablePointer(to: &view) { $0.pointee.tag = tag($0) }
  kept.mark.pointee = view.tag
  UnsafeMutableRawPointer(model).storeBytes(of: view, as: flowrt_view.self)
  return FLOWRT_OK
}

@c(flowrt_workspace_size) @implementation
public func flowrt_workspace_size(_ model: UnsafePointer<flowrt_model>!, _ count: Int) -> Int {
  guard let view = openView(model) else { return 0 }
  return Int(truncatingIfNeeded: workspaceSize(view.pointee, UInt64(UInt(bitPattern: count))))
}
