// The scratch of a spline: what is kept of 16 values between the calls of functions, in columns of 16 floats.
//
//     column   0  1   2     3     4  5   6   7   8       9      10 11        12 13         14
//              x  y   xLow  yLow  w  h   d0  d1  number  share  widthScale   heightScale   end
//
// Columns 0 to 9 are the bin of each value (Bin.swift), two columns each the scalings of widths and heights
// (RawColumns.swift), and the last one the value at the ends of quadratic pieces.

import FlowrtShim

/// The columns by name. There are `FLOWRT_SPLINE_COLUMNS` of them.
struct SplineScratch {
  /// Column c of value i is at base[16 c + i].
  private let base: UnsafeMutablePointer<Float>

  /// `base`: scratch of the call. What it holds before does not matter.
  @inline(__always) init(_ base: UnsafeMutablePointer<Float>) { self.base = base }

  /// The first float of a column; the numbers are those of the drawing.
  @inline(__always) private func column(_ number: Int) -> UnsafeMutablePointer<Float> { base + number &* laneCount }

  /// d0, and behind it d1: both go through the same function.
  @inline(__always) var derivatives: UnsafeMutablePointer<Float> { column(6) }
  /// The raw share, which a sigmoid replaces.
  @inline(__always) var share: UnsafeMutablePointer<Float> { column(9) }
  /// Both columns of a `Scaling`.
  @inline(__always) var widthScale: UnsafeMutablePointer<Float> { column(10) }
  /// Both columns of a `Scaling`.
  @inline(__always) var heightScale: UnsafeMutablePointer<Float> { column(12) }
  /// v at both ends of the interval: quadratic pieces with fixed ends write it in `densities`.
  @inline(__always) var end: UnsafeMutablePointer<Float> { column(14) }

  /// Keeps the bins of the values from `at` on, as many as a register holds, while a function is applied to a part of
  /// them.
  @inline(__always) func store(_ bin: Bin, _ at: Int) {
    @inline(__always) func put(_ column: Int, _ value: Register) { base.store(value, column &* laneCount &+ at) }
    put(0, bin.x)
    put(1, bin.y)
    put(2, bin.xLow)
    put(3, bin.yLow)
    put(4, bin.w)
    put(5, bin.h)
    put(6, bin.d0)
    put(7, bin.d1)
    put(8, bin.number)
    put(9, bin.share)
  }

  /// The bins that were kept, with what has become of their parts.
  @inline(__always) func bin(_ at: Int) -> Bin {
    @inline(__always) func get(_ column: Int) -> Register { base.register(column &* laneCount &+ at) }
    return Bin(
      x: get(0), y: get(1), xLow: get(2), yLow: get(3), w: get(4), h: get(5), d0: get(6), d1: get(7), number: get(8),
      share: get(9))
  }
}
