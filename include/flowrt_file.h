/* flowrt_file.h: a model from a file, in a line, for programs that have files and a heap.
 *
 *   flowrt_file file;
 *   if (!flowrt_file_open(&file, "model.flw"))
 *       return fprintf(stderr, "%s\n", file.error), 1;
 *   flowrt_log_prob(&file.model, count, x, NULL, 0, log_prob, file.workspace, file.workspace_size);
 *   flowrt_file_close(&file);
 *
 * Optional: flowrt.h needs none of it, and the library never allocates or opens anything. All functions are static
 * inline, C99 and C++11; parts may be copied. No function keeps a state, so threads may call them at once, on different
 * objects. */
#ifndef FLOWRT_FILE_H
#define FLOWRT_FILE_H

#include "flowrt.h"
#include "flowrt_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#define FLOWRT_FILE_MAPS 1
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Memory: model bytes and workspaces stand on FLOWRT_ALIGNMENT bytes, and malloc promises less ---------------- */

/* `size` bytes on a FLOWRT_ALIGNMENT boundary, for flowrt_aligned_free; NULL if there is no memory. */
static inline void *flowrt_aligned_new(size_t size)
{
    const size_t more = FLOWRT_ALIGNMENT + sizeof(void *);
    char *base = size <= SIZE_MAX - more ? (char *)malloc(size + more) : NULL;
    if (base == NULL)
        return NULL;
    char *start = base + sizeof(void *);
    start += (FLOWRT_ALIGNMENT - (uintptr_t)start % FLOWRT_ALIGNMENT) % FLOWRT_ALIGNMENT;
    memcpy(start - sizeof(void *), &base, sizeof(void *)); /* malloc's own pointer, just below */
    return start;
}

static inline void flowrt_aligned_free(void *start)
{
    char *base = NULL;
    if (start != NULL)
        memcpy(&base, (char *)start - sizeof(void *), sizeof(void *));
    free(base);
}

/* ---- Texts ------------------------------------------------------------------------------------------------------- */

/* A status as a sentence; of a refused file also the place, and what was found there if that tells something: "the model
 * file is malformed (record 3, byte 260, found 9, expected 8)". `detail` may be NULL. As snprintf: at most `room` bytes
 * with the terminating 0, and returns the length of the whole text. */
