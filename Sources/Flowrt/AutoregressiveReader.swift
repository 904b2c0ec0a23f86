// Validates an autoregressive step (docs/FORMAT.md sections 2.1, 5); its layers: LayerReader.swift.

import CFlowrt
import FlowrtShim

/// Reads a step whose record is at `offset`; the next record is number `first`. Returns the number of layers.
func readAutoregressive(
  _ record: UnsafePointer<flowrt_step_record>, _ offset: UInt64, _ header: flowrt_file_header, _ first: UInt32,
  _ blocks: inout Blocks, _ view: inout flowrt_view
) throws(Refusal) -> UInt32 {
  let step = record.pointee
  let dim = UInt64(header.dim)
  let stages = UInt64(step.stage_count)
  let skip = UInt64(step.passthrough)
  func refuse(_ status: flowrt_status, _ at: UInt64, _ found: UInt64, expected: UInt64 = 0) throws(Refusal) {
    throw blocks.refusal(status, offset: offset &+ at, expected: expected, found: found)
  }
  if step.reads > 1 { try refuse(FLOWRT_ERR_MALFORMED, 2, UInt64(step.reads)) }
  if stages == 0 || stages > dim { try refuse(FLOWRT_ERR_MALFORMED, 4, stages, expected: dim) }
  if skip >= dim { try refuse(FLOWRT_ERR_MALFORMED, 8, skip, expected: dim) }
  try readLayerCount(step.layer_count, offset, header, first, blocks)
  try readTransformer(step, UnsafeRawPointer(record), offset, blocks)

  _ = try blocks.permutation(dim)
  _ = try blocks.permutation(dim)
  let stagesAt = blocks.next
  let stageEnd = try blocks.integers(stages)
  var previous: UInt64 = 0
  var skipIsBoundary = skip == 0
  var s: UInt64 = 0
  while s < stages {
    let end = UInt64(stageEnd[Int(truncatingIfNeeded: s)])
    if end <= previous || end > dim || (s == stages &- 1 && end != dim) {
      throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: stagesAt &+ 4 &* s, expected: dim, found: end)
    }
    if end == skip { skipIsBoundary = true }
    previous = end
    s &+= 1
  }
  if !skipIsBoundary { try refuse(FLOWRT_ERR_MALFORMED, 8, skip) }

  let parameters: UInt64 = step.transformer == 2 ? 1 : 2
  view.stage_count &+= stages
  let outputs = Degrees(table: stageEnd, skip: step.passthrough, factor: UInt16(truncatingIfNeeded: parameters))
  let inputs = Degrees(table: stageEnd, shift: -1)
  let layers = LayerSequence(
    first: first, count: UInt64(step.layer_count), stages: stages, contextDim: UInt64(view.encoded_dim), inputs: inputs,
    outputs: outputs, outputWidth: (dim &- skip) &* parameters)
  view.activations_size = max(view.activations_size, try layers.read(&blocks, &view).size)
  return UInt32(step.layer_count)
}

/// Section 5: the transformer's codes and constants.
private func readTransformer(
  _ step: flowrt_step_record, _ raw: UnsafeRawPointer, _ offset: UInt64, _ blocks: Blocks
) throws(Refusal) {
  func refuse(_ status: flowrt_status, _ at: UInt64, _ found: UInt64) throws(Refusal) {
    throw blocks.refusal(status, offset: offset &+ at, found: found)
  }
  if step.transformer != 1 && step.transformer != 2 { try refuse(FLOWRT_ERR_FEATURE, 14, UInt64(step.transformer)) }
  if step.form > 2 { try refuse(FLOWRT_ERR_FEATURE, 16, UInt64(step.form)) }
  if step.scale > 7 { try refuse(FLOWRT_ERR_FEATURE, 18, UInt64(step.scale)) }
  if step.bins != 0 { try refuse(FLOWRT_ERR_MALFORMED, 20, UInt64(step.bins)) }
  if step.transformer == 2 {
    if step.form != 0 { try refuse(FLOWRT_ERR_MALFORMED, 16, UInt64(step.form)) }
    if step.scale != 0 { try refuse(FLOWRT_ERR_MALFORMED, 18, UInt64(step.scale)) }
  }
  let (p0, p1, p2) = (step.p.0, step.p.1, step.p.2)
  let isFinite = p0 - p0 == 0 && p1 - p1 == 0 && p2 - p2 == 0
  var used: UInt64 = 1
  var isValid = true
  switch step.scale {
  case 0: used = 0
  case 1: (used, isValid) = (2, p0 <= p1)
  case 2, 4: isValid = p0 >= 0
  case 3: (used, isValid) = (3, p0 >= 0 && p1 > 0 && p1 <= p2)
  default: isValid = p0 > 0
  }
  if !isFinite || !isValid { try refuse(FLOWRT_ERR_MALFORMED, 24, UInt64(p0.bitPattern)) }
  if step.form == 2 && (step.scale != 4 || p0 != 0) { try refuse(FLOWRT_ERR_MALFORMED, 16, 2) }
  try requireZero(raw, offset, from: 24 &+ 4 &* used, blocks)
}
