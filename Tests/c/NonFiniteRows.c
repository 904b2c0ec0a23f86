/* flowrt_check.h: after FLOWRT_ERR_NONFINITE, the row and why: a broken sensor is not a far point. */
#include "support/call.h"
#include <flowrt_check.h>
#include <math.h>

enum { ROWS = 48, CONTEXTS = 16 };

static void expect(call c, size_t first, size_t row, flowrt_cause cause, const char *what) {
    flowrt_cause found;
    const size_t found_row =
        flowrt_nonfinite_row(c.model, c.count, first, c.verb == SAMPLE ? NULL : c.input, c.context, c.context_rows,
                             c.verb == LOG_PROB ? NULL : c.output, c.log_output, &found);
    CHECK(found_row == row && found == cause, "%s, %s: row %zu, %s", verb_names[c.verb], what, found_row,
          flowrt_cause_text(found));
    CHECK(flowrt_nonfinite_row(c.model, c.count, first, c.verb == SAMPLE ? NULL : c.input, c.context, c.context_rows,
                               c.verb == LOG_PROB ? NULL : c.output, c.log_output, NULL) == row, "%s", what);
}

static void test(const flowrt_model *model, enum verb verb) {
    const flowrt_model_info info = info_of(model);
    call c = call_new(model, verb, ROWS, 1);
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    expect(c, 0, ROWS, FLOWRT_CAUSE_NONE, "all finite");
    c.context_rows = CONTEXTS;
    c.context[5 * info.context_dim + 1] = INFINITY; /* of the rows 15, 16, 17 */
    if (verb != SAMPLE) {
        c.input[3 * info.dim + info.dim - 1] = NAN;   /* a broken sensor */
        c.input[9 * info.dim] = 3e38f;                /* a far point */
        c.input[16 * info.dim] = -INFINITY;           /* with a broken context, too */
    }
    c.rng.index = 5;
    CHECK_STATUS(FLOWRT_ERR_NONFINITE, call_run(&c));
    if (verb != SAMPLE) {
        expect(c, 0, 3, FLOWRT_CAUSE_INPUT, "a NaN");
        expect(c, 4, 9, FLOWRT_CAUSE_RANGE, "a far point");
        expect(c, 16, 16, FLOWRT_CAUSE_INPUT, "input and context");
    }
    expect(c, verb == SAMPLE ? 0 : 10, 15, FLOWRT_CAUSE_CONTEXT, "a context");
    expect(c, 17, 17, FLOWRT_CAUSE_CONTEXT, "the last row of the context");
    expect(c, 18, ROWS, FLOWRT_CAUSE_NONE, "the rest");
    expect(c, ROWS, ROWS, FLOWRT_CAUSE_NONE, "no rows");
    static const flowrt_model closed;
    c.model = &closed;
    expect(c, 0, ROWS, FLOWRT_CAUSE_NONE, "a model that is not open");
    call_free(c);
}

int main(void) {
    const flow_file file = flow_build(flow_case("mixed-directions"), 1);
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) test(&model, verb);

    const float numbers[] = {0, -3.4e38f, 1e-45f, NAN, -INFINITY, 1};
    CHECK(flowrt_first_nonfinite(numbers, 6) == 3 && flowrt_first_nonfinite(numbers + 4, 2) == 0, "first");
    CHECK(flowrt_first_nonfinite(numbers, 3) == 3 && flowrt_first_nonfinite(numbers, 0) == 0, "none");
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < a; b++)
            CHECK(strcmp(flowrt_cause_text((flowrt_cause)a), flowrt_cause_text((flowrt_cause)b)) != 0, "%d, %d", a, b);
    CHECK(flowrt_cpu_lacks() == NULL, "this CPU lacks %s", flowrt_cpu_lacks());
    flow_free(file);
}
