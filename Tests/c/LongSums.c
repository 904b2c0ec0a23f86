/* log p of many coordinates is as accurate as that of one: 65536 terms against the same sum in
 * double precision; a plain float32 sum is off three hundred times as much. And a coordinate whose square overflows gives
 * minus infinity, never NaN. */
#include "support/call.h"
#include <math.h>

enum { DIM = 65536, ROWS = 5 };
static const double TOLERANCE = 1.2e-7; /* one unit in the last place */

/* log p of a row under a standard normal. */
static double log_normal(const float *z) {
    double sum = -0.5 * DIM * log(2 * acos(-1.0));
    for (size_t i = 0; i < DIM; i++) sum -= 0.5 * (double)z[i] * (double)z[i];
    return sum;
}

static void check_rows(const flowrt_model *model, enum verb verb, size_t count) {
    call c = call_new(model, verb, count, 77);
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    const float *rows = verb == SAMPLE ? c.output : c.input;
    for (size_t i = 0; i < count; i++) {
        const double expected = log_normal(rows + i * DIM), found = (double)c.log_output[i];
        CHECK(fabs(found - expected) <= TOLERANCE * fabs(expected), "%s, row %zu of %zu: %.9g, not %.9g", verb_names[verb],
              i, count, found, expected);
    }
    call_free(c);
}

static void check_overflow(const flowrt_model *model, size_t count, float value) {
    call c = call_new(model, LOG_PROB, count, 78);
    c.input[(count - 1) * DIM + 1000] = value;
    CHECK_STATUS(FLOWRT_ERR_NONFINITE, call_run(&c));
    for (size_t i = 0; i + 1 < count; i++) CHECK(isfinite(c.log_output[i]), "row %zu: %g", i, (double)c.log_output[i]);
    const float last = c.log_output[count - 1];
    CHECK(isinf(last) && last < 0, "log p of a row with %g: %g", (double)value, (double)last);
    call_free(c);
}

/* The log_det of a diagonal or linear step counts with all its bits: six times 0.1, and six times less by the float that is
 * nearest to it. */
static void check_constants(void) {
    flow_spec spec = {"constants", 2, 0, {{0}}};
    enum { STEPS = 12 };
    for (int i = 0; i < STEPS; i++) spec.steps[i] = (step_spec){.kind = RECORD_DIAGONAL};
    const flow_file file = flow_build(&spec, 1);
    const double exact = 0.1, nearest = -(double)0.1f;
    for (size_t i = 0; i < STEPS; i++) memcpy(file.bytes + 64 * (1 + i) + 8, i % 2 ? &nearest : &exact, sizeof exact);
    const double expected = STEPS / 2 * (exact + nearest);
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    for (enum verb verb = FORWARD; verb <= INVERSE; verb++)
        for (size_t count = 1; count <= ROWS; count += ROWS - 1) {
            call c = call_new(&model, verb, count, 79);
            CHECK_STATUS(FLOWRT_OK, call_run(&c));
            const double found = (verb == FORWARD ? 1 : -1) * (double)c.log_output[count - 1];
            CHECK(fabs(found - expected) <= 1e-3 * fabs(expected), "%s: %g, not %g", verb_names[verb], found, expected);
            call_free(c);
        }
    flow_free(file);
}

int main(void) {
    check_constants();
    const flow_spec spec = {"long", DIM, 0, {{0}}};
    const flow_file file = flow_build(&spec, 1);
    for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
        flowrt_model model;
        if (!flow_open_level(&model, file, level)) continue;
        for (size_t count = 1; count <= ROWS; count += ROWS - 1) {
            check_rows(&model, LOG_PROB, count);
            check_rows(&model, SAMPLE, count);
            check_overflow(&model, count, 1e30f);
            check_overflow(&model, count, -INFINITY);
        }
    }
    flow_free(file);
}
