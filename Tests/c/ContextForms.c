/* One context for each row, one for all, or each of some for as many rows: the same bits. Row i of `count` rows with m
 * contexts has context i / (count / m), as if each context had a call of its own. */
#include "support/call.h"
#include <math.h>
#include <stdlib.h>

enum { ROWS = 70 };
static size_t stride = 1; /* ContextForms [STRIDE]: every so many of the counts */

static void compare(const char *what, const flow_spec *spec, call expected, call found) {
    if (expected.verb != LOG_PROB) CHECK_SAME_BITS(what, expected.output, found.output, expected.count * spec->dim);
    CHECK_SAME_BITS(what, expected.log_output, found.log_output, expected.count);
}

/* Calls of `count` rows with `contexts` contexts, against one with a context for each row, in workspaces of every tile
 * size. */
static void check_contexts(const flow_spec *spec, const flowrt_model *model, enum verb verb, size_t count,
                           size_t contexts) {
    const size_t width = spec->context_dim;
    call repeated = call_new(model, verb, count, 31), grouped = call_new(model, verb, count, 31);
    for (size_t i = 0; i < count; i++)
        memcpy(repeated.context + i * width, grouped.context + i / (count / contexts) * width, width * sizeof(float));
    CHECK_STATUS(FLOWRT_OK, call_run(&repeated));
    grouped.context_rows = contexts;
    for (size_t tile = 1; tile <= 64; tile += 16 - tile % 16) { /* 1, 16, 32, 48, 64 */
        grouped.workspace_size = flowrt_workspace_size(model, tile < count ? tile : count);
        grouped.rng.index = 5;
        CHECK_STATUS(FLOWRT_OK, call_run(&grouped));
        char what[128];
        snprintf(what, sizeof what, "%s, %s, %zu rows of %zu contexts, tiles of %zu", spec->name, verb_names[verb],
                 count, contexts, tile);
        compare(what, spec, repeated, grouped);
    }
    CHECK(verb != SAMPLE || grouped.rng.index == 5 + count, "%s: index", spec->name);
    call_free(repeated);
    call_free(grouped);
}

/* And the context matters: another one gives another result. */
static void check_effect(const flow_spec *spec, const flowrt_model *model) {
    call c = call_new(model, LOG_PROB, 1, 31);
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    const float before = c.log_output[0];
    c.context[spec->context_dim - 1] += 1.0f;
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    CHECK(bits_of(before) != bits_of(c.log_output[0]), "%s: %g whatever the context", spec->name, (double)before);
    call_free(c);
}

/* A context that is NaN is reported, although the rows of the next one are finite. */
static void check_status(const flow_spec *spec, const flowrt_model *model) {
    call c = call_new(model, LOG_PROB, 40, 31);
    c.context_rows = 2;
    c.context[0] = NAN;
    CHECK_STATUS(FLOWRT_ERR_NONFINITE, call_run(&c));
    CHECK(isnan(c.log_output[19]) && isfinite(c.log_output[20]), "%s: %g, %g", spec->name, (double)c.log_output[19],
          (double)c.log_output[20]);
    call_free(c);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    if (spec->context_dim == 0) return;
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        for (size_t count = 1; count <= ROWS; count += count < 18 ? stride : 13 * stride)
            check_contexts(spec, model, verb, count, 1);
        for (size_t each = 2; each <= 51; each += each < 18 ? stride : 11 * stride)
            for (size_t contexts = 2; contexts * each <= 2 * ROWS; contexts += contexts < 4 ? 1 : 13 * stride)
                check_contexts(spec, model, verb, contexts * each, contexts);
    }
    check_effect(spec, model);
    check_status(spec, model);
}

int main(int argc, char **argv) {
    if (argc > 1) stride = strtoul(argv[1], NULL, 10);
    for_each_flow(test);
}
