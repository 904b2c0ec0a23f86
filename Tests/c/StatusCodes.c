/* Every status is produced by a wrong call or a wrong file, with a sentence that explains it and a detail that points
 * at the place; wrong calls leave the outputs alone. */
#include "support/call.h"
#include <math.h>

/* ---- the sentences ---- */

static const int all_statuses[] = {0, -1, -2, -3, -4, -5, -6, -7, -8, -9, -40, -41, -10, -11, -12, -13, -14, -15, -16, -17, -20, -30};
enum { STATUSES = sizeof all_statuses / sizeof *all_statuses };
static int produced[STATUSES];

static void check_messages(void) {
    const char *unknown = flowrt_status_message((flowrt_status)-18);
    CHECK(unknown && *unknown, "no message for an unknown status");
    const int strange[] = {1, 2, -19, -21, -39, -42, 100, INT32_MAX, INT32_MIN};
    for (size_t k = 0; k < sizeof strange / sizeof *strange; k++)
        CHECK(strcmp(flowrt_status_message((flowrt_status)strange[k]), unknown) == 0, "status %d", strange[k]);
    for (int i = 0; i < STATUSES; i++) {
        const char *message = flowrt_status_message((flowrt_status)all_statuses[i]);
        CHECK(message && *message && !strchr(message, '\n'), "message of %s", status_name(all_statuses[i]));
        for (int j = 0; j < i; j++)
            CHECK(strcmp(message, flowrt_status_message((flowrt_status)all_statuses[j])) != 0, "%s and %s say the same",
                  status_name(all_statuses[i]), status_name(all_statuses[j]));
        CHECK(strcmp(message, unknown) != 0, "%s is unknown", status_name(all_statuses[i]));
    }
}

static void check_version(void) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", FLOWRT_VERSION_MAJOR, FLOWRT_VERSION_MINOR, FLOWRT_VERSION_PATCH);
    CHECK(strcmp(flowrt_version_string(), text) == 0, "version %s, header %s", flowrt_version_string(), text);
    CHECK(flowrt_version_number() == FLOWRT_VERSION_MAJOR * 10000 + FLOWRT_VERSION_MINOR * 100 + FLOWRT_VERSION_PATCH,
          "version %u", flowrt_version_number());
    CHECK(strlen(flowrt_build_info()) > 8 && !strchr(flowrt_build_info(), '\n'), "%s", flowrt_build_info());
}

static void expect(int expected, int found, const char *what) {
    CHECK(expected == found, "%s: expected %s, found %s", what, status_name(expected), status_name(found));
    for (int i = 0; i < STATUSES; i++) produced[i] |= all_statuses[i] == found;
}

/* ---- wrong files ---- */

static flow_file copy_of(flow_file file) {
    flow_file copy = {must_allocate(file.size + 64), file.size};
    memcpy(copy.bytes, file.bytes, file.size);
    return copy;
}

/* Open, expect a refusal that leaves an unusable model and points into the `size` bytes at `offset`, of `record`. */
static void expect_refusal(int expected, flow_file file, uint32_t flags, int32_t record, uint64_t offset, uint64_t size,
                           const char *what) {
    flowrt_model model;
    flowrt_error_detail detail = {0};
    memset(&model, 0x77, sizeof model);
    expect(expected, flowrt_model_open(&model, file.bytes, file.size, flags, &detail), what);
    CHECK(detail.status == expected, "%s: detail.status %d", what, detail.status);
    CHECK(detail.record == record, "%s: detail.record is %d, not %d", what, detail.record, record);
    CHECK(detail.offset >= offset && detail.offset < offset + size, "%s: detail.offset is %llu, not %llu", what,
          (unsigned long long)detail.offset, (unsigned long long)offset);
    expect(expected, flowrt_model_open(&model, file.bytes, file.size, flags, NULL), what);
    flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
    expect(FLOWRT_ERR_MODEL, flowrt_model_get_info(&model, &info), what);
    CHECK(flowrt_workspace_size(&model, 1) == 0, "%s: a workspace size for a model that is not open", what);
}