static inline int flowrt_explain(char *text, size_t room, flowrt_status status, const flowrt_error_detail *detail)
{
    char record[32] = "", found[48] = "", expected[48] = "";
    const char *sentence = flowrt_status_message(status);
    const int in_file = status <= FLOWRT_ERR_TRUNCATED && status >= FLOWRT_ERR_VALUE;
    if (detail == NULL || detail->status != (int32_t)status || !in_file)
        return snprintf(text, room, "%s", sentence);
    if (detail->record >= 0)
        snprintf(record, sizeof record, "record %ld, ", (long)detail->record);
    if (detail->found != detail->expected) /* else no number tells it */
        snprintf(found, sizeof found, ", found %llu", (unsigned long long)detail->found);
    if (detail->found != detail->expected && detail->expected != 0)
        snprintf(expected, sizeof expected, ", expected %llu", (unsigned long long)detail->expected);
    return snprintf(text, room, "%s (%sbyte %llu%s%s)", sentence, record, (unsigned long long)detail->offset, found,
                    expected);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* Private: "path: reason". Of a long path the end, so that the reason has room. */
static inline void flowrt_say(char *text, size_t room, const char *path, const char *reason)
{
    const size_t length = strlen(path), most = room / 2;
    const char *dots = length > most ? "..." : "", *shown = length > most ? path + (length - most) : path;
    if (room > 0)
        snprintf(text, room, "%s%s: %s", dots, shown, reason);
}

/* The content of a file on a FLOWRT_ALIGNMENT boundary, and its size; for flowrt_aligned_free. NULL after a failure, with
 * file and reason in `error`, which has room for `room` bytes. */
static inline void *flowrt_read(const char *path, size_t *size, char *error, size_t room)
{
    FILE *stream = fopen(path, "rb");
    void *bytes = NULL;
    long end = -1;
    if (stream == NULL || (getc(stream) == EOF && ferror(stream)) /* a directory */ ||
        fseek(stream, 0, SEEK_END) != 0 || (end = ftell(stream)) < 0 || fseek(stream, 0, SEEK_SET) != 0) {
        flowrt_say(error, room, path, strerror(errno));
    } else if ((bytes = flowrt_aligned_new((size_t)end)) == NULL) {
        flowrt_say(error, room, path, "no memory for its bytes");
    } else if (fread(bytes, 1, (size_t)end, stream) != (size_t)end) {
        flowrt_say(error, room, path, "cannot be read to its end");
        flowrt_aligned_free(bytes);
        bytes = NULL;
    }
    if (stream != NULL)
        fclose(stream);
    *size = bytes == NULL ? 0 : (size_t)end;
    return bytes;
}

/* ---- The model --------------------------------------------------------------------------------------------------- */

/* An open model with all that a call needs. It may be moved in memory; of copies, one is closed. */
typedef struct flowrt_file {
    flowrt_model model;
    flowrt_model_info info;
    void *bytes; /* the content of the file, which `model` views */
    void *plan;  /* of the model: it is prepared (flowrt_model_prepare) */
    size_t size;
    int is_mapped;
    /* For one call at a time, of any number of rows, at full speed. Another thread needs a workspace of its own, of
     * workspace_size bytes from flowrt_aligned_new. flowrt_log_prob_gradient needs a larger one:
     * flowrt_gradient_workspace_size. */
    void *workspace;
    size_t workspace_size;
    char error[512]; /* after a failure: file, place and reason, in one line; else empty */
} flowrt_file;

static inline void flowrt_file_close(flowrt_file *file)
{
#ifdef FLOWRT_FILE_MAPS
    if (file->is_mapped)
        munmap(file->bytes, file->size);
#endif
    if (!file->is_mapped)
        flowrt_aligned_free(file->bytes);
    flowrt_aligned_free(file->plan);
    flowrt_aligned_free(file->workspace);
    memset(&file->model, 0, sizeof file->model); /* later calls return FLOWRT_ERR_MODEL */
    file->bytes = file->plan = file->workspace = NULL;
    file->size = file->workspace_size = 0;
    file->is_mapped = 0;
}

/* Private: ends a failed open. Returns 0. */
static inline int flowrt_file_end(flowrt_file *file, const char *path, const char *reason)
{
    flowrt_say(file->error, sizeof file->error, path, reason);
    flowrt_file_close(file);
    return 0;
}

/* Private: opens the bytes that were read or mapped. */
static inline int flowrt_file_start(flowrt_file *file, const char *path)
{
    char reason[256];
    flowrt_error_detail detail;
    const char *lacks = flowrt_cpu_lacks();
    if (lacks != NULL) {
        snprintf(reason, sizeof reason, "this CPU cannot run it: libflowrt needs %s", lacks);
        return flowrt_file_end(file, path, reason);
    }
    flowrt_status status = flowrt_model_open(&file->model, file->bytes, file->size, FLOWRT_OPEN_VERIFY, &detail);
    if (status != FLOWRT_OK) {
        flowrt_explain(reason, sizeof reason, status, &detail);
        return flowrt_file_end(file, path, reason);
    }
    file->info.struct_size = sizeof file->info;
    flowrt_model_get_info(&file->model, &file->info);
    const size_t plan_size = flowrt_plan_size(&file->model);
    file->workspace_size = flowrt_workspace_size(&file->model, SIZE_MAX);
    file->plan = flowrt_aligned_new(plan_size);
    file->workspace = flowrt_aligned_new(file->workspace_size);
    if (file->plan == NULL || file->workspace == NULL) {
        snprintf(reason, sizeof reason, "no memory for a plan and a workspace of %lu bytes",
                 (unsigned long)(plan_size + file->workspace_size));
        return flowrt_file_end(file, path, reason);
    }
    status = flowrt_model_prepare(&file->model, file->plan, plan_size);
    return status == FLOWRT_OK ? 1 : flowrt_file_end(file, path, flowrt_status_message(status));
}

/* Reads the file, checks every byte of it, and makes a plan and a workspace. Returns 1, or 0 with file->error: "model.flw: No such
 * file or directory", "model.flw: not a .flw model file (byte 0, found 97, expected 137)". Then there is nothing to close. */
static inline int flowrt_file_open(flowrt_file *file, const char *path)
{
    memset(file, 0, sizeof *file);
    file->bytes = flowrt_read(path, &file->size, file->error, sizeof file->error);
    if (file->bytes == NULL)
        return 0;
    return flowrt_file_start(file, path);
}

#ifdef FLOWRT_FILE_MAPS
/* As flowrt_file_open, but the bytes stay in the file and are shared by all processes that map it. The file must not
 * change while it is mapped: replace it by renaming another one to its name. */
static inline int flowrt_file_map(flowrt_file *file, const char *path)
{
    memset(file, 0, sizeof *file);
    struct stat facts;
    const int descriptor = open(path, O_RDONLY);
    if (descriptor < 0)
        return flowrt_file_end(file, path, strerror(errno));
    if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size == 0) {
        close(descriptor);
        return flowrt_file_open(file, path); /* which says why it cannot be, or reads what cannot be mapped */
    }
    void *bytes = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    const int failure = errno;
    close(descriptor);
    if (bytes == MAP_FAILED)
        return flowrt_file_end(file, path, strerror(failure));
    file->bytes = bytes;
    file->size = (size_t)facts.st_size;
    file->is_mapped = 1;
    return flowrt_file_start(file, path);
}
#endif

/* ---- Metadata: names of features and whatever else the JSON object of docs/FORMAT.md section 8 has --------------- */

/* Private: the JSON token or text at `at`, without blanks, commas and colons before it. */
static inline const char *flowrt_json_start(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' || *at == ',' || *at == ':'))
        at++;
    return at;
}

