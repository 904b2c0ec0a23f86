/* flowrt_log_prob_gradient: the gradient is that of flowrt_log_prob, by central differences; the same bits in every split of the
 * batch and every workspace; a bad row changes no other; nothing outside of the buffers; every wrong call has a status. (Python
 * compares with a float64 evaluator: python/tests/test_gradient.py.) */
#include "support/call.h"
#include "support/guarded.h"
#include <math.h>

enum { ROWS = 67 };

/* Outputs of one call. */
typedef struct gradients {
    float *log_prob, *x, *context; /* context NULL if the model takes none */
} gradients;

static gradients gradients_new(const flowrt_model_info *info, size_t rows) {
    return (gradients){must_allocate(rows * sizeof(float)), must_allocate(rows * info->dim * sizeof(float)),
                       info->context_dim ? must_allocate(rows * info->context_dim * sizeof(float)) : NULL};
}
static void gradients_free(gradients g) {
    free(g.log_prob);
    free(g.x);
    free(g.context);
}

/* The rows first .. first + count - 1 of c, into those of g. */
static flowrt_status run(const call *c, size_t first, size_t count, gradients g, void *workspace, size_t size) {
    const flowrt_model_info info = info_of(c->model);
    const float *context = c->context && c->context_rows > 1 ? c->context + first * info.context_dim : c->context;
    return flowrt_log_prob_gradient(c->model, count, c->input + first * info.dim, context,
                                    c->context_rows > 1 ? count : c->context_rows, g.log_prob + first,
                                    g.x + first * info.dim, g.context ? g.context + first * info.context_dim : NULL,
                                    workspace, size);
}

static int refused;

/* Whether the model has a gradient; if not, nothing may be written, and only for the reasons that the header gives. */
static int has_gradient(const flow_spec *spec, const call *c, uint32_t level) {
    const flowrt_model_info info = info_of(c->model);
    const size_t size = flowrt_gradient_workspace_size(c->model, 1);
    void *workspace = must_allocate(size);
    gradients g = gradients_new(&info, 1);
    g.log_prob[0] = 17;
    const flowrt_status status = run(c, 0, 1, g, workspace, size);
    int expected = 1;
    for (int i = 0; i < MAX_STEPS; i++)
        if (spec->steps[i].kind == RECORD_AUTOREGRESSIVE && spec->steps[i].transformer == SPLINE &&
            spec->steps[i].form >> 7 >= QUADRATIC_PIECES)
            expected = 0;
    if (flow_has_planes(spec)) expected = 0;
    if (info.cpu_level == 1 && !level_has_fma(level) && status == FLOWRT_ERR_GRADIENT) expected = 0;
    CHECK((status == FLOWRT_ERR_GRADIENT) == !expected, "%s: %s", spec->name, status_name(status));
    if (!expected) CHECK(bits_of(g.log_prob[0]) == bits_of(17), "%s: a refused call wrote", spec->name);
    gradients_free(g);
    free(workspace);
    return expected;
}

/* log p of all rows with one value of each moved by step. */
static void moved(const call *c, float *values, size_t width, size_t column, float step, float *log_prob) {
    float *kept = must_allocate(c->count * sizeof *kept);
    for (size_t row = 0; row < c->count; row++) {
        kept[row] = values[row * width + column];
        values[row * width + column] += step;
    }
    CHECK(flowrt_log_prob(c->model, c->count, c->input, c->context, c->context_rows, log_prob, c->workspace,
                          c->workspace_size) == FLOWRT_OK,
          "log_prob of moved rows");
    for (size_t row = 0; row < c->count; row++) values[row * width + column] = kept[row];
    free(kept);
}

/* At least 1. (In a function of its own: gcc 12 for aarch64 ends with an internal error where this is inlined.) */
static __attribute__((noinline)) double largest_of(const float *values, size_t count) {
    double largest = 1;
    for (size_t i = 0; i < count; i++)
        if (fabs((double)values[i]) > largest) largest = fabs((double)values[i]);
    return largest;
}

/* Central differences in float32 tell a gradient to a few percent of the row's largest one. Where a kink or a knot lies far from the
 * middle of the steps, two step sizes differ, and that value is passed over; most are not. Where one lies in the middle, both are a
 * mean of its sides: one value in twenty may differ. */
