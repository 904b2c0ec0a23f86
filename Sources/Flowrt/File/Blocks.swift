// Walks the blocks of a file and checks each one: that it lies before the end, and what it must hold.

import CFlowrt
import FlowrtShim

/// The blocks of a file, one after the other. `next` <= `end` holds at all times.
struct Blocks: BlockVisitor {
  /// Byte 0 of the file. All offsets below count from here.
  let base: UnsafeRawPointer
  /// Offset of the end of all blocks, where the metadata begins.
  let end: UInt64
  /// Whether the values of parameters and their padding are read at all (FLOWRT_OPEN_VERIFY).
  let verify: Bool
  /// Offset of the next block, in bytes: a multiple of 64.
  private(set) var next: UInt64
  /// Index of the record to which the blocks belong.
  var record: Int32 = 0

  /// `start`: offset of the first block, behind the records. `end`: offset of the metadata. start <= end <= the size of
  /// the file (Header.swift).
  init(base: UnsafeRawPointer, start: UInt64, end: UInt64, verify: Bool) {
    self.base = base
    self.next = start
    self.end = end
    self.verify = verify
  }

  /// A refusal at byte `offset` of the file, in the record whose blocks are being read.
  func refusal(_ status: flowrt_status, offset: UInt64, expected: UInt64 = 0, found: UInt64 = 0) -> Refusal {
    Refusal(status: status, record: record, offset: offset, expected: expected, found: found)
  }

  /// Takes the next `bytes` bytes and the zeros that pad them to a multiple of 64. bytes < 2^63, so that rounding up
  /// does not wrap around. Every block comes from here: a pointer that it returns has `bytes` readable bytes behind it.
  private mutating func take(_ bytes: UInt64) throws(Refusal) -> UnsafeRawPointer {
    let start = next
    // A block fills whole lines of 64 bytes, so kernels may load its last line as a whole.
    let padded = aligned(bytes)
    // Subtracted rather than added: start + padded could wrap around, end - start cannot.
    if padded > end &- start {
      throw refusal(FLOWRT_ERR_TRUNCATED, offset: start, expected: padded, found: end &- start)
    }
    next = start &+ padded
    return base + Int(truncatingIfNeeded: start)
  }