typedef struct edit {
    const char *what;
    int expected;
    int record; /* -1 for the header */
    uint32_t offset, size;
    uint64_t value;
} edit;

/* Records of the flow "mixed-directions": 0 MAF, 1 - 3 its layers, 4 IAF, 5 - 7 its layers, 8 diagonal, 9 MAF, 10 - 11
 * its layers, 12 base. */
static const edit edits[] = {
    {"first byte of the magic", FLOWRT_ERR_MAGIC, -1, 0, 1, 0x88},
    {"line end of the magic, as a text transfer changes it", FLOWRT_ERR_MAGIC, -1, 4, 1, '\n'},
    {"last byte of the magic", FLOWRT_ERR_MAGIC, -1, 7, 1, 0},
    {"major version 0", FLOWRT_ERR_VERSION, -1, 8, 2, 0},
    {"major version 2", FLOWRT_ERR_VERSION, -1, 8, 2, 2},
    {"a required feature", FLOWRT_ERR_FEATURE, -1, 24, 4, 2},
    {"another required feature", FLOWRT_ERR_FEATURE, -1, 24, 4, 0x80000000u},
    {"no coordinates", FLOWRT_ERR_MALFORMED, -1, 28, 4, 0},
    {"too many coordinates", FLOWRT_ERR_LIMIT, -1, 28, 4, (1 << 24) + 1},
    {"too many context floats", FLOWRT_ERR_LIMIT, -1, 32, 4, (1 << 24) + 1},
    {"no records", FLOWRT_ERR_MALFORMED, -1, 36, 4, 0},
    {"too many records", FLOWRT_ERR_LIMIT, -1, 36, 4, 65537},
    {"records that the file cannot hold", FLOWRT_ERR_MALFORMED, -1, 36, 4, 65536},
    {"metadata that the file cannot hold", FLOWRT_ERR_MALFORMED, -1, 40, 8, UINT64_MAX},
    {"reserved byte of the header", FLOWRT_ERR_MALFORMED, -1, 63, 1, 1},

    {"unknown kind", FLOWRT_ERR_FEATURE, 0, 0, 2, 99},
    {"a layer without a step", FLOWRT_ERR_MALFORMED, 0, 0, 2, 2},
    {"reads neither side", FLOWRT_ERR_MALFORMED, 0, 2, 2, 2},
    {"no stages", FLOWRT_ERR_MALFORMED, 0, 4, 4, 0},
    {"more stages than coordinates", FLOWRT_ERR_MALFORMED, 0, 4, 4, 14},
    {"passthrough of all coordinates", FLOWRT_ERR_MALFORMED, 0, 8, 4, 13},
    {"no layers", FLOWRT_ERR_MALFORMED, 0, 12, 2, 0},
    {"unknown transformer", FLOWRT_ERR_FEATURE, 0, 14, 2, 77},
    {"no transformer", FLOWRT_ERR_FEATURE, 0, 14, 2, 0},
    {"unknown affine form", FLOWRT_ERR_FEATURE, 0, 16, 2, 3},
    {"gated form without a sigmoid", FLOWRT_ERR_MALFORMED, 0, 16, 2, 2},
    {"unknown scale function", FLOWRT_ERR_FEATURE, 0, 18, 2, 8},
    {"bins in an affine step", FLOWRT_ERR_MALFORMED, 0, 20, 4, 4},
    {"negative epsilon", FLOWRT_ERR_MALFORMED, 0, 24, 4, 0xbf800000u},
    {"epsilon that is NaN", FLOWRT_ERR_MALFORMED, 0, 24, 4, 0x7fc00000u},
    {"unused parameter of a transformer", FLOWRT_ERR_MALFORMED, 0, 28, 4, 0x3f800000u},
    {"reserved byte of a step", FLOWRT_ERR_MALFORMED, 0, 63, 1, 1},

    {"a step where its layer should be", FLOWRT_ERR_MALFORMED, 1, 0, 2, 3},
    {"unknown activation", FLOWRT_ERR_FEATURE, 1, 2, 2, ACTIVATION_COUNT},
    {"a layer of no units", FLOWRT_ERR_MALFORMED, 1, 4, 4, 0},
    {"a layer of too many units", FLOWRT_ERR_LIMIT, 1, 4, 4, (1 << 24) + 1},
    {"source that is not an earlier layer", FLOWRT_ERR_MALFORMED, 1, 8, 2, 2},
    {"context that is a layer that reads", FLOWRT_ERR_MALFORMED, 2, 10, 2, 2},
    {"gate that is not a layer", FLOWRT_ERR_MALFORMED, 2, 12, 2, 1},
    {"gate that is not an earlier layer", FLOWRT_ERR_MALFORMED, 2, 12, 2, 3},
    {"add that is not a layer", FLOWRT_ERR_MALFORMED, 2, 16, 2, 1},
    {"scaled without an added layer", FLOWRT_ERR_MALFORMED, 2, 20, 2, 4},
    {"scaled beyond three adds", FLOWRT_ERR_MALFORMED, 2, 20, 2, 8},
    {"unknown operation of a layer", FLOWRT_ERR_FEATURE, 2, 22, 2, 5},
    {"parameter of an activation that has none", FLOWRT_ERR_MALFORMED, 2, 24, 4, 0x3f800000u},
    {"reserved byte of a layer", FLOWRT_ERR_MALFORMED, 2, 63, 1, 1},
    {"output layer of another width", FLOWRT_ERR_MALFORMED, 3, 4, 4, 24},
    {"a layer that is not as wide as the one that adds it", FLOWRT_ERR_MALFORMED, 3, 14, 2, 2},

    {"reserved field of a diagonal step", FLOWRT_ERR_MALFORMED, 8, 2, 2, 1},
    {"reserved byte of a diagonal step", FLOWRT_ERR_MALFORMED, 8, 63, 1, 1},
    {"log_det that is NaN", FLOWRT_ERR_MALFORMED, 8, 8, 8, 0x7ff8000000000000u},
    {"unknown base", FLOWRT_ERR_FEATURE, 12, 2, 2, 6},
    {"reserved byte of the base", FLOWRT_ERR_MALFORMED, 12, 63, 1, 1},
    {"a layer where the base should be", FLOWRT_ERR_MALFORMED, 12, 0, 2, 2},
};

