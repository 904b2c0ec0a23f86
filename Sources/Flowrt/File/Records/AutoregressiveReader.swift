// Validates an autoregressive step (docs/FORMAT.md sections 2.1, 5); its layers: LayerReader.swift.

import CFlowrt
import FlowrtShim

extension Reader {
  /// Reads a step of section 2.1: its fields, the orders of both sides, its stages and its conditioner.
  mutating func readAutoregressive(_ record: Record) throws(Refusal) {
    let step = record.step
    // 0: the data side is read. 1: the noise side. Kernels compare with one of them alone.
    if ReadSide(rawValue: step.reads) == nil {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_READS, UInt64(step.reads))
    }
    // passthrough < dim: the kernel divides the output layer's width by dim - passthrough, which must not be 0.
    if UInt64(step.passthrough) >= dim {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_PASSTHROUGH, UInt64(step.passthrough), expected: dim)
    }
    let transformer = try checkTransformer(record)

    // data_index and noise_index, both permutations of 0 ..< dim.
    _ = try blocks.autoregressive(dim)
    let parameters = transformer.parameterCount(step)
    // A call's scratch has as many columns as the step with the most parameters needs. A spline has columns of its own
    // beyond its parameters.
    if transformer == .spline {
      view.scratch_columns = max(view.scratch_columns, parameters &+ UInt32(FLOWRT_SPLINE_COLUMNS))
      if !SplineForm(step.form).unsafelyUnwrapped.hasGradient { view.no_gradient = 1 }
    }
    try readStages(record, parameters: parameters)
  }

  /// Reads the stages of a step or of base 5, and the conditioner. `parameters`: output units for each rank that is not
  /// passed through, P of section 5 or 3 K of section 2.7.
  mutating func readStages(_ record: Record, parameters: UInt32) throws(Refusal) {
    let step = record.step
    let dim = dim
    let stages = UInt64(step.stage_count)
    let skip = UInt64(step.passthrough)
    // Each stage has a rank at least, so there are at most `dim` of them. Plan.swift fills the tables of stage 0
    // without asking.
    if stages == 0 || stages > dim {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_STAGE_COUNT, stages, expected: dim)
    }
    try checkLayerCount(record)
    let stageEnd = try blocks.stages(stages, dim)
    // Passed-through ranks are those of whole stages, so no stage has ranks with and without parameters (section 2.1).
    var skipIsBoundary = skip == 0
    var s: UInt64 = 0
    while s < stages {
      if UInt64(stageEnd[Int(truncatingIfNeeded: s)]) == skip { skipIsBoundary = true }
      s &+= 1
    }
    if !skipIsBoundary { throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_PASSTHROUGH, skip) }

    // The plan has two table entries for each stage of the file (Plan.swift).
    view.stage_count &+= stages
    view.scratch_columns = max(view.scratch_columns, parameters)
    // Section 3: a unit of degree g sees the ranks of the stages 0 to g - 1, so the table of ends is read one place
    // back. Outputs are the parameters of the ranks that are not passed through, in the order of the ranks.
    let inputs = Degrees(table: stageEnd, shift: -1)
    let outputs = Degrees(table: stageEnd, skip: step.passthrough, factor: parameters)
    try readConditioner(
      Network(
        layerCount: step.layer_count, stages: stages, contextDim: view.encoded_dim, inputs: inputs, outputs: outputs,
        // 2^24 ranks times 32-bit parameters stay below 2^56. LayerReader requires the layer's width to equal this,
        // and width <= 2^24, so that all ends of `outputs` fit 32 bits.
        outputWidth: (dim &- skip) &* UInt64(parameters)))
  }
}

/// Checks the transformer's code, form, scale function and constants: the first two tables of section 5.
private func checkTransformer(_ record: Record) throws(Refusal) -> TransformerKind {
  let step = record.step
  let transformer: TransformerKind = try record.code(FLOWRT_STEP_TRANSFORMER, step.transformer)
  switch transformer {
  case .affine:
    let form: AffineForm = try record.code(FLOWRT_STEP_FORM, step.form)
    let scale = try checkScale(record)
    // Form 2, q = s r + (1 - s) t, needs 0 < s < 1: a plain sigmoid, code 4 with p0 = 0.
    if form == .gated && (scale != .sigmoid || step.p.0 != 0) {
      throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_FORM, UInt64(step.form))
    }
    // p and the reserved bytes behind it were checked by checkScale.
    try record.requireZero(from: FLOWRT_STEP_BINS, upTo: FLOWRT_STEP_P)
  // No form, no scale function, no bins, no constants.
  case .additive: try record.requireZero(from: FLOWRT_STEP_FORM)
  case .spline: try checkSpline(record)
  }
  return transformer
}

