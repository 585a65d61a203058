// Fuzzer of the wire: pieces of the input reach the board unchanged, as a frame with any header and
// a correct checksum, or as such a frame with an error.
#include "host.h"

#define PIECES 64
#define POLL_CLOCKS 2500u

enum piece { RAW, FRAME, IN_SESSION, BROKEN };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_piece(struct input *input, enum piece piece)
{
    uint8_t bytes[LINK_MAX_PAYLOAD];
    uint8_t wire[LINK_MAX_WIRE + 8];
    struct header header = {LINK_PROTOCOL_VERSION, KIND_DATA, 1, 0, 0};
    if (piece == FRAME || piece == BROKEN) {
        header.version = (uint8_t)(LINK_PROTOCOL_VERSION ^ take8(input) >> 6);
        header.session = take8(input) & 3;
    }
    if (piece != RAW) {
        header.kind = take8(input) & 7;
        header.sequence = take8(input) & 15;
        header.acknowledgement = take8(input) & 15;
    }
    const size_t limit = take16(input) % sizeof bytes;
    const size_t length = take_bytes(input, bytes, limit);
    if (piece == RAW) {
        native_receive(bytes, (uint32_t)length);
        return;
    }
    const size_t count = make_frame(&header, bytes, length, wire);
    if (piece == BROKEN)
        wire[take16(input) % count] ^= take8(input);
    native_receive(wire, (uint32_t)count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct host host = {.session = 1, .deaf = true};
    native_reset();
    if ((take8(&input) & 1) != 0) {
        host_open(&host, 1);
        host.deaf = true;
    }
    for (int i = 0; i < PIECES && input.left != 0; i++) {
        const uint8_t choice = take8(&input);
        send_piece(&input, (enum piece)(choice & 3));
        if ((choice & 4) != 0)
            host_poll(&host, POLL_CLOCKS);
    }
    host_settle(&host);
    return 0;
}
