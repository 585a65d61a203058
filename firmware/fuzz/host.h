// A small host for the fuzzers: makes frames, decodes those of the board, and aborts when the board
// breaks a rule of the link.
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "native.h"
#include "spec_link.h"

// One input, consumed from the front, followed by zeros
struct input {
    const uint8_t *data;
    size_t left;
};

uint8_t take8(struct input *input);
uint16_t take16(struct input *input);
uint32_t take32(struct input *input);
size_t take_bytes(struct input *input, uint8_t *to, size_t limit); // returns the number of bytes

struct header {
    uint8_t version;
    uint8_t kind;
    uint16_t session;
    uint16_t sequence;
    uint16_t acknowledgement;
};

// Zero, COBS(header, payload, CRC), zero; returns its length. `wire` has room for LINK_MAX_WIRE + 8
size_t make_frame(const struct header *header, const uint8_t *payload, size_t length,
                  uint8_t *wire);

// The state of the session in the host
struct host {
    uint16_t session;
    bool open;
    uint16_t sequence;     // of its next message
    uint16_t expected;     // next message of the board
    uint16_t acknowledged; // the last acknowledgement that was sent
    bool deaf;             // the frames of the board are dropped
    bool running;          // a command that takes time was accepted and has not finished
    bool numbered;         // words of the record stream were received, up to `number`
    uint32_t number;
    bool triage;         // the command that runs is TRIAGE, …
    uint32_t next_point; // … whose doubtful points were received below this one
    uint64_t triage_requests;
    uint64_t long_requests; // bit n: request n is such a command
};

void host_open(struct host *host, uint16_t session);
void host_message(struct host *host, const uint8_t *message, size_t length);
void host_acknowledge(struct host *host);
// Runs the board, and decodes its frames
void host_poll(struct host *host, uint32_t clocks);
// Ends all activity; the board must become idle
void host_settle(struct host *host);

void check(bool holds, const char *rule);
void check_safe(void);

#endif // HOST_H
