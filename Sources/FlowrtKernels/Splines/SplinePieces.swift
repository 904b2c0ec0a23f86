// The pieces that a spline can be made of: what is between two knots (docs/FORMAT.md section 5.1).
//
//   rational-quadratic   Durkan, Bekasov, Murray, Papamakarios 2019, "Neural spline flows"
//   linear, quadratic    Mueller, McWilliams, Rousselle, Gross, Novak 2019, "Neural importance sampling"
//   linear-rational      Dolatabadi, Erfani, Leckie 2020, "Invertible generative modeling using linear rational splines"
//   cubic                Durkan, Bekasov, Murray, Papamakarios 2019, "Cubic-spline flows"

import FlowrtShim

/// A bin: its corner, of which `xLow` and `yLow` are what rounds off, its size, the derivatives at both ends, its number, and where
/// it is divided, as a share of the width.
struct Bin {
  var x = Register(), y = Register(), xLow = Register(), yLow = Register()
  var w = Register(), h = Register()
  var d0 = Register(), d1 = Register()
  var number = Register(), share = Register()

  /// The other side of a known value, and dq/dr.
  @inline(__always) func rationalQuadratic(_ known: Register, _ fromRead: Bool) -> (value: Register, slope: Register) {
    let s = h / w
    let k = fma(s, -2, d0 + d1)
    var t = fromRead ? (known - x - xLow) / w : rationalQuadraticRoot(known - y - yLow, s: s, k: k)
    t = atMost(1, atLeast(0, t))
    let rest = 1 - t
    let product = t * rest
    let denominator = fma(k, product, s)
    let value = fromRead ? fma(h, fma(s * t, t, d0 * product) / denominator, yLow) + y : fma(t, w, xLow) + x
    let ratio = s / denominator
    return (value, ratio * ratio * fma(d1 * t, t, fma(s + s, product, d0 * rest * rest)))
  }

  /// t for u = q - y: the root of a t^2 + b t + c that lies in the bin, without cancellation.
  @inline(__always) private func rationalQuadraticRoot(_ u: Register, s: Register, k: Register) -> Register {
    let a = fma(u, k, h * (s - d0))
    let b = negatedFma(u, k, h * d0)
    let c = -s * u
    // b^2 - 4 a c with the rounding error of 4 a c (Kahan), and never negative.
    let a4 = 4 * a
    let product = a4 * c
    let discriminant = fma(b, b, -product) + negatedFma(a4, c, product)
    return (c + c) / (-b - flowrt_v_sqrt(atLeast(0, discriminant)))
  }

  /// The same of a cubic piece, which in units of its width and height is u = t (a + t (b + t c)).
  @inline(__always) func cubic(_ known: Register, _ fromRead: Bool) -> (value: Register, slope: Register) {
    let s = h / w
    let (a, e) = (d0 / s, d1 / s)
    let b = 3 - fma(a, 2, e)
    let c = a + e - 2
    let b2 = b + b
    let c3 = c * 3
    var t = fromRead ? (known - x - xLow) / w : (known - y - yLow) / h
    t = atMost(1, atLeast(0, t))
    if !fromRead {
      // Newton's steps from t = u, halving the bracket where they leave it: sixteen are enough for all a and e in 0 ... 3.
      let u = t
      var (low, high) = (Register(), Register(repeating: 1))
      for _ in 0..<16 {
        let error = fma(fma(fma(c, t, b), t, a), t, -u)
        let step = t - error / fma(fma(c3, t, b2), t, a)
        low = ifLess(error, 0, t, low)
        high = ifLess(error, 0, high, t)
        let middle = 0.5 * (low + high)
        // Not equal: outside, or NaN, where a slope of zero is met on the way or at the root.
        t = flowrt_v_if_equal(flowrt_v_max(low, flowrt_v_min(high, step)), step, step, middle)
      }
    }
    let cubic = fma(fma(c, t, b), t, a) * t
    let slope = s * fma(fma(c3, t, b2), t, a)
    return (fromRead ? fma(h, cubic, yLow) + y : fma(t, w, xLow) + x, atLeast(.leastNormalMagnitude, slope))
  }

