/* What stands in the blocks of a file, and in several records together, is refused where it contradicts docs/FORMAT.md: orders
 * that are none, stages and degrees that do not ascend, numbers that no step can have. */
#include "support/call.h"

/* Refused, with a detail that points at `size` bytes at `offset`, of `record`; -1 is the header. */
static void expect_refusal(int expected, flow_file file, uint32_t flags, int32_t record, uint64_t offset, uint64_t size,
                           const char *what) {
    flowrt_model model;
    flowrt_error_detail detail = {0};
    const flowrt_status status = flowrt_model_open(&model, file.bytes, file.size, flags, &detail);
    CHECK((int)status == expected, "%s: expected %s, found %s", what, status_name(expected), status_name(status));
    CHECK(detail.record == record && detail.offset >= offset && detail.offset < offset + size,
          "%s: record %d, byte %llu, not record %d, byte %llu", what, detail.record, (unsigned long long)detail.offset,
          record, (unsigned long long)offset);
}

/* The first blocks of the flow "mixed-directions", which has 13 records and 13 coordinates: orders of the data and the noise
 * side, stages, and the degrees of the first layer, which has 50 units. */
enum { DATA_ORDER = 64 * 14, NOISE_ORDER = DATA_ORDER + 64, STAGES = NOISE_ORDER + 64, DEGREES = STAGES + 64 };

typedef struct edit {
    const char *what;
    uint32_t record, block, word, value;
} edit;

static const edit edits[] = {
    {"a coordinate beyond the last, data side", 0, DATA_ORDER, 0, 13},
    {"a huge coordinate, data side", 0, DATA_ORDER, 12, UINT32_MAX},
    {"a coordinate beyond the last, noise side", 0, NOISE_ORDER, 0, 13},
    {"padding of an order", 0, NOISE_ORDER, 13, 1},
    {"padding of an order, last word", 0, DATA_ORDER, 15, 1},
    {"an empty first stage", 0, STAGES, 0, 0},
    {"an empty stage", 0, STAGES, 5, 5},
    {"stages that descend", 0, STAGES, 5, 4},
    {"a last stage that ends early", 0, STAGES, 12, 12},
    {"a last stage that ends late", 0, STAGES, 12, 14},
    {"a stage that ends beyond the ranks", 0, STAGES, 3, UINT32_MAX},
    {"padding of the stages", 0, STAGES, 13, 13},
    {"degrees that descend", 1, DEGREES, 6, 1},
    {"degrees beyond the units", 1, DEGREES, 11, 51},
    {"last degrees that end early", 1, DEGREES, 12, 49},
    {"last degrees that end late", 1, DEGREES, 12, 51},
    {"padding of the degrees", 1, DEGREES, 13, 50},
};

static void check_blocks(void) {
    const flow_file file = flow_build(flow_case("mixed-directions"), 1);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const edit *e = &edits[i];
        const size_t at = e->block + 4 * (size_t)e->word;
        uint32_t kept;
        memcpy(&kept, file.bytes + at, sizeof kept);
        memcpy(file.bytes + at, &e->value, sizeof e->value);
        expect_refusal(FLOWRT_ERR_MALFORMED, file, 0, (int32_t)e->record, at, 4, e->what);
        memcpy(file.bytes + at, &kept, sizeof kept);
    }
    for (size_t block = DATA_ORDER; block <= NOISE_ORDER; block += 64) { /* the second coordinate again as the third */
        uint32_t kept;
        memcpy(&kept, file.bytes + block + 8, sizeof kept);
        memcpy(file.bytes + block + 8, file.bytes + block + 4, sizeof kept);
        expect_refusal(FLOWRT_ERR_MALFORMED, file, 0, 0, block + 8, 4, "a coordinate twice");
        memcpy(file.bytes + block + 8, &kept, sizeof kept);
    }
    flow_free(file);

    flow_file wrong = flow_build(flow_case("permutation"), 1);
    uint32_t record_count;
    memcpy(&record_count, wrong.bytes + 36, sizeof record_count);
    const size_t order = 64 * (1 + (size_t)record_count);
    memcpy(wrong.bytes + order + 8, wrong.bytes + order + 4, 4);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 0, order + 8, 4, "a coordinate twice, permutation step");
    flow_free(wrong);

    wrong = flow_build(flow_case("coupling"), 1);
    wrong.bytes[64 + 8] = 2; /* of stages that end at 3 and 6 */
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 0, 64 + 8, 4, "passthrough that ends inside a stage");
    flow_free(wrong);
}

static void set_float(flow_file file, size_t offset, float value) { memcpy(file.bytes + offset, &value, sizeof value); }

/* Numbers that only FLOWRT_OPEN_VERIFY reads: a scale of zero, and standard deviations that are not positive. */
static void check_degenerate_values(void) {
    flow_file wrong = flow_build(flow_case("diagonal"), 1);
    uint32_t record_count;
    memcpy(&record_count, wrong.bytes + 36, sizeof record_count);
    const size_t scale = 64 * (1 + (size_t)record_count);
    set_float(wrong, scale + 12, 0);
    flow_seal(wrong);
    expect_refusal(FLOWRT_ERR_VALUE, wrong, FLOWRT_OPEN_VERIFY, 0, scale + 12, 4, "a scale of zero");
    flow_free(wrong);

    const size_t std = 64 + 64 + 64; /* after the header, the base's record and its mean */
    static const float values[] = {0, -0.0f, -1};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        wrong = flow_build(flow_case("normal-base-1"), 1);
        set_float(wrong, std, values[i]);
        flow_seal(wrong);
        expect_refusal(FLOWRT_ERR_VALUE, wrong, FLOWRT_OPEN_VERIFY, 0, std, 4, "a standard deviation that is not positive");
        flow_free(wrong);
    }
}

