// Firmware of the bench verif/test_soc.py. A byte from the host selects an action, which answers
// with words. The line "@" is replaced by addresses within the controller's map and words to load.
#include <stdbool.h>

#include "hal.h"

static const uint32_t SCRIPT[][2] = {
@
};

static uint32_t taken, put;
extern uint32_t _bss_end[]; // of the linker script

static uint8_t receive(void)
{
    while (board_read(OHMCARLO_BOARD__UART__RECEIVED_addr) == taken) {
        hal_kick();
        board_write(OHMCARLO_BOARD__CONTROL__IDLE_addr, 1u);
    }
    const uint8_t byte = (uint8_t)board_read(RING_AT(RX, taken));
    board_write(OHMCARLO_BOARD__UART__TAKEN_addr, ++taken);
    return byte;
}

// All four bytes at once: the ring sends them while the program continues
static void send(uint32_t word)
{
    for (uint32_t i = 0; i < 4u; i++, word >>= 8)
        board_write(RING_AT(TX, put + i), word & 0xffu);
    put += 4u;
    board_write(OHMCARLO_BOARD__UART__PUT_addr, put);
}

static void memory(void)
{
    volatile uint32_t word = 0x11223344u;
    volatile uint8_t *bytes = (volatile uint8_t *)&word;
    volatile uint16_t *halves = (volatile uint16_t *)&word;
    bytes[1] = 0xaau;
    send(word);
    halves[1] = 0xbeefu;
    send(word);
    bytes[3] = 0x12u;
    halves[0] = 0x8001u;
    send(word);
    send((uint32_t)(int8_t)bytes[2]);
    send(bytes[2]);
    send((uint32_t)(int16_t)halves[0]);
    send(halves[0]);
    // a pattern over everything between the variables and the stack
    volatile uint32_t *const free_words = _bss_end;
    const uint32_t count = 64u;
    const uint32_t stride = (MEMORY_RAM_BYTES - 4096u - (uint32_t)_bss_end) / 4u / count;
    for (uint32_t i = 0; i < count; i++)
        free_words[i * stride] = i * 2654435761u;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum = sum * 31u + free_words[i * stride];
    send(sum);
}

static void registers(void)
{
    send(core_read(OHMCARLO__ID__MAGIC_addr));
    send(core_read(OHMCARLO__ID__ROWS_addr));
    core_write(OHMCARLO__MODEL__POINTS_addr, 5u);
    core_write(OHMCARLO__MODEL__FEATURES_addr, 3u);
    send(core_read(OHMCARLO__MODEL__POINTS_addr));
    send(core_read(OHMCARLO__MODEL__FEATURES_addr));
    // shorter writes change nothing
    *(volatile uint8_t *)(MEMORY_CONTROLLER + OHMCARLO__MODEL__POINTS_addr) = 7u;
    *(volatile uint16_t *)(MEMORY_CONTROLLER + OHMCARLO__MODEL__POINTS_addr) = 7u;
    send(core_read(OHMCARLO__MODEL__POINTS_addr));
    *(volatile uint8_t *)(MEMORY_BOARD + OHMCARLO_BOARD__UART__DIVISOR_addr) = 9u;
    send(board_read(OHMCARLO_BOARD__UART__DIVISOR_addr));
    send(board_read(OHMCARLO_BOARD__ID__MAGIC_addr));
    send(board_read(OHMCARLO_BOARD__ID__CLOCK_HZ_addr));
    send(board_read(OHMCARLO_BOARD__ID__RAM_BYTES_addr));
    send(board_read(OHMCARLO_BOARD__ID__SIMULATED_addr));
    send(board_read(OHMCARLO_BOARD__ID__DESIGN_HASH_addr));
    // unused addresses; the first one beyond the memory would mirror its end
    volatile uint32_t here = 0x5eed5eedu;
    hal_write((uint32_t)&here + MEMORY_RAM_BYTES, 0u);
    send(here);
    send(hal_read((uint32_t)&here + MEMORY_RAM_BYTES));
    send(hal_read((uint32_t)&here + (MEMORY_CONTROLLER >> 1)));
    send(core_read(OHMCARLO__ID__MAGIC_addr + (MEMORY_CONTROLLER >> 1)));
    send(core_read(OHMCARLO__ID__MAGIC_addr + 0x100000u));
    send(board_read(OHMCARLO_BOARD__ID__MAGIC_addr + 0x10000u));
    send(hal_read(MEMORY_BOARD + MEMORY_CONTROLLER));
}

static void checksum(void)
{
    board_write(OHMCARLO_BOARD__CRC__START_addr, 1u);
    for (uint32_t i = 0; i < 20u; i++)
        board_write(OHMCARLO_BOARD__CRC__BYTE_addr, receive() | 0x100u);
    send(board_read(OHMCARLO_BOARD__CRC__VALUE_addr));
}

