// 16 floats, whatever the registers of the level are: what tiles, columns and sums are made of.
//
// They are one AVX-512 register, two of AVX2, four of SSE2 or NEON, and one 64-byte line of a weight panel. The same source
// therefore gives the same operations on the same numbers everywhere: what differs between CPUs is only how many instructions an
// operation takes. Formulas with many values at once are computed a register at a time (Register.swift), or several abreast
// (Unrolled.swift).

import FlowrtShim

typealias Lanes = SIMD16<Float>
typealias LaneBits = SIMD16<Int32>

let laneCount = 16

/// a * b + c in one rounding (two on x86-64 without FMA). Swift never fuses `a * b + c` by itself.
@inline(__always) func fma(_ a: Lanes, _ b: Lanes, _ c: Lanes) -> Lanes { flowrt_v_fma(a, b, c) }
@inline(__always) func fma(_ a: Lanes, _ b: Float, _ c: Lanes) -> Lanes { flowrt_v_fma(a, Lanes(repeating: b), c) }
@inline(__always) func fma(_ a: Lanes, _ b: Lanes, _ c: Float) -> Lanes { flowrt_v_fma(a, b, Lanes(repeating: c)) }
@inline(__always) func fma(_ a: Lanes, _ b: Float, _ c: Float) -> Lanes {
  flowrt_v_fma(a, Lanes(repeating: b), Lanes(repeating: c))
}

/// c - a * b in one rounding. (Swift's `-a` on vectors is a subtraction from zero.)
@inline(__always) func negatedFma(_ a: Lanes, _ b: Lanes, _ c: Lanes) -> Lanes { flowrt_v_negated_fma(a, b, c) }

@inline(__always) func bits(_ x: Lanes) -> LaneBits { unsafeBitCast(x, to: LaneBits.self) }
@inline(__always) func float(_ x: LaneBits) -> Lanes { unsafeBitCast(x, to: Lanes.self) }

/// `yes` where a < b (a > b), else `no`.
@inline(__always) func ifLess(_ a: Lanes, _ b: Float, _ yes: Lanes, _ no: Lanes) -> Lanes {
  flowrt_v_if_less(a, Lanes(repeating: b), yes, no)
}
@inline(__always) func ifMore(_ a: Lanes, _ b: Float, _ yes: Lanes, _ no: Lanes) -> Lanes {
  flowrt_v_if_less(Lanes(repeating: b), a, yes, no)
}

/// Limits from one side; a NaN stays a NaN.
@inline(__always) func atMost(_ limit: Float, _ x: Lanes) -> Lanes { flowrt_v_min(Lanes(repeating: limit), x) }
@inline(__always) func atLeast(_ limit: Float, _ x: Lanes) -> Lanes { flowrt_v_max(Lanes(repeating: limit), x) }

@inline(__always) func magnitude(_ x: Lanes) -> Lanes { flowrt_v_abs(x) }

/// |magnitude| with the sign of `sign`.
@inline(__always) func copySign(_ magnitude: Lanes, _ sign: Lanes) -> Lanes { flowrt_v_copysign(magnitude, sign) }

// Wrapping integer operations, lane by lane.
@inline(__always) func & (_ a: LaneBits, _ b: Int32) -> LaneBits { flowrt_vi_and(a, LaneBits(repeating: b)) }
@inline(__always) func ^ (_ a: LaneBits, _ b: LaneBits) -> LaneBits { flowrt_vi_xor(a, b) }
@inline(__always) func &<< (_ a: LaneBits, _ n: Int32) -> LaneBits { flowrt_vi_shift_left(a, n) }
@inline(__always) func &>> (_ a: LaneBits, _ n: Int32) -> LaneBits { flowrt_vi_shift_right(a, n) }

/// The lanes 0, 1, ..., 15.
@inline(__always) func laneNumbers() -> LaneBits {
  LaneBits(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
}

/// Loads and stores at any float address. `index` counts floats.
extension UnsafePointer where Pointee == Float {
  @inline(__always) func lanes(_ index: Int) -> Lanes { flowrt_v_load(self + index) }
}

extension UnsafeMutablePointer where Pointee == Float {
  @inline(__always) func lanes(_ index: Int) -> Lanes { flowrt_v_load(self + index) }
  @inline(__always) func store(_ value: Lanes, _ index: Int) { flowrt_v_store(self + index, value) }
  /// Stores only those of the floats index ..< index + 16 that are in first ..< end.
  @inline(__always) func store(_ value: Lanes, _ index: Int, in first: Int, _ end: Int) {
    let from = Int32(truncatingIfNeeded: first &- index)
    let to = Int32(truncatingIfNeeded: end &- index)
    store(flowrt_v_if_between(laneNumbers(), from, to, value, lanes(index)), index)
  }
}

// Where a register has 16 lanes, `Register` is `Lanes`, and these are what Register.swift has for narrower ones.
#if FLOWRT_LEVEL_3
  @inline(__always) func ifEqual(_ a: Lanes, _ b: Float, _ yes: Lanes, _ no: Lanes) -> Lanes {
    flowrt_v_if_equal(a, Lanes(repeating: b), yes, no)
  }
  @inline(__always) func &+ (_ a: LaneBits, _ b: Int32) -> LaneBits { flowrt_vi_add(a, LaneBits(repeating: b)) }
  @inline(__always) func &- (_ a: LaneBits, _ b: LaneBits) -> LaneBits { flowrt_vi_subtract(a, b) }
  @inline(__always) func &- (_ a: LaneBits, _ b: Int32) -> LaneBits { flowrt_vi_subtract(a, LaneBits(repeating: b)) }
#endif