static void check_edits(flow_file file) {
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        const edit *e = &edits[i];
        const uint64_t offset = 64 * (uint64_t)(e->record + 1) + e->offset;
        flow_file wrong = copy_of(file);
        memcpy(wrong.bytes + offset, &e->value, e->size);
        flow_seal(wrong);
        expect_refusal(e->expected, wrong, 0, e->record, offset, e->size, e->what);
        expect_refusal(e->expected, wrong, FLOWRT_OPEN_VERIFY, e->record, offset, e->size, e->what);
        flow_free(wrong);
    }
}

/* Other major versions and required features are refused, whichever; a later minor version is not. */
static void check_versions(flow_file file) {
    flow_file other = copy_of(file);
    for (uint32_t version = 0; version <= UINT16_MAX; version++) {
        const uint16_t value = (uint16_t)version;
        flowrt_model model;
        memcpy(other.bytes + 8, &value, sizeof value);
        expect(version == 1 ? FLOWRT_OK : FLOWRT_ERR_VERSION,
               flowrt_model_open(&model, other.bytes, other.size, 0, NULL), "a major version");
        memcpy(other.bytes + 8, file.bytes + 8, sizeof value);
        memcpy(other.bytes + 10, &value, sizeof value);
        expect(FLOWRT_OK, flowrt_model_open(&model, other.bytes, other.size, 0, NULL), "a minor version");
        CHECK(info_of(&model).format_version == 100 + version, "format_version %u", info_of(&model).format_version);
        memcpy(other.bytes + 10, file.bytes + 10, sizeof value);
    }
    for (int bit = 1; bit < 32; bit++) { /* bit 0 are planes: WrongStructures */
        const uint32_t features = UINT32_C(1) << bit;
        memcpy(other.bytes + 24, &features, sizeof features);
        expect_refusal(FLOWRT_ERR_FEATURE, other, 0, -1, 24, 4, "a required feature");
    }
    flow_free(other);
}

