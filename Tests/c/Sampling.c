/* Samples follow the density, each flow by every method that its dimension allows:
 *
 *   one coordinate        Kolmogorov-Smirnov distance from the integral of exp(log_prob)
 *   two coordinates       Pearson's chi-square on a grid of cells, in which exp(log_prob) is integrated
 *   up to three           the mean of -log_prob over samples against Kozachenko and Leonenko's estimate of the entropy
 *   standard normal base  Kolmogorov-Smirnov distance of each coordinate, and energy distance, from the images of
 *                         normals that this program draws
 *
 * All limits are about five standard errors: a fair sampler passes, and so, numbers being fixed, it always does. */
#include "support/call.h"
#include <math.h>

/* A fair sample exceeds this scaled Kolmogorov-Smirnov distance with probability 2 exp(-2 * 2.75^2) < 1e-6. */
static const double KS_LIMIT = 2.75;

static int ascending(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Samples under one context for all. */
static call draw(const flowrt_model *model, size_t count, uint64_t seed) {
    call c = call_new(model, SAMPLE, count, seed);
    if (c.context) c.context_rows = 1;
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    return c;
}

/* log_prob of other rows under the context of the samples. */
static void log_prob_under(const call *c, size_t count, const float *x, float *log_prob) {
    CHECK_STATUS(FLOWRT_OK, flowrt_log_prob(c->model, count, x, c->context, c->context_rows, log_prob, c->workspace,
                                            c->workspace_size));
}

/* ---- one coordinate ---- */

static void check_line(const flow_spec *spec, const flowrt_model *model) {
    enum { DRAWS = 60000, CELLS = 1 << 16 };
    call c = draw(model, DRAWS, 72);
    qsort(c.output, DRAWS, sizeof *c.output, ascending);
    const double from = (double)c.output[0] - 1, to = (double)c.output[DRAWS - 1] + 1, cell = (to - from) / CELLS;
    float *x = must_allocate(CELLS * sizeof *x), *log_prob = must_allocate(CELLS * sizeof *log_prob);
    for (size_t i = 0; i < CELLS; i++) x[i] = (float)(from + ((double)i + 0.5) * cell);
    log_prob_under(&c, CELLS, x, log_prob);
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

/* ---- two coordinates ---- */

/* The cells that hold nearly all samples, each integrated by the midpoint rule on FINE x FINE points; what lies outside
 * is one more cell. */
static void check_plane(const flow_spec *spec, const flowrt_model *model) {
    enum { DRAWS = 60000, SIDE = 40, FINE = 8, POINTS = SIDE * FINE };
    static size_t found[SIDE][SIDE];
    static float x[POINTS][2], log_prob[POINTS];
    memset(found, 0, sizeof found);
    call c = draw(model, DRAWS, 74);

    /* from the 0.1 % to the 99.9 % quantile of each coordinate */
    double from[2], width[2];
    float *column = must_allocate(DRAWS * sizeof *column);
    for (size_t j = 0; j < 2; j++) {
        for (size_t i = 0; i < DRAWS; i++) column[i] = c.output[2 * i + j];
        qsort(column, DRAWS, sizeof *column, ascending);
        from[j] = (double)column[DRAWS / 1000];
        width[j] = ((double)column[DRAWS - DRAWS / 1000] - from[j]) / SIDE;
    }
    free(column);
    for (size_t i = 0; i < DRAWS; i++) {
        const double a = floor(((double)c.output[2 * i] - from[0]) / width[0]);
        const double b = floor(((double)c.output[2 * i + 1] - from[1]) / width[1]);
        if (a >= 0 && a < SIDE && b >= 0 && b < SIDE) found[(size_t)a][(size_t)b]++;
    }

    double statistic = 0, freedom = 0, inside = 0, rest_found = DRAWS, rest_expected = DRAWS;
    for (size_t a = 0; a < SIDE; a++) {
        double mass[SIDE] = {0};
        for (size_t sub = 0; sub < FINE; sub++) {
            for (size_t i = 0; i < POINTS; i++) {
                x[i][0] = (float)(from[0] + ((double)(a * FINE + sub) + 0.5) / FINE * width[0]);
                x[i][1] = (float)(from[1] + ((double)i + 0.5) / FINE * width[1]);
            }
            log_prob_under(&c, POINTS, x[0], log_prob);
            for (size_t i = 0; i < POINTS; i++)
                mass[i / FINE] += exp((double)log_prob[i]) * width[0] * width[1] / (FINE * FINE);
        }
        for (size_t b = 0; b < SIDE; b++) {
            const double expected = DRAWS * mass[b], cell = (double)found[a][b];
            inside += mass[b];
            if (expected < 10) continue; /* counted with the rest */
            statistic += (cell - expected) * (cell - expected) / expected;
            rest_found -= cell;
            rest_expected -= expected;
            freedom++;
        }
    }
    statistic += (rest_found - rest_expected) * (rest_found - rest_expected) / rest_expected;
    const double error = (statistic - freedom) / sqrt(2 * freedom);
    CHECK(inside > 0.98 && inside < 1.0, "%s: the density has %g inside the quantiles", spec->name, inside);
    CHECK(error < 6, "%s: chi-square %g of %g degrees of freedom", spec->name, statistic, freedom);
    call_free(c);
}

/* ---- entropy ---- */

enum { NEIGHBOUR = 4 };

/* Squared distance from row i to its fourth nearest among the others. (The nearest may be at distance 0: floats are
 * few.) */
static double neighbour_squared(const float *rows, size_t count, size_t dim, size_t i) {
    float nearest[NEIGHBOUR] = {INFINITY, INFINITY, INFINITY, INFINITY};
    for (size_t k = 0; k < count; k++) {
        float squared = 0;
        for (size_t j = 0; j < dim; j++) {
            const float difference = rows[i * dim + j] - rows[k * dim + j];
            squared += difference * difference;
        }
        if (k == i || squared >= nearest[NEIGHBOUR - 1]) continue;
        size_t at = NEIGHBOUR - 1;
        for (; at > 0 && squared < nearest[at - 1]; at--) nearest[at] = nearest[at - 1];
        nearest[at] = squared;
    }
    return (double)nearest[NEIGHBOUR - 1];
}

/* Kozachenko and Leonenko 1987, with the k-th neighbour: the mean over samples of
 *   digamma(n) - digamma(k) + log(volume of the ball up to the neighbour) */
static void check_entropy(const flow_spec *spec, const flowrt_model *model) {
    enum { DRAWS = 3000 };
    static const double digamma_k = 1 + 1.0 / 2 + 1.0 / 3 - 0.57721566490153286;
    static const double log_unit_ball[] = {0, 0.69314718055994531, 1.1447298858494002, 1.4324119583011810};
    const size_t dim = spec->dim;
    call c = draw(model, DRAWS, 75);
    double entropy = 0, mean = 0, variance = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        const double ball = log_unit_ball[dim] + (double)dim / 2 * log(neighbour_squared(c.output, DRAWS, dim, i));
        const double local = log(DRAWS) - 0.5 / DRAWS - digamma_k + ball, log_prob = (double)c.log_output[i];
        entropy += local / DRAWS;
        mean -= log_prob / DRAWS;
        variance += (local + log_prob) * (local + log_prob) / DRAWS;
    }
    /* What the density changes within the ball is a bias, of the order of (k / n)^(2 / dim). */
    const double bias = pow((double)NEIGHBOUR / DRAWS, 2.0 / (double)dim), error = sqrt(variance / DRAWS);
    CHECK(fabs(entropy - mean) < 5 * error + 5 * bias,
          "%s: -log p of samples is %g on average, their entropy %g; %g allowed", spec->name, mean, entropy,
          5 * error + 5 * bias);
    call_free(c);
}

/* ---- images of independent normals ---- */

/* Box and Muller 1958, in double precision, from another generator than the library's. */
static void normals(float *values, size_t count, uint64_t seed) {
    random_source random = {seed};
    for (size_t i = 0; i < count; i++) {
        const double u = ((double)(random_u64(&random) >> 11) + 0.5) * 0x1p-53;
        const double angle = 2 * acos(-1.0) * (double)(random_u64(&random) >> 11) * 0x1p-53;
        values[i] = (float)(sqrt(-2 * log(u)) * cos(angle));
    }
}

static double two_sample_ks(float *a, float *b, size_t count) {
    qsort(a, count, sizeof *a, ascending);
    qsort(b, count, sizeof *b, ascending);
    double distance = 0;
    for (size_t i = 0, k = 0; i < count && k < count;) {
        const float x = fminf(a[i], b[k]);
        while (i < count && a[i] <= x) i++;
        while (k < count && b[k] <= x) k++;
        distance = fmax(distance, fabs((double)i - (double)k) / (double)count);
    }
    return distance * sqrt((double)count / 2);
}

static double mean_distance(const float *a, const float *b, size_t count, size_t dim) {
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            float squared = 0;
            for (size_t j = 0; j < dim; j++) {
                const float difference = a[i * dim + j] - b[k * dim + j];
                squared += difference * difference;
            }
            sum += sqrt((double)squared);
        }
    return sum / (double)count / (double)count;
}

