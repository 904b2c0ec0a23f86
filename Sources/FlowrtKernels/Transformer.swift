// The elementwise maps between the read side r and the other side q (docs/FORMAT.md section 5). The spline is in Spline.swift.
//
//   form 0   q = s r + t          Papamakarios et al. 2017 (MAF), Kingma et al. 2016 (IAF, eq. 9)
//   form 1   q = s (r - t)
//   form 2   q = s r + (1 - s) t  the gated update, Kingma et al. 2016 (eq. 13, 14)
//
// log s always comes from the raw output, never from log(exp()).

import FlowrtShim

enum AffineForm: UInt16 {
  case scaleThenShift, shiftThenScale, gated
}

enum ScaleFunction: UInt16 {
  case exp, clampedExp, softplus, clampedSoftplus, sigmoid, softClippedExp, tanhExp, atanExp
}

/// What the parameters of a rank are for.
enum Transformer {
  case affine(Affine)
  /// q = r + t
  case additive
  case spline(Spline)
  /// The density of r, or a draw of it from the noise q: the base density that has a conditioner of its own.
  case mixture(Mixture)

  init(_ record: flowrt_step_record) {
    switch record.transformer {
    case 1: self = .affine(Affine(record))
    case 2: self = .additive
    default: self = .spline(Spline(record))
    }
  }
}

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

  /// s = softplus(a) + p0, the most frequent one after exp.
  @inline(__always) private func softplusScale<let N: Int>(_ a: Abreast<N>) -> (s: Abreast<N>, logS: Abreast<N>) {
    let s = inlinedSoftplus(a) + p0
    let logS = inlinedLog(s)
    // softplus(a) -> e^a, which may underflow; its logarithm does not.
    return (s, p0 == 0 ? a.with(logS) { a, logS in ifLess(a, -16, a, logS) } : logS)
  }

  /// s(a) and log s(a).
  @inline(never) func scale(_ a: Lanes) -> (s: Lanes, logS: Lanes) {
    switch scaleFunction {
    case .exp: return (exp(a), a)
    case .clampedExp:
      let c = atMost(p1, atLeast(p0, a))
      return (exp(c), c)
    case .softplus:
      let (s, logS) = softplusScale(Abreast<1>(a))
      return (s.vectors[0], logS.vectors[0])
    case .clampedSoftplus:
      let s = atMost(p2, atLeast(p1, softplus(a) + p0))
      return (s, log(s))
    case .sigmoid:
      let s = sigmoid(a) + p0
      return (s, p0 == 0 ? logSigmoid(a) : log(s))
    case .softClippedExp:
      let c = a / (1 + magnitude(a) / p0)
      return (exp(c), c)
    case .tanhExp:
      let c = p0 * tanh(a)
      return (exp(c), c)
    case .atanExp:
      let c = p0 * atan(a)
      return (exp(c), c)
    }
  }

  /// The unknown side from the known one, and log s = log|dq/dr|, of `count` values, a multiple of 16. `fromRead`: r is known. (By
  /// address: a function that takes a vector would get it in four pieces.)
  @inline(never) func apply(
    _ t: UnsafePointer<Float>, _ a: UnsafePointer<Float>, _ known: UnsafePointer<Float>,
    _ unknown: UnsafeMutablePointer<Float>, _ logScale: UnsafeMutablePointer<Float>, count: Int, fromRead: Bool
  ) {
    #if FLOWRT_LEVEL_3
      if count == 48 {
        let (value, logS) = map(Abreast<3>(t), Abreast(a), Abreast(known), fromRead)
        value.store(unknown)
        logS.store(logScale)
        return
      }
    #endif
    for i in stride(from: 0, to: count, by: laneCount) {
      let (value, logS) = map(Abreast<1>(t + i), Abreast(a + i), Abreast(known + i), fromRead)
      value.store(unknown + i)
      logS.store(logScale + i)
    }
  }

  @inline(__always) private func map<let N: Int>(
    _ t: Abreast<N>, _ a: Abreast<N>, _ known: Abreast<N>, _ fromRead: Bool
  ) -> (value: Abreast<N>, logS: Abreast<N>) {
    var (s, logS) = (a, a)
    switch scaleFunction {
    case .exp: s = inlinedExp(a)
    case .softplus: (s, logS) = softplusScale(a)
    default: for i in 0..<N { (s.vectors[i], logS.vectors[i]) = scale(a.vectors[i]) }
    }
    switch form {
    case .scaleThenShift: return (fromRead ? fma(s, known, t) : (known - t) / s, logS)
    case .shiftThenScale: return (fromRead ? s * (known - t) : known / s + t, logS)
    case .gated: return (fromRead ? fma(s, known - t, t) : (known - t) / s + t, logS)
    }
  }
}
