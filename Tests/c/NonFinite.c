/* Any float may stand in an input and in a context: NaN, infinities, denormals, the largest. The status says whether all
 * that was written is finite; every output is written; and no other row's result changes by a bit. (A log p of minus
 * infinity is no error where the support of the flow is bounded, so alone it may have either status; LongSums has the case
 * where it is one.) */
#include "support/call.h"
#include <float.h>
#include <math.h>

enum { ROWS = 109, UNWRITTEN = 0x55555555 };
static const float strange[] = {NAN,   -NAN,    INFINITY,  -INFINITY, FLT_MAX, -FLT_MAX, 1e38f,      -1e38f,
                                1e19f, -1e19f, FLT_MIN, 1e-40f,    -1e-40f, FLT_TRUE_MIN, -0.0f, 88.8f};
enum { STRANGE = sizeof strange / sizeof *strange };
static size_t stride = 1; /* NonFinite [STRIDE]: every so many columns */

static void forget_outputs(call *c, size_t dim) {
    const uint32_t word = UNWRITTEN;
    for (size_t i = 0; i < ROWS * dim; i++) memcpy(c->output + i, &word, sizeof word);
    for (size_t i = 0; i < ROWS; i++) memcpy(c->log_output + i, &word, sizeof word);
}

/* Outputs of a row that are not finite; all of them must have been written. */
static int nonfinite_values(const call *c, size_t dim, size_t row, const char *what) {
    int count = !isfinite(c->log_output[row]);
    CHECK(bits_of(c->log_output[row]) != UNWRITTEN, "%s: the log output of row %zu was not written", what, row);
    for (size_t j = 0; c->verb != LOG_PROB && j < dim; j++) {
        CHECK(bits_of(c->output[row * dim + j]) != UNWRITTEN, "%s: row %zu was not written", what, row);
        count += !isfinite(c->output[row * dim + j]);
    }
    return count;
}

/* `at` is the value of `mixed` that becomes strange, in bad_row; `good` has the results without it. */
static void check_value(const flow_spec *spec, const call *good, call *mixed, float *at, size_t bad_row, float value) {
    char what[128];
    snprintf(what, sizeof what, "%s, %s, %g in row %zu", spec->name, verb_names[good->verb], (double)value, bad_row);
    const float kept = *at;
    *at = value;
    forget_outputs(mixed, spec->dim);
    mixed->rng = (flowrt_rng){41, 3, 5};
    const flowrt_status status = call_run(mixed);
    *at = kept;

    int nonfinite = 0, impossible = 0;
    for (size_t i = 0; i < ROWS; i++) {
        nonfinite += nonfinite_values(mixed, spec->dim, i, what);
        impossible += mixed->verb == LOG_PROB && isinf(mixed->log_output[i]) && mixed->log_output[i] < 0;
    }
    if (nonfinite == 0 || nonfinite > impossible)
        CHECK(status == (nonfinite ? FLOWRT_ERR_NONFINITE : FLOWRT_OK), "%s: %d values are not finite, and the status is %s",
              what, nonfinite, status_name(status));
    else
        CHECK(status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE, "%s: %s", what, status_name(status));
    CHECK(mixed->verb != SAMPLE || mixed->rng.index == 5 + ROWS, "%s: index %llu", what,
          (unsigned long long)mixed->rng.index);
    if (isnan(value)) CHECK(nonfinite_values(mixed, spec->dim, bad_row, what) > 0, "%s: the result is finite", what);
    if (isnan(value) && mixed->verb == LOG_PROB)
        CHECK(isnan(mixed->log_output[bad_row]), "%s: log p is %g", what, (double)mixed->log_output[bad_row]);
    for (size_t i = 0; i < ROWS; i++) {
        if (i == bad_row) continue;
        if (mixed->verb != LOG_PROB)
            CHECK_SAME_BITS(what, good->output + i * spec->dim, mixed->output + i * spec->dim, spec->dim);
        CHECK_SAME_BITS(what, good->log_output + i, mixed->log_output + i, 1);
    }
}

/* Every strange value in every column of `rows` (input or context), in one row or another. */
static void check_array(const flow_spec *spec, const call *good, call *mixed, float *rows, size_t columns) {
    static const size_t bad_rows[] = {0, 7, 47, 48, 95, 96, ROWS - 1};
    for (size_t j = 0; j < columns; j += stride)
        for (size_t k = 0; k < STRANGE; k++) {
            const size_t row = bad_rows[(j + k) % (sizeof bad_rows / sizeof *bad_rows)];
            check_value(spec, good, mixed, rows + row * columns + j, row, strange[k]);
        }
}

/* A NaN is no answer, not even where the rest of its row is outside of every support. */
static void check_nan_outside(const flow_spec *spec, call *mixed, size_t row) {
    float *const x = mixed->input + row * spec->dim, *const kept = malloc(spec->dim * sizeof *kept);
    memcpy(kept, x, spec->dim * sizeof *x);
    for (size_t j = 0; j < spec->dim; j += stride) {
        for (size_t i = 0; i < spec->dim; i++) x[i] = i == j ? NAN : 1e30f;
        CHECK_STATUS(FLOWRT_ERR_NONFINITE, call_run(mixed));
        CHECK(isnan(mixed->log_output[row]), "%s: NaN at %zu of row %zu and the rest at 1e30 has log p = %g", spec->name, j,
              row, (double)mixed->log_output[row]);
    }
    memcpy(x, kept, spec->dim * sizeof *x);
    free(kept);
}

/* Nor is it one in a context, which no pooling may lose: a NaN is larger than all other numbers. */
static void check_nan_context(const flow_spec *spec, call *mixed, size_t row) {
    for (size_t j = 0; j < spec->context_dim; j += stride) {
        float *const value = mixed->context + row * spec->context_dim + j, kept = *value;
        *value = NAN;
        CHECK_STATUS(FLOWRT_ERR_NONFINITE, call_run(mixed));
        CHECK(isnan(mixed->log_output[row]), "%s: NaN at %zu of context %zu has log p = %g", spec->name, j, row,
              (double)mixed->log_output[row]);
        *value = kept;
    }
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        call good = call_new(model, verb, ROWS, 41), mixed = call_new(model, verb, ROWS, 41);
        CHECK_STATUS(FLOWRT_OK, call_run(&good));
        if (verb != SAMPLE) check_array(spec, &good, &mixed, mixed.input, spec->dim);
        if (spec->context_dim) check_array(spec, &good, &mixed, mixed.context, spec->context_dim);
        if (verb == LOG_PROB) check_nan_outside(spec, &mixed, 3), check_nan_outside(spec, &mixed, ROWS - 1);
        if (verb == LOG_PROB && flow_has_planes(spec)) check_nan_context(spec, &mixed, 3);
        call_free(good);
        call_free(mixed);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) stride = strtoul(argv[1], NULL, 10);
    for_each_flow(test);
}
