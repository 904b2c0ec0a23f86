/* The noise is standard normal out to six standard deviations; coordinates, draws, streams and seeds are independent.
 *
 *   NoiseLaw [values]     of which the histogram is made: 10^8; 10^10 show the tail beyond six standard deviations
 *
 * All limits are at least five standard errors: a fair generator passes, and so, numbers being fixed, always does. */
#include "support/call.h"
#include "support/philox.h"
#include <math.h>

enum { ROWS = 27000 };

static double normal_cdf(double x) { return 0.5 * erfc(-x / sqrt(2.0)); }

/* ---- histogram: all values of one stream, in cells of 1/64 ---- */

enum { CELLS_PER_UNIT = 64, END = 7, CELLS = 2 * END * CELLS_PER_UNIT };

typedef struct histogram {
    uint64_t cells[CELLS];
    double sums[5]; /* of powers */
    double count;
} histogram;

static void tally(histogram *h, const float *values, size_t count) {
    double sums[5] = {0};
    for (size_t i = 0; i < count; i++) {
        const double z = (double)values[i], squared = z * z;
        h->cells[(int)(z * CELLS_PER_UNIT + END * CELLS_PER_UNIT)]++;
        sums[1] += z, sums[2] += squared, sums[3] += squared * z, sums[4] += squared * squared;
    }
    for (int power = 1; power <= 4; power++) h->sums[power] += sums[power];
    h->count += (double)count;
}

static void check_moments(const histogram *h) {
    const double expected[] = {1, 0, 1, 0, 3}, variance[] = {0, 1, 2, 15, 96}, root = sqrt(h->count);
    for (int power = 1; power <= 4; power++) {
        const double error = (h->sums[power] / h->count - expected[power]) * root / sqrt(variance[power]);
        CHECK(fabs(error) < 5, "moment %d is off by %.2f standard errors", power, error);
    }
}

/* How often |z| > t, for t = 1 .. 6. */
static void check_tails(const histogram *h) {
    for (int t = 1; t <= 6; t++) {
        double found = 0;
        for (int cell = 0; cell < CELLS; cell++)
            if (cell < (END - t) * CELLS_PER_UNIT || cell >= (END + t) * CELLS_PER_UNIT)
                found += (double)h->cells[cell];
        const double expected = h->count * erfc(t / sqrt(2.0));
        printf("|z| > %d: %.0f values, expected %.1f\n", t, found, expected);
        CHECK(fabs(found - expected) < 5 * sqrt(expected) + 5, "|z| > %d: %.0f values, expected %.1f", t, found,
              expected);
    }
}

/* Pearson's chi-square over the cells, of which those in the tails are taken together until ten values are expected. */
static void check_chi_square(const histogram *h) {
    double statistic = 0, freedom = -1, found = 0, expected = 0;
    for (int cell = 0; cell < CELLS; cell++) {
        const double from = (double)cell / CELLS_PER_UNIT - END, to = from + 1.0 / CELLS_PER_UNIT;
        found += (double)h->cells[cell];
        expected += h->count * (from < 0 ? normal_cdf(to) - normal_cdf(from) : normal_cdf(-from) - normal_cdf(-to));
        if (expected < 10) continue;
        statistic += (found - expected) * (found - expected) / expected;
        freedom++;
        found = expected = 0;
    }
    const double error = (statistic - freedom) / sqrt(2 * freedom);
    printf("chi-square %.1f of %.0f degrees of freedom\n", statistic, freedom);
    CHECK(fabs(error) < 6, "chi-square is off by %.2f standard errors", error);
}

/* Values far out are what docs/SAMPLING.md says. */
static size_t check_far_out(const call *c, size_t dim) {
    size_t far_out = 0;
    for (size_t i = 0; i < c->count * dim; i++) {
        if (fabsf(c->output[i]) < 4.5f) continue;
        const double expected =
            noise(c->rng.seed, c->rng.stream, c->rng.index - c->count + i / dim, (uint32_t)(i % dim));
        CHECK(fabs((double)c->output[i] - expected) < 1e-6 * fabs(expected), "expected %.9g, found %.9g", expected,
              (double)c->output[i]);
        far_out++;
    }
    return far_out;
}

static void check_law(const flowrt_model *model, size_t dim, double values) {
    static histogram h;
    call c = call_new(model, SAMPLE, ROWS, 0);
    c.rng = (flowrt_rng){1, 2, UINT32_MAX - 1000}; /* index passes from 32 to 64 bits */
    size_t far_out = 0;
    while (h.count < values) {
        CHECK_STATUS(FLOWRT_OK, call_run(&c));
        tally(&h, c.output, ROWS * dim);
        far_out += check_far_out(&c, dim);
    }
    call_free(c);
    printf("%.0f values; %zu beyond 4.5, compared with their definition\n", h.count, far_out);
    check_moments(&h);
    check_tails(&h);
    check_chi_square(&h);
}

