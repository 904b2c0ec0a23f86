// Monotone splines (docs/FORMAT.md section 5.1), first of all the rational-quadratic one (Durkan, Bekasov, Murray,
// Papamakarios 2019, "Neural spline flows").
//
// K bins between `lower` and `upper`; bin j begins at the knot (x_j, y_j), is w_j wide and h_j high, and has the
// derivatives d_j and d_j+1 at its ends. With s = h / w, t = (r - x_j) / w and k = d_j + d_j+1 - 2 s, inside of a bin
//
//     q     = y_j + h (s t^2 + d_j t (1 - t)) / (s + k t (1 - t))                                          (equation 4)
//     dq/dr = s^2 (d_j+1 t^2 + 2 s t (1 - t) + d_j (1 - t)^2) / (s + k t (1 - t))^2                        (equation 5)
//
// and the inverse is the root t of a quadratic (equations 6 to 8). Outside of the bounds q = r.
//
// The pieces of other splines are special cases of this one, which differ in where w, h and the derivatives come from:
// d_j = d_j+1 = s is linear, d_j + d_j+1 = 2 s quadratic, d_j d_j+1 = s^2 linear-rational. Those, and cubic pieces,
// which are not, have their formulas in Bin.swift.
//
// The knots are never stored, and have a second float for what they round off: one walk along the bins adds up both
// axes and keeps what belongs to the last knot that is not beyond the known value. Cost: 2 K exponentials for the
// softmaxes, and some twenty operations a bin. Values lie in columns of 16 floats, which are worked off register by
// register (Register.swift) between the calls of functions.

import FlowrtShim

/// The constants of a spline step, as its record holds them.
struct Spline {
  /// K, at least 1.
  let bins: Int
  /// The interval that the spline acts on; lower < upper.
  let lower, upper: Float
  /// The least height and share are fractions, of the interval and of a bin; the least derivative is a plain number.
  /// `minimumHeight` is that of the density for quadratic pieces.
  let minimumHeight, minimumDerivative, minimumShare: Float
  /// `minimumWidth`: a fraction of the interval. `clip`: the p5 of the format, a bound on clipped raw parameters.
  /// `endDerivative`: that of both outer knots, if the ends are fixed.
  let minimumWidth, clip, endDerivative: Float
  /// Which of the format's variants this is.
  let form: SplineForm
  /// Derivatives, or values, of a rank.
  let knotCount: Int
  /// Which knots have a derivative of their own, and what a bin is made of.
  var ends: SplineEnds { form.ends }
  var pieces: SplinePieces { form.pieces }

  /// `record`: a spline step that the reader has checked, so the form is one that exists.
  init(_ record: flowrt_step_record) {
    bins = Int(record.bins)
    (lower, upper) = (record.p.0, record.p.1)
    (minimumWidth, minimumHeight) = (record.p.2, record.p.3)
    (minimumDerivative, clip, endDerivative, minimumShare) = (record.p.4, record.p.5, record.p.6, record.p.7)
    form = SplineForm(record.form).unsafelyUnwrapped
    knotCount = Int(form.knotCount(bins: record.bins))
  }

