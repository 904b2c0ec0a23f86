// The activations of docs/FORMAT.md section 4, on 16 values at a time.

import FlowrtShim

/// Codes of the file. (Layer norm comes when all units are there: LayerNorm.swift.)
enum Activation: UInt16 {
  case identity, relu, tanh, elu, leakyRelu, silu, gelu, geluTanh, sigmoid, softplus, softsign, layerNorm,
    sine
}

/// f(v). `a` is the layer's parameter (elu, leaky relu).
@inline(never) func activate(_ v: Lanes, _ activation: Activation, _ a: Float) -> Lanes {
  switch activation {
  // Not asked for here: activateInPlace leaves the first two alone, and has loops for the others.
  case .identity, .layerNorm, .relu, .tanh: return v
  case .elu: return ifMore(v, 0, v, a * Lanes(expm1OfNegative(atMost(0, v).chunk)))
  case .leakyRelu: return ifMore(v, 0, v, a * v)
  case .silu: return v * sigmoid(v)
  case .gelu: return 0.5 * v * (1 + erf(v * sqrtHalf))
  case .geluTanh: return 0.5 * v * (1 + tanh(0.797_884_56 * fma(0.044_715 * v * v, v, v)))
  case .sigmoid: return sigmoid(v)
  case .softplus: return softplus(v)
  case .softsign: return v / (1 + magnitude(v))
  case .sine: return sin(v)
  }
}

/// Applies the activation of a code to floats first ..< end; the other floats of the vectors that hold them stay as they are.
/// `lanesPerRow` 2: each value stands in two lanes, so that one vector does for two.
func activateInPlace(
  _ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int, _ code: UInt16, _ a: Float, lanesPerRow: Int
) {
  var first = first
  // The most frequent ones in loops of their own.
  switch code {
  case Activation.identity.rawValue, Activation.layerNorm.rawValue: return
  case Activation.relu.rawValue: apply(Relu(), values, first, end)  // less work than pairing
  case Activation.tanh.rawValue:
    if lanesPerRow == 2 { first = applyToPairs(Tanh(), values, first, end) }
    #if FLOWRT_LEVEL_3
      if first & 15 == 0 { first = tanhAbreast(values, first, end) }
    #endif
    apply(Tanh(), values, first, end)
  default:
    let any = AnyActivation(activation: Activation(rawValue: code).unsafelyUnwrapped, a: a)
    if lanesPerRow == 2 { first = applyToPairs(any, values, first, end) }
    apply(any, values, first, end)
  }
}

private protocol Elementwise {
  func callAsFunction(_ v: Lanes) -> Lanes
}
private struct Relu: Elementwise {
  @inline(__always) func callAsFunction(_ v: Lanes) -> Lanes { atLeast(0, v) }
}
private struct Tanh: Elementwise {
  @inline(__always) func callAsFunction(_ v: Lanes) -> Lanes { inlinedTanh(v) }
}
private struct AnyActivation: Elementwise {
  let activation: Activation
  let a: Float
  @inline(__always) func callAsFunction(_ v: Lanes) -> Lanes { activate(v, activation, a) }
}

#if FLOWRT_LEVEL_3
  /// tanh of four registers at once. Returns where the last four end.
  @inline(__always) private func tanhAbreast(_ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int) -> Int {
    var index = first
    while index &+ 64 <= end {
      tanh(Abreast<4>(values + index)).store(values + index)
      index &+= 64
    }
    if index &+ 32 <= end {
      tanh(Abreast<2>(values + index)).store(values + index)
      index &+= 32
    }
    return index
  }
#endif

@inline(never) private func apply<F: Elementwise>(
  _ f: F, _ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
) {
  var index = first & ~15
  while index < end {
    if index >= first && index &+ 16 <= end {
      values.store(f(values.lanes(index)), index)
    } else {
      values.store(f(values.lanes(index)), index, in: first, end)
    }
    index &+= 16
  }
}

/// To the even lanes of one vector and the odd ones of the next, at once. Returns where the last pair ends.
@inline(never) private func applyToPairs<F: Elementwise>(
  _ f: F, _ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
) -> Int {
  var index = first
  while index &+ 32 <= end {
    let v = f(flowrt_v_interleave(values.lanes(index), values.lanes(index &+ 16)))
    values.store(flowrt_v_even_twice(v), index)
    values.store(flowrt_v_odd_twice(v), index &+ 16)
    index &+= 32
  }
  return index
}
