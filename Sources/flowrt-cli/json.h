/* What the tool needs of JSON (RFC 8259): the members of one object, and strings. */
#ifndef FLOWRT_CLI_JSON_H
#define FLOWRT_CLI_JSON_H

#include "names.h"

/* A part of a JSON text, from its first to behind its last byte; begin NULL: there is none. */
typedef struct json {
    const char *begin, *end;
} json;

/* The text without the blanks around it, if all of it is one valid JSON value; else none. */
json json_parse(const char *text, size_t size);

/* The next member of an object, or item of an array: `at` is {NULL} before the first, then what the last call
 * returned. The key, a JSON string, is stored unless `key` is NULL (an array). None behind the last one. */
json json_next(json container, json at, json *key);

/* The value of a key, none if the object has no such key. */
json json_member(json object, const char *key);

/* A JSON string as UTF-8; the caller frees it. *length counts its bytes, which may be zero bytes too. */
char *json_string(json string, size_t *length);

/* An array of strings without zero bytes as names; an empty list if it is anything else. */
names json_names(json array);

#endif