static void check_images(const flow_spec *spec, const flowrt_model *model) {
    enum { DRAWS = 10000, PAIRED = 500 };
    const size_t dim = spec->dim;
    call samples = draw(model, DRAWS, 76), images = call_new(model, INVERSE, DRAWS, 76);
    if (images.context) images.context_rows = 1; /* equal seeds give equal contexts */
    normals(images.input, DRAWS * dim, 77);
    CHECK_STATUS(FLOWRT_OK, call_run(&images));

    float *a = must_allocate(DRAWS * sizeof *a), *b = must_allocate(DRAWS * sizeof *b);
    for (size_t j = 0; j < dim; j++) {
        for (size_t i = 0; i < DRAWS; i++) a[i] = samples.output[i * dim + j], b[i] = images.output[i * dim + j];
        const double distance = two_sample_ks(a, b, DRAWS);
        CHECK(distance < KS_LIMIT, "%s: coordinate %zu of samples is at distance %g from its images", spec->name, j,
              distance);
    }
    free(a);
    free(b);

    /* Szekely and Rizzo 2013: for equal laws, n/2 times the energy distance, divided by the mean distance between the
     * samples, exceeds the square of a normal's quantile at most as often as that normal does. */
    const double between = mean_distance(samples.output, images.output, PAIRED, dim);
    const double within = mean_distance(samples.output, samples.output, PAIRED, dim) +
                          mean_distance(images.output, images.output, PAIRED, dim);
    const double statistic = PAIRED / 2.0 * (2 * between - within) / between;
    CHECK(statistic < 25, "%s: energy statistic %g", spec->name, statistic);
    call_free(samples);
    call_free(images);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    if (spec->dim == 1) check_line(spec, model);
    if (spec->dim == 2) check_plane(spec, model);
    if (spec->dim <= 3) check_entropy(spec, model);
    if (flow_has_standard_base(spec)) check_images(spec, model);
}

