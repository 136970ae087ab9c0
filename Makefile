# Needs Go, make and git, nothing else. `make` alone lists what there is. The tests of the ledger on DynamoDB need
# Node.js 20 with npm too, and those of the sweep's page Chromium or Chrome.

## make run     the whole stack on this machine, against a stand-in for IONOS
## make check   vet, lint and unit tests: the quick look before a commit
## make test    vet, lint and all tests, end to end too, under the race detector
## make fuzz    each decoder against arbitrary input, FUZZTIME=10s apiece
## make vuln    known vulnerabilities of what is built in; asks the Go vulnerability database
## make bench   how fast it is, and how much it asks of IONOS
## make build   one build/<function>.zip a function, ready to upload
## sam build    the same binaries, through the build-<Function> targets

help:
	@sed -n 's/^## //p' Makefile

run:
	go run ./pkg/local

bench:
	go run ./pkg/bench

# `go test` does not tell what it skips.
define SKIPPED
$(if $(shell command -v node >/dev/null && command -v npm),,@echo 'NOT TESTED ON DYNAMODB: there is no Node.js with npm here.')
$(if $(shell command -v chromium || command -v chromium-browser || command -v google-chrome || command -v google-chrome-stable),,@echo 'NOT TESTED IN A BROWSER: there is no Chromium and no Chrome here.')
endef

check: lint
	$(SKIPPED)
	go test $$(go list ./... | grep -vE '/pkg/(local|proof)$$')
	$(SKIPPED)

# On Linux the race detector needs a C compiler. Without one Go switches cgo off by itself.
RACE = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

test: lint
	$(if $(RACE),,@echo 'There is no C compiler here: the tests run without the race detector.')
	$(SKIPPED)
	go test $(RACE) -count=1 -timeout 20m ./... # Go's cache of results does not know what the end-to-end tests build.
	$(SKIPPED)

# The directory carries the version, so that another version is another file and gets installed.
LINT_VERSION := v2.15.0
LINT_DIR := .bin/golangci-lint-$(LINT_VERSION)

lint: $(LINT_DIR)/golangci-lint
	go vet ./...
	$(LINT_DIR)/golangci-lint run

$(LINT_DIR)/golangci-lint:
	GOBIN='$(CURDIR)/$(LINT_DIR)' go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

# Every fuzz target that there is. What breaks one is left in testdata/fuzz of its package, where `go test` finds it too:
# that decides, because Go 1.26 may call a target failed only for the end of its time.
FUZZTIME ?= 10s

fuzz:
	@for package in $$(go list ./...); do \
		listed=$$(go test -list '^Fuzz' $$package) || { echo "$$listed"; exit 1; }; \
		for target in $$(echo "$$listed" | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 2s $$package || \
				go test -run "^$$target\$$" $$package || exit 1; \
		done; \
	done

# Neither `make check` nor `make test` depends on this: the database cannot be reached from everywhere.
VULN_VERSION := v1.9.0
VULN_DIR := .bin/govulncheck-$(VULN_VERSION)

vuln: $(VULN_DIR)/govulncheck
	@$(VULN_DIR)/govulncheck ./... || { \
		status=$$?; \
		test $$status -eq 3 || echo 'Nothing was checked, for the reason above: this says nothing about vulnerabilities.' >&2; \
		exit $$status; \
	}

$(VULN_DIR)/govulncheck:
	GOBIN='$(CURDIR)/$(VULN_DIR)' go install golang.org/x/vuln/cmd/govulncheck@$(VULN_VERSION)

# The same source and the same Go make the same zip, byte for byte, on every machine.
BUILD := CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath -buildvcs=false -ldflags '-s -w' -tags lambda.norpc,nobolt

build: $(patsubst functions/%,build/%.zip,$(wildcard functions/*))

build/%.zip: always
	$(BUILD) -o build/$*/bootstrap ./functions/$*
	go run github.com/aws/aws-lambda-go/cmd/build-lambda-zip -o $@ build/$*/bootstrap

# What `sam build` calls: the logical id of the function, and the folder that it wants the binary in.
build-Activate build-Deactivate build-Delete build-Inventory build-Webhook build-ChatOps build-Notify build-Sweep:
	$(BUILD) -o '$(ARTIFACTS_DIR)/bootstrap' ./functions/$(shell echo $(@:build-%=%) | tr A-Z a-z)

.PHONY: help run bench check test lint fuzz vuln build always build-Activate build-Deactivate build-Delete build-Inventory build-Webhook build-ChatOps build-Notify build-Sweep
