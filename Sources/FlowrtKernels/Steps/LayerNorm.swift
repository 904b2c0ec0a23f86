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

/// From the gradient by the values of a normalised layer, gated or not, to that by its sums, in place; adds what it says
/// about its gate. With y = (sum - mean) / sqrt(variance + epsilon) and g the gradient by y,
///
///     (g - mean(g) - y mean(g y)) / sqrt(variance + epsilon)
///
/// - gate: what y was multiplied by, and the gradient by it, if that is wanted.
@inline(never) func normalizeGradient(
  _ layer: Layer, by: Values, sums: Values, rows: Int, gate: Operand?, byGate: Values?
) {
  let width = Int(layer.pointee.width)
  let count = Float(width)
  for row in stride(from: 0, to: rows, by: rows >= laneCount ? laneCount : 1) {
    var sum = Lanes()
    for unit in 0..<width { sum = sum + sums.lanes(unit, row, rows) }
    let mean = sum / count
    var squares = Lanes()
    for unit in 0..<width {
      let deviation = sums.lanes(unit, row, rows) - mean
      squares = fma(deviation, deviation, squares)
    }
    let scale = flowrt_v_sqrt(squares / count + layer.pointee.a)
    @inline(__always) func y(_ unit: Int) -> Lanes { (sums.lanes(unit, row, rows) - mean) / scale }
    var (total, weighted) = (Lanes(), Lanes())
    for unit in 0..<width {
      var g = by.lanes(unit, row, rows)
      if let gate {
        if let byGate { byGate.store(fma(g, y(unit), byGate.lanes(unit, row, rows)), unit, row, rows) }
        g = g * gate.lanes(unit, row, rows)
        by.store(g, unit, row, rows)
      }
      total = total + g
      weighted = fma(g, y(unit), weighted)
    }
    let (meanGradient, meanProduct) = (total / count, weighted / count)
    for unit in 0..<width {
      let rest = by.lanes(unit, row, rows) - meanGradient
      by.store(negatedFma(y(unit), meanProduct, rest) / scale, unit, row, rows)
    }
  }
}