static void check_differences(const char *name, const char *what, const call *c, float *values, size_t width,
                              const float *gradient) {
    float *at[4];
    for (int i = 0; i < 4; i++) at[i] = must_allocate(c->count * sizeof(float));
    size_t compared = 0, different = 0;
    for (size_t column = 0; column < width; column++) {
        static const float steps[] = {0.02f, -0.02f, 0.01f, -0.01f};
        for (int i = 0; i < 4; i++) moved(c, values, width, column, steps[i], at[i]);
        for (size_t row = 0; row < c->count; row++) {
            const double largest = largest_of(gradient + row * width, width);
            const double wide = ((double)at[0][row] - (double)at[1][row]) / 0.04,
                         narrow = ((double)at[2][row] - (double)at[3][row]) / 0.02;
            const double tolerance = 0.02 * largest + 2e-4 * (1 + fabs((double)at[0][row]));
            if (!(fabs(wide - narrow) < tolerance)) continue;
            compared++;
            const double found = (double)gradient[row * width + column];
            if (fabs(found - narrow) <= 2 * tolerance) continue;
            different++;
            CHECK(different * 20 <= c->count * width, "%s: by %s %zu of row %zu: %g, by differences %g; %zu differ", name,
                  what, column, row, found, narrow, different);
        }
    }
    CHECK(compared * 2 > c->count * width, "%s: %zu of %zu compared", name, compared, c->count * width);
    for (int i = 0; i < 4; i++) free(at[i]);
}

static void check_splits(const char *name, const call *c, const flowrt_model_info *info, gradients whole) {
    const size_t smallest = flowrt_gradient_workspace_size(c->model, 1),
                 full = flowrt_gradient_workspace_size(c->model, SIZE_MAX);
    gradients g = gradients_new(info, c->count);
    random_source random = {5};
    void *workspace = must_allocate(full);
    for (int split = 0; split < 6; split++) {
        for (size_t first = 0, count; first < c->count; first += count) {
            count = split == 0 ? 1 : split == 1 ? c->count : 1 + random_below(&random, split % 2 ? 8 : 60);
            if (count > c->count - first) count = c->count - first;
            const size_t size = split < 2 ? smallest : smallest + random_below(&random, (uint32_t)(full - smallest) + 1);
            CHECK_STATUS(FLOWRT_OK, run(c, first, count, g, workspace, size));
        }
        CHECK_SAME_BITS(name, whole.log_prob, g.log_prob, c->count);
        CHECK_SAME_BITS(name, whole.x, g.x, c->count * info->dim);
        if (g.context) CHECK_SAME_BITS(name, whole.context, g.context, c->count * info->context_dim);
    }
    CHECK_STATUS(FLOWRT_ERR_WORKSPACE, run(c, 0, 1, g, workspace, smallest - 1));
    free(workspace);
    gradients_free(g);
}

/* A shared context gives what the same context repeated gives, with and without the gradient by it. */
static void check_shared(const char *name, call c, const flowrt_model_info *info, void *workspace, size_t size) {
    if (!info->context_dim) return;
    for (size_t row = 1; row < c.count; row++)
        memcpy(c.context + row * info->context_dim, c.context, info->context_dim * sizeof(float));
    gradients repeated = gradients_new(info, c.count), shared = gradients_new(info, c.count);
    CHECK_STATUS(FLOWRT_OK, run(&c, 0, c.count, repeated, workspace, size));
    c.context_rows = 1;
    CHECK_STATUS(FLOWRT_OK, run(&c, 0, c.count, shared, workspace, size));
    CHECK_SAME_BITS(name, repeated.x, shared.x, c.count * info->dim);
    CHECK_SAME_BITS(name, repeated.context, shared.context, c.count * info->context_dim);
    gradients x_alone = {shared.log_prob, shared.x, NULL};
    memset(shared.x, 0, c.count * info->dim * sizeof(float));
    CHECK_STATUS(FLOWRT_OK, run(&c, 0, c.count, x_alone, workspace, size));
    CHECK_SAME_BITS(name, repeated.x, shared.x, c.count * info->dim);
    gradients_free(repeated);
    gradients_free(shared);
}