  /// A linear-rational bin becomes that of its two Moebius maps which holds the known value.
  @inline(__always) mutating func divide(minimumShare: Float, _ known: Register, _ fromRead: Bool) {
    let part = fma(share, 1 - 2 * minimumShare, minimumShare)
    let rest = 1 - part
    let weight = part * flowrt_v_sqrt(d0 / d1)
    let unit = h / (rest + weight)
    let (w0, h0) = (w * part, unit * weight)
    let s = h0 / w0
    let middle = s * s / d0
    var (knotX, knotY) = (Sum(x), Sum(y))
    knotX.add(w0)
    knotY.add(h0)
    let knot = fromRead ? knotX.high : knotY.high
    @inline(__always) func pick(_ second: Register, _ first: Register) -> Register {
      flowrt_v_if_less(known, knot, first, second)
    }
    (x, y) = (pick(knotX.high, x), pick(knotY.high, y))
    (xLow, yLow) = (xLow + pick(knotX.low, Register()), yLow + pick(knotY.low, Register()))
    (w, h) = (pick(w * rest, w0), pick(unit * rest, h0))
    (d0, d1) = (pick(middle, d0), pick(d1, middle))
  }
}

extension Spline {
  /// Quadratic pieces have no heights but values at the knots, softplus(u) plus the minimum, whose integral is made 1. Returns what
  /// makes derivatives of them.
  @inline(never) func densities(
    _ raw: RawColumns, _ count: Int, _ widthScale: Scaling, _ columns: UnsafeMutablePointer<Float>
  ) -> Scaling {
    inPlace(raw.derivatives, knotCount, raw.stride, .derivative)
    let range = upper - lower
    let scaling = Scaling(columns, least: minimumHeight)
    eachRegister(count) { at in
      var area = Sum(Register())
      let first = raw.derivative(ofKnot: 0, at)
      var left = ends == .fixed ? Register() : first
      for bin in 0..<bins {
        let isEnd = ends == .fixed && bin == bins &- 1
        let right = isEnd ? Register() : raw.derivative(ofKnot: bin &+ 1, at)
        area.add(widthScale.of(raw.width(bin, at), at) * (0.5 * (left + right)))
        left = right
      }
      if ends == .fixed {
        let w0 = 0.25 * widthScale.of(raw.width(0, at), at)
        let w1 = 0.25 * widthScale.of(raw.width(bins &- 1, at), at)
        let last = raw.derivative(ofKnot: bins &- 1, at)
        let end = negatedFma(w0, first, negatedFma(w1, last, area.high)) / (range - (w0 + w1))
        raw.end.store(end, at)
        area.add(end * (2 * (w0 + w1)))
      }
      scaling.set(range * (1 - minimumHeight), by: area, at)
    }
    return scaling
  }

  /// The derivatives of a cubic bin: between two bins as Steffen 1990 (equation 11) has them, at the ends of the interval three times
  /// the slope and what `d0` and `d1` are before.
  @inline(__always) func setCubicDerivatives(
    _ bin: inout Bin, _ raw: RawColumns, _ widthScale: Scaling, _ heightScale: Scaling, _ at: Int
  ) {
    let s = bin.h / bin.w
    // The width and the slope of the bin before this one, and of the one after it.
    var (w0, s0, w1, s1) = (bin.w, s, bin.w, s)
    for j in 0..<bins {
      let width = widthScale.of(raw.width(j, at), at)
      let slope = heightScale.of(raw.height(j, at), at) / width
      (w0, s0) = (ifEqual(bin.number, Float(j &+ 1), width, w0), ifEqual(bin.number, Float(j &+ 1), slope, s0))
      (w1, s1) = (ifEqual(bin.number, Float(j &- 1), width, w1), ifEqual(bin.number, Float(j &- 1), slope, s1))
    }
    @inline(__always) func between(_ w: Register, _ other: Register) -> Register {
      flowrt_v_min(2 * flowrt_v_min(s, other), fma(w, s, bin.w * other) / (w + bin.w))
    }
    let (first, last) = (bin.d0, bin.d1)
    bin.d0 = ifEqual(bin.number, 0, 3 * first * s, between(w0, s0))
    bin.d1 = ifEqual(bin.number, Float(bins &- 1), 3 * last * s, between(w1, s1))
  }
}