  /// `count` integers of 32 bits. They and their padding are read without `verify` too, since kernels use them as
  /// indices without a check.
  @inline(never) mutating func integers(_ count: UInt64) throws(Refusal) -> UnsafePointer<UInt32> {
    let start = next
    let block = try take(count &* 4).assumingMemoryBound(to: UInt32.self)
    var i = count
    // From `count` to the end of the padding, in words of 4 bytes.
    while i < (next &- start) / 4 {
      let value = block[Int(truncatingIfNeeded: i)]
      if value != 0 { throw refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* i, found: UInt64(value)) }
      i &+= 1
    }
    return block
  }

  /// `count` parameters. They and their padding are read only with `verify`: a wrong value makes a wrong result, but no
  /// access out of bounds, and opening a large file stays cheap.
  @inline(never) mutating func floats(_ count: UInt64, _ rule: ParameterRule) throws(Refusal) -> UnsafePointer<Float> {
    let start = next
    let block = try take(count &* 4).assumingMemoryBound(to: Float.self)
    if verify {
      var i: UInt64 = 0
      while i < (next &- start) / 4 {
        try check(block[Int(truncatingIfNeeded: i)], isParameter: i < count, at: start &+ 4 &* i)
        i &+= 1
      }
      // The rule is checked apart, once all values are known to be finite.
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

  /// Panels whose units see all `lines` inputs (docs/FORMAT.md section 4.2): a linear step, or weights of the context.
  @inline(never) mutating func panels(width: UInt64, lines: UInt64) throws(Refusal) -> UnsafePointer<Float> {
    try panels(
      width: width, lines: Flowrt.panels(of: width) &* lines, panelLines: { _ in lines }, visible: { _ in lines })
  }

  /// Panels of a masked layer: a unit of degree g sees the first `inputs.count(g)` units of its source. Units are
  /// sorted by degree, and `units` says where each degree ends.
  @inline(never) mutating func panels(
    width: UInt64, units: Degrees, inputs: Degrees
  ) throws(Refusal) -> UnsafePointer<Float> {
    // A panel has as many lines as its last unit sees. In the last panel that is unit width - 1 (section 4.2).
    let panelUnits = UInt64(panelUnits)
    func lastUnit(_ panel: UInt64) -> UInt64 { min(panel &* panelUnits &+ panelUnits, width) &- 1 }
    // Units are < width, and the last end is width, so `advance` stops inside the table. With at most 2^20 panels of at
    // most 2^24 lines, the sum cannot wrap around.
    var lines: UInt64 = 0
    var panelDegree: UInt64 = 0
    var panel: UInt64 = 0
    while panel < Flowrt.panels(of: width) {
      units.advance(&panelDegree, toUnit: lastUnit(panel))
      lines &+= inputs.count(panelDegree)
      panel &+= 1
    }
    // Two cursors: panels and single units each go through the degrees once, in ascending order. One search for each
    // unit would cost units times degrees.
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

  /// Takes weight panels of `lines` lines in all, 2^44 at most. `panelLines(panel)`: lines of one panel.
  /// `visible(unit)`: lines that one unit may use, of units below `width`. Both are asked in ascending order.
  @inline(never) private mutating func panels(
    width: UInt64, lines: UInt64, panelLines: (UInt64) -> UInt64, visible: (UInt64) -> UInt64
  ) throws(Refusal) -> UnsafePointer<Float> {
    let start = next
    // 64 bytes for each line: at most 2^50, within what `take` allows.
    let block = try take(lines &* alignment).assumingMemoryBound(to: Float.self)
    // A plan stores the first line of each panel in 32 bits (Plan.swift). More lines would wrap around there.
    if lines > maximumPanelLines {
      throw refusal(FLOWRT_ERR_LIMIT, offset: start, expected: maximumPanelLines, found: lines)
    }
    if !verify { return block }
    // Index of the panel's first line in the block. The sum of all panelLines is `lines`, so i below stays in the
    // block.
    var first: UInt64 = 0
    var panel: UInt64 = 0
    while panel < Flowrt.panels(of: width) {
      let count = panelLines(panel)
      var lane: UInt64 = 0
      // Lane by lane rather than line by line, so that `visible` is asked once for each unit.
      while lane < UInt64(panelUnits) {
        // panel <= 2^20 - 1, so no unit passes 2^24.
        let unit = panel &* UInt64(panelUnits) &+ lane
        // Lanes of the last panel behind the last unit are padding on every line.
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

  /// Refuses a parameter that is not finite, and padding that is not zero. -0.0 is not zero (FORMAT.md, principles).
  private func check(_ value: Float, isParameter: Bool, at offset: UInt64) throws(Refusal) {
    if isParameter ? value - value != 0 : value.bitPattern != 0 {
      throw refusal(FLOWRT_ERR_VALUE, offset: offset, found: UInt64(value.bitPattern))
    }
  }

  /// `count` >= 1 ends, as of stages or degrees. After this all ends are <= `last`, in order, and the last one is
  /// `last`. So a search for the first end above a unit < `last` stops inside the table, and no prefix is longer than
  /// its source.
  @inline(never) mutating func ends(
    _ count: UInt64, last: UInt64, increase: Bool
  ) throws(Refusal) -> UnsafePointer<UInt32> {
    let start = next
    let block = try integers(count)
    var previous: UInt64 = 0
    var i: UInt64 = 0
    while i < count {
      let end = UInt64(block[Int(truncatingIfNeeded: i)])
      // `previous` is 0 at first. So the first stage has a rank, while the first degree may have no unit.
      let isTooEarly = increase ? end <= previous : end < previous
      // A single end beyond `last` would let a kernel read units or ranks behind the last one.
      if isTooEarly || end > last || (i == count &- 1 && end != last) {
        throw refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* i, expected: last, found: end)
      }
      previous = end
      i &+= 1
    }
    return block
  }

  /// Ends as the reader uses them.
  func ends(_ block: UnsafePointer<UInt32>) -> Degrees { Degrees(table: block) }

  /// `count` different numbers below `bound`; with as many as there are below it, an order of them. Kernels use each
  /// number as an index into a row. One that occurred twice would leave another coordinate without a value.
  /// Every number is read once for each 61440 below `bound`, so the cost grows with their product.
  @inline(never) mutating func distinct(_ count: UInt64, below bound: UInt64) throws(Refusal) -> UnsafePointer<UInt32> {
    let start = next
    let block = try integers(count)
    // One bit for each of 61440 numbers, all that the stack has room for: larger rows take several passes.
    let numbers: UInt64 = 61_440
    var first: UInt64 = 0
    while first < bound {
      // Anew for each pass. A row of up to 61440 coordinates takes one.
      var seen = InlineArray<960, UInt64>(repeating: 0)
      var i: UInt64 = 0
      while i < count {
        let value = UInt64(block[Int(truncatingIfNeeded: i)])
        // Numbers below `first` wrap around, far above `numbers`.
        let place = value &- first
        let word = Int(truncatingIfNeeded: place / 64)
        let bit = UInt64(1) &<< (place & 63)
        // place < 61440 is tested first: it makes word < 960, so the unchecked access is in bounds.
        if value >= bound || (place < numbers && seen[unchecked: word] & bit != 0) {
          throw refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* i, expected: bound, found: value)
        }
        if place < numbers { seen[unchecked: word] |= bit }
        i &+= 1
      }
      first &+= numbers
    }
    return block
  }

  /// `count` units of an input, all below `bound`, or 0xFFFFFFFF for none. Kernels use each as an index, unchecked.
  @inline(never) mutating func gathered(_ count: UInt64, below bound: UInt64) throws(Refusal) -> UnsafePointer<UInt32> {
    let start = next
    let block = try integers(count)
    // A unit may be taken more than once, so nothing is remembered.
    var i: UInt64 = 0
    while i < count {
      let unit = block[Int(truncatingIfNeeded: i)]
      if UInt64(unit) >= bound && unit != .max {
        throw refusal(FLOWRT_ERR_MALFORMED, offset: start &+ 4 &* i, expected: bound, found: UInt64(unit))
      }
      i &+= 1
    }
    return block
  }
}
