// Elementary functions of one register, out of line: for formulas that are evaluated register by register and in which
// a call is not felt, such as those of gradients. The operations are those of the 16-float functions.

import FlowrtShim

#if !FLOWRT_LEVEL_3  // else a register is 16 floats
  @inline(never) func exp(_ x: Register) -> Register { exp(Unrolled<1>(x)).registers[0] }
  @inline(never) func tanh(_ x: Register) -> Register { tanh(Unrolled<1>(x)).registers[0] }
  @inline(never) func sigmoid(_ x: Register) -> Register { sigmoid(Unrolled<1>(x)).registers[0] }
  @inline(never) func softplus(_ x: Register) -> Register { softplus(Unrolled<1>(x)).registers[0] }
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

/// Floats of a register.
let registerCount = Register.scalarCount
