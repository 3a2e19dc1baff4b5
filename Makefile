# SPDX-License-Identifier: Apache-2.0
# The short way to everything; meson does the work.  Each job first sees to its packages (tools/packages).
#   NO_INSTALL=1   only say which are missing      ONCE=1   make run stops by itself
.DEFAULT_GOAL := build
.PHONY: build run test test-s3 quick soak plant bench clean help
.NOTPARALLEL:

help:
	@echo "make         builds; the programs are then build/catena and build/catenad"
	@echo "make run     shows what Catena does, on real files, below ./run/"
	@echo "make test    all tests (TESTING.md says which, and for how long)"
	@echo "make test-s3 vaults in buckets of a real S3, Ceph's, on loopback"
	@echo "make quick   layers and unit tests only, one build"
	@echo "make soak    the long tests: hours, not minutes"
	@echo "make plant   plants bugs and counts those the tests catch"
	@echo "make bench   measures us beside others"
	@echo "make clean   removes the builds and ./run/"
	@echo "NO_INSTALL=1 only says which packages are missing; ONCE=1 lets make run stop by itself"

build:
	@tools/packages build
	@test -f build/build.ninja || meson setup build
	@ninja -C build
	@ln -sf src/catena build/catena
	@ln -sf src/catenad build/catenad

run:
	@tools/packages build run
	@tools/run --needs
	@$(MAKE) --no-print-directory build
	@exec tools/run --begin

test:
	@tools/packages build test
	@test/run $(ARGS)

test-s3:
	@tools/packages build test-s3
	@test/run --suite s3 $(ARGS)

quick:
	@tools/packages build
	@test/run --quick $(ARGS)

soak:
	@tools/packages build test
	@test/run --soak $(ARGS)

plant:
	@tools/packages build test
	@tools/plant $(ARGS)

bench:
	@tools/packages build bench
	@$(MAKE) --no-print-directory build
	@if test -x bench/run; then exec bench/run $(ARGS); \
	else echo "make bench: bench/run is not in this tree yet" >&2; exit 1; fi

clean:
	rm -rf build build-asan build-asan-gcc build-tsan run
