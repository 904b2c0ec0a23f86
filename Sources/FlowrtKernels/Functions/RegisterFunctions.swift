// The elementary functions out of line, for formulas in which a call is not felt.
//
// Those that activations and splines take many values through are of 16 floats: one register, or several abreast. The rare
// ones, and formulas that are worked off register by register, take one: at the SSE2 level, where 16 floats are four
// registers, a formula of all of them is four times the code.

import FlowrtShim

/// Floats of a register.
let registerCount = Register.scalarCount

/// f of 16 floats, register by register.
@inline(__always) func eachRegister(_ x: Lanes, _ f: (Register) -> Register) -> Lanes { Lanes(x.chunk.map(f)) }

@inline(never) func exp(_ x: Lanes) -> Lanes { Lanes(exp(x.chunk)) }
@inline(never) func expOfNegative(_ x: Lanes) -> Lanes { Lanes(expOfNegative(x.chunk)) }
@inline(never) func sigmoid(_ x: Lanes) -> Lanes { Lanes(sigmoid(x.chunk)) }
@inline(never) func softplus(_ x: Lanes) -> Lanes { Lanes(softplus(x.chunk)) }
@inline(never) func log(_ x: Register) -> Register { Register(log(x.chunk)) }
/// log(1 + e) for e in [0, 1].
@inline(never) func log1pOfUnit(_ e: Register) -> Register { Register(log1pOfUnit(e.chunk)) }

#if !FLOWRT_LEVEL_3  // else a register is 16 floats
  @inline(never) func log(_ x: Lanes) -> Lanes { eachRegister(x) { log($0) } }
  @inline(__always) func sin(_ x: Lanes) -> Lanes { eachRegister(x) { sin($0) } }
  @inline(__always) func atan(_ x: Lanes) -> Lanes { eachRegister(x) { atan($0) } }
  @inline(__always) func asinh(_ x: Lanes) -> Lanes { eachRegister(x) { asinh($0) } }

  @inline(never) func exp(_ x: Register) -> Register { Register(exp(x.chunk)) }
  @inline(never) func tanh(_ x: Register) -> Register { Register(tanh(x.chunk)) }
  @inline(never) func sigmoid(_ x: Register) -> Register { Register(sigmoid(x.chunk)) }
  @inline(never) func softplus(_ x: Register) -> Register { Register(softplus(x.chunk)) }
#endif

/// f of a register, through a function of 16 floats: for rare ones.
@inline(__always) func through(_ f: (Lanes) -> Lanes, _ x: Register) -> Register {
  #if FLOWRT_LEVEL_3
    return f(x)
  #elseif FLOWRT_LEVEL_2
    return f(Lanes(lowHalf: x, highHalf: x)).lowHalf
  #else
    let half = SIMD8(lowHalf: x, highHalf: x)
    return f(Lanes(lowHalf: half, highHalf: half)).lowHalf.lowHalf
  #endif
}