/// Checks a scale function and its constants: fields `scale` and `p`, and the reserved bytes behind them. A step and
/// base 5 have them at the same offsets.
func checkScale(_ record: Record) throws(Refusal) -> ScaleFunction {
  let step = record.step
  let scale: ScaleFunction = try record.code(FLOWRT_STEP_SCALE, step.scale)
  let (p0, p1, p2) = (step.p.0, step.p.1, step.p.2)
  // `used`: how many of the constants the function has, from p0 on.
  let (used, areAllowed) = scale.constants(p0, p1, p2)
  try record.requireConstant(0, p0, areAllowed)
  try record.requireConstant(1, p1)
  try record.requireConstant(2, p2)
  // The others up to the end of the record are zero bytes, which -0.0 is not.
  try record.requireZero(from: FLOWRT_STEP_P &+ 4 &* used)
  return scale
}

/// Checks the parts of `form`, the number of bins, and the constants that these use (section 5.1).
private func checkSpline(_ record: Record) throws(Refusal) {
  let step = record.step
  // SplineForm takes known bits alone. A later version may define the others, hence FEATURE.
  guard let form = SplineForm(step.form), allowsSlopes(form) else {
    throw record.refusal(FLOWRT_ERR_FEATURE, FLOWRT_STEP_FORM, UInt64(step.form))
  }
  // A spline has no scale function.
  try record.requireZero(from: FLOWRT_STEP_SCALE, upTo: FLOWRT_STEP_BINS)
  let bins = step.bins
  if bins < minimumBins {
    throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_BINS, UInt64(bins), expected: UInt64(minimumBins))
  }
  // Bounds the parameters of a rank, and with them the scratch of a call.
  if bins > maximumBins {
    throw record.refusal(FLOWRT_ERR_LIMIT, FLOWRT_STEP_BINS, UInt64(bins), expected: UInt64(maximumBins))
  }
  try checkSplineConstants(record, form)
  try record.requireZero(from: FLOWRT_STEP_RESERVED)
}

/// Whether the pieces can have the derivatives and the ends that the form names. Where they have no derivatives of
/// their own, both parts of the form must be zero, the codes of `softplus` and `fixed`.
private func allowsSlopes(_ form: SplineForm) -> Bool {
  switch form.pieces.slopes {
  case .derivatives: return true
  case .values: return form.derivatives == .softplus && form.ends != .circular
  case .none, .bounds: return form.derivatives == .softplus && form.ends == .fixed
  }
}

/// Checks the constants p[0] to p[7] of a spline, in the order of the last table of section 5.1. One that the form does
/// not use is zero.
private func checkSplineConstants(_ record: Record, _ form: SplineForm) throws(Refusal) {
  let (lower, upper, minimumWidth, minimumHeight, minimumDerivative, clip, endDerivative, minimumShare) = record.step.p
  let bins = Float(record.step.bins)
  let pieces = form.pieces
  let hasValues = pieces.slopes == .values
  let hasDerivatives = pieces.slopes == .derivatives
  let clipsWidths = form.widths == .clipped
  let clipsDerivatives = form.derivatives == .exp

  /// A constant that is used must hold the condition, another one must be zero, and not the negative zero.
  func require(_ index: Int, _ value: Float, if isUsed: Bool, _ condition: Bool) throws(Refusal) {
    try record.requireConstant(index, value, isUsed ? condition : value.bitPattern == 0)
  }
  // Refusals name the lower bound if the two are in the wrong order.
  try record.requireConstant(0, lower, lower < upper)
  // Between bounds whose difference overflows no bin has a width.
  try record.requireConstant(1, upper, upper - lower < .infinity)
  // The least widths of all bins together are less than the interval, and so are the least heights. Quadratic pieces
  // have a least value instead of a least height, a share of the mean value, which is 1.
  try require(2, minimumWidth, if: pieces.hasWidths && !clipsWidths, minimumWidth >= 0 && minimumWidth * bins < 1)
  let leastHeights = minimumHeight * (hasValues ? 1 : bins)
  try require(3, minimumHeight, if: hasValues || !clipsWidths, minimumHeight >= 0 && leastHeights < 1)
  let addsMinimum = (hasValues || hasDerivatives) && !clipsDerivatives
  try require(4, minimumDerivative, if: addsMinimum, minimumDerivative >= 0)
  // The divisor of the soft clip.
  try require(5, clip, if: clipsWidths || clipsDerivatives, clip > 0)
  // The derivative at both ends. Where it were 0, log|det| would be infinite.
  try require(6, endDerivative, if: hasDerivatives && form.ends == .fixed, endDerivative > 0)
  try require(7, minimumShare, if: pieces.hasShares, minimumShare > 0 && minimumShare < largestMinimumShare)
}

/// A spline of one bin would be a straight line, and rational-quadratic pieces have a derivative between two bins.
private let minimumBins: UInt32 = 2
/// Both parts of a bin that is divided in two have at least the minimum share of its width.
private let largestMinimumShare: Float = 0.5
