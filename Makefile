# The two commands are `make run` and `make test`; both set up what they need, once.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
AIRFLOW := $(VENV)-airflow
MEDIAPIPE := $(VENV)-mediapipe
MEDIAPIPE_WEB := build/mediapipe
SWIFT := $(VENV)-swift
ON_DEVICE := build/on-device
# Each version in a folder of its own: another one is built anew.
PRISM := build/prism/v2.77.0/prism
VERSITYGW := build/versitygw/v1.8.0/versitygw
FAKE_GCS := build/fake-gcs-server/v1.56.1/fake-gcs-server
READY  := $(VENV)/.ready
PLATFORM := $(shell uname -s -m)
# Byte-code is compiled at install: imports are three times as slow without it.
export PYTHONDONTWRITEBYTECODE=

# A Python that is asked for, of another version than the environment's, makes it anew; else that stays as it is.
version = $(shell $(1) -c 'import sys; print(sys.version_info[:2])' 2>/dev/null)
ifneq ($(origin PYTHON),file)
ifneq ($(call version,$(PYTHON)),$(call version,$(BIN)/python))
.PHONY: $(READY)
endif
endif

.PHONY: run on-device versitygw test test-long test-airflow test-mediapipe test-swift test-on-device test-flink test-flink-faults test-storage-faults test-spark test-prism test-gs lint lock sbom docs clean
run: $(READY)            ## the whole pipeline on the embedded sample
	$(BIN)/python -m pipeline.run --runner=DirectRunner $(ARGS)

on-device: $(ON_DEVICE)/.ready  ## LiteRT's WebAssembly, with which the chat captions photos in the browser: needs npm

test: lint               ## every check but the long ones and those on a cluster
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-long: $(READY)      ## runs that are killed, repeated, spread over processes, or far from their data
	$(BIN)/python -m pytest -n 2 --dist loadfile -m long $(ARGS)

test-flink: $(READY) $(VERSITYGW)  ## the line on a Flink cluster whose machines share a bucket: needs java, mvn and go
	VERSITYGW=$(abspath $(VERSITYGW)) $(BIN)/python -m pytest -rs -m flink $(ARGS) tests/engines

test-flink-faults: $(READY) $(VERSITYGW)  ## the same, and what happens when parts of it are killed
	VERSITYGW=$(abspath $(VERSITYGW)) $(BIN)/python -m pytest -rs -m flink_faults $(ARGS) tests/flink

test-storage-faults: $(READY) $(VERSITYGW)  ## machines that are lost, and a bucket that is away, without a cluster: needs go
	VERSITYGW=$(abspath $(VERSITYGW)) $(BIN)/python -m pytest -rs -m storage_faults $(ARGS) tests/pipeline/test_storage_faults.py

test-spark: $(READY) $(VERSITYGW)  ## the line on a standalone Spark cluster whose machines share a bucket: needs java, mvn and go
	VERSITYGW=$(abspath $(VERSITYGW)) $(BIN)/python -m pytest -rs -m spark $(ARGS) tests/engines tests/spark

test-prism: $(READY) $(PRISM) $(VERSITYGW)  ## the line on Prism, Beam's runner for one machine, with its root in a bucket: needs go
	PRISM=$(abspath $(PRISM)) VERSITYGW=$(abspath $(VERSITYGW)) $(BIN)/python -m pytest -rs -m prism $(ARGS) tests/prism

test-gs: $(READY) $(FAKE_GCS)  ## object storage as Google offers it, on a server that Go builds: needs go
	FAKE_GCS=$(abspath $(FAKE_GCS)) $(BIN)/python -m pytest -rs -m "long or not long" -k "gs or google" $(ARGS) \
	  tests/components/test_gs_requests.py tests/components/test_object_storage.py tests/components/test_local_folder.py \
	  tests/components/test_corrections_place.py tests/components/ingest/test_fetch.py tests/components/registry/test_remote_registry.py \
	  tests/pipeline/store/test_remote_store.py tests/test_object_storage.py

test-airflow: $(READY) $(AIRFLOW)/.ready  ## the DAG that the schedule emits, in a real Airflow
	AIRFLOW=$(abspath $(AIRFLOW))/bin/airflow $(BIN)/python -m pytest $(ARGS) tests/pipeline/schedule/test_airflow.py

test-mediapipe: $(READY) $(MEDIAPIPE)/.ready $(MEDIAPIPE_WEB)/.ready  ## the LiteRT files, in MediaPipe's own image classifier, in Python and in Chromium: needs npm
	MEDIAPIPE=$(abspath $(MEDIAPIPE))/bin/python $(BIN)/python -m pytest -rs $(ARGS) tests/components/push/test_mediapipe.py

