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

/// The gradient by the sums of a normalised layer from that by its values y, in place, of a tile: with g the gradient,
///
///     (g - mean(g) - y mean(g y)) / sqrt(variance + epsilon)
func normalizeGradient(
  _ layer: Layer, _ by: UnsafeMutablePointer<Float>, values: UnsafePointer<Float>, sums: UnsafePointer<Float>, rows: Int
) {
  let width = Int(layer.pointee.width)
  let count = Float(width)
  for row in stride(from: 0, to: rows, by: registerCount) {
    var (sum, total, weighted) = (Register(), Register(), Register())
    for unit in 0..<width { sum = sum + sums.register(unit &* rows &+ row) }
    let mean = sum / count
    var squares = Register()
    for unit in 0..<width {
      let at = unit &* rows &+ row
      let deviation = sums.register(at) - mean
      squares = fma(deviation, deviation, squares)
      total = total + by.register(at)
      weighted = fma(by.register(at), values.register(at), weighted)
    }
    let scale = flowrt_v_sqrt(squares / count + layer.pointee.a)
    let (meanGradient, meanProduct) = (total / count, weighted / count)
    for unit in 0..<width {
      let at = unit &* rows &+ row
      by.store(negatedFma(values.register(at), meanProduct, by.register(at) - meanGradient) / scale, at)
    }
  }
}
