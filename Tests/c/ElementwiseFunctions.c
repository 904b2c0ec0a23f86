/* Each function of an elementwise step (docs/FORMAT.md section 2.4), its slope, both ways, and the gradient of log p,
 * against double precision. */
#include "support/call.h"
#include <math.h>

enum { POINTS = 61 };
static const double TOLERANCE = 2e-5;

/* A function with its constants, and the interior of its domain as far as it is looked at. */
typedef struct map {
    uint32_t function;
    float a, b;
    double from, to;
} map;

static const map maps[] = {
    {0, 0, 0, -9, 9},         {1, -2, 3, -1.99, 2.99}, {2, 0.5f, 0, 0.51, 40}, {3, 0.5f, 0, -40, 0.49},
    {4, -2, 3, -9, 9},        {5, 0.5f, 0, -9, 9},     {6, 0, 0, -0.99, 0.99}, {7, 0, 0, -4, 4},
    {8, 0.25f, 0, -9, 9},     {9, 0.25f, 0, -9, 9},    {10, 1.5f, 0, -9, 9},   {11, 1.5f, 0, -1.4, 1.4},
    {12, -2, 3, -1.99, 2.99}, {13, -2, 3, -3, 3},
};

static double normal_cdf(double v) { return 0.5 * erfc(-v / sqrt(2.0)); }

/* w = f(v). The probit, which C does not have, by Newton's method. */
static double value(const map *m, double v) {
    const double a = (double)m->a, b = (double)m->b, p = (v - a) / (b - a);
    double w = 0;
    switch (m->function) {
    case 1: return log(p / (1 - p));
    case 2: return log(v - a);
    case 3: return log(a - v);
    case 4: return a + (b - a) / (1 + exp(-v));
    case 5: return a + exp(v);
    case 6: return atanh(v);
    case 7: return tanh(v);
    case 8: return v < 0 ? a * v : v;
    case 9: return v < 0 ? v / a : v;
    case 10: return v / (1 + fabs(v) / a);
    case 11: return v / (1 - fabs(v) / a);
    case 12:
        for (int i = 0; i < 60; i++) w -= (normal_cdf(w) - p) / fmax(exp(-0.5 * w * w) / sqrt(2 * acos(-1.0)), 0.05);
        return w;
    case 13: return a + (b - a) * normal_cdf(v);
    default: return v;
    }
}

/* log|f'(v)|, by a difference quotient of order 4. */
static double log_slope(const map *m, double v) {
    const double h = 1e-4;
    return log(fabs(8 * (value(m, v + h) - value(m, v - h)) - (value(m, v + 2 * h) - value(m, v - 2 * h))) / (12 * h));
}

static void check_near(const map *m, const char *what, double at, double expected, double found, double tolerance) {
    CHECK(fabs(found - expected) <= tolerance * (1 + fabs(expected)), "function %u, %s of %g: %.9g, not %.9g",
          m->function, what, at, found, expected);
}

static void check_map(const map *m, const flowrt_model *model, size_t count) {
    call forward = call_new(model, FORWARD, count, 1), inverse = call_new(model, INVERSE, count, 1);
    float *v = forward.input, *w = inverse.input;
    for (int k = 0; k < POINTS; k++) {
        const double point = m->from + (m->to - m->from) * (k + 0.37) / POINTS;
        for (size_t i = 0; i < count; i++) v[i] = (float)point;
        const double x = (double)v[0], slope = log_slope(m, x);
        CHECK_STATUS(FLOWRT_OK, call_run(&forward));
        check_near(m, "value", x, value(m, x), (double)forward.output[count - 1], TOLERANCE);
        if (fabs(x) > 1e-2) check_near(m, "log slope", x, slope, (double)forward.log_output[count - 1], TOLERANCE);
        memcpy(w, forward.output, count * sizeof *w);
        CHECK_STATUS(FLOWRT_OK, call_run(&inverse));
        /* The way back magnifies the rounding of w by the slope's inverse. */
        const double stretch = 1 + exp(-slope);
        check_near(m, "inverse of the value", x, x, (double)inverse.output[count - 1], TOLERANCE * stretch);
        if (fabs(x) > 1e-2)
            check_near(m, "log slope of the inverse", x, -slope, (double)inverse.log_output[count - 1],
                       TOLERANCE * stretch);
    }
    call_free(forward);
    call_free(inverse);
}

/* d/dv of log p(v) = log N(w) + log|f'(v)|, at the levels that have it. */
static void check_gradient(const map *m, const flowrt_model *model, uint32_t level) {
    call c = call_new(model, LOG_PROB, 1, 1);
    const size_t size = flowrt_gradient_workspace_size(model, 1);
    void *const workspace = aligned_alloc(FLOWRT_ALIGNMENT, size + FLOWRT_ALIGNMENT - size % FLOWRT_ALIGNMENT);
    for (int k = 0; k < POINTS; k++) {
        float gradient = 0;
        c.input[0] = (float)(m->from + (m->to - m->from) * (k + 0.37) / POINTS);
        const flowrt_status status =
            flowrt_log_prob_gradient(model, 1, c.input, NULL, 0, NULL, &gradient, NULL, workspace, size);
        if (level == 1 && status == FLOWRT_ERR_GRADIENT) break;
        CHECK_STATUS(FLOWRT_OK, status);
        const double x = (double)c.input[0], h = 1e-3, w = value(m, x);
        if (fabs(x) < 1e-2) continue; /* a kink, or nearly one */
        const double slope = copysign(exp(log_slope(m, x)), m->function == 3 ? -1 : 1);
        const double of_log_slope = (log_slope(m, x + h) - log_slope(m, x - h)) / (2 * h);
        CHECK(fabs(of_log_slope - w * slope - (double)gradient) <= 1e-3 * (1 + fabs(w * slope) + fabs(of_log_slope)),
              "function %u, gradient at %g: %.9g, not %.9g", m->function, x, (double)gradient, of_log_slope - w * slope);
    }
    free(workspace);
    call_free(c);
}

int main(void) {
    const flow_spec spec = {"elementwise function", 1, 0, {{.kind = RECORD_ELEMENTWISE}}};
    for (size_t k = 0; k < sizeof maps / sizeof *maps; k++) {
        const flow_file file = flow_build(&spec, 1);
        const size_t blocks = 64 * 3; /* after the header and two records: functions, lower, upper */
        memcpy(file.bytes + blocks, &maps[k].function, sizeof maps[k].function);
        memcpy(file.bytes + blocks + 64, &maps[k].a, sizeof maps[k].a);
        memcpy(file.bytes + blocks + 128, &maps[k].b, sizeof maps[k].b);
        flow_seal(file);
        for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
            flowrt_model model;
            if (!flow_open_level(&model, file, level)) continue;
            check_map(&maps[k], &model, 1);
            check_map(&maps[k], &model, 5);
            check_gradient(&maps[k], &model, level);
        }
        flow_free(file);
    }
}
