@ From reset to main on a 32-bit Arm core with VFPv4 and NEON, with RAM at 0x40000000 (qemu's machine "virt").
        .syntax unified
        .arm
        .section .text.start, "ax"
        .global _start
_start:
        mrc     p15, 0, r0, c1, c0, 2   @ floating point and vectors do not trap
        orr     r0, r0, #(0xf << 20)
        mcr     p15, 0, r0, c1, c0, 2
        isb
        mov     r0, #0x40000000
        vmsr    fpexc, r0
        ldr     sp, =stack_end

        mov     r2, #0
        ldr     r0, =bss_start
        ldr     r1, =bss_end
0:      str     r2, [r0], #4
        cmp     r0, r1
        blo     0b

        @ Memory is "strongly ordered" until the MMU says otherwise, and that takes no unaligned load. 1024 sections of 1 MiB,
        @ the RAM at its own address, normal and cached.
        ldr     r0, =translation_table
        add     r1, r0, #(0x400 * 4)
        ldr     r2, =(0x40000000 | 0x1c0e)      @ section, write-back, any access
1:      str     r2, [r1], #4
        adds    r2, r2, #0x100000
        bpl     1b
        mov     r2, #0
        mcr     p15, 0, r2, c2, c0, 2           @ TTBCR: one table
        mcr     p15, 0, r0, c2, c0, 0           @ TTBR0
        mov     r2, #1
        mcr     p15, 0, r2, c3, c0, 0           @ DACR: permissions of the table hold
        isb
        mrc     p15, 0, r0, c1, c0, 0
        ldr     r1, =(1 << 0 | 1 << 2 | 1 << 12) @ MMU, data cache, instruction cache
        orr     r0, r0, r1
        mcr     p15, 0, r0, c1, c0, 0
        isb

        bl      main
        bl      leave

        .section .bss.start, "aw", %nobits
        .balign 16384
translation_table:
        .skip   16384
