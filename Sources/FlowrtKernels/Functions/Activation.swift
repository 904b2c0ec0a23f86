// The activations of docs/FORMAT.md section 4, on 16 values at a time.

import FlowrtShim

/// f(v). `a` is the layer's parameter (elu, leaky relu).
@inline(never) func activate(_ v: Lanes, _ activation: Activation, _ a: Float) -> Lanes {
  switch activation {
  // Not asked for here: activateInPlace leaves the first two alone, and has loops for the others.
  case .identity, .layerNorm, .relu, .tanh: return v
  case .elu: return ifMore(v, 0, v, a * Lanes(expm1OfNegative(atMost(0, v).chunk)))
  case .leakyRelu: return ifMore(v, 0, v, a * v)
  case .silu: return v * sigmoid(v)
  case .gelu: return 0.5 * v * (1 + erf(v * sqrtHalf))
  // (1 + tanh u) / 2 = sigmoid(2u)
  case .geluTanh: return v * sigmoid(v * fma(v * v, 2 * 0.797_884_56 * 0.044_715, 2 * 0.797_884_56))
  case .sigmoid: return sigmoid(v)
  case .softplus: return softplus(v)
  case .softsign: return v / (1 + magnitude(v))
  case .sine: return sin(v)
  case .arctangent: return atan(v)
  case .inverseHyperbolicSine: return asinh(v)
  }
}

/// Applies the activation of a code to floats first ..< end of each of `rows` rows, which are `stride` floats apart;
/// the other floats of the vectors that hold them stay as they are.
func activateInPlace(
  _ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int, _ code: UInt16, _ a: Float, rows: Int = 1,
  stride: Int = 0
) {
  // The most frequent ones in loops of their own, found by their numbers: this runs once for each stage. All others by
  // `activate`, which knows every one.
  switch code {
  case Activation.identity.rawValue, Activation.layerNorm.rawValue: return
  case Activation.relu.rawValue:
    for row in 0..<rows { apply(Relu(), values + row &* stride, first, end) }
  case Activation.tanh.rawValue:
    for row in 0..<rows {
      let values = values + row &* stride
      var rest = first
      #if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
        if first & 15 == 0 {
          rest = UnrolledTanh<4>.run(values, first, end)
          #if FLOWRT_LEVEL_3
            rest = UnrolledTanh<2>.run(values, rest, end)
          #endif
        }
      #endif
      apply(Tanh(), values, rest, end)
    }
  default:
    let any = AnyActivation(activation: Activation(rawValue: code).unsafelyUnwrapped, a: a)
    for row in 0..<rows { applyByCall(any, values + row &* stride, first, end) }
  }
}

private protocol UnaryFunction {
  func callAsFunction(_ v: Lanes) -> Lanes
}
private struct Relu: UnaryFunction {
  @inline(__always) func callAsFunction(_ v: Lanes) -> Lanes { atLeast(0, v) }
}
private struct Tanh: UnaryFunction {
  @inline(__always) func callAsFunction(_ v: Lanes) -> Lanes { inlinedTanh(v) }
}
private struct AnyActivation: UnaryFunction {
  let activation: Activation
  let a: Float
  @inline(__always) func callAsFunction(_ v: Lanes) -> Lanes { activate(v, activation, a) }
}

#if FLOWRT_LEVEL_2 || FLOWRT_LEVEL_3
  /// tanh of N registers at once. Returns where the last N end.
  private enum UnrolledTanh<let N: Int> {
    @inline(__always) static func run(_ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int) -> Int {
      var index = first
      let count = N &* Register.scalarCount
      while index &+ count <= end {
        tanh(Unrolled<N>(values + index)).store(values + index)
        index &+= count
      }
      return index
    }
  }
#endif

@inline(never) private func applyByCall<F: UnaryFunction>(
  _ f: F, _ values: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int
) {
  apply(f, values, first, end)
}

@inline(__always) private func apply<F: UnaryFunction>(
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
