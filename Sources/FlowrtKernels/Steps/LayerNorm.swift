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
func normalizeLayer(_ layer: Layer, _ place: Values, rows: Int) {
  let isTile = rows >= laneCount
  for row in stride(from: 0, to: rows, by: isTile ? laneCount : 1) {
    let values = place.base + row &* (isTile ? 1 : place.stride)
    // A single row's units lie side by side: every lane holds the same value.
    @inline(__always) func value(_ unit: Int) -> Lanes {
      isTile ? values.lanes(unit &* rows) : Lanes(repeating: values[unit])
    }
    let width = Int(layer.pointee.width)
    let count = Float(width)
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
      if isTile { values.store(normalized, unit &* rows) } else { values[unit] = normalized[0] }
    }
  }
}
