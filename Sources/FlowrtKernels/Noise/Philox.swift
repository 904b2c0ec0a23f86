// Philox4x32-10, 16 counters at a time (Salmon, Moraes, Dror, Shaw 2011: "Parallel random numbers: as easy as 1, 2,
// 3").

import FlowrtShim

typealias Words = SIMD16<UInt32>

/// Words that are set one by one: in memory, where a lane has an address.
typealias LaneWords = InlineArray<16, UInt32>

extension Words {
  @inline(__always) init(_ words: LaneWords) { self = unsafeBitCast(words, to: Words.self) }
}

@inline(__always) func laneWords() -> Words { unsafeBitCast(laneNumbers(), to: Words.self) }

/// Four words for each of 16 counters.
@inline(never) func philox(
  _ counter: (Words, Words, Words, Words), key: (UInt32, UInt32)
) -> (Words, Words, Words, Words) {
  philoxBody(counter, key: key)
}

/// Four words for each of 16 counters. Inlined on AVX2 and AVX-512; on SSE2 and NEON the code would grow more than a
/// call costs.
@inline(__always) func inlinedPhilox(
  _ counter: (Words, Words, Words, Words), key: (UInt32, UInt32)
) -> (Words, Words, Words, Words) {
  #if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
    philoxBody(counter, key: key)
  #else
    philox(counter, key: key)
  #endif
}

/// Multipliers and steps of the key, as in the paper.
private let m0: UInt32 = 0xD251_1F53
private let m1: UInt32 = 0xCD9E_8D57
private let w0: UInt32 = 0x9E37_79B9
private let w1: UInt32 = 0xBB67_AE85

@inline(__always) private func philoxBody(
  _ counter: (Words, Words, Words, Words), key: (UInt32, UInt32)
) -> (Words, Words, Words, Words) {
  var (c0, c1, c2, c3) = counter
  var (k0, k1) = key
  // The ten rounds as a loop, told by the key: unrolled, they are 7 kB on SSE2 and no faster.
  let lastKey = key.0 &+ 9 &* w0
  while true {
    let high0 = flowrt_vu_mulhi(c0, m0)
    let low0 = flowrt_vu_multiply(c0, m0)
    let high1 = flowrt_vu_mulhi(c2, m1)
    let low1 = flowrt_vu_multiply(c2, m1)
    (c0, c1, c2, c3) = (
      flowrt_vu_xor(flowrt_vu_xor(high1, c1), Words(repeating: k0)), low1,
      flowrt_vu_xor(flowrt_vu_xor(high0, c3), Words(repeating: k1)), low0
    )
    if k0 == lastKey { break }
    k0 = k0 &+ w0
    k1 = k1 &+ w1
  }
  return (c0, c1, c2, c3)
}
