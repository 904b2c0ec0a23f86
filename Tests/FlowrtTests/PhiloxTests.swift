// Philox4x32-10 against the known answers of the Random123 distribution.

import FlowrtShim
import Testing

@testable import FlowrtKernels

@Suite struct Philox {
  /// counter, key, answer
  static let knownAnswers: [([UInt32], (UInt32, UInt32), [UInt32])] = [
    ([0, 0, 0, 0], (0, 0), [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]),
    (
      [0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF], (0xFFFF_FFFF, 0xFFFF_FFFF),
      [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]
    ),
    (
      [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], (0xA409_3822, 0x299F_31D0),
      [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
    ),
  ]

  @Test(arguments: 0..<3) func knownAnswer(_ i: Int) {
    let (counter, key, answer) = Philox.knownAnswers[i]
    let w = philox(
      (
        Words(repeating: counter[0]), Words(repeating: counter[1]), Words(repeating: counter[2]),
        Words(repeating: counter[3])
      ),
      key: key)
    for lane in 0..<16 { #expect([w.0[lane], w.1[lane], w.2[lane], w.3[lane]] == answer) }
  }

  @Test func lanesAreIndependent() {
    let counters = laneWords()
    let together = philox((counters, Words(), Words(), Words()), key: (7, 9))
    for lane in 0..<16 {
      let alone = philox((Words(repeating: counters[lane]), Words(), Words(), Words()), key: (7, 9))
      #expect(alone.0[0] == together.0[lane] && alone.3[0] == together.3[lane])
    }
  }
}
