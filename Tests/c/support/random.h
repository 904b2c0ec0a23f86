/* Reproducible test data: the same floats on every machine. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct random_source {
    uint64_t state;
} random_source;

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t random_u64(random_source *source) {
    uint64_t z = source->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline uint32_t random_below(random_source *source, uint32_t bound) {
    return (uint32_t)((random_u64(source) >> 32) * bound >> 32);
}

/* Uniform in [-1, 1), a multiple of 2^-23. */
static inline float random_float(random_source *source) {
    return (float)(int32_t)(random_u64(source) >> 40) / 8388608.0f - 1.0f;
}

/* Bell-shaped in (-3, 3) with variance 1 and exact arithmetic: the sum of three uniforms. */
static inline float random_bell(random_source *source) {
    return random_float(source) + random_float(source) + random_float(source);
}

static inline void random_fill(random_source *source, float *values, size_t count) {
    for (size_t i = 0; i < count; i++) values[i] = random_bell(source);
}

#endif
