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

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    if (spec->steps[0].kind) return; /* a flow without steps samples its noise */
    const uint64_t values[] = {0, 1, 0xffffffffu, 0x100000000u, 0x123456789abcdefu, UINT64_MAX - 40};
    for (size_t s = 0; s < 6; s++)
        for (size_t t = 0; t < 6; t++)
            for (size_t k = 0; k < 6; k++) check_rows(spec, model, (flowrt_rng){values[s], values[t], values[k]}, 40);
    check_rows(spec, model, (flowrt_rng){1, 2, 3}, 20000);
}

int main(void) {
    check_known_answers();
    for_each_flow(test);
}
