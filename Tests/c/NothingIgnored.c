/* A reader never ignores anything (docs/FORMAT.md section 6): bits in a byte that has no meaning are refused, in the
 * header, in every kind of record and behind every block, and so is a word of a block that means nothing there. What is
 * changed here cannot have been meant by any writer. */
#include "support/call.h"

enum { LINE = 64, LARGEST = 4096 };

static uint16_t get_u16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* A set of the 64 bytes of a record, as bits: from ..< to. */
static uint64_t bytes_of_record(int from, int to) {
    uint64_t set = 0;
    for (int byte = from; byte < to; byte++) set |= UINT64_C(1) << byte;
    return set;
}

/* How many of the f32 p of a scale function are used (section 5). */
static int scale_parameters(uint16_t scale) {
    static const int used[SCALE_COUNT] = {
        [SCALE_EXP_CLAMPED] = 2,      [SCALE_SOFTPLUS] = 1, [SCALE_SOFTPLUS_CLAMPED] = 3, [SCALE_SIGMOID] = 1,
        [SCALE_EXP_SOFT_CLIPPED] = 1, [SCALE_EXP_TANH] = 1, [SCALE_EXP_ATAN] = 1};
    CHECK(used[scale] > 0 || scale == SCALE_EXP, "the table above has no entry for scale function %u: add it", scale);
    return used[scale];
}

/* The f32 p of a spline that are used (section 5.1). */
static uint64_t spline_parameters(uint16_t form) {
    const int clips_widths = (form & 3) == 1, exponential = (form >> 2 & 3) == 1, fixed_ends = (form >> 4 & 3) == 0;
    const int pieces = form >> 7, has_derivatives = pieces != LINEAR_PIECES && pieces != CUBIC_PIECES;
    uint64_t used = bytes_of_record(24, 32);
    if (!clips_widths && pieces != LINEAR_PIECES) used |= bytes_of_record(32, 36);
    if (!clips_widths || pieces == QUADRATIC_PIECES) used |= bytes_of_record(36, 40);
    if (!exponential && has_derivatives) used |= bytes_of_record(40, 44);
    if (clips_widths || exponential) used |= bytes_of_record(44, 48);
    if (fixed_ends && has_derivatives && pieces != QUADRATIC_PIECES) used |= bytes_of_record(48, 52);
    if (pieces == LINEAR_RATIONAL_PIECES) used |= bytes_of_record(52, 56);
    return used;
}

static uint64_t autoregressive_bytes(const uint8_t *record) {
    const uint64_t head = bytes_of_record(0, 16);
    switch (get_u16(record + 14)) {
    case AFFINE:
        return head | bytes_of_record(16, 20) | bytes_of_record(24, 24 + 4 * scale_parameters(get_u16(record + 18)));
    case ADDITIVE: return head;
    default: return head | bytes_of_record(16, 18) | bytes_of_record(20, 24) | spline_parameters(get_u16(record + 16));
    }
}

static uint64_t layer_bytes(const uint8_t *record) {
    const uint16_t activation = get_u16(record + 2), operation = get_u16(record + 22);
    uint64_t used = bytes_of_record(0, 24);
    if (activation == ELU || activation == LEAKY_RELU || activation == LAYER_NORM) used |= bytes_of_record(24, 28);
    if (operation != DENSE && operation != GATHER) used |= bytes_of_record(28, 60);
    return used;
}

static uint64_t base_bytes(const uint8_t *record) {
    const uint64_t head = bytes_of_record(0, 4);
    switch (get_u16(record + 2)) {
    case 3: return head | bytes_of_record(20, 24);
    case 4: return head | bytes_of_record(12, 14);
    case 5:
        return head | bytes_of_record(4, 8) | bytes_of_record(12, 14) | bytes_of_record(18, 24) |
               bytes_of_record(24, 24 + 4 * scale_parameters(get_u16(record + 18)));
    default: return head;
    }
}

/* The bytes of a record that have a meaning. */
static uint64_t used_bytes(const uint8_t *record) {
    const uint64_t kind = bytes_of_record(0, 2);
    switch (get_u16(record)) {
    case RECORD_AUTOREGRESSIVE: return autoregressive_bytes(record);
    case RECORD_LAYER: return layer_bytes(record);
    case RECORD_PIXELWISE_LINEAR: return kind | bytes_of_record(4, 20);
    case RECORD_DIAGONAL:
    case RECORD_LINEAR: return kind | bytes_of_record(8, 16);
    case RECORD_ENCODER: return kind | bytes_of_record(12, 14);
    case RECORD_BASE: return base_bytes(record);
    default: return kind; /* elementwise and permutation steps have no fields */
    }
}

