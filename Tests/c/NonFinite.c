/* A row with a NaN or an infinity is reported, and never changes another row. */
#include "support/call.h"
#include <math.h>

enum { ROWS = 61 };

static void check_bad_row(const flow_spec *spec, const flowrt_model *model, verb verb, size_t bad_row, float bad) {
    const size_t dim = spec->dim;
    call good = call_new(model, verb, ROWS, 41), mixed = call_new(model, verb, ROWS, 41);
    CHECK_STATUS(FLOWRT_OK, call_run(&good));
    ((float *)mixed.input)[bad_row * dim + dim / 2] = bad;
    memset(mixed.output, 0x55, ROWS * dim * sizeof(float));
    memset(mixed.log_output, 0x55, ROWS * sizeof(float));
    CHECK_STATUS(FLOWRT_ERR_NONFINITE, call_run(&mixed));

    int finite = isfinite(mixed.log_output[bad_row]) != 0;
    for (size_t j = 0; verb != LOG_PROB && j < dim; j++) finite &= isfinite(mixed.output[bad_row * dim + j]) != 0;
    CHECK(!finite, "%s, %s: row %zu holds %g and its result is finite", spec->name, verb_names[verb], bad_row,
          (double)bad);
    for (size_t i = 0; i < ROWS; i++) {
        if (i == bad_row) continue;
        char what[128];
        snprintf(what, sizeof what, "%s, %s: %g in row %zu, result of row %zu", spec->name, verb_names[verb],
                 (double)bad, bad_row, i);
        if (verb != LOG_PROB) CHECK_SAME_BITS(what, good.output + i * dim, mixed.output + i * dim, dim);
        CHECK_SAME_BITS(what, good.log_output + i, mixed.log_output + i, 1);
    }
    call_free(good);
    call_free(mixed);
}

/* A NaN in one row's context, too; sample has no other way to a bad row. */
static void check_bad_context(const flow_spec *spec, const flowrt_model *model, verb verb, size_t bad_row) {
    call good = call_new(model, verb, ROWS, 42), mixed = call_new(model, verb, ROWS, 42);
    CHECK_STATUS(FLOWRT_OK, call_run(&good));
    ((float *)mixed.context)[bad_row * spec->context_dim] = NAN;
    CHECK_STATUS(FLOWRT_ERR_NONFINITE, call_run(&mixed));
    CHECK(verb != SAMPLE || mixed.rng.index == 5 + ROWS, "%s: index %llu", spec->name,
          (unsigned long long)mixed.rng.index);
    for (size_t i = 0; i < ROWS; i++)
        if (i != bad_row) CHECK_SAME_BITS(spec->name, good.log_output + i, mixed.log_output + i, 1);
    call_free(good);
    call_free(mixed);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const size_t rows[] = {0, 7, 31, ROWS - 1};
    for (size_t r = 0; r < 4; r++) {
        for (size_t b = 0; b < 3; b++)
            for (verb verb = FORWARD; verb <= LOG_PROB; verb++) check_bad_row(spec, model, verb, rows[r], bad[b]);
        if (spec->context_dim)
            for (verb verb = 0; verb < VERB_COUNT; verb++) check_bad_context(spec, model, verb, rows[r]);
    }
}

int main(void) { for_each_flow(test); }
