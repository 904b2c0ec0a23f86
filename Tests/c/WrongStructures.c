/* What stands in the blocks of a file, and in several records together, is refused where it contradicts docs/FORMAT.md:
 * orders that are none, stages and degrees that do not ascend, numbers that no step can have. */
#include "support/call.h"
#include <math.h>

static void set_float(flow_file file, size_t offset, float value) { memcpy(file.bytes + offset, &value, sizeof value); }

/* Refused, with a detail that points at `size` bytes at `offset`, of `record`; -1 is the header. Returns what the
 * detail says is there. */
static uint64_t expect_refusal(int expected, flow_file file, uint32_t flags, int32_t record, uint64_t offset,
                               uint64_t size, const char *what) {
    flowrt_model model;
    flowrt_error_detail detail = {0};
    const flowrt_status status = flowrt_model_open(&model, file.bytes, file.size, flags, &detail);
    CHECK((int)status == expected, "%s: expected %s, found %s", what, status_name(expected), status_name(status));
    CHECK(detail.record == record && detail.offset >= offset && detail.offset < offset + size,
          "%s: record %d, byte %llu, not record %d, byte %llu", what, detail.record, (unsigned long long)detail.offset,
          record, (unsigned long long)offset);
    return detail.found;
}

/* The first blocks of the flow "mixed-directions", which has 13 records and 13 coordinates: orders of the data and the
 * noise side, stages, and the degrees of the first layer, which has 50 units. */
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

    wrong = flow_build(flow_case("context-network"), 1); /* whose first layer, 21 units wide, sees the context alone */
    memcpy(&record_count, wrong.bytes + 36, sizeof record_count);
    wrong.bytes[64 * (1 + (size_t)record_count) + 3 * 64] = 20;
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 1, 64 * 2 + 8, 2, "a unit of the context with a degree");
    flow_free(wrong);

    wrong = flow_build(flow_case("three-adds"), 1); /* 19 units in each layer, in 9 stages */
    memcpy(&record_count, wrong.bytes + 36, sizeof record_count);
    wrong.bytes[64 * (1 + (size_t)record_count) + 3 * 64 + 4] -= 1;
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 4, 64 * 5 + 14, 2, "an added layer whose unit comes late");
    flow_free(wrong);

    wrong = flow_build(flow_case("coupling"), 1); /* stages that end at 3 and 6 */
    memcpy(&record_count, wrong.bytes + 36, sizeof record_count);
    const size_t last_stage = 64 * (1 + (size_t)record_count) + 2 * 64 + 4;
    wrong.bytes[last_stage] = 5;
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 0, last_stage, 4, "stages that leave a coordinate out");
    flow_free(wrong);

    wrong = flow_build(flow_case("coupling"), 1);
    wrong.bytes[64 + 8] = 2;
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 0, 64 + 8, 4, "passthrough that ends inside a stage");
    flow_free(wrong);
}

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
        expect_refusal(FLOWRT_ERR_VALUE, wrong, FLOWRT_OPEN_VERIFY, 0, std, 4,
                       "a standard deviation that is not positive");
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

    const flow_spec late = {"late encoder",
                            3,
                            2,
                            {{.kind = RECORD_PERMUTATION},
                             {.kind = RECORD_ENCODER, .layer_count = 1, .layers = {{.width = 4, .context = CONTEXT}}}}};
    wrong = flow_build(&late, 1);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 1, 64 * 2, 2, "an encoder behind a step");
    flow_free(wrong);

    /* Metadata that begins one byte before the end of the records, and before the file. */
    wrong = flow_build(flow_case("no-steps"), 1);
    const uint64_t metadata[] = {wrong.size - 64 * 2 + 1, wrong.size, wrong.size + 1};
    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++) {
        memcpy(wrong.bytes + 40, &metadata[i], sizeof *metadata);
        expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, -1, 40, 8, "metadata over the records");
    }
    flow_free(wrong);

    /* A second base behind the first. */
    wrong = flow_build(flow_case("no-steps"), 1);
    flow_file longer = {must_allocate(wrong.size + 64), wrong.size + 64};
    memcpy(longer.bytes, wrong.bytes, 128);
    memcpy(longer.bytes + 128, wrong.bytes + 64, wrong.size - 64);
    const uint64_t size = longer.size;
    memcpy(longer.bytes + 16, &size, sizeof size);
    longer.bytes[36] = 2;
    expect_refusal(FLOWRT_ERR_MALFORMED, longer, 0, -1, 36, 4, "a record behind the base");
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
    {"scale-exp-clamped", "an upper bound that is infinite", FLOWRT_ERR_MALFORMED, 0, 28, 4, 0x7f800000},
    {"scale-softplus-clamped", "an upper bound that is infinite", FLOWRT_ERR_MALFORMED, 0, 32, 4, 0x7f800000},
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
    {"context-layer", "a context that is a later layer", FLOWRT_ERR_MALFORMED, 2, 10, 2, 3},
    {"context-layer", "a context far behind the last layer", FLOWRT_ERR_MALFORMED, 2, 10, 2, 0xffff},
    {"context-layer", "a context that depends on the flow", FLOWRT_ERR_MALFORMED, 3, 10, 2, 3},
    {"spline", "a single bin", FLOWRT_ERR_MALFORMED, 0, 20, 4, 1},
    {"spline", "too many bins", FLOWRT_ERR_LIMIT, 0, 20, 4, 1025},
    {"spline", "unknown widths", FLOWRT_ERR_FEATURE, 0, 16, 2, 2},
    {"spline", "unknown derivatives", FLOWRT_ERR_FEATURE, 0, 16, 2, 8},
    {"spline", "unknown ends", FLOWRT_ERR_FEATURE, 0, 16, 2, 48},
    {"spline", "unknown pieces", FLOWRT_ERR_FEATURE, 0, 16, 2, 5 << 7},
    {"spline", "pieces of an unknown bit", FLOWRT_ERR_FEATURE, 0, 16, 2, 0x8000},
    {"spline", "a scale function", FLOWRT_ERR_MALFORMED, 0, 18, 2, 1},
    {"spline", "bounds that are equal", FLOWRT_ERR_MALFORMED, 0, 24, 4, 0x40400000},
    {"spline", "a minimal width that fills the interval", FLOWRT_ERR_MALFORMED, 0, 32, 4, 0x3e000000},
    {"spline", "a minimal height that fills the interval", FLOWRT_ERR_MALFORMED, 0, 36, 4, 0x3e000000},
    {"spline", "a minimal derivative below zero", FLOWRT_ERR_MALFORMED, 0, 40, 4, 0xbf800000},
    {"spline", "a clip that is not used", FLOWRT_ERR_MALFORMED, 0, 44, 4, 0x3f800000},
    {"spline", "an end derivative of zero", FLOWRT_ERR_MALFORMED, 0, 48, 4, 0},
    {"spline", "an eighth constant", FLOWRT_ERR_MALFORMED, 0, 52, 4, 1},
    {"spline", "a ninth constant", FLOWRT_ERR_MALFORMED, 0, 56, 4, 1},
    {"spline-clipped", "a clip of zero", FLOWRT_ERR_MALFORMED, 0, 44, 4, 0},
    {"spline-linear", "derivatives of linear pieces", FLOWRT_ERR_FEATURE, 0, 16, 2, LINEAR_PIECES << 7 | 4},
    {"spline-linear", "ends of linear pieces", FLOWRT_ERR_FEATURE, 0, 16, 2, LINEAR_PIECES << 7 | 16},
    {"spline-linear", "a minimal width of linear pieces", FLOWRT_ERR_MALFORMED, 0, 32, 4, 0x3a800000},
    {"spline-linear", "a minimal derivative of linear pieces", FLOWRT_ERR_MALFORMED, 0, 40, 4, 0x3a800000},
    {"spline-linear", "an end derivative of linear pieces", FLOWRT_ERR_MALFORMED, 0, 48, 4, 0x3f800000},
    {"spline-quadratic", "exponential derivatives of quadratic pieces", FLOWRT_ERR_FEATURE, 0, 16, 2, QUADRATIC_PIECES << 7 | 4},
    {"spline-quadratic", "quadratic pieces in a circle", FLOWRT_ERR_FEATURE, 0, 16, 2, QUADRATIC_PIECES << 7 | 32},
    {"spline-quadratic", "a minimal height of one", FLOWRT_ERR_MALFORMED, 0, 36, 4, 0x3f800000},
    {"spline-quadratic", "an end derivative of quadratic pieces", FLOWRT_ERR_MALFORMED, 0, 48, 4, 0x3f800000},
    {"spline-linear-rational", "a share of zero", FLOWRT_ERR_MALFORMED, 0, 52, 4, 0},
    {"spline-linear-rational", "a share of a half", FLOWRT_ERR_MALFORMED, 0, 52, 4, 0x3f000000},
    {"spline-cubic", "derivatives of cubic pieces", FLOWRT_ERR_FEATURE, 0, 16, 2, CUBIC_PIECES << 7 | 4},
    {"spline-cubic", "ends of cubic pieces", FLOWRT_ERR_FEATURE, 0, 16, 2, CUBIC_PIECES << 7 | 32},
    {"spline-cubic", "a minimal derivative of cubic pieces", FLOWRT_ERR_MALFORMED, 0, 40, 4, 0x3a800000},
    {"spline-cubic", "an end derivative of cubic pieces", FLOWRT_ERR_MALFORMED, 0, 48, 4, 0x3f800000},
    {"spline-cubic", "a share of cubic pieces", FLOWRT_ERR_MALFORMED, 0, 52, 4, 0x3d000000},
    {"mixture-base-17", "no components", FLOWRT_ERR_MALFORMED, 0, 20, 4, 0},
    {"mixture-base-17", "too many components", FLOWRT_ERR_LIMIT, 0, 20, 4, 1025},
    {"made-mog", "no components for each rank", FLOWRT_ERR_MALFORMED, 0, 20, 4, 0},
    {"conditional-base", "parameters of too few coordinates", FLOWRT_ERR_MALFORMED, 5, 4, 4, 8},
    {"convolution", "no channels of a pixelwise step", FLOWRT_ERR_MALFORMED, 0, 4, 4, 0},
    {"convolution", "too many channels of a pixelwise step", FLOWRT_ERR_LIMIT, 0, 4, 4, 65537},
    {"convolution", "no pixels", FLOWRT_ERR_MALFORMED, 0, 16, 4, 0},
    {"convolution", "more pixels than coordinates", FLOWRT_ERR_MALFORMED, 0, 16, 4, 5},
    {"convolution", "an unknown operation", FLOWRT_ERR_FEATURE, 2, 22, 2, 5},
    {"convolution", "no rows", FLOWRT_ERR_MALFORMED, 2, 28, 2, 0},
    {"convolution", "no columns", FLOWRT_ERR_MALFORMED, 2, 30, 2, 0},
    {"convolution", "no channels of the input", FLOWRT_ERR_MALFORMED, 2, 32, 4, 0},
    {"convolution", "no channels", FLOWRT_ERR_MALFORMED, 2, 36, 4, 0},
    {"convolution", "an empty kernel", FLOWRT_ERR_MALFORMED, 2, 42, 2, 0},
    {"convolution", "a kernel above the plane", FLOWRT_ERR_MALFORMED, 2, 40, 2, 5},
    {"convolution", "a kernel beside the plane", FLOWRT_ERR_MALFORMED, 2, 42, 2, 0xffff},
    {"convolution", "no stride", FLOWRT_ERR_MALFORMED, 2, 44, 2, 0},
    {"convolution", "no dilation", FLOWRT_ERR_MALFORMED, 2, 50, 2, 0},
    {"convolution", "a plane that has too many channels", FLOWRT_ERR_LIMIT, 2, 32, 4, 0xffffffff},
    {"convolution", "an output that has too many channels", FLOWRT_ERR_LIMIT, 2, 36, 4, 0xffffffff},
    {"convolution", "a width that is not the output's", FLOWRT_ERR_MALFORMED, 2, 4, 4, 21},
    {"convolution", "a convolution without an input", FLOWRT_ERR_MALFORMED, 2, 8, 2, 0},
    {"gathered-planes", "channels that a pooling does not keep", FLOWRT_ERR_MALFORMED, 2, 36, 4, 3},
    {"gathered-planes", "a context that the flow does not take", FLOWRT_ERR_MALFORMED, 2, 10, 2, 1},
    {"image-context", "a context of a pooling", FLOWRT_ERR_MALFORMED, 2, 10, 2, 1},
    {"gathered-planes", "a plane of a gather", FLOWRT_ERR_MALFORMED, 1, 28, 1, 1},
    {"image-context", "a source of the encoder that reads the flow", FLOWRT_ERR_MALFORMED, 2, 8, 2, 1},
};

