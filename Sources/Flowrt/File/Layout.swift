// The blocks of a file: which ones belong to a record, in which order, and how large they are (docs/FORMAT.md sections
// 2 to 4).
//
// This is the one description of that order. Two visitors walk along it: Blocks, which checks every block against the
// bytes that are there, and PlanBlocks, which notes where each one lies.
//
//     header | record 0 | record 1 | ... | blocks of record 0 | blocks of record 1 | ... | metadata
//
// Each block begins at a multiple of 64 bytes. A file stores no offsets, so what follows a block is found by its size
// alone.

import FlowrtShim

/// Takes the blocks of a file, one after the other.
protocol BlockVisitor {
  associatedtype Failure: Error
  /// For each degree, how many units or ranks have it or a lower one.
  associatedtype Ends

  /// `count` different numbers below `bound`: coordinates.
  mutating func distinct(_ count: UInt64, below bound: UInt64) throws(Failure) -> UnsafePointer<UInt32>
  /// `count` numbers below `bound`, or 0xFFFFFFFF: units that are gathered.
  mutating func gathered(_ count: UInt64, below bound: UInt64) throws(Failure) -> UnsafePointer<UInt32>
  /// `count` numbers of functions.
  mutating func integers(_ count: UInt64) throws(Failure) -> UnsafePointer<UInt32>
  /// `count` ends that do not decrease, or strictly increase, and reach `last`.
  mutating func ends(_ count: UInt64, last: UInt64, increase: Bool) throws(Failure) -> UnsafePointer<UInt32>
  /// `count` parameters for which the rule holds.
  mutating func floats(_ count: UInt64, _ rule: ParameterRule) throws(Failure) -> UnsafePointer<Float>
  /// The weights of `width` units in panels of 16; every unit has one for each of `lines` inputs.
  mutating func panels(width: UInt64, lines: UInt64) throws(Failure) -> UnsafePointer<Float>
  /// The weights of `width` units in panels of 16; every unit has weights for those inputs alone that it may see. Units
  /// and inputs are sorted by degree, so a panel has the lines that its last unit sees.
  mutating func panels(width: UInt64, units: Ends, inputs: Ends) throws(Failure) -> UnsafePointer<Float>
  /// A block of ends as what `panels` takes.
  func ends(_ block: UnsafePointer<UInt32>) -> Ends
}

/// What must hold of a parameter, besides that it is finite.
enum ParameterRule {
  case any, nonzero, positive
}

extension BlockVisitor {
  /// An order of `count` coordinates.
  @inline(__always) private mutating func permutation(_ count: UInt64) throws(Failure) -> UnsafePointer<UInt32> {
    try distinct(count, below: count)
  }

  @inline(__always) mutating func autoregressive(_ dim: UInt64) throws(Failure) -> flowrt_autoregressive_blocks {
    flowrt_autoregressive_blocks(data_index: try permutation(dim), noise_index: try permutation(dim))
  }

  /// The stages of a step or of an autoregressive mixture: for each one, the ranks up to its end.
  @inline(__always) mutating func stages(_ count: UInt64, _ dim: UInt64) throws(Failure) -> UnsafePointer<UInt32> {
    try ends(count, last: dim, increase: true)
  }

  @inline(__always) mutating func diagonal(_ dim: UInt64) throws(Failure) -> flowrt_diagonal_blocks {
    flowrt_diagonal_blocks(scale: try floats(dim, .nonzero), shift: try floats(dim, .any))
  }

  @inline(__always) mutating func linear(_ dim: UInt64) throws(Failure) -> flowrt_linear_blocks {
    flowrt_linear_blocks(
      matrix: try panels(width: dim, lines: dim), inverse_matrix: try panels(width: dim, lines: dim),
      shift: try floats(dim, .any))
  }

  @inline(__always) mutating func elementwise(_ dim: UInt64) throws(Failure) -> flowrt_elementwise_blocks {
    flowrt_elementwise_blocks(
      functions: try integers(dim), lower: try floats(dim, .any), upper: try floats(dim, .any))
  }

  @inline(__always) mutating func permutation(of dim: UInt64) throws(Failure) -> flowrt_permutation_blocks {
    flowrt_permutation_blocks(index: try permutation(dim))
  }

  @inline(__always) mutating func pixelwise(
    _ record: flowrt_pixelwise_record, _ dim: UInt64
  ) throws(Failure) -> flowrt_pixelwise_blocks {
    let channels = UInt64(record.channels)
    return flowrt_pixelwise_blocks(
      index: try distinct(UInt64(record.pixels) &* channels, below: dim),
      matrix: try panels(width: channels, lines: channels),
      inverse_matrix: try panels(width: channels, lines: channels),
      shift: try floats(channels, .any))
  }

