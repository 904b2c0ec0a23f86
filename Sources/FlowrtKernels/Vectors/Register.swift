// One register of the level: what a formula with many values at once is computed in. With 16 lanes, each of its values would
// take two registers or four, and most of them would live on the stack. A column of 16 floats is then worked off register by
// register; every lane sees the same operations as ever.

import FlowrtShim

#if FLOWRT_LEVEL_3
  typealias Register = Lanes
  typealias RegisterBits = LaneBits
#elseif FLOWRT_LEVEL_2
  typealias Register = SIMD8<Float>
  typealias RegisterBits = SIMD8<Int32>
#else
  typealias Register = SIMD4<Float>
  typealias RegisterBits = SIMD4<Int32>
#endif

/// Calls `body` with the first float of each register of a column, as far as its first `count` values reach.
@inline(__always) func eachRegister(_ count: Int, _ body: (_ first: Int) -> Void) {
  #if FLOWRT_LEVEL_3
    body(0)
  #else
    var first = 0
    while first < count {
      body(first)
      first &+= Register.scalarCount
    }
  #endif
}

extension UnsafePointer where Pointee == Float {
  @inline(__always) func register(_ index: Int) -> Register {
    #if FLOWRT_LEVEL_3
      flowrt_v_load(self + index)
    #elseif FLOWRT_LEVEL_2
      flowrt_v8_load(self + index)
    #else
      flowrt_v4_load(self + index)
    #endif
  }
}
extension UnsafeMutablePointer where Pointee == Float {
  @inline(__always) func register(_ index: Int) -> Register { UnsafePointer(self).register(index) }
}

#if !FLOWRT_LEVEL_3  // else those of Lanes.swift
  extension UnsafeMutablePointer where Pointee == Float {
    @inline(__always) func store(_ value: Register, _ index: Int) { flowrt_v_store(self + index, value) }
  }

  @inline(__always) func fma(_ a: Register, _ b: Register, _ c: Register) -> Register { flowrt_v_fma(a, b, c) }
  @inline(__always) func fma(_ a: Register, _ b: Float, _ c: Register) -> Register {
    flowrt_v_fma(a, Register(repeating: b), c)
  }
  @inline(__always) func fma(_ a: Register, _ b: Register, _ c: Float) -> Register {
    flowrt_v_fma(a, b, Register(repeating: c))
  }
  @inline(__always) func fma(_ a: Register, _ b: Float, _ c: Float) -> Register {
    flowrt_v_fma(a, Register(repeating: b), Register(repeating: c))
  }
  @inline(__always) func negatedFma(_ a: Register, _ b: Register, _ c: Register) -> Register {
    flowrt_v_negated_fma(a, b, c)
  }
  @inline(__always) func ifLess(_ a: Register, _ b: Float, _ yes: Register, _ no: Register) -> Register {
    flowrt_v_if_less(a, Register(repeating: b), yes, no)
  }
  @inline(__always) func ifEqual(_ a: Register, _ b: Float, _ yes: Register, _ no: Register) -> Register {
    flowrt_v_if_equal(a, Register(repeating: b), yes, no)
  }
  @inline(__always) func ifMore(_ a: Register, _ b: Float, _ yes: Register, _ no: Register) -> Register {
    flowrt_v_if_less(Register(repeating: b), a, yes, no)
  }
  @inline(__always) func atMost(_ limit: Float, _ x: Register) -> Register {
    flowrt_v_min(Register(repeating: limit), x)
  }
  @inline(__always) func atLeast(_ limit: Float, _ x: Register) -> Register {
    flowrt_v_max(Register(repeating: limit), x)
  }
  @inline(__always) func magnitude(_ x: Register) -> Register { flowrt_v_abs(x) }
  @inline(__always) func copySign(_ magnitude: Register, _ sign: Register) -> Register {
    flowrt_v_copysign(magnitude, sign)
  }

  @inline(__always) func bits(_ x: Register) -> RegisterBits { unsafeBitCast(x, to: RegisterBits.self) }
  @inline(__always) func float(_ x: RegisterBits) -> Register { unsafeBitCast(x, to: Register.self) }
  @inline(__always) func &+ (_ a: RegisterBits, _ b: Int32) -> RegisterBits {
    flowrt_vi_add(a, RegisterBits(repeating: b))
  }
  @inline(__always) func &- (_ a: RegisterBits, _ b: RegisterBits) -> RegisterBits { flowrt_vi_subtract(a, b) }
  @inline(__always) func &- (_ a: RegisterBits, _ b: Int32) -> RegisterBits {
    flowrt_vi_subtract(a, RegisterBits(repeating: b))
  }
  @inline(__always) func & (_ a: RegisterBits, _ b: Int32) -> RegisterBits {
    flowrt_vi_and(a, RegisterBits(repeating: b))
  }
  @inline(__always) func ^ (_ a: RegisterBits, _ b: RegisterBits) -> RegisterBits { flowrt_vi_xor(a, b) }
  @inline(__always) func &<< (_ a: RegisterBits, _ n: Int32) -> RegisterBits { flowrt_vi_shift_left(a, n) }
  @inline(__always) func &>> (_ a: RegisterBits, _ n: Int32) -> RegisterBits { flowrt_vi_shift_right(a, n) }
#endif