static void check_sizes_and_values(flow_file file) {
    flow_file wrong = copy_of(file);
    wrong.size--;
    expect_refusal(FLOWRT_ERR_TRUNCATED, wrong, 0, -1, 16, 8, "one byte less");
    wrong.size += 2;
    expect_refusal(FLOWRT_ERR_TRUNCATED, wrong, 0, -1, 16, 8, "one byte more");
    for (wrong.size = 0; wrong.size < 64; wrong.size++)
        expect_refusal(FLOWRT_ERR_TRUNCATED, wrong, 0, -1, wrong.size, 1, "fewer bytes than a header has");
    flow_free(wrong);

    wrong = copy_of(file);
    wrong.bytes[file.size - 1] ^= 1; /* metadata: seen by the checksum alone */
    expect_refusal(FLOWRT_ERR_CHECKSUM, wrong, FLOWRT_OPEN_VERIFY, -1, 12, 4, "changed metadata");
    flowrt_model model;
    expect(FLOWRT_OK, flowrt_model_open(&model, wrong.bytes, wrong.size, 0, NULL), "changed metadata, not verified");
    flow_free(wrong);

    /* The last parameter of the file is in the diagonal of "diagonal": 10 shifts, then 6 floats of padding. */
    wrong = flow_build(flow_case("diagonal"), 1);
    const size_t metadata = strlen("{\"flowrt\":\"test\"}"), shift = wrong.size - metadata - 64;
    const float nan_value = NAN, infinity = INFINITY, one = 1;
    float kept;
    memcpy(&kept, wrong.bytes + shift, sizeof kept);
    const int32_t last_step = 4;
    memcpy(wrong.bytes + shift, &nan_value, sizeof nan_value);
    flow_seal(wrong);
    expect_refusal(FLOWRT_ERR_VALUE, wrong, FLOWRT_OPEN_VERIFY, last_step, shift, 4, "a shift that is NaN");
    memcpy(wrong.bytes + shift, &infinity, sizeof infinity);
    flow_seal(wrong);
    expect_refusal(FLOWRT_ERR_VALUE, wrong, FLOWRT_OPEN_VERIFY, last_step, shift, 4, "a shift that is infinite");
    memcpy(wrong.bytes + shift, &kept, sizeof kept);
    memcpy(wrong.bytes + shift + 40, &one, sizeof one);
    flow_seal(wrong);
    expect_refusal(FLOWRT_ERR_VALUE, wrong, FLOWRT_OPEN_VERIFY, last_step, shift + 40, 4, "padding that is not zero");
    flow_free(wrong);
}

/* ---- wrong calls ---- */

