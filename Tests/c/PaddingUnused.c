/* What a unit may not see has no influence on it: every word of the blocks that is padding (weights outside the visible
 * prefix, units that do not exist, ends of vectors) becomes a NaN, and all results keep their bits, in both tile shapes.
 * So a mask cannot leak, even from a file that was opened without FLOWRT_OPEN_VERIFY. */
#include "support/call.h"

/* Turns every zero word that a reader without FLOWRT_OPEN_VERIFY does not look at into a NaN. Integers it does look at: an
 * index or a degree of that size is refused. */
static size_t poison(flow_file file) {
    static const uint32_t nan = 0x7fc00000, zero = 0;
    const size_t metadata = strlen("{\"flowrt\":\"test\"}");
    uint32_t record_count;
    memcpy(&record_count, file.bytes + 36, sizeof record_count);
    size_t poisoned = 0;
    for (size_t at = 64 * (1 + (size_t)record_count); at + 4 <= file.size - metadata; at += 4) {
        flowrt_model model;
        if (memcmp(file.bytes + at, &zero, sizeof zero) != 0) continue;
        memcpy(file.bytes + at, &nan, sizeof nan);
        if (flowrt_model_open(&model, file.bytes, file.size, FLOWRT_OPEN_DEFAULT, NULL) == FLOWRT_OK)
            poisoned++;
        else
            memcpy(file.bytes + at, &zero, sizeof zero);
    }
    return poisoned;
}

static int has_matrix(const flow_spec *spec) {
    for (const step_spec *step = spec->steps; step < spec->steps + MAX_STEPS; step++)
        if (step->kind == RECORD_LINEAR || step->kind == RECORD_PIXELWISE_LINEAR) return 1; /* whose zeros are parameters */
    return 0;
}

int main(void) {
    static const size_t counts[] = {1, 3, 5, 49};
    size_t words = 0;
    for (size_t i = 0; i < flow_case_count; i++) {
        const flow_spec *spec = &flow_cases[i];
        if (has_matrix(spec)) continue;
        const flow_file clean = flow_build(spec, i), poisoned = flow_build(spec, i);
        words += poison(poisoned);
        for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
            flowrt_model model, other;
            if (!flow_open_level(&model, clean, level)) continue;
            CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&other, poisoned.bytes, poisoned.size, FLOWRT_OPEN_LEVEL(level), NULL));
            for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
                for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
                    call expected = call_new(&model, verb, counts[k], 3), found = call_new(&other, verb, counts[k], 3);
                    CHECK_STATUS(FLOWRT_OK, call_run(&expected));
                    CHECK_STATUS(FLOWRT_OK, call_run(&found));
                    if (verb != LOG_PROB)
                        CHECK_SAME_BITS(spec->name, expected.output, found.output, counts[k] * spec->dim);
                    CHECK_SAME_BITS(spec->name, expected.log_output, found.log_output, counts[k]);
                    call_free(expected);
                    call_free(found);
                }
        }
        flow_free(clean);
        flow_free(poisoned);
    }
    CHECK(words > 10000, "%zu words of padding", words);
    printf("%zu words of padding are not used\n", words);
}
