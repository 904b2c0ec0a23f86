/* Each scale function s(a) of docs/FORMAT.md section 5, over raw parameters from -300 to 300, against double precision:
 * its logarithm stays exact where s itself underflows or saturates, and is neither made up for a NaN nor cut off at
 * infinity. In a flow of one coordinate whose only layer sees nothing, a is a bias. */
#include "support/call.h"
#include <float.h>
#include <math.h>

enum { BIAS = 64 * 4 + 64 * 3 }; /* header and three records; two orders and the stages */
static const double TOLERANCE = 4e-7;
static const float SHIFT = 0.25f;
static int is_checked[SCALE_COUNT];

static double softplus(double a) { return fmax(a, 0) + log1p(exp(-fabs(a))); }
static double clamp(double a, double low, double high) { return fmin(fmax(a, low), high); }

/* log s(a). */
static double log_scale(uint16_t scale, const float p[8], double a) {
    const double p0 = (double)p[0], p1 = (double)p[1], p2 = (double)p[2];
    switch (scale) {
    case SCALE_EXP: return a;
    case SCALE_EXP_CLAMPED: return clamp(a, p0, p1);
    case SCALE_SOFTPLUS: return p0 > 0 || a > -40 ? log(softplus(a) + p0) : a; /* e^a, which may underflow */
    case SCALE_SOFTPLUS_CLAMPED: return log(clamp(softplus(a) + p0, p1, p2));
    case SCALE_SIGMOID: return p0 > 0 ? log(1 / (1 + exp(-a)) + p0) : -softplus(-a);
    case SCALE_EXP_SOFT_CLIPPED: return a / (1 + fabs(a) / p0);
    case SCALE_EXP_TANH: return p0 * tanh(a);
    case SCALE_EXP_ATAN: return p0 * atan(a);
    default: break;
    }
    CHECK(0, "log_scale of Tests/c/ScaleFunctions.c has no formula for scale function %u: add it", scale);
    return NAN;
}

static void check_value(const flowrt_model *model, const char *what, uint16_t form, double log_s, double a,
                        size_t count) {
    call c = call_new(model, FORWARD, count, 1);
    CHECK(call_run(&c) == FLOWRT_OK || fabs(log_s) > 80, "%s of %g: the results are not finite", what, a);
    const double found = (double)c.log_output[count - 1], x = (double)c.input[count - 1],
                 z = (double)c.output[count - 1];
    CHECK(fabs(found - log_s) <= TOLERANCE * (1 + fabs(log_s)), "log of %s of %g: %.9g, not %.9g", what, a, found,
          log_s);
    const double s = exp(log_s), t = (double)SHIFT;
    const double expected = form == SCALE_THEN_SHIFT   ? s * x + t
                            : form == SHIFT_THEN_SCALE ? s * (x - t)
                                                       : s * x + (1 - s) * t;
    if (fabs(log_s) < 80)
        CHECK(fabs(z - expected) <= 2e-6 * (fabs(s * x) + fabs(s * t) + fabs(t)),
              "%s of %g, form %u, x = %g: %.9g, not %.9g", what, a, form, x, z, expected);
    call_free(c);
}

/* At the ends of the floats. */
static void check_end(const flowrt_model *model, const char *what, double log_s, double a, size_t count) {
    call c = call_new(model, FORWARD, count, 1);
    call_run(&c);
    for (size_t i = 0; i < count; i++) {
        const double found = (double)c.log_output[i], difference = fabs(found - log_s);
        CHECK(isnan(log_s)   ? isnan(found)
              : isinf(log_s) ? isinf(found) && signbit(found) == signbit(log_s)
                             : difference <= TOLERANCE * (1 + fabs(log_s)),
              "log of %s of %g: %.9g, not %.9g", what, a, found, log_s);
    }
    call_free(c);
}

static void check_bias(flow_file file, const char *what, uint16_t scale, uint16_t form, const float p[8], float a) {
    static const size_t counts[] = {1, 5, 48, 64};
    const float bias[2] = {SHIFT, a};
    memcpy(file.bytes + BIAS, bias, sizeof bias);
    for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
        flowrt_model model; /* not verified: that would refuse a bias that is not finite */
        flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
        CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, FLOWRT_OPEN_LEVEL(level), NULL));
        CHECK_STATUS(FLOWRT_OK, flowrt_model_get_info(&model, &info));
        if (info.cpu_level != level) continue;
        const double log_s = isnan(a) ? (double)NAN : log_scale(scale, p, (double)a);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            if (fabsf(a) <= 300)
                check_value(&model, what, form, log_s, (double)a, counts[i]);
            else
                check_end(&model, what, log_s, (double)a, counts[i]);
    }
}

static void check_scale(const char *what, uint16_t scale, uint16_t form, const float p[8]) {
    flow_spec spec = {what,
                      1,
                      0,
                      {{.kind = RECORD_AUTOREGRESSIVE,
                        .transformer = AFFINE,
                        .scale = scale,
                        .form = form,
                        .layer_count = 1,
                        .layers = {{.source = READ_SIDE}}}}};
    memcpy(spec.steps[0].p, p, sizeof spec.steps[0].p);
    is_checked[scale] = 1;
    const flow_file file = flow_build(&spec, 1);
    static const float ends[] = {NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX};
    for (int k = -1200; k <= 1200; k++) check_bias(file, what, scale, form, p, 0.25f * (float)k);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) check_bias(file, what, scale, form, p, ends[i]);
    flow_free(file);
}

int main(void) {
    check_scale("exp", SCALE_EXP, SCALE_THEN_SHIFT, (float[8]){0});
    check_scale("exp", SCALE_EXP, SHIFT_THEN_SCALE, (float[8]){0});
    check_scale("clamped exp", SCALE_EXP_CLAMPED, SCALE_THEN_SHIFT, (float[8]){-5, 3});
    check_scale("softplus", SCALE_SOFTPLUS, SCALE_THEN_SHIFT, (float[8]){0});
#ifndef __arm__ /* whose vectors flush subnormals to zero */
    check_scale("softplus + 1e-40", SCALE_SOFTPLUS, SCALE_THEN_SHIFT, (float[8]){1e-40f});
#endif
    check_scale("softplus + 0.001", SCALE_SOFTPLUS, SHIFT_THEN_SCALE, (float[8]){1e-3f});
    check_scale("clamped softplus", SCALE_SOFTPLUS_CLAMPED, SCALE_THEN_SHIFT, (float[8]){1e-3f, 0.5f, 20});
    check_scale("sigmoid", SCALE_SIGMOID, GATED, (float[8]){0});
    check_scale("sigmoid", SCALE_SIGMOID, SCALE_THEN_SHIFT, (float[8]){0});
    check_scale("sigmoid + 0.001", SCALE_SIGMOID, SCALE_THEN_SHIFT, (float[8]){1e-3f});
    check_scale("soft-clipped exp", SCALE_EXP_SOFT_CLIPPED, SCALE_THEN_SHIFT, (float[8]){6.9077554f});
    check_scale("exp of tanh", SCALE_EXP_TANH, SHIFT_THEN_SCALE, (float[8]){1.5f});
    check_scale("exp of atan", SCALE_EXP_ATAN, SCALE_THEN_SHIFT, (float[8]){0.75f});
    for (int k = 0; k < SCALE_COUNT; k++)
        CHECK(is_checked[k], "main of Tests/c/ScaleFunctions.c leaves out scale function %d: add it", k);
}
