/* A row's result does not depend on the batch around it, on the workspace size, or on which tile shape evaluates it.
 *   BatchSplitInvariance [SPLITS]     ways to split the batch, 24 */
#include "support/call.h"

enum { ROWS = 150 };
static int splits = 24;

static void check_splits(const flow_spec *spec, const flowrt_model *model, enum verb verb) {
    const uint32_t dim = spec->dim;
    call whole = call_new(model, verb, ROWS, 11);
    CHECK_STATUS(FLOWRT_OK, call_run(&whole));
    CHECK(verb != SAMPLE || whole.rng.index == 5 + ROWS, "%s: index %llu", spec->name,
          (unsigned long long)whole.rng.index);
    whole.rng.index = 5;

    const size_t smallest = flowrt_workspace_size(model, 1), full = flowrt_workspace_size(model, SIZE_MAX);
    void *workspace = must_allocate(full);
    float *output = must_allocate(ROWS * dim * sizeof *output);
    float *log_output = must_allocate(ROWS * sizeof *log_output);
    random_source random = {23};
    for (int split = 0; split < splits; split++) {
        /* Split 0 goes row by row, split 1 is whole in the smallest workspace, the others are random. */
        memset(output, 0, ROWS * dim * sizeof *output);
        memset(log_output, 0, ROWS * sizeof *log_output);
        for (size_t first = 0, count; first < ROWS; first += count) {
            count = split == 0 ? 1 : split == 1 ? ROWS : 1 + random_below(&random, split % 2 ? 8 : 70);
            if (count > ROWS - first) count = ROWS - first;
            call part = call_rows(whole, first, count);
            part.output = output + first * dim;
            part.log_output = log_output + first;
            part.workspace = workspace;
            part.workspace_size =
                split < 2 ? smallest : smallest + random_below(&random, (uint32_t)(full - smallest) + 1);
            CHECK_STATUS(FLOWRT_OK, call_run(&part));
        }
        char what[160];
        snprintf(what, sizeof what, "%s, %s, split %d", spec->name, verb_names[verb], split);
        if (verb != LOG_PROB) CHECK_SAME_BITS(what, whole.output, output, ROWS * dim);
        CHECK_SAME_BITS(what, whole.log_output, log_output, ROWS);
    }
    free(workspace);
    free(output);
    free(log_output);
    call_free(whole);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    (void)level;
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) check_splits(spec, model, verb);
}

/* Many rows take source units in blocks (Sources/FlowrtKernels/Steps/Conditioner.swift): degrees that end where a block of 96 does,
 * one unit before and one behind. */
static void check_block_ends(void) {
    static const uint32_t ends[] = {95, 96, 97, 192, 193};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const uint32_t width = 2 * ends[i]; /* half of the units see no rank */
        const flow_spec spec = {"block ends", 6, 0,
                                {{.kind = RECORD_AUTOREGRESSIVE,
                                  .transformer = AFFINE,
                                  .scale = SCALE_SOFTPLUS,
                                  .p = {1e-3f},
                                  .stages = 2,
                                  .layer_count = 3,
                                  .layers = {{.width = width, .activation = TANH, .source = READ_SIDE},
                                             {.width = width, .activation = TANH, .source = LAYER(0)},
                                             {.source = LAYER(1)}}}}};
        const flow_file file = flow_build(&spec, i);
        for (uint32_t level = 1; level <= HIGHEST_LEVEL; level++) {
            flowrt_model model;
            if (!flow_open_level(&model, file, level)) continue;
            check_splits(&spec, &model, FORWARD);
            check_splits(&spec, &model, INVERSE);
        }
        flow_free(file);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) splits = atoi(argv[1]);
    for_each_flow(test);
    check_block_ends();
}
