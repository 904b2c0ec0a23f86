// The raw parameters of a spline, and the scalings that make widths and heights of them.
//
// The parameters of up to 16 values stand in columns: parameter j of value i is float j * stride + i. For a single
// value the stride is 1, and its parameters stand side by side.
//
//     columns ->   widths (K) | heights (K) | derivatives (K - 1, K or K + 1) | shares (K)       K bins
//
// Pieces that lack one of these groups have the next one in its place (SplinePieces in Codes.swift says which groups
// there are).

import FlowrtShim

/// Where the groups of raw parameters begin. `at` is always the first of the values that a register takes.
struct RawColumns {
  /// The first float of each group. A group that the pieces lack points to the next one; its floats are not used.
  let widths, heights, derivatives, shares: UnsafeMutablePointer<Float>
  /// Scratch: the value at the ends of the interval for quadratic pieces that have no parameter for it
  /// (Spline.densities).
  let end: UnsafeMutablePointer<Float>
  /// Floats from a parameter to the next one.
  let stride: Int
  /// Floats from a knot's derivative to the next knot's; 0 for pieces that have none, so that all knots read one
  /// value.
  private let derivativeStride: Int
  /// Which knots have a derivative of their own.
  private let ends: SplineEnds
  /// K, the number of bins.
  private let bins: Int

  /// - knots: how many knots have a derivative, or value, of their own.
  /// - p: the first raw parameter of the first value.
  /// - end: a column of 16 floats.
  @inline(__always) init(
    _ form: SplineForm, bins: Int, knots: Int, _ p: UnsafeMutablePointer<Float>, _ stride: Int,
    end: UnsafeMutablePointer<Float>
  ) {
    // Groups without gaps: each begins where the one before ends.
    let group = bins &* stride
    let pieces = form.pieces
    widths = p
    heights = pieces.hasWidths ? p + group : p
    derivatives = pieces.hasHeights && pieces.hasWidths ? heights + group : heights
    switch pieces.slopes {
    case .values, .derivatives: derivativeStride = stride
    case .none, .bounds: derivativeStride = 0
    }
    shares = derivatives + knots &* stride
    (self.end, self.stride, ends, self.bins) = (end, stride, form.ends, bins)
  }

  /// The width, height or share parameter of a bin, for the values from `at` on: raw, or what `inPlace` made of it.
  @inline(__always) func width(_ bin: Int, _ at: Int) -> Register { widths.register(bin &* stride &+ at) }
  @inline(__always) func height(_ bin: Int, _ at: Int) -> Register { heights.register(bin &* stride &+ at) }
  @inline(__always) func share(_ bin: Int, _ at: Int) -> Register { shares.register(bin &* stride &+ at) }

  /// The raw derivative at a knot. Where the ends are fixed, the first and the last knot have no parameter: they read
  /// that of a neighbour, which the caller replaces. In a circle the last knot is the first.
  @inline(__always) func derivative(ofKnot knot: Int, _ at: Int) -> Register {
    let place: Int
    switch ends {
    case .fixed: place = max(0, knot &- 1)
    case .free: place = knot
    case .circular: place = knot == bins ? 0 : knot
    }
    return derivatives.register(place &* derivativeStride &+ at)
  }
}

/// The map e -> a / b e + least, which turns exponentials into widths or heights: b is the sum of the exponentials, a
/// what is left of the interval beside the least widths. The quotient a / b takes two columns, one for what the
/// division rounds off.
struct Scaling {
  /// Columns of 16 floats: a / b as rounded, and what the rounding took.
  private let high, low: UnsafeMutablePointer<Float>
  /// The result for e = 0, in the units of the result.
  private let least: Float

  /// The quotient is set later, register by register.
  @inline(__always) init(_ columns: UnsafeMutablePointer<Float>, least: Float) {
    (high, low) = (columns, columns + laneCount)
    self.least = least
  }

  /// A scaling that maps every input to `constant`.
  @inline(__always) init(constant: Float, _ columns: UnsafeMutablePointer<Float>) {
    self.init(columns, least: constant)
    high.store(Lanes(), 0)
    low.store(Lanes(), 0)
  }

  /// Sets a / b. The remainder of the division, from both parts of b, gives the second column.
  @inline(__always) func set(_ a: Float, by b: TwoSum, _ at: Int) {
    let a = Register(repeating: a)
    let quotient = a / b.high
    high.store(quotient, at)
    low.store(negatedFma(quotient, b.low, negatedFma(quotient, b.high, a)) / b.high, at)
  }

  /// The part of the result that e adds: a / b e.
  @inline(__always) func share(_ e: Register, _ at: Int) -> Register { e * high.register(at) }

  /// The width, height or derivative that belongs to e, for the values from `at` on. Small terms are added first.
  @inline(__always) func of(_ e: Register, _ at: Int) -> Register {
    fma(e, high.register(at), fma(e, low.register(at), least))
  }
}
