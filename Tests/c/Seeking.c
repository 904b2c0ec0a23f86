/* A draw is a function of (seed, stream, index): sampling from the middle of a stream gives the draws that stand there,
 * and other numbers give other draws. */
#include "support/call.h"

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    enum { ROWS = 40 };
    call whole = call_new(model, SAMPLE, ROWS, 73), part = call_new(model, SAMPLE, ROWS, 73);
    whole.context_rows = part.context_rows = spec->context_dim != 0;
    CHECK_STATUS(FLOWRT_OK, call_run(&whole));
    CHECK(whole.rng.index == part.rng.index + ROWS, "%s: index %llu", spec->name, (unsigned long long)whole.rng.index);
    const flowrt_rng start = part.rng;
    const size_t dim = spec->dim, skipped = 17;
    part.rng.index += skipped;
    part.count = ROWS - skipped;
    CHECK_STATUS(FLOWRT_OK, call_run(&part));
    CHECK_SAME_BITS(spec->name, whole.output + skipped * dim, part.output, (ROWS - skipped) * dim);
    CHECK_SAME_BITS(spec->name, whole.log_output + skipped, part.log_output, ROWS - skipped);

    const flowrt_rng others[] = {{start.seed + 1, start.stream, start.index},
                                 {start.seed, start.stream + 1, start.index},
                                 {start.seed, start.stream, start.index + 1},
                                 {start.stream, start.seed, start.index},
                                 {start.seed, start.stream, start.index + (UINT64_C(1) << 32)}};
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        part.rng = others[k];
        CHECK_STATUS(FLOWRT_OK, call_run(&part));
        size_t equal = 0;
        for (size_t i = 0; i < part.count * dim; i++) equal += bits_of(part.output[i]) == bits_of(whole.output[i]);
        CHECK(equal == 0, "%s: %zu equal values with other numbers (%zu)", spec->name, equal, k);
    }
    call_free(whole);
    call_free(part);
}

int main(void) { for_each_flow(test); }
