// Standard normal noise as a pure function of (seed, stream, index, coordinate): docs/SAMPLING.md.
//
// Multiplications, additions, one division-free logarithm and an IEEE square root, none of them fused: the same bits on every
// CPU, with fused multiply-add or without.

import FlowrtShim

/// Writes rows of noise.
struct Noise {
  private let key: (UInt32, UInt32)

  init(seed: UInt64, stream: UInt64) {
    let w = philox(
      (
        Words(repeating: UInt32(truncatingIfNeeded: stream)),
        Words(repeating: UInt32(truncatingIfNeeded: stream &>> 32)),
        Words(repeating: 0x776f_6c66), Words(repeating: 0x0000_7472)
      ),
      key: (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed &>> 32)))
    key = (w.0[0], w.1[0])
  }

  /// Draws index ..< index + rows into target[dim][rows]; rows is a multiple of 16.
  func fillTile(_ target: UnsafeMutablePointer<Float>, dim: Int, rows: Int, index: UInt64) {
    for first in stride(from: 0, to: rows, by: 16) {
      let start = index &+ UInt64(truncatingIfNeeded: first)
      let low = flowrt_vu_add(Words(repeating: UInt32(truncatingIfNeeded: start)), laneWords())
      let wrapped = low .< Words(repeating: UInt32(truncatingIfNeeded: start))
      let high = UInt32(truncatingIfNeeded: start &>> 32)
      let highs = Words(repeating: high).replacing(with: Words(repeating: high &+ 1), where: wrapped)
      var block = 0
      while block &* 4 < dim {
        let w = philox((low, highs, Words(repeating: UInt32(truncatingIfNeeded: block)), Words()), key: key)
        let a = boxMuller(w.0, w.1)
        let b = boxMuller(w.2, w.3)
        let z: InlineArray<4, Lanes> = [a.0, a.1, b.0, b.1]
        for j in 0..<min(4, dim &- block &* 4) { target.store(z[j], (block &* 4 &+ j) &* rows &+ first) }
        block &+= 1
      }
    }
  }

  /// Draw `index` into target[dim]. Lanes are groups of four coordinates.
  func fillRow(_ target: UnsafeMutablePointer<Float>, dim: Int, index: UInt64) {
    var first = 0
    while first &* 4 < dim {
      let blocks = flowrt_vu_add(Words(repeating: UInt32(truncatingIfNeeded: first)), laneWords())
      let w = philox(
        (
          Words(repeating: UInt32(truncatingIfNeeded: index)),
          Words(repeating: UInt32(truncatingIfNeeded: index &>> 32)),
          blocks, Words()
        ), key: key)
      let a = boxMuller(w.0, w.1)
      let b = boxMuller(w.2, w.3)
      let z: InlineArray<4, Lanes> = [a.0, a.1, b.0, b.1]
      for i in 0..<min(64, dim &- first &* 4) { target[first &* 4 &+ i] = z[i & 3][i &>> 2] }
      first &+= 16
    }
  }
}

/// Two normals from two words: R(a) cos(2 pi T(b)), R(a) sin(2 pi T(b)).
@inline(never) private func boxMuller(_ a: Words, _ b: Words) -> (Lanes, Lanes) {
  let half = (unsafeBitCast(a, to: LaneBits.self) &>> 1) & 0x7FFF_FFFF
  let u = flowrt_v_from_int(half) * 0x1p-31 + 0x1p-32
  let radius = flowrt_v_sqrt(-2 * logUnfused(u))
  let turns = flowrt_v_from_int(unsafeBitCast(b, to: LaneBits.self)) * 0x1p-32
  let (sine, cosine) = sinCosTurns(turns)
  return (radius * cosine, radius * sine)
}

/// sin and cos of 2 pi t, |t| <= 1/2: t = q / 4 + y with an integer q and |y| <= 1/8, polynomials in y^2.
@inline(__always) func sinCosTurns(_ t: Lanes) -> (sine: Lanes, cosine: Lanes) {
  let shifted = t * 4 + 12_582_912
  let y = t - (shifted - 12_582_912) * 0.25
  let quadrant = bits(shifted)
  let s = y * y
  var p = s * -75.392_25 + 81.592_33
  p = p * s - 41.341_66
  let sine = (p * s) * y + y * 6.283_185_5
  var c = s * 59.201_744 - 85.442_27
  c = c * s + 64.939_31
  c = c * s - 19.739_208
  let cosine = c * s + 1
  // One quadrant on: (sin, cos) -> (cos, -sin).
  let swappedSine = flowrt_v_if_bit(quadrant, 1, cosine, sine)
  let swappedCosine = flowrt_v_if_bit(quadrant, 1, sine, cosine)
  let sineSign = (quadrant & 2) &<< 30
  let cosineSign = ((quadrant &+ 1) & 2) &<< 30
  return (float(bits(swappedSine) ^ sineSign), float(bits(swappedCosine) ^ cosineSign))
}
