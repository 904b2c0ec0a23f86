// Validates a base density (docs/FORMAT.md section 2.7).

import CFlowrt
import FlowrtShim

extension Reader {
  /// Reads a base: the fields that its density has, all others zero, and its blocks. The table of section 2.7 says
  /// which those are. Offsets that a density does not use are checked from the first of them up to the next one that it
  /// uses.
  mutating func readBase(_ record: Record) throws(Refusal) {
    let base = record.step
    let density: BaseDensity = try record.code(FLOWRT_STEP_DENSITY, base.density)
    switch density {
    // No field but kind and base, and no block.
    case .standardNormal: try record.requireZero(from: FLOWRT_STEP_STAGE_COUNT)
    // Blocks: a mean and a standard deviation of each coordinate.
    case .diagonalNormal:
      try record.requireZero(from: FLOWRT_STEP_STAGE_COUNT)
      _ = try blocks.diagonalNormal(dim)
      view.parameter_count &+= 2 &* dim
    // Blocks: a lower and an upper bound of each coordinate.
    case .boxUniform:
      try record.requireZero(from: FLOWRT_STEP_STAGE_COUNT)
      try readBox()
      view.parameter_count &+= 2 &* dim
    // Field: K. The offset of `components` is that of a spline's `bins`.
    case .normalMixture:
      try record.requireZero(from: FLOWRT_STEP_STAGE_COUNT, upTo: FLOWRT_STEP_COMPONENTS)
      try record.requireZero(from: FLOWRT_STEP_P)
      try readMixture(UInt64(try componentCount(record)))
    // Field: layer_count. The output layer must have mean and log std of each coordinate, 2 D rows: the kernel reads
    // all of them for every row. There is no read side, so the layers can see the context alone.
    case .conditionalNormal:
      try record.requireZero(from: FLOWRT_STEP_STAGE_COUNT, upTo: FLOWRT_STEP_LAYER_COUNT)
      try record.requireZero(from: FLOWRT_STEP_TRANSFORMER)
      try checkLayerCount(record)
      try readConditioner(
        Network(layerCount: base.layer_count, contextDim: view.encoded_dim, outputWidth: 2 &* dim))
    // Fields: stage_count, layer_count, K, and the scale function with its constants. passthrough is zero.
    case .autoregressiveMixture:
      try record.requireZero(from: FLOWRT_STEP_PASSTHROUGH, upTo: FLOWRT_STEP_LAYER_COUNT)
      try record.requireZero(from: FLOWRT_STEP_TRANSFORMER, upTo: FLOWRT_STEP_SCALE)
      _ = try checkScale(record)
      // K logits, K means and K raw scales for each rank. K <= 1024, so the product fits 32 bits.
      let parameters = 3 &* (try componentCount(record))
      _ = try blocks.autoregressiveMixture(dim)
      try readStages(record, parameters: parameters)
    }
  }

  /// The bounds of a box: lower < upper for every coordinate, with a finite difference. They are checked whether or not
  /// the file is verified, because a box without a volume has no density.
  private mutating func readBox() throws(Refusal) {
    // `lower` is the first block, so its value i is at start + 4 i.
    let start = blocks.next
    let box = try blocks.boxUniform(dim)
    var i: UInt64 = 0
    while i < dim {
      let (a, b) = (box.lower[Int(truncatingIfNeeded: i)], box.upper[Int(truncatingIfNeeded: i)])
      // Negated, so that NaN is refused as well. An infinite bound makes the difference infinite.
      if !(a < b && b - a < .infinity) {
        throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* i, found: UInt64(a.bitPattern))
      }
      i &+= 1
    }
  }

  /// A mixture's log weights, K of them, and a mean and a standard deviation of every coordinate for each component.
  /// The prologue gets room for the constants that the kernel computes from them once for each call.
  private mutating func readMixture(_ components: UInt64) throws(Refusal) {
    _ = try blocks.normalMixture(dim, components: components)
    view.parameter_count &+= components &* (1 &+ 2 &* dim)
    view.prologue_size &+= flowrt_mixture_floats(components)
  }
}

/// K, the components of a mixture: 1 to 1024 (section 2.7). The limit bounds the scratch columns of a call.
private func componentCount(_ record: Record) throws(Refusal) -> UInt32 {
  let components = record.step.components
  if components == 0 { throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_COMPONENTS, 0, expected: 1) }
  if components > maximumBins {
    throw record.refusal(FLOWRT_ERR_LIMIT, FLOWRT_STEP_COMPONENTS, UInt64(components), expected: UInt64(maximumBins))
  }
  return components
}
