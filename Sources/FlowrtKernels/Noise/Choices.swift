// What picks the component of a mixture from which a draw comes.

import FlowrtShim

/// The numbers in (0, 1) that pick components for the draws index, index + 1, ... (docs/SAMPLING.md).
struct Choices {
  let noise: Noise
  let index: UInt64

  /// For 16 rows from `row` on, and one coordinate.
  func ofRows(_ row: Int, _ coordinate: UInt32) -> Lanes {
    let rows = flowrt_vu_add(laneWords(), Words(repeating: UInt32(truncatingIfNeeded: row)))
    return of(rows: rows, Words(repeating: coordinate))
  }

  /// For a row and a coordinate in each lane.
  func of(rows: Words, _ coordinates: Words) -> Lanes {
    noise.choices(index: index, rows: rows, numbers: coordinates)
  }
}
