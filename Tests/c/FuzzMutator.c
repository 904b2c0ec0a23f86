/* A mutator that knows the file format (docs/FORMAT.md), so that what libFuzzer makes gets beyond the header: it changes
 * fields of records, indices, degrees and parameters, or adds and removes whole records and lines; then it repairs what
 * follows from the rest (size, padding, checksum), and takes the reader's advice: a refusal says what was expected where,
 * and is mended. One file in sixteen stays as broken as it is. */
#include "FuzzMutator.h"
#include "support/check.h"
#include "support/random.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

enum { LINE = 64, REPAIRS = 12 };

typedef struct file {
    uint8_t *bytes;
    size_t size, room;
} file;

static uint32_t get_u32(const file *f, size_t at) {
    uint32_t value;
    memcpy(&value, f->bytes + at, sizeof value);
    return value;
}

static void set(file *f, size_t at, uint64_t value, size_t width) {
    if (at + width <= f->size) memcpy(f->bytes + at, &value, width);
}

/* Bytes of header and records, as far as they are there. */
static size_t records_end(const file *f) {
    const uint64_t end = LINE + LINE * (uint64_t)get_u32(f, 36);
    return end < f->size ? (size_t)end : f->size / LINE * LINE;
}

/* Opens a gap of `count` zero bytes at `at`, as far as there is room. */
static void insert(file *f, size_t at, size_t count) {
    if (at > f->size || count > f->room - f->size) return;
    memmove(f->bytes + at + count, f->bytes + at, f->size - at);
    memset(f->bytes + at, 0, count);
    f->size += count;
}

static void erase(file *f, size_t at, size_t count) {
    if (at >= f->size) return;
    if (count > f->size - at) count = f->size - at;
    memmove(f->bytes + at, f->bytes + at + count, f->size - at - count);
    f->size -= count;
}

/* ---- changes ---- */

/* Codes and counts are small; limits are near powers of two. */
static uint64_t integer(random_source *random, uint64_t now) {
    switch (random_below(random, 6)) {
    case 0: return now + 1;
    case 1: return now - 1;
    case 2: return UINT64_C(1) << random_below(random, 33);
    case 3: return (UINT64_C(1) << random_below(random, 33)) - 1;
    case 4: return random_u64(random);
    default: return random_below(random, 18);
    }
}

static uint32_t parameter(random_source *random) {
    static const uint32_t special[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000,
                                       0x7f7fffff, 0xff7fffff, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x3727c5ac,
                                       0x40000000, 0xc0000000, 0x3f000000, 0x7e967699, 0xfe967699, 0x42b17218};
    if (random_below(random, 3) == 0) return (uint32_t)random_u64(random);
    return special[random_below(random, sizeof special / sizeof *special)];
}

static void change_header(file *f, random_source *random) {
    static const uint8_t offsets[] = {10, 28, 32, 36, 40, 24, 8};
    const size_t at = offsets[random_below(random, random_below(random, 4) ? 3 : 7)];
    set(f, at, integer(random, get_u32(f, at)), at == 40 ? 8 : at == 8 || at == 10 ? 2 : 4);
}

static void change_record(file *f, random_source *random) {
    const size_t count = records_end(f) / LINE - 1;
    if (count == 0) return;
    const size_t record = LINE * (1 + random_below(random, (uint32_t)count));
    const size_t at = record + 2 * random_below(random, 12), other = record + 24 + 4 * random_below(random, 10);
    uint64_t now = 0;
    const size_t plane = record + 28 + 2 * random_below(random, 16);
    memcpy(&now, f->bytes + at, 2);
    switch (random_below(random, 5)) {
    case 0: set(f, other, parameter(random), 4); break;
    case 4: set(f, plane, integer(random, f->bytes[plane]), 2); break;
    case 1: set(f, record + 4 * (1 + random_below(random, 5)), integer(random, now), 4); break;
    default: set(f, at, integer(random, now), 2);
    }
}

static void change_block(file *f, random_source *random) {
    const size_t start = records_end(f), words = (f->size - start) / 4;
    if (words == 0) return;
    const size_t at = start + 4 * random_below(random, (uint32_t)words);
    const size_t other = start + 4 * random_below(random, (uint32_t)words);
    const uint32_t now = get_u32(f, at);
    switch (random_below(random, 4)) {
    case 0: /* two indices change places */
        set(f, at, get_u32(f, other), 4);
        set(f, other, now, 4);
        break;
    case 1: set(f, at, integer(random, now), 4); break;
    default: set(f, at, parameter(random), 4);
    }
}

/* A record more, fewer, or two in the other order. */
static void change_records(file *f, random_source *random) {
    const size_t end = records_end(f), count = end / LINE - 1;
    if (count == 0) return;
    const size_t one = LINE * (1 + random_below(random, (uint32_t)count));
    const size_t other = LINE * (1 + random_below(random, (uint32_t)count));
    uint8_t held[LINE];
    memcpy(held, f->bytes + one, LINE);
    switch (random_below(random, 3)) {
    case 0:
        insert(f, other, LINE);
        memcpy(f->bytes + other, held, LINE);
        set(f, 36, count + 1, 4);
        break;
    case 1:
        erase(f, one, LINE);
        set(f, 36, count - 1, 4);
        break;
    default: memmove(f->bytes + one, f->bytes + other, LINE); memcpy(f->bytes + other, held, LINE);
    }
}