  /// The unknown side from the known one, and log|dq/dr|, of up to 16 values. `readIsKnown`: r is known, else q.
  ///
  /// First the raw parameters become exponentials, and what scales them to widths and heights is found. Then one walk
  /// along the bins finds the bin of each value, whose parts go through functions of their own. At last the formula of
  /// the pieces is applied.
  ///
  /// - p: the raw parameters (RawColumns.swift), which are overwritten.
  /// - stride: floats from a parameter of 16 values to the next; 1 if there is a single value.
  /// - known, unknown, logS: a float for each value; whole vectors are read and written.
  /// - scratch: `FLOWRT_SPLINE_COLUMNS` columns.
  @inline(never) func apply(
    _ p: UnsafeMutablePointer<Float>, stride: Int, _ known: UnsafeMutablePointer<Float>,
    _ unknown: UnsafeMutablePointer<Float>, _ logS: UnsafeMutablePointer<Float>, count: Int,
    scratch: UnsafeMutablePointer<Float>, readIsKnown: Bool
  ) {
    // Pieces without widths have equal ones; pieces without heights have densities, which give heights and derivatives.
    let column = SplineScratch(scratch)
    let raw = RawColumns(form, bins: bins, knots: knotCount, p, stride, end: column.end)
    let widthScale =
      pieces.hasWidths
      ? exponentials(raw.widths, stride, count, minimum: minimumWidth, column.widthScale)
      : Scaling(constant: (upper - lower) / Float(bins), column.widthScale)
    let heightScale =
      pieces.hasHeights
      ? exponentials(raw.heights, stride, count, minimum: minimumHeight, column.heightScale)
      : densities(raw, count, widthScale, column.heightScale)

    // The bin goes to memory: its derivatives and its share wait there for the functions of all 16 values.
    findBins(raw, widthScale, heightScale, column, known, count, readIsKnown: readIsKnown)
    // The two columns of derivatives lie next to each other, so one call takes both.
    // Functions are applied to the chosen bin alone, not to all K bins.
    switch pieces {
    case .rationalQuadratic: inPlace(column.derivatives, 2, laneCount, .derivative)
    case .linearRational:
      inPlace(column.derivatives, 2, laneCount, .derivative)
      inPlace(column.share, 1, laneCount, .sigmoid)
    case .cubic:
      // Every bin takes both derivatives of the interval's ends; setCubicDerivatives puts them where they belong.
      column.derivatives.store(raw.derivatives.lanes(0), 0)
      column.derivatives.store(raw.derivatives.lanes(stride), laneCount)
      inPlace(column.derivatives, 2, laneCount, .sigmoid)
    case .linear, .quadratic: break
    }

    eachRegister(count) { at in
      let value = known.register(at)
      // On the bounds is inside; NaN is not, and comes back.
      let bounded = atMost(upper, atLeast(lower, value))
      @inline(__always) func ifInside(_ yes: Register, _ no: Register) -> Register {
        flowrt_v_if_equal(bounded, value, yes, no)
      }
      let inner = inner(value, readIsKnown)
      var bin = column.bin(at)
      complete(&bin, raw, widthScale, heightScale, inner, readIsKnown, at)
      let point: (value: Register, slope: Register)
      switch pieces {
      case .cubic: point = bin.cubic(inner, readIsKnown)
      case .rationalQuadratic, .linear, .quadratic, .linearRational: point = bin.rationalQuadratic(inner, readIsKnown)
      }
      // Rounding must not carry the result out of the interval: there the spline is the identity.
      var other = atMost(upper, atLeast(lower, point.value))
      if form.isTurned && !readIsKnown { other = halfTurn(other) }
      unknown.store(ifInside(other, value), at)
      // Slopes for now. Outside dq/dr = 1, so log s = 0.
      logS.store(ifInside(point.slope, Register(repeating: 1)), at)
    }
    // One logarithm for all 16. The lanes behind `count` hold no values, and nobody reads theirs.
    logS.store(log(logS.lanes(0)), 0)
  }

  /// A known value, limited to the interval, as the bins have it.
  @inline(__always) func inner(_ known: Register, _ readIsKnown: Bool) -> Register {
    let bounded = atMost(upper, atLeast(lower, known))
    return form.isTurned && readIsKnown ? halfTurn(bounded) : bounded
  }

  /// Moves a value by half of the interval, and round to its other side if it leaves it. This is its own inverse, but
  /// for the point in the middle.
  @inline(__always) private func halfTurn(_ r: Register) -> Register {
    let half = 0.5 * (upper - lower)
    return ifLess(r, lower + half, r + half, r - half)
  }

