/* A program of its release: compiled against that release's header, linked with its interface, run with today's
 * library. program MODEL.flw     a conditional flow */
#include <flowrt.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 3, MAX_SIZE = 1 << 16, MAX_FLOATS = 256 };

static _Alignas(FLOWRT_ALIGNMENT) unsigned char data[MAX_SIZE];
static _Alignas(FLOWRT_ALIGNMENT) unsigned char workspace[1 << 18];

static void check(const char *what, flowrt_status expected, flowrt_status found) {
    if (expected == found) return;
    printf("%s: status %d, not %d\n", what, found, expected);
    exit(1);
}

static void print(const char *name, const float *values, size_t count) {
    printf("%s", name);
    for (size_t i = 0; i < count; i++) printf(" %.4f", (double)values[i]);
    printf("\n");
}

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) return 1;
    const size_t size = fread(data, 1, sizeof data, file);
    fclose(file);

    flowrt_model model;
    flowrt_error_detail detail;
    check("truncated", FLOWRT_ERR_TRUNCATED, flowrt_model_open(&model, data, size - 1, FLOWRT_OPEN_DEFAULT, &detail));
    printf("refused: status %d, record %d, offset %d, expected %d, found %d\n", detail.status, detail.record,
           (int)detail.offset, (int)(detail.expected - size), (int)(detail.found - size));
    check("open", FLOWRT_OK, flowrt_model_open(&model, data, size, FLOWRT_OPEN_VERIFY | FLOWRT_OPEN_LEVEL(0), &detail));

    /* A later library may know more facts; it writes only as many as this program has room for. */
    struct {
        flowrt_model_info info;
        unsigned char behind[64];
    } facts = {FLOWRT_MODEL_INFO_INIT, {0}};
    check("info", FLOWRT_OK, flowrt_model_get_info(&model, &facts.info));
    for (size_t i = 0; i < sizeof facts.behind; i++)
        if (facts.behind[i]) return 2;
    const size_t dim = facts.info.dim, context_dim = facts.info.context_dim;
    printf("dim %u, context %u, steps %u, format %u, parameters %u, size %d\n", facts.info.dim, facts.info.context_dim,
           facts.info.step_count, facts.info.format_version, (unsigned)facts.info.parameter_count,
           (int)(facts.info.data_size - size));
    if (ROWS * dim > MAX_FLOATS || context_dim > MAX_FLOATS || flowrt_workspace_size(&model, ROWS) > sizeof workspace)
        return 3;

    float x[MAX_FLOATS], z[MAX_FLOATS], context[MAX_FLOATS], log_p[ROWS], log_det[ROWS];
    for (size_t i = 0; i < context_dim; i++) context[i] = 0.25f * (float)i - 0.5f;
    flowrt_rng rng = {1, 2, 3};
    check("sample", FLOWRT_OK, flowrt_sample(&model, ROWS, &rng, context, 1, x, log_p, workspace, sizeof workspace));
    printf("generator %d %d %d\n", (int)rng.seed, (int)rng.stream, (int)rng.index);
    print("sample", x, ROWS * dim);
    print("log p of it", log_p, ROWS);
    check("log_prob", FLOWRT_OK, flowrt_log_prob(&model, ROWS, x, context, 1, log_p, workspace, sizeof workspace));
    print("log_prob", log_p, ROWS);
    check("forward", FLOWRT_OK, flowrt_forward(&model, ROWS, x, context, 1, z, log_det, workspace, sizeof workspace));
    print("forward", z, ROWS * dim);
    print("log_det", log_det, ROWS);
    check("inverse", FLOWRT_OK, flowrt_inverse(&model, ROWS, z, context, 1, x, log_det, workspace, sizeof workspace));
    print("inverse", x, ROWS * dim);
    print("log_det", log_det, ROWS);
    check("workspace", FLOWRT_ERR_WORKSPACE, flowrt_log_prob(&model, ROWS, x, context, 1, log_p, workspace, 0));
    return flowrt_version_number() < 100 || !flowrt_version_string()[0] || !flowrt_build_info()[0] ||
           !flowrt_status_message(FLOWRT_ERR_NONFINITE)[0];
}
