/* A grey picture as a PNG file, without compression, so that a page of C suffices. */
#ifndef EXAMPLE_PNG_H
#define EXAMPLE_PNG_H

#include "example.h"

/* PNG: a signature, then chunks of (length, type, data, CRC-32 of type and data), numbers with the high byte first. */

static inline unsigned char *put_u32(unsigned char *to, unsigned long value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *to++ = (unsigned char)(value >> shift);
    return to;
}

static inline void write_chunk(FILE *file, const char *type, const unsigned char *data, size_t size)
{
    unsigned char length[4], check_sum[4];
    unsigned long crc = 0xffffffffu;
    put_u32(length, (unsigned long)size);
    for (size_t i = 0; i < 4 + size; i++) {
        crc ^= i < 4 ? (unsigned char)type[i] : data[i - 4];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    put_u32(check_sum, crc ^ 0xffffffffu);
    fwrite(length, 1, 4, file);
    fwrite(type, 1, 4, file);
    fwrite(data, 1, size, file);
    fwrite(check_sum, 1, 4, file);
}

/* `height` rows of `width` grey bytes, 255 white. Each row is one stored deflate block: filter byte 0, then the pixels. */
static inline void write_png(const char *path, const unsigned char *grey, unsigned width, unsigned height)
{
    const unsigned line = 1 + width; /* a stored block holds at most 65535 bytes */
    unsigned char header[13] = {0, 0, 0, 0, 0, 0, 0, 0, 8 /* bits */, 0 /* grey */, 0, 0, 0};
    put_u32(put_u32(header, width), height);

    unsigned char *zlib = malloc(2 + (size_t)height * (5 + line) + 4), *to = zlib;
    FILE *file = fopen(path, "wb");
    if (file == NULL || zlib == NULL)
        fail("%s: %s", path, strerror(errno));
    unsigned long low = 1, high = 0; /* Adler-32 of the bytes inside the blocks */
    *to++ = 0x78;
    *to++ = 0x01;
    for (unsigned y = 0; y < height; y++) {
        const unsigned char block[5] = {y + 1 == height, (unsigned char)line, (unsigned char)(line >> 8), (unsigned char)~line,
                                        (unsigned char)(~line >> 8)};
        memcpy(to, block, 5);
        to[5] = 0;
        memcpy(to + 6, grey + (size_t)y * width, width);
        to += 5;
        for (unsigned i = 0; i < line; i++) {
            low = (low + *to++) % 65521;
            high = (high + low) % 65521;
        }
    }
    to = put_u32(to, high << 16 | low);
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, file);
    write_chunk(file, "IHDR", header, sizeof header);
    write_chunk(file, "IDAT", zlib, (size_t)(to - zlib));
    write_chunk(file, "IEND", zlib, 0);
    const int failed = ferror(file);
    if (fclose(file) != 0 || failed)
        fail("%s: cannot be written", path);
    free(zlib);
}

#endif /* EXAMPLE_PNG_H */