/* A row with a NaN has NaNs; all others keep their bits. */
static void check_bad_row(const char *name, const call *c, const flowrt_model_info *info, gradients whole,
                          void *workspace, size_t size) {
    gradients g = gradients_new(info, c->count);
    const size_t bad = 20;
    const float kept = c->input[bad * info->dim];
    c->input[bad * info->dim] = NAN;
    CHECK_STATUS(FLOWRT_ERR_NONFINITE, run(c, 0, c->count, g, workspace, size));
    c->input[bad * info->dim] = kept;
    for (size_t row = 0; row < c->count; row++)
        for (size_t i = 0; i < info->dim; i++) {
            const float found = g.x[row * info->dim + i];
            if (row == bad)
                CHECK(isnan(found), "%s: %g in the row with a NaN", name, (double)found);
            else
                CHECK(bits_of(found) == bits_of(whole.x[row * info->dim + i]), "%s: row %zu changed", name, row);
        }
    gradients_free(g);
}

/* Each buffer ends at an inaccessible page, and so does the workspace. */
static void check_guard_pages(const call *c, const flowrt_model_info *info, gradients whole, const char *name) {
    static const size_t counts[] = {1, 15, 33, 64, ROWS};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const size_t rows = counts[i], size = flowrt_gradient_workspace_size(c->model, rows), floats = sizeof(float);
        guarded x = guarded_map(rows * info->dim * floats), context = guarded_map(rows * info->context_dim * floats),
                log_prob = guarded_map(rows * floats), by_x = guarded_map(rows * info->dim * floats),
                by_context = guarded_map(rows * info->context_dim * floats), workspace = guarded_map(size);
        float *x_rows = guarded_last(x, rows * info->dim * floats, floats);
        memcpy(x_rows, c->input, rows * info->dim * floats);
        float *contexts = guarded_last(context, rows * info->context_dim * floats, floats);
        if (info->context_dim) memcpy(contexts, c->context, rows * info->context_dim * floats);
        guarded_allow(x, PROT_READ);
        guarded_allow(context, PROT_READ);
        float *found = guarded_last(by_x, rows * info->dim * floats, floats);
        canary_fill(workspace);
        void *scratch = guarded_last(workspace, size, FLOWRT_ALIGNMENT);
        CHECK_STATUS(FLOWRT_OK,
                     flowrt_log_prob_gradient(
                         c->model, rows, x_rows, info->context_dim ? contexts : NULL, info->context_dim ? rows : 0,
                         guarded_last(log_prob, rows * floats, floats), found,
                         info->context_dim ? guarded_last(by_context, rows * info->context_dim * floats, floats) : NULL,
                         scratch, size));
        canary_check(name, workspace, scratch, size);
        CHECK_SAME_BITS(name, whole.x, found, rows * info->dim);
        const guarded all[] = {x, context, log_prob, by_x, by_context, workspace};
        for (int k = 0; k < 6; k++) guarded_unmap(all[k]);
    }
}

