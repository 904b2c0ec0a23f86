// Walks the blocks of a file and checks each one: that it lies before the end, and what it must hold.

import CFlowrt
import FlowrtShim

/// The blocks of a file, and the next of them.
struct Blocks: BlockVisitor {
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
    let padded = aligned(bytes)
    if padded > end &- start {
      throw refusal(FLOWRT_ERR_TRUNCATED, offset: start, expected: padded, found: end &- start)
    }
    next = start &+ padded
    return base + Int(truncatingIfNeeded: start)
  }

  /// Integers are always read, and so is what pads them.
  @inline(never) mutating func integers(_ count: UInt64) throws(Refusal) -> UnsafePointer<UInt32> {
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

  /// Parameters are read only if the file is to be verified, and so is what pads them.
  @inline(never) mutating func floats(_ count: UInt64, _ rule: ParameterRule) throws(Refusal) -> UnsafePointer<Float> {
    let start = next
    let block = try take(count &* 4).assumingMemoryBound(to: Float.self)
    if verify {
      var i: UInt64 = 0
      while i < (next &- start) / 4 {
        try check(block[Int(truncatingIfNeeded: i)], isParameter: i < count, at: start &+ 4 &* i)
        i &+= 1
      }
      i = 0
      while i < count {
        let value = block[Int(truncatingIfNeeded: i)]
        let isValid: Bool
        switch rule {
        case .any: isValid = true
        case .nonzero: isValid = value != 0
        case .positive: isValid = value > 0
        }
        if !isValid { throw refusal(FLOWRT_ERR_VALUE, offset: start &+ 4 &* i, found: UInt64(value.bitPattern)) }
        i &+= 1
      }
    }
    return block
  }

  @inline(never) mutating func panels(width: UInt64, lines: UInt64) throws(Refusal) -> UnsafePointer<Float> {
    try panels(
      width: width, lines: Flowrt.panels(of: width) &* lines, panelLines: { _ in lines }, visible: { _ in lines })
  }

  @inline(never) mutating func panels(
    width: UInt64, units: Degrees, inputs: Degrees
  ) throws(Refusal) -> UnsafePointer<Float> {
    // A panel has the lines that its last unit sees.
    let panelUnits = UInt64(panelUnits)
    func lastUnit(_ panel: UInt64) -> UInt64 { min(panel &* panelUnits &+ panelUnits, width) &- 1 }
    var lines: UInt64 = 0
    var panelDegree: UInt64 = 0
    var panel: UInt64 = 0
    while panel < Flowrt.panels(of: width) {
      units.advance(&panelDegree, toUnit: lastUnit(panel))
      lines &+= inputs.count(panelDegree)
      panel &+= 1
    }
    panelDegree = 0
    var unitDegree: UInt64 = 0
    return try panels(
      width: width, lines: lines,
      panelLines: {
        units.advance(&panelDegree, toUnit: lastUnit($0))
        return inputs.count(panelDegree)
      },
      visible: {
        units.advance(&unitDegree, toUnit: $0)
        return inputs.count(unitDegree)
      })
  }

  /// Weight panels of `lines` lines in all, 2^36 at most. `visible(unit)` is how many lines a unit may use, units from
  /// `width` on none; it is asked for the units in ascending order, as `panelLines` for the panels.
  @inline(never) private mutating func panels(
    width: UInt64, lines: UInt64, panelLines: (UInt64) -> UInt64, visible: (UInt64) -> UInt64
  ) throws(Refusal) -> UnsafePointer<Float> {
    let start = next
    let block = try take(lines &* alignment).assumingMemoryBound(to: Float.self)
    if lines > maximumPanelLines {
      throw refusal(FLOWRT_ERR_LIMIT, offset: start, expected: maximumPanelLines, found: lines)
    }
    if !verify { return block }
    var first: UInt64 = 0
    var panel: UInt64 = 0
    while panel < Flowrt.panels(of: width) {
      let count = panelLines(panel)
      var lane: UInt64 = 0
      while lane < UInt64(panelUnits) {
        let unit = panel &* UInt64(panelUnits) &+ lane
        let used = unit < width ? visible(unit) : 0
        var line: UInt64 = 0
        while line < count {
          let i = (first &+ line) &* UInt64(lineFloats) &+ lane
          try check(block[Int(truncatingIfNeeded: i)], isParameter: line < used, at: start &+ 4 &* i)
          line &+= 1
        }
        lane &+= 1
      }
      first &+= count
      panel &+= 1
    }
    return block
  }

  /// A parameter must be finite, padding zero.
  private func check(_ value: Float, isParameter: Bool, at offset: UInt64) throws(Refusal) {
    if isParameter ? value - value != 0 : value.bitPattern != 0 {
      throw refusal(FLOWRT_ERR_VALUE, offset: offset, found: UInt64(value.bitPattern))
    }
  }

  @inline(never) mutating func ends(
    _ count: UInt64, last: UInt64, increase: Bool
  ) throws(Refusal) -> UnsafePointer<UInt32> {
    let start = next
    let block = try integers(count)
    var previous: UInt64 = 0
    var i: UInt64 = 0
    while i < count {
      let end = UInt64(block[Int(truncatingIfNeeded: i)])
      let isTooEarly = increase ? end <= previous : end < previous
      if isTooEarly || end > last || (i == count &- 1 && end != last) {
        throw refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* i, expected: last, found: end)
      }
      previous = end
      i &+= 1
    }
    return block
  }

  func ends(_ block: UnsafePointer<UInt32>) -> Degrees { Degrees(table: block) }

  /// A permutation of 0 ..< count.
  @inline(never) mutating func permutation(_ count: UInt64) throws(Refusal) -> UnsafePointer<UInt32> {
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