test-swift: $(READY) $(SWIFT)/.ready  ## the Swift of examples/ios, by a grammar: it is parsed, not compiled
	SWIFT_PARSER=$(abspath $(SWIFT))/bin/python $(BIN)/python -m pytest $(ARGS) tests/examples/test_ios.py

test-on-device: $(READY) $(ON_DEVICE)/.ready  ## captions in the browser against those of the server: needs Chromium
	$(BIN)/python -m pytest -rs $(ARGS) tests/pipeline/demo/test_on_device*.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: $(READY)           ## newest versions that resolve together on every Python we serve, with their hashes
	$(BIN)/uv pip compile --universal --python-version 3.10 --upgrade --extra onnx --extra test setup.py --output-file requirements.txt \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

# In an environment of its own, so that the tool is not on its own list.
sbom: $(READY)           ## the packages of the environment, with their licenses, as CycloneDX: build/sbom.cdx.json
	mkdir -p build
	$(BIN)/uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py environment --output-reproducible \
	  --output-file build/sbom.cdx.json $(abspath $(BIN))/python

# Which wheels are missing where: docs/benchmarks/support-matrix.md. PLATFORM='Linux x86_64' skips the check.
$(READY): requirements.txt
	@case '$(PLATFORM)' in \
	  'Linux x86_64' | 'Darwin arm64') exit 0 ;; \
	  'Darwin x86_64') missing='tensorflow, tfx-bsl and apache-beam' ;; \
	  'Linux aarch64' | 'Linux arm64' | MINGW* | MSYS* | CYGWIN*) missing='tfx-bsl and coremltools' ;; \
	  *) missing='tensorflow and tfx-bsl' ;; \
	esac; \
	echo "$(PLATFORM) found, for which $$missing have no wheels; Linux x86_64 and macOS arm64 are served. Try a container of Linux x86_64." >&2; \
	exit 1
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 13) or sys.exit(f"Python {v[0]}.{v[1]} found; 3.10 to 3.13 are served. Try: make PYTHON=python3.12")'
	@echo "making $(VENV); the packages take half a minute to a few minutes"
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --compile-bytecode --require-hashes --requirement requirements.txt
	touch $@

# Its newer web framework refuses what its own tasks send it.
$(AIRFLOW)/.ready: $(READY)
	$(BIN)/uv venv --quiet --python $(abspath $(BIN))/python $(AIRFLOW)
	VIRTUAL_ENV=$(abspath $(AIRFLOW)) $(BIN)/uv pip install --quiet "apache-airflow==3.0.6" "fastapi<0.118"
	touch $@

# It wants another NumPy and OpenCV than we do.
$(MEDIAPIPE)/.ready: $(READY)
	$(BIN)/uv venv --quiet --python $(abspath $(BIN))/python $(MEDIAPIPE)
	VIRTUAL_ENV=$(abspath $(MEDIAPIPE)) $(BIN)/uv pip install --quiet mediapipe==1.2.3
	touch $@

# A grammar alone; no part of the pipeline needs it.
$(SWIFT)/.ready: $(READY)
	$(BIN)/uv venv --quiet --python $(abspath $(BIN))/python $(SWIFT)
	VIRTUAL_ENV=$(abspath $(SWIFT)) $(BIN)/uv pip install --quiet tree-sitter==0.26.1 tree-sitter-swift==0.7.4
	touch $@

# npm installs what the lock files name, by their digests, and runs nothing of it.
$(ON_DEVICE)/.ready: pipeline/demo/package.json pipeline/demo/package-lock.json
$(MEDIAPIPE_WEB)/.ready: benchmarks/client_programs/package.json benchmarks/client_programs/package-lock.json
$(ON_DEVICE)/.ready $(MEDIAPIPE_WEB)/.ready:
	mkdir -p $(@D)
	cp $^ $(@D)
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund
	touch $@

# Go checks what it downloads against its public log of digests.
define go_install
@command -v go >/dev/null || { echo "There is no go on the PATH, which builds $(@F). Install Go 1.26 or newer." >&2; exit 1; }
GOBIN=$(abspath $(@D)) go install $(1)@$(notdir $(@D))
endef

$(PRISM):
	$(call go_install,github.com/apache/beam/sdks/v2/go/cmd/prism)

# A real S3 server.
versitygw: $(VERSITYGW)
$(VERSITYGW):
	$(call go_install,github.com/versity/versitygw/cmd/versitygw)

# A server in memory that speaks Google's protocol.
$(FAKE_GCS):
	$(call go_install,github.com/fsouza/fake-gcs-server)

docs: $(READY)           ## the reference pages and the figure that are written from the code
	$(BIN)/python -m docs.generate $(ARGS)

clean:                   ## forget the environment and everything that runs have made
	rm -rf $(VENV) $(AIRFLOW) $(MEDIAPIPE) $(MEDIAPIPE_WEB) $(SWIFT) $(ON_DEVICE) build/prism build/versitygw build/fake-gcs-server pipeline_output
