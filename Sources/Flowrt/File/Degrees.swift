// How many units of a layer, or ranks of a side, have a degree or a lower one.

/// Number of units of degree <= g: factor * max(table[g + shift] - skip, 0), and 0 where g + shift < 0. One form serves
/// the read side (shift -1: rank k of stage s has degree s + 1), hidden layers, and output layers (factor parameters
/// for each rank after the first skip).
struct Degrees {
  var table: UnsafePointer<UInt32>? = nil
  var skip: UInt32 = 0
  var factor: UInt32 = 1
  var shift: Int16 = 0

  /// The table was validated: the product is at most the layer's width.
  func count(_ g: UInt64) -> UInt64 {
    let i = Int(truncatingIfNeeded: g) &+ Int(shift)
    guard i >= 0, let table else { return 0 }
    return table[i] <= skip ? 0 : UInt64(table[i] &- skip) &* UInt64(factor)
  }

  /// Moves `degree` on to that of a unit. Units that are asked for in ascending order cost one pass over the degrees
  /// together.
  func advance(_ degree: inout UInt64, toUnit unit: UInt64) {
    while count(degree) <= unit { degree &+= 1 }
  }
}