/* Private: behind the JSON value that starts at `at`; `end` if it is cut off. */
static inline const char *flowrt_json_skip(const char *at, const char *end)
{
    long depth = 0;
    do {
        at = flowrt_json_start(at, end);
        if (at == end)
            return end;
        const char c = *at++;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (c == '"') {
            while (at < end && *at != '"')
                at += *at == '\\' && at + 1 < end ? 2 : 1;
            at += at < end;
        } else if (c != '{' && c != '[' && c != '}' && c != ']') {
            while (at < end && *at != ',' && *at != ']' && *at != '}' && *at != ' ' && *at != '\n')
                at++;
        }
    } while (depth > 0);
    return at;
}

/* Private: four hexadecimal digits. */
static inline unsigned long flowrt_json_hex(const char *at, const char *end)
{
    char digits[5] = {0, 0, 0, 0, 0};
    memcpy(digits, at, end - at < 4 ? (size_t)(end - at) : 4);
    return strtoul(digits, NULL, 16);
}

/* Private: the character of a JSON string at *at as UTF-8; how many bytes it has. */
static inline int flowrt_json_character(const char **at, const char *end, char *bytes)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    const char *letter;
    int size = 0;
    bytes[size++] = *(*at)++;
    while (size < 4 && *at < end && ((unsigned char)bytes[0] & 0x80u) && ((unsigned char)**at & 0xc0u) == 0x80u)
        bytes[size++] = *(*at)++;
    if (bytes[0] != '\\' || *at == end)
        return size;
    bytes[0] = *(*at)++;
    if (bytes[0] != 'u') {
        if (bytes[0] != 0 && (letter = strchr(letters, bytes[0])) != NULL)
            bytes[0] = meanings[letter - letters];
        return 1;
    }
    unsigned long code = flowrt_json_hex(*at, end);
    *at += end - *at < 4 ? end - *at : 4;
    if (code >> 10 == 0xd800u >> 10 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        code = 0x10000 + ((code & 0x3ff) << 10 | (flowrt_json_hex(*at + 2, end) & 0x3ff));
        *at += 6;
    }
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    for (int i = 0; i <= more; i++)
        bytes[i] = (char)((i == 0 ? first[more] : 0x80u) | (code >> 6 * (more - i) & (i == 0 ? 0x7fu : 0x3fu)));
    return more + 1;
}

/* Private: the member of the object at `at` whose key has `length` bytes and these; `end` if there is none. */
static inline const char *flowrt_json_member(const char *at, const char *end, const char *key, size_t length)
{
    if (at == end || *at != '{')
        return end;
    for (at = flowrt_json_start(at + 1, end); at < end && *at == '"'; at = flowrt_json_start(at, end)) {
        const char *behind = flowrt_json_skip(at, end), *value = flowrt_json_start(behind, end);
        if ((size_t)(behind - at) == length + 2 && memcmp(at + 1, key, length) == 0)
            return value;
        at = flowrt_json_skip(value, end);
    }
    return end;
}

/* Entry `index` of the metadata under `key`: of a list, that item; of anything else, index 0 is the value itself.
 * "bounds.low" is low in the object bounds. A string without its quotes and escapes, other values as they are written.
 *
 *   flowrt_file_metadata(&file, "names", 2, text, sizeof text)           name of the third coordinate of x
 *   flowrt_file_metadata(&file, "context_names", 0, text, sizeof text)   of the first number of the context
 *   flowrt_file_metadata(&file, "framework", 0, text, sizeof text)       where the model was trained
 *
 * Writes at most `room` bytes, the last one 0, and whole characters. Returns the length of the text, or -1, and an empty
 * text, if there is no such entry. */
static inline int flowrt_file_metadata(const flowrt_file *file, const char *key, size_t index, char *text, size_t room)
{
    const char *at = (const char *)file->bytes + file->info.metadata_offset, *end = at + file->info.metadata_size;
    int length = 0;
    at = flowrt_json_start(at, end);
    for (size_t part = strcspn(key, "."); at < end; key += part + 1, part = strcspn(key, ".")) {
        at = flowrt_json_member(at, end, key, part);
        if (key[part] == 0)
            break;
    }
    if (at < end && *at == '[')
        for (at = flowrt_json_start(at + 1, end); index > 0 && at < end && *at != ']'; index--)
            at = flowrt_json_start(flowrt_json_skip(at, end), end);
    if (room > 0)
        text[0] = 0;
    if (at == end || *at == ']' || index > 0)
        return -1;
    const int is_string = *at == '"';
    end = flowrt_json_skip(at, end) - is_string;
    for (at += is_string; at < end;) {
        char bytes[4] = {*at, 0, 0, 0};
        const int size = is_string ? flowrt_json_character(&at, end, bytes) : (at++, 1);
        if ((size_t)(length + size) < room) {
            memcpy(text + length, bytes, (size_t)size);
            text[length + size] = 0;
        } else {
            room = 0; /* what follows is counted, and not written */
        }
        length += size;
    }
    return length;
}

#ifdef __cplusplus
}
#endif

#endif /* FLOWRT_FILE_H */
