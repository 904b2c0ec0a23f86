// Validates a base density (docs/FORMAT.md section 2.7).

import CFlowrt
import FlowrtShim

extension Reader {
  /// A base: the fields that its density has, all others zero, and its blocks.
  mutating func readBase(_ record: Record) throws(Refusal) {
    let base = record.step
    let density: BaseDensity = try record.code(FLOWRT_STEP_DENSITY, base.density)
    switch density {
    case .standardNormal: try record.requireZero(from: FLOWRT_STEP_STAGE_COUNT)
    case .diagonalNormal:
      try record.requireZero(from: FLOWRT_STEP_STAGE_COUNT)
      _ = try blocks.diagonalNormal(dim)
      view.parameter_count &+= 2 &* dim
    case .boxUniform:
      try record.requireZero(from: FLOWRT_STEP_STAGE_COUNT)
      try readBox()
      view.parameter_count &+= 2 &* dim
    case .normalMixture:
      try record.requireZero(from: FLOWRT_STEP_STAGE_COUNT, upTo: FLOWRT_STEP_COMPONENTS)
      try record.requireZero(from: FLOWRT_STEP_P)
      try readMixture(UInt64(try componentCount(record)))
    case .conditionalNormal:
      try record.requireZero(from: FLOWRT_STEP_STAGE_COUNT, upTo: FLOWRT_STEP_LAYER_COUNT)
      try record.requireZero(from: FLOWRT_STEP_TRANSFORMER)
      try checkLayerCount(record)
      try readConditioner(
        Network(layerCount: base.layer_count, contextDim: view.encoded_dim, outputWidth: 2 &* dim))
    case .autoregressiveMixture:
      try record.requireZero(from: FLOWRT_STEP_PASSTHROUGH, upTo: FLOWRT_STEP_LAYER_COUNT)
      try record.requireZero(from: FLOWRT_STEP_TRANSFORMER, upTo: FLOWRT_STEP_SCALE)
      _ = try checkScale(record)
      let parameters = 3 &* (try componentCount(record))
      _ = try blocks.autoregressiveMixture(dim)
      try readStages(record, parameters: parameters)
    }
  }

  /// The bounds of a box: lower < upper for every coordinate, with a finite difference. They are checked whether or not
  /// the file is verified, because a box without a volume has no density.
  private mutating func readBox() throws(Refusal) {
    let start = blocks.next
    let box = try blocks.boxUniform(dim)
    var i: UInt64 = 0
    while i < dim {
      let (a, b) = (box.lower[Int(truncatingIfNeeded: i)], box.upper[Int(truncatingIfNeeded: i)])
      if !(a < b && b - a < .infinity) {
        throw blocks.refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* i, found: UInt64(a.bitPattern))
      }
      i &+= 1
    }
  }

  /// The weights of a mixture's components, and a mean and a standard deviation of every coordinate for each.
  private mutating func readMixture(_ components: UInt64) throws(Refusal) {
    _ = try blocks.normalMixture(dim, components: components)
    view.parameter_count &+= components &* (1 &+ 2 &* dim)
    view.prologue_size &+= flowrt_mixture_floats(components)
  }
}

/// The components of a mixture: at least one.
private func componentCount(_ record: Record) throws(Refusal) -> UInt32 {
  let components = record.step.components
  if components == 0 { throw record.refusal(FLOWRT_ERR_MALFORMED, FLOWRT_STEP_COMPONENTS, 0, expected: 1) }
  if components > maximumBins {
    throw record.refusal(FLOWRT_ERR_LIMIT, FLOWRT_STEP_COMPONENTS, UInt64(components), expected: UInt64(maximumBins))
  }
  return components
}
