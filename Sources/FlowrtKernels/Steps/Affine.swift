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

  /// s(a) and log s(a).
  @inline(never) func scale(_ a: Lanes) -> (s: Lanes, logS: Lanes) {
    switch scaleFunction {
    case .exp: return (exp(a), a)
    case .softplus:
      let s = softplus(a) + p0
      return (s, p0 == 0 ? ifLess(a, -16, a, log(s)) : log(s))
    case .expClamped:
      let c = atMost(p1, atLeast(p0, a))
      return (exp(c), c)
    case .softplusClamped:
      let s = atMost(p2, atLeast(p1, softplus(a) + p0))
      return (s, log(s))
    case .sigmoid:
      let s = sigmoid(a) + p0
      return (s, p0 == 0 ? logSigmoid(a) : log(s))
    case .expSoftClipped:
      let c = a / (1 + magnitude(a) / p0)
      return (exp(c), c)
    case .expTanh:
      let c = p0 * tanh(a)
      return (exp(c), c)
    case .expAtan:
      let c = p0 * atan(a)
      return (exp(c), c)
    }
  }

  /// The unknown side from the known one, and log s = log|dq/dr|, of `count` values, a multiple of 16. `readIsKnown`: r is
  /// known, else q. All of them are handed over by address: at the narrow levels a vector that is an argument would be
  /// taken apart into four.
  @inline(never) func apply(
    _ t: UnsafePointer<Float>, _ a: UnsafePointer<Float>, _ known: UnsafePointer<Float>,
    _ unknown: UnsafeMutablePointer<Float>, _ logScale: UnsafeMutablePointer<Float>, count: Int, readIsKnown: Bool
  ) {
    // The most frequent scale functions without a call, on AVX2 and AVX-512; on narrower vectors the code would grow
    // more than a call costs. With such a p0, s is a normal number wherever its logarithm counts.
    #if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
      if scaleFunction == .exp || (scaleFunction == .softplus && (p0 == 0 || p0 >= smallestNormal)) {
        var i = 0
        #if FLOWRT_LEVEL_3
          if count >= 48 { i = apply(Unrolled<3>(t), Unrolled(a), Unrolled(known), unknown, logScale, readIsKnown) }
        #endif
        while i < count {
          i &+= apply(Chunk(t + i), Chunk(a + i), Chunk(known + i), unknown + i, logScale + i, readIsKnown)
        }
        return
      }
    #endif
    for i in stride(from: 0, to: count, by: laneCount) {
      let (s, logS) = scale(a.lanes(i))
      map(s: s.chunk, Chunk(t + i), Chunk(known + i), readIsKnown).store(unknown + i)
      logScale.store(logS, i)
    }
  }

  /// The unknown side and log s of N registers of values, for the scale functions exp and softplus. Returns how many
  /// values these were.
  @inline(__always) private func apply<let N: Int>(
    _ t: Unrolled<N>, _ a: Unrolled<N>, _ known: Unrolled<N>, _ unknown: UnsafeMutablePointer<Float>,
    _ logScale: UnsafeMutablePointer<Float>, _ readIsKnown: Bool
  ) -> Int {
    let s = scaleFunction == .exp ? exp(a) : softplus(a) + p0
    map(s: s, t, known, readIsKnown).store(unknown)
    var logS = a
    if scaleFunction == .softplus {
      logS = s.with(logOfNormal(s)) { s, logS in ifLess(s, .infinity, logS, s) }
      // softplus(a) -> e^a, which may underflow; its logarithm does not.
      if p0 == 0 { logS = a.with(logS) { a, logS in ifLess(a, -16, a, logS) } }
    }
    logS.store(logScale)
    return N &* Register.scalarCount
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
