// Threefry-2x32 with 20 rounds (Salmon et al., SC 2011); twin of ohmcarlo.array.threefry.
#ifndef THREEFRY_H
#define THREEFRY_H

#include <stdint.h>

struct threefry_words {
    uint32_t first;
    uint32_t second;
};

struct threefry_words threefry2x32(uint32_t key0, uint32_t key1, uint32_t counter0,
                                   uint32_t counter1);

#endif // THREEFRY_H
