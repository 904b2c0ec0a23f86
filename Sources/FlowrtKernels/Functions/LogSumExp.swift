// Logarithms of densities: the constant of the normal, and the sum over the components of a mixture.

import FlowrtShim

/// -log(2 pi) / 2
let logNormalizer: Double = -0.918_938_533_204_672_7

/// log of a sum of exponentials whose terms come one by one, scaled by the largest so far.
struct LogSumExp {
  private var largest = Lanes(repeating: -.greatestFiniteMagnitude)
  private var sum = Lanes()

  /// One exponential a term: of the term and the largest so far, the larger one gives e^0.
  @inline(__always) mutating func add(_ term: Lanes) {
    // The first term replaces the smallest float, whose sum is 0. A term of -infinity, a density that underflows, adds
    // nothing.
    let e = expOfNegative(-magnitude(term - largest))
    sum = flowrt_v_if_less(largest, term, fma(sum, e, 1), sum + e)
    largest = flowrt_v_max(largest, term)
  }

  var total: Lanes { largest + log(sum) }
}
