// The firmware over a model of the hardware, as a library (tests/helpers/native_board.py).
#ifndef NATIVE_H
#define NATIVE_H

#include <stdint.h>

// Power-up: hardware and firmware in their initial state
void native_reset(void);
// Restarts the processor; the hardware keeps its state
void native_restart(void);

// From now on the processor runs this image of the board's memory instead, until the next reset
void native_image(const uint8_t *image, uint32_t bytes);
uint64_t native_instructions(void);
uint32_t native_stack(void); // largest depth of the stack in bytes

// Bytes from the wire; bytes that arrive while the ring is full are lost, as on the board
void native_receive(const uint8_t *bytes, uint32_t count);
// Bytes to the wire, at most `limit`; returns their number
uint32_t native_send(uint8_t *bytes, uint32_t limit);
// Runs the firmware for this number of clocks, or until it is idle
void native_poll(uint32_t clocks);

// Operations that reached a device, by their code (FORM 1, RESET 2, SET 3, READ 4); RESET counts at
// device 0
uint32_t native_pulses(uint32_t operation, uint32_t row, uint32_t device);
// Errors that must never occur: an operation outside the array or while the controller is busy or
// stopped, a command that cannot be executed, a write to an address or to bits that do not exist
uint32_t native_unsafe(void);
const char *native_unsafe_reason(void); // reason of the first error
uint32_t native_lost(void);             // bytes that were lost because the ring was full
uint32_t native_idle(void);
uint64_t native_clocks(void);
uint64_t native_accesses(void); // reads and writes of the hardware
// A register or a word of a window, by its byte address in the controller's map; without side
// effects
uint32_t native_peek(uint32_t address);

// Events that tests cause
void native_fault(uint32_t cause); // the sequencer stops
void native_alarm(void);           // the coin fails its test
void native_hang(
    uint32_t hang); // the hang-th operation from now and all later ones get no answer; 0: none
void native_break(uint32_t operation); // that operation from now on stops the sequencer; 0: none
void native_delay(uint32_t clocks);    // of a record word between controller and ring
void native_advance(uint64_t clocks,
                    uint32_t counts); // the clock; the watchdog counts them (1: yes)
// Sum and sum of squares that a prediction finds for each point, from now on
void native_sums(const uint64_t *chosen, uint32_t points);
void native_slow(uint32_t clocks);   // more clocks of a single operation and of a step
void native_vary(uint32_t varying);  // SETs of an entropy device end in different codes (1: yes)
void native_freeze(uint32_t frozen); // the array of a chain does not answer (1: yes)
void native_mismatch(uint32_t controller, uint32_t board); // wrong map hashes (1: yes)
void native_mutant(uint32_t number); // a planted bug (src/mutant.h), until the next call; 0: none

#endif // NATIVE_H
