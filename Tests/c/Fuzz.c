/* libFuzzer looks for bytes that make open or a verb misbehave, under AddressSanitizer: whatever the file, it is
 * refused or its evaluation stays in bounds. Each input is opened as it is, and again with FLOWRT_OPEN_VERIFY and a
 * file_size and checksum that fit. The corpus is Tests/golden. */
#include "support/call.h"

enum { ROWS = 5, LARGEST_WORKSPACE = 4 << 20 };

static void evaluate(const flowrt_model *model) {
    if (flowrt_workspace_size(model, ROWS) > LARGEST_WORKSPACE) return; /* slow, and no different */
    for (size_t count = 1; count <= ROWS; count += ROWS - 1)
        for (verb verb = 0; verb < VERB_COUNT; verb++) {
            call c = call_new(model, verb, count, 1);
            const flowrt_status status = call_run(&c);
            CHECK(status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE, "%s: %s", verb_names[verb],
                  status_name(status));
            call_free(c);
        }
}

static void open_and_evaluate(flow_file file, uint32_t flags) {
    flowrt_model model;
    flowrt_error_detail detail;
    const flowrt_status status = flowrt_model_open(&model, file.bytes, file.size, flags, &detail);
    CHECK(detail.status == (int32_t)status, "status %d, detail.status %d", status, detail.status);
    if (status == FLOWRT_OK) evaluate(&model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    flow_file file = {must_allocate(size), size};
    if (size) memcpy(file.bytes, data, size);
    open_and_evaluate(file, FLOWRT_OPEN_DEFAULT);
    if (size >= 64) {
        const uint64_t file_size = size;
        memcpy(file.bytes + 16, &file_size, sizeof file_size);
        flow_seal(file);
        open_and_evaluate(file, FLOWRT_OPEN_VERIFY);
    }
    flow_free(file);
    return 0;
}