/* Of planes: what contradicts the header, a second layer or the blocks. */
static void check_planes(void) {
    flow_file wrong = flow_build(flow_case("convolution"), 1);
    wrong.bytes[24] = 0;
    CHECK(expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, -1, 24, 4, "planes that the header does not tell") == 0, "found");
    wrong.bytes[24] = 3;
    expect_refusal(FLOWRT_ERR_FEATURE, wrong, 0, -1, 24, 4, "an unknown feature");
    wrong.bytes[24] = 1;
    const size_t blocks = 64 * (1 + 5); /* of the pixelwise step: 8 coordinates */
    memcpy(wrong.bytes + blocks + 4, wrong.bytes + blocks, 4);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 0, blocks + 4, 4, "a coordinate of two pixels");
    flow_free(wrong);

    wrong = flow_build(flow_case("image"), 1);
    wrong.bytes[64 * 3 + 8] = READ_SIDE; /* 60 ranks are known, and the plane has 400 units */
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 2, 64 * 3 + 28, 4, "a plane that is larger than its input");
    flow_free(wrong);

    wrong = flow_build(flow_case("convolution"), 1);
    wrong.bytes[64 * 3 + 2] = LAYER_NORM;
    set_float(wrong, 64 * 3 + 24, 1e-5f);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 2, 64 * 3 + 2, 2, "a norm over all pixels");
    flow_free(wrong);

    wrong = flow_build(flow_case("convolution"), 1);
    const double nan = NAN;
    memcpy(wrong.bytes + 64 + 8, &nan, sizeof nan);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 0, 64 + 8, 8, "a log-determinant of pixels that is NaN");
    flow_free(wrong);

    wrong = flow_build(flow_case("image-context"), 1); /* windows of 250,000 pixels, moved by two, on 1000 x 1000 */
    const uint16_t kernel[2] = {500, 500}, pad[4] = {995, 0, 993, 0};
    memcpy(wrong.bytes + 64 * 3 + 40, kernel, sizeof kernel);
    memcpy(wrong.bytes + 64 * 3 + 52, pad, sizeof pad);
    expect_refusal(FLOWRT_ERR_LIMIT, wrong, 0, 2, 64 * 3 + 40, 4, "windows that have too many pixels in all");
    flow_free(wrong);

    wrong = flow_build(flow_case("coupling"), 1);
    wrong.bytes[24] = 1;
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, -1, 24, 4, "a header that tells of planes that are not there");
    flow_free(wrong);

    wrong = flow_build(flow_case("gathered-planes"), 1); /* orders of 36, three stages, degrees: then 70 gathered units */
    const size_t gathered = 64 * (1 + 6) + 3 * 64 + 3 * 64 + 64 + 64;
    const uint32_t unit = 24;
    memcpy(wrong.bytes + gathered, &unit, 4);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 1, gathered, 4, "a gathered rank that is not known yet");
    flow_free(wrong);

    wrong = flow_build(flow_case("convolution"), 1); /* degrees of the first layer: 0, 20 */
    const size_t degrees = blocks + 64 + 2 * 2 * 64 + 64 + 3 * 64;
    const uint32_t some = 3;
    memcpy(wrong.bytes + degrees, &some, 4);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 2, 64 * 3 + 4, 4, "units of a plane with different degrees");
    flow_free(wrong);
}

