/* A copy of a model file with other metadata:  with_metadata MODEL JSON OUTPUT */
#include <flowrt_format.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static unsigned char data[1 << 22];

static uint32_t crc32(const unsigned char *bytes, size_t size) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

int main(int count, char **arguments) {
    FILE *in = count == 4 ? fopen(arguments[1], "rb") : NULL;
    if (!in) return 2;
    size_t size = fread(data, 1, sizeof data / 2, in), length = strlen(arguments[2]);
    fclose(in);
    flowrt_file_header header;
    memcpy(&header, data, sizeof header);
    size_t start = size - (size_t)header.metadata_size;
    memcpy(data + start, arguments[2], length);
    header.metadata_size = length;
    header.file_size = start + length;
    header.crc32 = 0;
    memcpy(data, &header, sizeof header);
    header.crc32 = crc32(data, start + length);
    memcpy(data, &header, sizeof header);
    FILE *out = fopen(arguments[3], "wb");
    if (!out || fwrite(data, 1, start + length, out) != start + length || fclose(out)) return 1;
    return 0;
}
