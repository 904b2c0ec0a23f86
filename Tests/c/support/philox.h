/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011) and the noise of docs/SAMPLING.md in double precision. */
#ifndef PHILOX_H
#define PHILOX_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t word[4]) {
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k[1],
                                  (uint32_t)a};
        memcpy(c, next, sizeof c);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    memcpy(word, c, sizeof c);
}

/* The four words from which the coordinates 4 k .. 4 k + 3 of draw `index` are made, k = coordinate / 4. */
static inline void noise_words(uint64_t seed, uint64_t stream, uint64_t index, uint32_t coordinate, uint32_t word[4]) {
    const uint32_t seed_key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    philox((const uint32_t[4]){(uint32_t)stream, (uint32_t)(stream >> 32), 0x776f6c66u, 0x00007472u}, seed_key, word);
    const uint32_t key[2] = {word[0], word[1]};
    philox((const uint32_t[4]){(uint32_t)index, (uint32_t)(index >> 32), coordinate / 4, 0}, key, word);
}

/* Coordinate `coordinate` of draw `index` of (seed, stream), standard normal. */
static inline double noise(uint64_t seed, uint64_t stream, uint64_t index, uint32_t coordinate) {
    uint32_t word[4];
    noise_words(seed, stream, index, coordinate, word);
    const uint32_t *pair = word + coordinate % 4 / 2 * 2;
    /* U and T are defined as float32 values. */
    const float u = (float)(pair[0] >> 1) * 0x1p-31f + 0x1p-32f, t = (float)(int32_t)pair[1] * 0x1p-32f;
    const double radius = sqrt(-2 * log((double)u)), angle = 2 * acos(-1.0) * (double)t;
    return radius * (coordinate % 2 ? sin(angle) : cos(angle));
}

/* The same, uniform in (0, 1): exact in float32. */
static inline float uniform_noise(uint64_t seed, uint64_t stream, uint64_t index, uint32_t coordinate) {
    uint32_t word[4];
    noise_words(seed, stream, index, coordinate, word);
    return (float)(word[coordinate % 4] >> 9) * 0x1p-23f + 0x1p-24f;
}

#endif
