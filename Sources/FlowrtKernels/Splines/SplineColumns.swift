// What a spline keeps of 16 values at a time, in columns of 16 floats.

import FlowrtShim

/// The raw parameters, in columns `stride` floats apart (a lone value's in single floats side by side): widths, heights, derivatives, shares, as far as the pieces have them.
struct RawColumns {
  let widths, heights, derivatives, shares: UnsafeMutablePointer<Float>
  /// Of quadratic pieces without derivatives at the ends: the value there.
  let end: UnsafeMutablePointer<Float>
  let stride: Int
  private let derivativeStride: Int
  private let ends: SplineEnds
  private let bins: Int

  @inline(__always) init(
    _ spline: Spline, _ p: UnsafeMutablePointer<Float>, _ stride: Int, end: UnsafeMutablePointer<Float>
  ) {
    let axis = spline.bins &* stride
    let pieces = spline.pieces
    widths = p
    heights = pieces.hasWidths ? p + axis : p
    derivatives = pieces.hasHeights && pieces.hasWidths ? heights + axis : heights
    switch pieces.slopes {
    case .values, .derivatives: derivativeStride = stride
    case .none, .bounds: derivativeStride = 0  // one readable value for all knots: the caller replaces it
    }
    shares = derivatives + spline.knotCount &* stride
    (self.end, self.stride, ends, bins) = (end, stride, spline.ends, spline.bins)
  }

  @inline(__always) func width(_ bin: Int, _ at: Int) -> Register { widths.register(bin &* stride &+ at) }
  @inline(__always) func height(_ bin: Int, _ at: Int) -> Register { heights.register(bin &* stride &+ at) }
  @inline(__always) func share(_ bin: Int, _ at: Int) -> Register { shares.register(bin &* stride &+ at) }

  /// Of a knot; that of any other where it is fixed or there is none.
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

/// A running sum and what it has rounded off (Knuth's two-sum). Knots are sums of widths, and an error of a knot is multiplied by
/// the slope of the spline.
struct Sum {
  private(set) var high: Register
  private(set) var low = Register()

  @inline(__always) init(_ start: Register) { high = start }

  @inline(__always) mutating func add(_ term: Register) {
    let total = high + term
    let part = total - high
    low = low + ((high - (total - part)) + (term - part))
    high = total
  }
}

/// e -> a / b e + least, with a quotient in two columns.
struct Scaling {
  private let high, low: UnsafeMutablePointer<Float>
  private let least: Float

  @inline(__always) init(_ columns: UnsafeMutablePointer<Float>, least: Float) {
    (high, low) = (columns, columns + 16)
    self.least = least
  }

  /// Everything to the same.
  @inline(__always) init(constant: Float, _ columns: UnsafeMutablePointer<Float>) {
    self.init(columns, least: constant)
    high.store(Lanes(), 0)
    low.store(Lanes(), 0)
  }

  @inline(__always) func set(_ a: Float, by b: Sum, _ at: Int) {
    let a = Register(repeating: a)
    let quotient = a / b.high
    high.store(quotient, at)
    low.store(negatedFma(quotient, b.low, negatedFma(quotient, b.high, a)) / b.high, at)
  }

  @inline(__always) func of(_ e: Register, _ at: Int) -> Register {
    fma(e, high.register(at), fma(e, low.register(at), least))
  }
}

/// `FLOWRT_SPLINE_COLUMNS` columns: ten of a bin, two of each scaling, and the values at the ends of quadratic pieces.
struct SplineColumns {
  private let base: UnsafeMutablePointer<Float>

  @inline(__always) init(_ base: UnsafeMutablePointer<Float>) { self.base = base }

  /// Of d0 and d1, neighbours.
  @inline(__always) var derivatives: UnsafeMutablePointer<Float> { base + 6 &* 16 }
  @inline(__always) var share: UnsafeMutablePointer<Float> { base + 9 &* 16 }
  @inline(__always) var widthScale: UnsafeMutablePointer<Float> { base + 10 &* 16 }
  @inline(__always) var heightScale: UnsafeMutablePointer<Float> { base + 12 &* 16 }
  @inline(__always) var end: UnsafeMutablePointer<Float> { base + 14 &* 16 }

  @inline(__always) func store(_ bin: Bin, _ at: Int) {
    @inline(__always) func put(_ column: Int, _ value: Register) { base.store(value, column &* 16 &+ at) }
    put(0, bin.x)
    put(1, bin.y)
    put(2, bin.xLow)
    put(3, bin.yLow)
    put(4, bin.w)
    put(5, bin.h)
    put(6, bin.d0)
    put(7, bin.d1)
    put(8, bin.number)
    put(9, bin.share)
  }

  @inline(__always) func bin(_ at: Int) -> Bin {
    @inline(__always) func get(_ column: Int) -> Register { base.register(column &* 16 &+ at) }
    return Bin(
      x: get(0), y: get(1), xLow: get(2), yLow: get(3), w: get(4), h: get(5), d0: get(6), d1: get(7), number: get(8),
      share: get(9))
  }
}
