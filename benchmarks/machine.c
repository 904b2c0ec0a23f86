/* What one core can do: commands on standard input, one line of answer to each.
 *
 *   peak LEVEL    multiply-adds per second: 3 AVX-512, 2 AVX2, 1 SSE2 (a multiplication and an addition); 0 if it has none
 *   read BYTES    bytes per second, reading so many bytes again and again
 *   tile TERMS    multiply-adds per second of the inner loop of a tile alone, so many terms at a time; 0 without AVX-512
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double processor_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* other programs on this core do not count */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef float v4 __attribute__((vector_size(16)));
typedef float v8 __attribute__((vector_size(32)));
typedef float v16 __attribute__((vector_size(64)));
static volatile float sink;

/* 12 independent chains: enough for two units of a latency of four, few enough for sixteen registers. */
#define PEAK(name, isa, vector, lanes)                                                                                 \
    __attribute__((target(isa), noinline)) static double name(void) {                                                  \
        enum { CHAINS = 12, REPEATS = 50000 };                                                                         \
        vector a[CHAINS], scale = (vector){0} + 0.999f + sink, shift = (vector){0} + 0.001f;                           \
        for (int c = 0; c < CHAINS; c++) a[c] = scale;                                                                 \
        const double start = processor_seconds();                                                                      \
        for (int r = 0; r < REPEATS; r++) {                                                                            \
            _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; c++) a[c] = a[c] * scale + shift;                     \
        }                                                                                                              \
        const double seconds = processor_seconds() - start;                                                            \
        for (int c = 0; c < CHAINS; c++) sink = a[c][0];                                                               \
        sink = 0;                                                                                                      \
        return (double)CHAINS * lanes * REPEATS / seconds;                                                             \
    }
PEAK(peak_sse2, "sse2", v4, 4)
PEAK(peak_avx2, "avx2,fma", v8, 8)
PEAK(peak_avx512, "avx512f", v16, 16)

static double peak(int level) {
    double best = 0;
    for (int trial = 0; trial < 8; trial++) {
        double rate = 0;
        if (level == 1) rate = peak_sse2();
        if (level == 2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) rate = peak_avx2();
        if (level == 3 && __builtin_cpu_supports("avx512f")) rate = peak_avx512();
        if (rate > best) best = rate;
    }
    return best;
}

/* Sums with the widest loads that the CPU has (built for this machine): eight of them fit the registers. */
#ifdef __AVX512F__
typedef v16 widest;
#elif defined __AVX__
typedef v8 widest;
#else
typedef v4 widest;
#endif
static double read_rate(size_t bytes) {
    const size_t count = bytes / sizeof(widest) / 8 * 8;
    widest *data = aligned_alloc(64, (count + 1) * sizeof(widest));
    memset(data, 0, (count + 1) * sizeof(widest));
    double best = 0;
    for (int trial = 0; trial < 6; trial++) {
        const size_t repeats = ((size_t)32 << 20) / bytes + 1;
        widest sum[8] = {{0}};
        const double start = processor_seconds();
        for (size_t r = 0; r < repeats; r++) {
            for (size_t i = 0; i < count; i += 8)
                for (size_t j = 0; j < 8; j++) sum[j] += data[i + j];
            __asm__ volatile("" ::: "memory");
        }
        const double rate = (double)(count * sizeof(widest) * repeats) / (processor_seconds() - start);
        for (int j = 0; j < 8; j++) sink = sum[j][0];
        if (rate > best) best = rate;
    }
    free(data);
    return best;
}

/* acc[8][48] += weights[terms][16, of which 8] * source[terms][48], as in Tile.swift. */
enum { UNITS = 8, VECTORS = 3, PANELS = 64, MAXIMUM_TERMS = 512 };
__attribute__((target("avx512f"), noinline)) static void tile(v16 *acc, const float *weights, const v16 *source, long terms) {
    v16 sums[UNITS][VECTORS];
    memcpy(sums, acc, sizeof sums);
    for (long k = 0; k < terms; k++) {
        __builtin_prefetch(weights + 128);
        _Pragma("GCC unroll 8") for (int u = 0; u < UNITS; u++)
            _Pragma("GCC unroll 3") for (int v = 0; v < VECTORS; v++) sums[u][v] += weights[u] * source[v];
        weights += 16;
        source += VECTORS;
    }
    memcpy(acc, sums, sizeof sums);
}

/* Each of 64 panels of weights in turn, more than the first-level cache holds. */
static double tile_rate(long terms) {
    if (!__builtin_cpu_supports("avx512f") || terms < 1 || terms > MAXIMUM_TERMS) return 0;
    const size_t line = 16 * sizeof(float);
    float *weights = aligned_alloc(64, ((size_t)(PANELS * terms) + 8) * line);
    v16 *source = aligned_alloc(64, (size_t)terms * VECTORS * sizeof(v16));
    v16 *acc = aligned_alloc(64, UNITS * VECTORS * sizeof(v16));
    for (long i = 0; i < (PANELS * terms + 8) * 16; i++) weights[i] = 1e-3f * (float)(i % 97 - 48);
    for (long i = 0; i < terms * VECTORS; i++) source[i] = (v16){0} + 1e-2f * (float)(i % 89 - 44);
    memset(acc, 0, UNITS * VECTORS * sizeof(v16));
    double best = 0;
    for (int trial = 0; trial < 8; trial++) {
        const long repeats = 200000 / (PANELS * terms) + 1;
        const double start = processor_seconds();
        for (long r = 0; r < repeats; r++)
            for (long p = 0; p < PANELS; p++) tile(acc, weights + p * terms * 16, source, terms);
        const double rate = (double)(UNITS * VECTORS * 16 * PANELS * terms * repeats) / (processor_seconds() - start);
        if (rate > best) best = rate;
    }
    sink = acc[0][0];
    sink = 0;
    free(weights);
    free(source);
    free(acc);
    return best;
}

int main(void) {
    char line[128];
    long number;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "peak %ld", &number) == 1)
            printf("%.6g\n", peak((int)number));
        else if (sscanf(line, "read %ld", &number) == 1)
            printf("%.6g\n", read_rate((size_t)number));
        else if (sscanf(line, "tile %ld", &number) == 1)
            printf("%.6g\n", tile_rate(number));
        else
            return fprintf(stderr, "no such command: %s", line), 1;
        fflush(stdout);
    }
    return 0;
}
