package app

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"keyreeve/pkg/archive"
	"keyreeve/pkg/guard"
	"keyreeve/pkg/ionos"
	"keyreeve/pkg/sweep"
)

// NewSweep returns the handler of the function that looks at every key of the contract.
func NewSweep(ctx context.Context) (lambda.Handler, error) {
	config, problems, loaded := load(ctx)
	logger := newLogger(config)
	api, err := newIONOS(config, logger)
	if loaded { // Otherwise what it misses may be what could not be read.
		problems = append(problems, sentences(err)...)
	}
	memory, err := openLedger(ctx, config)
	problems = append(problems, sentences(err)...)
	problems = append(problems, config.needsBus()...)
	problems = append(problems, config.sweepProblems()...)
	if len(problems) > 0 {
		return nil, cannotStart(problems)
	}
	reports := newArchive(config)
	return &sweep.Sweeper{
		Contract: contract{api}, Ledger: memory, Past: memory, Leases: memory,
		Archive: reports, Link: reports.Link, Bus: openBus(config),
		Rules: config.sweepRules(), Policy: config.policy(), Self: api.Self(),
		Unique: func() string { return strings.ToLower(rand.Text()[:8]) }, Clock: time.Now, Logger: logger,
	}, nil
}

// contract is the IONOS client as the sweep wants it.
type contract struct{ *ionos.Client }

func (c contract) UserPage(ctx context.Context, offset int) (users []guard.UserKeys, next int, err error) {
	page, err := c.Client.UserPage(ctx, offset)
	return page.Users, page.Next, err
}

func (c Config) sweepProblems() (problems []string) {
	if c.SweepReports == (archiveSetting{}) {
		problems = append(problems, "KEYREEVE_SWEEP_REPORTS is missing: it must be s3:BUCKET/PREFIX or file:FOLDER.")
	}
	if guard.SweepMode(c.SweepMaxAge) == guard.Enforce && c.MaxKeyAge == 0 {
		problems = append(problems, "KEYREEVE_MAX_KEY_AGE is missing, for KEYREEVE_SWEEP_MAX_AGE=enforce.")
	}
	return problems
}

func (c Config) sweepRules() sweep.Rules {
	modes := map[guard.SweepPolicy]guard.SweepMode{
		guard.InactiveUser: guard.SweepMode(c.SweepInactiveUser), guard.DeleteAfterGrace: guard.SweepMode(c.SweepDelete),
	}
	if c.MaxKeyAge > 0 {
		modes[guard.MaxAge] = guard.SweepMode(c.SweepMaxAge)
	}
	return sweep.Rules{Modes: modes, MaxKeyAge: time.Duration(c.MaxKeyAge), MaxShare: int(c.SweepMaxShare), DryRun: c.DryRun}
}

// reports is where reports are kept, and where people find them.
type reports interface {
	sweep.Archive
	Link(name string) string
}

func newArchive(config Config) reports {
	if config.SweepReports.folder != "" {
		return archive.NewFolder(config.SweepReports.folder)
	}
	transport := newTransport()
	transport.ExpectContinueTimeout = time.Second
	return archive.NewS3(archive.S3Config{
		Bucket: config.SweepReports.bucket, Prefix: config.SweepReports.prefix, Region: config.Region,
		Endpoint: config.endpoint(config.S3Endpoint), Credentials: config.credentials(), Transport: transport, Clock: time.Now,
	})
}
