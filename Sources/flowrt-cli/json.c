#include "json.h"

#include "failure.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

static const char *skip_blank(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

static bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/* Each skip_...: behind a valid value that starts at `at`, NULL if there is none. */

static const char *skip_string(const char *at, const char *end) {
    if (at == end || *at != '"') return NULL;
    for (at++; at < end && *at != '"'; at++) {
        if ((unsigned char)*at < 32) return NULL;
        if (*at != '\\') continue;
        if (++at == end || !strchr("\"\\/bfnrtu", *at) || *at == 0) return NULL;
        if (*at == 'u')
            for (int i = 0; i < 4; i++)
                if (++at == end || !is_hex(*at)) return NULL;
    }
    return at < end ? at + 1 : NULL;
}

static const char *skip_digits(const char *at, const char *end) {
    const char *first = at;
    while (at < end && *at >= '0' && *at <= '9') at++;
    return at > first ? at : NULL;
}

static const char *skip_number(const char *at, const char *end) {
    if (at < end && *at == '-') at++;
    at = at < end && *at == '0' ? at + 1 : skip_digits(at, end);
    if (at && at < end && *at == '.') at = skip_digits(at + 1, end);
    if (at && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        at = skip_digits(at, end);
    }
    return at;
}

static const char *skip_word(const char *at, const char *end) {
    static const char *const words[] = {"true", "false", "null", "NaN", "Infinity", "-Infinity"}; /* as Python writes */
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - at) >= length && memcmp(at, words[i], length) == 0) return at + length;
    }
    return NULL;
}

static const char *skip_value(const char *at, const char *end, int depth);

static const char *skip_container(const char *at, const char *end, int depth) {
    bool object = *at == '{';
    char close = object ? '}' : ']';
    at = skip_blank(at + 1, end);
    if (at < end && *at == close) return at + 1;
    for (;;) {
        if (object) {
            at = skip_string(at, end);
            if (!at) return NULL;
            at = skip_blank(at, end);
            if (at == end || *at != ':') return NULL;
            at = skip_blank(at + 1, end);
        }
        at = skip_value(at, end, depth + 1);
        if (!at) return NULL;
        at = skip_blank(at, end);
        if (at == end || (*at != ',' && *at != close)) return NULL;
        if (*at == close) return at + 1;
        at = skip_blank(at + 1, end);
    }
}

static const char *skip_value(const char *at, const char *end, int depth) {
    if (at == end || depth > DEEPEST) return NULL;
    if (*at == '{' || *at == '[') return skip_container(at, end, depth);
    if (*at == '"') return skip_string(at, end);
    const char *word = skip_word(at, end);
    return word ? word : skip_number(at, end);
}

json json_parse(const char *text, size_t size) {
    const char *begin = skip_blank(text, text + size), *end = skip_value(begin, text + size, 0);
    return end && skip_blank(end, text + size) == text + size ? (json){begin, end} : (json){NULL, NULL};
}

json json_next(json container, json at, json *key) {
    const char *next = skip_blank(at.begin ? at.end : container.begin + 1, container.end);
    if (at.begin && *next == ',') next = skip_blank(next + 1, container.end);
    if (*next == '}' || *next == ']') return (json){NULL, NULL};
    if (*container.begin == '{') {
        const char *behind = skip_string(next, container.end);
        if (key) *key = (json){next, behind};
        next = skip_blank(skip_blank(behind, container.end) + 1, container.end);
    }
    return (json){next, skip_value(next, container.end, 0)};
}

json json_member(json object, const char *key) {
    json found = {NULL, NULL}, name;
    if (!object.begin || *object.begin != '{') return found;
    for (json value = json_next(object, found, &name); value.begin; value = json_next(object, value, &name)) {
        size_t length;
        char *text = json_string(name, &length);
        if (length == strlen(key) && memcmp(text, key, length) == 0) found = value; /* the last one counts */
        free(text);
    }
    return found;
}

static uint32_t hex4(const char *at) {
    char digits[5] = {at[0], at[1], at[2], at[3], 0};
    return (uint32_t)strtoul(digits, NULL, 16);
}

static char *put_utf8(char *at, uint32_t code) {
    if (code < 0x80) {
        *at++ = (char)code;
        return at;
    }
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    *at++ = (char)((0xffu << (7 - more) & 0xffu) | code >> 6 * more);
    while (more-- > 0) *at++ = (char)(0x80u | (code >> 6 * more & 0x3fu));
    return at;
}

char *json_string(json string, size_t *length) {
    char *text = allocate((size_t)(string.end - string.begin), 1), *out = text;
    for (const char *at = string.begin + 1; at < string.end - 1; at++) {
        if (*at != '\\') {
            *out++ = *at;
            continue;
        }
        at++;
        const char *plain = "\"\\/", *letters = "bfnrt", *values = "\b\f\n\r\t", *found = strchr(letters, *at);
        if (strchr(plain, *at)) {
            *out++ = *at;
        } else if (found) {
            *out++ = values[found - letters];
        } else {
            uint32_t code = hex4(at + 1);
            at += 4;
            bool high = code >= 0xd800 && code < 0xdc00 && string.end - at > 7 && at[1] == '\\' && at[2] == 'u';
            uint32_t low = high ? hex4(at + 3) : 0;
            if (low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                at += 6;
            }
            if (code >= 0xd800 && code < 0xe000) code = 0xfffd; /* half of a pair */
            out = put_utf8(out, code);
        }
    }
    *length = (size_t)(out - text);
    *out = 0;
    return text;
}

names json_names(json array) {
    names list = {0};
    if (!array.begin || *array.begin != '[') return list;
    json item = {NULL, NULL};
    for (item = json_next(array, item, NULL); item.begin; item = json_next(array, item, NULL)) {
        size_t length = 0;
        char *text = *item.begin == '"' ? json_string(item, &length) : NULL;
        bool good = text && !memchr(text, 0, length);
        if (good) names_add(&list, text, length);
        free(text);
        if (good) continue;
        names_free(&list);
        break;
    }
    return list;
}
