// The elementwise maps between the read side r and the other side q (docs/FORMAT.md section 5).
//
//   form 0   q = s r + t          Papamakarios et al. 2017 (MAF), Kingma et al. 2016 (IAF, eq. 9)
//   form 1   q = s (r - t)
//   form 2   q = s r + (1 - s) t  the gated update, Kingma et al. 2016 (eq. 13, 14)
//
// log s always comes from the raw output, never from log(exp()).

import FlowrtShim

/// Codes of the file.
enum Transformer: UInt16 {
  case affine = 1, additive, spline
}

enum AffineForm: UInt16 {
  case scaleThenShift, shiftThenScale, gated
}

enum ScaleFunction: UInt16 {
  case exp, clampedExp, softplus, clampedSoftplus, sigmoid, softClippedExp, tanhExp, atanExp
}

/// An affine transformer with its constants at hand.
struct Affine {
  let form: AffineForm
  let scaleFunction: ScaleFunction
  let isAdditive: Bool
  let p0, p1, p2: Float

  init(_ record: flowrt_step_record) {
    form = AffineForm(rawValue: record.form).unsafelyUnwrapped
    scaleFunction = ScaleFunction(rawValue: record.scale).unsafelyUnwrapped
    isAdditive = record.transformer == Transformer.additive.rawValue
    (p0, p1, p2) = (record.p.0, record.p.1, record.p.2)
  }

  /// s(a) and log s(a).
  @inline(__always) func scale(_ a: Lanes) -> (s: Lanes, logS: Lanes) {
    switch scaleFunction {
    case .exp: return (exp(a), a)
    case .clampedExp:
      let c = atMost(p1, atLeast(p0, a))
      return (exp(c), c)
    case .softplus:
      let s = softplus(a) + p0
      let logS = log(s)
      // softplus(a) -> e^a, which may underflow; its logarithm does not.
      return (s, p0 == 0 ? ifLess(a, -16, a, logS) : logS)
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

  /// The unknown side from the known one, and log s = log|dq/dr|. `fromRead`: r is known.
  @inline(never) func apply(_ t: Lanes, _ a: Lanes, _ known: Lanes, fromRead: Bool) -> (value: Lanes, logS: Lanes) {
    if isAdditive { return (fromRead ? known + t : known - t, Lanes()) }
    let (s, logS) = scale(a)
    switch form {
    case .scaleThenShift: return (fromRead ? fma(s, known, t) : (known - t) / s, logS)
    case .shiftThenScale: return (fromRead ? s * (known - t) : known / s + t, logS)
    case .gated: return (fromRead ? fma(s, known - t, t) : (known - t) / s + t, logS)
    }
  }
}
