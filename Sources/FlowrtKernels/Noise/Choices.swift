// What picks the component of a mixture from which a draw comes.

import FlowrtShim

/// The numbers in (0, 1) that pick components for the draws index, index + 1, ... (docs/SAMPLING.md).
struct Choices {
  let noise: Noise
  let index: UInt64

  /// For 16 rows of a tile from `row` on, and one coordinate.
  func ofRows(_ row: Int, _ coordinate: UInt32) -> Lanes {
    noise.choices(index: index &+ UInt64(truncatingIfNeeded: row), number: coordinate)
  }

  /// For a single row, and up to 16 coordinates.
  func ofCoordinates(_ coordinates: UnsafePointer<UInt32>, _ count: Int) -> Lanes {
    var numbers = Words()
    for lane in 0..<16 { numbers[lane] = coordinates[min(lane, count &- 1)] }
    return noise.choices(index: index, numbers: numbers)
  }
}
