// Validates a base density (docs/FORMAT.md section 2.7).

import CFlowrt
import FlowrtShim

/// Reads the base whose record is at `offset`; the next record is number `first`. Returns the number of its layers.
func readBase(
  _ record: UnsafePointer<flowrt_step_record>, _ offset: UInt64, _ header: flowrt_file_header, _ first: UInt32,
  _ blocks: inout Blocks, _ view: inout flowrt_view
) throws(Refusal) -> UInt32 {
  let base = record.pointee
  let raw = UnsafeRawPointer(record)
  let dim = UInt64(header.dim)
  switch Int(base.reads) {
  case FLOWRT_BASE_STANDARD_NORMAL: try requireZero(raw, offset, from: 4, blocks)
  case FLOWRT_BASE_DIAGONAL_NORMAL:
    try requireZero(raw, offset, from: 4, blocks)
    _ = try blocks.floats(dim)
    _ = try blocks.positiveFloats(dim)
    view.parameter_count &+= 2 &* dim
  case FLOWRT_BASE_UNIFORM:
    try requireZero(raw, offset, from: 4, blocks)
    try readBox(dim, &blocks)
    view.parameter_count &+= 2 &* dim
  case FLOWRT_BASE_MIXTURE:
    try requireZero(raw, offset, from: 4, to: 20, blocks)
    try requireZero(raw, offset, from: 24, blocks)
    try readMixture(UInt64(try readComponents(base, offset, blocks)), dim, &blocks, &view)
  case FLOWRT_BASE_CONDITIONAL_NORMAL:
    try requireZero(raw, offset, from: 4, to: 12, blocks)
    try requireZero(raw, offset, from: 14, blocks)
    try readLayerCount(base.layer_count, offset, header, first, blocks)
    let layers = LayerSequence(
      first: first, count: UInt64(base.layer_count), stages: 1, contextDim: UInt64(view.encoded_dim), inputs: nil,
      outputs: nil, outputWidth: 2 &* dim)
    view.activations_size = max(view.activations_size, try layers.read(&blocks, &view).size)
    return UInt32(base.layer_count)
  case FLOWRT_BASE_AUTOREGRESSIVE_MIXTURE:
    try requireZero(raw, offset, from: 8, to: 12, blocks)
    try requireZero(raw, offset, from: 14, to: 18, blocks)
    try readScale(base, raw, offset, blocks)
    let components = try readComponents(base, offset, blocks)
    _ = try blocks.permutation(dim)
    return try readStages(base, offset, header, first, parameters: 3 &* components, &blocks, &view)
  default: throw blocks.refusal(FLOWRT_ERR_FEATURE, offset: offset &+ 2, found: UInt64(base.reads))
  }
  return 0
}

private func readComponents(
  _ base: flowrt_step_record, _ offset: UInt64, _ blocks: Blocks
) throws(Refusal) -> UInt32 {
  let at = offset &+ 20
  if base.bins == 0 { throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: at, expected: 1) }
  if base.bins > maximumBins {
    throw blocks.refusal(FLOWRT_ERR_LIMIT, offset: at, expected: UInt64(maximumBins), found: UInt64(base.bins))
  }
  return base.bins
}

/// lower < upper.
private func readBox(_ dim: UInt64, _ blocks: inout Blocks) throws(Refusal) {
  let start = blocks.next
  let lower = try blocks.floats(dim)
  let upper = try blocks.floats(dim)
  var i: UInt64 = 0
  while i < dim {
    let (a, b) = (lower[Int(truncatingIfNeeded: i)], upper[Int(truncatingIfNeeded: i)])
    if !(a < b && b - a < .infinity) {
      throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* i, found: UInt64(a.bitPattern))
    }
    i &+= 1
  }
}

private func readMixture(
  _ components: UInt64, _ dim: UInt64, _ blocks: inout Blocks, _ view: inout flowrt_view
) throws(Refusal) {
  _ = try blocks.floats(components)
  var c: UInt64 = 0
  while c < components {
    _ = try blocks.floats(dim)
    _ = try blocks.positiveFloats(dim)
    c &+= 1
  }
  view.parameter_count &+= components &* (1 &+ 2 &* dim)
  view.prologue_size &+= flowrt_mixture_floats(components)
}
