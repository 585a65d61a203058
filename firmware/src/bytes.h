// Little-endian numbers in byte buffers. Words lie on multiples of four bytes (spec/link.py).
#ifndef BYTES_H
#define BYTES_H

#include <stdint.h>

static inline uint16_t get16(const uint8_t *from)
{
    return (uint16_t)(from[0] | (uint32_t)from[1] << 8);
}

static inline uint32_t get32(const uint8_t *from)
{
    uint32_t word;
    __builtin_memcpy(&word, __builtin_assume_aligned(from, 4), sizeof word);
    return word;
}

static inline void put16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static inline void put32(uint8_t *to, uint32_t word)
{
    __builtin_memcpy(__builtin_assume_aligned(to, 4), &word, sizeof word);
}

#endif // BYTES_H