static void check_outputs(const char *name, const call *c, const flowrt_model_info *info, gradients whole,
                          void *workspace, size_t size) {
    gradients g = gradients_new(info, c->count);
    /* Each output alone. */
    CHECK_STATUS(FLOWRT_OK, flowrt_log_prob_gradient(c->model, c->count, c->input, c->context, c->context_rows, NULL,
                                                     g.x, NULL, workspace, size));
    CHECK_SAME_BITS(name, whole.x, g.x, c->count * info->dim);
    CHECK_STATUS(FLOWRT_OK, flowrt_log_prob_gradient(c->model, c->count, c->input, c->context, c->context_rows,
                                                     g.log_prob, NULL, NULL, workspace, size));
    CHECK_SAME_BITS(name, whole.log_prob, g.log_prob, c->count);
    if (g.context) {
        CHECK_STATUS(FLOWRT_OK, flowrt_log_prob_gradient(c->model, c->count, c->input, c->context, c->context_rows, NULL,
                                                         NULL, g.context, workspace, size));
        CHECK_SAME_BITS(name, whole.context, g.context, c->count * info->context_dim);
    } else
        CHECK_STATUS(FLOWRT_ERR_CONTEXT_UNUSED,
                     flowrt_log_prob_gradient(c->model, c->count, c->input, NULL, 0, NULL, g.x, g.log_prob, workspace, size));
    CHECK_STATUS(FLOWRT_ERR_NULL, flowrt_log_prob_gradient(c->model, c->count, c->input, c->context, c->context_rows, NULL,
                                                           NULL, NULL, workspace, size));
    if (info->dim > 1) /* one float further than the input */
        CHECK_STATUS(FLOWRT_ERR_OVERLAP,
                     flowrt_log_prob_gradient(c->model, c->count - 1, c->input, c->context,
                                              c->context_rows ? c->count - 1 : 0, NULL, c->input + 1, NULL, workspace, size));
    /* In place. */
    memcpy(g.x, c->input, c->count * info->dim * sizeof(float));
    CHECK_STATUS(FLOWRT_OK, flowrt_log_prob_gradient(c->model, c->count, g.x, c->context, c->context_rows, NULL, g.x, NULL,
                                                     workspace, size));
    CHECK_SAME_BITS(name, whole.x, g.x, c->count * info->dim);
    gradients_free(g);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    call c = call_new(model, LOG_PROB, ROWS, 3);
    const flowrt_model_info info = info_of(model);
    if (!has_gradient(spec, &c, level)) {
        refused++;
        call_free(c);
        return;
    }
    const size_t size = flowrt_gradient_workspace_size(model, ROWS);
    void *workspace = must_allocate(size);
    gradients g = gradients_new(&info, ROWS);
    CHECK_STATUS(FLOWRT_OK, run(&c, 0, ROWS, g, workspace, size));
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    CHECK_SAME_BITS(spec->name, c.log_output, g.log_prob, ROWS);
    check_differences(spec->name, "coordinate", &c, c.input, info.dim, g.x);
    if (g.context) check_differences(spec->name, "context", &c, c.context, info.context_dim, g.context);
    check_splits(spec->name, &c, &info, g);
    check_outputs(spec->name, &c, &info, g, workspace, size);
    check_bad_row(spec->name, &c, &info, g, workspace, size);
    check_guard_pages(&c, &info, g, spec->name);
    check_shared(spec->name, c, &info, workspace, size);
    gradients_free(g);
    free(workspace);
    call_free(c);
}

/* Outside of a box, log p is minus infinity and the gradient 0; a NaN there gives NaN. */
static void check_outside(void) {
    const flow_spec spec = {"box", 3, 0, {{.kind = RECORD_DIAGONAL}, {.kind = RECORD_BASE, .reads = BOX_UNIFORM}}};
    const flow_file file = flow_build(&spec, 1);
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    const size_t size = flowrt_gradient_workspace_size(&model, 2);
    void *workspace = must_allocate(size);
    float x[6] = {1e6f, 0, 0, 0, 0, 0}, by_x[6] = {1, 1, 1, 1, 1, 1}, log_prob[2];
    const flowrt_status status = flowrt_log_prob_gradient(&model, 2, x, NULL, 0, log_prob, by_x, NULL, workspace, size);
    if (status != FLOWRT_ERR_GRADIENT) {
        CHECK_STATUS(FLOWRT_OK, status);
        CHECK(isinf(log_prob[0]) && log_prob[0] < 0, "log p %g", (double)log_prob[0]);
        for (int i = 0; i < 6; i++) CHECK(fpclassify(by_x[i]) == FP_ZERO, "gradient %g", (double)by_x[i]);
        x[1] = NAN;
        CHECK_STATUS(FLOWRT_ERR_NONFINITE,
                     flowrt_log_prob_gradient(&model, 2, x, NULL, 0, log_prob, by_x, NULL, workspace, size));
        CHECK(isnan(log_prob[0]) && isnan(by_x[0]), "log p %g, gradient %g", (double)log_prob[0], (double)by_x[0]);
    }
    free(workspace);
    flow_free(file);
}

int main(void) {
    for_each_flow(test);
    check_outside();
    CHECK(refused > 0, "no flow was refused");
}
