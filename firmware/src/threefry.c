#include "threefry.h"

#include "spec_cartpole.h"

static const uint8_t TURNS[8] = THREEFRY_ROTATIONS;

static inline uint32_t rotate_left(uint32_t word, uint32_t turn)
{
    return word << turn | word >> (32u - turn);
}

struct threefry_words threefry2x32(uint32_t key0, uint32_t key1, uint32_t counter0,
                                   uint32_t counter1)
{
    const uint32_t keys[3] = {key0, key1, THREEFRY_PARITY ^ key0 ^ key1};
    uint32_t x0 = counter0 + key0;
    uint32_t x1 = counter1 + key1;
    uint32_t key = 0;
    for (uint32_t injection = 1; injection <= THREEFRY_ROUNDS / 4u; injection++) {
        const uint8_t *const turns = TURNS + ((injection & 1u) != 0 ? 0 : 4);
        for (uint32_t round = 0; round < 4; round++) {
            x0 += x1;
            x1 = rotate_left(x1, turns[round]) ^ x0;
        }
        key = key == 2 ? 0 : key + 1;
        x0 += keys[key];
        x1 += keys[key == 2 ? 0 : key + 1] + injection;
    }
    return (struct threefry_words){x0, x1};
}
