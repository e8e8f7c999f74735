// SPDX-License-Identifier: Apache-2.0
/* Encoding: LSB 5.0 Core, "Exception Frames"; DWARF 5, section 6.4.1. */
#include "elf/cfi_parse.h"
#include <dwarf.h>
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "elf/sort.h"

#define FORMAT_MASK	 0x0f
#define APPLICATION_MASK 0x70
#define LENGTH_64	 0xffffffffU

static uint64_t read_format(struct reader *r, uint8_t format)
{
	switch (format) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_signed:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return reader_u64(r);
	case DW_EH_PE_uleb128:
		return reader_uleb128(r);
	case DW_EH_PE_sleb128:
		return (uint64_t)reader_sleb128(r);
	case DW_EH_PE_udata2:
		return reader_u16(r);
	case DW_EH_PE_sdata2:
		return (uint64_t)(int16_t)reader_u16(r);
	case DW_EH_PE_udata4:
		return reader_u32(r);
	case DW_EH_PE_sdata4:
		return (uint64_t)(int32_t)reader_u32(r);
	}
	reader_fail(r);
	return 0;
}

uint64_t cfi_read_address(struct reader *r, uint8_t encoding, const struct cfi_section *section)
{
	uint64_t here = section->vaddr + (uint64_t)(r->p - section->data);

	switch (encoding & (APPLICATION_MASK | DW_EH_PE_indirect)) {
	case DW_EH_PE_absptr:
		return read_format(r, encoding & FORMAT_MASK);
	case DW_EH_PE_pcrel:
		return here + read_format(r, encoding & FORMAT_MASK);
	case DW_EH_PE_aligned:
		reader_skip(r, -here & 7);
		return reader_u64(r);
	}
	reader_fail(r);
	return 0;
}

/* The pointer to the personality routine: only its length matters here. */
static void skip_personality(struct reader *r, const struct cfi_section *section)
{
	uint8_t encoding = reader_u8(r);

	if (encoding == DW_EH_PE_omit)
		return;
	if ((encoding & APPLICATION_MASK) == DW_EH_PE_aligned)
		cfi_read_address(r, DW_EH_PE_aligned, section);
	else
		read_format(r, encoding & FORMAT_MASK);
}

static void cie_parse_augmentation(struct cfi_cie *cie, const char *letters, struct reader *r,
				   const struct cfi_section *section)
{
	struct reader data;

	if (!*letters)
		return;
	if (*letters != 'z') {
		reader_fail(r);
		return;
	}
	cie->augmented = true;
	data = reader_sub(r, reader_uleb128(r));
	while (*++letters) {
		switch (*letters) {
		case 'R':
			cie->encoding = reader_u8(&data);
			break;
		case 'P':
			skip_personality(&data, section);
			break;
		case 'L':
			reader_skip(&data, 1);
			break;
		case 'S':
			cie->signal = true;
			break;
		default: /* what follows it cannot be understood */
			reader_fail(r);
			return;
		}
	}
	if (data.bad)
		reader_fail(r);
}

/* `r` starts behind the CIE's id. */
static struct cfi_cie cie_parse(struct reader r, const struct cfi_section *section)
{
	struct cfi_cie cie = { .encoding = DW_EH_PE_absptr };
	uint8_t version = reader_u8(&r);
	const char *letters = reader_cstr(&r);

	if (version == 4 && (reader_u8(&r) != sizeof(uint64_t) || reader_u8(&r) != 0))
		return cie;
	cie.code_factor = reader_uleb128(&r);
	cie.data_factor = reader_sleb128(&r);
	cie.ra_column = version == 1 ? reader_u8(&r) : reader_uleb128(&r);
	if (r.bad || (version != 1 && version != 3 && version != 4))
		return cie;
	cie_parse_augmentation(&cie, letters, &r, section);
	cie.program = r;
	cie.valid = !r.bad;
	return cie;
}

/*
 * The record at `r`: its content behind the length field goes to `ret`. False at the end of the
 * section, whether in order or not (then r->bad).
 */
static bool record_next(struct reader *r, bool measured, struct reader *ret)
{
	uint64_t length;

	while (reader_left(r) >= 4) {
		length = reader_u32(r);
		if (!length && measured)
			continue;
		if (!length)
			return false;
		if (length == LENGTH_64)
			length = reader_u64(r);
		*ret = reader_sub(r, length);
		return !r->bad;
	}
	return false;
}

