// Noise as a pure function of (seed, stream, index, coordinate): docs/SAMPLING.md.
//
// Multiplications, additions, one division-free logarithm and an IEEE square root, none of them fused: the same bits
// on every CPU, with fused multiply-add or without.

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

  init(key: Key) { self.key = key }

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
    for first in stride(from: 0, to: rows, by: laneCount) {
      let (low, high) = indices(index &+ UInt64(truncatingIfNeeded: first), laneWords())
      var block = 0
      while block &* 4 < dim {
        let used = min(4, dim &- block &* 4)
        let z = draw(low, high, Words(repeating: UInt32(truncatingIfNeeded: block)), law, used: used)
        for j in 0..<used { target.store(z[j], (block &* 4 &+ j) &* rows &+ first) }
        block &+= 1
      }
    }
  }

  /// Draws index ..< index + rows into target[rows][stride]. Lanes are groups of four coordinates, those of all rows
  /// side by side.
  func fillRows(
    _ target: UnsafeMutablePointer<Float>, _ law: Law, dim: Int, rows: Int, stride: Int, index: UInt64
  ) {
    let blocks = (dim &+ 3) / 4
    var (row, block) = (0, 0)
    var left = rows &* blocks
    while left > 0 {
      let used = min(laneCount, left)
      var (rowOfLane, blockOfLane) = (LaneWords(repeating: 0), LaneWords(repeating: 0))
      let (firstRow, firstBlock) = (row, block)
      for lane in 0..<used {
        rowOfLane[lane] = UInt32(truncatingIfNeeded: row)
        blockOfLane[lane] = UInt32(truncatingIfNeeded: block)
        block &+= 1
        if block == blocks { (row, block) = (row &+ 1, 0) }
      }
      let (low, high) = indices(index, Words(rowOfLane))
      let z = draw(low, high, Words(blockOfLane), law, used: min(4, dim))
      (row, block) = (firstRow, firstBlock)
      for lane in 0..<used {
        for j in 0..<min(4, dim &- 4 &* block) { target[row &* stride &+ 4 &* block &+ j] = z[j][lane] }
        block &+= 1
        if block == blocks { (row, block) = (row &+ 1, 0) }
      }
      left &-= used
    }
  }

  /// Numbers in (0, 1) that pick a component: number `numbers` of the draws index + `rows`, lane by lane.
  func choices(index: UInt64, rows: Words, numbers: Words) -> Lanes {
    let (low, high) = indices(index, rows)
    let w = philox((low, high, numbers, Words(repeating: 1)), key: key).0
    return eachRegister(asFloats(w)) { uniform($0) }
  }

  /// Both halves of start + `rows`.
  private func indices(_ start: UInt64, _ rows: Words) -> (low: Words, high: Words) {
    let low = flowrt_vu_add(Words(repeating: UInt32(truncatingIfNeeded: start)), rows)
    let wrapped = low .< Words(repeating: UInt32(truncatingIfNeeded: start))
    let high = UInt32(truncatingIfNeeded: start &>> 32)
    return (low, Words(repeating: high).replacing(with: Words(repeating: high &+ 1), where: wrapped))
  }

  /// Coordinates 4 block ..< 4 block + 4 of 16 draws, of which the first `used` have to be right.
  @inline(never) private func draw(
    _ low: Words, _ high: Words, _ block: Words, _ law: Law, used: Int
  ) -> InlineArray<4, Lanes> {
    let w = inlinedPhilox((low, high, block, Words()), key: key)
    var z: InlineArray<4, Lanes> = [asFloats(w.0), asFloats(w.1), asFloats(w.2), asFloats(w.3)]
    withUnsafeMutablePointer(to: &z) {
      $0.withMemoryRebound(to: Float.self, capacity: 64) { z in
        for pair in stride(from: 0, to: used, by: 2) {
          eachRegister(laneCount) { at in
            let p = z + pair &* laneCount + at
            if law == .normal { return boxMuller(p) }
            p.store(uniform(p.register(0)), 0)
            p.store(uniform(p.register(laneCount)), laneCount)
          }
        }
      }
    }
    return z
  }
}

@inline(__always) private func asFloats(_ w: Words) -> Lanes { unsafeBitCast(w, to: Lanes.self) }

/// U(w) = float(w >> 9) 2^-23 + 2^-24, in (0, 1), of the words w whose bits are here: exact, so the same everywhere.
@inline(__always) private func uniform(_ w: Register) -> Register {
  flowrt_v_from_int((bits(w) &>> 9) & 0x007F_FFFF) * 0x1p-23 + 0x1p-24
}

/// Two normals from two words: R(a) cos(2 pi T(b)), R(a) sin(2 pi T(b)). A register of a is at p, of b 16 floats
/// further on, and there are the normals afterwards.
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