  /// Turns the raw values u of one axis into e^(u - max u), in place: the softmax without its division. Returns the
  /// scaling that makes widths or heights of them, each at least `minimum` of the interval. `column`: two columns for
  /// the scaling, the first of which holds the maximum before.
  @inline(never) func exponentials(
    _ p: UnsafeMutablePointer<Float>, _ stride: Int, _ count: Int, minimum: Float, _ column: UnsafeMutablePointer<Float>
  ) -> Scaling {
    if form.widths == .clipped { inPlace(p, bins, stride, .clip) }
    eachRegister(count) { at in
      var largest = Register(repeating: -.infinity)
      for bin in 0..<bins { largest = flowrt_v_max(largest, p.register(bin &* stride &+ at)) }
      column.store(largest, at)
    }
    // The parameters of a single value fill the lanes of inPlace: they all need its one maximum.
    if stride == 1 { column.store(Lanes(repeating: column[0]), 0) }
    // The maximum keeps the exponentials in (0, 1], and the largest is 1: no overflow, and no sum of zero.
    inPlace(p, bins, stride, .exponential(minus: column))
    let range = upper - lower
    let scaling = Scaling(column, least: range * minimum)
    eachRegister(count) { at in
      var sum = TwoSum(Register())
      for bin in 0..<bins { sum.add(p.register(bin &* stride &+ at)) }
      // The minima of all bins are set aside; the exponentials share what is left in proportion.
      scaling.set(range * (1 - minimum * Float(bins)), by: sum, at)
    }
    return scaling
  }

  /// Quadratic pieces have values at the knots instead of heights: softplus(u) plus the minimum, joined by straight
  /// lines, of which the integral over the interval is made 1. Where the ends are fixed, the value there is such that
  /// it fits (raw.end). Returns what makes derivatives of the values.
  @inline(never) func densities(
    _ raw: RawColumns, _ count: Int, _ widthScale: Scaling, _ columns: UnsafeMutablePointer<Float>
  ) -> Scaling {
    // Raw values become v = softplus(u) + minimum.
    inPlace(raw.derivatives, knotCount, raw.stride, .derivative)
    let range = upper - lower
    let scaling = Scaling(columns, least: minimumHeight)
    eachRegister(count) { at in
      // The area below the lines: a trapezoid for each bin.
      var area = TwoSum(Register())
      let first = raw.derivative(ofKnot: 0, at)
      var left = ends == .fixed ? Register() : first
      for bin in 0..<bins {
        let isEnd = ends == .fixed && bin == bins &- 1
        let right = isEnd ? Register() : raw.derivative(ofKnot: bin &+ 1, at)
        area.add(widthScale.of(raw.width(bin, at), at) * (0.5 * (left + right)))
        left = right
      }
      if ends == .fixed {
        // nflows chooses v at the ends from the inner values (docs/FORMAT.md section 5.1, "Quadratic"). The first and
        // the last trapezoid counted half of an inner value; a quarter belongs to the equation for `end`.
        let w0 = 0.25 * widthScale.of(raw.width(0, at), at)
        let w1 = 0.25 * widthScale.of(raw.width(bins &- 1, at), at)
        let last = raw.derivative(ofKnot: bins &- 1, at)
        let end = negatedFma(w0, first, negatedFma(w1, last, area.high)) / (range - (w0 + w1))
        raw.end.store(end, at)
        // Add the ends to the area: half of both outer widths times `end`.
        area.add(end * (2 * (w0 + w1)))
      }
      scaling.set(range * (1 - minimumHeight), by: area, at)
    }
    return scaling
  }

  /// The bins that hold `count` known values.
  @inline(never) func findBins(
    _ raw: RawColumns, _ widthScale: Scaling, _ heightScale: Scaling, _ column: SplineScratch,
    _ known: UnsafePointer<Float>, _ count: Int, readIsKnown: Bool
  ) {
    eachRegister(count) { at in
      column.store(findBin(raw, widthScale, heightScale, inner(known.register(at), readIsKnown), readIsKnown, at), at)
    }
  }

