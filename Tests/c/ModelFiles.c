/* flowrt_file.h: files are read and mapped alike, refusals name file, place and reason, and metadata is found, whatever its
 * bytes are. */
#include "support/call.h"
#include "support/guarded.h"
#include <flowrt_file.h>

static char folder[] = "/tmp/flowrt-files-XXXXXX";

static const char *path_of(const char *name) {
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *store(const char *name, const void *bytes, size_t size) {
    const char *path = path_of(name);
    FILE *stream = fopen(path, "wb");
    CHECK(stream && fwrite(bytes, 1, size, stream) == size && fclose(stream) == 0, "%s", path);
    return path;
}

typedef int opener(flowrt_file *file, const char *path);
static opener *const openers[] = {flowrt_file_open, flowrt_file_map};

/* Both ways give the results of the bytes themselves. */
static void check_opens(flow_file flow) {
    const char *path = store("good.flw", flow.bytes, flow.size);
    flowrt_model model;
    CHECK_STATUS(FLOWRT_OK, flowrt_model_open(&model, flow.bytes, flow.size, 0, NULL));
    call expected = call_new(&model, SAMPLE, 100, 1);
    CHECK_STATUS(FLOWRT_OK, call_run(&expected));
    for (int way = 0; way < 2; way++) {
        flowrt_file file;
        memset(&file, 0xa5, sizeof file);
        CHECK(openers[way](&file, path), "%s", file.error);
        CHECK(file.size == flow.size && file.is_mapped == way && file.error[0] == 0, "%s, %zu bytes", path, file.size);
        CHECK(file.info.dim == info_of(&model).dim && (uintptr_t)file.workspace % FLOWRT_ALIGNMENT == 0, "%s", path);
        call found = call_new(&file.model, SAMPLE, 100, 1);
        void *own = found.workspace;
        found.workspace = file.workspace;
        found.workspace_size = file.workspace_size;
        CHECK_STATUS(FLOWRT_OK, call_run(&found));
        CHECK_SAME_BITS(path, expected.output, found.output, 100 * file.info.dim);
        flowrt_file_close(&file);
        CHECK_STATUS(FLOWRT_ERR_MODEL, call_run(&found));
        flowrt_file_close(&file); /* twice is once */
        found.workspace = own;
        call_free(found);
    }
    call_free(expected);
}

static void refuses(const char *path, const char *reason) {
    for (int way = 0; way < 2; way++) {
        flowrt_file file;
        CHECK(!openers[way](&file, path), "%s was opened", path);
        char expected[700];
        const char *dots = strlen(path) > 256 ? "..." : "", *end = strlen(path) > 256 ? path + strlen(path) - 256 : path;
        snprintf(expected, sizeof expected, "%s%s: %s", dots, end, reason);
        CHECK(strcmp(file.error, expected) == 0, "'%s', not '%s'", file.error, expected);
        CHECK(file.bytes == NULL && file.workspace == NULL, "%s: memory is kept", path);
    }
}

static void check_refusals(flow_file flow) {
    refuses(path_of("missing.flw"), "No such file or directory");
    refuses(folder, "Is a directory");
    refuses(store("empty.flw", "", 0), "the model has fewer or more bytes than its header says or its layers need (byte 0, "
                                       "found 0, expected 64)");
    char reason[200];
    snprintf(reason, sizeof reason,
             "the model has fewer or more bytes than its header says or its layers need (byte 16, found %zu, expected %zu)",
             flow.size - 1, flow.size);
    refuses(store("cut.flw", flow.bytes, flow.size - 1), reason);
    refuses(store("text.flw", "a text of sixty-four bytes, which is no model, and not a long one", 64),
            "not a .flw model file (byte 0, found 97, expected 137)");
    flow.bytes[64] = 99;
    flow_seal(flow);
    refuses(store("kind.flw", flow.bytes, flow.size), "the model needs a feature that this version of the library does not "
                                                      "have (record 0, byte 64, found 99)");
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    refuses(name, "File name too long");
}

static void check_texts(void) {
    char text[200], cut[8];
    const flowrt_error_detail detail = {FLOWRT_ERR_MALFORMED, 3, 260, 8, 9};
    const char *whole = "the model file is malformed (record 3, byte 260, found 9, expected 8)";
    CHECK(flowrt_explain(text, sizeof text, FLOWRT_ERR_MALFORMED, &detail) == (int)strlen(whole), "%s", text);
    CHECK(strcmp(text, whole) == 0, "%s", text);
    CHECK(flowrt_explain(cut, sizeof cut, FLOWRT_ERR_MALFORMED, &detail) == (int)strlen(whole), "%s", cut);
    CHECK(memcmp(cut, whole, 7) == 0 && cut[7] == 0, "%s", cut);
    flowrt_explain(text, sizeof text, FLOWRT_ERR_MALFORMED, NULL);
    CHECK(strcmp(text, "the model file is malformed") == 0, "%s", text);
    flowrt_explain(text, sizeof text, FLOWRT_ERR_NULL, &detail); /* of another call */
    CHECK(strcmp(text, flowrt_status_message(FLOWRT_ERR_NULL)) == 0, "%s", text);
}

/* A file whose metadata is `json`, in memory that ends with it. */
static flowrt_file with_metadata(guarded area, const char *json, size_t size) {
    flowrt_file file;
    memset(&file, 0, sizeof file);
    file.bytes = guarded_last(area, size, 1);
    memcpy(file.bytes, json, size);
    file.info.metadata_size = size;
    return file;
}

static const char json[] = "{\"flowrt\": \"0.1.0\", \"framework\": null, \"notes\": \"a, \\\"b\\\": [1]\", \"n\": [], \"names\":\n"
                           "[ \"mass\",\"\\u00b5g / l\", \"\\ud83d\\ude00\", \"\xc3\xa9t\xc3\xa9\" ,\"a\\\\b\\n\"], \"dim\" : 3, \"bounds\": "
                           "{\"low\": [-1.5, 2e3], \"high\": [true]}, \"context_names\": [\"t\"]}";

static const struct {
    const char *key;
    size_t index;
    const char *text; /* NULL if there is none */
} entries[] = {
    {"flowrt", 0, "0.1.0"},     {"framework", 0, "null"},
    {"notes", 0, "a, \"b\": [1]"}, {"names", 0, "mass"},
    {"names", 1, "\xc2\xb5g / l"}, {"names", 2, "\xf0\x9f\x98\x80"},
    {"names", 3, "\xc3\xa9t\xc3\xa9"}, {"names", 4, "a\\b\n"},
    {"names", 5, NULL},         {"dim", 0, "3"},
    {"dim", 1, NULL},           {"bounds.low", 0, "-1.5"},
    {"bounds.low", 1, "2e3"},   {"bounds.high", 0, "true"},
    {"bounds.high", 1, NULL},   {"context_names", 0, "t"},
    {"n", 0, NULL},             {"name", 0, NULL},
    {"b", 0, NULL},             {"low", 0, NULL},
    {"", 0, NULL},              {"bounds.", 0, NULL},
    {"names.low", 0, NULL},
};

static void check_metadata(void) {
    const guarded area = guarded_map(sizeof json), output = guarded_map(64);
    const flowrt_file file = with_metadata(area, json, sizeof json - 1);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        for (size_t room = 0; room <= 24; room++) {
            char *text = guarded_last(output, room, 1);
            const int length = flowrt_file_metadata(&file, entries[i].key, entries[i].index, text, room);
            const char *expected = entries[i].text ? entries[i].text : "";
            CHECK(length == (entries[i].text ? (int)strlen(expected) : -1), "%s %zu: length %d", entries[i].key,
                  entries[i].index, length);
            if (room == 0) continue;
            CHECK(strlen(text) < room && memcmp(text, expected, strlen(text)) == 0, "%s %zu: '%s'", entries[i].key,
                  entries[i].index, text);
            CHECK(room > strlen(expected) ? strcmp(text, expected) == 0 : strlen(text) + 4 >= room, "%s %zu: '%s' in %zu",
                  entries[i].key, entries[i].index, text, room);
            const unsigned char next = (unsigned char)expected[strlen(text)];
            CHECK((next & 0xc0) != 0x80, "%s %zu: half a character in %zu", entries[i].key, entries[i].index, room);
        }
    /* Cut off anywhere, or with any byte changed: nothing is read behind the end, and an end there is. */
    char text[24];
    for (size_t size = 0; size < sizeof json; size++) {
        const flowrt_file cut = with_metadata(area, json, size);
        for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
            flowrt_file_metadata(&cut, entries[i].key, entries[i].index, text, sizeof text);
    }
    for (size_t at = 0; at + 1 < sizeof json; at++)
        for (const char *byte = "\"\\[]{},:u", *end = byte + 10; byte < end; byte++) { /* and 0 */
            flowrt_file changed = with_metadata(area, json, sizeof json - 1);
            ((char *)changed.bytes)[at] = *byte;
            for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
                flowrt_file_metadata(&changed, entries[i].key, entries[i].index, text, sizeof text);
        }
    guarded_unmap(area);
    guarded_unmap(output);
}

int main(void) {
    CHECK(mkdtemp(folder), "%s", folder);
    const flow_file flow = flow_build(flow_case("wide"), 1);
    check_opens(flow);
    check_refusals(flow);
    check_texts();
    check_metadata();
    static const char *const names[] = {"good", "empty", "cut", "text", "kind"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s.flw", names[i]);
        remove(path_of(name));
    }
    CHECK(rmdir(folder) == 0, "%s", folder);
    flow_free(flow);
}
