# Everything a newcomer or CI types. Each target sets up what it needs and is quick when all is there.
# Map: settings | set-up (system packages, virtual environment) | build | demo | tests | checks | clean
PYTHON ?= python3
VENV ?= .venv
BUILD ?= build
JOBS ?= $(shell nproc)
DEMO_OUTPUT ?= demo-output
DEMO_FLAGS ?=
FASHION_MNIST ?= /usr/share/datasets/fashion-mnist
# Recorded PyTorch results and benchmarks; used where the folder lies beside the checkout.
SHARED ?= ../shared

py := $(VENV)/bin/python
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:
	@echo "make demo         train a small CNN on Fashion-MNIST, evaluate it from C++, draw pictures"
	@echo "make test         run all tests, C++ and Python"
	@echo "make build        build for development: libraries beside the Python sources"
	@echo "make conformance  replay recorded PyTorch results ($(SHARED)/conformance)"
	@echo "make bench        time against PyTorch ($(SHARED)/bench)"
	@echo "make lint         ruff and mypy; make sanitize: C++ tests under address, undefined and thread"
	@echo "make clean        remove what was built; make distclean: the virtual environment too"

# ---- set-up ------------------------------------------------------------------------------------
# A stamp per step stands in the virtual environment: delete the folder and everything is set up anew.
extra = $(py) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(1)"])'
pip_install = $(py) -m pip install --quiet --disable-pip-version-check

$(VENV)/.build: tools/system_packages.sh
	@tools/system_packages.sh $(PYTHON) build
	@test -x $(py) || $(PYTHON) -m venv $(VENV)
	$(pip_install) 'cmake>=3.25' ninja 'numpy>=1.24'
	@echo "$(CURDIR)/python" > "$$($(py) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/bolide-dev.pth"
	@touch $@

$(VENV)/.test: tools/system_packages.sh pyproject.toml $(VENV)/.build
	@tools/system_packages.sh $(PYTHON) test
	$(pip_install) $$($(call extra,test))
	@touch $@

$(VENV)/.demo: tools/system_packages.sh pyproject.toml $(VENV)/.build
	@tools/system_packages.sh $(PYTHON) demo
	$(pip_install) $$($(call extra,demo))
	@touch $@

$(VENV)/.lint: pyproject.toml $(VENV)/.build
	$(pip_install) $$($(call extra,lint))
	@touch $@

# ---- build -------------------------------------------------------------------------------------
# The C++ tests are built where doctest is installed; asked each time, for it may come later.
configure = cmake -S . -B $(1) -G Ninja --log-level=WARNING \
  -DBOLIDE_TESTS=$$(test -e /usr/include/doctest/doctest.h && echo ON || echo OFF) $(2)

.PHONY: build
build: $(VENV)/.build
	@$(call configure,$(BUILD),-DPython_EXECUTABLE=$(CURDIR)/$(py))
	@cmake --build $(BUILD) -j $(JOBS)

# What `cmake --install` gives a C++ user; the examples are built against it as a user's project would be.
.PHONY: install-tree
install-tree: build
	@cmake --install $(BUILD) --prefix $(BUILD)/installed > $(BUILD)/install.log

# ---- demo --------------------------------------------------------------------------------------
.PHONY: demo examples
examples: install-tree
	@cmake -S examples/cpp -B $(BUILD)/examples -G Ninja --log-level=WARNING \
	  -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH=$(CURDIR)/$(BUILD)/installed
	@cmake --build $(BUILD)/examples -j $(JOBS)

demo: $(VENV)/.demo examples
	@$(py) examples/fashion_mnist.py --data $(FASHION_MNIST) --output $(DEMO_OUTPUT) $(DEMO_FLAGS)
	@mkdir -p $(DEMO_OUTPUT)/data
	@for file in $(FASHION_MNIST)/*.gz; do gzip -dc $$file > $(DEMO_OUTPUT)/data/$$(basename $$file .gz); done
	@echo "The same model and images, from C++:"
	@$(BUILD)/examples/evaluate $(DEMO_OUTPUT)/model.pth $(DEMO_OUTPUT)/data | tee $(DEMO_OUTPUT)/accuracy_cpp.txt
	@diff $(DEMO_OUTPUT)/accuracy.txt $(DEMO_OUTPUT)/accuracy_cpp.txt || \
	  { echo "the C++ program's accuracy differs from the Python program's"; exit 1; }
	@echo "Pictures: $(DEMO_OUTPUT)/losses.png, $(DEMO_OUTPUT)/predictions.png"

# ---- tests -------------------------------------------------------------------------------------
# Both runners run even when the first fails, so that one run tells everything; pytest's line comes last.
.PHONY: test
test: $(VENV)/.test build
	@status=0; \
	if [ -e $(BUILD)/CTestTestfile.cmake ]; then \
	  ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure || status=1; \
	else \
	  echo "C++ tests left out: doctest is not installed (apt-get install doctest-dev)"; \
	fi; \
	$(py) -m pytest -n $(JOBS) $(PYTEST_FLAGS) || status=1; \
	exit $$status

.PHONY: conformance
conformance: build
	@test -d $(SHARED)/conformance || { echo "no recorded results in $(SHARED)/conformance"; exit 1; }
	@$(py) tools/conformance.py $(SHARED)/conformance --floor tests/conformance_floor.txt $(CONFORMANCE_FLAGS)

.PHONY: bench
bench: build
	@test -d $(SHARED)/bench || { echo "no benchmarks in $(SHARED)/bench"; exit 1; }
	@$(py) $(SHARED)/bench/compare.py --libs bolide,torch --targets $(BENCH_FLAGS)

# ---- checks ------------------------------------------------------------------------------------
.PHONY: lint
lint: $(VENV)/.lint
	@ruff check python tests examples tools
	@mypy

# Each sanitizer in a build folder of its own; the libraries stay there, away from the Python sources.
sanitize_flags = -DBOLIDE_SANITIZE=$(1) -DBOLIDE_PYTHON=OFF -DBOLIDE_DNNL=OFF -DBOLIDE_LIBRARY_DIR=$(CURDIR)/$(2)/lib \
  -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG"
define sanitize_one
	@$(call configure,$(2),$(call sanitize_flags,$(1),$(2)))
	@cmake --build $(2) -j $(JOBS)
	@ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1 \
	  ctest --test-dir $(2) --output-on-failure
endef
.PHONY: sanitize sanitize-address sanitize-thread
sanitize: sanitize-address sanitize-thread
sanitize-address: $(VENV)/.test
	$(call sanitize_one,address$(comma)undefined,build-address)
sanitize-thread: $(VENV)/.test
	$(call sanitize_one,thread,build-thread)
comma := ,

# ---- clean -------------------------------------------------------------------------------------
.PHONY: clean distclean
clean:
	rm -rf $(BUILD) build-address build-thread dist $(DEMO_OUTPUT) python/bolide/*.so
distclean: clean
	rm -rf $(VENV)
