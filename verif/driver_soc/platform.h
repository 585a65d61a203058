// The test system of verif/driver_soc: addresses, console, sleep.
#ifndef PLATFORM_H
#define PLATFORM_H

#include <stdint.h>

#define CORE_BASE 0x40000000u
#define CONSOLE_CHARACTER (*(volatile uint32_t *)0x80000000u)
#define CONSOLE_WORD (*(volatile uint32_t *)0x80000004u)
#define CONSOLE_EXIT (*(volatile uint32_t *)0x80000008u)

int program(void);
void put_character(char character);

// Sleep until the line of the interrupt is high (PicoRV32's instruction waitirq); no handler is
// called, because all interrupts are masked
static inline void sleep_until_interrupt(void)
{
    __asm__ volatile(".insn r 0x0b, 0x4, 0x04, x0, x0, x0" ::: "memory");
}

#endif // PLATFORM_H
