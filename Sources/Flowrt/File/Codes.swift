// The codes of a file, as enums: what a `switch` over one of them forgets, the compiler finds.
//
// The reader makes them from the numbers of the file, and refuses a number that is none of them; kernels and plan may
// take them for granted. The numbers are those of docs/FORMAT.md: python/tests/test_codes.py compares them, names and
// numbers, with the Python package, the C tests' own copy and the page. This file is compiled into both modules
// (Sources/FlowrtKernels/Codes.swift is a link to it), which share nothing else but C headers.

import FlowrtShim

/// What a record is (section 2).
enum RecordKind: UInt16 {
  case autoregressive = 1
  case layer, diagonal, linear, elementwise, permutation, encoder, base, pixelwiseLinear
}

/// How a layer makes its sums of its input (sections 4 and 4.3).
enum LayerOperation: UInt16 {
  case dense, convolution, depthwiseConvolution, maxPooling, gather

  /// Whether it has a bias and weights for each channel.
  var isConvolution: Bool {
    switch self {
    case .convolution, .depthwiseConvolution: return true
    case .dense, .maxPooling, .gather: return false
    }
  }
}

/// The side of a step from which its conditioner makes the parameters (section 2.1).
enum ReadSide: UInt16 {
  case data, noise
}

/// The function of one coordinate in an elementwise step, from data to noise (section 2.4).
enum ElementwiseFunction: UInt32 {
  case identity, logit, logAbove, logBelow, sigmoid, expAbove, atanh, tanh, leaky, leakyInverse, softsign,
    softsignInverse, probit, normalCdf
  /// The inverse of `logBelow`: kernels run it from noise to data, a file cannot ask for it.
  case expBelow = 0xFFFF_FFFF
}

/// The density of z (section 2.7).
enum BaseDensity: UInt16 {
  case standardNormal, diagonalNormal, boxUniform, normalMixture, conditionalNormal, autoregressiveMixture
}

/// What a layer makes of its sums (section 4).
enum Activation: UInt16 {
  case identity, relu, tanh, elu, leakyRelu, silu, gelu, geluTanh, sigmoid, softplus, softsign, layerNorm,
    sine, arctangent, inverseHyperbolicSine

  /// Whether the layer's parameter `a` may be this number.
  func allows(_ a: Float) -> Bool {
    let isFinite = a - a == 0
    switch self {
    case .elu, .leakyRelu: return isFinite
    case .layerNorm: return a > 0 && isFinite
    case .identity, .relu, .tanh, .silu, .gelu, .geluTanh, .sigmoid, .softplus, .softsign, .sine,
      .arctangent, .inverseHyperbolicSine:
      return a.bitPattern == 0
    }
  }

  /// Whether the derivative follows from the activation's value: relu' from its sign, tanh' = 1 - tanh^2 and so on.
  /// Else it needs the number that the activation was applied to.
  func slopeIsOfValue(_ a: Float) -> Bool {
    switch self {
    case .identity, .relu, .tanh, .sigmoid: return true
    case .elu, .leakyRelu: return a > 0
    case .silu, .gelu, .geluTanh, .softplus, .softsign, .layerNorm, .sine, .arctangent, .inverseHyperbolicSine:
      return false
    }
  }
}

/// What joins the two sides of a step (section 5).
enum TransformerKind: UInt16 {
  case affine = 1
  case additive, spline
}

/// Where scale s and shift t stand in an affine transformer (section 5).
enum AffineForm: UInt16 {
  case scaleThenShift, shiftThenScale, gated
}

/// The positive scale s that is made of a raw parameter (section 5).
enum ScaleFunction: UInt16 {
  case exp, expClamped, softplus, softplusClamped, sigmoid, expSoftClipped, expTanh, expAtan

  /// How many of the constants p0, p1, p2 the function has, and whether they may be these numbers.
  func constants(_ p0: Float, _ p1: Float, _ p2: Float) -> (used: Int, areAllowed: Bool) {
    switch self {
    case .exp: return (0, true)
    case .expClamped: return (2, p0 <= p1)
    case .softplus, .sigmoid: return (1, p0 >= 0)
    case .softplusClamped: return (3, p0 >= 0 && p1 > 0 && p1 <= p2)
    case .expSoftClipped, .expTanh, .expAtan: return (1, p0 > 0)
    }
  }
}

