// Runs a fuzzer's function over files, without a fuzzer: `program FILE...`
#include <stdio.h>
#include <stdlib.h>

#include "host.h"

#define LARGEST 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t load(const char *path, uint8_t *to)
{
    FILE *const file = fopen(path, "rb");
    if (file == 0) {
        perror(path);
        exit(2);
    }
    const size_t size = fread(to, 1, LARGEST, file);
    fclose(file);
    return size;
}

int main(int count, char **paths)
{
    static uint8_t data[LARGEST];
    for (int i = 1; i < count; i++)
        (void)LLVMFuzzerTestOneInput(data, load(paths[i], data));
    printf("%d inputs\n", count - 1);
    return 0;
}
