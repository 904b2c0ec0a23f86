/* Whatever the bytes of a file, opening it either refuses them or gives a model whose evaluation stays in bounds; with
 * FLOWRT_OPEN_VERIFY every change is refused. The file, the workspace and all arrays lie before inaccessible pages.
 *
 *   DamagedFiles [n]   tries every n-th of the damaged files, for slow machines */
#include "support/call.h"
#include "support/guarded.h"

enum { ROWS = 5, RANDOM_FILES = 3000, LARGEST_WORKSPACE = 1 << 26 };

typedef struct bench {
    flow_file original;
    guarded file_area, workspace_area, array_area;
    size_t stride, tried, opened, refused;
} bench;

static uint8_t *place(bench *b, size_t size) {
    uint8_t *bytes = guarded_last(b->file_area, size, FLOWRT_ALIGNMENT);
    memcpy(bytes, b->original.bytes, size < b->original.size ? size : b->original.size);
    return bytes;
}

/* All four verbs, with the sizes that the model itself asks for. */
static void evaluate(bench *b, const flowrt_model *model) {
    const flowrt_model_info info = info_of(model);
    const size_t workspace_size = flowrt_workspace_size(model, ROWS), row = info.dim * sizeof(float);
    CHECK(workspace_size > 0, "an open model without a workspace size");
    if (workspace_size > LARGEST_WORKSPACE) return; /* millions of coordinates: slow, and no different */
    if (workspace_size > (size_t)(b->workspace_area.end - b->workspace_area.start)) {
        guarded_unmap(b->workspace_area);
        b->workspace_area = guarded_map(workspace_size);
    }
    const size_t context_size = info.context_dim * sizeof(float), needed = ROWS * (row + sizeof(float)) + context_size;
    if (needed > (size_t)(b->array_area.end - b->array_area.start)) {
        guarded_unmap(b->array_area);
        b->array_area = guarded_map(needed);
    }
    float *rows = guarded_last(b->array_area, ROWS * row, sizeof(float));
    float *context = rows - info.context_dim, *log_output = context - ROWS;
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        random_source random = {verb};
        random_fill(&random, log_output, ROWS * (info.dim + 1) + info.context_dim);
        call c = {.model = model,
                  .verb = verb,
                  .count = ROWS,
                  .input = rows,
                  .output = rows,
                  .log_output = log_output,
                  .context = info.context_dim ? context : NULL,
                  .context_rows = info.context_dim != 0,
                  .workspace = guarded_last(b->workspace_area, workspace_size, FLOWRT_ALIGNMENT),
                  .workspace_size = workspace_size};
        const flowrt_status status = call_run(&c);
        CHECK(status == FLOWRT_OK || status == FLOWRT_ERR_NONFINITE, "%s: %s", verb_names[verb], status_name(status));
        c.count = 1;
        call_run(&c);
    }
}

static void try_bytes(bench *b, const uint8_t *bytes, size_t size) {
    flowrt_model model;
    flowrt_error_detail detail;
    const flowrt_status status = flowrt_model_open(&model, bytes, size, 0, &detail);
    CHECK(detail.status == (int32_t)status, "status %d, detail %d", status, detail.status);
    if (status == FLOWRT_OK) {
        b->opened++;
        evaluate(b, &model);
    } else {
        b->refused++;
        CHECK(detail.offset <= size || status == FLOWRT_ERR_TRUNCATED, "%s at byte %llu of %zu", status_name(status),
              (unsigned long long)detail.offset, size);
    }
}

static void expect_verify_refuses(const uint8_t *bytes, size_t size, size_t at) {
    flowrt_model model;
    const flowrt_status status = flowrt_model_open(&model, bytes, size, FLOWRT_OPEN_VERIFY, NULL);
    CHECK(status != FLOWRT_OK, "byte %zu was changed to %02x and FLOWRT_OPEN_VERIFY accepted it", at, bytes[at]);
}

/* Every byte of the header and the records takes all 256 values; one of the blocks, mostly parameters, takes four. */
static void check_every_byte(bench *b) {
    const size_t size = b->original.size;
    uint32_t record_count;
    memcpy(&record_count, b->original.bytes + 36, sizeof record_count);
    uint8_t *bytes = place(b, size);
    for (size_t at = 0; at < size; at++) {
        const uint8_t kept = bytes[at];
        const int step = at < 64 * (size_t)(record_count + 1) ? 1 : 64;
        for (int value = 1; value < 256; value += step) {
            if (b->tried++ % b->stride) continue;
            bytes[at] = (uint8_t)(kept ^ value);
            if ((value & (value - 1)) == 0) expect_verify_refuses(bytes, size, at);
            try_bytes(b, bytes, size);
        }
        bytes[at] = kept;
    }
}

