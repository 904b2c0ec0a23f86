/* One context for all rows gives the same bits as the same context repeated for each row. */
#include "support/call.h"

enum { ROWS = 70 };

static void check_verb(const flow_spec *spec, const flowrt_model *model, enum verb verb) {
    const size_t context_dim = spec->context_dim;
    for (size_t count = 1; count <= ROWS; count += count < 18 ? 1 : 13) {
        call repeated = call_new(model, verb, count, 31), shared = call_new(model, verb, count, 31);
        float *context = repeated.context;
        for (size_t i = 1; i < count; i++) memcpy(context + i * context_dim, context, context_dim * sizeof *context);
        shared.context_rows = 1;
        CHECK_STATUS(FLOWRT_OK, call_run(&repeated));
        CHECK_STATUS(FLOWRT_OK, call_run(&shared));
        char what[96];
        snprintf(what, sizeof what, "%s, %s, %zu rows", spec->name, verb_names[verb], count);
        if (verb != LOG_PROB) CHECK_SAME_BITS(what, repeated.output, shared.output, count * spec->dim);
        CHECK_SAME_BITS(what, repeated.log_output, shared.log_output, count);
        call_free(repeated);
        call_free(shared);
    }
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

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    if (spec->context_dim == 0) return;
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) check_verb(spec, model, verb);
    check_effect(spec, model);
}

int main(void) { for_each_flow(test); }
