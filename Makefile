# Thin names for what CMake, Swift and pytest do. Everything is made in build/; what a fresh machine lacks is fetched.
#
#   make            libflowrt.so, libflowrt.a and the tool bin/flowrt in build/
#   make demo       build, then evaluate the example models from C
#   make test       C tests, Swift tests, Python tests
#   make cross      build for aarch64, armv7hf and riscv64, and run the C tests there under qemu-user
#   make install    into PREFIX (/usr/local), below DESTDIR if that is set
#   make uninstall  what make install put there
#   make packages   what a release hands out, for all CPUs, in build/packages: tarballs, Debian packages, wheels
#   make pictures   the pictures of docs/pictures anew, from their scripts, the measured times and the demo
#   make site       the pages and both references as a web site in build/site; fails at a link that leads nowhere
#   make bench      measure beside other runtimes, which it installs in build/bench; BENCH=--quick for a short run
#   make clean

MAKEFLAGS += --no-print-directory
BUILD ?= build
CMAKE_OPTIONS ?=
PREFIX ?= /usr/local
CROSS := aarch64-linux armv7hf-linux riscv64-linux
export PATH := $(abspath $(BUILD))/venv/bin:$(PATH)
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc)
export CTEST_PARALLEL_LEVEL ?= $(CMAKE_BUILD_PARALLEL_LEVEL)
PACKAGED := flowrt flowrt_static flowrt_cli
TEST_PACKAGES := numpy pytest pytest-xdist hypothesis import-linter joblib markdown-it-py mypy
# The swift that belongs to the swiftc that CMake found.
SWIFT = $$(sed -n 's/^FLOWRT_SWIFTC:[A-Z]*=\(.*\)swiftc$$/\1swift/p' $(BUILD)/CMakeCache.txt)

.PHONY: all configure demo test cross install uninstall packages pictures site bench clean
all: configure
	cmake --build $(BUILD)

configure:
	@cmake/setup.sh tools $(BUILD)
	cmake -S . -B $(BUILD) -DCMAKE_BUILD_TYPE=Release $(CMAKE_OPTIONS)

demo: configure
	cmake --build $(BUILD) --target flowrt-examples
	examples-c/demo.sh $(BUILD)

test: all
	@cmake/setup.sh test-tools $(BUILD)
	@cmake/setup.sh python $(BUILD) $(TEST_PACKAGES)
	cd $(BUILD) && ctest --output-on-failure
	$(SWIFT) test -c release --scratch-path $(BUILD)/swiftpm
	python -m pytest -q Tests/mutations
	cd python && FLOWRT_LIBRARY=$(abspath $(BUILD))/libflowrt.so python -m pytest -q -n auto tests --ignore=tests/frameworks \
	  --ignore=tests/extras

cross:
	@cmake/setup.sh tools $(BUILD)
	@cmake/setup.sh cross-tools $(BUILD)
	for target in $(CROSS); do \
	  cmake --preset $$target $(CMAKE_OPTIONS) && cmake --build --preset $$target && ctest --preset $$target || exit 1; \
	done

install: all
	cmake --install $(BUILD) --prefix $(PREFIX)

uninstall:
	cmake -DMANIFEST=$(BUILD)/install_manifest.txt -P cmake/uninstall.cmake

# The libraries of `make cross`, without its tests.
packages: configure
	@cmake/setup.sh cross-tools $(BUILD)
	@cmake/setup.sh python $(BUILD)/packages-venv build wheel setuptools
	cmake --build $(BUILD) --target $(PACKAGED)
	for target in $(CROSS); do \
	  cmake --preset $$target $(CMAKE_OPTIONS) && cmake --build --preset $$target --target $(PACKAGED) || exit 1; \
	done
	packaging/build.sh $(BUILD)

pictures: demo
	@cmake/setup.sh python $(BUILD)/pictures matplotlib
	for picture in sweep speed rows digits images; do $(BUILD)/pictures/venv/bin/python docs/pictures/$$picture.py || exit 1; done

site:
	@cmake/setup.sh python $(BUILD)/site-tools -r docs/site/requirements.txt
	NO_MKDOCS_2_WARNING=1 $(BUILD)/site-tools/venv/bin/mkdocs build -f docs/site/mkdocs.yml -d $(abspath $(BUILD))/site
	$(BUILD)/site-tools/venv/bin/python docs/site/check.py $(BUILD)/site

bench: all
	benchmarks/run.sh $(BUILD) $(BENCH)

clean:
	rm -rf $(BUILD)