/* ---- flows of few coordinates, for the bases and transformers that flow_cases has with many ---- */

/* clang-format off */
#define NETWORK(context_) .layer_count = 2, .layers = {{ .width = 19, .activation = TANH, .source = READ_SIDE, .context = context_ }, { .source = LAYER(0) }}
#define MAF { .kind = RECORD_AUTOREGRESSIVE, .transformer = AFFINE, .scale = SCALE_SOFTPLUS, .p = {1e-3f}, NETWORK(NONE) }
#define SPLINE_STEP(reads_, form_) { .kind = RECORD_AUTOREGRESSIVE, .reads = reads_, .transformer = SPLINE, .form = form_, .bins = 5, \
                                     .p = {-3, 3, 1e-3f, 1e-3f, 1e-3f, 0, form_ & 48 ? 0 : 1}, NETWORK(NONE) }
#define MOG(context_) { .kind = RECORD_BASE, .reads = AUTOREGRESSIVE_MIXTURE, .bins = 4, .scale = SCALE_SOFTPLUS, .p = {0.05f}, NETWORK(context_) }
#define CONDITIONAL(outputs_) { .kind = RECORD_BASE, .reads = CONDITIONAL_NORMAL, .layer_count = 1, .layers = {{ .width = outputs_, .context = CONTEXT }} }

