// The derivatives of a monotone spline (Spline.swift), of 16 values at a time.
//
// The bin that holds r is found as on the way to the noise. Its formula then goes backwards (BinGradient.swift): from
// the gradients by q and by log dq/dr to those by r and by the parts of the bin, the knot x, y, width w, height h and
// the derivatives d0, d1. These come from the raw parameters u so:
//
//     x = lower + the widths of the bins before: every earlier width takes the gradient by x, the bin's own that by w
//     w_j = least + c pi_j, pi = softmax(u):     by u_j = c pi_j (g_j - sum_i pi_i g_i), g_j the gradient by w_j
//     y, h                                       likewise
//     d0, d1                                     of the bin's two knots alone

import FlowrtShim

extension Spline {
  /// Takes the gradient of 16 values from one side to the other. `columns` of the values: as many as parameters,
  /// FLOWRT_SPLINE_COLUMNS, and 4 more.
  @inline(never) func gradient(_ v: RankValues) {
    let (p, stride, r) = (v.parameters, v.stride, v.read)
    let parameters = Int(form.parameterCount(bins: UInt32(truncatingIfNeeded: bins)))
    for j in 0..<parameters { v.columns.store(p.lanes(j &* stride), j &* laneCount) }
    let scratch = v.columns + parameters &* laneCount
    let column = SplineScratch(scratch)
    let knotSlopes = scratch + Int(FLOWRT_SPLINE_COLUMNS) &* laneCount
    let raw = RawColumns(form, bins: bins, knots: knotCount, v.columns, laneCount, end: column.end)
    let widthScale =
      pieces.hasWidths
      ? exponentials(raw.widths, laneCount, laneCount, minimum: minimumWidth, column.widthScale)
      : Scaling(constant: (upper - lower) / Float(bins), column.widthScale)
    let heightScale = exponentials(raw.heights, laneCount, laneCount, minimum: minimumHeight, column.heightScale)
    findBins(raw, widthScale, heightScale, column, r, laneCount, readIsKnown: true)
    if pieces == .rationalQuadratic {
      derivativeSlopes(column.derivatives, knotSlopes)
      inPlace(column.derivatives, 2, laneCount, .derivative)
    }
    let heights = v.byParameters + (pieces.hasWidths ? bins &* stride : 0)
    eachRegister(laneCount) { at in
      let value = r.register(at)
      let inner = inner(value, true)
      var bin = column.bin(at)
      if pieces == .linear { (bin.d0, bin.d1) = (bin.h / bin.w, bin.h / bin.w) } else { setEnds(&bin) }
      // Outside the spline is the identity.
      let isInside = flowrt_v_if_equal(
        atMost(upper, atLeast(lower, value)), value, Register(repeating: 1), Register())
      let (by, parts) = bin.gradient(
        inner, v.from.register(at), isInside, v.sides, isLinear: pieces == .linear)
      v.to.store(by, at)
      column.store(
        Bin(x: parts.x, y: parts.y, w: parts.w, h: parts.h, d0: parts.d0, d1: parts.d1, number: bin.number), at)
      if pieces == .rationalQuadratic {
        knotGradient(
          heights + (bins &* stride &+ at), stride, bin.number, parts.d0 * knotSlopes.register(at),
          parts.d1 * knotSlopes.register(laneCount &+ at))
      }
    }
    if pieces.hasWidths { softmaxGradient(v.byParameters, stride, raw.widths, p, widthScale, minimumWidth, scratch, 0) }
    softmaxGradient(
      heights, stride, raw.heights, p + (heights - v.byParameters), heightScale, minimumHeight, scratch, 1)
  }

  /// By the raw widths, or heights. `e`: the exponentials of all bins; `p`: the raw ones, of which clipped ones need
  /// the derivative of the clip. `byBins`: the columns of SplineScratch, with gradients in the place of a bin's parts;
  /// `axis`: 0 for x and w, 1 for y and h.
  @inline(never) private func softmaxGradient(
    _ target: UnsafeMutablePointer<Float>, _ stride: Int, _ e: UnsafePointer<Float>, _ p: UnsafePointer<Float>,
    _ scaling: Scaling, _ minimum: Float, _ byBins: UnsafePointer<Float>, _ axis: Int
  ) {
    let range = (upper - lower) * (1 - minimum * Float(bins))
    eachRegister(laneCount) { at in
      let byKnot = byBins.register(axis &* laneCount &+ at)
      let byBin = byBins.register((4 &+ axis) &* laneCount &+ at)
      let number = byBins.register(8 &* laneCount &+ at)
      @inline(__always) func by(_ bin: Int) -> Register {
        ifMore(number, Float(bin), byKnot, ifEqual(number, Float(bin), byBin, Register()))
      }
      var sum = Register()
      for bin in 0..<bins { sum = fma(scaling.share(e.register(bin &* laneCount &+ at), at), by(bin), sum) }
      let mean = sum / Register(repeating: range)
      for bin in 0..<bins {
        var u = scaling.share(e.register(bin &* laneCount &+ at), at) * (by(bin) - mean)
        if form.widths == .clipped {
          let raw = p.register(bin &* stride &+ at)
          let d = 1 + magnitude(raw + raw) / clip
          u = u / (d * d)
        }
        target.store(u, bin &* stride &+ at)
      }
    }
  }

  /// By the raw derivatives at the knots.
  @inline(never) private func knotGradient(
    _ target: UnsafeMutablePointer<Float>, _ stride: Int, _ number: Register, _ by0: Register, _ by1: Register
  ) {
    for place in 0..<knotCount {
      let knot = ends == .fixed ? place &+ 1 : place
      var by = ifEqual(number, Float(knot), by0, ifEqual(number, Float(knot &- 1), by1, Register()))
      // In a circle the last knot is the first.
      if ends == .circular && place == 0 { by = by + ifEqual(number, Float(bins &- 1), by1, Register()) }
      target.store(by, place &* stride)
    }
  }

  /// The derivatives of what makes knots' derivatives of two columns of raw ones.
  @inline(never) private func derivativeSlopes(_ raw: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>) {
    for column in 0..<2 {
      let u = raw.lanes(column &* laneCount)
      switch form.derivatives {
      case .softplus: target.store(sigmoid(u), column &* laneCount)
      case .exp:
        let d = 1 + magnitude(u) / clip
        target.store(exp(u / d) / (d * d), column &* laneCount)
      }
    }
  }
}
