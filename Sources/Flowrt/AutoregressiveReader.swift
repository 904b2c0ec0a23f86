// Validates an autoregressive step (docs/FORMAT.md sections 2.1, 5); its layers: LayerReader.swift.

import CFlowrt
import FlowrtShim

/// Bins of a spline, components of a mixture.
let maximumBins: UInt32 = 1024

/// Reads a step whose record is at `offset`; the next record is number `first`. Returns the number of layers.
func readAutoregressive(
  _ record: UnsafePointer<flowrt_step_record>, _ offset: UInt64, _ header: flowrt_file_header, _ first: UInt32,
  _ blocks: inout Blocks, _ view: inout flowrt_view
) throws(Refusal) -> UInt32 {
  let step = record.pointee
  let dim = UInt64(header.dim)
  let skip = UInt64(step.passthrough)
  func refuse(_ status: flowrt_status, _ at: UInt64, _ found: UInt64, expected: UInt64 = 0) throws(Refusal) {
    throw blocks.refusal(status, offset: offset &+ at, expected: expected, found: found)
  }
  if step.reads > 1 { try refuse(FLOWRT_ERR_MALFORMED, 2, UInt64(step.reads)) }
  if skip >= dim { try refuse(FLOWRT_ERR_MALFORMED, 8, skip, expected: dim) }
  try readTransformer(step, UnsafeRawPointer(record), offset, blocks)

  _ = try blocks.permutation(dim)
  _ = try blocks.permutation(dim)
  let parameters = flowrt_transformer_parameters(step.transformer, step.form, step.bins)
  if Int(step.transformer) == FLOWRT_TRANSFORMER_SPLINE {
    view.columns = max(view.columns, parameters &+ UInt32(FLOWRT_SPLINE_COLUMNS))
  }
  return try readStages(step, offset, header, first, parameters: parameters, &blocks, &view)
}

/// The stages of a step or base, and its conditioner, of which the output layer has `parameters` units for each rank that is
/// not passed through. Returns the number of layers.
func readStages(
  _ step: flowrt_step_record, _ offset: UInt64, _ header: flowrt_file_header, _ first: UInt32, parameters: UInt32,
  _ blocks: inout Blocks, _ view: inout flowrt_view
) throws(Refusal) -> UInt32 {
  let dim = UInt64(header.dim)
  let stages = UInt64(step.stage_count)
  let skip = UInt64(step.passthrough)
  if stages == 0 || stages > dim {
    throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: offset &+ 4, expected: dim, found: stages)
  }
  try readLayerCount(step.layer_count, offset, header, first, blocks)
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
  if !skipIsBoundary { throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: offset &+ 8, found: skip) }

  view.stage_count &+= stages
  view.columns = max(view.columns, parameters)
  let layers = LayerSequence(
    first: first, count: UInt64(step.layer_count), stages: stages, contextDim: UInt64(view.encoded_dim),
    inputs: Degrees(table: stageEnd, shift: -1),
    outputs: Degrees(table: stageEnd, skip: step.passthrough, factor: parameters),
    outputWidth: (dim &- skip) &* UInt64(parameters))
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
  switch Int(step.transformer) {
  case FLOWRT_TRANSFORMER_AFFINE:
    if Int(step.form) >= FLOWRT_FORMS { try refuse(FLOWRT_ERR_FEATURE, 16, UInt64(step.form)) }
    try readScale(step, raw, offset, blocks)
    if Int(step.form) == FLOWRT_FORM_GATED && (Int(step.scale) != FLOWRT_SCALE_SIGMOID || step.p.0 != 0) {
      try refuse(FLOWRT_ERR_MALFORMED, 16, UInt64(step.form))
    }
    try requireZero(raw, offset, from: 20, to: 24, blocks)
  case FLOWRT_TRANSFORMER_ADDITIVE: try requireZero(raw, offset, from: 16, blocks)
  case FLOWRT_TRANSFORMER_SPLINE: try readSpline(step, raw, offset, blocks)
  default: try refuse(FLOWRT_ERR_FEATURE, 14, UInt64(step.transformer))
  }
}

