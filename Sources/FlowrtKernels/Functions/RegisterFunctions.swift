// The elementary functions out of line, for formulas in which a call is not felt: of one register, and of 16 floats.
//
// At the SSE2 level 16 floats are four registers, and a formula of all four is four times the code, with more values at
// once than there are registers. There a function is called for each register. At the others a formula of 16 floats is
// one of one or two registers abreast; on NEON, whose registers are more and whose smaller cores do not look far ahead,
// one of four.

import FlowrtShim

/// Floats of a register.
let registerCount = Register.scalarCount

#if !FLOWRT_LEVEL_3  // else a register is 16 floats
  @inline(never) func exp(_ x: Register) -> Register { Register(exp(x.chunk)) }
  @inline(never) func expOfNegative(_ x: Register) -> Register { Register(expOfNegative(x.chunk)) }
  @inline(never) func log(_ x: Register) -> Register { Register(log(x.chunk)) }
  @inline(never) func tanh(_ x: Register) -> Register { Register(tanh(x.chunk)) }
  @inline(never) func sigmoid(_ x: Register) -> Register { Register(sigmoid(x.chunk)) }
  @inline(never) func softplus(_ x: Register) -> Register { Register(softplus(x.chunk)) }

  @inline(never) func log(_ x: Lanes) -> Lanes { eachRegister(x) { log($0) } }
  @inline(__always) func sin(_ x: Lanes) -> Lanes { eachRegister(x) { sin($0) } }
  @inline(__always) func atan(_ x: Lanes) -> Lanes { eachRegister(x) { atan($0) } }
  @inline(__always) func asinh(_ x: Lanes) -> Lanes { eachRegister(x) { asinh($0) } }
#endif

#if FLOWRT_LEVEL_3
  @inline(never) func log(_ x: Lanes) -> Lanes { Lanes(log(x.chunk)) }
#endif

/// log(1 + e) for e in [0, 1].
@inline(never) func log1pOfUnit(_ e: Register) -> Register { Register(log1pOfUnit(e.chunk)) }

/// f of 16 floats, register by register.
@inline(__always) func eachRegister(_ x: Lanes, _ f: (Register) -> Register) -> Lanes { Lanes(x.chunk.map(f)) }

#if arch(x86_64) && !FLOWRT_LEVEL_2 && !FLOWRT_LEVEL_3
  /// What a function that many values go through takes at a time.
  typealias Called = Register
  /// f of 16 floats.
  @inline(__always) func eachCalled(_ x: Lanes, _ f: (Called) -> Called) -> Lanes { eachRegister(x, f) }

  @inline(never) func exp(_ x: Lanes) -> Lanes { eachRegister(x) { exp($0) } }
  @inline(never) func expOfNegative(_ x: Lanes) -> Lanes { eachRegister(x) { expOfNegative($0) } }
  @inline(never) func sigmoid(_ x: Lanes) -> Lanes { eachRegister(x) { sigmoid($0) } }
  @inline(never) func softplus(_ x: Lanes) -> Lanes { eachRegister(x) { softplus($0) } }
  @inline(__always) func erf(_ x: Lanes) -> Lanes { eachRegister(x) { erf($0) } }
#else
  /// What a function that many values go through takes at a time.
  typealias Called = Lanes
  /// f of 16 floats.
  @inline(__always) func eachCalled(_ x: Lanes, _ f: (Called) -> Called) -> Lanes { f(x) }

  @inline(never) func exp(_ x: Lanes) -> Lanes { Lanes(exp(x.chunk)) }
  @inline(never) func expOfNegative(_ x: Lanes) -> Lanes { Lanes(expOfNegative(x.chunk)) }
  @inline(never) func sigmoid(_ x: Lanes) -> Lanes { Lanes(sigmoid(x.chunk)) }
  @inline(never) func softplus(_ x: Lanes) -> Lanes { Lanes(softplus(x.chunk)) }
#endif

/// f of one register: for rare ones.
@inline(__always) func through(_ f: (Called) -> Called, _ x: Register) -> Register {
  #if FLOWRT_LEVEL_3
    return f(x)
  #elseif FLOWRT_LEVEL_2
    return f(Lanes(lowHalf: x, highHalf: x)).lowHalf
  #elseif arch(x86_64)
    return f(x)
  #else
    let half = SIMD8(lowHalf: x, highHalf: x)
    return f(Lanes(lowHalf: half, highHalf: half)).lowHalf.lowHalf
  #endif
}
