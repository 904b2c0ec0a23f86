/* The vector operations that Swift's SIMD types do not reliably turn into single instructions. Always inlined, so
 * they take the target features of the kernel level that calls them.
 *
 * flowrt_v is 16 floats at every level: one AVX-512 register, two AVX registers, four of SSE or NEON. flowrt_v8 and
 * flowrt_v4 are the registers of levels that have smaller ones. */
#ifndef FLOWRT_VECTOR_H
#define FLOWRT_VECTOR_H

#include <stdint.h>

#define FLOWRT_INLINE static inline __attribute__((always_inline))

typedef float flowrt_v __attribute__((ext_vector_type(16)));
typedef float flowrt_v8 __attribute__((ext_vector_type(8)));
typedef float flowrt_v4 __attribute__((ext_vector_type(4)));
typedef int32_t flowrt_vi __attribute__((ext_vector_type(16)));
typedef int32_t flowrt_vi8 __attribute__((ext_vector_type(8)));
typedef int32_t flowrt_vi4 __attribute__((ext_vector_type(4)));
typedef uint32_t flowrt_vu __attribute__((ext_vector_type(16)));
typedef uint64_t flowrt_vu64 __attribute__((ext_vector_type(16)));

/* Asks for the cache line at p, which may lie anywhere: nothing is read. */
FLOWRT_INLINE void flowrt_prefetch(const float *p) { __builtin_prefetch(p, 0, 3); }

/* a * b + c: one rounding where the target has fused multiply-add, two where it has not (plain x86-64). */
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__riscv_f)
#define FLOWRT_MULTIPLY_ADD(a, b, c) __builtin_elementwise_fma(a, b, c)
#else
#define FLOWRT_MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

/* Keeps the compiler from fusing what is written as two operations. */
#pragma clang fp contract(off)

/* What there is for vectors of any length, v of floats and vi of integers:
 *
 * - load, store: at any float's address. (Swift's loadUnaligned promises nothing about it: byte loads on riscv64.)
 * - fma, negated_fma: a * b + c and -a * b + c.
 * - min, max: the smaller (larger) of a and b; b where either is NaN. One instruction on x86.
 * - abs, sqrt, copysign: |a|, the IEEE square root, |a| with the sign of b.
 * - if_less, if_equal, if_bit: lane by lane, `yes` or `no`. Swift's masks, where several meet in an expression, are taken apart lane by lane.
 * - from_int: the nearest float to each integer.
 * - flowrt_vi_...: Swift's own operators on integer vectors are loops that do not always become vector instructions. */
#define FLOWRT_OVERLOADED static inline __attribute__((always_inline, overloadable))
#define FLOWRT_VECTOR_FUNCTIONS(v, vi, length)                                                                         \
    typedef float v##_anywhere __attribute__((ext_vector_type(length), aligned(4), may_alias));                        \
    typedef uint32_t vi##_words __attribute__((ext_vector_type(length)));                                              \
    FLOWRT_INLINE v v##_load(const float *p) { return *(const v##_anywhere *)p; }                                      \
    FLOWRT_OVERLOADED void flowrt_v_store(float *p, v a) { *(v##_anywhere *)p = a; }                                   \
    FLOWRT_OVERLOADED v flowrt_v_fma(v a, v b, v c) { return FLOWRT_MULTIPLY_ADD(a, b, c); }                           \
    FLOWRT_OVERLOADED v flowrt_v_negated_fma(v a, v b, v c) { return FLOWRT_MULTIPLY_ADD(-a, b, c); }                  \
    FLOWRT_OVERLOADED v flowrt_v_min(v a, v b) { return a < b ? a : b; }                                               \
    FLOWRT_OVERLOADED v flowrt_v_max(v a, v b) { return a > b ? a : b; }                                               \
    FLOWRT_OVERLOADED v flowrt_v_abs(v a) { return __builtin_elementwise_abs(a); }                                     \
    FLOWRT_OVERLOADED v flowrt_v_sqrt(v a) { return __builtin_elementwise_sqrt(a); }                                   \
    FLOWRT_OVERLOADED v flowrt_v_copysign(v a, v b) { return __builtin_elementwise_copysign(a, b); }                   \
    FLOWRT_OVERLOADED v flowrt_v_if_less(v a, v b, v yes, v no) { return a < b ? yes : no; }                           \
    FLOWRT_OVERLOADED v flowrt_v_if_equal(v a, v b, v yes, v no) { return a == b ? yes : no; }                         \
    FLOWRT_OVERLOADED v flowrt_v_if_bit(vi a, int32_t bit, v yes, v no) { return (a & bit) != 0 ? yes : no; }          \
    FLOWRT_OVERLOADED v flowrt_v_from_int(vi a) { return __builtin_convertvector(a, v); }                              \
    FLOWRT_OVERLOADED vi flowrt_vi_add(vi a, vi b) { return (vi)((vi##_words)a + (vi##_words)b); }                     \
    FLOWRT_OVERLOADED vi flowrt_vi_subtract(vi a, vi b) { return (vi)((vi##_words)a - (vi##_words)b); }                \
    FLOWRT_OVERLOADED vi flowrt_vi_and(vi a, vi b) { return a & b; }                                                   \
    FLOWRT_OVERLOADED vi flowrt_vi_xor(vi a, vi b) { return a ^ b; }                                                   \
    FLOWRT_OVERLOADED vi flowrt_vi_shift_left(vi a, int32_t n) { return (vi)((vi##_words)a << (uint32_t)n); }          \
    FLOWRT_OVERLOADED vi flowrt_vi_shift_right(vi a, int32_t n) { return a >> n; }
FLOWRT_VECTOR_FUNCTIONS(flowrt_v, flowrt_vi, 16)
FLOWRT_VECTOR_FUNCTIONS(flowrt_v8, flowrt_vi8, 8)
FLOWRT_VECTOR_FUNCTIONS(flowrt_v4, flowrt_vi4, 4)

#ifdef __AVX512F__
/* a * 2^n for integers n, rounded once. */
FLOWRT_INLINE flowrt_v flowrt_v_scale(flowrt_v a, flowrt_v n) {
    return __builtin_ia32_scalefps512_mask(a, n, a, (uint16_t)-1, 4 /* as MXCSR rounds */);
}
#endif

/* Lane by lane, `yes` for from <= a < to, else `no`; from <= to. One unsigned comparison: of two masks of 16 lanes that meet,
 * compilers make bytes where 16 floats are several registers. */
FLOWRT_INLINE flowrt_v flowrt_v_if_between(flowrt_vi a, int32_t from, int32_t to, flowrt_v yes, flowrt_v no) {
    return (flowrt_vi_words)a - (uint32_t)from < (uint32_t)to - (uint32_t)from ? yes : no;
}

/* 16 words. */
FLOWRT_INLINE flowrt_vu flowrt_vu_add(flowrt_vu a, flowrt_vu b) { return a + b; }
FLOWRT_INLINE flowrt_vu flowrt_vu_xor(flowrt_vu a, flowrt_vu b) { return a ^ b; }
FLOWRT_INLINE flowrt_vu flowrt_vu_multiply(flowrt_vu a, uint32_t b) { return a * b; }

/* High half of the 64-bit product, lane by lane. */
FLOWRT_INLINE flowrt_vu flowrt_vu_mulhi(flowrt_vu a, uint32_t b) {
    flowrt_vu64 wide = __builtin_convertvector(a, flowrt_vu64) * (flowrt_vu64)(uint64_t)b;
    return __builtin_convertvector(wide >> 32, flowrt_vu);
}

#endif
