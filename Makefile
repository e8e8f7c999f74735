# SPDX-License-Identifier: Apache-2.0
# Objects go to $(BUILD); nothing is written into the source tree.
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
CXX     ?= g++
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
CFLAGS  ?= -O2 -g
SAN     ?=

VERSION  := 0.1.0
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 \
	    -Wcast-qual -Wimplicit-fallthrough -Wno-unused-parameter
CPPFLAGS_ALL := -D_GNU_SOURCE -DLEAKTRACE_VERSION='"$(VERSION)"' -Iuser -Iinclude -I$(BUILD) $(CPPFLAGS)
CFLAGS_ALL   := -std=gnu11 -fno-omit-frame-pointer $(WARNINGS) $(if $(WERROR),-Werror) $(CFLAGS) $(SAN)
LIBS := -lbpf -ldw -lelf -lZydis -liberty -ljson-c -llzma -lz -lpthread -lm

USER_SRC := $(sort $(shell find user -name '*.c'))
LIB_OBJ  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out user/app/main.c,$(USER_SRC)))
LIB      := $(BUILD)/libleaktrace.a
SKEL     := $(BUILD)/leaktrace.skel.h
BPF_SRC  := $(sort $(wildcard bpf/*.bpf.c))
BPF_OBJ  := $(patsubst bpf/%.c,$(BUILD)/bpf/%.o,$(BPF_SRC))
BPF_FLAGS := -target bpf -mcpu=v3 -O2 -g -D__TARGET_ARCH_x86 -Iinclude -I$(BUILD) -Wall -Wextra \
	     -Wno-unused-parameter -Wno-unknown-attributes -Wno-missing-declarations \
	     -I/usr/include/$(shell $(CC) -print-multiarch)

.DELETE_ON_ERROR:
.PHONY: all man install clean demo test bench fuzz soak check-layers
all: $(BUILD)/leaktrace

$(BUILD)/leaktrace: $(BUILD)/user/app/main.o $(LIB)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/user/%.o: user/%.c | $(SKEL)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# -- BPF ---------------------------------------------------------------------------------------
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_FLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@ $<

$(BUILD)/leaktrace.bpf.o: $(BPF_OBJ)
	$(BPFTOOL) gen object $@ $^

$(SKEL): $(BUILD)/leaktrace.bpf.o
	$(BPFTOOL) gen skeleton $< name leaktrace_bpf > $@.tmp && mv $@.tmp $@

# -- installing ----------------------------------------------------------------------------------
man: $(BUILD)/leaktrace.8 $(BUILD)/leaktrace.bash-completion

$(BUILD)/leaktrace.8: $(BUILD)/leaktrace
	$< --help-man > $@.tmp && mv $@.tmp $@

$(BUILD)/leaktrace.bash-completion: $(BUILD)/leaktrace
	$< --help-completion > $@.tmp && mv $@.tmp $@

install: all man
	install -D -m 755 $(BUILD)/leaktrace $(DESTDIR)$(PREFIX)/bin/leaktrace
	install -D -m 644 $(BUILD)/leaktrace.8 $(DESTDIR)$(PREFIX)/share/man/man8/leaktrace.8
	install -D -m 644 $(BUILD)/leaktrace.bash-completion \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/leaktrace

include tests/Makefile.inc
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

clean:
	rm -rf $(BUILD)