/* Finds, or parses, the CIE at `offset` (any number). Returns 0 and its index, or -ENOMEM. */
static int records_cie(struct cfi_records *records, uint64_t offset, uint32_t *ret)
{
	const struct cfi_section *section = &records->section;
	uint64_t *known = hashmap_get(&records->cie_at, offset);
	struct cfi_cie cie = { 0 };
	struct reader r, content;
	int err;

	if (known) {
		*ret = *known;
		return 0;
	}
	if (offset < section->size) {
		r = reader_make(section->data + offset, section->size - offset);
		if (record_next(&r, false, &content) && !reader_u32(&content) && !content.bad)
			cie = cie_parse(content, section);
	}
	*ret = records->cies.n;
	err = vec_push(&records->cies, cie);
	return err ? err : hashmap_put(&records->cie_at, offset, *ret);
}

/* `r` starts behind the pointer to the CIE. Returns whether the FDE makes sense; an empty one (the
 * linker has discarded its function) has start == end. */
static bool fde_parse(struct reader r, const struct cfi_section *section, const struct cfi_cie *cie,
		      struct cfi_fde *fde)
{
	uint64_t size;

	if (!cie->valid)
		return false;
	fde->start = cfi_read_address(&r, cie->encoding, section);
	size = read_format(&r, cie->encoding & FORMAT_MASK);
	if (cie->augmented)
		reader_skip(&r, reader_uleb128(&r));
	if (r.bad || reader_left(&r) > UINT32_MAX ||
	    __builtin_add_overflow(fde->start, size, &fde->end))
		return false;
	fde->program = r.p;
	fde->program_size = reader_left(&r);
	return true;
}

static int records_add_fde(struct cfi_records *records, const struct elf_image *img,
			   struct reader content)
{
	const struct cfi_section *section = &records->section;
	uint64_t offset = content.p - section->data, back = reader_u32(&content);
	struct cfi_fde fde;
	int r;

	if (!content.bad && !back)
		return 0; /* a CIE: read when an FDE points to it */
	if (content.bad) {
		records->bad_fdes++;
		return 0;
	}
	r = records_cie(records, offset - back, &fde.cie);
	if (r)
		return r;
	if (!fde_parse(content, section, &records->cies.items[fde.cie], &fde)) {
		records->bad_fdes++;
		return 0;
	}
	if (!fde.start || fde.start == fde.end)
		return 0;
	if (!elf_image_is_code(img, fde.start, fde.end - fde.start)) {
		records->bad_fdes++;
		return 0;
	}
	return vec_push(&records->fdes, fde);
}

/* .eh_frame_hdr: version, three encodings, then the encoded address of .eh_frame. */
static struct cfi_section section_through_header(const struct elf_image *img)
{
	const uint8_t *data = elf_image_at(img, img->eh_frame_hdr_vaddr, img->eh_frame_hdr_size);
	struct cfi_section header = {
		.data = data,
		.size = data ? img->eh_frame_hdr_size : 0,
		.vaddr = img->eh_frame_hdr_vaddr,
	};
	struct reader r = reader_make(header.data, header.size);
	struct cfi_section ret = { 0 };
	uint8_t version = reader_u8(&r), encoding = reader_u8(&r);

	reader_skip(&r, 2);
	ret.vaddr = cfi_read_address(&r, encoding, &header);
	if (r.bad || version != 1)
		return (struct cfi_section){ 0 };
	ret.size = elf_image_left(img, ret.vaddr);
	ret.data = elf_image_at(img, ret.vaddr, ret.size);
	return ret;
}

static struct cfi_section section_find(const struct elf_image *img)
{
	const struct elf_section *s = elf_image_section(img, ".eh_frame");
	struct cfi_section ret;

	if (!s)
		return section_through_header(img);
	ret = (struct cfi_section){
		.data = elf_image_section_data(img, s),
		.size = s->size,
		.vaddr = s->addr,
		.measured = true,
	};
	return ret.data ? ret : (struct cfi_section){ 0 };
}

int cfi_records_read(const struct elf_image *img, struct cfi_records *ret)
{
	_cleanup_(cfi_records_deinit) struct cfi_records records = { .section = section_find(img) };
	const struct cfi_section *section = &records.section;
	struct reader r = reader_make(section->data, section->data ? section->size : 0), content;
	int err = 0;

	while (!err && !records.cut && record_next(&r, section->measured, &content)) {
		err = records_add_fde(&records, img, content);
		records.cut = records.fdes.n == CFI_FDES_MAX;
	}
	if (!err)
		err = sort_by_address(records.fdes.items, records.fdes.n, sizeof(struct cfi_fde));
	if (err)
		return err;
	records.bad_fdes += r.bad;
	*ret = records;
	records = (struct cfi_records){ 0 };
	return 0;
}

void cfi_records_deinit(struct cfi_records *records)
{
	vec_free(&records->fdes);
	vec_free(&records->cies);
	hashmap_deinit(&records->cie_at);
	*records = (struct cfi_records){ 0 };
}