/* Structures that take more than one wrong field. */
static void check_structures(void) {
    flow_file wrong = flow_build(flow_case("mixed-directions"), 1);
    wrong.bytes[64 * 2 + 2] = LAYER_NORM;
    set_float(wrong, 64 * 2 + 24, 1e-5f);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 1, 64 * 2 + 2, 2, "layer norm over units that depend on the flow");
    set_float(wrong, 64 * 2 + 24, 0);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 1, 64 * 2 + 24, 4, "layer norm without an epsilon");
    flow_free(wrong);

    const flow_spec late = {"late encoder", 3, 2,
                            {{.kind = RECORD_PERMUTATION},
                             {.kind = RECORD_ENCODER, .layer_count = 1, .layers = {{.width = 4, .context = CONTEXT}}}}};
    wrong = flow_build(&late, 1);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 1, 64 * 2, 2, "an encoder behind a step");
    flow_free(wrong);

    /* A second base behind the first. */
    wrong = flow_build(flow_case("no-steps"), 1);
    flow_file longer = {must_allocate(wrong.size + 64), wrong.size + 64};
    memcpy(longer.bytes, wrong.bytes, 128);
    memcpy(longer.bytes + 128, wrong.bytes + 64, wrong.size - 64);
    const uint64_t size = longer.size;
    memcpy(longer.bytes + 16, &size, sizeof size);
    longer.bytes[36] = 2;
    expect_refusal(FLOWRT_ERR_MALFORMED, longer, 0, 0, 36, 4, "a record behind the base");
    flow_free(longer);
    flow_free(wrong);
}

/* Fields that are wrong only in a flow of a certain kind. */
typedef struct field {
    const char *flow, *what;
    int expected;
    uint32_t record, offset, size, value;
} field;

static const field fields[] = {
    {"mixed-directions", "an epsilon that is infinite", FLOWRT_ERR_MALFORMED, 0, 24, 4, 0x7f800000},
    {"mixed-directions", "too many layers", FLOWRT_ERR_LIMIT, 0, 12, 2, 129},
    {"mixed-directions", "a layer behind the last record", FLOWRT_ERR_MALFORMED, 9, 12, 2, 4},
    {"scale-exp-clamped", "bounds in the wrong order", FLOWRT_ERR_MALFORMED, 0, 24, 4, 0x3f800000},
    {"scale-exp-soft-clipped", "a limit of zero", FLOWRT_ERR_MALFORMED, 0, 24, 4, 0},
    {"gated", "the gated form with another scale", FLOWRT_ERR_MALFORMED, 0, 16, 4, 2},
    {"additive", "a form of the additive transformer", FLOWRT_ERR_MALFORMED, 0, 16, 2, 1},
    {"additive", "a scale function of the additive transformer", FLOWRT_ERR_MALFORMED, 0, 18, 2, 1},
    {"additive", "a context that the flow does not take", FLOWRT_ERR_MALFORMED, 1, 10, 2, 1},
    {"leaky-relu", "an activation's parameter that is infinite", FLOWRT_ERR_MALFORMED, 1, 24, 4, 0x7f800000},
    {"encoder", "an encoder that reads the flow", FLOWRT_ERR_MALFORMED, 1, 8, 2, 1},
    {"three-adds", "a layer that adds itself", FLOWRT_ERR_MALFORMED, 4, 14, 2, 5},
    {"three-adds", "a layer that is its own gate", FLOWRT_ERR_MALFORMED, 4, 12, 2, 5},
    {"three-adds", "the read side as an added layer", FLOWRT_ERR_MALFORMED, 4, 18, 2, 1},
};

static void check_fields(void) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const field *f = &fields[i];
        flow_file wrong = flow_build(flow_case(f->flow), 1);
        const size_t at = 64 * (1 + (size_t)f->record) + f->offset;
        memcpy(wrong.bytes + at, &f->value, f->size);
        expect_refusal(f->expected, wrong, 0, (int32_t)f->record, at, f->size, f->what);
        flow_free(wrong);
    }

    flow_file wrong = flow_build(flow_case("gated"), 1);
    set_float(wrong, 64 + 24, 0.5f);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 0, 64 + 16, 2, "an epsilon in the gated form");
    flow_free(wrong);

    wrong = flow_build(flow_case("encoder"), 1);
    memset(wrong.bytes + 32, 0, 4);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 0, 64, 64, "an encoder without a context");
    flow_free(wrong);

    /* A line that belongs to no block. */
    wrong = flow_build(flow_case("additive"), 1);
    const size_t metadata = strlen("{\"flowrt\":\"test\"}"), end = wrong.size - metadata;
    flow_file longer = {must_allocate(wrong.size + 64), wrong.size + 64};
    memset(longer.bytes, 0, longer.size);
    memcpy(longer.bytes, wrong.bytes, end);
    memcpy(longer.bytes + end + 64, wrong.bytes + end, metadata);
    const uint64_t size = longer.size;
    memcpy(longer.bytes + 16, &size, sizeof size);
    uint32_t record_count;
    memcpy(&record_count, wrong.bytes + 36, sizeof record_count);
    expect_refusal(FLOWRT_ERR_MALFORMED, longer, 0, (int32_t)record_count - 1, end, 64, "a line that belongs to nothing");
    flow_free(longer);
    flow_free(wrong);
}

int main(void) {
    check_blocks();
    check_fields();
    check_degenerate_values();
    check_structures();
}
