// Walks the blocks of a file with every step checked against its end.

import CFlowrt
import FlowrtShim

/// The blocks of a file, and the next of them.
struct Blocks {
  let base: UnsafeRawPointer
  /// End of the blocks: the metadata begins here.
  let end: UInt64
  let verify: Bool
  /// Offset of the next block.
  private(set) var next: UInt64
  /// Index of the record to which the blocks belong.
  var record: Int32 = 0

  init(base: UnsafeRawPointer, start: UInt64, end: UInt64, verify: Bool) {
    self.base = base
    self.next = start
    self.end = end
    self.verify = verify
  }

  func refusal(_ status: flowrt_status, offset: UInt64, expected: UInt64 = 0, found: UInt64 = 0) -> Refusal {
    Refusal(status: status, record: record, offset: offset, expected: expected, found: found)
  }

  /// The next `bytes` bytes, which are below 2^63, and the zeros up to a multiple of 64.
  private mutating func take(_ bytes: UInt64) throws(Refusal) -> UnsafeRawPointer {
    let start = next
    let padded = (bytes &+ 63) & ~63
    if padded > end &- start {
      throw refusal(FLOWRT_ERR_TRUNCATED, offset: start, expected: padded, found: end &- start)
    }
    next = start &+ padded
    return base + Int(truncatingIfNeeded: start)
  }

  /// A block of integers. Its padding is always read.
  mutating func integers(_ count: UInt64) throws(Refusal) -> UnsafePointer<UInt32> {
    let start = next
    let block = try take(count &* 4).assumingMemoryBound(to: UInt32.self)
    var i = count
    while i < (next &- start) / 4 {
      let value = block[Int(truncatingIfNeeded: i)]
      if value != 0 { throw refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* i, found: UInt64(value)) }
      i &+= 1
    }
    return block
  }

  /// A block of parameters.
  mutating func floats(_ count: UInt64) throws(Refusal) -> UnsafePointer<Float> {
    let start = next
    let block = try take(count &* 4).assumingMemoryBound(to: Float.self)
    if verify {
      var i: UInt64 = 0
      while i < (next &- start) / 4 {
        try check(block[Int(truncatingIfNeeded: i)], isParameter: i < count, at: start &+ 4 &* i)
        i &+= 1
      }
    }
    return block
  }

  /// Weight panels of `lines` lines in all, 2^36 at most. `visible(unit)` is how many lines a unit may use; units from
  /// `width` on none.
  mutating func panels(
    width: UInt64, lines: UInt64, panelLines: (UInt64) -> UInt64, visible: (UInt64) -> UInt64
  ) throws(Refusal) {
    let start = next
    let block = try take(lines &* 64).assumingMemoryBound(to: Float.self)
    if lines > UInt64(UInt32.max) {
      throw refusal(FLOWRT_ERR_LIMIT, offset: start, expected: UInt64(UInt32.max), found: lines)
    }
    if !verify { return }
    var first: UInt64 = 0
    var panel: UInt64 = 0
    while panel < (width &+ 15) / 16 {
      let count = panelLines(panel)
      var lane: UInt64 = 0
      while lane < 16 {
        let unit = panel &* 16 &+ lane
        let used = unit < width ? visible(unit) : 0
        var line: UInt64 = 0
        while line < count {
          let i = (first &+ line) &* 16 &+ lane
          try check(block[Int(truncatingIfNeeded: i)], isParameter: line < used, at: start &+ 4 &* i)
          line &+= 1
        }
        lane &+= 1
      }
      first &+= count
      panel &+= 1
    }
  }

  /// A block of parameters, each of which must be `valid`.
  mutating func floats(_ count: UInt64, where valid: (Float) -> Bool) throws(Refusal) {
    let start = next
    let block = try floats(count)
    var i: UInt64 = 0
    while verify && i < count {
      let value = block[Int(truncatingIfNeeded: i)]
      if !valid(value) { throw refusal(FLOWRT_ERR_VALUE, offset: start &+ 4 &* i, found: UInt64(value.bitPattern)) }
      i &+= 1
    }
  }

  /// A parameter must be finite, padding zero.
  private func check(_ value: Float, isParameter: Bool, at offset: UInt64) throws(Refusal) {
    if isParameter ? value - value != 0 : value.bitPattern != 0 {
      throw refusal(FLOWRT_ERR_VALUE, offset: offset, found: UInt64(value.bitPattern))
    }
  }

  /// A block that holds a permutation of 0 ..< count.
  mutating func permutation(_ count: UInt64) throws(Refusal) -> UnsafePointer<UInt32> {
    let start = next
    let block = try integers(count)
    var seen = InlineArray<1024, UInt64>(repeating: 0)  // one bit for each of at most 65536 coordinates
    var i: UInt64 = 0
    while i < count {
      let value = UInt64(block[Int(truncatingIfNeeded: i)])
      let word = Int(truncatingIfNeeded: value / 64)
      let bit = UInt64(1) &<< (value & 63)
      if value >= count || seen[unchecked: word] & bit != 0 {
        throw refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* i, expected: count, found: value)
      }
      seen[unchecked: word] |= bit
      i &+= 1
    }
    return block
  }
}