static const flow_spec small_flows[] = {
    { "uniform of one", 1, 0, {{ .kind = RECORD_BASE, .reads = BOX_UNIFORM }} },
    { "uniform of two", 2, 0, { MAF, { .kind = RECORD_BASE, .reads = BOX_UNIFORM } } },
    { "mixture of one", 1, 0, {{ .kind = RECORD_BASE, .reads = NORMAL_MIXTURE, .bins = 5 }} },
    { "mixture of two", 2, 0, { MAF, { .kind = RECORD_BASE, .reads = NORMAL_MIXTURE, .bins = 3 } } },
    { "mixture of three", 3, 0, {{ .kind = RECORD_BASE, .reads = NORMAL_MIXTURE, .bins = 2 }} },
    { "conditional normal of one", 1, 3, { CONDITIONAL(2) } },
    { "conditional normal of two", 2, 2, { MAF, CONDITIONAL(4) } },
    { "autoregressive mixture of one", 1, 0, { MOG(NONE) } },
    { "autoregressive mixture of two", 2, 3, { MOG(CONTEXT) } },
    { "autoregressive mixture of three", 3, 0, { MAF, MOG(NONE) } },
    { "spline of one", 1, 0, { SPLINE_STEP(READS_NOISE, 0) } },
    { "splines of two", 2, 0, { SPLINE_STEP(READS_DATA, 0), SPLINE_STEP(READS_NOISE, 16) } },
    { "spline of three", 3, 0, { SPLINE_STEP(READS_DATA, 16), MAF } },
    { "linear spline of one", 1, 0, { { .kind = RECORD_AUTOREGRESSIVE, .transformer = SPLINE, .form = LINEAR_PIECES << 7, .bins = 5, .p = {-3, 3}, NETWORK(NONE) } } },
    { "quadratic spline of two", 2, 0, { { .kind = RECORD_AUTOREGRESSIVE, .transformer = SPLINE, .form = QUADRATIC_PIECES << 7, .bins = 5, .p = {-3, 3, 1e-3f, 0.3f, 1e-3f}, NETWORK(NONE) } } },
    { "linear-rational spline of one", 1, 0, { { .kind = RECORD_AUTOREGRESSIVE, .transformer = SPLINE, .form = LINEAR_RATIONAL_PIECES << 7, .bins = 5, .p = {-3, 3, 1e-3f, 1e-3f, 1e-3f, 0, 1, 0.025f}, NETWORK(NONE) } } },
    { "cubic spline of two", 2, 0, { { .kind = RECORD_AUTOREGRESSIVE, .transformer = SPLINE, .form = CUBIC_PIECES << 7, .bins = 5, .p = {-3, 3, 1e-3f, 1e-3f}, NETWORK(NONE) } } },
};
/* clang-format on */

static void test_small_flows(void) {
    const size_t count = sizeof small_flows / sizeof *small_flows;
    for (size_t i = 0; i < count; i++) {
        const flow_file file = flow_build(&small_flows[i], i);
        for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
            flowrt_model model;
            if (flow_open_level(&model, file, level)) test(&small_flows[i], &model, level);
        }
        flow_free(file);
    }
    printf("%zu flows of few coordinates\n", count);
}

int main(void) {
    for_each_flow(test);
    test_small_flows();
}
