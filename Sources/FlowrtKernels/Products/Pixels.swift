// Products whose panels all have the same lines: few rows with a dense layer, a plane's pixels with a convolution.
//
//     sums[y][x][u] += sum over k of w[k][u] * source[y][x][k]
//
// A pixel is a row of Columns.swift. Its source values are contiguous, since planes are kept pixel by pixel: the
// channels of one pixel, and those of its neighbours to the right, which are the next terms of a kernel's row.
//
//     source    | c c c | c c c | c c c | c c c | ...        pixels of one row of the plane, with its border
//     pixel 0   [     kernel's row      ]                    kernel width * channels terms
//     pixel 1           [     kernel's row      ]            `sourceStride` floats further on
//
// Each unit of each pixel adds its terms in the order of k, whichever pixels are taken together: a pixel alone has the
// same bits. A block of weights stays in the cache while all pixels take it.

import FlowrtShim

/// Lines of weights that go to all pixels before the next ones do: 64 kB of two panels, 128 kB of four, which stay in
/// the L2 cache. Shorter blocks would fetch and store the sums more often.
private let blockLines = 512

struct Pixels {
  /// Rows of the plane, and pixels of each.
  let height, width: Int
  /// The sums of the first pixel: 16 floats for each panel. Those of the next one are `stride` floats further on, in
  /// all rows.
  let sums: UnsafeMutablePointer<Float>
  let stride: Int
  /// The source values of the first pixel, of the next one in its row, and of the first one in the next row.
  let sources: UnsafePointer<Float>
  let sourceStride, sourcePitch: Int
  /// Panels of `lines` lines each.
  let weights: UnsafePointer<Float>
  let panels, lines: Int

  /// Adds `count` terms, for which each panel has lines from `line` on.
  func accumulate(line: Int, count: Int) {
    let abreast = panelsAbreast(rows: width)
    // What a single row takes once needs no cache.
    let block = height &* width > 1 ? blockLines : count
    var from = 0
    while from < count {
      var first = 0
      while first < panels {
        accumulate(first, min(abreast, panels &- first), line: line, from: from, to: min(from &+ block, count))
        first &+= abreast
      }
      from &+= block
    }
  }

  /// Terms from ..< to of the panels abreast, 4 at most, from `first` on, for all pixels.
  @inline(__always) fileprivate func accumulate(_ first: Int, _ count: Int, line: Int, from: Int, to: Int) {
    let starts = InlineArray<4, UInt32> { UInt32(truncatingIfNeeded: (first &+ $0) &* lines &+ line) }
    starts.span.withUnsafeBufferPointer {
      var y = 0
      while y < height {
        let rows = Rows(
          count: width, sums: sums + (y &* width &* stride &+ first &* panelUnits), stride: stride,
          sources: sources + y &* sourcePitch, sourceStride: sourceStride, weights: weights,
          panelStart: $0.baseAddress.unsafelyUnwrapped)
        withUnsafePointer(to: rows) { accumulateColumns($0, panel: 0, panels: count, from: from, to: to, keep: 0) }
        y &+= 1
      }
    }
  }
}

/// sums[row][u] += sum over all k of w[k][u] * source[row][k], for `panels` panels that all have `lines` lines.
@inline(never) func accumulateDense(
  count: Int, sums: UnsafeMutablePointer<Float>, stride: Int, sources: UnsafePointer<Float>, sourceStride: Int,
  weights: UnsafePointer<Float>, panels: Int, lines: Int
) {
  let rows = Pixels(
    height: 1, width: count, sums: sums, stride: stride, sources: sources, sourceStride: sourceStride, sourcePitch: 0,
    weights: weights, panels: panels, lines: lines)
  let abreast = panelsAbreast(rows: count)
  var first = 0
  while first < panels {
    rows.accumulate(first, min(abreast, panels &- first), line: 0, from: 0, to: lines)
    first &+= abreast
  }
}
