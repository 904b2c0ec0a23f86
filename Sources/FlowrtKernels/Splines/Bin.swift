// The pieces that a spline can be made of: what is between two knots (docs/FORMAT.md section 5.1).
//
//   rational-quadratic   Durkan, Bekasov, Murray, Papamakarios 2019, "Neural spline flows"
//   linear, quadratic    Mueller, McWilliams, Rousselle, Gross, Novak 2019, "Neural importance sampling"
//   linear-rational      Dolatabadi, Erfani, Leckie 2020, "Invertible generative modeling using linear rational splines"
//   cubic                Durkan, Bekasov, Murray, Papamakarios 2019, "Cubic-spline flows"

import FlowrtShim

/// Steps to the root of a cubic piece. Sixteen are enough for all derivatives that a piece can have, from 0 to 3 times
/// its slope.
private let newtonSteps = 16

/// The bins of as many values as a register holds.
///
/// - x, y: the knot where a bin begins; xLow, yLow: what rounding took from it.
/// - w, h: its width and height.
/// - d0, d1: the derivatives at both ends. On the way there, the raw parameters and what functions make of them.
/// - number: its place among the bins, from 0 on.
/// - share: of linear-rational pieces, the part of the width at which the bin is divided in two.
struct Bin {
  var x = Register(), y = Register(), xLow = Register(), yLow = Register()
  var w = Register(), h = Register()
  var d0 = Register(), d1 = Register()
  var number = Register(), share = Register()

  /// The other side of a known value, and dq/dr, of a rational-quadratic piece. `readIsKnown`: r is known, and q is
  /// looked for.
  @inline(__always) func rationalQuadratic(_ known: Register, _ readIsKnown: Bool) -> (value: Register, slope: Register)
  {
    // The file head of Spline.swift has the formulas: s, k, t, equation 4 for q and equation 5 for dq/dr.
    let s = h / w
    let k = fma(s, -2, d0 + d1)
    var t = readIsKnown ? (known - x - xLow) / w : rationalQuadraticRoot(known - y - yLow, s: s, k: k)
    // Rounding may put t a little outside of the bin.
    t = atMost(1, atLeast(0, t))
    let rest = 1 - t
    let product = t * rest
    let denominator = fma(k, product, s)
    // The low part of the knot is added before the high one, which would round it off.
    let value = readIsKnown ? fma(h, fma(s * t, t, d0 * product) / denominator, yLow) + y : fma(t, w, xLow) + x
    let ratio = s / denominator
    return (value, ratio * ratio * fma(d1 * t, t, fma(s + s, product, d0 * rest * rest)))
  }

  /// t for u = q - y: the root of a t^2 + b t + c that lies in the bin, without cancellation.
  @inline(__always) private func rationalQuadraticRoot(_ u: Register, s: Register, k: Register) -> Register {
    let a = fma(u, k, h * (s - d0))
    let b = negatedFma(u, k, h * d0)
    let c = -s * u
    // b^2 - 4 a c with the rounding error of 4 a c (Kahan), and never negative.
    // The product is rounded once; the second multiply-add recovers exactly what the rounding took.
    let a4 = 4 * a
    let product = a4 * c
    let discriminant = fma(b, b, -product) + negatedFma(a4, c, product)
    // Not (-b + sqrt) / 2 a: that would cancel where 4 a c is small, and divide by zero where a = 0.
    return (c + c) / (-b - flowrt_v_sqrt(atLeast(0, discriminant)))
  }

