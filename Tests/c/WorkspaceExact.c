/* flowrt_workspace_size is exact, non-decreasing, constant from one tile on and the same at every kernel level; its
 * size is accepted, one byte less than the smallest is refused, and no byte around the workspace is touched. */
#include "support/call.h"
#include "support/guarded.h"

enum { MOST_ROWS = 130 };

/* Counts of rows are 1 .. dense, then every step-th up to MOST_ROWS. */
static size_t dense = 20, step = 11;

static void check_call(const flow_spec *spec, const flowrt_model *model, enum verb verb, size_t count, size_t size) {
    call c = call_new(model, verb, count, count);
    const guarded area = guarded_map(size + 4096);
    free(c.workspace);
    canary_fill(area);
    c.workspace = (unsigned char *)guarded_last(area, size + 2048, FLOWRT_ALIGNMENT);
    c.workspace_size = size;
    CHECK_STATUS(FLOWRT_OK, call_run(&c));
    canary_check(spec->name, area, c.workspace, size);

    c.workspace_size = flowrt_workspace_size(model, 1) - 1;
    CHECK_STATUS(FLOWRT_ERR_WORKSPACE, call_run(&c));
    c.workspace_size = 0;
    CHECK_STATUS(FLOWRT_ERR_WORKSPACE, call_run(&c));
    guarded_unmap(area);
    c.workspace = NULL;
    call_free(c);
}

static void test(const flow_spec *spec, const flowrt_model *model, uint32_t level) {
    const size_t largest = flowrt_workspace_size(model, SIZE_MAX);
    size_t before = 0, tile = 0;
    CHECK(flowrt_workspace_size(model, 1) > 0, "%s", spec->name);
    for (size_t count = 0; count <= 1000; count++) {
        const size_t size = flowrt_workspace_size(model, count);
        CHECK(size >= before, "%s: %zu bytes for %zu rows, %zu for one row less", spec->name, size, count, before);
        if (size < largest) tile = count + 1;
        before = size;
    }
    CHECK(before == largest, "%s: %zu bytes for 1000 rows, %zu for SIZE_MAX", spec->name, before, largest);
    CHECK(tile <= MOST_ROWS, "%s: a tile of %zu rows", spec->name, tile);

    flowrt_model baseline;
    memcpy(&baseline, model, sizeof baseline); /* a model may be copied */
    CHECK(flowrt_workspace_size(&baseline, 40) == flowrt_workspace_size(model, 40), "%s: a copy differs", spec->name);
    if (level > 1) {
        const flow_file file = flow_build(spec, (uint64_t)(spec - flow_cases));
        CHECK(flow_open_level(&baseline, file, 1), "%s", spec->name);
        for (size_t count = 1; count <= MOST_ROWS; count++)
            CHECK(flowrt_workspace_size(&baseline, count) == flowrt_workspace_size(model, count),
                  "%s: level %u needs %zu bytes, level 1 %zu", spec->name, level, flowrt_workspace_size(model, count),
                  flowrt_workspace_size(&baseline, count));
        flow_free(file);
    }

    for (enum verb verb = 0; verb < VERB_COUNT; verb++)
        for (size_t count = 1; count <= MOST_ROWS; count += count < dense ? 1 : step) {
            check_call(spec, model, verb, count, flowrt_workspace_size(model, count));
            check_call(spec, model, verb, count, flowrt_workspace_size(model, 1));
        }
}

int main(int argc, char **argv) {
    if (argc > 1) { /* a step: less of it */
        dense = 1;
        step = (size_t)atoi(argv[1]);
    }
    for_each_flow(test);
}
