/* Every Tests/golden/<name>.flw against <name>.golden, float64 results of the model it was exported from: the error is
 * at most twice the framework's own float32 error on the same rows, plus a few units in the last place.
 *
 * A .golden file: 8 bytes "FLWGOLD1", u32 rows, dim, context_dim, 0, then float64 values: x, context, z, log_det,
 * log_prob, noise, x_inverse, log_det_inverse, sample_x, sample_log_prob (seed 7, stream 3, index 5, one context for
 * each row), and the framework's largest float32 errors of z, log_prob and x_inverse. */
#include "support/call.h"
#include <dirent.h>
#include <math.h>

static const double ULP = 1.1920929e-7;
enum { ULPS = 8 };

typedef struct golden {
    uint32_t rows, dim, context_dim;
    double *values; /* all of them */
    const double *x, *context, *z, *log_det, *log_prob, *noise, *x_inverse, *log_det_inverse, *sample_x,
        *sample_log_prob;
    double z_error, log_prob_error, x_inverse_error;
} golden;

static unsigned char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL, "cannot read %s", path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = must_allocate(*size);
    CHECK(fread(bytes, 1, *size, file) == *size, "cannot read %s", path);
    fclose(file);
    return bytes;
}

static golden read_golden(const char *path) {
    size_t size;
    unsigned char *bytes = read_file(path, &size);
    golden g;
    CHECK(size >= 24 && memcmp(bytes, "FLWGOLD1", 8) == 0, "%s is not a golden file", path);
    memcpy(&g.rows, bytes + 8, 12);
    const size_t rows = g.rows, matrix = rows * g.dim;
    CHECK(size == 24 + sizeof(double) * (5 * matrix + rows * g.context_dim + 4 * rows + 3), "%s has %zu bytes", path,
          size);
    g.values = must_allocate(size);
    memcpy(g.values, bytes + 24, size - 24);
    free(bytes);
    const double *at = g.values;
    const double **const arrays[] = {&g.x,        &g.context,        &g.z,         &g.log_det,
                                     &g.log_prob, &g.noise,          &g.x_inverse, &g.log_det_inverse,
                                     &g.sample_x, &g.sample_log_prob};
    const size_t sizes[] = {matrix, rows * g.context_dim, matrix, rows, rows, matrix, matrix, rows, matrix, rows};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; at += sizes[i++]) *arrays[i] = at;
    g.z_error = at[0];
    g.log_prob_error = at[1];
    g.x_inverse_error = at[2];
    return g;
}

static float *rounded(const double *values, size_t count) {
    float *floats = must_allocate(count * sizeof *floats);
    for (size_t i = 0; i < count; i++) floats[i] = (float)values[i];
    return floats;
}

static void check_values(const char *name, const char *what, uint32_t level, const double *expected, const float *found,
                         size_t count, double allowed) {
    double worst = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)found[i] - expected[i]);
        const double limit = allowed + ULPS * ULP * (1 + fabs(expected[i]));
        CHECK(error <= limit, "%s, level %u, %s: value %zu is %.9g, not %.9g; off by %.3g, allowed %.3g", name, level,
              what, i, (double)found[i], expected[i], error, limit);
        worst = fmax(worst, error);
        largest = fmax(largest, fabs(expected[i]));
    }
    printf("%-28s level %u %-16s worst error %.2e of %.2e allowed, values up to %.3g\n", name, level, what, worst,
           allowed + ULPS * ULP, largest);
}

static void check_model(const char *name, const flowrt_model *model, uint32_t level, const golden *g) {
    const size_t rows = g->rows, matrix = rows * g->dim;
    const flowrt_model_info info = info_of(model);
    CHECK(info.dim == g->dim && info.context_dim == g->context_dim, "%s: %u, %u", name, info.dim, info.context_dim);
    float *x = rounded(g->x, matrix), *noise = rounded(g->noise, matrix);
    float *context = rounded(g->context, rows * g->context_dim);
    call c = call_new(model, FORWARD, rows, 0);
    free(c.input);
    free(c.context);
    c.context = g->context_dim ? context : NULL;

    c.input = x;
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    check_values(name, "z", level, g->z, c.output, matrix, 2 * g->z_error);
    check_values(name, "log_det", level, g->log_det, c.log_output, rows, 2 * g->log_prob_error);
    c.verb = LOG_PROB;
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    check_values(name, "log_prob", level, g->log_prob, c.log_output, rows, 2 * g->log_prob_error);
    c.verb = INVERSE;
    c.input = noise;
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    check_values(name, "x", level, g->x_inverse, c.output, matrix, 2 * g->x_inverse_error);
    check_values(name, "log_det_inverse", level, g->log_det_inverse, c.log_output, rows, 2 * g->log_prob_error);
    /* The reference draws its noise in float64. Rounding the noise moves a sample as far as the flow stretches it. */
    double rounding = 0;
    for (size_t i = 0; i < matrix; i++) rounding = fmax(rounding, 64 * ULP * fabs(g->sample_x[i]));
    c.verb = SAMPLE;
    c.rng = (flowrt_rng){7, 3, 5};
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    check_values(name, "sample", level, g->sample_x, c.output, matrix, 2 * g->x_inverse_error + rounding);
    check_values(name, "sample_log_prob", level, g->sample_log_prob, c.log_output, rows,
                 2 * g->log_prob_error + rounding);
    c.input = c.context = NULL;
    call_free(c);
    free(x);
    free(noise);
    free(context);
}

static void check_file(const char *directory, const char *name) {
    char path[4096];
    flow_file file;
    snprintf(path, sizeof path, "%s/%s.flw", directory, name);
    file.bytes = read_file(path, &file.size);
    snprintf(path, sizeof path, "%s/%s.golden", directory, name);
    golden g = read_golden(path);
    for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
        flowrt_model model;
        if (flow_open_level(&model, file, level)) check_model(name, &model, level, &g);
    }
    free(g.values);
    flow_free(file);
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: Golden DIRECTORY");
    DIR *directory = opendir(argv[1]);
    CHECK(directory != NULL, "cannot read %s", argv[1]);
    size_t files = 0;
    for (struct dirent *entry; (entry = readdir(directory));) {
        const size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".flw") != 0) continue;
        entry->d_name[length - 4] = 0;
        check_file(argv[1], entry->d_name);
        files++;
    }
    closedir(directory);
    CHECK(files > 0, "no .flw files in %s", argv[1]);
    printf("%zu golden files\n", files);
}
