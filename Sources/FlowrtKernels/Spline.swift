// The monotone rational-quadratic spline (Durkan, Bekasov, Murray, Papamakarios 2019, "Neural spline flows"; docs/FORMAT.md
// section 5.1).
//
// K bins between `lower` and `upper`; bin j begins at the knot (x_j, y_j), is w_j wide and h_j high, and has the slopes d_j and
// d_j+1 at its ends. With s = h / w, t = (r - x_j) / w and k = d_j + d_j+1 - 2 s, inside of a bin
//
//     q     = y_j + h (s t^2 + d_j t (1 - t)) / (s + k t (1 - t))                                          (equation 4)
//     dq/dr = s^2 (d_j+1 t^2 + 2 s t (1 - t) + d_j (1 - t)^2) / (s + k t (1 - t))^2                        (equation 5)
//
// and the inverse is the root t of a quadratic (equations 6 to 8). Outside of the bounds q = r.
//
// The knots are never stored, and have a second float for what they round off: one walk along the bins adds up both axes and keeps what belongs to the last knot that is not
// beyond the known value. Cost: 2 K exponentials for the softmaxes, and some twenty operations a bin.

import FlowrtShim

struct Spline {
  private let bins: Int
  private let lower, upper, minimumWidth, minimumHeight, minimumDerivative, clip, endDerivative: Float
  private let clipsWidths, hasExponentialDerivatives: Bool
  /// Whether r is moved round by half the interval before all else.
  private let isTurned: Bool
  private let ends: Ends

  /// The derivatives that a rank has: of the inner knots, of all, or of all with the last one the same as the first.
  private enum Ends: UInt16 {
    case fixed, free, circular
  }

  init(_ record: flowrt_step_record) {
    bins = Int(record.bins)
    (lower, upper) = (record.p.0, record.p.1)
    (minimumWidth, minimumHeight) = (record.p.2, record.p.3)
    (minimumDerivative, clip, endDerivative) = (record.p.4, record.p.5, record.p.6)
    clipsWidths = record.form & 3 == 1
    hasExponentialDerivatives = (record.form >> 2) & 3 == 1
    ends = Ends(rawValue: (record.form >> 4) & 3).unsafelyUnwrapped
    isTurned = record.form & 64 != 0
  }

  /// The unknown side from the known one, and log|dq/dr|. `fromRead`: r is known.
  ///
  /// - p: the raw parameters, each 16 values, `stride` floats apart: K widths, K heights, the derivatives. Widths and heights are
  ///   overwritten.
  @inline(never) func apply(
    _ p: UnsafeMutablePointer<Float>, stride: Int, _ known: Lanes, fromRead: Bool
  ) -> (value: Lanes, logS: Lanes) {
    let widths = p
    let heights = p + bins &* stride
    let derivatives = heights + bins &* stride
    let widthScale = exponentials(widths, stride: stride, minimum: minimumWidth)
    let heightScale = exponentials(heights, stride: stride, minimum: minimumHeight)
    let range = upper - lower
    let bounded = atMost(upper, atLeast(lower, known))
    let inner = isTurned && fromRead ? halfTurn(bounded) : bounded

    // The bin that holds the known value: its corner, size, and the raw derivatives at its ends.
    var (x0, y0, w, h) = (Lanes(), Lanes(), Lanes(), Lanes())
    var (xLow, yLow) = (Lanes(), Lanes())
    var (raw0, raw1) = (Lanes(), Lanes())
    var number = Lanes()
    var x = Sum(Lanes(repeating: lower))
    var y = x
    var left = rawDerivative(derivatives, stride: stride, knot: 0)
    for bin in 0..<bins {
      let width = widthScale.times(widths.lanes(bin &* stride), plus: range * minimumWidth)
      let height = heightScale.times(heights.lanes(bin &* stride), plus: range * minimumHeight)
      let right = rawDerivative(derivatives, stride: stride, knot: bin &+ 1)
      let knot = fromRead ? x.high : y.high
      @inline(__always) func pick(_ new: Lanes, _ old: Lanes) -> Lanes { flowrt_v_if_less(inner, knot, old, new) }
      (x0, y0, w, h) = (pick(x.high, x0), pick(y.high, y0), pick(width, w), pick(height, h))
      (xLow, yLow) = (pick(x.low, xLow), pick(y.low, yLow))
      (raw0, raw1) = (pick(left, raw0), pick(right, raw1))
      number = pick(Lanes(repeating: Float(bin)), number)
      x.add(width)
      y.add(height)
      left = right
    }
    var (d0, d1) = (derivative(raw0), derivative(raw1))
    if ends == .fixed {
      let end = Lanes(repeating: endDerivative)
      d0 = ifEqual(number, 0, end, d0)
      d1 = ifEqual(number, Float(bins &- 1), end, d1)
    }

    let s = h / w
    let k = fma(s, -2, d0 + d1)
    var t = fromRead ? (inner - x0 - xLow) / w : root(inner - y0 - yLow, h: h, s: s, k: k, d0: d0)
    t = atMost(1, atLeast(0, t))
    let rest = 1 - t
    let product = t * rest
    let denominator = fma(k, product, s)
    var value = fromRead ? fma(h, fma(s * t, t, d0 * product) / denominator, yLow) + y0 : fma(t, w, xLow) + x0
    let ratio = s / denominator
    let slope = ratio * ratio * fma(d1 * t, t, fma(s + s, product, d0 * rest * rest))

    value = atMost(upper, atLeast(lower, value))
    if isTurned && !fromRead { value = halfTurn(value) }
    // On the bounds is inside; NaN is not, and comes back.
    @inline(__always) func ifInside(_ yes: Lanes, _ no: Lanes) -> Lanes { flowrt_v_if_equal(bounded, known, yes, no) }
    return (ifInside(value, known), ifInside(log(slope), Lanes()))
  }