static void check_open_arguments(flow_file file) {
    flowrt_model model;
    flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
    expect(FLOWRT_ERR_NULL, flowrt_model_open(NULL, file.bytes, file.size, 0, NULL), "open: no model");
    expect(FLOWRT_ERR_NULL, flowrt_model_open(&model, NULL, file.size, 0, NULL), "open: no data");
    expect(FLOWRT_ERR_FLAGS, flowrt_model_open(&model, file.bytes, file.size, 2, NULL), "open: an unknown flag");
    expect(FLOWRT_ERR_FLAGS, flowrt_model_open(&model, file.bytes, file.size, 1u << 31, NULL),
           "open: an unknown flag");
    for (size_t offset = 1; offset < FLOWRT_ALIGNMENT; offset++) {
        flow_file shifted = copy_of(file);
        memmove(shifted.bytes + offset, file.bytes, file.size);
        expect(FLOWRT_ERR_ALIGNMENT, flowrt_model_open(&model, shifted.bytes + offset, file.size, 0, NULL),
               "open: misaligned data");
        flow_free(shifted);
    }

    memset(&model, 0, sizeof model);
    expect(FLOWRT_ERR_MODEL, flowrt_model_get_info(&model, &info), "info: zeroed model");
    expect(FLOWRT_ERR_NULL, flowrt_model_get_info(NULL, &info), "info: no model");
    expect(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL), "open");
    expect(FLOWRT_ERR_NULL, flowrt_model_get_info(&model, NULL), "info: no info");
    info.struct_size = 0;
    expect(FLOWRT_ERR_ARGUMENT, flowrt_model_get_info(&model, &info), "info: no size");
    CHECK(flowrt_workspace_size(NULL, 1) == 0, "a workspace size without a model");

    /* An older, smaller struct: nothing behind its end is written. */
    memset(&info, 0x11, sizeof info);
    info.struct_size = offsetof(flowrt_model_info, step_count);
    expect(FLOWRT_OK, flowrt_model_get_info(&model, &info), "info: an older struct");
    CHECK(info.dim == 13 && info.context_dim == 5 && info.step_count == 0x11111111,
          "dim %u, context_dim %u, step_count %x", info.dim, info.context_dim, info.step_count);

    /* A newer, larger struct: what this library does not know is left alone. */
    struct {
        flowrt_model_info info;
        uint64_t future;
    } newer = {FLOWRT_MODEL_INFO_INIT, 42};
    newer.info.struct_size = sizeof newer;
    expect(FLOWRT_OK, flowrt_model_get_info(&model, &newer.info), "info: a newer struct");
    CHECK(newer.future == 42 && newer.info.data_size == file.size, "future %llu", (unsigned long long)newer.future);
}

static void check_info(flow_file file) {
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    const flowrt_model_info info = info_of(&model);
    CHECK(info.struct_size == sizeof info, "struct_size %u", info.struct_size);
    CHECK(info.dim == 13 && info.context_dim == 5 && info.step_count == 4, "%u, %u, %u", info.dim, info.context_dim,
          info.step_count);
    CHECK(info.format_version == 100, "format_version %u", info.format_version);
    CHECK(info.cpu_level >= 1 && info.cpu_level <= HIGHEST_LEVEL, "cpu_level %u", info.cpu_level);
    CHECK(info.data_size == file.size, "data_size %llu", (unsigned long long)info.data_size);
    CHECK(info.metadata_offset + info.metadata_size == file.size &&
              memcmp(file.bytes + info.metadata_offset, "{\"flowrt\":\"test\"}", (size_t)info.metadata_size) == 0,
          "metadata at %llu, %llu bytes", (unsigned long long)info.metadata_offset,
          (unsigned long long)info.metadata_size);
    CHECK(info.parameter_count > 1000 && info.parameter_count < file.size / 4, "parameter_count %llu",
          (unsigned long long)info.parameter_count);
}

/* A level above the best one is the best one. */
static void check_levels(flow_file file) {
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    const uint32_t best = info_of(&model).cpu_level;
    for (uint32_t level = 1; level <= 255; level++) {
        CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, FLOWRT_OPEN_LEVEL(level), NULL));
        const uint32_t used = info_of(&model).cpu_level, expected = level < best ? level : best;
        CHECK(used == expected, "FLOWRT_OPEN_LEVEL(%u) is level %u, not %u", level, used, expected);
    }
}

/* Any changed bit of an open flowrt_model is noticed. A refusal closes what was open. */
static void check_damaged_model(flow_file file) {
    flowrt_model model;
    flowrt_model_info info = FLOWRT_MODEL_INFO_INIT;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    for (size_t bit = 0; bit < 8 * sizeof model; bit++) {
        model.private_[bit / 64] ^= UINT64_C(1) << bit % 64;
        expect(FLOWRT_ERR_MODEL, flowrt_model_get_info(&model, &info), "info: a changed bit of the model");
        CHECK(flowrt_workspace_size(&model, 1) == 0, "bit %zu", bit);
        model.private_[bit / 64] ^= UINT64_C(1) << bit % 64;
    }
    CHECK_STATUS(FLOWRT_OK, flowrt_model_get_info(&model, &info));
    expect(FLOWRT_ERR_TRUNCATED, flowrt_model_open(&model, file.bytes, file.size - 1, 0, NULL), "open again");
    expect(FLOWRT_ERR_MODEL, flowrt_model_get_info(&model, &info), "info: open once, then refused");
}

