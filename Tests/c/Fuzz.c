/* libFuzzer looks for bytes that make open or a verb misbehave, under AddressSanitizer: whatever the file, it is refused
 * or its evaluation stays in bounds, at odd counts, with a context for each row and a shared one, in the full and in the
 * smallest workspace. FuzzMutator.c makes files that get beyond the header.
 *
 *   fuzz --seeds DIRECTORY   writes the flows of support/flow_cases.c as files to begin with */
#include "FuzzMutator.h"
#include "support/call.h"

enum { LARGEST_WORKSPACE = 1 << 20, LARGEST_SEED = 8192 };

/* A row, a few rows one by one, a part of a tile, or a tile and one row: the checksum draws the lot. */
static void evaluate(const flowrt_model *model, uint32_t lot) {
    static const size_t counts[] = {1, 3, 5, 49};
    if (flowrt_workspace_size(model, SIZE_MAX) > LARGEST_WORKSPACE) return; /* slow, and no different */
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        call c = call_new(model, verb, counts[lot % 4], 1);
        if (c.context && lot & 4) c.context_rows = 1;
        if (lot & 8) {
            free(c.workspace);
            c.workspace_size = flowrt_workspace_size(model, 1);
            c.workspace = must_allocate(c.workspace_size);
        }
        const flowrt_status status = call_run(&c);
        CHECK(status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE, "%s: %s", verb_names[verb], status_name(status));
        call_free(c);
    }
}

/* The gradient, where the model has one; with any outputs. */
static void differentiate(const flowrt_model *model, uint32_t lot) {
    static const size_t counts[] = {1, 3, 17, 49};
    if (flowrt_gradient_workspace_size(model, SIZE_MAX) > LARGEST_WORKSPACE) return;
    call c = call_new(model, LOG_PROB, counts[lot % 4], 1);
    if (c.context && lot & 4) c.context_rows = 1;
    const size_t size = flowrt_gradient_workspace_size(model, lot & 8 ? 1 : c.count);
    void *workspace = must_allocate(size);
    float *by_context = c.context && lot & 16 ? must_allocate(c.count * info_of(model).context_dim * sizeof(float)) : NULL;
    const flowrt_status status = flowrt_log_prob_gradient(model, c.count, c.input, c.context, c.context_rows, c.log_output,
                                                          lot & 32 ? NULL : c.output, by_context, workspace, size);
    CHECK(status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE || status == FLOWRT_ERR_GRADIENT, "gradient: %s",
          status_name(status));
    free(by_context);
    free(workspace);
    call_free(c);
}

static int open_and_evaluate(flow_file file, uint32_t flags) {
    flowrt_model model;
    flowrt_error_detail detail;
    const flowrt_status status = flowrt_model_open(&model, file.bytes, file.size, flags, &detail);
    CHECK(detail.status == (int32_t)status, "status %d, detail.status %d", status, detail.status);
    if (status == FLOWRT_OK) evaluate(&model, file.bytes[12]);
    if (status == FLOWRT_OK) differentiate(&model, file.bytes[12]);
    return status == FLOWRT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    flow_file file = {must_allocate(size), size};
    if (size) memcpy(file.bytes, data, size);
    flowrt_model verified;
    const int verifies = flowrt_model_open(&verified, file.bytes, size, FLOWRT_OPEN_VERIFY, NULL) == FLOWRT_OK;
    const int opens = open_and_evaluate(file, FLOWRT_OPEN_DEFAULT);
    CHECK(opens || !verifies, "a file opens only with FLOWRT_OPEN_VERIFY");
    flow_free(file);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    return fuzz_mutate(data, size, max_size, seed);
}

static void write_seeds(const char *directory) {
    for (size_t i = 0; i < flow_case_count; i++) {
        const flow_file file = flow_build(&flow_cases[i], i);
        if (file.size <= LARGEST_SEED) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s.flw", directory, flow_cases[i].name);
            FILE *out = fopen(path, "wb");
            CHECK(out != NULL, "cannot write %s", path);
            CHECK(fwrite(file.bytes, 1, file.size, out) == file.size && fclose(out) == 0, "cannot write %s", path);
        }
        flow_free(file);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    if (*argc == 3 && strcmp((*argv)[1], "--seeds") == 0) {
        write_seeds((*argv)[2]);
        exit(0);
    }
    return 0;
}