  /// The bin that holds a known value, with raw derivatives and share. The bins begin at sums of widths and heights;
  /// every register takes all of them, and keeps the last one whose knot is not beyond its value.
  @inline(__always) private func findBin(
    _ raw: RawColumns, _ widthScale: Scaling, _ heightScale: Scaling, _ known: Register, _ readIsKnown: Bool, _ at: Int
  ) -> Bin {
    // Only quadratic pieces have a value here; the others get their end derivatives in `complete`.
    let end = pieces.hasHeights ? Register() : raw.end.register(at)
    var bin = Bin()
    // Both axes begin at `lower`, and a two-float sum keeps their knots exact to far below one rounding.
    var x = TwoSum(Register(repeating: lower))
    var y = x
    var left = ends == .fixed ? end : raw.derivative(ofKnot: 0, at)
    for j in 0..<bins {
      // The derivatives, or values, at both knots of the bin; a bin passes its right one on to the next.
      let right = ends == .fixed && j == bins &- 1 ? end : raw.derivative(ofKnot: j &+ 1, at)
      let width = widthScale.of(raw.width(j, at), at)
      let height =
        pieces.hasHeights
        ? heightScale.of(raw.height(j, at), at) : width * heightScale.of(0.5 * (left + right), at)
      // A known value below the knot keeps the bin of before. A NaN is below no knot, and takes the last bin.
      let knot = readIsKnown ? x.high : y.high
      @inline(__always) func pick(_ new: Register, _ old: Register) -> Register {
        flowrt_v_if_less(known, knot, old, new)
      }
      (bin.x, bin.y, bin.w, bin.h) = (pick(x.high, bin.x), pick(y.high, bin.y), pick(width, bin.w), pick(height, bin.h))
      (bin.xLow, bin.yLow) = (pick(x.low, bin.xLow), pick(y.low, bin.yLow))
      (bin.d0, bin.d1) = (pick(left, bin.d0), pick(right, bin.d1))
      bin.number = pick(Register(repeating: Float(j)), bin.number)
      if pieces.hasShares { bin.share = pick(raw.share(j, at), bin.share) }
      x.add(width)
      y.add(height)
      left = right
    }
    return bin
  }

  /// Sets the derivatives of a bin, after `inPlace` has made derivatives of its raw ones. Pieces without parameters for
  /// them have them from the bin's slope, from its values, or from the neighbouring bins.
  @inline(__always) private func complete(
    _ bin: inout Bin, _ raw: RawColumns, _ widthScale: Scaling, _ heightScale: Scaling, _ known: Register,
    _ readIsKnown: Bool, _ at: Int
  ) {
    switch pieces {
    case .rationalQuadratic: setEnds(&bin)
    case .linear: (bin.d0, bin.d1) = (bin.h / bin.w, bin.h / bin.w)
    case .quadratic: (bin.d0, bin.d1) = (heightScale.of(bin.d0, at), heightScale.of(bin.d1, at))
    case .linearRational:
      setEnds(&bin)
      bin.divide(minimumShare: minimumShare, known, readIsKnown)
    case .cubic: bin.setCubicDerivatives(raw, widthScale, heightScale, bins: bins, at)
    }
  }

  /// Puts the fixed derivative at the outer ends of the first and the last bin, for which findBin has found any other.
  @inline(__always) func setEnds(_ bin: inout Bin) {
    if ends != .fixed { return }
    let end = Register(repeating: endDerivative)
    bin.d0 = ifEqual(bin.number, 0, end, bin.d0)
    bin.d1 = ifEqual(bin.number, Float(bins &- 1), end, bin.d1)
  }

  /// What becomes of raw parameters one by one.
  enum Function {
    case clip, derivative, sigmoid
    case exponential(minus: UnsafeMutablePointer<Float>)
  }

  /// Applies a function to `count` parameters of 16 values, or of a single one.
  ///
  /// - p: parameter j of value i is at j stride + i; vectors of 16 floats are read.
  /// - stride: a multiple of 16, of which the first 16 floats are taken; or 1, where a vector takes 16 parameters.
  @inline(never) func inPlace(
    _ p: UnsafeMutablePointer<Float>, _ count: Int, _ stride: Int, _ function: Function
  ) {
    let end = count &* stride
    var i = 0
    while i < end {
      var u = p.lanes(i)
      switch function {
      // zuko's bound on raw parameters, u / (1 + |2 u| / clip): at most clip / 2 from zero.
      case .clip: u = u / (1 + magnitude(u + u) / clip)
      case .derivative:
        switch form.derivatives {
        case .softplus: u = softplus(u) + minimumDerivative
        // The raw value is bounded by `clip` itself: the derivative is between e^-clip and e^clip.
        case .exp: u = exp(u / (1 + magnitude(u) / clip))
        }
      case .sigmoid: u = sigmoid(u)
      case .exponential(let largest): u = expOfNegative(u - largest.lanes(0))
      }
      // The parameters of a single value may end within a vector: what follows belongs to the next group.
      if i &+ laneCount <= end { p.store(u, i) } else { p.store(u, i, in: 0, end) }
      i &+= max(laneCount, stride)
    }
  }
}