enum { ROWS = 4, PATTERN = 0x3d };

/* The call is refused with `expected` and its outputs keep their bytes. */
static void expect_call(int expected, call c, const char *what) {
    char text[128];
    snprintf(text, sizeof text, "%s: %s", verb_names[c.verb], what);
    const flowrt_rng rng = c.rng;
    expect(expected, call_run(&c), text);
    if (expected != FLOWRT_OK) CHECK(memcmp(&rng, &c.rng, sizeof rng) == 0, "%s: the generator moved", text);
}

static void check_verb_arguments(const flowrt_model *model, enum verb verb, size_t context_dim) {
    const call good = call_new(model, verb, ROWS, 1);
    const size_t row = info_of(model).dim;
    memset(good.output, PATTERN, ROWS * row * sizeof(float));
    memset(good.log_output, PATTERN, ROWS * sizeof(float));
    flowrt_model zeroed = {{0}};
    call c;
#define EXPECT(expected, what, ...) (c = good, __VA_ARGS__, expect_call(expected, c, what))
    EXPECT(FLOWRT_ERR_NULL, "no model", c.model = NULL);
    EXPECT(FLOWRT_ERR_MODEL, "zeroed model", c.model = &zeroed);
    EXPECT(FLOWRT_ERR_NULL, "no workspace", c.workspace = NULL);
    const size_t smallest = flowrt_workspace_size(model, 1);
    for (size_t size = 0; size < smallest; size += size + 64 < smallest ? 64 : 1)
        EXPECT(FLOWRT_ERR_WORKSPACE, "small workspace", c.workspace_size = size);
    for (size_t offset = 1; offset < FLOWRT_ALIGNMENT; offset++)
        EXPECT(FLOWRT_ERR_ALIGNMENT, "misaligned workspace", c.workspace = (char *)c.workspace + offset);
    EXPECT(FLOWRT_ERR_COUNT, "more rows than memory", c.count = SIZE_MAX, c.context_rows = context_dim ? SIZE_MAX : 0);
    EXPECT(FLOWRT_ERR_COUNT, "rows whose bytes overflow", c.count = SIZE_MAX / 4 / row + 1,
           c.context_rows = context_dim != 0);
    EXPECT(FLOWRT_ERR_ARGUMENT, "workspace that wraps around", c.workspace_size = SIZE_MAX - 63);
    if (verb != SAMPLE) {
        EXPECT(FLOWRT_ERR_NULL, "no input", c.input = NULL);
        EXPECT(FLOWRT_ERR_ALIGNMENT, "input on 2 bytes", c.input = (float *)(void *)((char *)c.input + 2));
        EXPECT(FLOWRT_ERR_OVERLAP, "input in the workspace", c.input = c.workspace);
    }
    if (verb != LOG_PROB) {
        EXPECT(FLOWRT_ERR_ALIGNMENT, "output on 1 byte", c.output = (float *)(void *)((char *)c.output + 1));
        EXPECT(FLOWRT_ERR_OVERLAP, "output in the workspace", c.output = (float *)c.workspace + 16);
        EXPECT(FLOWRT_ERR_OVERLAP, "output over the log output", c.output = c.log_output);
        if (verb == FORWARD)
            EXPECT(FLOWRT_ERR_NULL, "no output at all", c.output = NULL, c.log_output = NULL);
        else
            EXPECT(FLOWRT_ERR_NULL, "no output", c.output = NULL);
    } else {
        EXPECT(FLOWRT_ERR_NULL, "no log output", c.log_output = NULL);
    }
    if (verb == FORWARD || verb == INVERSE) {
        EXPECT(FLOWRT_ERR_OVERLAP, "output partly over the input", c.output = c.input + 1);
        EXPECT(FLOWRT_ERR_OVERLAP, "log output over the input", c.log_output = c.input);
    }
    EXPECT(FLOWRT_ERR_ALIGNMENT, "log output on 2 bytes", c.log_output = (float *)(void *)((char *)c.log_output + 2));
    if (context_dim) {
        EXPECT(FLOWRT_ERR_CONTEXT_MISSING, "no context", c.context = NULL);
        EXPECT(FLOWRT_ERR_CONTEXT_MISSING, "no context, no rows of it", c.context = NULL, c.context_rows = 0);
        EXPECT(FLOWRT_ERR_CONTEXT_ROWS, "three contexts", c.context_rows = 3);
        EXPECT(FLOWRT_ERR_CONTEXT_ROWS, "no rows of context", c.context_rows = 0);
        EXPECT(FLOWRT_ERR_ALIGNMENT, "context on 2 bytes", c.context = (float *)(void *)((char *)c.context + 2));
        EXPECT(FLOWRT_ERR_OVERLAP, "log output over the context", c.log_output = c.context);
        if (verb != LOG_PROB) EXPECT(FLOWRT_ERR_OVERLAP, "output over the context", c.output = c.context);
    } else {
        EXPECT(FLOWRT_ERR_CONTEXT_UNUSED, "context for a flow that takes none", c.context = good.input, c.context_rows = 1);
        EXPECT(FLOWRT_ERR_CONTEXT_UNUSED, "rows of no context", c.context_rows = 1);
        EXPECT(FLOWRT_ERR_CONTEXT_UNUSED, "no rows of a context that the flow does not take", c.context = good.input);
    }
    for (size_t i = 0; i < ROWS * row * sizeof(float); i++)
        CHECK(((unsigned char *)good.output)[i] == PATTERN, "%s: a refused call wrote", verb_names[verb]);
    for (size_t i = 0; i < ROWS * sizeof(float); i++)
        CHECK(((unsigned char *)good.log_output)[i] == PATTERN, "%s: a refused call wrote", verb_names[verb]);

    EXPECT(FLOWRT_OK, "no rows", c.count = 0, c.context_rows = c.context_rows != 0);
    if (verb != SAMPLE) {
        const float kept = good.input[row];
        good.input[row] = NAN;
        c = good;
        expect(FLOWRT_ERR_NONFINITE, call_run(&c), "a NaN");
        good.input[row] = kept;
    }
    call_free(good);
#undef EXPECT
}

