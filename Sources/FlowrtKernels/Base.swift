// The base density of z (docs/FORMAT.md section 2.7): a standard normal, or a normal with independent coordinates.
//
//   log p(z) = sum over i of -((z[i] - mean[i]) / std[i])^2 / 2 - log std[i], minus D log(2 pi) / 2

import FlowrtShim

/// -log(2 pi) / 2
private let logNormalizer: Double = -0.918_938_533_204_672_7

struct Base {
  let rows, dim: Int
  /// Means and standard deviations; nil for the standard normal.
  let mean, std: UnsafePointer<Float>?
  /// Room for `dim` logarithms.
  let scratch: UnsafeMutablePointer<Float>

  init(_ call: flowrt_call, rows: Int) {
    let plan = call.steps[Int(call.view.pointee.step_count)]
    self.rows = rows
    dim = Int(call.view.pointee.dim)
    mean = plan.shift
    std = plan.factor
    scratch = call.log_scale
  }

  /// Turns standard normal noise into draws of z, in place.
  func draw(_ state: UnsafeMutablePointer<Float>) {
    guard let mean, let std else { return }
    if rows == 1 {
      for i in stride(from: 0, to: dim, by: 16) { state.store(fma(std.lanes(i), state.lanes(i), mean.lanes(i)), i) }
    } else {
      for i in 0..<dim {
        for row in stride(from: i &* rows, to: (i &+ 1) &* rows, by: 16) {
          state.store(fma(Lanes(repeating: std[i]), state.lanes(row), Lanes(repeating: mean[i])), row)
        }
      }
    }
  }

  /// Adds sign * log p(z) to the sum of every row, coordinate after coordinate.
  func addLogDensity(_ state: UnsafeMutablePointer<Float>, to sum: LogSum, sign: Float) {
    let constant = Double(sign) * Double(dim) * logNormalizer
    let high = Float(constant)
    sum.add(Lanes(repeating: high))
    sum.add(Lanes(repeating: Float(constant - Double(high))))
    if let std {
      for i in stride(from: 0, to: dim, by: 16) { scratch.store(log(std.lanes(i)), i) }
    }
    for i in 0..<dim {
      for row in stride(from: i &* rows, to: (i &+ 1) &* rows, by: 16) {
        var z = rows == 1 ? Lanes(repeating: state[i]) : state.lanes(row)
        if let mean, let std { z = (z - Lanes(repeating: mean[i])) / Lanes(repeating: std[i]) }
        add(sign * -0.5 * z * z, sum, row &- i &* rows)
      }
      if std != nil { sum.add(Lanes(repeating: -sign * scratch[i])) }
    }
  }

  @inline(__always) private func add(_ term: Lanes, _ sum: LogSum, _ first: Int) {
    if rows == 1 { sum.add(term[0]) } else { sum.add(term, first: first) }
  }
}