/// How raw parameters become widths and heights of a spline's bins (section 5.1).
enum SplineWidths: UInt16 {
  case softmax, clipped
}

/// How raw parameters become derivatives at a spline's knots (section 5.1).
enum SplineDerivatives: UInt16 {
  case softplus, exp
}

/// The knots at which a spline has a derivative of its own: the inner ones; all; or all, with the last the same as the
/// first.
enum SplineEnds: UInt16 {
  case fixed, free, circular
}

/// What a spline is between two knots (section 5.1).
enum SplinePieces: UInt16 {
  case rationalQuadratic, linear, quadratic, linearRational, cubic

  /// Whether the bins have widths of their own; else all are as wide.
  var hasWidths: Bool {
    switch self {
    case .linear: return false
    case .rationalQuadratic, .quadratic, .linearRational, .cubic: return true
    }
  }

  /// Whether the bins have heights of their own; else these follow from the other parameters.
  var hasHeights: Bool {
    switch self {
    case .quadratic: return false
    case .rationalQuadratic, .linear, .linearRational, .cubic: return true
    }
  }

  /// What each rank has raw parameters for, besides widths and heights.
  enum Slopes {
    /// Nothing.
    case none
    /// The value of the derivative at each knot that `SplineEnds` names, up to a factor that all of them share.
    case values
    /// The derivative at each knot that `SplineEnds` names.
    case derivatives
    /// The derivatives at both ends of the interval.
    case bounds
  }

  var slopes: Slopes {
    switch self {
    case .linear: return .none
    case .quadratic: return .values
    case .rationalQuadratic, .linearRational: return .derivatives
    case .cubic: return .bounds
    }
  }

  /// Whether every bin is divided in two, at a share of its width that is a parameter.
  var hasShares: Bool {
    switch self {
    case .linearRational: return true
    case .rationalQuadratic, .linear, .quadratic, .cubic: return false
    }
  }
}

/// The field `form` of a spline, taken apart (section 5.1).
struct SplineForm {
  let widths: SplineWidths
  let derivatives: SplineDerivatives
  let ends: SplineEnds
  /// Whether the read side is moved round by half the interval before all else.
  let isTurned: Bool
  let pieces: SplinePieces

  /// nil if a part of the field is no code.
  init?(_ field: UInt16) {
    guard let widths = SplineWidths(rawValue: flowrt_spline_widths(field)),
      let derivatives = SplineDerivatives(rawValue: flowrt_spline_derivatives(field)),
      let ends = SplineEnds(rawValue: flowrt_spline_ends(field)),
      let pieces = SplinePieces(rawValue: flowrt_spline_pieces(field))
    else { return nil }
    (self.widths, self.derivatives, self.ends, self.pieces) = (widths, derivatives, ends, pieces)
    isTurned = flowrt_spline_turned(field) != 0
  }

  /// Whether the kernels have the derivatives of these pieces.
  var hasGradient: Bool {
    switch pieces {
    case .rationalQuadratic, .linear: return true
    case .quadratic, .linearRational, .cubic: return false
    }
  }

  /// Derivatives, or values, of a rank with that many bins.
  func knotCount(bins: UInt32) -> UInt32 {
    switch ends {
    case .fixed: return bins &- 1
    case .free: return bins &+ 1
    case .circular: return bins
    }
  }

  /// Raw parameters of a rank with that many bins.
  func parameterCount(bins: UInt32) -> UInt32 {
    var count: UInt32 = 0
    if pieces.hasWidths { count &+= bins }
    if pieces.hasHeights { count &+= bins }
    switch pieces.slopes {
    case .none: break
    case .values, .derivatives: count &+= knotCount(bins: bins)
    case .bounds: count &+= 2
    }
    if pieces.hasShares { count &+= bins }
    return count
  }
}

extension TransformerKind {
  /// Parameters of a rank: the factor between ranks and outputs of the conditioner (section 5). The fields were
  /// checked.
  func parameterCount(_ record: flowrt_step_record) -> UInt32 {
    switch self {
    case .affine: return 2
    case .additive: return 1
    case .spline: return SplineForm(record.form).unsafelyUnwrapped.parameterCount(bins: record.bins)
    }
  }
}
