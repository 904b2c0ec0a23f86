// Layer normalisation over the units of a layer (Ba, Kiros, Hinton 2016), for layers that depend on the context alone:
//
//     v[u] <- (v[u] - mean) / sqrt(variance + epsilon), biased variance
//
// Both sums run over the units one by one, so that a row's result is the same in both tile shapes.

import FlowrtShim

extension Layer {
  @inline(__always) var isNormalized: Bool { pointee.activation == Activation.layerNorm.rawValue }
}

/// Normalises the final values of a layer in place.
func normalizeLayer(_ layer: Layer, values: UnsafeMutablePointer<Float>, rows: Int) {
  let width = Int(layer.pointee.width)
  let count = Float(width)
  for first in stride(from: 0, to: rows, by: 16) {
    // A single row's units lie side by side: every lane holds the same value.
    @inline(__always) func value(_ unit: Int) -> Lanes {
      rows == 1 ? Lanes(repeating: values[unit]) : values.lanes(unit &* rows &+ first)
    }
    var sum = Lanes()
    for unit in 0..<width { sum = sum + value(unit) }
    let mean = sum / count
    var squares = Lanes()
    for unit in 0..<width {
      let deviation = value(unit) - mean
      squares = fma(deviation, deviation, squares)
    }
    let scale = flowrt_v_sqrt(squares / count + layer.pointee.a)
    for unit in 0..<width {
      let normalized = (value(unit) - mean) / scale
      if rows == 1 { values[unit] = normalized[0] } else { values.store(normalized, unit &* rows &+ first) }
    }
  }
}
