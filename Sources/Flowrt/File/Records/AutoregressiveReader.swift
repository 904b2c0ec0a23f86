// Validates an autoregressive step (docs/FORMAT.md sections 2.1, 5); its layers: LayerReader.swift.

import CFlowrt
import FlowrtShim

/// Bins of a spline, components of a mixture.
let maximumBins: UInt32 = 1024

extension Reader {
  mutating func readAutoregressive(_ record: Record) throws(Refusal) {
    let step = record.step
    if step.reads > 1 { throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_READS, UInt64(step.reads)) }
    if UInt64(step.passthrough) >= dim {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_PASSTHROUGH, UInt64(step.passthrough), expected: dim)
    }
    try checkTransformer(record)

    _ = try blocks.permutation(dim)
    _ = try blocks.permutation(dim)
    let parameters = flowrt_transformer_parameters(step.transformer, step.form, step.bins)
    if Int(step.transformer) == FLOWRT_TRANSFORMER_SPLINE {
      view.columns = max(view.columns, parameters &+ UInt32(FLOWRT_SPLINE_COLUMNS))
    }
    try readStages(record, parameters: parameters)
  }

  /// The stages of a step or base, and its conditioner, of which the output layer has `parameters` units for each rank that is
  /// not passed through.
  mutating func readStages(_ record: Record, parameters: UInt32) throws(Refusal) {
    let step = record.step
    let dim = dim
    let stages = UInt64(step.stage_count)
    let skip = UInt64(step.passthrough)
    if stages == 0 || stages > dim {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_STAGE_COUNT, stages, expected: dim)
    }
    try checkLayerCount(record)
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
    if !skipIsBoundary { throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_PASSTHROUGH, skip) }

    view.stage_count &+= stages
    view.columns = max(view.columns, parameters)
    let inputs = Degrees(table: stageEnd, shift: -1)
    let outputs = Degrees(table: stageEnd, skip: step.passthrough, factor: parameters)
    try readConditioner(
      Network(
        layerCount: step.layer_count, stages: stages, contextDim: view.encoded_dim, inputs: inputs, outputs: outputs,
        outputWidth: (dim &- skip) &* UInt64(parameters)))
  }
}

/// Section 5: the transformer's codes and constants.
private func checkTransformer(_ record: Record) throws(Refusal) {
  let step = record.step
  switch Int(step.transformer) {
  case FLOWRT_TRANSFORMER_AFFINE:
    if Int(step.form) >= FLOWRT_FORMS {
      throw record.refusal(FLOWRT_ERR_FEATURE, FLOWRT_STEP_FORM, UInt64(step.form))
    }
    try checkScale(record)
    if Int(step.form) == FLOWRT_FORM_GATED && (Int(step.scale) != FLOWRT_SCALE_SIGMOID || step.p.0 != 0) {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_FORM, UInt64(step.form))
    }
    try record.requireZero(from: FLOWRT_STEP_BINS, upTo: FLOWRT_STEP_P)
  case FLOWRT_TRANSFORMER_ADDITIVE: try record.requireZero(from: FLOWRT_STEP_FORM)
  case FLOWRT_TRANSFORMER_SPLINE: try checkSpline(record)
  default: throw record.refusal(FLOWRT_ERR_FEATURE, FLOWRT_STEP_TRANSFORMER, UInt64(step.transformer))
  }
}

/// A scale function and its constants: fields `scale` and `p`.
func checkScale(_ record: Record) throws(Refusal) {
  let step = record.step
  if Int(step.scale) >= FLOWRT_SCALES {
    throw record.refusal(FLOWRT_ERR_FEATURE, FLOWRT_STEP_SCALE, UInt64(step.scale))
  }
  let (p0, p1, p2) = (step.p.0, step.p.1, step.p.2)
  var used = 1
  var isValid = true
  switch Int(step.scale) {
  case FLOWRT_SCALE_EXP: used = 0
  case FLOWRT_SCALE_CLAMPED_EXP: (used, isValid) = (2, p0 <= p1)
  case FLOWRT_SCALE_SOFTPLUS, FLOWRT_SCALE_SIGMOID: isValid = p0 >= 0
  case FLOWRT_SCALE_CLAMPED_SOFTPLUS: (used, isValid) = (3, p0 >= 0 && p1 > 0 && p1 <= p2)
  default: isValid = p0 > 0
  }
  try record.requireConstant(0, p0, isValid)
  try record.requireConstant(1, p1)
  try record.requireConstant(2, p2)
  try record.requireZero(from: FLOWRT_STEP_P &+ 4 &* used)
}

/// Section 5.1: the bits of `form`, and the constants that they use.
private func checkSpline(_ record: Record) throws(Refusal) {
  let step = record.step
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
  if !isKnown { throw record.refusal(FLOWRT_ERR_FEATURE, FLOWRT_STEP_FORM, UInt64(step.form)) }
  try record.requireZero(from: FLOWRT_STEP_SCALE, upTo: FLOWRT_STEP_BINS)
  if bins < 2 { throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_BINS, UInt64(bins), expected: 2) }
  if bins > maximumBins {
    throw record.refusal(FLOWRT_ERR_LIMIT, FLOWRT_STEP_BINS, UInt64(bins), expected: UInt64(maximumBins))
  }
  /// A constant that may be used: then it must hold the condition, else be zero, and not a negative one.
  func require(_ index: Int, _ value: Float, if isUsed: Bool, _ condition: Bool) throws(Refusal) {
    try record.requireConstant(index, value, isUsed ? condition : value.bitPattern == 0)
  }
  let p = step.p
  try record.requireConstant(0, p.0, p.0 < p.1)
  // A difference of bounds that overflows has no bins.
  try record.requireConstant(1, p.1, p.1 - p.0 < .infinity)
  try require(2, p.2, if: !clipsWidths && !isLinear, p.2 >= 0 && p.2 * Float(bins) < 1)
  try require(3, p.3, if: isQuadratic || !clipsWidths, p.3 >= 0 && p.3 * (isQuadratic ? 1 : Float(bins)) < 1)
  try require(4, p.4, if: !hasExponentialDerivatives && !hasNoDerivatives, p.4 >= 0)
  try require(5, p.5, if: clipsWidths || hasExponentialDerivatives, p.5 > 0)
  try require(6, p.6, if: ends == FLOWRT_ENDS_FIXED && !hasNoDerivatives && !isQuadratic, p.6 > 0)
  try require(7, p.7, if: isLinearRational, p.7 > 0 && p.7 < 0.5)
  try record.requireZero(from: FLOWRT_STEP_RESERVED)
}