static void expect_refusal(const char *name, flow_file file, uint32_t flags, size_t at) {
    flowrt_model model;
    flowrt_error_detail why;
    if (flags & FLOWRT_OPEN_VERIFY) flow_seal(file);
    const flowrt_status status = flowrt_model_open(&model, file.bytes, file.size, flags, &why);
    CHECK(status == FLOWRT_ERR_MALFORMED || status == FLOWRT_ERR_FEATURE || status == FLOWRT_ERR_VALUE ||
              status == FLOWRT_ERR_LIMIT || status == FLOWRT_ERR_TRUNCATED,
          "%s: byte %zu was changed to %02x: %s", name, at, file.bytes[at], status_name(status));
}

/* Each bit of each byte without a meaning, and each bit of the feature field. */
static size_t check_unused_bytes(const char *name, flow_file file, size_t record_count) {
    size_t tried = 0;
    for (size_t at = 24; at < LINE * (1 + record_count); at++) {
        if (at >= 28 && at < 48) continue; /* sizes */
        if (at >= LINE && used_bytes(file.bytes + at / LINE * LINE) >> at % LINE & 1) continue;
        for (int bit = 0; bit < 8; bit++) {
            file.bytes[at] ^= (uint8_t)(1 << bit);
            expect_refusal(name, file, FLOWRT_OPEN_DEFAULT, at);
            file.bytes[at] ^= (uint8_t)(1 << bit);
            tried++;
        }
    }
    return tried;
}

/* Whether a reader that looks at every byte takes the file. */
static int verifies(flow_file file) {
    flowrt_model model;
    flow_seal(file);
    return flowrt_model_open(&model, file.bytes, file.size, FLOWRT_OPEN_VERIFY, NULL) == FLOWRT_OK;
}

/* Each word of the blocks: a NaN is a wrong parameter and a wrong index; where a zero stands, it is padding, or an
 * index or a degree that 1.0f is not. (The zeros of a matrix are parameters.) And the words that may be 1.0f are the
 * parameters: there are as many as flowrt_model_info says. */
static size_t check_words(const char *name, flow_file file, size_t blocks_at, int has_zeros) {
    static const uint32_t nan = 0x7fc00000, one = 0x3f800000, minus_zero = 0x80000000;
    const size_t metadata = strlen("{\"flowrt\":\"test\"}");
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    size_t tried = 0, parameters = 0;
    for (size_t at = blocks_at; at + 4 <= file.size - metadata; at += 4) {
        uint32_t kept;
        memcpy(&kept, file.bytes + at, sizeof kept);
        memcpy(file.bytes + at, &nan, sizeof nan);
        expect_refusal(name, file, FLOWRT_OPEN_VERIFY, at);
        if (kept == 0 && !has_zeros) {
            memcpy(file.bytes + at, &one, sizeof one);
            expect_refusal(name, file, FLOWRT_OPEN_VERIFY, at);
            memcpy(file.bytes + at, &minus_zero, sizeof minus_zero);
            expect_refusal(name, file, FLOWRT_OPEN_VERIFY, at);
        }
        memcpy(file.bytes + at, &one, sizeof one);
        parameters += (size_t)verifies(file);
        memcpy(file.bytes + at, &kept, sizeof kept);
        tried++;
    }
    CHECK(info_of(&model).parameter_count == parameters, "%s: parameter_count is %llu, of %zu", name,
          (unsigned long long)info_of(&model).parameter_count, parameters);
    return tried;
}

/* The constants of an elementwise step are parameters, also those that must be zero. */
static void check_elementwise_count(void) {
    const flow_spec spec = {"three maps", 3, 0, {{.kind = RECORD_ELEMENTWISE}}};
    const flow_file file = flow_build(&spec, 1);
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, file.bytes, file.size, 0, NULL));
    CHECK(info_of(&model).parameter_count == 6, "%llu", (unsigned long long)info_of(&model).parameter_count);
    flow_free(file);
}

int main(void) {
    check_elementwise_count();
    size_t bits = 0, words = 0;
    for (size_t i = 0; i < flow_case_count; i++) {
        const flow_spec *spec = &flow_cases[i];
        const flow_file file = flow_build(spec, i);
        uint32_t record_count;
        memcpy(&record_count, file.bytes + 36, sizeof record_count);
        int has_matrix = 0;
        for (size_t r = 1; r <= record_count; r++) {
            const uint16_t kind = get_u16(file.bytes + LINE * r);
            has_matrix |= kind == RECORD_LINEAR || kind == RECORD_PIXELWISE_LINEAR;
        }
        bits += check_unused_bytes(spec->name, file, record_count);
        if (file.size <= LARGEST && spec->steps[0].kind != RECORD_ELEMENTWISE)
            words += check_words(spec->name, file, LINE * (1 + (size_t)record_count), has_matrix);
        flow_free(file);
    }
    CHECK(bits > 10000 && words > 3000, "%zu bits, %zu words", bits, words);
    printf("%zu bits without a meaning and %zu wrong words refused\n", bits, words);
}