static void check_sample_generator(const flowrt_model *model) {
    call c = call_new(model, SAMPLE, ROWS, 1);
    expect(FLOWRT_ERR_NULL,
           flowrt_sample(model, ROWS, NULL, c.context, c.context_rows, c.output, c.log_output, c.workspace,
                         c.workspace_size),
           "sample: no generator");
    call_free(c);
}

/* Output over the model's own bytes. */
static void check_model_overlap(flow_file file) {
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    call c = call_new(&model, FORWARD, ROWS, 1);
    call wrong = c;
    wrong.output = (float *)(void *)(file.bytes + file.size / 4 * 4 - 64);
    expect(FLOWRT_ERR_OVERLAP, call_run(&wrong), "forward: output over the model");
    wrong = c;
    wrong.workspace = file.bytes;
    wrong.workspace_size = file.size;
    if (file.size >= flowrt_workspace_size(&model, 1))
        expect(FLOWRT_ERR_OVERLAP, call_run(&wrong), "forward: workspace over the model");
    call_free(c);
}

/* A model or a detail within the bytes, or one in the other: refused, and nothing is written. */
static void check_open_overlap(flow_file file) {
    flowrt_model model, untouched;
    unsigned char *before = malloc(file.size);
    memcpy(before, file.bytes, file.size);
    memset(&model, 0x5a, sizeof model);
    untouched = model;
    void *const inside[] = {file.bytes, file.bytes + file.size / 8 * 8 - 8};
    for (int i = 0; i < 2; i++) {
        expect(FLOWRT_ERR_OVERLAP, flowrt_model_open(inside[i], file.bytes, file.size, 0, NULL), "open: a model in its bytes");
        expect(FLOWRT_ERR_OVERLAP, flowrt_model_open(&model, file.bytes, file.size, 0, inside[i]), "open: a detail in the bytes");
    }
    expect(FLOWRT_ERR_OVERLAP, flowrt_model_open(&model, file.bytes, file.size, 0, (void *)((char *)&model + 248)),
           "open: a detail in the model");
    CHECK(memcmp(before, file.bytes, file.size) == 0, "a refused open wrote into the bytes");
    CHECK(memcmp(&untouched, &model, sizeof model) == 0, "a refused open wrote into the model");
    free(before);
}

