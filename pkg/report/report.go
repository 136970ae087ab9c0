// Package report writes what a sweep found, one row a key: as JSON for programs, and as one HTML page for people, which
// needs no server, no network and nothing beside it.
//
// A sweep streams its rows through this package into the archive before it acts on any of them. Neither format is ever
// held whole, so a report may be of any length. It names users and keys, and never holds a secret: a [Row] has no
// member for one.
//
// Errors are those of the rows and of the writer, as they come. After one nothing more is written, and what was written
// so far is not a whole report.
package report

import (
	"io"
	"iter"
	"time"

	"keyreeve/pkg/guard"
)

// Row is one key in a report. Times are in UTC, and zero where they are not known.
//
// A row with a Rule counts as refused, whatever its Step.
type Row struct {
	// User is the owner's e-mail address, or their UUID where there is none.
	User         string `json:"user"`
	UserID       string `json:"userId"`
	UserInactive bool   `json:"userInactive,omitempty"`

	Key           string    `json:"key"`
	Active        bool      `json:"active"`
	Legacy        bool      `json:"legacy,omitempty"`
	Created       time.Time `json:"created,omitzero"`
	InactiveSince time.Time `json:"inactiveSince,omitzero"`

	// Policy is the one by which something is due, Mode is that policy's, and Step is what is due; empty: nothing.
	Policy guard.SweepPolicy `json:"policy,omitempty"`
	Step   guard.SweepStep   `json:"step,omitempty"`
	Mode   guard.SweepMode   `json:"mode,omitempty"`
	// Due is the earliest time at which the key will be switched off, where its owner has to be warned first.
	Due time.Time `json:"due,omitzero"`

	// Rule is the one by which the guard would refuse the step. Message and Remedy are for people.
	Rule    guard.Rule `json:"rule,omitempty"`
	Message string     `json:"message,omitempty"`
	Remedy  string     `json:"remedy,omitempty"`
}

// WriteJSON writes the report as {"sweep": {…}, "keys": [{…}, …]}: a [guard.Sweep], and a [Row] a line.
func WriteJSON(w io.Writer, sweep guard.Sweep, rows iter.Seq2[Row, error]) error {
	out := newWriter(w)
	out.text(`{"sweep":`)
	out.json(sweep)
	out.text(`,"keys":`)
	out.list(rows, func(r Row) any { return r })
	out.text("}\n")
	return out.close()
}