  @inline(__always) mutating func autoregressiveMixture(
    _ dim: UInt64
  ) throws(Failure) -> flowrt_autoregressive_mixture_blocks {
    flowrt_autoregressive_mixture_blocks(index: try permutation(dim))
  }

  @inline(__always) mutating func diagonalNormal(_ dim: UInt64) throws(Failure) -> flowrt_diagonal_normal_blocks {
    flowrt_diagonal_normal_blocks(mean: try floats(dim, .any), std: try floats(dim, .positive))
  }

  @inline(__always) mutating func boxUniform(_ dim: UInt64) throws(Failure) -> flowrt_box_uniform_blocks {
    flowrt_box_uniform_blocks(lower: try floats(dim, .any), upper: try floats(dim, .any))
  }

  /// At least one component. The first means are returned, from where all other means and standard deviations follow.
  @inline(__always) mutating func normalMixture(
    _ dim: UInt64, components: UInt64
  ) throws(Failure) -> (logWeights: UnsafePointer<Float>, means: UnsafePointer<Float>) {
    let logWeights = try floats(components, .any)
    let means = try floats(dim, .any)
    _ = try floats(dim, .positive)
    var component: UInt64 = 1
    while component < components {
      _ = try floats(dim, .any)
      _ = try floats(dim, .positive)
      component &+= 1
    }
    return (logWeights, means)
  }

  /// The first block of a layer: for each of its step's `stages` degrees, the units that have it or a lower one.
  /// `outputs`: these ends where they follow from the stages, and are not stored.
  @inline(__always) mutating func layerEnds(
    _ record: flowrt_layer_record, stages: UInt64, outputs: Ends?
  ) throws(Failure) -> Ends {
    if let outputs { return outputs }
    return ends(try ends(stages, last: UInt64(record.width), increase: false))
  }

  /// The other blocks of a layer. `units`: its ends. `inputs`: those of its source, if it has one. `contextLines`:
  /// inputs of its context weights, if it has any.
  @inline(__always) mutating func layer(
    _ record: flowrt_layer_record, units: Ends, inputs: Ends?, contextLines: UInt64
  ) throws(Failure) -> LayerBlocks {
    let width = UInt64(record.width)
    return LayerBlocks(
      bias: try floats(width, .any),
      scale0: record.scaled & 1 != 0 ? try floats(width, .any) : nil,
      scale1: record.scaled & 2 != 0 ? try floats(width, .any) : nil,
      scale2: record.scaled & 4 != 0 ? try floats(width, .any) : nil,
      contextWeights: record.context != 0 ? try panels(width: width, lines: contextLines) : nil,
      weights: record.source != 0 ? try panels(width: width, units: units, inputs: inputs.unsafelyUnwrapped) : nil)
  }
}

extension BlockVisitor {
  /// The other blocks of a plane layer. `inputs`: units that a gather may take.
  @inline(__always) mutating func plane(
    _ record: flowrt_layer_record, _ operation: LayerOperation, inputs: UInt64, contextLines: UInt64
  ) throws(Failure) -> PlaneBlocks {
    if operation == .gather {
      return PlaneBlocks(index: try gathered(UInt64(record.width), below: inputs))
    }
    if !operation.isConvolution { return PlaneBlocks() }
    let channels = UInt64(record.channels)
    return PlaneBlocks(
      bias: try floats(channels, .any),
      contextWeights: record.source != 0 && record.context != 0
        ? try panels(width: channels, lines: contextLines) : nil,
      weights: try panels(width: channels, lines: record.lines(operation)))
  }
}

extension flowrt_layer_record {
  /// Floats that a call sets aside for the values of a row: whole panels; of a plane layer, for each pixel.
  var room: UInt64 {
    let (units, channels) = (UInt64(width), UInt64(channels))
    return channels == 0 ? paddedTo16(units) : units / channels &* paddedTo16(channels)
  }

  /// Terms of a unit of a convolution: lines of its weight panels.
  func lines(_ operation: LayerOperation) -> UInt64 {
    let taps = UInt64(kernel.0) &* UInt64(kernel.1)
    return operation == .convolution ? taps &* UInt64(in_channels) : taps
  }
}

/// What a plane layer has of these, in their order.
struct PlaneBlocks {
  var bias: UnsafePointer<Float>? = nil
  var contextWeights: UnsafePointer<Float>? = nil
  var weights: UnsafePointer<Float>? = nil
  /// The units that a gather takes.
  var index: UnsafePointer<UInt32>? = nil
}

/// The parameters of a layer, in their order.
struct LayerBlocks {
  let bias: UnsafePointer<Float>
  /// Factors of the added layers that have any.
  let scale0, scale1, scale2: UnsafePointer<Float>?
  let contextWeights, weights: UnsafePointer<Float>?
}
