package sweep

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/report"
)

// scratch is a temporary file: what is too much for the memory, until the archive has it.
type scratch struct {
	file   *os.File
	buffer *bufio.Writer
}

func newScratch() (*scratch, error) {
	file, err := os.CreateTemp("", "keyreeve-sweep-")
	if err != nil {
		return nil, noScratch(err)
	}
	return &scratch{file: file, buffer: bufio.NewWriter(file)}, nil
}

func noScratch(err error) error {
	return &guard.Error{
		Kind: guard.Unavailable, Message: "The sweep has no room for its plan.", Err: err,
		Remedy: "See that the folder for temporary files can be written to: a key takes some 300 bytes.",
	}
}

func (s *scratch) Write(p []byte) (int, error) { return s.buffer.Write(p) }

// keep puts the content into the archive.
func (s *scratch) keep(ctx context.Context, archive Archive, name, contentType string) error {
	if err := s.buffer.Flush(); err != nil {
		return noScratch(err)
	}
	return archive.Put(ctx, name, contentType, s.file)
}

// drop removes the file. That it could not be removed is of no consequence: the next machine has none.
func (s *scratch) drop() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}

// plan goes through all that was written down of the keys, in the order of reading.
func (s *Sweeper) plan(ctx context.Context, st *state) iter.Seq2[line, error] {
	return func(yield func(line, error) bool) {
		for _, part := range st.Parts {
			if !s.planPart(ctx, st.part(part), yield) {
				return
			}
		}
	}
}

// planPart goes through one part, and reports whether there may be another.
func (s *Sweeper) planPart(ctx context.Context, name string, yield func(line, error) bool) (more bool) {
	content, err := s.Archive.Get(ctx, name)
	if err != nil {
		yield(line{}, err)
		return false
	}
	defer func() { _ = content.Close() }()
	decoder := json.NewDecoder(content)
	for {
		var l line
		err := decoder.Decode(&l)
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			yield(line{}, &guard.Error{
				Kind: guard.Unavailable, Message: "The plan of the sweep cannot be read.", Remedy: "Start the sweep again.", Err: fmt.Errorf("read %s: %w", name, err),
			})
			return false
		case !yield(l, nil):
			return false
		}
	}
}

// discardPlan removes the plan. That some of it could not be removed is of no consequence.
func (s *Sweeper) discardPlan(ctx context.Context, st *state) {
	var failed []error
	for _, part := range st.Parts {
		failed = append(failed, s.Archive.Remove(ctx, st.part(part)))
	}
	if err := errors.Join(failed...); err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "Parts of the plan stay in the archive.", slog.String("sweep", st.Night.ID), slog.Any("error", err))
	}
}

// rows are what a report shows of the plan.
func rows(plan iter.Seq2[line, error]) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		for l, err := range plan {
			if !yield(l.Row, err) {
				return
			}
		}
	}
}

// byUser gathers the lines of each user.
func byUser(plan iter.Seq2[line, error]) iter.Seq2[[]line, error] {
	return func(yield func([]line, error) bool) {
		var lines []line
		for l, err := range plan {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(lines) > 0 && lines[0].UserID != l.UserID {
				if !yield(lines, nil) {
					return
				}
				lines = nil
			}
			lines = append(lines, l)
		}
		if len(lines) > 0 {
			yield(lines, nil)
		}
	}
}