/* Rows whose arrays fit the address space, and one more; a shared context is one row of its array. That there is no such memory is
 * not looked at: no workspace is found out first. */
static void check_most_rows(void) {
    const flow_file file = flow_build(flow_case("one-coordinate-context"), 1); /* one coordinate, two of context */
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        call c = call_new(&model, verb, 1, 1);
        c.workspace_size = 0;
        c.count = (size_t)PTRDIFF_MAX / sizeof(float);
        expect(FLOWRT_ERR_WORKSPACE, call_run(&c), "as many rows as there can be");
        c.count++;
        expect(FLOWRT_ERR_COUNT, call_run(&c), "one row more");
        c.count = c.context_rows = (size_t)PTRDIFF_MAX / sizeof(float) / 2;
        expect(FLOWRT_ERR_WORKSPACE, call_run(&c), "as many contexts as there can be");
        c.count = ++c.context_rows;
        expect(FLOWRT_ERR_COUNT, call_run(&c), "one context more");
        call_free(c);
    }
    flow_free(file);
}

/* Nine layers of a million units: a tile of their values is larger than the address space of a 32-bit machine. */
static void check_address_space(void) {
    enum { MILLION = 1 << 20 };
    flow_spec spec = {"larger than 32 bits", 1, 1,
                      {{.kind = RECORD_ENCODER, .layer_count = 2, .layers = {{.width = MILLION}, {.width = MILLION}}},
                       {.kind = RECORD_AUTOREGRESSIVE, .transformer = ADDITIVE, .layer_count = 8}}};
    for (int i = 0; i < 7; i++) spec.steps[1].layers[i].width = MILLION;
    const flow_file file = flow_build(&spec, 1);
    flowrt_model model;
    if (SIZE_MAX == UINT32_MAX)
        expect_refusal(FLOWRT_ERR_LIMIT, file, 0, -1, 0, 1, spec.name);
    else {
        CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
        CHECK(flowrt_workspace_size(&model, SIZE_MAX) > UINT32_MAX / 2, "%zu bytes", flowrt_workspace_size(&model, SIZE_MAX));
    }
    flow_free(file);
}

/* A cubic spline, which has no gradient, whatever the level. */
static void check_gradient(void) {
    const flow_file file = flow_build(flow_case("spline-cubic"), 1);
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    call c = call_new(&model, LOG_PROB, 1, 1);
    const size_t size = flowrt_gradient_workspace_size(&model, 1);
    void *workspace = must_allocate(size);
    expect(FLOWRT_ERR_GRADIENT,
           flowrt_log_prob_gradient(&model, 1, c.input, c.context, c.context_rows, c.log_output, c.output, NULL, workspace, size),
           "gradient of a cubic spline");
    free(workspace);
    call_free(c);
    flow_free(file);
}

int main(void) {
    check_messages();
    check_gradient();
    check_address_space();
    check_most_rows();
    check_version();
    const flow_file file = flow_build(flow_case("mixed-directions"), 1), plain = flow_build(flow_case("wide"), 1);
    check_edits(file);
    check_versions(file);
    check_sizes_and_values(file);
    check_open_arguments(file);
    check_info(file);
    check_levels(file);
    check_damaged_model(file);
    check_model_overlap(plain);
    check_open_overlap(plain);
    flowrt_model model;
    for (enum verb verb = 0; verb < VERB_COUNT; verb++) {
        CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
        check_verb_arguments(&model, verb, 5);
        CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, plain.bytes, plain.size, 0, NULL));
        check_verb_arguments(&model, verb, 0);
    }
    check_sample_generator(&model);
    for (int i = 0; i < STATUSES; i++) CHECK(produced[i], "no test produced %s", status_name(all_statuses[i]));
    flow_free(file);
    flow_free(plain);
}
