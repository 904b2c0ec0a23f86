// The two sides of a rank backwards: from the gradient by one side of a transformer to that by the other side and by
// the parameters.
//
// A rank has q = f(r; p) with the slope f' = dq/dr > 0, and adds log f' to log p if r, the read side, is known on the
// way to the noise, and -log f' if q is: `sign` +1 or -1. Both directions need the same derivatives of f, at the r that
// was kept:
//
//     r known     by_q comes from the noise side.        by_r = by_q f' + d log f'/dr
//                                                        by_p = by_q dq/dp + d log f'/dp
//     q known     A = by_r - d log f'/dr is that by r = f^-1(q), with all that depends on r:
//                                                        by_q = A / f'
//                                                        by_p = -(A / f') dq/dp - d log f'/dp
//
// With `byOther`, by_q in the first case and -A / f' in the second, these are one formula: by_p = byOther dq/dp + sign
// d log f'/dp.

import FlowrtShim

/// Which side the gradient comes from.
struct Sides {
  /// Whether the read side is known on the way to the noise: then it comes from the other one.
  let readIsKnown: Bool

  /// Of log f' in log p.
  var sign: Float { readIsKnown ? 1 : -1 }

  /// `by`: the gradient by q if r is known, else by r. Returns that by the other one, and `byOther` of the file head.
  @inline(__always) func pass(_ by: Register, slope: Register, ofLogSlope: Register) -> (
    by: Register, byOther: Register
  ) {
    if readIsKnown { return (fma(by, slope, ofLogSlope), by) }
    let result = (by - ofLogSlope) / slope
    return (result, -result)
  }
}

/// 16 values of a rank. The caller owns all memory.
struct RankValues {
  /// The read side, as it was kept.
  let read: UnsafePointer<Float>
  /// The gradient by the side that it comes from, and by the other one.
  let from: UnsafePointer<Float>
  let to: UnsafeMutablePointer<Float>
  /// The raw parameters and the gradients by them, `stride` floats from one to the next.
  let parameters: UnsafePointer<Float>
  let byParameters: UnsafeMutablePointer<Float>
  let stride: Int
  /// Room for what the derivatives need: columns of 16 floats.
  let columns: UnsafeMutablePointer<Float>
  let sides: Sides
}