/* A line of the blocks more or fewer. */
static void change_lines(file *f, random_source *random) {
    const size_t start = records_end(f), lines = (f->size - start) / LINE;
    const size_t at = start + LINE * random_below(random, (uint32_t)lines + 1);
    if (random_below(random, 2))
        insert(f, at, LINE);
    else
        erase(f, at, LINE);
}

/* ---- repairs ---- */

/* Whether a layer goes over a plane. */
static int has_plane(const uint8_t *layer) { return layer[22] >= 1 && layer[22] <= 3 && layer[23] == 0; }

/* The feature bits that the records ask for. */
static uint64_t features(const file *f) {
    for (size_t at = LINE; at < records_end(f); at += LINE) {
        const uint8_t *record = f->bytes + at;
        if (record[0] == 9 || (record[0] == 2 && (record[22] || record[23]))) return 1;
    }
    return 0;
}

/* Bytes of a record that its kind leaves unused; {0, 0} ends the list. */
static void clear_padding(uint8_t *record) {
    static const uint8_t unused[][3][2] = {
        [1] = {{56, 64}},         [2] = {{60, 64}},           [3] = {{2, 8}, {16, 64}}, [4] = {{2, 8}, {16, 64}},
        [5] = {{2, 64}},          [6] = {{2, 64}},            [7] = {{2, 12}, {14, 64}}, [8] = {{8, 12}, {14, 18}, {56, 64}},
        [9] = {{2, 4}, {20, 64}},
    };
    uint16_t kind;
    memcpy(&kind, record, sizeof kind);
    if (kind >= sizeof unused / sizeof *unused) return;
    for (int i = 0; i < 3; i++) memset(record + unused[kind][i][0], 0, (size_t)(unused[kind][i][1] - unused[kind][i][0]));
    if (kind == 2 && !has_plane(record)) memset(record + 28, 0, 32);
}

/* Magic, version, size and reserved bytes of the header. */
static void mend_header(file *f) {
    static const uint8_t magic[10] = {0x89, 'F', 'L', 'W', '\r', '\n', 0x1a, '\n', 1, 0};
    memcpy(f->bytes, magic, sizeof magic);
    set(f, 16, f->size, 8);
    set(f, 24, features(f), 4);
    memset(f->bytes + 48, 0, 16);
}

/* Mends what the reader refuses first. 0: there is nothing to mend, or no way. */
static int repair(file *f, uint32_t flags) {
    flowrt_model model;
    flowrt_error_detail why;
    mend_header(f);
    if (flags & FLOWRT_OPEN_VERIFY) flow_seal((flow_file){f->bytes, f->size});
    uint8_t *aligned = must_allocate(f->size);
    memcpy(aligned, f->bytes, f->size);
    const flowrt_status status = flowrt_model_open(&model, aligned, f->size, flags, &why);
    free(aligned);
    const size_t at = (size_t)why.offset;
    if (status == FLOWRT_OK || why.offset >= f->size) return 0;
    if (at == 40) {
        set(f, 40, f->size % LINE, 8);
    } else if (status == FLOWRT_ERR_TRUNCATED) { /* a block that does not fit */
        if (why.expected - why.found > f->room - f->size) return 0;
        insert(f, at, (size_t)(why.expected - why.found));
    } else if (status == FLOWRT_ERR_MALFORMED && at >= records_end(f) && why.found > why.expected &&
               why.expected == at) { /* bytes that belong to nothing */
        erase(f, at, (size_t)(why.found - why.expected));
    } else if (status == FLOWRT_ERR_VALUE) {
        set(f, at, 0, 4);
    } else if (status == FLOWRT_ERR_MALFORMED && why.record >= 0 && at >= records_end(f)) { /* indices, degrees, stages */
        set(f, at, why.expected, 4);
    } else if (status == FLOWRT_ERR_MALFORMED && why.record >= 0 && why.expected) {
        set(f, at, why.expected, at % LINE == 4 || at % LINE == 8 ? 4 : 2);
    } else if (status == FLOWRT_ERR_MALFORMED || status == FLOWRT_ERR_FEATURE) {
        set(f, at, 0, 2);
    } else {
        return 0;
    }
    return 1;
}

size_t fuzz_mutate(uint8_t *data, size_t size, size_t max_size, uint64_t seed) {
    random_source random = {seed};
    if (size < 2 * LINE) return LLVMFuzzerMutate(data, size, max_size);
    file f = {data, size, max_size};
    for (uint32_t changes = 1 + random_below(&random, 3); changes > 0 && f.size >= 2 * LINE; changes--)
        switch (random_below(&random, 12)) {
        case 0: change_header(&f, &random); break;
        case 1: change_records(&f, &random); break;
        case 2: change_lines(&f, &random); break;
        case 3: f.size = LLVMFuzzerMutate(f.bytes, f.size, f.room); break;
        case 4:
        case 5:
        case 6:
        case 7: change_block(&f, &random); break;
        default: change_record(&f, &random);
        }
    if (f.size < 2 * LINE || random_below(&random, 16) == 0) return f.size;
    for (size_t at = LINE; at < records_end(&f); at += LINE) clear_padding(f.bytes + at);
    const uint32_t flags = random_below(&random, 4) ? FLOWRT_OPEN_DEFAULT : FLOWRT_OPEN_VERIFY;
    for (int i = 0; i < REPAIRS && repair(&f, flags); i++) {}
    mend_header(&f);
    flow_seal((flow_file){f.bytes, f.size});
    return f.size;
}
