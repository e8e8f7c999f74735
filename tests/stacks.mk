# SPDX-License-Identifier: Apache-2.0
# What the tests of stacks need: functions of every shape, by several compilers, and BPF programs.
SHAPES     := $(BUILD)/tests/shapes
SHAPES_SRC := tests/workloads/shapes
SHAPES_FLAGS := -std=gnu11 -D_GNU_SOURCE -g -Wall -Wextra -Wno-unused-parameter -I$(SHAPES_SRC)

# NAME: the compiler and its flags; first and second are part of the program, others are loaded
SHAPES_first   := $(CC) -O2 -fomit-frame-pointer
SHAPES_second  := $(CLANG) -O2
SHAPES_gcc_o3  := $(CC) -O3 -mavx2
SHAPES_gcc_os  := $(CC) -Os -fno-plt
SHAPES_gcc_fp  := $(CC) -O2 -fno-omit-frame-pointer -fcf-protection=full
SHAPES_clang_o3 := $(CLANG) -O3 -mavx2
SHAPES_clang_o1 := $(CLANG) -O1 -fno-omit-frame-pointer
SHAPES_late    := $(CC) -O2 -fomit-frame-pointer
SHAPES_LOADED  := $(patsubst %,$(SHAPES)/%.so,gcc_o3 gcc_os gcc_fp clang_o3 clang_o1 late)
SHAPES_ALL     := $(SHAPES)/shapes $(SHAPES_LOADED)

.PRECIOUS: $(SHAPES)/%.c
$(SHAPES)/%.c: $(SHAPES_SRC)/generate
	@mkdir -p $(@D)
	$< $* >$@

$(SHAPES)/%.o: $(SHAPES)/%.c $(SHAPES_SRC)/shapes.h
	$(SHAPES_$*) $(SHAPES_FLAGS) -c -o $@ $<

$(SHAPES)/shapes: $(SHAPES_SRC)/main.c $(SHAPES_SRC)/driver.c $(SHAPES)/first.o $(SHAPES)/second.o
	$(CC) -O2 $(SHAPES_FLAGS) -rdynamic -o $@ $^ -pthread -ldl -lm

$(SHAPES_LOADED): $(SHAPES)/%.so: $(SHAPES)/%.c $(SHAPES_SRC)/shapes.h
	$(SHAPES_$*) $(SHAPES_FLAGS) -fPIC -shared -Wl,-z,lazy -o $@ $< -lm

# Plugins that leak blocks of sizes of their own; two of the same size are copies.
PLUGINS      := $(BUILD)/tests/plugins
PLUGIN_SIZES := a:101 b:211 c:307 d:401
PLUGINS_ALL  := $(foreach p,$(PLUGIN_SIZES),$(PLUGINS)/$(word 1,$(subst :, ,$p)).so) $(PLUGINS)/innocent.so

$(PLUGINS)/innocent.so: PLUGIN_FLAGS := -DNAME=innocent -DSIZE=101 -DINNOCENT
$(foreach p,$(PLUGIN_SIZES),$(eval $(PLUGINS)/$(word 1,$(subst :, ,$p)).so: \
	PLUGIN_FLAGS := -DNAME=$(word 1,$(subst :, ,$p)) -DSIZE=$(word 2,$(subst :, ,$p))))

$(PLUGINS)/%.so: tests/workloads/plugin/plugin.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -g -O2 -fomit-frame-pointer -Wall -Wextra $(PLUGIN_FLAGS) -fPIC -shared -o $@ $<

# -- comparing ---------------------------------------------------------------------------------------
STACKCHECK     := $(BUILD)/tests/stackcheck
STACKCHECK_BPF := $(patsubst tests/%.c,$(BUILD)/tests/%.o,$(wildcard tests/stackcheck/*.bpf.c))
STACKCHECK_BIN := $(patsubst %.c,$(BUILD)/%,$(filter-out %.bpf.c,$(wildcard tests/stackcheck/*.c)))

$(STACKCHECK)/%.bpf.o: tests/stackcheck/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_FLAGS) -Ibpf -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@ $<

$(STACKCHECK)/%: tests/stackcheck/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(TEST_CPPFLAGS) $(CFLAGS_ALL) $(LDFLAGS) -MMD -MP -o $@ $< $(LIB) $(LIBS)

# per block figures: see the program
$(STACKCHECK)/shapes_check: LDFLAGS += -Wl,--wrap=books_snapshot_holding

test-programs: $(SHAPES_ALL) $(PLUGINS_ALL) $(STACKCHECK_BPF) $(STACKCHECK_BIN)
