/* A reader never ignores anything (docs/FORMAT.md section 6): bits in a byte that has no meaning are refused, in the header,
 * in every kind of record and behind every block, and so is a word of a block that means nothing there. What is changed
 * here cannot have been meant by any writer. */
#include "support/call.h"

enum { LINE = 64, LARGEST = 4096 };

typedef struct range {
    uint8_t from, to;
} range;

static uint16_t get_u16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* How many of the f32 p of a scale function are used (section 5). */
static uint8_t scale_parameters(uint16_t scale) {
    static const uint8_t used[SCALE_COUNT] = {
        [SCALE_EXP_CLAMPED] = 2,      [SCALE_SOFTPLUS] = 1, [SCALE_SOFTPLUS_CLAMPED] = 3, [SCALE_SIGMOID] = 1,
        [SCALE_EXP_SOFT_CLIPPED] = 1, [SCALE_EXP_TANH] = 1, [SCALE_EXP_ATAN] = 1};
    return used[scale];
}

/* The bytes of a record that have a meaning, in at most three ranges. */
static void used_bytes(const uint8_t *record, range used[3]) {
    memset(used, 0, 3 * sizeof *used);
    used[0] = (range){0, 2};
    const uint16_t activation = get_u16(record + 2);
    switch (get_u16(record)) {
    case RECORD_AUTOREGRESSIVE: {
        const int is_affine = get_u16(record + 14) == AFFINE, is_additive = get_u16(record + 14) == ADDITIVE;
        const uint8_t p = is_affine ? scale_parameters(get_u16(record + 18)) : is_additive ? 0 : 8;
        used[0] = (range){0, is_additive ? 16 : is_affine ? 20 : 24};
        used[1] = (range){24, (uint8_t)(24 + 4 * p)};
        break;
    }
    case RECORD_LAYER:
        used[0] = (range){0, 22};
        if (activation == ELU || activation == LEAKY_RELU || activation >= LAYER_NORM) used[1] = (range){24, 28};
        break;
    case RECORD_DIAGONAL:
    case RECORD_LINEAR: used[1] = (range){8, 16}; break;
    case RECORD_ENCODER: used[1] = (range){12, 14}; break;
    case RECORD_BASE: {
        static const range fields[][3] = {[0] = {{0, 4}},
                                          [1] = {{0, 4}},
                                          [2] = {{0, 4}},
                                          [3] = {{0, 4}, {20, 24}},
                                          [4] = {{0, 4}, {12, 14}},
                                          [5] = {{0, 8}, {12, 14}, {18, 56}}};
        CHECK(get_u16(record + 2) <= 5, "base %u", get_u16(record + 2));
        memcpy(used, fields[get_u16(record + 2)], 3 * sizeof *used);
        break;
    }
    default: break; /* elementwise and permutation steps have no fields */
    }
}

static int is_used(const range used[3], size_t offset) {
    for (int i = 0; i < 3; i++)
        if (offset >= used[i].from && offset < used[i].to) return 1;
    return 0;
}

static void expect_refusal(const char *name, flow_file file, uint32_t flags, size_t at) {
    flowrt_model model;
    flowrt_error_detail why;
    flow_seal(file);
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
        range used[3] = {{0, 0}};
        if (at >= LINE) used_bytes(file.bytes + at / LINE * LINE, used);
        if (is_used(used, at % LINE)) continue;
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

/* Each word of the blocks: a NaN is a wrong parameter and a wrong index; where a zero stands, it is padding, or an index or a
 * degree that 1.0f is not. (The zeros of a matrix are parameters.) And the words that may be 1.0f are the parameters: there
 * are as many as flowrt_model_info says. */
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

int main(void) {
    size_t bits = 0, words = 0;
    for (size_t i = 0; i < flow_case_count; i++) {
        const flow_spec *spec = &flow_cases[i];
        const flow_file file = flow_build(spec, i);
        uint32_t record_count;
        memcpy(&record_count, file.bytes + 36, sizeof record_count);
        int has_matrix = 0;
        for (size_t r = 1; r <= record_count; r++) has_matrix |= get_u16(file.bytes + LINE * r) == RECORD_LINEAR;
        if (file.size <= LARGEST) {
            bits += check_unused_bytes(spec->name, file, record_count);
            words += check_words(spec->name, file, LINE * (1 + (size_t)record_count), has_matrix);
        }
        flow_free(file);
    }
    CHECK(bits > 10000 && words > 3000, "%zu bits, %zu words", bits, words);
    printf("%zu bits without a meaning and %zu wrong words refused\n", bits, words);
}