  /// The other side of a known value, and dq/dr, of a cubic piece. In units of the bin's width and height it is
  /// u = t (a + t (b + t c)).
  @inline(__always) func cubic(_ known: Register, _ readIsKnown: Bool) -> (value: Register, slope: Register) {
    let s = h / w
    // Derivatives in units of the slope s. u(0) = 0, u(1) = 1, u'(0) = a and u'(1) = e give b and c.
    let (a, e) = (d0 / s, d1 / s)
    let b = 3 - fma(a, 2, e)
    let c = a + e - 2
    let b2 = b + b
    let c3 = c * 3
    var t = readIsKnown ? (known - x - xLow) / w : (known - y - yLow) / h
    t = atMost(1, atLeast(0, t))
    if !readIsKnown {
      // Newton's steps from t = u, halving the bracket where they leave it.
      let u = t
      var (low, high) = (Register(), Register(repeating: 1))
      for _ in 0..<newtonSteps {
        let error = fma(fma(fma(c, t, b), t, a), t, -u)
        let step = t - error / fma(fma(c3, t, b2), t, a)
        // The piece is monotone: where it is below u, the root is to the right of t.
        low = ifLess(error, 0, t, low)
        high = ifLess(error, 0, high, t)
        let middle = 0.5 * (low + high)
        // Not equal: outside, or NaN, where a slope of zero is met on the way or at the root.
        t = flowrt_v_if_equal(flowrt_v_max(low, flowrt_v_min(high, step)), step, step, middle)
      }
    }
    let cubic = fma(fma(c, t, b), t, a) * t
    let slope = s * fma(fma(c3, t, b2), t, a)
    return (readIsKnown ? fma(h, cubic, yLow) + y : fma(t, w, xLow) + x, atLeast(.leastNormalMagnitude, slope))
  }

  /// Replaces a linear-rational bin by one of its two halves, each a Moebius map: the one that holds the known value.
  /// `share` says where the bin is divided; value and derivative there follow from the condition that both halves fit
  /// together smoothly.
  @inline(__always) mutating func divide(minimumShare: Float, _ known: Register, _ readIsKnown: Bool) {
    let part = fma(share, 1 - 2 * minimumShare, minimumShare)
    let rest = 1 - part
    // The left half is unit * weight high, the right one unit * rest (docs/FORMAT.md section 5.1, "Linear-rational").
    let weight = part * flowrt_v_sqrt(d0 / d1)
    let unit = h / (rest + weight)
    let (w0, h0) = (w * part, unit * weight)
    let s = h0 / w0
    // A linear-rational half has d0 d1 = s^2, which gives the derivative where the halves meet.
    let middle = s * s / d0
    // The knot between the halves needs its low part, as the knots of bins do.
    var (knotX, knotY) = (TwoSum(x), TwoSum(y))
    knotX.add(w0)
    knotY.add(h0)
    let knot = readIsKnown ? knotX.high : knotY.high
    @inline(__always) func pick(_ second: Register, _ first: Register) -> Register {
      flowrt_v_if_less(known, knot, first, second)
    }
    (x, y) = (pick(knotX.high, x), pick(knotY.high, y))
    (xLow, yLow) = (xLow + pick(knotX.low, Register()), yLow + pick(knotY.low, Register()))
    (w, h) = (pick(w * rest, w0), pick(unit * rest, h0))
    (d0, d1) = (pick(middle, d0), pick(d1, middle))
  }

  /// Sets the derivatives of a cubic bin. At a knot between two bins they follow from the widths and slopes of both
  /// (Steffen 1990, equation 11). At the ends of the interval they are three times the bin's slope, times what the
  /// network gives: `d0` and `d1` as they are before. All parts of the other bins are computed anew from the raw
  /// parameters, since only one bin of each value is kept.
  @inline(__always) mutating func setCubicDerivatives(
    _ raw: RawColumns, _ widthScale: Scaling, _ heightScale: Scaling, bins: Int, _ at: Int
  ) {
    let s = h / w
    // The width and the slope of the bin before this one, and of the one after it.
    var (w0, s0, w1, s1) = (w, s, w, s)
    for j in 0..<bins {
      let width = widthScale.of(raw.width(j, at), at)
      let slope = heightScale.of(raw.height(j, at), at) / width
      (w0, s0) = (ifEqual(number, Float(j &+ 1), width, w0), ifEqual(number, Float(j &+ 1), slope, s0))
      (w1, s1) = (ifEqual(number, Float(j &- 1), width, w1), ifEqual(number, Float(j &- 1), slope, s1))
    }
    @inline(__always) func between(_ w: Register, _ other: Register) -> Register {
      flowrt_v_min(2 * flowrt_v_min(s, other), fma(w, s, self.w * other) / (w + self.w))
    }
    let (first, last) = (d0, d1)
    d0 = ifEqual(number, 0, 3 * first * s, between(w0, s0))
    d1 = ifEqual(number, Float(bins &- 1), 3 * last * s, between(w1, s1))
  }
}