/* ---- independence ---- */

/* Neither values nor their squares correlate. */
static void check_uncorrelated(const char *what, const float *a, const float *b, size_t count) {
    double product = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        const double x = (double)a[i], y = (double)b[i];
        product += x * y;
        squares += (x * x - 1) * (y * y - 1) / 2;
    }
    const double root = sqrt((double)count);
    CHECK(fabs(product) < 5.5 * root, "%s: correlation %g", what, product / (double)count);
    CHECK(fabs(squares) < 5.5 * root, "%s: correlation of squares %g", what, squares / (double)count);
}

/* Coordinates with each other, and draws with those that follow. */
static void check_within_stream(const flowrt_model *model, size_t dim) {
    enum { N = 20000, LAGS = 5 };
    call c = call_new(model, SAMPLE, N + LAGS, 71);
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    float *columns = must_allocate(dim * (N + LAGS) * sizeof *columns);
    for (size_t i = 0; i < N + LAGS; i++)
        for (size_t j = 0; j < dim; j++) columns[j * (N + LAGS) + i] = c.output[i * dim + j];
    char what[80];
    for (size_t j = 0; j < dim; j++)
        for (size_t k = 0; k <= j; k++)
            for (size_t lag = k == j; lag <= LAGS; lag++) {
                snprintf(what, sizeof what, "coordinates %zu and %zu, %zu draws later", j, k, lag);
                check_uncorrelated(what, columns + j * (N + LAGS), columns + k * (N + LAGS) + lag, N);
            }
    free(columns);
    call_free(c);
}

/* Streams whose three numbers differ in as little as one bit. */
static void check_between_streams(const flowrt_model *model, size_t dim) {
    static const uint64_t near[] = {0, 1, 2, 3, UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX};
    enum { N = 1000, NEAR = sizeof near / sizeof *near, STREAMS = NEAR * NEAR };
    call calls[STREAMS];
    for (size_t s = 0; s < STREAMS; s++) {
        calls[s] = call_new(model, SAMPLE, N, 0);
        calls[s].rng = (flowrt_rng){near[s / NEAR], near[s % NEAR], 0};
        CHECK_STATUS(FLOWRT_OK, call_run(&calls[s]));
    }
    char what[80];
    for (size_t s = 0; s < STREAMS; s++)
        for (size_t t = 0; t < s; t++) {
            snprintf(what, sizeof what, "streams %zu and %zu", s, t);
            check_uncorrelated(what, calls[s].output, calls[t].output, N * dim);
        }
    for (size_t s = 0; s < STREAMS; s++) call_free(calls[s]);
}

static int by_bytes(const void *a, const void *b) { return memcmp(a, b, 3 * sizeof(float)); }

/* No two of many seeds, streams or indices give the same draw. */
static void check_no_collisions(const flowrt_model *model) {
    enum { EACH = 40000, DIM = 3 };
    float *draws = must_allocate(3 * EACH * DIM * sizeof *draws);
    call c = call_new(model, SAMPLE, 1, 0);
    float *const own = c.output;
    for (size_t i = 0; i < 3 * EACH; i++) {
        const uint64_t k = i % EACH + 1;
        c.rng = i < EACH ? (flowrt_rng){k, 0, 0} : i < 2 * EACH ? (flowrt_rng){0, k, 0} : (flowrt_rng){0, 0, k};
        c.output = draws + DIM * i;
        CHECK_STATUS(FLOWRT_OK, call_run(&c));
    }
    qsort(draws, 3 * EACH, DIM * sizeof *draws, by_bytes);
    for (size_t i = 1; i < 3 * EACH; i++)
        CHECK(by_bytes(draws + DIM * (i - 1), draws + DIM * i) != 0, "the draw %g, %g, %g twice",
              (double)draws[DIM * i], (double)draws[DIM * i + 1], (double)draws[DIM * i + 2]);
    c.output = own;
    call_free(c);
    free(draws);
}

int main(int argc, char **argv) {
    const double values = argc > 1 ? strtod(argv[1], NULL) : 1e8;
    const flow_spec *wide = flow_case("no-steps-37"), *narrow = flow_case("no-steps");
    const flow_file wide_file = flow_build(wide, 1), narrow_file = flow_build(narrow, 1);
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, wide_file.bytes, wide_file.size, 0, NULL));
    check_law(&model, wide->dim, values);
    check_within_stream(&model, wide->dim);
    check_between_streams(&model, wide->dim);
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, narrow_file.bytes, narrow_file.size, 0, NULL));
    check_no_collisions(&model);
    flow_free(wide_file);
    flow_free(narrow_file);
}