/* Words of a block that are wrong: of the block `block` of 64 bytes behind the records, or before the metadata if
 * negative. */
typedef struct word {
    const char *flow, *what;
    int expected;
    int block, word;
    uint32_t value;
    int offset; /* of the word that the detail names, from the one that is changed */
} word;

static const word words[] = {
    {"elementwise", "an unknown function", FLOWRT_ERR_FEATURE, 0, 0, 14, 0},
    {"elementwise", "a constant of the identity", FLOWRT_ERR_MALFORMED, 2, 0, 0x3f800000, 0},
    {"elementwise", "minus zero as a constant of the identity", FLOWRT_ERR_MALFORMED, 2, 1, 0x80000000, 0},
    {"elementwise", "an interval without a beginning", FLOWRT_ERR_MALFORMED, 2, 2, 0xff800000, 0},
    {"elementwise", "an interval without an end", FLOWRT_ERR_MALFORMED, 4, 2, 0x7f800000, -128},
    {"elementwise", "an empty interval", FLOWRT_ERR_MALFORMED, 4, 3, 0xbf800000, -128},
    {"elementwise", "a constant that is NaN", FLOWRT_ERR_MALFORMED, 2, 4, 0x7fc00000, 0},
    {"elementwise", "an upper constant that is not used", FLOWRT_ERR_MALFORMED, 4, 5, 0x3f800000, -128},
    {"elementwise", "a slope of zero", FLOWRT_ERR_MALFORMED, 2, 6, 0, 0},
    {"elementwise", "a slope below zero", FLOWRT_ERR_MALFORMED, 2, 8, 0xbf800000, 0},
    {"uniform-base", "a box that is empty", FLOWRT_ERR_MALFORMED, -1, 1, 0xc2c80000, -64},
    {"uniform-base", "a box without an end", FLOWRT_ERR_MALFORMED, -1, 2, 0x7f800000, -64},
    {"uniform-base", "a box without a beginning", FLOWRT_ERR_MALFORMED, -2, 3, 0xff800000, 0},
    {"made-mog", "a coordinate beyond the last, base", FLOWRT_ERR_MALFORMED, 0, 0, 6, 0},
};

