// The affine transformer: a scale s and a shift t between the read side r and the other side q (docs/FORMAT.md section
// 5).
//
//   form 0   q = s r + t          Papamakarios et al. 2017 (MAF), Kingma et al. 2016 (IAF, eq. 9)
//   form 1   q = s (r - t)
//   form 2   q = s r + (1 - s) t  the gated update, Kingma et al. 2016 (eq. 13, 14)
//
// log s always comes from the raw output, never from log(exp()).

import FlowrtShim

/// An affine transformer with its constants at hand.
struct Affine {
  let form: AffineForm
  let scaleFunction: ScaleFunction
  let p0, p1, p2: Float

  init(_ record: flowrt_step_record) {
    form = AffineForm(rawValue: record.form).unsafelyUnwrapped
    scaleFunction = ScaleFunction(rawValue: record.scale).unsafelyUnwrapped
    (p0, p1, p2) = (record.p.0, record.p.1, record.p.2)
  }

  /// Whether s(a) = e^c(a).
  private var isExponential: Bool {
    switch scaleFunction {
    case .exp, .expClamped, .expSoftClipped, .expTanh, .expAtan: return true
    case .softplus, .softplusClamped, .sigmoid: return false
    }
  }

  /// c(a) = log s(a).
  @inline(__always) private func exponent(_ a: Lanes) -> Lanes {
    switch scaleFunction {
    case .expClamped: return atMost(p1, atLeast(p0, a))
    case .expSoftClipped: return a / (1 + magnitude(a) / p0)
    case .expTanh: return p0 * tanh(a)
    case .expAtan: return p0 * atan(a)
    default: return a
    }
  }

  /// s(a) and log s(a). `inverse`: 1 / s(a) where that costs no division, else s(a).
  @inline(never) func scale(_ a: Lanes, inverse: Bool = false) -> (s: Lanes, logS: Lanes) {
    switch scaleFunction {
    case .softplus:
      let s = softplus(a) + p0
      return (s, p0 == 0 ? ifLess(a, -16, a, log(s)) : log(s))
    case .softplusClamped:
      let s = atMost(p2, atLeast(p1, softplus(a) + p0))
      return (s, log(s))
    case .sigmoid:
      let s = sigmoid(a) + p0
      return (s, p0 == 0 ? logSigmoid(a) : log(s))
    default:
      let c = exponent(a)
      return (exp(inverse ? -c : c), c)
    }
  }

  /// The unknown side from the known one, and log s = log|dq/dr|, of `count` values: any
  /// number up to 16, or a multiple of 16. Whole vectors are read and written, so each array has room for them.
  /// `readIsKnown`: r is known, else q. All of them are handed over by address: at the narrow levels a vector that is
  /// an argument would be taken apart into four.
  @inline(never) func apply(
    _ t: UnsafePointer<Float>, _ a: UnsafePointer<Float>, _ known: UnsafePointer<Float>,
    _ unknown: UnsafeMutablePointer<Float>, _ logScale: UnsafeMutablePointer<Float>, count: Int, readIsKnown: Bool
  ) {
    // The most frequent ones without a call: few values in one register, and many where their code is small. With
    // such a p0, s is a normal number wherever its logarithm counts.
    if scaleFunction == .exp || (scaleFunction == .softplus && (p0 == 0 || p0 >= smallestNormal)) {
      #if !FLOWRT_LEVEL_3
        if count <= Register.scalarCount {
          _ = apply(Unrolled<1>(t), Unrolled(a), Unrolled(known), unknown, logScale, readIsKnown)
          return
        }
      #endif
      #if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
        var i = 0
        #if FLOWRT_LEVEL_3
          if count >= 48 { i = apply(Unrolled<3>(t), Unrolled(a), Unrolled(known), unknown, logScale, readIsKnown) }
        #endif
        while i < count {
          i &+= apply(Chunk(t + i), Chunk(a + i), Chunk(known + i), unknown + i, logScale + i, readIsKnown)
        }
        return
      #endif
    }
    let inverse = isExponential && !readIsKnown
    for i in stride(from: 0, to: count, by: laneCount) {
      let (s, logS) = scale(a.lanes(i), inverse: inverse)
      let (shift, given) = (Chunk(t + i), Chunk(known + i))
      let found = inverse ? map(inverse: s.chunk, shift, given) : map(s: s.chunk, shift, given, readIsKnown)
      found.store(unknown + i)
      logScale.store(logS, i)
    }
  }

  /// The unknown side and log s of N registers of values, for the scale functions exp and softplus. Returns how many
  /// values these were.
  @inline(__always) private func apply<let N: Int>(
    _ t: Unrolled<N>, _ a: Unrolled<N>, _ known: Unrolled<N>, _ unknown: UnsafeMutablePointer<Float>,
    _ logScale: UnsafeMutablePointer<Float>, _ readIsKnown: Bool
  ) -> Int {
    var logS = a
    if scaleFunction == .exp {
      let e = exp(readIsKnown ? a : a.map { -$0 })
      (readIsKnown ? map(s: e, t, known, true) : map(inverse: e, t, known)).store(unknown)
    } else {
      let s = softplus(a) + p0
      map(s: s, t, known, readIsKnown).store(unknown)
      logS = s.with(logOfNormal(s)) { s, logS in ifLess(s, .infinity, logS, s) }
      // softplus(a) -> e^a, which may underflow; its logarithm does not.
      if p0 == 0 { logS = a.with(logS) { a, logS in ifLess(a, -16, a, logS) } }
    }
    logS.store(logScale)
    return N &* Register.scalarCount
  }

  /// The side that is not read, from 1 / s, which costs no division.
  @inline(__always) private func map<let N: Int>(
    inverse: Unrolled<N>, _ t: Unrolled<N>, _ known: Unrolled<N>
  ) -> Unrolled<N> {
    switch form {
    case .scaleThenShift: return (known - t) * inverse
    case .shiftThenScale: return fma(known, inverse, t)
    case .gated: return fma(known - t, inverse, t)
    }
  }

  /// The unknown side.
  @inline(__always) private func map<let N: Int>(
    s: Unrolled<N>, _ t: Unrolled<N>, _ known: Unrolled<N>, _ readIsKnown: Bool
  ) -> Unrolled<N> {
    switch form {
    case .scaleThenShift: return readIsKnown ? fma(s, known, t) : (known - t) / s
    case .shiftThenScale: return readIsKnown ? s * (known - t) : known / s + t
    case .gated: return readIsKnown ? fma(s, known - t, t) : (known - t) / s + t
    }
  }
}
