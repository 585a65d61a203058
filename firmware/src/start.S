# Entry after reset, at address 0: a stack, zeroed variables, main. There are no interrupts.
    .section .start, "ax"
    .globl _start
_start:
    la sp, _stack_top
    la t0, _bss_start
    la t1, _bss_end
clear:
    bgeu t0, t1, cleared
    sw zero, 0(t0)
    addi t0, t0, 4
    j clear
cleared:
    call main
halt:
    j halt
