// The rows that are evaluated together.

import FlowrtShim

struct Batch {
  /// Few rows, up to 15, or those of a tile: 16, 32, 48 or 64.
  let rows: Int
  /// The context of each row, of a tile by coordinate; nil if the prologue holds what depends on it.
  let contexts: UnsafePointer<Float>?

  /// Whether values lie by coordinate, `rows` floats each: the lanes of a vector are rows. The values of few rows lie row
  /// by row: the lanes are units or coordinates.
  var isTile: Bool { rows >= laneCount }
}
