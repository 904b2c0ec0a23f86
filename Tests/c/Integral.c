/* The densities of flows of one and two coordinates integrate to 1. */
#include "support/call.h"
#include <math.h>

enum { LINE = 4096, PLANE = 768 };
static const double REACH = 40;

/* Sum of exp(log_prob) over a grid of midpoints, times the area of a cell. */
static double integral(const flowrt_model *model, uint32_t dim, const float *context) {
    const size_t side = dim == 1 ? LINE : PLANE;
    const double cell = 2 * REACH / (double)side;
    float *x = must_allocate(side * dim * sizeof *x), *log_prob = must_allocate(side * sizeof *log_prob);
    const size_t workspace_size = flowrt_workspace_size(model, side);
    void *workspace = must_allocate(workspace_size);
    double sum = 0;
    for (size_t row = 0; row < (dim == 1 ? 1 : side); row++) {
        for (size_t i = 0; i < side; i++) {
            if (dim == 2) x[2 * i + 1] = (float)(((double)row + 0.5) * cell - REACH);
            x[dim * i] = (float)(((double)i + 0.5) * cell - REACH);
        }
        CHECK_STATUS(FLOWRT_OK,
                     flowrt_log_prob(model, side, x, context, context != NULL, log_prob, workspace, workspace_size));
        for (size_t i = 0; i < side; i++) sum += exp((double)log_prob[i]);
    }
    free(x);
    free(log_prob);
    free(workspace);
    return sum * (dim == 1 ? cell : cell * cell);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    if (spec->dim > 2) return;
    for (int k = 0; k < (spec->context_dim ? 3 : 1); k++) {
        const float context[2] = {0.5f * (float)k, 1.0f - (float)k};
        const double one = integral(model, spec->dim, spec->context_dim ? context : NULL);
        printf("level %u: %s: %.6f\n", level, spec->name, one);
        CHECK(fabs(one - 1) < 1e-3, "%s: the density integrates to %.6f", spec->name, one);
    }
}

int main(void) { for_each_flow(test); }
