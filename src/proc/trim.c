/* SPDX-License-Identifier: MIT */
/*
 * Only segments that are never written are unmapped: code and constants, which the file still has.
 * Libraries of ours bring two dozen others, each of which reads much of itself once, at the start.
 */
#include "proc/trim.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

static int
unmap_constant(struct dl_phdr_info *info, size_t size cs_unused, void *arg)
{
	uintptr_t page = *(const uintptr_t *)arg;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + p->p_vaddr, end = start + p->p_memsz;

		if (p->p_type != PT_LOAD || (p->p_flags & PF_W) != 0)
			continue;
		start &= ~(page - 1);
		/* Advice: where it is not taken nothing is lost. */
		(void)madvise((void *)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void
trim_memory(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	malloc_trim(0);
	dl_iterate_phdr(unmap_constant, &page);
}
