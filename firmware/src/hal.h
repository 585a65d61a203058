// Access of the firmware to the hardware: registers and windows of the controller and of the board.
// On the board, they are memory-mapped. Natively, a model replaces them (native/hal_native.c).
#ifndef HAL_H
#define HAL_H

#include <stdint.h>

#include "board.h"
#include "memory_map.h"
#include "ohmcarlo.h"

#ifdef OHMCARLO_NATIVE
uint32_t hal_read(uint32_t address);
void hal_write(uint32_t address, uint32_t value);
#else
static inline uint32_t hal_read(uint32_t address)
{
    return *(const volatile uint32_t *)address;
}

static inline void hal_write(uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}
#endif

// `at`: byte address within the map of the controller
static inline uint32_t core_read(uint32_t at)
{
    return hal_read(MEMORY_CONTROLLER + at);
}

static inline void core_write(uint32_t at, uint32_t value)
{
    hal_write(MEMORY_CONTROLLER + at, value);
}

// `at`: byte address within the map of the board
static inline uint32_t board_read(uint32_t at)
{
    return hal_read(MEMORY_BOARD + at);
}

static inline void board_write(uint32_t at, uint32_t value)
{
    hal_write(MEMORY_BOARD + at, value);
}

// Clocks since power-up, lower half
static inline uint32_t hal_clocks(void)
{
    return board_read(OHMCARLO_BOARD__TIMER__CLOCKS__LO_addr);
}

// The upper half at the last hal_clocks()
static inline uint32_t hal_clocks_upper(void)
{
    return board_read(OHMCARLO_BOARD__TIMER__CLOCKS__HI_addr);
}

// Call it at least every id.watchdog_clocks clocks
static inline void hal_kick(void)
{
    board_write(OHMCARLO_BOARD__WATCHDOG__KICK_addr, OHMCARLO_BOARD__WATCHDOG__KICK__KICK_bm);
}

// A word of a ring of the board. `number` is taken modulo the size of the ring, a power of two.
#define RING_AT(name, number)                                                                      \
    (OHMCARLO_BOARD__##name##_addr + (((number) % OHMCARLO_BOARD__##name##_words) << 2))

#define CORE_COMMAND(name) OHMCARLO__CONTROL__COMMAND__##name##_bm
#define CORE_STATE(name) OHMCARLO__STATUS__STATE__##name##_bm

static inline void core_command(uint32_t strobes)
{
    core_write(OHMCARLO__CONTROL__COMMAND_addr, strobes);
}

static inline uint32_t core_state(void)
{
    return core_read(OHMCARLO__STATUS__STATE_addr);
}

#endif // HAL_H
