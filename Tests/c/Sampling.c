/* Samples follow the density: moments and Kolmogorov-Smirnov distances of the noise, coordinate by coordinate, and of
 * samples of a one-coordinate flow against the integral of its own density. */
#include "support/call.h"
#include <math.h>

enum { DRAWS = 60000 };

/* A fair sample exceeds this Kolmogorov-Smirnov distance with probability 2 exp(-2 * 2.5^2) < 1e-5. */
static const double KS_LIMIT = 2.5;

static int ascending(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double normal_cdf(double x) { return 0.5 * erfc(-x / sqrt(2.0)); }

static call draw(const flowrt_model *model, uint64_t seed) {
    call c = call_new(model, SAMPLE, DRAWS, seed);
    if (c.context) c.context_rows = 1;
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    return c;
}

static void check_noise(const flow_spec *spec, const flowrt_model *model) {
    const size_t dim = spec->dim;
    const double n = DRAWS, root = sqrt(n);
    call c = draw(model, 71);
    float *column = must_allocate(DRAWS * sizeof *column);
    for (size_t j = 0; j < dim; j++) {
        double moment[5] = {0}, neighbour = 0, successor = 0;
        for (size_t i = 0; i < DRAWS; i++) {
            const double z = column[i] = c.output[i * dim + j];
            for (int power = 1; power <= 4; power++) moment[power] += pow(z, power) / n;
            neighbour += z * (double)c.output[i * dim + (j + 1) % dim] / n;
            successor += z * (double)c.output[(i + 1) % DRAWS * dim + j] / n;
        }
        /* Each estimate is within 5 of its standard errors. */
        CHECK(fabs(moment[1]) < 5 / root, "%s: mean of coordinate %zu is %g", spec->name, j, moment[1]);
        CHECK(fabs(moment[2] - 1) < 5 * sqrt(2.0) / root, "%s: variance %zu is %g", spec->name, j, moment[2]);
        CHECK(fabs(moment[3]) < 5 * sqrt(15.0) / root, "%s: third moment %zu is %g", spec->name, j, moment[3]);
        CHECK(fabs(moment[4] - 3) < 5 * sqrt(96.0) / root, "%s: fourth moment %zu is %g", spec->name, j, moment[4]);
        CHECK(fabs(neighbour) < 5 / root, "%s: coordinates %zu and its neighbour correlate by %g", spec->name, j,
              neighbour);
        CHECK(fabs(successor) < 5 / root, "%s: draws correlate in coordinate %zu by %g", spec->name, j, successor);

        qsort(column, DRAWS, sizeof *column, ascending);
        double distance = 0;
        for (size_t i = 0; i < DRAWS; i++) {
            const double cdf = normal_cdf((double)column[i]);
            distance = fmax(distance, fmax(fabs(cdf - (double)i / n), fabs(cdf - (double)(i + 1) / n)));
        }
        CHECK(distance * root < KS_LIMIT, "%s: coordinate %zu is at distance %g from a normal", spec->name, j,
              distance);
    }
    free(column);
    call_free(c);
}

/* Distance between the samples of one coordinate and the integral of exp(log_prob). */
static void check_against_density(const flow_spec *spec, const flowrt_model *model) {
    call c = draw(model, 72);
    qsort(c.output, DRAWS, sizeof *c.output, ascending);
    enum { CELLS = 1 << 16 };
    const double from = (double)c.output[0] - 1, to = (double)c.output[DRAWS - 1] + 1, cell = (to - from) / CELLS;
    float *x = must_allocate(CELLS * sizeof *x), *log_prob = must_allocate(CELLS * sizeof *log_prob);
    for (size_t i = 0; i < CELLS; i++) x[i] = (float)(from + ((double)i + 0.5) * cell);
    CHECK_STATUS(FLOWRT_OK,
                 flowrt_log_prob(model, CELLS, x, c.context, c.context_rows, log_prob, c.workspace, c.workspace_size));
    double below = 0, distance = 0;
    for (size_t i = 0, drawn = 0; i < CELLS; i++) {
        below += cell * exp((double)log_prob[i]);
        while (drawn < DRAWS && (double)c.output[drawn] <= from + (double)(i + 1) * cell) drawn++;
        distance = fmax(distance, fabs(below - (double)drawn / DRAWS));
    }
    CHECK(distance * sqrt(DRAWS) < KS_LIMIT, "%s: the samples are at distance %g from the density", spec->name,
          distance);
    free(x);
    free(log_prob);
    call_free(c);
}

/* Other seeds, streams and indices give other draws, with the same three numbers the same. */
static void check_seek(const flow_spec *spec, const flowrt_model *model) {
    enum { ROWS = 40 };
    call whole = call_new(model, SAMPLE, ROWS, 73), part = call_new(model, SAMPLE, ROWS, 73);
    whole.context_rows = part.context_rows = spec->context_dim != 0;
    CHECK_STATUS(FLOWRT_OK, call_run(&whole));
    CHECK(whole.rng.index == part.rng.index + ROWS, "%s: index %llu", spec->name, (unsigned long long)whole.rng.index);
    const flowrt_rng start = part.rng;
    const size_t dim = spec->dim, skipped = 17;
    part.rng.index += skipped;
    part.count = ROWS - skipped;
    CHECK_STATUS(FLOWRT_OK, call_run(&part));
    CHECK_SAME_BITS(spec->name, whole.output + skipped * dim, part.output, (ROWS - skipped) * dim);
    CHECK_SAME_BITS(spec->name, whole.log_output + skipped, part.log_output, ROWS - skipped);

    const flowrt_rng others[] = {{start.seed + 1, start.stream, start.index},
                                 {start.seed, start.stream + 1, start.index},
                                 {start.seed, start.stream, start.index + 1},
                                 {start.stream, start.seed, start.index},
                                 {start.seed, start.stream, start.index + (UINT64_C(1) << 32)}};
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        part.rng = others[k];
        CHECK_STATUS(FLOWRT_OK, call_run(&part));
        size_t equal = 0;
        for (size_t i = 0; i < part.count * dim; i++) equal += part.output[i] == whole.output[i];
        CHECK(equal == 0, "%s: %zu equal values with other numbers (%zu)", spec->name, equal, k);
    }
    call_free(whole);
    call_free(part);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    if (!spec->steps[0].kind) check_noise(spec, model);
    if (spec->dim == 1) check_against_density(spec, model);
    if (spec->steps[0].kind != RECORD_PERMUTATION) check_seek(spec, model);
}

int main(void) { for_each_flow(test); }