  /// Its own inverse, but for the point in the middle.
  @inline(__always) private func halfTurn(_ r: Lanes) -> Lanes {
    let half = 0.5 * (upper - lower)
    return ifLess(r, lower + half, r + half, r - half)
  }

  /// Turns the raw values of one axis into e^(u - max u). Returns what the softmax and the range still multiply by.
  private func exponentials(_ p: UnsafeMutablePointer<Float>, stride: Int, minimum: Float) -> Quotient {
    var largest = Lanes(repeating: -.infinity)
    for bin in 0..<bins {
      var u = p.lanes(bin &* stride)
      if clipsWidths { u = u / (1 + magnitude(u + u) / clip) }
      p.store(u, bin &* stride)
      largest = flowrt_v_max(largest, u)
    }
    var sum = Sum(Lanes())
    for bin in 0..<bins {
      let e = exp(p.lanes(bin &* stride) - largest)
      p.store(e, bin &* stride)
      sum.add(e)
    }
    return Quotient(Lanes(repeating: (upper - lower) * (1 - minimum * Float(bins))), by: sum)
  }

  /// The raw derivative of a knot; anything where it is fixed.
  @inline(__always) private func rawDerivative(
    _ derivatives: UnsafeMutablePointer<Float>, stride: Int, knot: Int
  ) -> Lanes {
    switch ends {
    case .fixed: return knot == 0 || knot == bins ? Lanes() : derivatives.lanes((knot &- 1) &* stride)
    case .free: return derivatives.lanes(knot &* stride)
    case .circular: return derivatives.lanes(knot == bins ? 0 : knot &* stride)
    }
  }

  @inline(never) private func derivative(_ raw: Lanes) -> Lanes {
    hasExponentialDerivatives ? exp(raw / (1 + magnitude(raw) / clip)) : softplus(raw) + minimumDerivative
  }

  /// t for u = q - y_j: the root of a t^2 + b t + c that lies in the bin, without cancellation.
  @inline(__always) private func root(_ u: Lanes, h: Lanes, s: Lanes, k: Lanes, d0: Lanes) -> Lanes {
    let a = fma(u, k, h * (s - d0))
    let b = negatedFma(u, k, h * d0)
    let c = -s * u
    // b^2 - 4 a c with the rounding error of 4 a c (Kahan), and never negative.
    let a4 = 4 * a
    let product = a4 * c
    let discriminant = fma(b, b, -product) + negatedFma(a4, c, product)
    return (c + c) / (-b - flowrt_v_sqrt(atLeast(0, discriminant)))
  }
}

/// A running sum and what it has rounded off (Knuth's two-sum). Knots are sums of widths, and an error of a knot is multiplied by
/// the slope of the spline.
private struct Sum {
  private(set) var high: Lanes
  private(set) var low = Lanes()

  @inline(__always) init(_ start: Lanes) { high = start }

  @inline(__always) mutating func add(_ term: Lanes) {
    let total = high + term
    let part = total - high
    low = low + ((high - (total - part)) + (term - part))
    high = total
  }
}

/// a / b in two floats, for a b that is one.
private struct Quotient {
  private let high, low: Lanes

  @inline(__always) init(_ a: Lanes, by b: Sum) {
    high = a / b.high
    low = negatedFma(high, b.low, negatedFma(high, b.high, a)) / b.high
  }

  /// The quotient times e, plus c.
  @inline(__always) func times(_ e: Lanes, plus c: Float) -> Lanes { fma(e, high, fma(e, low, c)) }
}
