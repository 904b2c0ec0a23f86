/* The noise is what docs/SAMPLING.md defines: Philox4x32-10, checked against the known answers of its authors, then
 * Box-Muller, here in double precision. */
#include "support/call.h"
#include "support/philox.h"

static void check_known_answers(void) {
    static const uint32_t answers[3][10] = {
        /* counter, key, words */
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6,
         0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420,
         0x24126ea1},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t word[4];
        philox(answers[i], answers[i] + 4, word);
        CHECK(memcmp(word, answers[i] + 6, sizeof word) == 0, "known answer %d: %08x %08x %08x %08x", i, word[0],
              word[1], word[2], word[3]);
    }
}

static void check_rows(const flow_spec *spec, const flowrt_model *model, flowrt_rng rng, size_t count) {
    call c = call_new(model, SAMPLE, count, 0);
    c.rng = rng;
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    CHECK(c.rng.index == rng.index + count && c.rng.seed == rng.seed && c.rng.stream == rng.stream,
          "%s: the generator after %zu draws", spec->name, count);
    for (size_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < spec->dim; j++) {
            const double expected = noise(rng.seed, rng.stream, rng.index + i, j);
            const double found = (double)c.output[i * spec->dim + j];
            CHECK(fabs(found - expected) <= 1e-6 + 4e-7 * fabs(expected),
                  "%s: seed %llu, stream %llu, index %llu, coordinate %u: expected %.9g, found %.9g", spec->name,
                  (unsigned long long)rng.seed, (unsigned long long)rng.stream, (unsigned long long)(rng.index + i), j,
                  expected, found);
        }
    call_free(c);
}

/* The same bits on every CPU, with fused multiply-add or without: in some 740 000 draws, of which a fused logarithm
 * changes about one in two thousand. FNV-1a over the 32-bit words. */
static void check_bits(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    enum { DRAWS = 20000 };
    const uint64_t expected = UINT64_C(0x10c0f463e7da5bee);
    call c = call_new(model, SAMPLE, DRAWS, 0);
    c.rng = (flowrt_rng){2026, 7, 11};
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < (size_t)DRAWS * spec->dim; i++) hash = (hash ^ bits_of(c.output[i])) * UINT64_C(0x100000001b3);
    CHECK(hash == expected, "%s, level %u: the noise has the hash %016llx", spec->name, level, (unsigned long long)hash);
    call_free(c);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    if (spec->steps[0].kind) return; /* a flow without steps samples its noise */
    const uint64_t values[] = {0, 1, 0xffffffffu, 0x100000000u, 0x123456789abcdefu, UINT64_MAX - 40};
    for (size_t s = 0; s < 6; s++)
        for (size_t t = 0; t < 6; t++)
            for (size_t k = 0; k < 6; k++) check_rows(spec, model, (flowrt_rng){values[s], values[t], values[k]}, 40);
    check_rows(spec, model, (flowrt_rng){1, 2, 3}, 20000);
    if (spec->dim == 37) check_bits(spec, model, level);
}

/* More coordinates than a vector of counters holds. */
static void check_long_rows(void) {
    const flow_spec spec = {"noise-150", 150, 0, {{0}}};
    const flow_file file = flow_build(&spec, 1);
    for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
        flowrt_model model;
        if (!flow_open_level(&model, file, level)) continue;
        check_rows(&spec, &model, (flowrt_rng){9, 8, 7}, 1);
        check_rows(&spec, &model, (flowrt_rng){9, 8, 7}, 50);
    }
    flow_free(file);
}

/* A flow without steps and with the unit box as its base samples the uniform noise, to the bit. */
static void check_uniform(void) {
    enum { DIM = 70, DRAWS = 50 };
    const flow_spec spec = {"box", DIM, 0, {{.kind = RECORD_BASE, .reads = BOX_UNIFORM}}};
    const flow_file file = flow_build(&spec, 1);
    const size_t block = (DIM * sizeof(float) + 63) / 64 * 64;
    for (size_t i = 0; i < DIM; i++) {
        const float lower = 0, upper = 1;
        memcpy(file.bytes + 128 + 4 * i, &lower, sizeof lower);
        memcpy(file.bytes + 128 + block + 4 * i, &upper, sizeof upper);
    }
    flow_seal(file);
    for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
        flowrt_model model;
        if (!flow_open_level(&model, file, level)) continue;
        for (size_t count = 1; count <= DRAWS; count += DRAWS - 1) {
            call c = call_new(&model, SAMPLE, count, 0);
            c.rng = (flowrt_rng){3, 4, UINT32_MAX - 20};
            CHECK_STATUS(FLOWRT_OK, call_run(&c));
            for (size_t i = 0; i < count; i++)
                for (uint32_t j = 0; j < DIM; j++) {
                    const float expected = uniform_noise(3, 4, UINT32_MAX - 20 + (uint64_t)i, j);
                    CHECK_SAME_BITS("uniform noise", &expected, c.output + i * DIM + j, 1);
                }
            call_free(c);
        }
    }
    flow_free(file);
}

int main(void) {
    check_known_answers();
    check_uniform();
    check_long_rows();
    for_each_flow(test);
}