static void check_words(void) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const word *w = &words[i];
        flow_file wrong = flow_build(flow_case(w->flow), 1);
        uint32_t record_count;
        memcpy(&record_count, wrong.bytes + 36, sizeof record_count);
        const size_t blocks = 64 * (1 + (size_t)record_count), end = wrong.size - strlen("{\"flowrt\":\"test\"}");
        const size_t block = w->block < 0 ? end - 64 * (size_t)-w->block : blocks + 64 * (size_t)w->block;
        const size_t at = block + 4 * (size_t)w->word;
        memcpy(wrong.bytes + at, &w->value, sizeof w->value);
        const int32_t record = w->block < 0 ? (int32_t)record_count - 1 : 0;
        expect_refusal(w->expected, wrong, 0, record, at + (size_t)(ptrdiff_t)w->offset, 4, w->what);
        flow_free(wrong);
    }

    flow_file wrong = flow_build(flow_case("made-mog"), 1);
    const size_t order = 64 * (1 + 4);
    memcpy(wrong.bytes + order + 8, wrong.bytes + order + 4, 4);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 0, order + 8, 4, "a coordinate twice, base");
    flow_free(wrong);

    wrong = flow_build(flow_case("uniform-base"), 1); /* the last block has the ends of the box, the one before its beginnings */
    const size_t ends = wrong.size - strlen("{\"flowrt\":\"test\"}") - 64;
    memcpy(wrong.bytes + ends + 8, wrong.bytes + ends - 64 + 8, 4);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 3, ends - 64 + 8, 4, "a box that ends where it begins");
    flow_free(wrong);

    wrong = flow_build(flow_case("spline"), 1); /* bounds whose difference overflows */
    set_float(wrong, 64 + 24, -3e38f);
    set_float(wrong, 64 + 28, 3e38f);
    expect_refusal(FLOWRT_ERR_MALFORMED, wrong, 0, 0, 64 + 28, 4, "bounds of a spline too far apart");
    flow_free(wrong);

    wrong = flow_build(flow_case("mixture-base-17"), 1); /* log weights, then mean and std of the first component */
    const size_t std = 128 + 128 + 64;
    set_float(wrong, std, -1);
    flow_seal(wrong);
    expect_refusal(FLOWRT_ERR_VALUE, wrong, FLOWRT_OPEN_VERIFY, 0, std, 4,
                   "a standard deviation below zero in a mixture");
    flow_free(wrong);
}

static void check_fields(void) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const field *f = &fields[i];
        flow_file wrong = flow_build(flow_case(f->flow), 1);
        const size_t at = 64 * (1 + (size_t)f->record) + f->offset;
        memcpy(wrong.bytes + at, &f->value, f->size);
        const uint64_t found = expect_refusal(f->expected, wrong, 0, (int32_t)f->record, at, f->size, f->what);
        CHECK(found == f->value, "%s: found %llu, not %u", f->what, (unsigned long long)found, f->value);
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
    expect_refusal(FLOWRT_ERR_MALFORMED, longer, 0, (int32_t)record_count - 1, end, 64,
                   "a line that belongs to nothing");
    flow_free(longer);
    flow_free(wrong);
}

int main(void) {
    check_blocks();
    check_fields();
    check_words();
    check_planes();
    check_degenerate_values();
    check_structures();
}
