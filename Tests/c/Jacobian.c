/* log_det is the logarithm of the determinant of the Jacobian matrix, against finite differences in both directions. */
#include "support/call.h"
#include <math.h>

enum { ROWS = 60, MOST_COORDINATES = 8 };

static int has_spline(const flow_spec *spec) {
    for (const step_spec *step = spec->steps; step->kind; step++)
        if (step->kind == RECORD_AUTOREGRESSIVE && step->transformer == SPLINE) return 1;
    return 0;
}

/* Derivatives of a spline jump at its knots: a short step is near fewer of them, and is less exact. */
static float step_of(const flow_spec *spec) { return has_spline(spec) ? 1.0f / 256 : 1.0f / 32; }

/* Relative. */
static double tolerance(const flow_spec *spec) { return has_spline(spec) ? 2e-2 : 1e-3; }

/* log|det| by Gaussian elimination with partial pivoting. */
static double log_abs_det(double m[MOST_COORDINATES][MOST_COORDINATES], size_t n) {
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        size_t pivot = k;
        for (size_t i = k + 1; i < n; i++)
            if (fabs(m[i][k]) > fabs(m[pivot][k])) pivot = i;
        for (size_t j = 0; j < n; j++) {
            const double held = m[k][j];
            m[k][j] = m[pivot][j];
            m[pivot][j] = held;
        }
        sum += log(fabs(m[k][k]));
        for (size_t i = k + 1; i < n; i++)
            for (size_t j = n; j-- > k;) m[i][j] -= m[i][k] / m[k][k] * m[k][j];
    }
    return sum;
}

/* Difference quotient of order 4 from f(x - 2h), f(x - h), f(x + h), f(x + 2h). */
static double derivative(const float *f, size_t stride, float h) {
    return (8 * ((double)f[2 * stride] - (double)f[stride]) - ((double)f[3 * stride] - (double)f[0])) /
           (12 * (double)h);
}

static void check_direction(const flow_spec *spec, const flowrt_model *model, enum verb verb) {
    const size_t dim = spec->dim, around = 4 * dim;
    const float step = step_of(spec);
    call center = call_new(model, verb, ROWS, 51), moved = call_new(model, verb, around, 51);
    CHECK_STATUS(FLOWRT_OK, call_run(&center));
    size_t near = 0;
    double worst = 0;
    for (size_t row = 0; row < ROWS; row++) {
        float *input = moved.input;
        for (size_t k = 0; k < around; k++) {
            const float offsets[4] = {-2 * step, -step, step, 2 * step};
            memcpy(input + k * dim, center.input + row * dim, dim * sizeof *input);
            input[k * dim + k / 4] = (float)((double)input[k * dim + k / 4] + (double)offsets[k % 4]);
        }
        if (spec->context_dim) {
            moved.context_rows = 1;
            memcpy(moved.context, center.context + row * spec->context_dim, spec->context_dim * sizeof(float));
        }
        CHECK_STATUS(FLOWRT_OK, call_run(&moved));
        double jacobian[MOST_COORDINATES][MOST_COORDINATES];
        for (size_t i = 0; i < dim; i++)
            for (size_t j = 0; j < dim; j++) jacobian[i][j] = derivative(moved.output + 4 * j * dim + i, dim, step);
        const double expected = log_abs_det(jacobian, dim), error = fabs(expected - (double)center.log_output[row]);
        if (error <= tolerance(spec) * (1 + fabs(expected))) near++;
        if (error > worst) worst = error;
    }
    /* A relu or a clamp within two steps of a row has no derivative there; such rows are few. */
    CHECK(near >= ROWS * 3 / 4, "%s, %s: log_det is right in %zu of %d rows, the worst is off by %g", spec->name,
          verb_names[verb], near, ROWS, worst);
    call_free(center);
    call_free(moved);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    if (spec->dim > MOST_COORDINATES) return;
    check_direction(spec, model, FORWARD);
    check_direction(spec, model, INVERSE);
}

int main(void) { for_each_flow(test); }