static void timer(void)
{
    const uint32_t first = hal_clocks();
    const uint32_t upper = board_read(OHMCARLO_BOARD__TIMER__CLOCKS__HI_addr);
    send(upper);
    send(first);
    while (board_read(OHMCARLO_BOARD__UART__SENT_addr) != put)
        ;
    send(hal_clocks() - first);
}

// More bytes than a ring holds, while software does not read them
static void flood(void)
{
    const uint32_t begin = hal_clocks(), clocks = receive() * 4096u;
    while (hal_clocks() - begin < clocks)
        hal_kick();
    const uint32_t received = board_read(OHMCARLO_BOARD__UART__RECEIVED_addr);
    send(received - taken);
    send(board_read(OHMCARLO_BOARD__UART__LOST_addr));
    uint32_t sum = 0;
    while (taken != received) {
        hal_kick();
        sum = sum * 31u + board_read(RING_AT(RX, taken++));
    }
    board_write(OHMCARLO_BOARD__UART__TAKEN_addr, taken);
    send(sum);
}

static void command(uint32_t strobe)
{
    core_write(OHMCARLO__CONTROL__COMMAND_addr, strobe);
}

static void records(bool last)
{
    uint32_t at = board_read(OHMCARLO_BOARD__RECORDS__TAKEN_addr);
    for (;;) {
        hal_kick();
        const bool busy = (core_state() & CORE_STATE(BUSY)) != 0;
        for (; at != board_read(OHMCARLO_BOARD__RECORDS__RECEIVED_addr); at++) {
            hal_kick();
            send(board_read(RING_AT(RECORDS_RING, at)));
            board_write(OHMCARLO_BOARD__RECORDS__TAKEN_addr, at + 1u);
            while (put - board_read(OHMCARLO_BOARD__UART__SENT_addr) > 4000u)
                hal_kick();
        }
        if (!busy || !last)
            return;
    }
}

static void chain(uint32_t steps)
{
    for (uint32_t i = 0; i < sizeof SCRIPT / sizeof SCRIPT[0]; i++) {
        hal_kick();
        core_write(SCRIPT[i][0], SCRIPT[i][1]);
    }
    command(OHMCARLO__CONTROL__COMMAND__RESET_STATE_bm);
    command(OHMCARLO__CONTROL__COMMAND__EMULATOR_RESTART_bm);
    while ((core_state() & CORE_STATE(EMULATOR_IDLE)) == 0)
        hal_kick();
    command(OHMCARLO__CONTROL__COMMAND__START_bm);
    while ((core_state() & CORE_STATE(BUSY)) != 0)
        hal_kick();
    core_write(OHMCARLO__CONTROL__STEPS_addr, steps);
    command(OHMCARLO__CONTROL__COMMAND__RUN_bm);
}

// A chain, its last sample, and a mark
static void run(void)
{
    chain(receive());
    records(true);
    command(OHMCARLO__CONTROL__COMMAND__FLUSH_bm);
    records(true);
    while (board_read(OHMCARLO_BOARD__RECORDS__RECEIVED_addr) !=
           board_read(OHMCARLO_BOARD__RECORDS__TAKEN_addr))
        records(true);
    send(core_state() & CORE_STATE(REASON));
    send(0xffffffffu);
}

static void trap(void)
{
    core_write(OHMCARLO__MODEL__OPTIONS_addr, 0u);
    chain(1000000u);
    send(core_state() & CORE_STATE(BUSY));
    while (board_read(OHMCARLO_BOARD__UART__SENT_addr) != put)
        ;
    __asm__ volatile(".word 0");
}

// A program that loops while a chain runs
static void loop(void)
{
    core_write(OHMCARLO__MODEL__OPTIONS_addr, 0u);
    chain(1000000u);
    hal_kick();
    send(core_state() & CORE_STATE(BUSY));
    for (;;)
        ;
}

static void restarts(void)
{
    send(board_read(OHMCARLO_BOARD__WATCHDOG__RESTARTS_addr));
    const uint32_t state = core_state();
    send(state & CORE_STATE(BUSY));
    send((state & CORE_STATE(FAULT)) != 0);
    send((state & CORE_STATE(FAULT_CAUSE)) >> OHMCARLO__STATUS__STATE__FAULT_CAUSE_bp);
}

int main(void);

int main(void)
{
    // after a restart, the rings go on
    taken = board_read(OHMCARLO_BOARD__UART__TAKEN_addr);
    put = board_read(OHMCARLO_BOARD__UART__PUT_addr);
    for (;;) {
        switch (receive()) {
        case 'm': memory(); break;
        case 'r': registers(); break;
        case 'c': checksum(); break;
        case 't': timer(); break;
        case 'f': flood(); break;
        case 'g': run(); break;
        case 'l': loop(); break;
        case 'w': restarts(); break;
        case 'x': trap(); break;
        default: send(0xbad00badu); break;
        }
    }
}
