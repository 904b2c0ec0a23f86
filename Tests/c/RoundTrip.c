/* inverse(forward(x)) is x, forward(inverse(z)) is z, the log-determinants cancel, and log_prob and sample agree with
 * what forward and inverse say. */
#include "support/call.h"
#include <math.h>

enum { ROWS = 100 };

static void check_near(const char *what, const float *expected, const float *found, size_t count, double tolerance) {
    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)expected[i] - (double)found[i]);
        CHECK(error <= tolerance * (1 + fabs((double)expected[i])), "%s: value %zu: expected %.9g, found %.9g", what, i,
              (double)expected[i], (double)found[i]);
    }
}

static void check_direction(const flow_spec *spec, const flowrt_model *model, enum verb there, enum verb back) {
    call first = call_new(model, there, ROWS, 5), second = call_new(model, back, ROWS, 5);
    CHECK_STATUS(FLOWRT_OK, call_run(&first));
    second.input = first.output;
    CHECK_STATUS(FLOWRT_OK, call_run(&second));
    char what[96];
    snprintf(what, sizeof what, "%s, %s and back", spec->name, verb_names[there]);
    check_near(what, first.input, second.output, (size_t)ROWS * spec->dim, 2e-4);
    for (size_t i = 0; i < ROWS; i++) second.log_output[i] = -second.log_output[i];
    snprintf(what, sizeof what, "%s, log_det of %s and back", spec->name, verb_names[there]);
    check_near(what, first.log_output, second.log_output, ROWS, 2e-4);
    call_free(first);
    second.input = NULL;
    call_free(second);
}

/* log p(x) = log N(z) + log|det dz/dx| in double, from the float32 z and log_det. */
static float log_prob_from(const float *z, float log_det, uint32_t dim) {
    double squares = 0;
    for (uint32_t j = 0; j < dim; j++) squares += (double)z[j] * (double)z[j];
    return (float)((double)log_det - 0.5 * squares - 0.5 * dim * log(2 * acos(-1.0)));
}

static void check_log_prob(const flow_spec *spec, const flowrt_model *model) {
    call forward = call_new(model, FORWARD, ROWS, 6), density = call_new(model, LOG_PROB, ROWS, 6);
    CHECK_STATUS(FLOWRT_OK, call_run(&forward));
    CHECK_STATUS(FLOWRT_OK, call_run(&density));
    float expected[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        expected[i] = log_prob_from(forward.output + i * spec->dim, forward.log_output[i], spec->dim);
    check_near(spec->name, expected, density.log_output, ROWS, 2e-6);
    call_free(forward);
    call_free(density);
}

static void check_sample(const flow_spec *spec, const flowrt_model *model) {
    call sample = call_new(model, SAMPLE, ROWS, 8), density = call_new(model, LOG_PROB, ROWS, 8);
    CHECK_STATUS(FLOWRT_OK, call_run(&sample));
    memcpy(density.input, sample.output, ROWS * spec->dim * sizeof(float));
    CHECK_STATUS(FLOWRT_OK, call_run(&density));
    char what[96];
    snprintf(what, sizeof what, "%s, log_prob of sample", spec->name);
    check_near(what, density.log_output, sample.log_output, ROWS, 1e-3);

    call again = call_new(model, SAMPLE, ROWS, 8); /* the same draws without their log_prob */
    float *log_output = again.log_output;
    again.log_output = NULL;
    CHECK_STATUS(FLOWRT_OK, call_run(&again));
    CHECK_SAME_BITS(what, sample.output, again.output, (size_t)ROWS * spec->dim);
    again.log_output = log_output;
    call_free(again);
    call_free(sample);
    call_free(density);
}

/* A sample is the inverse of the noise, to the bit. A flow without steps samples its noise. */
static void check_sample_of_noise(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    const flow_spec no_steps = {"noise", spec->dim, 0, {{0}}};
    const flow_file file = flow_build(&no_steps, 1);
    flowrt_model noise_model;
    CHECK(flow_open_level(&noise_model, file, level), "%s", spec->name);
    call noise = call_new(&noise_model, SAMPLE, ROWS, 10), sample = call_new(model, SAMPLE, ROWS, 10);
    call inverse = call_new(model, INVERSE, ROWS, 10);
    CHECK_STATUS(FLOWRT_OK, call_run(&noise));
    CHECK_STATUS(FLOWRT_OK, call_run(&sample));
    memcpy(inverse.input, noise.output, ROWS * spec->dim * sizeof(float));
    CHECK_STATUS(FLOWRT_OK, call_run(&inverse));
    CHECK_SAME_BITS(spec->name, inverse.output, sample.output, (size_t)ROWS * spec->dim);
    call_free(noise);
    call_free(sample);
    call_free(inverse);
    flow_free(file);
}

/* z or log_det left out, and output in the place of the input: the same bits. */
static void check_forms(const flow_spec *spec, const flowrt_model *model, enum verb verb) {
    call c = call_new(model, verb, ROWS, 9), other = call_new(model, verb, ROWS, 9);
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    call part = other;
    part.log_output = NULL;
    CHECK_STATUS(FLOWRT_OK, call_run(&part));
    CHECK_SAME_BITS(spec->name, c.output, other.output, (size_t)ROWS * spec->dim);
    if (verb == FORWARD) {
        part = other;
        part.output = NULL;
        CHECK_STATUS(FLOWRT_OK, call_run(&part));
        CHECK_SAME_BITS(spec->name, c.log_output, other.log_output, ROWS);
    }
    part = other;
    part.output = other.input;
    CHECK_STATUS(FLOWRT_OK, call_run(&part));
    CHECK_SAME_BITS(spec->name, c.output, part.output, (size_t)ROWS * spec->dim);
    CHECK_SAME_BITS(spec->name, c.log_output, other.log_output, ROWS);
    call_free(c);
    call_free(other);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    check_direction(spec, model, FORWARD, INVERSE);
    check_direction(spec, model, INVERSE, FORWARD);
    check_sample(spec, model);
    if (flow_has_standard_base(spec)) { /* the others: Integral, and the Python tests against the reference */
        check_log_prob(spec, model);
        check_sample_of_noise(spec, model, level);
    }
    check_forms(spec, model, FORWARD);
    check_forms(spec, model, INVERSE);
}

int main(void) { for_each_flow(test); }
