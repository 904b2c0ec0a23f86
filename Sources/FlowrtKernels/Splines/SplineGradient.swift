// The derivatives of a monotone spline (Spline.swift), of 16 values at a time.
//
// The bin that holds r is found as on the way to the noise. Its formula then goes backwards (BinGradient.swift): from the
// gradients by q and by log dq/dr to those by r and by the parts of the bin, the knot x, y, width w, height h and the
// derivatives d0, d1. These come from the raw parameters u so:
//
//     x = lower + the widths of the bins before: every earlier width takes the gradient by x, the bin's own that by w
//     w_j = least + c pi_j, pi = softmax(u):     by u_j = c pi_j (g_j - sum_i pi_i g_i), g_j the gradient by w_j
//     y, h                                       likewise
//     d0, d1                                     of the bin's two knots alone

import FlowrtShim

extension Spline {
  /// The columns of 16 floats that `gradient` uses beyond the raw parameters and those of a spline.
  private enum Column: Int { case slope, ofLogSlope, by, raw0, raw1, slope0, slope1 }

  /// Takes the gradient of 16 values from one side to the other; see TransformGradient.swift.
  ///
  /// - p: parameter j of value i is at j stride + i; byParameters likewise.
  /// - columns: as many as parameters, FLOWRT_SPLINE_COLUMNS, and 8 more.
  /// - Returns the gradient by the side that `by` is not about.
  @inline(never) func gradient(
    _ p: UnsafePointer<Float>, byParameters: UnsafeMutablePointer<Float>, stride: Int, _ r: Lanes, by: Lanes,
    columns: UnsafeMutablePointer<Float>, readIsKnown: Bool
  ) -> Lanes {
    let parameters = Int(form.parameterCount(bins: UInt32(truncatingIfNeeded: bins)))
    for j in 0..<parameters { columns.store(p.lanes(j &* stride), j &* laneCount) }
    let scratch = columns + parameters &* laneCount
    let column = SplineScratch(scratch)
    let own = scratch + Int(FLOWRT_SPLINE_COLUMNS) &* laneCount
    func place(_ c: Column) -> UnsafeMutablePointer<Float> { own + c.rawValue &* laneCount }
    let raw = RawColumns(form, bins: bins, knots: knotCount, columns, laneCount, end: column.end)
    let widthScale =
      pieces.hasWidths
      ? exponentials(raw.widths, laneCount, laneCount, minimum: minimumWidth, column.widthScale)
      : Scaling(constant: (upper - lower) / Float(bins), column.widthScale)
    let heightScale = exponentials(raw.heights, laneCount, laneCount, minimum: minimumHeight, column.heightScale)
    place(.by).store(r, 0)
    eachRegister(laneCount) { at in
      let value = inner(place(.by).register(at), true)
      column.store(findBin(raw, widthScale, heightScale, value, true, at), at)
    }
    if pieces == .rationalQuadratic {
      derivativeSlopes(column.derivatives, place(.slope0))
      inPlace(column.derivatives, 2, laneCount, .derivative)
    }
    // dq/dr and the derivative of its logarithm: 1 and 0 outside.
    eachRegister(laneCount) { at in
      let value = place(.by).register(at)
      var bin = column.bin(at)
      complete(&bin, raw, widthScale, heightScale, inner(value, true), true, at)
      column.store(bin, at)
      let (slope, ofLogSlope) = bin.slopes(inner(value, true))
      place(.slope).store(ifInside(value, slope, Register(repeating: 1)), at)
      place(.ofLogSlope).store(ifInside(value, ofLogSlope, Register()), at)
      place(.raw0).store(ifInside(value, Register(repeating: 1), Register()), at)
      place(.raw1).store(inner(value, true), at)
    }
    let (slope, ofLogSlope) = (place(.slope).lanes(0), place(.ofLogSlope).lanes(0))
    // byOther of TransformGradient.swift.
    let result = readIsKnown ? fma(by, slope, ofLogSlope) : (by - ofLogSlope) / slope
    place(.by).store(readIsKnown ? by : -result, 0)
    eachRegister(laneCount) { at in
      let isInside = place(.raw0).register(at)
      let bin = column.bin(at)
      let sign: Float = readIsKnown ? 1 : -1
      let parts = bin.gradient(
        place(.raw1).register(at), byValue: place(.by).register(at) * isInside, byLogSlope: isInside * sign,
        isLinear: pieces == .linear)
      var target = byParameters + at
      if pieces.hasWidths {
        softmaxGradient(
          target, stride, raw.widths, p, widthScale, minimumWidth, bin.number, byKnot: parts.x, byBin: parts.w, at)
        target += bins &* stride
      }
      let heights = target - (byParameters + at)
      softmaxGradient(
        target, stride, raw.heights, p + heights, heightScale, minimumHeight, bin.number, byKnot: parts.y,
        byBin: parts.h, at)
      target += bins &* stride
      if pieces == .rationalQuadratic {
        knotGradient(
          target, stride, bin.number, parts.d0 * place(.slope0).register(at), parts.d1 * place(.slope1).register(at))
      }
    }
    return result
  }

  /// `yes` on the interval, bounds included, else `no`.
  @inline(__always) private func ifInside(_ value: Register, _ yes: Register, _ no: Register) -> Register {
    flowrt_v_if_equal(atMost(upper, atLeast(lower, value)), value, yes, no)
  }

  /// By the raw widths, or heights, of a register of values. `e`: the exponentials of all bins; `p`: the raw ones, of
  /// which clipped ones need the derivative of the clip.
  @inline(__always) private func softmaxGradient(
    _ target: UnsafeMutablePointer<Float>, _ stride: Int, _ e: UnsafePointer<Float>, _ p: UnsafePointer<Float>,
    _ scaling: Scaling, _ minimum: Float, _ number: Register, byKnot: Register, byBin: Register, _ at: Int
  ) {
    @inline(__always) func by(_ bin: Int) -> Register {
      ifMore(number, Float(bin), byKnot, ifEqual(number, Float(bin), byBin, Register()))
    }
    var sum = Register()
    for bin in 0..<bins { sum = fma(scaling.share(e.register(bin &* laneCount &+ at), at), by(bin), sum) }
    let mean = sum / Register(repeating: (upper - lower) * (1 - minimum * Float(bins)))
    for bin in 0..<bins {
      var u = scaling.share(e.register(bin &* laneCount &+ at), at) * (by(bin) - mean)
      if form.widths == .clipped {
        let raw = p.register(bin &* stride &+ at)
        let d = 1 + magnitude(raw + raw) / clip
        u = u / (d * d)
      }
      target.store(u, bin &* stride)
    }
  }

  /// By the raw derivatives at the knots.
  @inline(__always) private func knotGradient(
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