/// A scale function and its constants: fields `scale` and `p`.
func readScale(
  _ step: flowrt_step_record, _ raw: UnsafeRawPointer, _ offset: UInt64, _ blocks: Blocks
) throws(Refusal) {
  if Int(step.scale) >= FLOWRT_SCALES {
    throw blocks.refusal(FLOWRT_ERR_FEATURE, offset: offset &+ 18, found: UInt64(step.scale))
  }
  let (p0, p1, p2) = (step.p.0, step.p.1, step.p.2)
  let isFinite = p0 - p0 == 0 && p1 - p1 == 0 && p2 - p2 == 0
  var used: UInt64 = 1
  var isValid = true
  switch Int(step.scale) {
  case FLOWRT_SCALE_EXP: used = 0
  case FLOWRT_SCALE_CLAMPED_EXP: (used, isValid) = (2, p0 <= p1)
  case FLOWRT_SCALE_SOFTPLUS, FLOWRT_SCALE_SIGMOID: isValid = p0 >= 0
  case FLOWRT_SCALE_CLAMPED_SOFTPLUS: (used, isValid) = (3, p0 >= 0 && p1 > 0 && p1 <= p2)
  default: isValid = p0 > 0
  }
  if !isFinite || !isValid {
    throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: offset &+ 24, found: UInt64(p0.bitPattern))
  }
  try requireZero(raw, offset, from: 24 &+ 4 &* used, blocks)
}

/// Section 5.1: the bits of `form`, and the constants that they use.
private func readSpline(
  _ step: flowrt_step_record, _ raw: UnsafeRawPointer, _ offset: UInt64, _ blocks: Blocks
) throws(Refusal) {
  let bins = step.bins
  let pieces = Int(flowrt_spline_pieces(step.form))
  let (isLinear, isQuadratic) = (pieces == FLOWRT_PIECES_LINEAR, pieces == FLOWRT_PIECES_QUADRATIC)
  let (isLinearRational, isCubic) = (pieces == FLOWRT_PIECES_LINEAR_RATIONAL, pieces == FLOWRT_PIECES_CUBIC)
  let widths = Int(flowrt_spline_widths(step.form))
  let derivatives = Int(flowrt_spline_derivatives(step.form))
  let ends = Int(flowrt_spline_ends(step.form))
  let clipsWidths = widths == FLOWRT_WIDTHS_CLIPPED
  let hasExponentialDerivatives = derivatives == FLOWRT_DERIVATIVES_EXP
  // Linear and cubic pieces have no derivatives of their own, those of quadratic ones are made in one way.
  let hasNoDerivatives = isLinear || isCubic
  let isKnown =
    pieces <= FLOWRT_PIECES_CUBIC && widths <= FLOWRT_WIDTHS_CLIPPED && derivatives <= FLOWRT_DERIVATIVES_EXP
    && ends <= FLOWRT_ENDS_CIRCULAR && !(hasNoDerivatives && (hasExponentialDerivatives || ends != FLOWRT_ENDS_FIXED))
    && !(isQuadratic && (hasExponentialDerivatives || ends == FLOWRT_ENDS_CIRCULAR))
  if !isKnown {
    throw blocks.refusal(FLOWRT_ERR_FEATURE, offset: offset &+ 16, found: UInt64(step.form))
  }
  try requireZero(raw, offset, from: 18, to: 20, blocks)
  if bins < 2 {
    throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: offset &+ 20, expected: 2, found: UInt64(bins))
  }
  if bins > maximumBins {
    throw blocks.refusal(FLOWRT_ERR_LIMIT, offset: offset &+ 20, expected: UInt64(maximumBins), found: UInt64(bins))
  }
  func require(_ condition: Bool, _ index: UInt64, _ value: Float) throws(Refusal) {
    if !(condition && value - value == 0) {
      throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: offset &+ 24 &+ 4 &* index, found: UInt64(value.bitPattern))
    }
  }
  /// A constant that may be used: then it must hold the condition, else be zero, and not a negative one.
  func require(_ isUsed: Bool, _ condition: Bool, _ index: UInt64, _ value: Float) throws(Refusal) {
    try require(isUsed ? condition : value.bitPattern == 0, index, value)
  }
  let p = step.p
  try require(p.0 < p.1, 0, p.0)
  try require(p.0 < p.1, 1, p.1)
  // A difference of bounds that overflows has no bins.
  try require(p.1 - p.0 < .infinity, 1, p.1)
  try require(!clipsWidths && !isLinear, p.2 >= 0 && p.2 * Float(bins) < 1, 2, p.2)
  try require(isQuadratic || !clipsWidths, p.3 >= 0 && p.3 * (isQuadratic ? 1 : Float(bins)) < 1, 3, p.3)
  try require(!hasExponentialDerivatives && !hasNoDerivatives, p.4 >= 0, 4, p.4)
  try require(clipsWidths || hasExponentialDerivatives, p.5 > 0, 5, p.5)
  try require(ends == FLOWRT_ENDS_FIXED && !hasNoDerivatives && !isQuadratic, p.6 > 0, 6, p.6)
  try require(isLinearRational, p.7 > 0 && p.7 < 0.5, 7, p.7)
  try requireZero(raw, offset, from: 56, blocks)
}