/* Every length, as it is and with a header that agrees to it. */
static void check_every_truncation(bench *b) {
    for (size_t size = 0; size < b->original.size; size++) {
        if (b->tried++ % b->stride) continue;
        uint8_t *bytes = place(b, size);
        flowrt_model model;
        CHECK(flowrt_model_open(&model, bytes, size, 0, NULL) != FLOWRT_OK, "%zu of %zu bytes", size, b->original.size);
        if (size < 64) continue;
        const uint64_t claimed = size;
        memcpy(bytes + 16, &claimed, sizeof claimed);
        CHECK(flowrt_model_open(&model, bytes, size, 0, NULL) != FLOWRT_OK, "%zu bytes that say so", size);
        const uint64_t metadata = size % 64;
        memcpy(bytes + 40, &metadata, sizeof metadata);
        try_bytes(b, bytes, size);
    }
}

/* Every field of the header and the records, and every count of the blocks, close to every power of two: products that
 * overflow, sums that wrap around, counts that no memory holds. */
static void check_huge_values(bench *b) {
    const size_t size = b->original.size;
    uint32_t record_count;
    memcpy(&record_count, b->original.bytes + 36, sizeof record_count);
    uint8_t *bytes = place(b, size);
    for (size_t width = 2; width <= 8; width *= 2)
        for (size_t at = 0; at + width <= 64 * (size_t)(record_count + 4) && at + width <= size; at += width) {
            if (width == 8 && at >= 64 && at % 64 != 8) continue; /* of the records, log_det alone is as wide */
            for (unsigned bit = 1; bit < 8 * width; bit++)
                for (int less = 0; less <= 2; less++) {
                    if (b->tried++ % b->stride) continue;
                    const uint64_t value = less == 2 ? -(UINT64_C(1) << bit) : (UINT64_C(1) << bit) - (uint64_t)less;
                    memcpy(bytes + at, &value, width);
                    try_bytes(b, bytes, size);
                }
            memcpy(bytes + at, b->original.bytes + at, width);
        }
}

/* Several changes at once, small integers among them, mostly in the structure. */
static void check_random_damage(bench *b) {
    random_source random = {b->original.size};
    const size_t size = b->original.size;
    for (size_t i = 0; i < RANDOM_FILES / b->stride; i++) {
        uint8_t *bytes = place(b, size);
        for (uint32_t k = 1 + random_below(&random, 4); k > 0; k--) {
            const uint32_t width = 1u << random_below(&random, 4);
            const size_t room = random_below(&random, 4) ? 64 * 8 : size;
            const size_t at = random_below(&random, (uint32_t)((room < size ? room : size) / width)) * width;
            const uint64_t value = random_below(&random, 2) ? random_below(&random, 70) : random_u64(&random);
            memcpy(bytes + at, &value, width);
        }
        memcpy(bytes, b->original.bytes, 8); /* beyond the magic */
        try_bytes(b, bytes, size);
    }
}

int main(int argc, char **argv) {
    const size_t stride = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    CHECK(argc <= 2 && stride > 0, "usage: DamagedFiles [n]");
    static const char *const names[] = {
        "no-steps", "one-coordinate-context", "narrow-network", "context-only", "diagonal",      "permutation",
        "additive", "scale-exp-clamped",      "coupling",       "three-adds",   "residual-gated",
        "linear",   "normal-base-1",          "encoder-norm",   "context-layer", "spline-one-coordinate", "spline-exponential",
        "elementwise", "uniform-base", "mixture-base-17", "conditional-base", "made-mog", "spline-cubic-coupling"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bench b = {.original = flow_build(flow_case(names[i]), 1), .stride = stride};
        b.file_area = guarded_map(b.original.size + FLOWRT_ALIGNMENT);
        b.workspace_area = guarded_map(1 << 16);
        b.array_area = guarded_map(1 << 12);
        check_every_byte(&b);
        check_every_truncation(&b);
        check_huge_values(&b);
        check_random_damage(&b);
        printf("%-24s %6zu bytes: %7zu damaged files refused, %6zu opened and evaluated\n", names[i], b.original.size,
               b.refused, b.opened);
        guarded_unmap(b.file_area);
        guarded_unmap(b.workspace_area);
        guarded_unmap(b.array_area);
        flow_free(b.original);
    }
}
