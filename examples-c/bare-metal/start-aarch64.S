// From reset to main on a 64-bit Arm core at EL1, with RAM at 0x40000000 (qemu's machine "virt").
        .section .text.start, "ax"
        .global _start
_start:
        mov     x0, #(3 << 20)          // floating point and vectors do not trap
        msr     cpacr_el1, x0
        isb
        ldr     x0, =stack_end
        mov     sp, x0

        ldr     x0, =bss_start
        ldr     x1, =bss_end
0:      str     xzr, [x0], #8
        cmp     x0, x1
        b.lo    0b

        // Memory is "device" until the MMU says otherwise, and a device takes no unaligned vector load. One block of 1 GiB,
        // the RAM at its own address, normal and cached.
        ldr     x0, =translation_table
        ldr     x1, =(0x40000000 | 0x701)       // block, accessed, inner shareable, attribute 0
        str     x1, [x0, #8]
        mov     x1, #0xff                       // attribute 0: normal, write-back
        msr     mair_el1, x1
        ldr     x1, =(25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23) // 39-bit addresses, 4 KiB pages, one table
        msr     tcr_el1, x1
        msr     ttbr0_el1, x0
        isb
        mrs     x0, sctlr_el1
        mov     x1, #(1 << 0 | 1 << 2 | 1 << 12) // MMU, data cache, instruction cache
        orr     x0, x0, x1
        msr     sctlr_el1, x0
        isb

        bl      main
        bl      leave

        .section .bss.start, "aw", %nobits
        .balign 4096
translation_table:
        .skip   4096
