// Sums that keep what they round off (Knuth's two-sum).

import FlowrtShim

/// What two-sum needs of a float or of a vector of floats.
protocol TwoSummable {
  static func + (_ a: Self, _ b: Self) -> Self
  static func - (_ a: Self, _ b: Self) -> Self
}
extension Float: TwoSummable {}
extension SIMD4: TwoSummable where Scalar == Float {}
extension SIMD8: TwoSummable where Scalar == Float {}
extension SIMD16: TwoSummable where Scalar == Float {}

/// a + b as it is rounded, and exactly what the rounding took away.
@inline(__always) func twoSum<V: TwoSummable>(_ a: V, _ b: V) -> (sum: V, error: V) {
  let sum = a + b
  let part = sum - a
  return (sum, (a - (sum - part)) + (b - part))
}

/// A running sum in two floats. The knots of a spline are such sums of widths: an error of a knot is multiplied by the
/// slope of the spline.
struct TwoSum {
  private(set) var high: Register
  private(set) var low = Register()

  @inline(__always) init(_ start: Register) { high = start }

  @inline(__always) mutating func add(_ term: Register) {
    let (sum, error) = twoSum(high, term)
    low = low + error
    high = sum
  }
}
