// Noise as a pure function of (seed, stream, index, coordinate): docs/SAMPLING.md.
//
// Multiplications, additions, one division-free logarithm and an IEEE square root, none of them fused: the same bits on every
// CPU, with fused multiply-add or without.

import FlowrtShim

/// Writes rows of noise.
struct Noise {
  /// What is drawn for each coordinate.
  enum Law {
    case normal
    /// In (0, 1).
    case uniform
  }

  typealias Key = (UInt32, UInt32)

  private let key: Key
  /// 0, 1, ... for the rows of a tile; 0, 0, 1, 1, ... where each takes two lanes.
  private let rowOfLane: Words

  init(key: Key, lanesPerRow: Int) {
    self.key = key
    rowOfLane = lanesPerRow == 2 ? laneWords() &>> 1 : laneWords()
  }

  /// The Philox key that all rows of a call share, made of the caller's seed and stream.
  static func key(seed: UInt64, stream: UInt64) -> Key {
    let w = philox(
      (
        Words(repeating: UInt32(truncatingIfNeeded: stream)),
        Words(repeating: UInt32(truncatingIfNeeded: stream &>> 32)),
        Words(repeating: 0x776f_6c66), Words(repeating: 0x0000_7472)
      ),
      key: (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed &>> 32)))
    return (w.0[0], w.1[0])
  }

  /// Draws index ..< index + rows into target[dim][rows]; rows is a multiple of 16.
  func fillTile(_ target: UnsafeMutablePointer<Float>, _ law: Law, dim: Int, rows: Int, index: UInt64) {
    for first in stride(from: 0, to: rows, by: 16) {
      let (low, high) = indices(index &+ UInt64(truncatingIfNeeded: first))
      var block = 0
      while block &* 4 < dim {
        let used = min(4, dim &- block &* 4)
        let z = draw(low, high, Words(repeating: UInt32(truncatingIfNeeded: block)), law, used: used)
        for j in 0..<used { target.store(z[j], (block &* 4 &+ j) &* rows &+ first) }
        block &+= 1
      }
    }
  }

  /// Draw `index` into target[dim]. Lanes are groups of four coordinates.
  func fillRow(_ target: UnsafeMutablePointer<Float>, _ law: Law, dim: Int, index: UInt64) {
    let low = Words(repeating: UInt32(truncatingIfNeeded: index))
    let high = Words(repeating: UInt32(truncatingIfNeeded: index &>> 32))
    var first = 0
    while first &* 4 < dim {
      let z = draw(
        low, high, flowrt_vu_add(Words(repeating: UInt32(truncatingIfNeeded: first)), laneWords()), law,
        used: min(4, dim))
      for i in 0..<min(64, dim &- first &* 4) { target[first &* 4 &+ i] = z[i & 3][i &>> 2] }
      first &+= 16
    }
  }

  /// A number in (0, 1) that picks a component, number `number` of draws index ..< index + 16.
  func choices(index: UInt64, number: UInt32) -> Lanes {
    let (low, high) = indices(index)
    return choice(low, high, Words(repeating: number))
  }

  /// Numbers in (0, 1) that pick components for 16 of a draw's choices, which `numbers` count.
  func choices(index: UInt64, numbers: Words) -> Lanes {
    choice(
      Words(repeating: UInt32(truncatingIfNeeded: index)), Words(repeating: UInt32(truncatingIfNeeded: index &>> 32)),
      numbers)
  }

  private func choice(_ low: Words, _ high: Words, _ number: Words) -> Lanes {
    uniform(philox((low, high, number, Words(repeating: 1)), key: key).0)
  }

  /// Both halves of start, start + 1, ..., for the rows of 16 lanes.
  private func indices(_ start: UInt64) -> (low: Words, high: Words) {
    let low = flowrt_vu_add(Words(repeating: UInt32(truncatingIfNeeded: start)), rowOfLane)
    let wrapped = low .< Words(repeating: UInt32(truncatingIfNeeded: start))
    let high = UInt32(truncatingIfNeeded: start &>> 32)
    return (low, Words(repeating: high).replacing(with: Words(repeating: high &+ 1), where: wrapped))
  }

  /// Coordinates 4 block ..< 4 block + 4 of 16 draws, of which the first `used` have to be right.
  @inline(never) private func draw(
    _ low: Words, _ high: Words, _ block: Words, _ law: Law, used: Int
  ) -> InlineArray<4, Lanes> {
    let w = inlinedPhilox((low, high, block, Words()), key: key)
    if law == .uniform { return [uniform(w.0), uniform(w.1), uniform(w.2), uniform(w.3)] }
    var z: InlineArray<4, Lanes> = [asFloats(w.0), asFloats(w.1), asFloats(w.2), asFloats(w.3)]
    withUnsafeMutablePointer(to: &z) {
      $0.withMemoryRebound(to: Float.self, capacity: 64) { z in
        for pair in stride(from: 0, to: used, by: 2) {
          eachRegister(laneCount) { at in boxMuller(z + pair &* laneCount + at) }
        }
      }
    }
    return z
  }
}

@inline(__always) private func asFloats(_ w: Words) -> Lanes { unsafeBitCast(w, to: Lanes.self) }

/// U(w) = float(w >> 9) 2^-23 + 2^-24, in (0, 1): exact, so the same bits everywhere.
@inline(__always) private func uniform(_ w: Words) -> Lanes {
  flowrt_v_from_int((bits(asFloats(w)) &>> 9) & 0x007F_FFFF) * 0x1p-23 + 0x1p-24
}

/// Two normals from two words: R(a) cos(2 pi T(b)), R(a) sin(2 pi T(b)). A register of a is at p, of b 16 floats further on, and
/// there are the normals afterwards.
@inline(__always) private func boxMuller(_ p: UnsafeMutablePointer<Float>) {
  let half = (bits(p.register(0)) &>> 1) & 0x7FFF_FFFF
  let u = Unrolled<1>(flowrt_v_from_int(half) * 0x1p-31 + 0x1p-32)
  let radius = flowrt_v_sqrt(-2 * logOfNormal(u, fused: false).registers[0])
  let turns = flowrt_v_from_int(bits(p.register(laneCount))) * 0x1p-32
  let (sine, cosine) = sinCosTurns(turns)
  p.store(radius * cosine, 0)
  p.store(radius * sine, laneCount)
}

/// sin and cos of 2 pi t, |t| <= 1/2: t = q / 4 + y with an integer q and |y| <= 1/8, polynomials in y^2.
@inline(__always) func sinCosTurns(_ t: Register) -> (sine: Register, cosine: Register) {
  let shifted = t * 4 + roundingMagic
  let y = t - (shifted - roundingMagic) * 0.25
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
