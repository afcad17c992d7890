#include "core/plugin/elf.h"

#include <elf.h>
#include <inttypes.h>
#include <link.h>
#include <string.h>

extern const ElfW(Ehdr) __ehdr_start
    __attribute__((visibility("hidden"))); /* the ELF header of this program, defined by the linker */

/* Returns whether `count` entries of `size` bytes from `offset` on end inside of `length` bytes. */
static bool is_inside(uint64_t offset, uint64_t count, uint64_t size, size_t length)
{
    uint64_t bytes;
    return !__builtin_mul_overflow(count, size, &bytes) && offset <= length && bytes <= length - offset;
}

static bool segments_are_inside(const unsigned char *bytes, size_t length, const ElfW(Ehdr) * header)
{
    for (uint64_t i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        memcpy(&segment, bytes + header->e_phoff + i * sizeof segment, sizeof segment);
        if (!is_inside(segment.p_offset, 1, segment.p_filesz, length))
            return false;
    }
    return true;
}

enum ps_status ps_elf_check(const unsigned char *bytes, size_t length, const char **cure, struct ps_err *err)
{
    ElfW(Ehdr) header;
    *cure = "build it with cc -shared -fPIC";
    if (length < sizeof header || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return ps_err_set(err, "is not a shared object: it has no ELF header");
    memcpy(&header, bytes, sizeof header);
    bool is_known = header.e_ident[EI_CLASS] == ELFCLASS32 || header.e_ident[EI_CLASS] == ELFCLASS64;
    if (is_known && header.e_ident[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS]) {
        *cure = "build it with the compiler of the machine that penstock runs on, without -m32";
        return ps_err_set(err, "is a %d-bit object, and this program is a %d-bit one",
                          header.e_ident[EI_CLASS] == ELFCLASS32 ? 32 : 64,
                          __ehdr_start.e_ident[EI_CLASS] == ELFCLASS32 ? 32 : 64);
    }
    if (!is_known || header.e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA] ||
        header.e_machine != __ehdr_start.e_machine) {
        *cure = "build it for the machine that penstock runs on";
        return ps_err_set(err, "is for another machine (ELF machine %d, and this program's is %d)",
                          header.e_machine, __ehdr_start.e_machine);
    }
    if (header.e_type != ET_DYN)
        return ps_err_set(err, "is an ELF file, but not a shared object (type %d)", header.e_type);
    *cure = "copy the whole file under another name, and rename it when it is complete";
    if (header.e_phentsize != sizeof(ElfW(Phdr)) ||
        !is_inside(header.e_phoff, header.e_phnum, header.e_phentsize, length) ||
        !is_inside(header.e_shoff, header.e_shnum, header.e_shentsize, length) ||
        !segments_are_inside(bytes, length, &header))
        return ps_err_set(err, "is cut short: it has %zu bytes, and its headers name more", length);
    return PS_OK;
}
