/* What the library must ask the machine and the compiler, without libc and without libgcc's writable tables. */
#ifndef FLOWRT_CPU_H
#define FLOWRT_CPU_H

#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "flowrt reads little-endian model files in place; big-endian hosts are not supported"
#endif

#if defined(__x86_64__)
#include <cpuid.h>

static inline uint64_t flowrt_xgetbv0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Best kernel level of this CPU whose registers the operating system saves: 1 x86-64, 2 x86-64-v3, 3 x86-64-v4
 * (the micro-architecture levels of the x86-64 psABI). */
static inline uint32_t flowrt_cpu_level(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 1;
    const uint32_t fma = 1u << 12, movbe = 1u << 22, osxsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
    const uint32_t v3_leaf1 = fma | movbe | osxsave | avx | f16c;
    if ((c & v3_leaf1) != v3_leaf1) return 1;
    const uint64_t saved = flowrt_xgetbv0();
    if ((saved & 0x06) != 0x06) return 1; /* xmm, ymm */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 1;
    const uint32_t bmi1 = 1u << 3, avx2 = 1u << 5, bmi2 = 1u << 8;
    const uint32_t leaf7 = b;
    if ((leaf7 & (bmi1 | avx2 | bmi2)) != (bmi1 | avx2 | bmi2)) return 1;
    if (!__get_cpuid(0x80000001u, &a, &b, &c, &d) || !(c & (1u << 5))) return 1; /* lzcnt */
    const uint32_t f = 1u << 16, dq = 1u << 17, cd = 1u << 28, bw = 1u << 30, vl = 1u << 31;
    if ((leaf7 & (f | dq | cd | bw | vl)) != (f | dq | cd | bw | vl)) return 2;
    return (saved & 0xe6) == 0xe6 ? 3 : 2; /* opmask, upper zmm */
}
#else
static inline uint32_t flowrt_cpu_level(void) { return 1; }
#endif

#if defined(__x86_64__)
#define FLOWRT_TARGET "x86_64"
#elif defined(__aarch64__)
#define FLOWRT_TARGET "aarch64"
#elif defined(__arm__)
#define FLOWRT_TARGET "armv7"
#elif defined(__riscv) && __riscv_xlen == 64
#define FLOWRT_TARGET "riscv64"
#else
#define FLOWRT_TARGET "unknown"
#endif

#endif
